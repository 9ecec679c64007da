// What a report's figures are called.
import { Basis, BasisSchema, Confidence, ConfidenceSchema, SpeedSource, SpeedSourceSchema } from "@tunesmith/sdk";
import { enumWord } from "../../ui/enumWord.js";

const BASES: Partial<Record<Basis, string>> = {
  [Basis.CLOSED_FORM]: "by formulas, for this provider's trainer",
  [Basis.PLAIN_LOOP]: "by formulas, for a plain loop of transformers and peft",
  [Basis.TRACED]: "by running the model's own code without weights",
};
const CONFIDENCES: Partial<Record<Confidence, string>> = {
  [Confidence.LOW]: "Low confidence",
  [Confidence.MEDIUM]: "Medium confidence",
  [Confidence.HIGH]: "High confidence",
};
const SOURCES: Partial<Record<SpeedSource, string>> = {
  [SpeedSource.DEVICE_TABLE]: "speed from the maker's figures",
  [SpeedSource.PROBE]: "speed from the pool's own probe",
  [SpeedSource.JOBS]: "speed from finished jobs",
};

/** `by formulas, for this provider's trainer`. */
export function basisWord(basis: Basis): string {
  return BASES[basis] ?? enumWord(BasisSchema, basis);
}

/** `Medium confidence`. */
export function confidenceWord(confidence: Confidence): string {
  return CONFIDENCES[confidence] ?? enumWord(ConfidenceSchema, confidence);
}

/** `speed from the pool's own probe`. */
export function sourceWord(source: SpeedSource): string {
  return SOURCES[source] ?? enumWord(SpeedSourceSchema, source);
}

/** `optimizer_step` as people write it: `Optimizer step`. */
export function partWord(name: string): string {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** `estimated (±8 %)`: never a number without how far it may be off. */
export function estimated(low: number, value: number, high: number): string {
  const off = value > 0 ? Math.max(high - value, value - low, 0) / value : 0;
  return off > 0 ? `estimated (±${Math.max(1, Math.round(off * 100))} %)` : "estimated";
}
