import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { ROOT } from "./places.ts";

/** How many rows a file has; another one may begin where it ends. */
export const ROWS = 96;
/** The demonstration rows that LLaMA-Factory ships, where somebody has put them beside the checkout. */
const SHARED = `${ROOT}../shared/data/chat/alpaca_en_demo.json`;

/** A file of Alpaca's form, and its number of rows: real ones where they lie on this machine, otherwise sums. */
export function alpaca(from = 0): { file: string; rows: number } {
  const all = existsSync(SHARED) ? (JSON.parse(readFileSync(SHARED, "utf8")) as unknown[]) : sums(2 * ROWS);
  const rows = all.slice(from, from + ROWS);
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
