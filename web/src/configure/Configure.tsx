import type { JsonValue } from "@bufbuild/protobuf";
import type { Job } from "@tunesmith/sdk";
import { lazy, Suspense } from "react";
import type { Finding } from "../form/judge.js";

/** What a configure component starts with and tells. */
export interface ConfigureProps {
  /** The provider that is chosen first; the first one there is unless it is named. */
  provider?: string;
  /** A JobConfiguration as JSON, as the server has it. When it changes, the form shows the new one. */
  initial?: JsonValue;
  /** The id of the training dataset to start with. */
  dataset?: string;
  /** The base model to start with. */
  baseModel?: string;
  displayName?: string;
  /** Whether it creates the job itself; true unless it is told not to. */
  submit?: boolean;
  onChange?(change: ConfigureChange): void;
  onCreated?(job: Job): void;
}

/** What stands in the form now. */
export interface ConfigureChange {
  /** As JSON with the protos' names: what the server takes. */
  configuration: { [key: string]: JsonValue };
  provider: string;
  displayName: string;
  valid: boolean;
  findings: readonly Finding[];
}

// The rules are compiled by a CEL interpreter, which is heavier than all the rest of a page.
const ConfigureForm = lazy(() => import("./ConfigureForm.js"));

/** A configuration, filled in against the server's own rules, and the job made of it. */
export function Configure(props: ConfigureProps) {
  return (
    <div className="configure-frame">
      <Suspense fallback={<Waiting />}>
        <ConfigureForm {...props} />
      </Suspense>
    </div>
  );
}

/** The shape of the form while its rules are loaded. */
function Waiting() {
  return (
    <div className="configure" aria-busy="true">
      <p role="status" className="visually-hidden">
        Loading the form…
      </p>
      <div className="configure-main">
        {[5, 3, 4].map((lines, index) => (
          <div key={index} className="panel waiting" aria-hidden="true">
            {Array.from({ length: lines }, (_, line) => (
              <span key={line} className="waiting-line" />
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}
