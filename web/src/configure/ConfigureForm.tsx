import type { JsonValue } from "@bufbuild/protobuf";
import { type FieldLowering, type JobConfiguration, JobConfigurationSchema, LoweringAction } from "@tunesmith/sdk";
import { useEffect, useId, useMemo, useRef, useState } from "react";
import { describe } from "../form/describe.js";
import { placeOf } from "../form/judge.js";
import { readData, toData } from "../form/json.js";
import { limit } from "../form/limits.js";
import { changedFields } from "../form/state.js";
import { FormProvider } from "../form/ui/context.js";
import { Form, type FormHandle } from "../form/ui/Form.js";
import { SectionNav } from "../form/ui/SectionNav.js";
import { useForm } from "../form/ui/useForm.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { Notice } from "../ui/Notice.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { Actions } from "./Actions.js";
import type { ConfigureProps } from "./Configure.js";
import { JobHead } from "./JobHead.js";
import { JsonView } from "./JsonView.js";
import { Lowering } from "./Lowering.js";
import { startWith } from "./start.js";
import { useCreation } from "./useCreation.js";
import { useFindings } from "./useFindings.js";
import { useProviders } from "./useProviders.js";
import { type Translation, useTranslation } from "./useTranslation.js";

const PARTS = describe(JobConfigurationSchema);

/** The form, its findings, and the button. Loaded apart, since the rules come with it. */
export default function ConfigureForm({ submit = true, onChange, onCreated, ...given }: ConfigureProps) {
  const { baseUrl } = useTunesmith();
  const prefix = `${useId()}-`;
  const [start] = useState(() => startWith(given));
  const [faults, setFaults] = useState(start.faults);
  const [state, edit] = useForm(JobConfigurationSchema, () => start.configuration);
  const { configuration } = state;
  const providers = useProviders();
  const [chosen, setChosen] = useState(given.provider);
  const [displayName, setDisplayName] = useState(given.displayName ?? "");
  const [strict, setStrict] = useState(false);
  const [attempted, setAttempted] = useState(false);
  const form = useRef<FormHandle>(null);

  const providerId = chosen ?? providers.providers?.[0]?.id ?? "";
  const provider = providers.providers?.find(({ id }) => id === providerId);
  const providerName = shortName(provider?.displayName) || providerId || "the provider";
  const parts = useMemo(() => limit(PARTS, provider), [provider]);
  const creation = useCreation({ provider: providerId, displayName, configuration, strict });
  const [keepsRules, setKeepsRules] = useState(false);
  const translation = useTranslation(providerId, configuration, keepsRules);
  const lowering = useMemo(() => loweringNow(translation, providerId, configuration), [translation, providerId, configuration]);
  const findings = useFindings({ parts, state, providerName, strict, lowering, server: creation.findings });
  useEffect(() => setKeepsRules(findings.keepsRules), [findings.keepsRules]);

  const data = useMemo(() => toData(JobConfigurationSchema, configuration), [configuration]);
  useEffect(() => {
    onChange?.({ configuration: data, provider: providerId, displayName, valid: findings.valid, findings: findings.all });
    // Told when something is different, not when the page renders with another function.
  }, [data, providerId, displayName, findings]);
  useFollowing(given.initial, data, (next) => {
    const read = readData(JobConfigurationSchema, next);
    setFaults(read.faults ?? []);
    if (read.configuration) {
      edit({ kind: "replace", configuration: read.configuration });
    }
  });

  const create = async (acceptWarnings: boolean) => {
    setAttempted(true);
    if (!findings.valid || !providerId) {
      const first = findings.all.find(({ severity }) => severity === "error");
      const place = first && [...findings.placed].find(([, found]) => found.includes(first))?.[0];
      if (place) {
        form.current?.focus(place);
      }
      return;
    }
    const job = await creation.create(acceptWarnings);
    if (job) {
      onCreated?.(job);
    }
  };

  return (
    <FormProvider
      value={{
        schema: JobConfigurationSchema,
        parts,
        state,
        findings: findings.placed,
        edit: edit as never,
        providerName,
        datasetFormats: provider?.capabilities?.datasetFormats ?? [],
        attempted,
        parametersUrl: `${baseUrl}/parameters`,
        prefix,
      }}
    >
      <div className="configure">
        <div className="configure-side">
          <SectionNav onGo={(section) => form.current?.goTo(section)} />
        </div>
        <div className="configure-main">
          {faults.length > 0 && (
            <Notice tone="bad">
              <p>The configuration that this form was given could not be read, so it starts empty.</p>
              <ul>
                {faults.map((fault) => (
                  <li key={fault}>{fault}</li>
                ))}
              </ul>
            </Notice>
          )}
          {providers.error && <ErrorNotice error={providers.error} onRetry={providers.retry} />}
          <JobHead
            providers={providers.providers}
            provider={providerId}
            onProvider={setChosen}
            displayName={displayName}
            onDisplayName={setDisplayName}
            named={submit}
          />
          <Form ref={form} />
          <Lowering
            lowering={lowering}
            asked={findings.keepsRules}
            error={translation?.error}
            providerName={providerName}
            parts={parts}
          />
          <JsonView configuration={configuration} onReplace={(next) => edit({ kind: "replace", configuration: next })} />
        </div>
        <div className="configure-end">
          <Actions
            findings={findings}
            parts={parts}
            attempted={attempted}
            changed={changedFields(JobConfigurationSchema, configuration).length}
            isMissing={(path) => isMissing(path, state.configuration, state.faults)}
            onGo={(path) => form.current?.focus(path)}
            submit={submit}
            strict={strict}
            onStrict={setStrict}
            creation={creation}
            onCreate={create}
            providerName={providerName}
          />
        </div>
      </div>
    </FormProvider>
  );
}

/** `Local (transformers, …)` in sentences: the part before what explains it. */
function shortName(name: string | undefined): string {
  return (name ?? "").replace(/\s*\(.*$/, "");
}

/** What the provider made of the form. While it is asked anew, drops of fields that are still set stay in sight. */
function loweringNow(
  translation: Translation | undefined,
  provider: string,
  configuration: JobConfiguration,
): readonly FieldLowering[] {
  if (!translation || translation.provider !== provider) {
    return [];
  }
  if (translation.of === configuration) {
    return translation.lowering;
  }
  const set = new Set(changedFields(JobConfigurationSchema, configuration));
  return translation.lowering.filter(
    ({ action, fieldPath }) => action !== LoweringAction.REFUSED && set.has(placeOf(fieldPath, set)),
  );
}

const REQUIRED = new Map(
  PARTS.flatMap(function required(part): [string, boolean][] {
    return part.kind === "field" ? [[part.path, part.required]] : part.parts.flatMap(required);
  }),
);

/** Whether an error is only that a field nobody filled in yet is needed. */
function isMissing(path: string, configuration: JobConfiguration, faults: ReadonlyMap<string, unknown>): boolean {
  return REQUIRED.get(path) === true && !faults.has(path) && !changedFields(JobConfigurationSchema, configuration).includes(path);
}

/** Calls `take` when a page hands in another configuration than the one that stands in the form. */
function useFollowing(given: JsonValue | undefined, shown: JsonValue, take: (next: JsonValue) => void): void {
  const last = useRef(JSON.stringify(given));
  useEffect(() => {
    const next = JSON.stringify(given);
    if (given !== undefined && next !== last.current && next !== JSON.stringify(shown)) {
      take(given);
    }
    last.current = next;
  }, [given]);
}
