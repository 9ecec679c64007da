import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import { create, fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import { CreateJobRequestSchema, JobState, TrainingMethod } from "@tunesmith/sdk";
import { expect, test } from "vitest";
import {
  createBaseModelCommands,
  createJobCommands,
  getAdapterCommands,
  getJobCommands,
  getRecipeCommands,
  hereDocument,
  jobActionCommands,
  listJobsCommands,
  pythonLiteral,
  shellQuote,
  statisticsCommands,
  uploadDatasetCommands,
} from "../../src/ui/commands.js";
import { nastyTexts } from "./seeded.js";

const BASE = "http://127.0.0.1:8080";
const PYTHON = resolve(import.meta.dirname, "../../../.venv/bin/python");
// A shell stands between each of these and its argument; what arrives is printed with a NUL after it.
const shell = (script: string) => execFileSync("sh", ["-c", script], { encoding: "utf-8" });
// What `tunesmith` or `curl` were given, one argument a line of JSON, and their standard input.
const SHOW = `show() { ${shellQuote(PYTHON)} -c 'import json, sys; print(json.dumps([sys.argv[1:], sys.stdin.read()]))' "$@"; }`;
const seen = (command: string): [string[], string] =>
  JSON.parse(shell(`${SHOW}\ncurl() { show curl "$@" </dev/null; }\ntunesmith() { show tunesmith "$@"; }\n${command}\n`)) as [string[], string];
const python = (script: string) => JSON.parse(execFileSync(PYTHON, ["-c", script], { encoding: "utf-8" })) as unknown;

test("every text comes through a real shell as it was", () => {
  const texts = ["", "-n", "a b", "it's", "'", "''", "\\", "$HOME", "line\nbreak\n", "\u{1f600}", ...nastyTexts(500, 4)];
  expect(texts.length).toBe(510);
  const printed = shell(`printf '%s\\0' ${texts.map(shellQuote).join(" ")}`).split("\0");
  expect(printed.slice(0, -1)).toEqual(texts);
  expect(shellQuote("a\0b")).toBe("ab");
});

test("a here-document gives back what went in, even lines that look like its end", () => {
  const texts = ["EOF", "a\nEOF\nEOF2\nb", "$HOME `id` \\", "", ...nastyTexts(100, 5)];
  expect(texts.length).toBe(104);
  for (const text of texts) {
    expect(shell(`cat ${hereDocument(text)}`)).toBe(text.endsWith("\n") ? text : `${text}\n`);
  }
});

test("a job's commands hold the request, whatever people call it", () => {
  for (const displayName of ["plain", ...nastyTexts(11, 6)]) {
    const request = create(CreateJobRequestSchema, {
      requestId: "one-write",
      provider: "local",
      displayName,
      strict: true,
      spec: {
        case: "configuration",
        value: {
          model: { baseModel: "me/model" },
          method: { type: TrainingMethod.LORA, loraConfig: { rank: 16, trainableModules: "all-linear" } },
          optimizer: { learningRate: 2e-4 },
        },
      },
    });
    const wanted = toJson(CreateJobRequestSchema, { ...request, requestId: "" }, { useProtoFieldName: true });
    const commands = createJobCommands(BASE, request);
    const [curl] = seen(commands.curl);
    expect(curl.slice(0, 3)).toEqual(["curl", `${BASE}/v1/jobs`, "-d"]);
    expect(JSON.parse(curl[3]!)).toEqual(wanted);
    expect(fromJson(CreateJobRequestSchema, JSON.parse(curl[3]!)).displayName).toBe(displayName);
    const [cli, input] = seen(commands.cli);
    expect(cli).toEqual(["tunesmith", "--server", "127.0.0.1:8080", "jobs", "create", "-f", "-"]);
    expect(JSON.parse(input)).toEqual(wanted);
    const stub = "class Tunesmith:\n    def __init__(self, server): self.server = server\n    jobs = property(lambda self: self)\n    def create_job(self, **given): import json; self.job = self; self.id = json.dumps([self.server, given]); return self\n";
    expect(python(`${stub}${commands.python.replace(/^from .*\n/, "")}`)).toEqual(["127.0.0.1:8080", wanted]);
  }
}, 60_000);

test("Python reads back every literal", () => {
  const texts = nastyTexts(200, 7);
  const value: JsonObject = { nothing: null, yes: true, no: false, figures: [1, -2.5, 1e-7, 1e21], deep: [{ a: [] }, {}], texts };
  expect(texts.length).toBe(200);
  expect(python(`import json\nprint(json.dumps(${pythonLiteral(value)}))`)).toEqual(value);
});

test("the other calls name what they are about", () => {
  expect(seen(getJobCommands("https://tunes.example/", "a'b c").curl)[0]).toEqual(["curl", "https://tunes.example/v1/jobs/a'b%20c"]);
  expect(getJobCommands("https://tunes.example", "7").cli).toBe("tunesmith --server https://tunes.example:443 jobs get 7");
  expect(seen(jobActionCommands(BASE, "-x", "pause").cli)[0]).toEqual(["tunesmith", "--server", "127.0.0.1:8080", "jobs", "pause", "--", "-x"]);
  const [filtered] = seen(listJobsCommands(BASE, { states: [JobState.RUNNING, JobState.PAUSED], provider: "local", search: "a&b 'c'" }).curl);
  const query = new URL(filtered[1]!).searchParams;
  expect([query.getAll("states"), query.get("provider"), query.get("search")]).toEqual([["JOB_STATE_RUNNING", "JOB_STATE_PAUSED"], "local", "a&b 'c'"]);
  const [file] = seen(uploadDatasetCommands(BASE, { file: "my rows'.jsonl", displayName: "Mine & yours", format: "DATASET_FORMAT_PROMPT_COMPLETION" }).curl);
  expect(file.slice(0, 3)).toEqual(["curl", "--data-binary", "@my rows'.jsonl"]);
  expect(Object.fromEntries(new URL(file[3]!).searchParams)).toEqual({
    filename: "my rows'.jsonl",
    display_name: "Mine & yours",
    format: "DATASET_FORMAT_PROMPT_COMPLETION",
  });
  const model = createBaseModelCommands(BASE, { hub: { repo: "me/model", revision: "v 1" }, displayName: "--help" });
  expect(seen(model.cli)[0].slice(3)).toEqual(["models", "import", "me/model", "--revision=v 1", "--display-name=--help"]);
  expect(JSON.parse(seen(model.curl)[0][3]!)).toEqual({ display_name: "--help", hub: { repo: "me/model", revision: "v 1" } });
});

test("what asks for a credential is added in the long way, by name and without a secret", () => {
  const hub = { repo: "org/secret", revision: "v1", private: true, credentialId: "HF_TOKEN" };
  const { cli, python: script } = createBaseModelCommands(BASE, { hub, license: "own licence" });
  const [args] = seen(cli);
  expect(args.slice(3)).toEqual(["models", "add", "--hub=org/secret", "--revision=v1", "--private", "--credential=HF_TOKEN", "--license=own licence"]);
  expect(script).toContain('"credential_id": "HF_TOKEN"');
});

test("figures, recipes and adapters are asked for by id, whatever it is", () => {
  for (const id of ["plain", "-dash", "it's"]) {
    expect(seen(statisticsCommands(BASE, id, "me/my model").cli)[0]).toContain("--model=me/my model");
    expect(seen(statisticsCommands(BASE, id, "").curl)[0].at(-1)).toBe(`${BASE}/v1/datasets/${encodeURIComponent(id)}/statistics`);
    for (const commands of [statisticsCommands(BASE, id, ""), getRecipeCommands(BASE, id), getAdapterCommands(BASE, id)]) {
      expect(seen(commands.cli)[0].at(-1)).toBe(id);
      expect(commands.python).toContain(JSON.stringify(id));
    }
  }
});
