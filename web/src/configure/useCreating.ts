import type { Job } from "@tunesmith/sdk";
import { useState } from "react";
import type { Finding } from "../form/judge.js";
import { findingsOf } from "./preflight/reportFindings.js";
import type { Preflight } from "./preflight/useReport.js";
import type { Creation } from "./useCreation.js";

/** The way from the button to the job: the last report, the warnings that somebody has to accept, the job. */
export interface Creating {
  /** Whether the last report is waited for. */
  waiting: boolean;
  /** What has to be accepted before the job is created. */
  warnings: readonly Finding[] | undefined;
  begin(): void;
  accept(): void;
  putOff(): void;
}

/** Creates a job unless something speaks against it; `onRefused` is told when something does. */
export function useCreating(
  preflight: Preflight,
  creation: Creation,
  { onRefused, onCreated }: { onRefused(): void; onCreated?(job: Job): void },
): Creating {
  const [waiting, setWaiting] = useState(false);
  const [warnings, setWarnings] = useState<readonly Finding[]>();
  const send = async (accepted: boolean) => {
    const made = await creation.create(accepted);
    if (made.job) {
      onCreated?.(made.job);
    } else if (made.warnings.length > 0) {
      // Something has changed since the report: fewer rows, another pool.
      setWarnings(made.warnings);
    }
  };
  return {
    waiting,
    warnings,
    begin: async () => {
      if (waiting || creation.sending) {
        return;
      }
      setWaiting(true);
      const report = await preflight.now();
      setWaiting(false);
      const found = findingsOf(report);
      const toAccept = found.filter(({ severity }) => severity === "warning");
      if (found.some(({ severity }) => severity === "error")) {
        onRefused();
      } else if (toAccept.length > 0) {
        setWarnings(toAccept);
      } else {
        // Without a report the server still judges when the job is created.
        await send(false);
      }
    },
    accept: () => {
      setWarnings(undefined);
      void send(true);
    },
    putOff: () => setWarnings(undefined),
  };
}
