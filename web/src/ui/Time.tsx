import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { useEffect, useState } from "react";
import { ago, dateOf } from "./words.js";

/** How long ago something was; the full time is its title. */
export function Time({ time }: { time: Timestamp | undefined }) {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), 20_000);
    return () => clearInterval(timer);
  }, []);
  const date = dateOf(time);
  if (!date) {
    return null;
  }
  return (
    <time dateTime={date.toISOString()} title={date.toLocaleString()}>
      {ago(date, now)}
    </time>
  );
}
