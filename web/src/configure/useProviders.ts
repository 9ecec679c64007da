import { type Provider, toTunesmithError, type TunesmithError } from "@tunesmith/sdk";
import { useCallback, useEffect, useState } from "react";
import { useTunesmith } from "../ui/tunesmith.js";

/** Every provider; undefined while nobody has answered. */
export function useProviders(): { providers?: readonly Provider[]; error?: TunesmithError; retry(): void } {
  const { providers } = useTunesmith();
  const [answer, setAnswer] = useState<{ providers?: readonly Provider[]; error?: TunesmithError }>({});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const ended = new AbortController();
    providers.listProviders({}, { signal: ended.signal }).then(
      (found) => !ended.signal.aborted && setAnswer({ providers: found.providers }),
      (error: unknown) => !ended.signal.aborted && setAnswer({ error: toTunesmithError(error) }),
    );
    return () => ended.abort();
  }, [providers, turn]);
  return { ...answer, retry: useCallback(() => setTurn((now) => now + 1), []) };
}
