import type { FieldLowering, JobConfiguration } from "@tunesmith/sdk";
import { toTunesmithError, type TunesmithError } from "@tunesmith/sdk";
import { useEffect, useState } from "react";
import { useTunesmith } from "../ui/tunesmith.js";

/** Long enough that a hand on a slider does not ask at every stop. */
const QUIET_MS = 350;

/** What a provider makes of a configuration, and of which one. */
export interface Translation {
  of: JobConfiguration;
  provider: string;
  lowering: readonly FieldLowering[];
  error?: TunesmithError;
}

/** Asks what becomes of each field, once the form rests and if its rules are kept. What was answered last stays until then. */
export function useTranslation(provider: string, configuration: JobConfiguration, valid: boolean): Translation | undefined {
  const { providers } = useTunesmith();
  const [translation, setTranslation] = useState<Translation>();
  useEffect(() => {
    if (!valid || !provider) {
      return undefined;
    }
    const ended = new AbortController();
    const timer = setTimeout(() => {
      providers.translateConfiguration({ id: provider, configuration }, { signal: ended.signal }).then(
        ({ lowering }) => !ended.signal.aborted && setTranslation({ of: configuration, provider, lowering }),
        (error: unknown) =>
          !ended.signal.aborted && setTranslation({ of: configuration, provider, lowering: [], error: toTunesmithError(error) }),
      );
    }, QUIET_MS);
    return () => {
      clearTimeout(timer);
      ended.abort();
    };
  }, [providers, provider, configuration, valid]);
  return translation;
}
