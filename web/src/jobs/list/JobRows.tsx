import { defaultRangeExtractor, type Range, useWindowVirtualizer } from "@tanstack/react-virtual";
import type { Job } from "@tunesmith/sdk";
import type { KeyboardEvent, MouseEvent, RefObject } from "react";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useLocation } from "wouter";
import { isTyping } from "../../ui/typing.js";
import type { Action } from "./actions.js";
import { JobRow, SkeletonRow } from "./JobRow.js";
import { useMedia } from "./useMedia.js";

/** The heights that list.css gives a row; fixed, so that ten thousand rows need no measuring. */
export const ROW_PX = 48;
export const CARD_PX = 72;
/** The next page is asked for this many rows before somebody gets there. */
const AHEAD = 120;
const SKELETONS = 12;
/** What is drawn above and below the window, so that a fast scroll shows rows and no gaps. */
const OVERSCAN = 12;
const CLOCK_MS = 20_000;
const COLUMNS = ["Name", "State", "Progress", "Provider", "Loss", "Duration", "Created"];

interface JobRowsProps {
  jobs: Job[];
  /** Whether there are more than these. */
  more: boolean;
  busy: boolean;
  /** What stands above the list; its height decides where the rows begin. */
  above: RefObject<HTMLElement | null>;
  onMore: () => void;
  onAct: (job: Job, action: Action) => void;
}

