/** A number that was typed: its value, or what is wrong with the text. An empty text is no number and no fault. */
export type TypedNumber = { value?: number; fault?: string };

const PLAIN = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const GROUPED = /^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$/;
const INT32 = 2 ** 31;

/** Reads `2e-4`, `0.0002`, `1,000` and `1 000`. */
export function parseNumber(text: string, whole: boolean): TypedNumber {
  const typed = text.trim().replace(/[\s_\u00a0\u202f]/g, "");
  if (typed === "") {
    return {};
  }
  const plain = GROUPED.test(typed) ? typed.replaceAll(",", "") : typed;
  const value = PLAIN.test(plain) ? Number(plain) : Number.NaN;
  if (!Number.isFinite(value)) {
    const decimalComma = /^[+-]?\d+,\d+$/.test(typed)
      ? `; write ${typed.replace(",", ".")}`
      : "; write one such as 3, 0.0002 or 2e-4";
    return { fault: `“${text.trim()}” is not a number${whole ? "; write a whole one such as 8" : decimalComma}` };
  }
  if (whole && !Number.isInteger(value)) {
    return { fault: `${typed} is not a whole number; write ${Math.floor(value)} or ${Math.ceil(value)}` };
  }
  if (whole && (value >= INT32 || value < -INT32)) {
    return { fault: `${typed} is too large for this field; write at most ${INT32 - 1}` };
  }
  return { value };
}

/** A number as a box has it: `2e-4`, `0.05`, `33000`. */
export function writeNumber(value: number): string {
  const size = Math.abs(value);
  return size !== 0 && size < 1e-3 ? value.toExponential() : String(value);
}

/** A number as a sentence has it: `2e-4`, `33,000`. */
export function showNumber(value: number): string {
  return Math.abs(value) >= 1000 ? value.toLocaleString("en-US", { maximumFractionDigits: 6 }) : writeNumber(value);
}
