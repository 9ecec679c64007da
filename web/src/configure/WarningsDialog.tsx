import { useId } from "react";
import type { Part } from "../form/describe.js";
import { Button } from "../ui/Button.js";
import { useDialog } from "../ui/useDialog.js";
import { FindingLinks, type Placed } from "./FindingLinks.js";

interface WarningsDialogProps {
  warnings: readonly Placed[];
  parts: readonly Part[];
  onAccept(): void;
  onClose(): void;
}

/** What somebody has to have read before the job is created all the same. */
export function WarningsDialog({ warnings, parts, onAccept, onClose }: WarningsDialogProps) {
  const dialog = useDialog();
  const title = useId();
  return (
    <dialog ref={dialog} className="dialog warnings-dialog" aria-labelledby={title} onClose={onClose}>
      <div className="stack">
        <h2 id={title}>{warnings.length === 1 ? "One warning" : `${warnings.length} warnings`}</h2>
        <FindingLinks items={warnings} parts={parts} />
        <div className="row">
          {/* First, so that the focus is on what changes nothing. */}
          <Button onClick={() => dialog.current?.close()}>Back to the form</Button>
          <Button
            look="primary"
            onClick={() => {
              dialog.current?.close();
              onAccept();
            }}
          >
            Create all the same
          </Button>
        </div>
      </div>
    </dialog>
  );
}
