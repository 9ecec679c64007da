import {
  type CheckConfigurationRequest,
  CheckConfigurationRequestSchema,
  Estimation,
  type JobConfiguration,
  type Report,
  toTunesmithError,
  type TunesmithError,
} from "@tunesmith/sdk";
import { create } from "@bufbuild/protobuf";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useTunesmith } from "../../ui/tunesmith.js";

/** Long enough that a hand on a slider does not ask at every stop. */
const QUIET_MS = 300;

/** What was answered, and to which question. */
interface Answer {
  to: CheckConfigurationRequest;
  report?: Report;
  error?: TunesmithError;
}

/** What the server knows about the job that the form would make. */
export interface Preflight {
  /** What was answered last; about another configuration while the form is ahead of it. */
  report?: Report;
  /** The configuration that the report is about. */
  of?: JobConfiguration;
  /** Whether the report is about what stands in the form. */
  current: boolean;
  /** Why nothing was answered to what stands in the form. */
  error?: TunesmithError;
  /** Whether the answer to what stands in the form is on its way, or soon will be. */
  asking: boolean;
  /** Whether what stands in the form is estimated by running the model's own code. */
  traced: boolean;
  trace(): void;
  retry(): void;
  /** The report about what stands in the form, asked for at once; undefined if nobody answers. */
  now(): Promise<Report | undefined>;
}

/** Asks for a report once the form rests. Answers to what no longer stands there are dropped. */
export function useReport(provider: string, configuration: JobConfiguration, recipe: string): Preflight {
  const { preflight } = useTunesmith();
  // A report that came before a failure is still the last one.
  const [reported, setReported] = useState<Answer>();
  const [failed, setFailed] = useState<Answer>();
  // A trace is for one configuration: it costs a pool a second, so no edit repeats it.
  const [tracedOf, setTracedOf] = useState<JobConfiguration>();
  const [turn, setTurn] = useState(0);
  const traced = tracedOf === configuration;
  const question = useMemo(
    () =>
      create(CheckConfigurationRequestSchema, {
        provider,
        configuration,
        recipe,
        estimation: traced ? Estimation.TRACED : Estimation.CLOSED_FORM,
      }),
    [provider, configuration, recipe, traced, turn],
  );
  const latest = useRef(question);
  latest.current = question;
  const asked = useRef<{ to: CheckConfigurationRequest; answer: Promise<Answer>; stop: AbortController }>(undefined);
  const ask = useCallback(
    (to: CheckConfigurationRequest): Promise<Answer> => {
      if (asked.current?.to === to) {
        return asked.current.answer;
      }
      asked.current?.stop.abort();
      const stop = new AbortController();
      const answered = preflight.checkConfiguration(to, { signal: stop.signal }).then(
        ({ report }): Answer => ({ to, report }),
        (error: unknown): Answer => ({ to, error: toTunesmithError(error) }),
      );
      asked.current = { to, answer: answered, stop };
      void answered.then((found) => {
        if (found.to === latest.current && !stop.signal.aborted) {
          (found.error ? setFailed : setReported)(found);
        }
      });
      return answered;
    },
    [preflight],
  );
  useEffect(() => {
    if (!provider) {
      return undefined;
    }
    const timer = setTimeout(() => void ask(question), traced ? 0 : QUIET_MS);
    return () => clearTimeout(timer);
  }, [ask, provider, question, traced]);
  useEffect(() => () => asked.current?.stop.abort(), []);
  const current = reported?.to === question;
  const error = failed?.to === question ? failed.error : undefined;
  return {
    report: reported?.report,
    of: reported?.to.configuration,
    current,
    error,
    asking: !current && !error && provider !== "",
    traced,
    trace: () => setTracedOf(configuration),
    retry: () => setTurn((now) => now + 1),
    now: async () => (await ask(latest.current)).report,
  };
}
