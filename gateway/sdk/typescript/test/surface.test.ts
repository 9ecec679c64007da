// What the package shows: nothing of the public contract is missing, and nothing else is there.
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { DescFile } from "@bufbuild/protobuf";
import { createRouterTransport } from "@connectrpc/connect";
import { afterEach, describe, expect, test, vi } from "vitest";
import * as sdk from "../src/index.js";
import { TERMINAL_STATES, createTunesmith, isTerminal } from "../src/index.js";

const PUBLIC_FILES = 42;
const GENERATED = fileURLToPath(new URL("../src/gen/tunesmith/", import.meta.url));

const modules = await Promise.all(
  readdirSync(GENERATED, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith("_pb.ts"))
    // The agents' door is not public: no route of the public port leads there.
    .filter((path) => !path.startsWith("worker/"))
    .map(async (path) => ({ path, exported: (await import(GENERATED + path)) as Record<string, unknown> })),
);

afterEach(() => vi.unstubAllGlobals());

describe("the package", () => {
  test("exports every generated type and schema of the public protos", () => {
    expect(modules).toHaveLength(PUBLIC_FILES);
    const names = modules.flatMap(({ exported }) => Object.keys(exported));
    expect(names.length).toBeGreaterThan(150);
    expect(names.filter((name) => !(name in sdk))).toEqual([]);
  });

  test("has a client for every public service", () => {
    const services = modules.flatMap(({ exported }) => Object.values(exported).filter(isFile)).flatMap((file) => file.services);
    expect(services).toHaveLength(8);
    const clients = Object.values(createTunesmith({ transport: createRouterTransport(() => undefined) })).filter(
      (each) => typeof each === "object",
    );
    expect(clients).toHaveLength(8);
    for (const service of services) {
      const methods = service.methods.map(({ localName }) => localName).sort();
      expect(clients.map((client) => Object.keys(client as object).sort())).toContainEqual(methods);
    }
  });

  test("knows the terminal states that the proto calls terminal", () => {
    const text = readFileSync(new URL("../../../../protos/tunesmith/job/v1/job_state.proto", import.meta.url), "utf8");
    const written = [...text.matchAll(/Terminal\.\n +JOB_STATE_\w+ = (\d+);/g)].map(([, number]) => Number(number));
    expect(written).toHaveLength(3);
    expect([...TERMINAL_STATES].sort()).toEqual(written);
    expect(Object.values(sdk.JobState).filter((state) => typeof state === "number" && isTerminal(state))).toHaveLength(3);
  });
});

describe("addresses", () => {
  const artifact = { uri: "/v1/jobs/j/artifacts/a:download" } as sdk.Artifact;

  test.each([
    [undefined, "http://127.0.0.1:8080"],
    ["", "http://127.0.0.1:8080"],
    ["https://tune.example/", "https://tune.example"],
    ["https://proxy.example/tunesmith/", "https://proxy.example/tunesmith"],
  ])("of %s", (baseUrl, base) => {
    const client = createTunesmith(baseUrl === undefined ? {} : { baseUrl });
    expect(client.baseUrl).toBe(base);
    expect(client.artifactUrl(artifact)).toBe(`${base}/v1/jobs/j/artifacts/a:download`);
    expect(client.artifactSetUrl("a/b")).toBe(`${base}/v1/artifacts/a%2Fb/set:download`);
  });

  test.each([
    [undefined, "https://page.example"],
    ["", "https://page.example"],
    ["/tunesmith", "https://page.example/tunesmith"],
    ["https://tune.example", "https://tune.example"],
  ])("of %s on a page", (baseUrl, base) => {
    vi.stubGlobal("location", { origin: "https://page.example", href: "https://page.example/jobs/7?x#y" });
    expect(createTunesmith(baseUrl === undefined ? {} : { baseUrl }).baseUrl).toBe(base);
  });

  test("on a page from a file are this machine's", () => {
    vi.stubGlobal("location", { origin: "null", href: "file:///tmp/page.html" });
    expect(createTunesmith().baseUrl).toBe("http://127.0.0.1:8080");
  });

  test.each(["localhost:8080", "/tunesmith", "ftp://x", "http://"])(
    "of %s are none, and the error says how to write one",
    (baseUrl) => {
      expect(() => createTunesmith({ baseUrl })).toThrow(/is no address; write it as http:\/\/127\.0\.0\.1:8080\.$/);
    },
  );
});

function isFile(value: unknown): value is DescFile {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "file";
}
