import { type JobConfiguration, type RankedProvider, toTunesmithError, type TunesmithError } from "@tunesmith/sdk";
import { useEffect, useState } from "react";
import { ErrorNotice } from "../../ui/ErrorNotice.js";
import { useTunesmith } from "../../ui/tunesmith.js";
import { count, duration, stepTime } from "../../ui/words.js";
import { money } from "./Figures.js";

/** As long as the report waits, so that both are about the same configuration. */
const QUIET_MS = 300;

/** Every backend, the best for this configuration first; asked for while it is open. */
export function Ranking({ configuration, provider }: { configuration: JobConfiguration; provider: string }) {
  const { preflight } = useTunesmith();
  const [open, setOpen] = useState(false);
  const [providers, setProviders] = useState<readonly RankedProvider[]>();
  const [error, setError] = useState<TunesmithError>();
  useEffect(() => {
    if (!open) {
      return undefined;
    }
    const ended = new AbortController();
    const timer = setTimeout(() => {
      preflight.rankProviders({ configuration }, { signal: ended.signal }).then(
        (answer) => {
          if (!ended.signal.aborted) {
            setProviders(answer.providers);
            setError(undefined);
          }
        },
        (thrown: unknown) => !ended.signal.aborted && setError(toTunesmithError(thrown)),
      );
    }, QUIET_MS);
    return () => {
      clearTimeout(timer);
      ended.abort();
    };
  }, [preflight, configuration, open]);
  return (
    <details className="ranking" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Every provider, side by side</summary>
      {error && <ErrorNotice error={error} />}
      {!providers && !error && <p className="soft">Comparing…</p>}
      {providers && (
        <ol>
          {providers.map((one) => (
            <li key={one.provider} data-runnable={one.runnable} aria-current={one.provider === provider || undefined}>
              <div className="ranking-head">
                <strong>{one.displayName || one.provider}</strong>
                <span className={`badge ${one.runnable ? (one.fits === false ? "badge-warn" : "badge-good") : "badge-bad"}`}>
                  {one.runnable ? (one.fits === false ? "Does not fit" : "Can run it") : "Can’t run it"}
                </span>
              </div>
              <p className="ranking-figures">{figuresOf(one)}</p>
              <p className="soft">{one.reason}</p>
            </li>
          ))}
        </ol>
      )}
    </details>
  );
}

function figuresOf({ stepSeconds, queueSeconds, durationSeconds, cost, dropped }: RankedProvider): string {
  const figures = [
    stepSeconds !== undefined && `${stepTime(stepSeconds)} a step`,
    durationSeconds !== undefined && `${duration(durationSeconds + (queueSeconds ?? 0))} in all`,
    cost && money(cost.amount, cost.currency),
    dropped.length > 0 && `${count(dropped.length)} ${dropped.length === 1 ? "field" : "fields"} left out`,
  ].filter(Boolean);
  return figures.length > 0 ? `${figures.join(" · ")}, estimated` : "";
}
