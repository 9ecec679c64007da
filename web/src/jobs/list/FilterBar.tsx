import { useQuery } from "@tanstack/react-query";
import { stateWord } from "../../ui/StateBadge.js";
import { useEffect, useId, useState } from "react";
import { useTunesmith } from "../../ui/tunesmith.js";
import { type JobFilter, STATES } from "./filter.js";

const TYPING_MS = 250;

interface FilterBarProps {
  filter: JobFilter;
  /** A filter that was chosen is a step to go back over; what is still being typed is not. */
  onChange: (filter: JobFilter, replace: boolean) => void;
}

/** What the list is narrowed by. */
export function FilterBar({ filter, onChange }: FilterBarProps) {
  const tunesmith = useTunesmith();
  const { data } = useQuery({
    queryKey: ["providers"],
    queryFn: ({ signal }) => tunesmith.providers.listProviders({}, { signal }),
    staleTime: Infinity,
  });
  const provider = useId();
  const toggled = (state: (typeof STATES)[number]["state"]) =>
    filter.states.includes(state) ? filter.states.filter((one) => one !== state) : [...filter.states, state];
  const ids = new Set([...(data?.providers.map(({ id }) => id) ?? []), ...(filter.provider ? [filter.provider] : [])]);
  return (
    <search className="filters">
      <SearchField text={filter.search} onChange={(search) => onChange({ ...filter, search }, true)} />
      <div className="chips" role="group" aria-label="States">
        {STATES.map(({ state }) => (
          <button
            key={state}
            type="button"
            className="chip"
            aria-pressed={filter.states.includes(state)}
            onClick={() => onChange({ ...filter, states: toggled(state) }, false)}
          >
            {stateWord(state)}
          </button>
        ))}
      </div>
      {ids.size > 1 && (
        <div className="filters-provider">
          <label className="visually-hidden" htmlFor={provider}>
            Provider
          </label>
          <select
            id={provider}
            className="input"
            value={filter.provider}
            onChange={(event) => onChange({ ...filter, provider: event.target.value }, false)}
          >
            <option value="">All providers</option>
            {[...ids].map((id) => (
              <option key={id} value={id}>
                {data?.providers.find((one) => one.id === id)?.displayName || id}
              </option>
            ))}
          </select>
        </div>
      )}
    </search>
  );
}

/** The search asks the server, so it waits until somebody pauses. */
function SearchField({ text, onChange }: { text: string; onChange: (text: string) => void }) {
  const [typed, setTyped] = useState(text);
  const [shown, setShown] = useState(text);
  if (text !== shown) {
    // The address changed by another way: the back button, or "clear".
    setShown(text);
    if (text !== typed.trim()) {
      setTyped(text);
    }
  }
  useEffect(() => {
    const wanted = typed.trim();
    if (wanted === text) {
      return undefined;
    }
    const timer = setTimeout(() => onChange(wanted), TYPING_MS);
    return () => clearTimeout(timer);
    // Only what is typed starts the clock: a list that changes meanwhile must not.
  }, [typed]);
  return (
    <input
      type="search"
      className="input filters-search"
      placeholder="Search by name"
      aria-label="Search jobs by name"
      aria-keyshortcuts="/"
      data-search=""
      maxLength={128}
      value={typed}
      onChange={(event) => setTyped(event.target.value)}
    />
  );
}
