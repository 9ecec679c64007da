import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampDate } from "@bufbuild/protobuf/wkt";

const BYTES = ["B", "KB", "MB", "GB", "TB"];

/** `1.72 GB`, in powers of ten, as disks and downloads count. */
export function bytes(count: number | bigint): string {
  let value = Number(count);
  let unit = 0;
  while (value >= 999.5 && unit < BYTES.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${BYTES[unit]}`;
}

/** `12,345`. */
export function count(value: number | bigint): string {
  return value.toLocaleString("en-US");
}

/** `2.31 M`: a parameter count. */
export function shortCount(value: number | bigint): string {
  return new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 }).format(value);
}

/** Four digits that say something: `5.043`, `1.2e-5`. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) {
    return String(value);
  }
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) {
    return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
  }
  return value.toLocaleString("en-US", { maximumSignificantDigits: 4 });
}

/** `45 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days > 0) {
    return `${days} d ${hours} h`;
  }
  if (hours > 0) {
    return `${hours} h ${minutes} min`;
  }
  return minutes > 0 ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

/** `0.4 ms`, `340 ms`, `1.25 s`, `3 min 20 s`: the time of one step. */
export function stepTime(seconds: number): string {
  if (seconds < 1) {
    return `${figure(Number((seconds * 1000).toPrecision(3)))} ms`;
  }
  return seconds < 60 ? `${figure(Number(seconds.toPrecision(3)))} s` : duration(seconds);
}

/** `just now`, `5 min ago`, `3 d ago`; a date after a month. */
export function ago(time: Date, now: Date): string {
  const seconds = (now.getTime() - time.getTime()) / 1000;
  if (seconds < 45) {
    return "just now";
  }
  const steps: [limit: number, unit: number, word: string][] = [
    [3600, 60, "min"],
    [86400, 3600, "h"],
    [86400 * 30, 86400, "d"],
  ];
  const step = steps.find(([limit]) => seconds < limit);
  return step ? `${Math.max(1, Math.round(seconds / step[1]))} ${step[2]} ago` : time.toISOString().slice(0, 10);
}

/** A timestamp as a date; undefined for one that is not set. */
export function dateOf(time: Timestamp | undefined): Date | undefined {
  return time && timestampDate(time);
}
