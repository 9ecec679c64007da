import { create as message, type JsonValue } from "@bufbuild/protobuf";
import { applyFixes, FindingSchema, type Fix, type JobConfiguration, JobConfigurationSchema } from "@tunesmith/sdk";
import { lazy, Suspense, useEffect, useId, useMemo, useRef, useState } from "react";
import { describe, fieldsOf, groupsOf } from "../form/describe.js";
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
import { useReport } from "./preflight/useReport.js";
import { picked, startWith } from "./start.js";
import { useCreating } from "./useCreating.js";
import { useCreation } from "./useCreation.js";
import { useFindings } from "./useFindings.js";
import { useProviders } from "./useProviders.js";
import { WarningsDialog } from "./WarningsDialog.js";

// What an empty form does not show is not loaded with it.
const Needs = lazy(() => import("./preflight/Needs.js"));
const Recipes = lazy(() => import("./recipes/Recipes.js"));

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
  const [recipe, setRecipe] = useState("");
  const preflight = useReport(providerId, configuration, recipe);
  const findings = useFindings({ parts, state, providerName, strict, preflight, server: creation.findings });
  const { report } = preflight;
  const baseModel = picked(configuration, "base model");

  const data = useMemo(() => toData(JobConfigurationSchema, configuration), [configuration]);
  const change = { configuration: data, provider: providerId, displayName, valid: findings.valid, findings: findings.all };
  useEffect(() => {
    onChange?.(change);
    // Told when something is different, not when the page renders with another function or the server says the same again.
  }, [JSON.stringify(change)]);
  useFollowing(given.initial, data, (next) => {
    const read = readData(JobConfigurationSchema, next);
    setFaults(read.faults ?? []);
    if (read.configuration) {
      edit({ kind: "replace", configuration: read.configuration });
    }
  });

  const goToFirstError = () => {
    const [place] = [...findings.placed].find(([path, found]) => path && found.some(({ severity }) => severity === "error")) ?? [];
    if (place) {
      form.current?.focus(place);
    }
  };
  // The report that refuses is drawn after it was told.
  const [refused, setRefused] = useState(false);
  useEffect(() => {
    if (refused) {
      setRefused(false);
      goToFirstError();
    }
  }, [refused, findings]);
  const creating = useCreating(preflight, creation, { onRefused: () => setRefused(true), onCreated });
  const create = () => {
    setAttempted(true);
    if (!findings.valid || !providerId) {
      goToFirstError();
    } else {
      creating.begin();
    }
  };
  const fix = (fixes: readonly Fix[]) =>
    edit({
      kind: "amend",
      configuration: applyFixes(
        configuration,
        fixes.map((one) => message(FindingSchema, { fix: one })),
      ),
    });

  return (
    <FormProvider
      value={{
        schema: JobConfigurationSchema,
        parts,
        state,
        findings: findings.placed,
        edit: edit as never,
        reconsider: preflight.retry,
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
          {baseModel && (
            <Suspense>
              <Recipes
                provider={providerId}
                configuration={configuration}
                baseModel={baseModel}
                dataset={picked(configuration, "dataset")}
                recipe={recipe}
                parts={parts}
                onUse={(next, id) => {
                  setRecipe(id);
                  edit({ kind: "amend", configuration: next });
                }}
              />
            </Suspense>
          )}
          <Form ref={form} />
          <Lowering lowering={report?.lowering ?? []} providerName={providerName} parts={parts} />
          <JsonView configuration={configuration} onReplace={(next) => edit({ kind: "replace", configuration: next })} />
        </div>
        <div className="configure-end">
          <Actions
            findings={findings}
            preflight={preflight}
            parts={parts}
            attempted={attempted}
            changed={changedFields(JobConfigurationSchema, configuration).length}
            isMissing={(path) => isMissing(path, state.configuration, state.faults)}
            onGo={(path) => form.current?.focus(path)}
            onFix={fix}
            submit={submit}
            strict={strict}
            onStrict={setStrict}
            creation={creation}
            waiting={creating.waiting}
            onCreate={create}
            providerName={providerName}
          />
          {report && (report.memory || report.throughput || report.placement) && (
            <Suspense>
              <Needs preflight={preflight} report={report} provider={providerId} configuration={configuration} />
            </Suspense>
          )}
        </div>
      </div>
      {creating.warnings && (
        <WarningsDialog
          warnings={creating.warnings.map((finding) => ({ finding, place: placeOf(finding.fieldPath, PLACES) }))}
          parts={parts}
          onAccept={creating.accept}
          onClose={creating.putOff}
        />
      )}
    </FormProvider>
  );
}

const PLACES = new Set([...fieldsOf(PARTS), ...groupsOf(PARTS)].map(({ path }) => path));

/** `Local (transformers, …)` in sentences: the part before what explains it. */
function shortName(name: string | undefined): string {
  return (name ?? "").replace(/\s*\(.*$/, "");
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
