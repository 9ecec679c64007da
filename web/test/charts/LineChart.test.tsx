import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import { LineChart } from "../../src/charts/LineChart.js";
import { StepSeries } from "../../src/charts/StepSeries.js";

afterEach(cleanup);

function chart(points: StepSeries, version = 0) {
  return (
    <LineChart
      title="Loss"
      series={[{ key: points.key, label: "training", points, tone: "--accent", smoothable: true }]}
      version={version}
      xLabel="step"
      scaleChoice
      format={(value) => value.toFixed(2)}
      domain={{ from: 0, to: points.lastStep ?? 0 }}
    />
  );
}

test("says in words what it shows, where nothing can be painted", () => {
  const points = new StepSeries("train_loss");
  const { rerender } = render(chart(points));
  expect(screen.getByRole("img").getAttribute("aria-label")).toBe("Loss. training: no point yet.");
  [4, 2, 3].forEach((value, index) => points.put(index + 1, value));
  rerender(chart(points, 1));
  expect(screen.getByRole("img").getAttribute("aria-label")).toBe(
    "Loss. training: last 3.00 at step 3, lowest 2.00, highest 4.00.",
  );
  expect(screen.getByRole("figure", { name: "Loss" }).textContent).toContain("training3.00");
});

test("shows its last hundred points as a table, the newest first", () => {
  const points = new StepSeries("train_loss");
  for (let step = 1; step <= 250; step += 1) {
    points.put(step, step / 10);
  }
  render(chart(points));
  const details = screen.getByText("Show as table").closest("details")!;
  expect(details.querySelector("table")).toBeNull();
  details.open = true;
  fireEvent(details, new Event("toggle"));
  const rows = [...details.querySelectorAll("tbody tr")].map((row) => row.textContent);
  expect(rows).toHaveLength(100);
  expect(rows[0]).toBe("25025.00");
  expect(rows.at(-1)).toBe("15115.10");
});

test("can be smoothed and put on a logarithmic axis by controls with names", () => {
  const points = new StepSeries("train_loss");
  [4, 2, 3].forEach((value, index) => points.put(index + 1, value));
  render(chart(points));
  const slider = screen.getByRole<HTMLInputElement>("slider", { name: "Smoothing of Loss" });
  fireEvent.change(slider, { target: { value: "0.9" } });
  expect(slider.value).toBe("0.9");
  const log = screen.getByRole<HTMLInputElement>("checkbox", { name: "Log scale" });
  fireEvent.click(log);
  expect(log.checked).toBe(true);
});
