import { type KeyboardEvent, type ReactNode, useRef, useState } from "react";
import type { FieldHandle } from "../useField.js";

/** Something to pick. */
export interface Option {
  /** What the configuration gets. */
  value: string;
  name: string;
  /** What tells it from others of its name: size, rows, format. */
  facts: string;
}

interface PickerProps {
  handle: FieldHandle;
  /** Undefined while they are loaded. */
  options: readonly Option[] | undefined;
  /** What is picked, where a filter keeps it out of the options. */
  known?: Option;
  /** Shown where there is nothing to pick. */
  empty: ReactNode;
  placeholder: string;
}

/** A box that searches what there is. What is typed and not found is taken as it stands: an id is enough. */
export function Picker({ handle, options = [], known, empty, placeholder }: PickerProps) {
  const { field, id, invalid, describedBy, set, leave } = handle;
  const value = typeof handle.value === "string" ? handle.value : "";
  const picked = options.find((option) => option.value === value) ?? (known && { ...known, value });
  const [search, setSearch] = useState<string>();
  const [active, setActive] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const open = search !== undefined;
  const found = open ? options.filter((option) => matches(option, search)) : [];
  const pick = (option: Option) => {
    set(option.value);
    setSearch(undefined);
  };
  const type = (text: string) => {
    setSearch(text);
    setActive(0);
    const meant = options.find((option) => option.name === text);
    set(text === "" ? undefined : (meant?.value ?? text));
  };
  const move = (by: number) => {
    const next = Math.min(found.length - 1, Math.max(0, active + by));
    setActive(next);
    list.current?.children[next]?.scrollIntoView({ block: "nearest" });
  };
  const pressed = (event: KeyboardEvent) => {
    const keys: Record<string, () => void> = {
      ArrowDown: () => (open ? move(1) : setSearch("")),
      ArrowUp: () => (open ? move(-1) : setSearch("")),
      Escape: () => setSearch(undefined),
      Enter: () => found[active] && pick(found[active]),
    };
    const act = keys[event.key];
    if (act && (open || event.key.startsWith("Arrow"))) {
      event.preventDefault();
      event.stopPropagation();
      act();
    }
  };
  return (
    <div className="picker">
      <input
        id={id}
        className="input"
        role="combobox"
        aria-expanded={open && found.length > 0}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={open && found[active] ? `${id}-${active}` : undefined}
        aria-invalid={invalid}
        aria-describedby={`${id}-picked ${describedBy}`}
        required={field.required}
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
        placeholder={placeholder}
        value={search || (search === "" && !value ? "" : (picked?.name ?? value))}
        onChange={(event) => type(event.currentTarget.value)}
        onFocus={(event) => event.currentTarget.select()}
        onClick={() => setSearch("")}
        onKeyDown={pressed}
        onBlur={() => {
          setSearch(undefined);
          leave();
        }}
      />
      <ul
        id={`${id}-list`}
        ref={list}
        className="picker-list"
        role="listbox"
        aria-label={field.label}
        hidden={!open || found.length === 0}
      >
        {found.map((option, index) => (
          <li
            key={option.value}
            id={`${id}-${index}`}
            role="option"
            aria-selected={option.value === value}
            data-active={index === active || undefined}
            // The box keeps the focus, so that the list is still there when the click comes.
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => pick(option)}
          >
            <span>{option.name}</span>
            <span className="soft">{option.facts}</span>
          </li>
        ))}
      </ul>
      <p id={`${id}-picked`} className="picker-picked">
        {picked
          ? picked.facts
          : value && options.length > 0
            ? "Not in the list: the server looks it up when the job is created."
            : ""}
      </p>
      {empty}
    </div>
  );
}

function matches(option: Option, search: string): boolean {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const text = `${option.name} ${option.value} ${option.facts}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
