import { toJsonString } from "@bufbuild/protobuf";
import {
  Code,
  HardwareSchema,
  type JobConfiguration,
  type SuggestedRecipe,
  toTunesmithError,
  type TunesmithError,
} from "@tunesmith/sdk";
import { useEffect, useState } from "react";
import { useTunesmith } from "../../ui/tunesmith.js";

/** Somebody may be typing the model's name. */
const QUIET_MS = 300;

/** What recipes are asked for. */
export interface Wanted {
  provider: string;
  configuration: JobConfiguration;
  baseModel: string;
  dataset: string;
}

/** Recipes for a model and a dataset, best first; those of the last answer until the next one is there. */
export function useSuggestions({ provider, configuration, baseModel, dataset }: Wanted): {
  recipes: readonly SuggestedRecipe[] | undefined;
  error: TunesmithError | undefined;
} {
  const { preflight } = useTunesmith();
  const [recipes, setRecipes] = useState<readonly SuggestedRecipe[]>();
  const [error, setError] = useState<TunesmithError>();
  const { hardware } = configuration;
  // Another edit makes another message of the same hardware.
  const has = hardware ? toJsonString(HardwareSchema, hardware) : "";
  useEffect(() => {
    const ended = new AbortController();
    const timer = setTimeout(() => {
      preflight.suggestRecipes({ provider, baseModel, trainingFileId: dataset, hardware }, { signal: ended.signal }).then(
        (answer) => {
          if (!ended.signal.aborted) {
            setRecipes(answer.recipes);
            setError(undefined);
          }
        },
        (thrown: unknown) => {
          const known = toTunesmithError(thrown);
          if (!ended.signal.aborted) {
            setRecipes(undefined);
            // A name that is half typed is no error here; the form says it where it is typed.
            setError(known.code === Code.NotFound || known.code === Code.InvalidArgument ? undefined : known);
          }
        },
      );
    }, QUIET_MS);
    return () => {
      clearTimeout(timer);
      ended.abort();
    };
  }, [preflight, provider, baseModel, dataset, has]);
  return { recipes, error };
}
