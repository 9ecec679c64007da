import type { Job } from "@tunesmith/sdk";
import { useState } from "react";
import { Menu } from "../../ui/Menu.js";
import { type Action, actionsOf } from "./actions.js";

const NAMES: Record<Action, string> = { pause: "Pause", resume: "Resume", cancel: "Cancel…" };

/** What can be done with a job from the list. Cancelling asks once more, because nothing brings the job back. */
export function RowMenu({ job, current, onAct }: { job: Job; current: boolean; onAct: (job: Job, action: Action) => void }) {
  const [asking, setAsking] = useState(false);
  return (
    <Menu
      label={<span aria-hidden="true">⋯</span>}
      name={`Actions for ${job.displayName}`}
      look="plain"
      tabIndex={current ? 0 : -1}
      onToggle={() => setAsking(false)}
    >
      {(close) => {
        const chosen = (action: Action) => {
          close();
          onAct(job, action);
        };
        if (asking) {
          return (
            <>
              <button type="button" autoFocus onClick={close}>
                Keep it
              </button>
              <button type="button" className="menu-danger" onClick={() => chosen("cancel")}>
                Cancel for good
              </button>
            </>
          );
        }
        return actionsOf(job).map((action) => (
          <button
            key={action}
            type="button"
            className={action === "cancel" ? "menu-danger" : ""}
            onClick={() => (action === "cancel" ? setAsking(true) : chosen(action))}
          >
            {NAMES[action]}
          </button>
        ));
      }}
    </Menu>
  );
}
