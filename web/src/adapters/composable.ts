import { type Adapter, AdapterStatus, AdapterType } from "@tunesmith/sdk";

/** Why an adapter can't be added up with those that are picked; empty if it can. */
export function whyNot(adapter: Adapter, picked: readonly Adapter[]): string {
  if (adapter.status !== AdapterStatus.READY) {
    return "only adapters that are ready can be composed";
  }
  if (adapter.type !== AdapterType.LORA) {
    return "only LoRA adapters can be composed";
  }
  const [first] = picked;
  return first && first.baseModelId !== adapter.baseModelId ? `${first.displayName} is of another base model` : "";
}
