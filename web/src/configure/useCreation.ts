import { equals } from "@bufbuild/protobuf";
import { type Job, type JobConfiguration, JobConfigurationSchema, toTunesmithError, type TunesmithError } from "@tunesmith/sdk";
import { useMemo, useRef, useState } from "react";
import type { Finding } from "../form/judge.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { Attempts } from "./attempt.js";

/** The server names fields of the request; those of the form stand below this one. */
const SPEC = "configuration.";
const WARNINGS_NOT_ACCEPTED = "WARNINGS_NOT_ACCEPTED";

/** What is sent. */
export interface JobRequest {
  provider: string;
  displayName: string;
  configuration: JobConfiguration;
  strict: boolean;
}

/** How creating a job stands. */
export interface Creation {
  sending: boolean;
  job?: Job;
  /** What the server said against the configuration, while it is still the same. */
  findings: readonly Finding[];
  /** What it said that belongs to no field of the form. */
  error?: TunesmithError;
  /** A warning that has to be accepted first. */
  warning?: string;
  create(acceptWarnings?: boolean): Promise<Job | undefined>;
}

interface Refusal {
  of: JobConfiguration;
  provider: string;
  error: TunesmithError;
}

/** Creates the job of a form, once for each attempt however often it is asked to. */
export function useCreation(request: JobRequest): Creation {
  const { jobs } = useTunesmith();
  const attempts = useRef(new Attempts());
  const sending = useRef(false);
  const [busy, setBusy] = useState(false);
  const [job, setJob] = useState<Job>();
  const [refusal, setRefusal] = useState<Refusal>();
  const { configuration, provider } = request;
  const still =
    refusal && refusal.provider === provider && equals(JobConfigurationSchema, refusal.of, configuration)
      ? refusal.error
      : undefined;
  const findings = useMemo(() => findingsOf(still), [still]);
  const warns = still?.reason === WARNINGS_NOT_ACCEPTED;
  return {
    sending: busy,
    job,
    findings,
    warning: warns ? still.message : undefined,
    error: still && !warns && findings.length < Math.max(1, still.violations.length) ? still : undefined,
    create: async (acceptWarnings = false) => {
      if (sending.current) {
        return undefined;
      }
      sending.current = true;
      setBusy(true);
      setRefusal(undefined);
      try {
        const { strict, displayName } = request;
        const named = attempts.current.name({
          provider,
          displayName,
          strict,
          acceptWarnings,
          spec: { case: "configuration", value: configuration },
        });
        const answer = await jobs.createJob(named);
        attempts.current.done();
        setJob(answer.job);
        return answer.job;
      } catch (error) {
        setRefusal({ of: configuration, provider, error: toTunesmithError(error) });
        return undefined;
      } finally {
        sending.current = false;
        setBusy(false);
      }
    },
  };
}

function findingsOf(error: TunesmithError | undefined): Finding[] {
  const path = error?.metadata.field_path;
  if (error && error.reason === WARNINGS_NOT_ACCEPTED && path?.startsWith(SPEC)) {
    return [{ severity: "warning", fieldPath: path.slice(SPEC.length), message: error.message }];
  }
  return (error?.violations ?? [])
    .filter(({ fieldPath }) => fieldPath.startsWith(SPEC))
    .map(({ fieldPath, message }) => ({ severity: "error", fieldPath: fieldPath.slice(SPEC.length), message }));
}
