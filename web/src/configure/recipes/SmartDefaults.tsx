import { type JsonValue, toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import {
  type JobConfiguration,
  type SuggestDefaultsResponse,
  type SuggestedValue,
  toTunesmithError,
  type TunesmithError,
} from "@tunesmith/sdk";
import { useEffect, useRef, useState } from "react";
import { type FieldDescription, fieldsOf, type Part } from "../../form/describe.js";
import { valueText } from "../../form/words.js";
import { Button } from "../../ui/Button.js";
import { ErrorNotice } from "../../ui/ErrorNotice.js";
import { useTunesmith } from "../../ui/tunesmith.js";
import type { Wanted } from "./useSuggestions.js";

interface SmartDefaultsProps {
  wanted: Wanted;
  recipe: string;
  parts: readonly Part[];
  onUse(next: JobConfiguration, recipe: string): void;
}

/** Values for what is left open, each with its reason; they are set once somebody has seen them. */
export function SmartDefaults({ wanted: { provider, configuration }, recipe, parts, onUse }: SmartDefaultsProps) {
  const { preflight } = useTunesmith();
  const [asking, setAsking] = useState(false);
  const [answer, setAnswer] = useState<SuggestDefaultsResponse>();
  const [error, setError] = useState<TunesmithError>();
  const latest = useRef(configuration);
  latest.current = configuration;
  // Values that were computed for another configuration are no longer the right ones.
  useEffect(() => setAnswer(undefined), [configuration, provider, recipe]);
  const ask = async () => {
    setAsking(true);
    setError(undefined);
    try {
      const found = await preflight.suggestDefaults({ provider, configuration, recipe });
      if (latest.current === configuration) {
        setAnswer(found);
      }
    } catch (thrown) {
      setError(toTunesmithError(thrown));
    } finally {
      setAsking(false);
    }
  };
  const fields = new Map(fieldsOf(parts).map((field) => [field.path, field]));
  return (
    <div className="smart">
      {!answer && (
        <div className="row">
          <Button aria-disabled={asking} onClick={() => !asking && void ask()}>
            {asking ? "Looking…" : "Use smart defaults"}
          </Button>
          <span className="soft">Values for what is left open, for this model, dataset and hardware.</span>
        </div>
      )}
      {error && <ErrorNotice error={error} />}
      <div role="status">
        {answer?.values.length === 0 && <p className="soft">Nothing is left open: every value that could be suggested is set.</p>}
        {answer && answer.values.length > 0 && (
          <>
            <dl className="smart-values">
              {answer.values.map((suggested) => (
                <div key={suggested.fieldPath}>
                  <dt>
                    {fields.get(suggested.fieldPath)?.label ?? suggested.fieldPath}{" "}
                    <strong>{suggestedText(fields.get(suggested.fieldPath), suggested)}</strong>
                  </dt>
                  <dd>{suggested.reason}</dd>
                </div>
              ))}
            </dl>
            <div className="row">
              <Button
                look="primary"
                onClick={() => answer.configuration && onUse(answer.configuration, answer.recipeId || recipe)}
              >
                {answer.values.length === 1 ? "Use this value" : `Use these ${answer.values.length} values`}
              </Button>
              <Button onClick={() => setAnswer(undefined)}>Leave it</Button>
            </div>
          </>
        )}
      </div>
    </div>
  );
}

/** A value as the form would show it: an enum by its label, a number as people write it. */
function suggestedText(field: FieldDescription | undefined, { value }: SuggestedValue): string {
  const json: JsonValue = value ? toJson(ValueSchema, value) : null;
  const shown = (one: JsonValue): string => {
    const choice = field?.choices.find((each) => each.value === one);
    if (choice) {
      return choice.label;
    }
    if (field && (typeof one === "number" || typeof one === "string" || typeof one === "boolean")) {
      return valueText(field, one);
    }
    return typeof one === "string" ? one : JSON.stringify(one);
  };
  return Array.isArray(json) ? json.map(shown).join(", ") : shown(json);
}
