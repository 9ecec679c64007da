import { useState } from "react";
import { Button } from "../../ui/Button.js";
import { count } from "../../ui/words.js";

export const FOLD_CHARACTERS = 600;
export const FOLD_LINES = 12;

/** A text as it is, folded where it is long. */
export function LongText({ text }: { text: string }) {
  const [open, setOpen] = useState(false);
  const start = beginning(text);
  if (text === "") {
    return <span className="soft">empty</span>;
  }
  return (
    <div className="long">
      <p className="long-text">
        {open ? text : start}
        {!open && start.length < text.length && "…"}
      </p>
      {start.length < text.length && (
        <Button look="plain" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? "Show less" : `Show all ${count(text.length)} characters`}
        </Button>
      )}
    </div>
  );
}

function beginning(text: string): string {
  const lines = text.split("\n", FOLD_LINES + 1);
  const short = lines.length > FOLD_LINES ? lines.slice(0, FOLD_LINES).join("\n") : text;
  // Not in the middle of a letter that takes two units.
  return short.length > FOLD_CHARACTERS ? short.slice(0, FOLD_CHARACTERS).replace(/[\ud800-\udbff]$/, "") : short;
}
