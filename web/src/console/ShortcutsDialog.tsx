import { Button } from "../ui/Button.js";
import { useDialog } from "../ui/useDialog.js";
import { SHORTCUTS } from "./shortcuts.js";

/** Every key of the console. */
export function ShortcutsDialog({ onClose }: { onClose: () => void }) {
  const dialog = useDialog();
  return (
    <dialog ref={dialog} className="dialog shortcuts" aria-labelledby="shortcuts" onClose={onClose}>
      <h2 id="shortcuts">Keys</h2>
      <dl>
        {SHORTCUTS.map(({ keys, does }) => (
          <div key={does}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <Button onClick={() => dialog.current?.close()}>Close</Button>
    </dialog>
  );
}
