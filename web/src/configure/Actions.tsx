import type { Fix } from "@tunesmith/sdk";
import { useId, useRef } from "react";
import type { Part } from "../form/describe.js";
import { Button } from "../ui/Button.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { Notice } from "../ui/Notice.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { FindingLinks, type Placed } from "./FindingLinks.js";
import type { Preflight } from "./preflight/useReport.js";
import type { Creation } from "./useCreation.js";
import type { Findings } from "./useFindings.js";

interface ActionsProps {
  findings: Findings;
  preflight: Preflight;
  parts: readonly Part[];
  attempted: boolean;
  /** How many fields are set. */
  changed: number;
  isMissing(path: string): boolean;
  onGo(path: string): void;
  onFix(fixes: readonly Fix[]): void;
  submit: boolean;
  strict: boolean;
  onStrict(strict: boolean): void;
  creation: Creation;
  /** Whether the button was pressed and the last report is waited for. */
  waiting: boolean;
  onCreate(): void;
  providerName: string;
}

/** How the form stands, what is to be put right, and the button. */
export function Actions(props: ActionsProps) {
  const { findings, preflight, parts, isMissing, submit, strict, onStrict, creation, onCreate, providerName, changed } = props;
  const { attempted, onGo, onFix, waiting } = props;
  const { baseUrl } = useTunesmith();
  const id = useId();
  const head = useRef<HTMLHeadingElement>(null);
  // The button goes away with what it puts right; whoever pressed it by key stays in the panel.
  const fixed = (fixes: readonly Fix[]) => {
    head.current?.focus({ preventScroll: true });
    onFix(fixes);
  };
  const placed: Placed[] = [...findings.placed].flatMap(([place, found]) => found.map((finding) => ({ place, finding })));
  const of = (severity: string) => placed.filter(({ finding }) => finding.severity === severity);
  const errors = of("error");
  const missing = errors.filter(({ place }) => isMissing(place));
  const wrong = errors.filter(({ place }) => !isMissing(place));
  const [warnings, notes] = [of("warning"), of("note")];
  const fixes = [...wrong, ...warnings].flatMap(({ finding }) => finding.fix ?? []);
  const links = { parts, onGo, onFix: (fix: Fix) => fixed([fix]) };
  return (
    <section className="panel actions" aria-label="Preflight">
      <div className="actions-head">
        <h2 ref={head} tabIndex={-1}>
          {wrong.length > 0 ? counted(wrong.length, "problem") : missing.length > 0 ? "Still needed" : "Ready"}
        </h2>
        <span className="soft actions-asking">{preflight.asking ? (preflight.traced ? "Tracing…" : "Checking…") : ""}</span>
      </div>
      <div role="status" className="actions-said">
        {errors.length === 0 && (
          <p className="soft">{changed === 1 ? "1 field is set" : `${changed} fields are set`}; the rest gets its default.</p>
        )}
        {wrong.length > 0 && <FindingLinks {...links} items={wrong} />}
        {missing.length > 0 && (
          <>
            {wrong.length > 0 && <h3>Still needed</h3>}
            <FindingLinks {...links} items={missing} nameOnly quiet={!attempted} />
          </>
        )}
        {warnings.length > 0 && (
          <>
            <h3 className="warnings-head">{counted(warnings.length, "warning")}</h3>
            <FindingLinks {...links} items={warnings} />
          </>
        )}
        {fixes.length > 1 && (
          <div>
            <Button onClick={() => fixed(fixes)}>Fix all {fixes.length}</Button>
          </div>
        )}
        {notes.length > 0 && (
          <details className="notes">
            <summary>{counted(notes.length, "note")}</summary>
            <FindingLinks {...links} items={notes} />
          </details>
        )}
      </div>
      {preflight.error && <ErrorNotice error={preflight.error} onRetry={preflight.retry} />}
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
          {creation.job && (
            <Notice tone="quiet" action={<a href={`${baseUrl}/jobs/${creation.job.id}`}>Open {creation.job.displayName}</a>}>
              The job is queued.
            </Notice>
          )}
          <Button
            look="primary"
            className="actions-create"
            // Pressed all the same, it leads to the first error.
            aria-disabled={creation.sending || waiting || errors.length > 0}
            onClick={onCreate}
          >
            {creation.sending ? "Creating…" : waiting ? "Checking…" : creation.job ? "Create another job" : "Create job"}
          </Button>
        </>
      )}
    </section>
  );
}

function counted(number: number, noun: string): string {
  return number === 1 ? `1 ${noun}` : `${number} ${noun}s`;
}
