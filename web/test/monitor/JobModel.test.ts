import { JobEventType, JobState } from "@tunesmith/sdk";
import { expect, test } from "vitest";
import { JobModel } from "../../src/monitor/JobModel.js";
import { eventOf, jobAt, messageOf } from "./messages.js";
import { randomNumbers } from "./randomNumbers.js";

const points = (model: JobModel, key: string) => {
  const series = model.series.get(key);
  return series ? Array.from({ length: series.length }, (_, index) => [series.steps[index]!, series.values[index]!]) : [];
};

test("a second attempt's points take the place of the first one's from the checkpoint on", () => {
  const model = new JobModel();
  model.take(
    messageOf({
      points: {
        train_loss: [
          [1, 10],
          [2, 9],
          [3, 8],
          [4, 7],
        ],
        eval_loss: [[0, 11]],
      },
      cursor: 4,
    }),
  );
  // The first attempt had reached step 4; the second goes on behind step 2 and has reached step 3.
  model.take(messageOf({ points: { train_loss: [[3, 8.5]] }, cursor: 5 }));
  expect(points(model, "train_loss")).toEqual([
    [1, 10],
    [2, 9],
    [3, 8.5],
    [4, 7],
  ]);
  model.take(
    messageOf({
      points: {
        train_loss: [
          [4, 7.5],
          [5, 6.5],
        ],
      },
      cursor: 6,
    }),
  );
  expect(points(model, "train_loss")).toEqual([
    [1, 10],
    [2, 9],
    [3, 8.5],
    [4, 7.5],
    [5, 6.5],
  ]);
  expect(points(model, "eval_loss")).toEqual([[0, 11]]);
  expect(model.lastStep).toBe(5);
});

test("whatever is repeated and however attempts follow each other, the model is what the messages add up to", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = randomNumbers(seed);
    const keys = ["train_loss", "eval_loss", "memory_bytes"];
    const expected = new Map(keys.map((key) => [key, new Map<number, number>()]));
    const messages = [];
    let [sequence, cursor, step] = [0, 0, 0];
    for (let count = 0; count < 60; count += 1) {
      if (random() < 0.1) {
        // The attempt is lost; the next one goes on from an earlier step.
        step = Math.floor(random() * step);
      }
      const reported: Record<string, [number, number][]> = {};
      const length = Math.floor(random() * 6);
      for (const key of keys.filter(() => random() < 0.7)) {
        reported[key] = Array.from({ length }, (_, index) => [step + index, random()]);
        reported[key].forEach(([at, value]) => expected.get(key)!.set(at, value));
      }
      step += length;
      cursor += 1;
      const events = Array.from({ length: Math.floor(random() * 3) }, () => eventOf((sequence += 1)));
      messages.push(messageOf({ job: jobAt(JobState.RUNNING, count), events, points: reported, cursor }));
    }
    const model = new JobModel();
    let next = 0;
    let furthest = 0;
    while (next < messages.length) {
      model.take(messages[next]!);
      next += 1;
      furthest = Math.max(furthest, next);
      if (random() < 0.1) {
        // A stream that was taken up too early says the last part again, in its order.
        next = Math.max(0, next - Math.floor(random() * 8));
      }
    }
    expect(model.events.map((event) => Number(event.sequence))).toEqual(
      Array.from({ length: sequence }, (_, index) => index + 1),
    );
    expect(Number(model.sequence)).toBe(sequence);
    expect(Number(model.cursor)).toBe(messages.length);
    expect(Number(model.job?.updateTime?.seconds)).toBe(Number(jobAt(JobState.RUNNING, messages.length - 1).updateTime!.seconds));
    for (const key of keys) {
      const wanted = [...expected.get(key)!].sort(([a], [b]) => a - b);
      expect(points(model, key)).toEqual(wanted);
    }
  }
});

test("events that come out of order are put in order, each once", () => {
  const model = new JobModel();
  for (const sequence of [2, 1, 5, 3, 5, 4, 1]) {
    model.take(messageOf({ events: [eventOf(sequence, sequence === 4 ? JobEventType.ARTIFACTS_ADDED : JobEventType.STAGE)] }));
  }
  expect(model.events.map((event) => Number(event.sequence))).toEqual([1, 2, 3, 4, 5]);
  expect(model.artifactSets).toBe(1);
});

test("an older job does not take the place of a later one", () => {
  const model = new JobModel();
  model.take(messageOf({ job: jobAt(JobState.CANCELLING, 5) }));
  model.take(messageOf({ job: jobAt(JobState.RUNNING, 3) }));
  expect(model.job?.state).toBe(JobState.CANCELLING);
});
