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
  create(acceptWarnings: boolean): Promise<Created>;
}

/** What became of an attempt: the job, or the warnings that have to be accepted first, or neither if it was refused. */
export interface Created {
  job?: Job;
  warnings: readonly Finding[];
}

const NOTHING: Created = { warnings: [] };

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
  return {
    sending: busy,
    job,
    findings,
    error: still && findings.length < Math.max(1, still.violations.length) ? still : undefined,
    create: async (acceptWarnings) => {
      if (sending.current) {
        return NOTHING;
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
        return { job: answer.job, warnings: [] };
      } catch (thrown) {
        const error = toTunesmithError(thrown);
        if (error.reason === WARNINGS_NOT_ACCEPTED && !acceptWarnings) {
          return { warnings: warningsOf(error) };
        }
        setRefusal({ of: configuration, provider, error });
        return NOTHING;
      } finally {
        sending.current = false;
        setBusy(false);
      }
    },
  };
}

function findingsOf(error: TunesmithError | undefined): Finding[] {
  return (error?.violations ?? [])
    .filter(({ fieldPath }) => fieldPath.startsWith(SPEC))
    .map(({ fieldPath, message }) => ({ severity: "error", fieldPath: fieldPath.slice(SPEC.length), message }));
}

function warningsOf(error: TunesmithError): Finding[] {
  const one = { fieldPath: error.metadata.field_path ?? "", message: error.message };
  return (error.violations.length > 0 ? error.violations : [one]).map(({ fieldPath, message }) => ({
    severity: "warning",
    fieldPath: fieldPath.startsWith(SPEC) ? fieldPath.slice(SPEC.length) : "",
    message,
  }));
}
