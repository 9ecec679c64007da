import "../form/form.css";
import "../configure/configure.css";
import { create, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { applyFixes, FindingSchema, JobConfigurationSchema } from "@tunesmith/sdk";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useLocation, useSearch } from "wouter";
import { Configure, type ConfigureChange } from "../configure/Configure.js";
import { Button } from "../ui/Button.js";
import { createJobCommands } from "../ui/commands.js";
import { CopyAs } from "../ui/CopyAs.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { type Draft, forgetDraft, keepDraft, keptDraft } from "./draft.js";

/** A new job: from nothing, from a dataset or a base model that the address names, or from another job's configuration. */
export default function NewJobPage() {
  const search = useSearch();
  const [turn, setTurn] = useState(0);
  return <NewJob key={`${turn} ${search}`} query={new URLSearchParams(search)} name={search} onAnew={() => setTurn(turn + 1)} />;
}

function NewJob({ query, name, onAnew }: { query: URLSearchParams; name: string; onAnew: () => void }) {
  const { baseUrl, jobs } = useTunesmith();
  const [, navigate] = useLocation();
  const [draft] = useState(() => keptDraft(name));
  const [change, setChange] = useState<ConfigureChange>();
  // What the form began with; what is no different needs no keeping.
  const first = useRef<string>(undefined);
  // Once the form is sent or given up, nothing of it is kept any more.
  const over = useRef(false);
  const from = query.get("from") ?? "";
  const fixed = query.has("fixed");
  const source = useQuery({
    queryKey: ["job", from, "configuration", fixed],
    queryFn: async ({ signal }) => {
      const { job } = await jobs.getJob({ id: from }, { signal });
      const submitted = job?.spec.case === "configuration" ? job.spec.value : undefined;
      // What would have made it succeed, if the job knows and the address asks for it.
      const configuration = fixed && submitted && job?.errorFix ? applyFixes(submitted, [create(FindingSchema, { fix: job.errorFix })]) : submitted;
      return {
        provider: job?.provider,
        displayName: job?.displayName,
        configuration: configuration && toJson(JobConfigurationSchema, configuration, { useProtoFieldName: true }),
      };
    },
    // What was changed since counts more than the job it came from.
    enabled: from !== "" && !draft,
  });
  useEffect(() => {
    if (!change || over.current) {
      return;
    }
    const { configuration, provider, displayName } = change;
    const now = JSON.stringify([configuration, displayName]);
    first.current ??= now;
    if (draft || now !== first.current) {
      keepDraft(name, { configuration, provider, displayName });
    }
  }, [change, name, draft]);
  const startAnew = () => {
    over.current = true;
    forgetDraft();
    onAnew();
  };
  const waits = source.isFetching && !source.data;
  const start: Partial<Draft> = draft ?? { ...source.data };
  return (
    <>
      <div className="page-head">
        <div>
          <h1>New job</h1>
          {from && source.data && !draft && <p className="soft">With the configuration of {source.data.displayName}.</p>}
          {draft && <p className="soft">With what you had set before.</p>}
        </div>
        <div className="row">
          {draft && <Button onClick={startAnew}>Start anew</Button>}
          {change && <CopyAs commands={() => commandsOf(baseUrl, change)} label="Copy as" />}
        </div>
      </div>
      {source.error && <ErrorNotice error={source.error} onRetry={() => void source.refetch()} />}
      {!waits && (
        <Configure
          provider={start.provider ?? query.get("provider") ?? undefined}
          initial={start.configuration}
          displayName={start.displayName}
          dataset={draft ? undefined : (query.get("dataset") ?? undefined)}
          baseModel={draft ? undefined : (query.get("base_model") ?? undefined)}
          onChange={setChange}
          onCreated={(job) => {
            over.current = true;
            forgetDraft();
            navigate(`/jobs/${job.id}`);
          }}
        />
      )}
    </>
  );
}

function commandsOf(baseUrl: string, { configuration, provider, displayName }: ConfigureChange) {
  const value = fromJson(JobConfigurationSchema, configuration as JsonValue);
  return createJobCommands(baseUrl, { provider, displayName, spec: { case: "configuration", value } });
}
