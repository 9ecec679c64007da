import { useEffect, useId, useRef, useState } from "react";
import { Button } from "./Button.js";
import type { Commands } from "./commands.js";
import { Menu } from "./Menu.js";
import { useDialog } from "./useDialog.js";

const WAYS: [way: keyof Commands, name: string][] = [
  ["curl", "curl"],
  ["cli", "Command line"],
  ["python", "Python"],
];
const SAID_FOR_MS = 2_500;

interface CopyAsProps {
  /** What to copy, or how to make it: it is asked for when somebody copies. */
  commands: Commands | (() => Commands);
  label?: string;
}

/** Copies what the page does as a command for somewhere else. */
export function CopyAs({ commands, label = "Copy as" }: CopyAsProps) {
  const [said, setSaid] = useState("");
  const [refused, setRefused] = useState<{ name: string; text: string } | null>(null);
  useEffect(() => {
    const timer = said && setTimeout(() => setSaid(""), SAID_FOR_MS);
    return () => clearTimeout(timer || undefined);
  }, [said]);
  const copy = async (way: keyof Commands, name: string) => {
    const text = (typeof commands === "function" ? commands() : commands)[way];
    try {
      // A page that came over plain HTTP from another machine has no clipboard at all.
      await navigator.clipboard.writeText(text);
      setSaid(`Copied for ${name}`);
    } catch {
      setRefused({ name, text });
    }
  };
  return (
    <>
      <Menu label={said || label}>
        {(close) =>
          WAYS.map(([way, name]) => (
            <button
              key={way}
              type="button"
              onClick={() => {
                close();
                void copy(way, name);
              }}
            >
              {name}
            </button>
          ))
        }
      </Menu>
      <span className="visually-hidden" role="status">
        {said}
      </span>
      {refused && <ByHand {...refused} onClose={() => setRefused(null)} />}
    </>
  );
}

/** The text itself, selected, for browsers that refuse the clipboard. */
function ByHand({ name, text, onClose }: { name: string; text: string; onClose: () => void }) {
  const dialog = useDialog();
  const area = useRef<HTMLTextAreaElement>(null);
  const title = useId();
  useEffect(() => {
    area.current?.focus();
    area.current?.select();
  }, []);
  return (
    <dialog ref={dialog} className="dialog stack" aria-labelledby={title} onClose={onClose}>
      <h2 id={title}>Copy for {name}</h2>
      <p className="soft">This browser does not let the page copy. The text is selected: copy it with Ctrl+C or ⌘C.</p>
      <textarea
        ref={area}
        className="input copy-text"
        readOnly
        rows={Math.min(16, text.split("\n").length + 1)}
        value={text}
        aria-labelledby={title}
      />
      <div className="row">
        <Button onClick={() => dialog.current?.close()}>Close</Button>
      </div>
    </dialog>
  );
}
