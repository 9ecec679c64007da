import type { ReactNode } from "react";

interface NoticeProps {
  tone?: "quiet" | "busy" | "warn" | "bad";
  /** Something to do about it. */
  action?: ReactNode;
  children: ReactNode;
}

/** A sentence that stays: errors are said at once to screen readers, the rest when they are idle. */
export function Notice({ tone = "quiet", action, children }: NoticeProps) {
  return (
    <div className={`notice notice-${tone}`} role={tone === "bad" ? "alert" : "status"}>
      <div>{children}</div>
      {action && <div className="row">{action}</div>}
    </div>
  );
}
