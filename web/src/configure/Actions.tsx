import { useId } from "react";
import { fieldsOf, groupsOf, type Part } from "../form/describe.js";
import type { Finding } from "../form/judge.js";
import { Button } from "../ui/Button.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { Notice } from "../ui/Notice.js";
import { useTunesmith } from "../ui/tunesmith.js";
import type { Creation } from "./useCreation.js";
import type { Findings } from "./useFindings.js";

interface ActionsProps {
  findings: Findings;
  parts: readonly Part[];
  attempted: boolean;
  /** How many fields are set. */
  changed: number;
  isMissing(path: string): boolean;
  onGo(path: string): void;
  submit: boolean;
  strict: boolean;
  onStrict(strict: boolean): void;
  creation: Creation;
  onCreate(acceptWarnings: boolean): void;
  providerName: string;
}

/** How the form stands, what is to be put right, and the button. */
export function Actions(props: ActionsProps) {
  const { findings, isMissing, submit, strict, onStrict, creation, onCreate, providerName, changed, attempted } = props;
  const { baseUrl } = useTunesmith();
  const id = useId();
  const placed = [...findings.placed].flatMap(([place, found]) => found.map((finding) => ({ place, finding })));
  const errors = placed.filter(({ finding }) => finding.severity === "error");
  const missing = errors.filter(({ place }) => isMissing(place));
  const wrong = errors.filter(({ place }) => !isMissing(place));
  const warnings = placed.filter(({ finding }) => finding.severity === "warning");
  return (
    <div className="panel actions">
      <h2>{errors.length === 0 ? "Ready" : wrong.length > 0 ? "To put right" : "Still needed"}</h2>
      <div role="status" className="actions-said">
        {errors.length === 0 && (
          <p className="soft">{changed === 1 ? "1 field is set" : `${changed} fields are set`}; the rest gets its default.</p>
        )}
        {wrong.length > 0 && <Links {...props} items={wrong} />}
        {missing.length > 0 && (
          <>
            {wrong.length > 0 && <h3>Still needed</h3>}
            <Links {...props} items={missing} quiet={!attempted} />
          </>
        )}
        {warnings.length > 0 && (
          <details className="warnings">
            <summary>{warnings.length === 1 ? "1 warning" : `${warnings.length} warnings`}</summary>
            <Links {...props} items={warnings} />
          </details>
        )}
      </div>
      {submit && (
        <>
          <div className="switch">
            <input
              id={`${id}-strict`}
              type="checkbox"
              checked={strict}
              aria-describedby={`${id}-strict-help`}
              onChange={(event) => onStrict(event.currentTarget.checked)}
            />
            <label htmlFor={`${id}-strict`}>Strict</label>
            <p className="field-help" id={`${id}-strict-help`}>
              Refuse the job if {providerName} would leave out a field that is set.
            </p>
          </div>
          {creation.error && <ErrorNotice error={creation.error} />}
          {creation.warning && (
            <Notice tone="warn" action={<Button onClick={() => onCreate(true)}>Create all the same</Button>}>
              {creation.warning}
            </Notice>
          )}
          {creation.job && (
            <Notice tone="quiet" action={<a href={`${baseUrl}/jobs/${creation.job.id}`}>Open {creation.job.displayName}</a>}>
              The job is queued.
            </Notice>
          )}
          <Button look="primary" className="actions-create" aria-disabled={creation.sending} onClick={() => onCreate(false)}>
            {creation.sending ? "Creating…" : creation.job ? "Create another job" : "Create job"}
          </Button>
        </>
      )}
    </div>
  );
}

interface Placed {
  place: string;
  finding: Finding;
}

/** Findings as the way to their fields. */
function Links({ items, parts, onGo, isMissing, quiet = false }: ActionsProps & { items: readonly Placed[]; quiet?: boolean }) {
  const labels = new Map([...fieldsOf(parts), ...groupsOf(parts)].map((part) => [part.path, part.label]));
  return (
    <ul className={quiet ? "finding-links" : "finding-links finding-links-loud"}>
      {items.map(({ place, finding }) => (
        <li key={`${finding.fieldPath} ${finding.message}`} data-severity={finding.severity}>
          {place ? (
            <button type="button" className="link" onClick={() => onGo(place)}>
              {labels.get(place)}
            </button>
          ) : null}
          {!isMissing(place) && <span className="finding-text">{place ? `: ${finding.message}` : finding.message}</span>}
        </li>
      ))}
    </ul>
  );
}
