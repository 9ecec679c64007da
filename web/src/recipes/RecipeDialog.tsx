import { useMutation, useQueryClient } from "@tanstack/react-query";
import { DatasetFormatSchema, ModalitySchema, type Recipe, RecipeTypeSchema, toTunesmithError } from "@tunesmith/sdk";
import { type FormEvent, useId, useState } from "react";
import { Button } from "../ui/Button.js";
import { EnumSelect } from "../ui/EnumSelect.js";
import { enumChoices } from "../ui/enumWord.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { Field } from "../ui/Field.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { useDialog } from "../ui/useDialog.js";
import { draftOf, readDraft, type RecipeDraft } from "./recipeDraft.js";

type TextKey = "displayName" | "description" | "defaults" | "requiredFields" | "optionalFields" | "supportedFamilies" | "minHiddenSize";

/** Where the server's complaints stand, by the beginning of their path. */
const PLACES = [
  "recipe.display_name",
  "recipe.description",
  "recipe.type",
  "recipe.modality",
  "recipe.defaults",
  "recipe.required_fields",
  "recipe.optional_fields",
  "recipe.supported_families",
  "recipe.dataset_formats",
  "recipe.min_hidden_size",
];

/** Adds a recipe, or changes one. */
export function RecipeDialog({ recipe, onClose }: { recipe: Recipe | undefined; onClose: () => void }) {
  const { recipes } = useTunesmith();
  const client = useQueryClient();
  const dialog = useDialog();
  const title = useId();
  const [draft, setDraft] = useState(() => draftOf(recipe));
  const [errors, setErrors] = useState<ReadonlyMap<string, string[]>>(new Map());
  const saving = useMutation({
    mutationFn: async () => {
      const read = readDraft(draft);
      setErrors(read.errors ?? new Map());
      if (!read.content) {
        return false;
      }
      try {
        await (recipe ? recipes.updateRecipe({ id: recipe.id, recipe: read.content }) : recipes.createRecipe({ recipe: read.content }));
        return true;
      } catch (thrown) {
        const placed = byPlace(toTunesmithError(thrown).violations);
        if (placed.size === 0) {
          throw thrown;
        }
        setErrors(placed);
        return false;
      }
    },
    onSuccess: (saved) => {
      if (saved) {
        void client.invalidateQueries({ queryKey: ["recipes"] });
        dialog.current?.close();
      } else {
        // After the errors are drawn.
        setTimeout(() => dialog.current?.querySelector<HTMLElement>("[aria-invalid]")?.focus());
      }
    },
  });
  const set = (change: Partial<RecipeDraft>) => setDraft({ ...draft, ...change });
  const text = (key: TextKey, path: string, label: string, help: string, rows = 0) => (
    <Field label={label} help={help} errors={errors.get(path)}>
      {(tied) =>
        rows > 0 ? (
          <textarea
            {...tied}
            className={`input lines ${key === "defaults" ? "code-text" : ""}`}
            rows={rows}
            spellCheck={key === "description"}
            value={draft[key]}
            onChange={(event) => set({ [key]: event.target.value })}
          />
        ) : (
          <input
            {...tied}
            className="input"
            value={draft[key]}
            autoComplete="off"
            inputMode={key === "minHiddenSize" ? "numeric" : undefined}
            onChange={(event) => set({ [key]: event.target.value })}
          />
        )
      }
    </Field>
  );
  const check = (key: "quantizedBaseAllowed" | "recommended" | "active", label: string) => (
    <label className="choice">
      <input type="checkbox" checked={draft[key]} onChange={(event) => set({ [key]: event.target.checked })} />
      {label}
    </label>
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!saving.isPending) {
      saving.mutate();
    }
  };
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={title} onClose={onClose}>
      <form className="stack" onSubmit={submit} noValidate>
        <h2 id={title}>{recipe ? `Change ${recipe.displayName}` : "Add a recipe"}</h2>
        {text("displayName", "recipe.display_name", "Display name", "Unique among recipes.")}
        {text("description", "recipe.description", "Description", "What it is good for, in a sentence or two.", 2)}
        <div className="pair">
          <Field label="Type" help="The way it trains." errors={errors.get("recipe.type")}>
            {(tied) => <EnumSelect {...tied} schema={RecipeTypeSchema} value={draft.type} onChange={(type) => set({ type })} />}
          </Field>
          <Field label="Reads" help="What its models read." errors={errors.get("recipe.modality")}>
            {(tied) => <EnumSelect {...tied} schema={ModalitySchema} value={draft.modality} onChange={(modality) => set({ modality })} />}
          </Field>
        </div>
        {text(
          "defaults",
          "recipe.defaults",
          "Defaults",
          "What it sets, as a job's configuration in JSON, without model and datasets. Everything else keeps its default.",
          8,
        )}
        <fieldset className="formats">
          <legend>Rows of its datasets may be</legend>
          {enumChoices(DatasetFormatSchema).map(({ value, word }) => (
            <label key={value} className="choice">
              <input
                type="checkbox"
                checked={draft.datasetFormats.includes(value)}
                onChange={(event) =>
                  set({
                    datasetFormats: event.target.checked
                      ? [...draft.datasetFormats, value]
                      : draft.datasetFormats.filter((one) => one !== value),
                  })
                }
              />
              {word}
            </label>
          ))}
          <div className="labelled-errors" aria-live="polite">
            {errors.get("recipe.dataset_formats")?.map((error) => (
              <p key={error}>{error}</p>
            ))}
          </div>
        </fieldset>
        <div className="pair">
          {text("requiredFields", "recipe.required_fields", "Fields that have to be set", "Paths, one a line.", 3)}
          {text("optionalFields", "recipe.optional_fields", "Fields worth a look", "Paths, one a line.", 3)}
        </div>
        <div className="pair">
          {text("supportedFamilies", "recipe.supported_families", "Families", "One a line; empty means all that read this.", 2)}
          {text("minHiddenSize", "recipe.min_hidden_size", "Least hidden size", "Empty means any.")}
        </div>
        <div className="row">
          {check("quantizedBaseAllowed", "The base model may be quantized")}
          {check("recommended", "Recommended")}
          {check("active", "Offered")}
        </div>
        {saving.error && <ErrorNotice error={saving.error} />}
        <div className="row">
          <Button type="submit" look="primary" aria-disabled={saving.isPending}>
            {saving.isPending ? "Saving…" : "Save"}
          </Button>
          <Button onClick={() => dialog.current?.close()}>Cancel</Button>
        </div>
      </form>
    </dialog>
  );
}

/** Complaints by the field they stand at; empty if one of them has none. */
function byPlace(violations: readonly { fieldPath: string; message: string }[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { fieldPath, message } of violations) {
    const place = PLACES.find((path) => fieldPath === path || fieldPath.startsWith(`${path}.`) || fieldPath.startsWith(`${path}[`));
    if (!place) {
      return new Map();
    }
    const rest = fieldPath.slice(place.length).replace(/^\./, "");
    found.set(place, [...(found.get(place) ?? []), rest ? `${rest}: ${message}` : message]);
  }
  return found;
}
