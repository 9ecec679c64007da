import { AdapterStatus, AdapterStatusSchema } from "@tunesmith/sdk";
import { enumWord } from "../ui/enumWord.js";

const TONES: Partial<Record<AdapterStatus, string>> = {
  [AdapterStatus.PENDING]: "badge-busy",
  [AdapterStatus.READY]: "badge-good",
  [AdapterStatus.FAILED]: "badge-bad",
};

/** Whether an adapter can be used, in a word. */
export function AdapterStatusBadge({ status }: { status: AdapterStatus }) {
  return <span className={`badge ${TONES[status] ?? ""}`}>{enumWord(AdapterStatusSchema, status)}</span>;
}
