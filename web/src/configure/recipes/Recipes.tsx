import { type JobConfiguration, JobConfigurationSchema, Severity, type SuggestedRecipe } from "@tunesmith/sdk";
import { useState } from "react";
import type { Part } from "../../form/describe.js";
import { changedFields, read, write } from "../../form/state.js";
import { Button } from "../../ui/Button.js";
import { ErrorNotice } from "../../ui/ErrorNotice.js";
import { bytes } from "../../ui/words.js";
import { SmartDefaults } from "./SmartDefaults.js";
import { useSuggestions, type Wanted } from "./useSuggestions.js";

interface RecipesProps extends Wanted {
  /** The recipe that was used, by its id. */
  recipe: string;
  parts: readonly Part[];
  onUse(next: JobConfiguration, recipe: string): void;
}

/** Ways to train the chosen model on the chosen dataset, and the values that suit them. */
export default function Recipes({ recipe, parts, onUse, ...wanted }: RecipesProps) {
  const { recipes, error } = useSuggestions(wanted);
  // Once somebody has decided how to train, it is out of the way.
  const [open] = useState(() => recipe === "" && changedFields(JobConfigurationSchema, wanted.configuration).length < 3);
  const used = recipes?.find((one) => one.recipe?.id === recipe)?.recipe;
  if (!recipes && !error) {
    return null;
  }
  return (
    <details className="panel recipes" open={open}>
      <summary className="section-head">
        <h2>Recipe</h2>
        <span className="section-line">{used ? used.displayName : "A way to train this model, with its values"}</span>
      </summary>
      <div className="section-body">
        {error && <ErrorNotice error={error} />}
        {recipes?.length === 0 && <p className="soft">There is no recipe yet; add one on the recipes page.</p>}
        <ul className="recipe-cards">
          {recipes?.map((one) => (
            <Card
              key={one.recipe?.id}
              suggested={one}
              used={one.recipe?.id === recipe}
              onUse={() => onUse(withDefaults(wanted.configuration, one), one.recipe?.id ?? "")}
            />
          ))}
        </ul>
        <SmartDefaults wanted={wanted} recipe={recipe} parts={parts} onUse={onUse} />
      </div>
    </details>
  );
}

function Card({ suggested, used, onUse }: { suggested: SuggestedRecipe; used: boolean; onUse(): void }) {
  const { recipe, suitable, recommended, reason, findings, minimumDeviceBytes } = suggested;
  const against = findings.filter(({ severity, message }) => severity === Severity.ERROR && message !== reason);
  return (
    <li className="recipe-card" data-suitable={suitable} data-used={used || undefined}>
      <div className="recipe-head">
        <h3>{recipe?.displayName}</h3>
        {recommended && <span className="badge badge-good">Recommended</span>}
        {!suitable && <span className="badge">Not for this</span>}
      </div>
      <p>{reason || recipe?.description}</p>
      {!suitable && against.length > 0 && (
        <ul className="recipe-against">
          {against.map(({ code, message }) => (
            <li key={`${code} ${message}`}>{message}</li>
          ))}
        </ul>
      )}
      <p className="soft">
        {minimumDeviceBytes > 0n ? `From ${bytes(minimumDeviceBytes)} of memory, estimated` : "How much memory it needs is not known"}
      </p>
      {suitable && (
        <div>
          <Button aria-label={`Use ${recipe?.displayName}`} aria-pressed={used} onClick={onUse}>
            {used ? "In use" : "Use"}
          </Button>
        </div>
      )}
    </li>
  );
}

/** What a recipe sets counts; everything else stays. */
function withDefaults(configuration: JobConfiguration, { recipe }: SuggestedRecipe): JobConfiguration {
  const defaults = recipe?.defaults;
  if (!defaults) {
    return configuration;
  }
  return changedFields(JobConfigurationSchema, defaults).reduce(
    (now, path) => write(JobConfigurationSchema, now, path, read(JobConfigurationSchema, defaults, path)),
    configuration,
  );
}
