// An export finds what a job trained, and is created as a job of its own.
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ArtifactKind, ExportFormat, GgufType, JobService, createTunesmith, type CreateJobRequest } from "../src/index.js";

const PAGES = [
  [{ setId: "checkpoint-set", kind: ArtifactKind.CHECKPOINT }],
  [
    { setId: "gguf-set", kind: ArtifactKind.GGUF },
    { setId: "adapter-set", kind: ArtifactKind.ADAPTER },
  ],
];

/** A server of one job's artifacts, page by page, that remembers what is created. */
function serving(pages: typeof PAGES) {
  const created: CreateJobRequest[] = [];
  const transport = createRouterTransport((router) => {
    router.service(JobService, {
      listArtifacts: ({ jobId, pageToken }) => {
        if (jobId !== "job") {
          throw new ConnectError("no such job", Code.NotFound);
        }
        const page = Number(pageToken || 0);
        return { artifacts: pages[page]!, nextPageToken: page + 1 < pages.length ? String(page + 1) : "" };
      },
      createJob: (request) => {
        created.push(request);
        return { job: { id: "export-1" } };
      },
    });
  });
  return { created, tunesmith: createTunesmith({ transport }) };
}

describe("an export", () => {
  test("of a job is of what it trained", async () => {
    const { created, tunesmith } = serving(PAGES);
    const options = { format: ExportFormat.GGUF, ggufType: GgufType.Q8_0, pushTo: "me/tuned", credentialId: "TEAM_TOKEN" };
    expect((await tunesmith.export("job", { ...options, displayName: "mine", requestId: "r" })).id).toBe("export-1");
    expect(created).toHaveLength(1);
    expect(created[0]).toMatchObject({ provider: "local", displayName: "mine", requestId: "r" });
    expect(created[0]!.spec).toMatchObject({
      case: "export",
      value: {
        artifactId: "adapter-set",
        format: ExportFormat.GGUF,
        ggufType: GgufType.Q8_0,
        huggingface: { outputRepoName: "me/tuned", credentialId: "TEAM_TOKEN" },
      },
    });
  });

  test("of what is no job is of that set", async () => {
    const { created, tunesmith } = serving(PAGES);
    await tunesmith.export("a-set", { format: ExportFormat.MERGED });
    expect(created[0]!.requestId).not.toBe("");
    const { value } = created[0]!.spec;
    expect(value).toMatchObject({ artifactId: "a-set", format: ExportFormat.MERGED });
    expect(value).not.toHaveProperty("huggingface.outputRepoName");
  });

  test("of a job without a result is refused", async () => {
    const { created, tunesmith } = serving([PAGES[0]!]);
    await expect(tunesmith.export("job", { format: ExportFormat.ONNX })).rejects.toThrow("no adapter and no model to export");
    expect(created).toHaveLength(0);
  });
});
