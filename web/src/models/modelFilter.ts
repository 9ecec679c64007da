import { type BaseModel, Lifecycle, Modality, Stage } from "@tunesmith/sdk";

/** What the list of models is narrowed by; what is empty or 0 narrows nothing. */
export interface ModelFilter {
  search: string;
  family: string;
  stage: Stage;
  lifecycle: Lifecycle;
  modality: Modality;
  trainable: "" | "yes" | "no";
}

export const NO_FILTER: ModelFilter = {
  search: "",
  family: "",
  stage: Stage.UNSPECIFIED,
  lifecycle: Lifecycle.UNSPECIFIED,
  modality: Modality.UNSPECIFIED,
  trainable: "",
};

/** Whether a model stays in the list. The same filters as ListBaseModels has, on models that are here already. */
export function passes(model: BaseModel, { search, family, stage, lifecycle, modality, trainable }: ModelFilter): boolean {
  const wanted = search.trim().toLowerCase();
  return (
    [model.displayName, model.hubRepo, model.family].some((name) => name.toLowerCase().includes(wanted)) &&
    (family === "" || model.family === family) &&
    (stage === Stage.UNSPECIFIED || model.stage === stage) &&
    (lifecycle === Lifecycle.UNSPECIFIED || model.lifecycle === lifecycle) &&
    (modality === Modality.UNSPECIFIED || model.modality === modality) &&
    (trainable === "" || model.trainable === (trainable === "yes"))
  );
}
