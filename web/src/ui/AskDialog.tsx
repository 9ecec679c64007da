import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useId } from "react";
import { Button } from "./Button.js";
import { ErrorNotice } from "./ErrorNotice.js";
import { useDialog } from "./useDialog.js";

interface AskDialogProps {
  title: string;
  /** What happens, and what does not. */
  children: ReactNode;
  /** The button that does it. */
  yes: string;
  onYes(): Promise<unknown>;
  /** It was done, or thought better of. */
  onClose(): void;
  onDone(): void;
}

/** A question before what can't be undone. */
export function AskDialog({ title, children, yes, onYes, onClose, onDone }: AskDialogProps) {
  const dialog = useDialog();
  const id = useId();
  const doing = useMutation({ mutationFn: onYes, onSuccess: onDone });
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={id} onClose={onClose}>
      <div className="stack">
        <h2 id={id}>{title}</h2>
        <p>{children}</p>
        {doing.error && <ErrorNotice error={doing.error} />}
        <div className="row">
          {/* First, because a dialog gives its first button the focus: Enter by habit must do nothing. */}
          <Button onClick={() => dialog.current?.close()}>Keep it</Button>
          <Button look="danger" aria-disabled={doing.isPending} onClick={() => !doing.isPending && doing.mutate()}>
            {yes}
          </Button>
        </div>
      </div>
    </dialog>
  );
}
