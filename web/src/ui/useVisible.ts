import { useEffect, useState } from "react";

/** A look at another tab and back is no reason to open a stream anew. */
export const GRACE_MS = 10_000;

/** Whether somebody can see the page, or could until less than ten seconds ago. */
export function useVisible(): boolean {
  const [visible, setVisible] = useState(() => document.visibilityState !== "hidden");
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      clearTimeout(timer);
      if (document.visibilityState === "hidden") {
        timer = setTimeout(() => setVisible(false), GRACE_MS);
      } else {
        setVisible(true);
      }
    };
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, []);
  return visible;
}
