import { type JobEvent, JobEventType, JobEventTypeSchema } from "@tunesmith/sdk";
import { memo, useLayoutEffect, useRef } from "react";
import { dateOf } from "../ui/words.js";

const TONES: Partial<Record<JobEventType, string>> = {
  [JobEventType.WARNING]: "event-warn",
  [JobEventType.FIELD_DROPPED]: "event-warn",
  [JobEventType.WORKER_LOST]: "event-warn",
  [JobEventType.FAILED]: "event-bad",
  [JobEventType.SUCCEEDED]: "event-good",
};
// A line of text may be cut by half a pixel at some zooms.
const AT_END_PX = 4;

/** An event's type in words: the enum's own, so that one added to the protos shows at once. */
export function eventWord(type: JobEventType): string {
  const words = (JobEventTypeSchema.value[type]?.localName ?? `event ${type}`).replaceAll("_", " ");
  return words.charAt(0) + words.slice(1).toLowerCase();
}

/** What happened, the newest last. It follows the end while somebody is there, and stays where somebody reads. */
export const EventLog = memo(
  function EventLog({ events }: EventLogProps) {
    const list = useRef<HTMLDivElement>(null);
    const atEnd = useRef(true);
    const length = events.length;
    useLayoutEffect(() => {
      const element = list.current;
      if (element && atEnd.current) {
        element.scrollTop = element.scrollHeight;
      }
    }, [length]);
    const look = () => {
      const element = list.current!;
      atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight <= AT_END_PX;
    };
    if (length === 0) {
      return <p className="soft">Nothing has happened yet.</p>;
    }
    return (
      <div ref={list} className="event-log" role="log" aria-label="Events" tabIndex={0} onScroll={look}>
        <ol>
          {events.map((event) => (
            <Event key={String(event.sequence)} event={event} />
          ))}
        </ol>
      </div>
    );
  },
  // The list is one and the same while it grows; its length tells.
  (before, after) => before.events === after.events && before.count === after.count,
);

interface EventLogProps {
  events: JobEvent[];
  count: number;
}

const Event = memo(function Event({ event }: { event: JobEvent }) {
  const date = dateOf(event.createTime);
  return (
    <li className={`event ${TONES[event.type] ?? ""}`}>
      <time className="soft" dateTime={date?.toISOString()} title={date?.toLocaleString()}>
        {date?.toLocaleTimeString("en-GB")}
      </time>
      <span className="event-type">{eventWord(event.type)}</span>
      <span className="event-message">{event.message}</span>
    </li>
  );
});
