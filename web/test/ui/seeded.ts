/** Numbers from 0 to 1 that are the same at every run. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const NASTY = ["'", '"', "`", "$", "$(id)", "\\", "\n", "\r", "\t", " ", "!", "*", "~", "#", "&", ";", "|", "<", ">", "(", ")", "[", "{", "%", "=", "-", "é", "漢", "😀", "\u2028", "\u0007", "EOF", "a", "Z", "0"];

/** Texts that would break a careless quoting. */
export function nastyTexts(count: number, seed: number): string[] {
  const random = seeded(seed);
  return Array.from({ length: count }, () =>
    Array.from({ length: Math.floor(random() * 12) }, () => NASTY[Math.floor(random() * NASTY.length)]).join(""),
  );
}
