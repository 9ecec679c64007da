import { create } from "@bufbuild/protobuf";
import {
  type DatasetFormat,
  type JobConfiguration,
  JobConfigurationSchema,
  Modality,
  type Recipe,
  type RecipeContent,
  RecipeContentSchema,
  RecipeType,
} from "@tunesmith/sdk";
import { readJson, writeJson } from "../form/json.js";

/** What the dialog's fields hold; lists as people write them, one a line. */
export interface RecipeDraft {
  displayName: string;
  description: string;
  type: RecipeType;
  modality: Modality;
  defaults: string;
  requiredFields: string;
  optionalFields: string;
  supportedFamilies: string;
  datasetFormats: readonly DatasetFormat[];
  quantizedBaseAllowed: boolean;
  minHiddenSize: string;
  recommended: boolean;
  active: boolean;
}

/** The fields of a recipe that is there, or of a new one. */
export function draftOf(recipe: Recipe | undefined): RecipeDraft {
  return {
    displayName: recipe?.displayName ?? "",
    description: recipe?.description ?? "",
    type: recipe?.type ?? RecipeType.LORA,
    modality: recipe?.modality || Modality.TEXT,
    defaults: writeJson(JobConfigurationSchema, recipe?.defaults ?? create(JobConfigurationSchema)),
    requiredFields: (recipe?.requiredFields ?? []).join("\n"),
    optionalFields: (recipe?.optionalFields ?? []).join("\n"),
    supportedFamilies: (recipe?.supportedFamilies ?? []).join("\n"),
    datasetFormats: recipe?.datasetFormats ?? [],
    quantizedBaseAllowed: recipe?.quantizedBaseAllowed ?? false,
    minHiddenSize: recipe?.minHiddenSize ? String(recipe.minHiddenSize) : "",
    recommended: recipe?.recommended ?? false,
    active: recipe?.active ?? true,
  };
}

/** What is sent, or what is wrong, by the request's paths. */
export type ReadRecipe = { content: RecipeContent; errors?: undefined } | { content?: undefined; errors: Map<string, string[]> };

/** Reads what was filled in. */
export function readDraft(draft: RecipeDraft): ReadRecipe {
  const errors = new Map<string, string[]>();
  const read = readJson(JobConfigurationSchema, draft.defaults.trim() || "{}");
  if (read.faults) {
    errors.set("recipe.defaults", read.faults);
  }
  const least = draft.minHiddenSize.trim();
  if (least !== "" && !/^\d+$/.test(least)) {
    errors.set("recipe.min_hidden_size", [`“${least}” is not a whole number; write one such as 64, or nothing`]);
  }
  if (errors.size > 0) {
    return { errors };
  }
  return {
    content: create(RecipeContentSchema, {
      displayName: draft.displayName.trim(),
      description: draft.description.trim(),
      type: draft.type,
      modality: draft.modality,
      defaults: read.configuration as JobConfiguration,
      requiredFields: linesOf(draft.requiredFields),
      optionalFields: linesOf(draft.optionalFields),
      supportedFamilies: linesOf(draft.supportedFamilies),
      datasetFormats: [...draft.datasetFormats],
      quantizedBaseAllowed: draft.quantizedBaseAllowed,
      minHiddenSize: Number(least || 0),
      recommended: draft.recommended,
      active: draft.active,
    }),
  };
}

function linesOf(text: string): string[] {
  return text
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter(Boolean);
}
