import type { BaseModel } from "@tunesmith/sdk";
import { Credential, needsCredential } from "../../../ui/Credential.js";
import { ModelChips } from "../../../ui/ModelChips.js";

/** More names than this are for the model's own page. */
const MOST_MODULES = 12;

/** What somebody should know of the model they picked: what it can do, what its adapters can sit on, and what it asks for. */
export function PickedModel({ model, onChanged }: { model: BaseModel; onChanged(model: BaseModel): void }) {
  const modules = modulesOf(model);
  return (
    <div className="picked-model">
      <ModelChips model={model} />
      {modules.length > 0 && (
        <p className="picked-modules">
          Layers for adapters:{" "}
          {modules.slice(0, MOST_MODULES).map((name) => (
            <code key={name}>{name}</code>
          ))}
          {modules.length > MOST_MODULES && ` and ${modules.length - MOST_MODULES} more`}
        </p>
      )}
      {needsCredential(model) && <Credential model={model} onSaved={onChanged} />}
    </div>
  );
}

/** The names that adapters take: the last part of each path, in the order of the model. */
function modulesOf({ profile, linearModules }: BaseModel): string[] {
  const named = (profile?.modules ?? []).filter(({ adaptedByAllLinear }) => adaptedByAllLinear).map(({ path }) => path.split(".").at(-1) ?? path);
  return [...new Set(named.length > 0 ? named : linearModules)];
}
