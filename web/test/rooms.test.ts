// @vitest-environment node
// What keeps the parts of the window apart: who may import whom, and that no form knows a knob by name.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { JobConfigurationSchema } from "@tunesmith/sdk";
import { describe as group, expect, test } from "vitest";
import { describe, fieldsOf } from "../src/form/describe.js";

const SOURCES = fileURLToPath(new URL("../src", import.meta.url));
/** Each room with those it may import from, besides itself. */
const ROOMS: Record<string, string[]> = {
  ui: [],
  charts: ["ui"],
  form: ["ui"],
  configure: ["form", "ui"],
  monitor: ["charts", "ui"],
  elements: ["charts", "configure", "form", "monitor", "ui"],
  jobs: ["charts", "configure", "form", "monitor", "ui"],
  models: ["ui"],
  datasets: ["ui"],
  recipes: ["form", "ui"],
  adapters: ["ui"],
  parameters: ["form", "ui"],
  console: ["adapters", "datasets", "jobs", "models", "parameters", "recipes", "ui"],
};

const files = readdirSync(SOURCES, { recursive: true, encoding: "utf8" }).filter((file) => /\.tsx?$/.test(file));

function roomOf(file: string): string {
  return file.split("/")[0]!;
}

function importedRooms(file: string): string[] {
  const text = readFileSync(join(SOURCES, file), "utf8");
  const found = [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map(([, path]) => path!);
  return found.map((path) => roomOf(relative(SOURCES, normalize(join(SOURCES, dirname(file), path)))));
}

group("rooms", () => {
  test("are those that are named here", () => {
    expect([...new Set(files.map(roomOf))].sort()).toEqual(Object.keys(ROOMS).sort());
    expect(files.length).toBeGreaterThan(100);
  });

  test.each(Object.keys(ROOMS))("%s imports only what lies below it", (room) => {
    const own = files.filter((file) => roomOf(file) === room);
    const wrong = own.flatMap((file) => importedRooms(file).filter((other) => other !== room && !ROOMS[room]!.includes(other)).map((other) => `${file} → ${other}`));
    expect(wrong).toEqual([]);
  });
});

group("a form knows no knob by name", () => {
  const names = new Set(fieldsOf(describe(JobConfigurationSchema)).map(({ path }) => path.split(".").at(-1)!));
  // Words that mean something else too, and the two fields that an address or an attribute of an element fills in.
  const elsewhere = new Set(["type", "enabled", "project", "suffix", "metadata", "strategy", "seed", "base_model", "training_file_id", "base_url"]);
  const knobs = [...names].filter((name) => !elsewhere.has(name));

  test("of the many there are", () => expect(knobs.length).toBeGreaterThan(25));

  test.each(files.filter((file) => ["form", "configure"].includes(roomOf(file))))("%s", (file) => {
    // Comments may give examples.
    const text = readFileSync(join(SOURCES, file), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
    const camel = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    const found = knobs.filter((name) => new RegExp(`\\b(${name}|${camel(name)})\\b`).test(text));
    expect(found).toEqual([]);
  });
});