/** Any number of jobs, of which a screenful is in the page. */
export function JobRows({ jobs, more, busy, above, onMore, onAct }: JobRowsProps) {
  const [, navigate] = useLocation();
  const cards = useMedia("(max-width: 52rem)");
  const height = cards ? CARD_PX : ROW_PX;
  const body = useRef<HTMLDivElement>(null);
  const margin = useOffset(body, above, cards);
  const now = useClock();
  const places = useMemo(() => new Map(jobs.map((job, index) => [job.id, index])), [jobs]);
  const [current, setCurrent] = useState<string | null>(null);
  const at = (current !== null && places.get(current)) || 0;
  const wanted = useRef<string | null>(null);

  const count = jobs.length + (more ? SKELETONS : 0);
  const rows = useWindowVirtualizer({
    count,
    estimateSize: useCallback(() => height, [height]),
    getItemKey: useCallback((index: number) => jobs[index]?.id ?? `skeleton-${index}`, [jobs]),
    overscan: OVERSCAN,
    scrollMargin: margin,
    // The two bars that stay at the top of the window cover rows.
    scrollPaddingStart: cards ? 100 : 92,
    scrollPaddingEnd: 8,
    // The row that has the focus stays in the page wherever somebody scrolls, or the focus would be lost.
    rangeExtractor: useCallback(
      (range: Range) => {
        const inside = defaultRangeExtractor(range);
        const there = current === null || inside.includes(at) || at >= range.count;
        return there ? inside : [...inside, at].sort((one, other) => one - other);
      },
      [at, current],
    ),
  });
  useLayoutEffect(() => rows.measure(), [rows, height]);

  const items = rows.getVirtualItems();
  const last = items.findLast((item) => item.index !== at)?.index ?? 0;
  const hungry = more && !busy && last >= jobs.length - AHEAD;
  useEffect(() => {
    if (hungry) {
      onMore();
    }
  }, [hungry, onMore]);

  useKeptPlace(jobs, places, margin, height);

  useLayoutEffect(() => {
    if (wanted.current !== null && wanted.current === current) {
      wanted.current = null;
      body.current?.querySelector<HTMLElement>(`[data-id="${CSS.escape(current)}"]`)?.focus({ preventScroll: true });
    }
  });
  const moveTo = useCallback(
    (index: number) => {
      const job = jobs[Math.min(Math.max(index, 0), jobs.length - 1)];
      if (job) {
        wanted.current = job.id;
        setCurrent(job.id);
        rows.scrollToIndex(places.get(job.id) ?? 0);
      }
    },
    [jobs, places, rows],
  );

  // j and k work wherever the focus is, as in a mail program.
  useEffect(() => {
    const pressed = (event: globalThis.KeyboardEvent) => {
      const step = event.key === "j" ? 1 : event.key === "k" ? -1 : 0;
      if (step !== 0 && !event.defaultPrevented && !isTyping(event)) {
        event.preventDefault();
        moveTo(current === null ? 0 : at + step);
      }
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [moveTo, current, at]);

  const pressed = (event: KeyboardEvent<HTMLElement>) => {
    const row = event.target as HTMLElement;
    if (event.altKey || event.ctrlKey || event.metaKey || row.getAttribute("role") !== "row") {
      return;
    }
    const last = jobs.length - 1;
    const target = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: last, PageDown: at + 10, PageUp: at - 10 }[event.key];
    if (target !== undefined) {
      event.preventDefault();
      moveTo(target);
    } else if (event.key === "Enter" && current !== null) {
      event.preventDefault();
      navigate(`/jobs/${current}`);
    }
  };
  const clicked = (event: MouseEvent<HTMLElement>) => {
    const target = event.target as HTMLElement;
    const id = target.closest<HTMLElement>("[data-id]")?.dataset.id;
    // A link does its own, with every key that browsers know; text that is being selected is no click.
    const meant = !event.defaultPrevented && event.button === 0 && !target.closest("a, button, summary");
    if (id && meant && !getSelection()?.toString()) {
      navigate(`/jobs/${id}`);
    }
  };

  return (
    <div className="jobs" role="table" aria-label="Jobs" aria-rowcount={more ? -1 : jobs.length + 1} aria-busy={busy}>
      <div role="rowgroup" className="jobs-head">
        <div role="row" aria-rowindex={1} className="jobs-columns">
          {COLUMNS.map((column) => (
            <div key={column} role="columnheader" className={`jobs-${column.toLowerCase()}`}>
              {column}
            </div>
          ))}
          <div role="columnheader" className="jobs-menu">
            <span className="visually-hidden">Actions</span>
          </div>
        </div>
      </div>
      <div
        ref={body}
        role="rowgroup"
        className="jobs-body"
        style={{ height: rows.getTotalSize() }}
        onKeyDown={pressed}
        onClick={clicked}
      >
        {items.map(({ index, key, start }) => {
          const job = jobs[index];
          const top = start - margin;
          return job ? (
            <JobRow
              key={key}
              job={job}
              index={index}
              top={top}
              current={index === at}
              now={now}
              onFocus={setCurrent}
              onAct={onAct}
            />
          ) : (
            <SkeletonRow key={key} top={top} />
          );
        })}
      </div>
    </div>
  );
}

/** How far below the top of the document the rows begin. Read when something above them changes, never while scrolling. */
function useOffset(body: RefObject<HTMLElement | null>, above: RefObject<HTMLElement | null>, cards: boolean): number {
  const [offset, setOffset] = useState(0);
  useLayoutEffect(() => {
    const read = () => body.current && setOffset(Math.round(body.current.getBoundingClientRect().top + window.scrollY));
    read();
    const observer = new ResizeObserver(read);
    if (above.current) {
      observer.observe(above.current);
    }
    return () => observer.disconnect();
  }, [body, above, cards]);
  return offset;
}

/** Rows that come or go above the window must not move what somebody reads. */
function useKeptPlace(jobs: Job[], places: ReadonlyMap<string, number>, margin: number, height: number): void {
  const before = useRef(jobs);
  useLayoutEffect(() => {
    const old = before.current;
    before.current = jobs;
    if (old === jobs || old.length === 0 || window.scrollY <= margin) {
      return;
    }
    const first = Math.floor((window.scrollY - margin) / height);
    const anchor = old[first];
    const place = anchor && places.get(anchor.id);
    if (place !== undefined && place !== first) {
      window.scrollBy({ top: (place - first) * height, behavior: "instant" });
    }
  }, [jobs, places, margin, height]);
}

function useClock(): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), CLOCK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}
