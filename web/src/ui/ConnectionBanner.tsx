import type { Connection } from "@tunesmith/sdk";
import { useEffect, useRef, useState } from "react";

/** Most streams are back before anybody could read that they were gone. */
const WORTH_SAYING_MS = 700;
const SAID_FOR_MS = 4_000;

/** Says that what is on screen may be old while a stream is taken up again, and that it is live once it was. */
export function ConnectionBanner({ connection }: { connection: Connection }) {
  const broken = connection.state === "reconnecting";
  const [shown, setShown] = useState(false);
  const [back, setBack] = useState(false);
  const wasShown = useRef(false);
  useEffect(() => {
    if (broken) {
      const timer = setTimeout(() => {
        wasShown.current = true;
        setBack(false);
        setShown(true);
      }, WORTH_SAYING_MS);
      return () => clearTimeout(timer);
    }
    if (connection.state !== "live" || !wasShown.current) {
      return undefined;
    }
    wasShown.current = false;
    setShown(false);
    setBack(true);
    const timer = setTimeout(() => setBack(false), SAID_FOR_MS);
    return () => clearTimeout(timer);
  }, [broken, connection.state]);
  return (
    <div className="connection" role="status" data-state={connection.state}>
      {shown && (
        <div className="notice notice-warn">
          <strong>Not connected; trying again.</strong> <span className="soft">What you see may be old. {connection.error?.message}</span>
        </div>
      )}
      {back && <div className="notice notice-good">Connected again; nothing was missed.</div>}
    </div>
  );
}
