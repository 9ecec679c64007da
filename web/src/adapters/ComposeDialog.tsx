import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { Adapter } from "@tunesmith/sdk";
import { type FormEvent, useId, useState } from "react";
import { Button } from "../ui/Button.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { Field } from "../ui/Field.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { useDialog } from "../ui/useDialog.js";

/** Weights as AdapterWeight takes them. */
const LARGEST_WEIGHT = 10;

/** Makes one adapter of several of the same base model, each with its weight. */
export function ComposeDialog({
  adapters,
  onClose,
  onComposed,
}: {
  adapters: readonly Adapter[];
  onClose: () => void;
  onComposed: (adapter: Adapter) => void;
}) {
  const tunesmith = useTunesmith();
  const client = useQueryClient();
  const dialog = useDialog();
  const title = useId();
  const [displayName, setDisplayName] = useState("");
  const [weights, setWeights] = useState<ReadonlyMap<string, string>>(new Map(adapters.map(({ id }) => [id, "1"])));
  const composing = useMutation({
    mutationFn: async () => {
      const components = adapters.map(({ id }) => ({ adapterId: id, weight: Number(weights.get(id)) }));
      return (await tunesmith.adapters.composeAdapters({ components, displayName: displayName.trim() })).adapter;
    },
    onSuccess: (adapter) => {
      void client.invalidateQueries({ queryKey: ["adapters"] });
      if (adapter) {
        onComposed(adapter);
      }
    },
  });
  const faults = new Map(adapters.map(({ id }) => [id, faultOf(weights.get(id) ?? "")]));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (![...faults.values()].some(Boolean) && !composing.isPending) {
      composing.mutate();
    }
  };
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={title} onClose={onClose}>
      <form className="stack" onSubmit={submit} noValidate>
        <h2 id={title}>Compose {adapters.length} adapters</h2>
        <p className="soft">A new adapter whose change of the weights is the sum of theirs, each times its weight. They stay as they are.</p>
        {adapters.map(({ id, displayName: name }) => {
          const fault = faults.get(id);
          return (
            <Field key={id} label={`Weight of ${name}`} errors={fault ? [fault] : []}>
              {(tied) => (
                <input
                  {...tied}
                  className="input weight"
                  inputMode="decimal"
                  autoComplete="off"
                  value={weights.get(id)}
                  onChange={(event) => setWeights(new Map([...weights, [id, event.target.value]]))}
                />
              )}
            </Field>
          );
        })}
        <Field label="Display name" help="Empty means their names with + between them.">
          {(tied) => (
            <input
              {...tied}
              className="input"
              value={displayName}
              autoComplete="off"
              maxLength={128}
              onChange={(event) => setDisplayName(event.target.value)}
            />
          )}
        </Field>
        {composing.error && <ErrorNotice error={composing.error} />}
        <div className="row">
          <Button type="submit" look="primary" aria-disabled={composing.isPending}>
            {composing.isPending ? "Composing…" : "Compose"}
          </Button>
          <Button onClick={() => dialog.current?.close()}>Cancel</Button>
        </div>
      </form>
    </dialog>
  );
}

function faultOf(text: string): string {
  const value = Number(text.trim() || Number.NaN);
  if (!Number.isFinite(value)) {
    return `“${text.trim()}” is not a number; write one such as 0.5`;
  }
  return Math.abs(value) > LARGEST_WEIGHT ? `A weight is between −${LARGEST_WEIGHT} and ${LARGEST_WEIGHT}` : "";
}
