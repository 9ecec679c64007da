import { useMutation } from "@tanstack/react-query";
import { ExportFormat, ExportFormatSchema, GgufType, GgufTypeSchema } from "@tunesmith/sdk";
import { type FormEvent, useId, useState } from "react";
import { useLocation } from "wouter";
import { type ArtifactSet, kindWord } from "../../monitor/artifactSets.js";
import { Button } from "../../ui/Button.js";
import { EnumSelect } from "../../ui/EnumSelect.js";
import { ErrorNotice } from "../../ui/ErrorNotice.js";
import { Field } from "../../ui/Field.js";
import { useTunesmith } from "../../ui/tunesmith.js";
import { useDialog } from "../../ui/useDialog.js";

const PROVIDER = "local";

const FORMAT_HELP: Partial<Record<ExportFormat, string>> = {
  [ExportFormat.ADAPTER]: "The adapter as it was trained. Name a repository below to push it.",
  [ExportFormat.MERGED]: "Base model and adapter in one: loads with transformers and vLLM.",
  [ExportFormat.GGUF]: "One file for llama.cpp and Ollama.",
  [ExportFormat.ONNX]: "A graph for ONNX runtimes.",
};

/** Opens the dialog that makes something else of a set of weights. */
export function ExportButton({ set }: { set: ArtifactSet }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button onClick={() => setOpen(true)}>Export…</Button>
      {open && <ExportDialog set={set} onClose={() => setOpen(false)} />}
    </>
  );
}

/** An export is a job of its own: it is created here and watched on its page. */
function ExportDialog({ set, onClose }: { set: ArtifactSet; onClose: () => void }) {
  const { jobs } = useTunesmith();
  const [, navigate] = useLocation();
  const dialog = useDialog();
  const title = useId();
  const [format, setFormat] = useState<ExportFormat>(ExportFormat.GGUF);
  const [ggufType, setGgufType] = useState<GgufType>(GgufType.F16);
  const [repository, setRepository] = useState("");
  const creating = useMutation({
    mutationFn: async () => {
      const huggingface = repository.trim() ? { outputRepoName: repository.trim() } : undefined;
      const value = {
        artifactId: set.files[0]!.id,
        format,
        ggufType: format === ExportFormat.GGUF ? ggufType : undefined,
        huggingface,
      };
      return (await jobs.createJob({ provider: PROVIDER, spec: { case: "export", value } })).job;
    },
    onSuccess: (job) => job && navigate(`/jobs/${job.id}`),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!creating.isPending) {
      creating.mutate();
    }
  };
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={title} onClose={onClose}>
      <form className="stack" onSubmit={submit} noValidate>
        <h2 id={title}>
          Export the {kindWord(set.kind)}
          {set.name !== kindWord(set.kind) && ` ${set.name}`}
        </h2>
        <Field label="Format" help={FORMAT_HELP[format]}>
          {(tied) => <EnumSelect {...tied} schema={ExportFormatSchema} value={format} onChange={setFormat} />}
        </Field>
        {format === ExportFormat.GGUF && (
          <Field label="Weights" help="F16 keeps what was trained; Q8_0 takes half of it, with little loss.">
            {(tied) => <EnumSelect {...tied} schema={GgufTypeSchema} value={ggufType} onChange={setGgufType} />}
          </Field>
        )}
        <Field label="Hub repository" help="As user/model. It is pushed there with the worker's HF_TOKEN. Empty: it stays here.">
          {(tied) => (
            <input
              {...tied}
              className="input"
              value={repository}
              autoComplete="off"
              maxLength={128}
              onChange={(event) => setRepository(event.target.value)}
            />
          )}
        </Field>
        {creating.error && <ErrorNotice error={creating.error} />}
        <div className="row">
          <Button type="submit" look="primary" aria-disabled={creating.isPending}>
            {creating.isPending ? "Creating the job…" : "Export"}
          </Button>
          <Button onClick={() => dialog.current?.close()}>Cancel</Button>
        </div>
      </form>
    </dialog>
  );
}
