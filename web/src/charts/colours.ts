/** The tokens that a chart paints with: a canvas knows no custom properties, so each is asked of an element. */
const TOKENS = ["--accent", "--warn", "--busy", "--good", "--bad", "--line", "--text-soft"] as const;

/** A colour of tokens.css. */
export type Tone = "--accent" | "--warn" | "--busy" | "--good" | "--bad";

/** The colours and the letters of a theme as a canvas takes them. */
export interface Palette {
  colours: Record<(typeof TOKENS)[number], string>;
  font: string;
}

/** What the tokens are here and now. The probe is an empty element where the chart is. */
export function readPalette(probe: HTMLElement): Palette {
  const style = getComputedStyle(probe);
  const colours = Object.fromEntries(
    TOKENS.map((token) => {
      probe.style.color = `var(${token})`;
      return [token, style.color];
    }),
  ) as Palette["colours"];
  probe.style.color = "";
  return { colours, font: `${Math.round(Number.parseFloat(style.fontSize)) || 12}px ${style.fontFamily}` };
}
