import { type CSSProperties, type KeyboardEvent, useMemo } from "react";
import { keyed, positionOf, trackOf, valueAt } from "../../slider.js";
import { valueText } from "../../words.js";
import type { FieldHandle } from "../useField.js";
import { NumberBox } from "./NumberBox.js";

/** Fine enough that no two stops share a place. */
const PLACES = 10_000;

/** A slider with the recommended part of its track marked, and a box for what it can't hit. */
export function Slider({ handle }: { handle: FieldHandle }) {
  const { field, id, value, set } = handle;
  const track = useMemo(() => trackOf(field), [field]);
  const unset = typeof value !== "number";
  const shown = unset ? ((field.default as number | undefined) ?? field.recommended?.min ?? track.min) : value;
  const stands = unset ? (field.default === undefined ? ", not set" : ", the default") : "";
  const spoken = `${valueText(field, shown)}${field.unit ? ` ${field.unit}` : ""}${stands}`;
  const place = (of: number | undefined, otherwise: number) => (of === undefined ? otherwise : positionOf(track, of));
  const marks = {
    "--from": place(field.recommended?.min, 0),
    "--to": place(field.recommended?.max, 0),
    "--default": place(field.default as number | undefined, 0),
    "--at": positionOf(track, shown),
  } as CSSProperties;
  const pressed = (event: KeyboardEvent) => {
    const next = event.ctrlKey || event.metaKey || event.altKey ? undefined : keyed(track, shown, event.key);
    if (next !== undefined) {
      event.preventDefault();
      set(next);
    }
  };
  return (
    <div className="slider">
      <span className="slider-track" style={marks} data-unset={unset || undefined}>
        <span className="slider-line" />
        {field.recommended && <span className="slider-usual" />}
        {field.default !== undefined && <span className="slider-default" />}
        <input
          type="range"
          min={0}
          max={PLACES}
          step={1}
          value={Math.round(positionOf(track, shown) * PLACES)}
          aria-labelledby={`${id}-label`}
          aria-valuetext={spoken}
          aria-describedby={`${id}-help`}
          onChange={(event) => set(valueAt(track, Number(event.currentTarget.value) / PLACES))}
          onKeyDown={pressed}
        />
      </span>
      <NumberBox handle={handle} />
    </div>
  );
}
