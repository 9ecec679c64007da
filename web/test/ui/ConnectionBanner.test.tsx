import { act, cleanup, render, screen } from "@testing-library/react";
import type { Connection } from "@tunesmith/sdk";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ConnectionBanner } from "../../src/ui/ConnectionBanner.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

const LIVE: Connection = { state: "live", attempt: 1 };
const BROKEN: Connection = { state: "reconnecting", attempt: 1 };
const said = () => screen.getByRole("status").textContent;
const pass = (milliseconds: number) => act(() => vi.advanceTimersByTimeAsync(milliseconds));

test("a stream that is back at once is not worth a word", async () => {
  const { rerender } = render(<ConnectionBanner connection={LIVE} />);
  rerender(<ConnectionBanner connection={BROKEN} />);
  await pass(400);
  rerender(<ConnectionBanner connection={LIVE} />);
  await pass(5_000);
  expect(said()).toBe("");
});

test("a stream that stays away is said to, until it is back", async () => {
  const { rerender } = render(<ConnectionBanner connection={LIVE} />);
  for (let attempt = 1; attempt < 5; attempt += 1) {
    rerender(<ConnectionBanner connection={{ ...BROKEN, attempt }} />);
    await pass(300);
  }
  expect(said()).toMatch(/^Not connected; trying again/);
  rerender(<ConnectionBanner connection={LIVE} />);
  await pass(10);
  expect(said()).toMatch(/^Connected again/);
  await pass(5_000);
  expect(said()).toBe("");
});
