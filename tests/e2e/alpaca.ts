import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { ROOT } from "./places.ts";

const OWN_ROWS = 96;
/** The demonstration rows that LLaMA-Factory ships, where somebody has put them beside the checkout. */
const SHARED = `${ROOT}../shared/data/chat/alpaca_en_demo.json`;

/** A file of Alpaca's form, and its number of rows: the real one where it lies on this machine, otherwise sums. */
export function alpaca(limit = OWN_ROWS): { file: string; rows: number } {
  const rows = existsSync(SHARED) ? (JSON.parse(readFileSync(SHARED, "utf8")) as unknown[]).slice(0, limit) : sums(limit);
  const file = `${mkdtempSync("/tmp/ts-alpaca-")}/alpaca.json`;
  writeFileSync(file, JSON.stringify(rows));
  return { file, rows: rows.length };
}

function sums(count: number): { instruction: string; input: string; output: string }[] {
  return Array.from({ length: count }, (_, index) => ({
    instruction: "Add the two numbers and say the sum in a sentence.",
    input: `${index} and ${index * 7 + 3}`,
    output: `The sum of ${index} and ${index * 7 + 3} is ${index * 8 + 3}.`,
  }));
}
