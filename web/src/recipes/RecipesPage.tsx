import "./recipes.css";
import { toJson } from "@bufbuild/protobuf";
import { useQueryClient } from "@tanstack/react-query";
import { DatasetFormatSchema, JobConfigurationSchema, ModalitySchema, type Recipe, RecipeType, RecipeTypeSchema } from "@tunesmith/sdk";
import { useState } from "react";
import { AskDialog } from "../ui/AskDialog.js";
import { Button } from "../ui/Button.js";
import { getRecipeCommands } from "../ui/commands.js";
import { CopyAs } from "../ui/CopyAs.js";
import { EnumSelect } from "../ui/EnumSelect.js";
import { enumWord } from "../ui/enumWord.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { useEveryPage } from "../ui/useEveryPage.js";
import { usePageTitle } from "../ui/usePageTitle.js";
import { count } from "../ui/words.js";
import { RecipeDialog } from "./RecipeDialog.js";

type Doing = { what: "add"; recipe?: undefined } | { what: "change" | "delete"; recipe: Recipe };

/** Ways to train. */
export default function RecipesPage() {
  usePageTitle("Recipes");
  const { recipes } = useTunesmith();
  const client = useQueryClient();
  const [type, setType] = useState(RecipeType.UNSPECIFIED);
  const [doing, setDoing] = useState<Doing>();
  const { items, data, error, refetch, whole } = useEveryPage(["recipes", "list"], async (pageToken, signal) => {
    const answer = await recipes.listRecipes({ pageSize: 200, pageToken }, { signal });
    return { items: answer.recipes, nextPageToken: answer.nextPageToken };
  });
  const shown = items.filter((recipe) => type === RecipeType.UNSPECIFIED || recipe.type === type);
  return (
    <>
      <div className="page-head">
        <h1>
          Recipes {data && items.length > 0 && <span className="total">{count(items.length)}</span>}
        </h1>
        <Button onClick={() => setDoing({ what: "add" })}>Add a recipe</Button>
      </div>
      {error && <ErrorNotice error={error} onRetry={() => void refetch()} />}
      {items.length > 0 && (
        <div className="filters">
          <label>
            Type
            <EnumSelect schema={RecipeTypeSchema} none="All types" value={type} onChange={setType} />
          </label>
        </div>
      )}
      {!data && !error && (
        <div className="panel recipes-waiting" role="status">
          <span className="visually-hidden">Loading</span>
        </div>
      )}
      {whole && items.length === 0 && (
        <div className="panel empty">
          <h2>No recipes yet</h2>
          <p className="soft">A recipe is a way to train with its values: the form of a new job offers those that suit its model.</p>
          <Button look="primary" onClick={() => setDoing({ what: "add" })}>
            Add a recipe
          </Button>
          <p className="soft">or register the catalogue, on the command line:</p>
          <code className="code">make seed</code>
        </div>
      )}
      {whole && items.length > 0 && shown.length === 0 && (
        <div className="panel empty">
          <p>No recipe is of this type.</p>
          <Button onClick={() => setType(RecipeType.UNSPECIFIED)}>Show all types</Button>
        </div>
      )}
      {shown.length > 0 && (
        <ul className="recipe-list">
          {shown.map((recipe) => (
            <Card
              key={recipe.id}
              recipe={recipe}
              onChange={() => setDoing({ what: "change", recipe })}
              onDelete={() => setDoing({ what: "delete", recipe })}
            />
          ))}
        </ul>
      )}
      {doing && doing.what !== "delete" && <RecipeDialog recipe={doing.recipe} onClose={() => setDoing(undefined)} />}
      {doing?.what === "delete" && (
        <AskDialog
          title={`Delete “${doing.recipe.displayName}”?`}
          yes="Delete the recipe"
          onYes={() => recipes.deleteRecipe({ id: doing.recipe.id })}
          onClose={() => setDoing(undefined)}
          onDone={() => {
            setDoing(undefined);
            void client.invalidateQueries({ queryKey: ["recipes"] });
          }}
        >
          No new job is made of it. Jobs keep what they were created with. To keep it for later, change it and no longer offer it.
        </AskDialog>
      )}
    </>
  );
}

function Card({ recipe, onChange, onDelete }: { recipe: Recipe; onChange: () => void; onDelete: () => void }) {
  const { baseUrl } = useTunesmith();
  const { displayName, description, type, modality, defaults, supportedFamilies, datasetFormats, minHiddenSize } = recipe;
  return (
    <li className="panel recipe" data-active={recipe.active}>
      <div className="recipe-title">
        <h2>{displayName}</h2>
        <ul className="marks" aria-label={`About ${displayName}`}>
          <li className="badge">{enumWord(RecipeTypeSchema, type)}</li>
          {recipe.recommended && <li className="badge badge-good">Recommended</li>}
          {!recipe.active && <li className="badge badge-warn">Not offered</li>}
        </ul>
      </div>
      {description && <p>{description}</p>}
      <dl className="facts recipe-facts">
        <dt>Reads</dt>
        <dd>{enumWord(ModalitySchema, modality)}</dd>
        <dt>Families</dt>
        <dd>{supportedFamilies.length > 0 ? supportedFamilies.join(", ") : "all"}</dd>
        <dt>Rows</dt>
        <dd>{datasetFormats.length > 0 ? datasetFormats.map((one) => enumWord(DatasetFormatSchema, one)).join(", ") : "any"}</dd>
        <dt>Base model</dt>
        <dd>
          {recipe.quantizedBaseAllowed ? "may be quantized" : "not quantized"}
          {minHiddenSize > 0 && `, hidden size from ${count(minHiddenSize)}`}
        </dd>
      </dl>
      {defaults && (
        <details>
          <summary>What it sets</summary>
          <pre className="code" tabIndex={0} role="region" aria-label={`What ${displayName} sets`}>
            {JSON.stringify(toJson(JobConfigurationSchema, defaults, { useProtoFieldName: true }), null, 2)}
          </pre>
        </details>
      )}
      <div className="row recipe-do">
        <Button aria-label={`Change ${displayName}`} onClick={onChange}>
          Change
        </Button>
        <Button look="danger" aria-label={`Delete ${displayName}`} onClick={onDelete}>
          Delete
        </Button>
        <CopyAs commands={() => getRecipeCommands(baseUrl, recipe.id)} />
      </div>
    </li>
  );
}
