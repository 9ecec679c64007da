import type { Provider } from "@tunesmith/sdk";
import { useId } from "react";

interface JobHeadProps {
  providers: readonly Provider[] | undefined;
  provider: string;
  onProvider(id: string): void;
  displayName: string;
  onDisplayName(name: string): void;
  /** Whether the job gets a name here. */
  named: boolean;
}

/** Where the job runs and what it is called: what is not part of the configuration. */
export function JobHead({ providers, provider, onProvider, displayName, onDisplayName, named }: JobHeadProps) {
  const id = useId();
  const known = providers?.some((one) => one.id === provider);
  return (
    <div className="panel job-head">
      <div className="fields">
        <div className="field">
          <label className="field-label" htmlFor={`${id}-provider`}>
            Provider
          </label>
          <select
            id={`${id}-provider`}
            className="input"
            value={provider}
            aria-describedby={`${id}-provider-help`}
            onChange={(event) => onProvider(event.currentTarget.value)}
          >
            {!known && <option value={provider}>{provider || "Loading…"}</option>}
            {providers?.map((one) => (
              <option key={one.id} value={one.id}>
                {one.displayName}
              </option>
            ))}
          </select>
          <p className="field-help" id={`${id}-provider-help`}>
            {providers && provider && !known
              ? `There is no provider “${provider}” here; choose one of the list.`
              : "Where the job runs. What it can’t act on is marked below."}
          </p>
        </div>
        {named && (
          <div className="field">
            <label className="field-label" htmlFor={`${id}-name`}>
              Display name
            </label>
            <input
              id={`${id}-name`}
              className="input"
              type="text"
              autoComplete="off"
              maxLength={128}
              placeholder="model on dataset"
              value={displayName}
              aria-describedby={`${id}-name-help`}
              onChange={(event) => onDisplayName(event.currentTarget.value)}
            />
            <p className="field-help" id={`${id}-name-help`}>
              What people call it. Empty: the model’s and the dataset’s name.
            </p>
          </div>
        )}
      </div>
    </div>
  );
}
