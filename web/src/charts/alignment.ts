import type { Line } from "./downsampling.js";

/** Lines over one common column of steps: null is a gap, undefined a step without a point, passed over. */
export interface Aligned {
  steps: number[];
  lines: (number | null | undefined)[][];
}

/** Puts lines with steps of their own over one column of steps. */
export function align(lines: Line[]): Aligned {
  const places = lines.map(() => 0);
  const aligned: Aligned = { steps: [], lines: lines.map(() => []) };
  for (;;) {
    let step = Infinity;
    lines.forEach((line, which) => {
      step = Math.min(step, line.steps[places[which]!] ?? Infinity);
    });
    if (step === Infinity) {
      break;
    }
    aligned.steps.push(step);
    lines.forEach((line, which) => {
      const place = places[which]!;
      const here = line.steps[place] === step;
      aligned.lines[which]!.push(here ? line.values[place] : undefined);
      places[which] = here ? place + 1 : place;
    });
  }
  aligned.lines.forEach(widenGaps);
  return aligned;
}

/** A gap reaches to the line's own next points, not to the neighbours' steps in between. */
function widenGaps(values: (number | null | undefined)[]): void {
  const spread = (from: number, to: number, by: number) => {
    let inGap = false;
    for (let index = from; index !== to; index += by) {
      inGap = values[index] === null || (inGap && values[index] === undefined);
      if (inGap) {
        values[index] = null;
      }
    }
  };
  spread(0, values.length, 1);
  spread(values.length - 1, -1, -1);
}
