import { Code, type Client } from "@connectrpc/connect";
import { toTunesmithError, TunesmithError } from "./errors.js";
import type { ExportFormat, GgufType } from "./gen/tunesmith/config/v1/export_configuration_pb.js";
import { ArtifactKind, type Artifact } from "./gen/tunesmith/job/v1/artifact_pb.js";
import type { Job } from "./gen/tunesmith/job/v1/job_pb.js";
import type { JobService } from "./gen/tunesmith/job/v1/job_service_pb.js";

/** What to make of trained weights. */
export interface ExportOptions {
  format: ExportFormat;
  /** How a GGUF file stores its weights; unset means F16. */
  ggufType?: GgufType;
  /** A repository on the hub that gets the result too, as user/model. */
  pushTo?: string;
  /** The worker's environment variable that holds the hub's token; unset means HF_TOKEN. */
  credentialId?: string;
  /** What people call the job; unset means the exported job's name and the format. */
  displayName?: string;
  /** A name for this write, so that it can be repeated safely; unset means a new one. */
  requestId?: string;
}

/** The only provider that exports. */
const PROVIDER = "local";
const TRAINED = [ArtifactKind.ADAPTER, ArtifactKind.MODEL];

/** Creates the job that exports a job's result, or a set of artifacts. */
export async function exportWeights(jobs: Client<typeof JobService>, source: string, options: ExportOptions): Promise<Job> {
  const { format, ggufType, pushTo, credentialId, displayName, requestId } = options;
  const value = {
    artifactId: await artifactsOf(jobs, source),
    format,
    ...(ggufType === undefined ? {} : { ggufType }),
    ...(pushTo ? { huggingface: { outputRepoName: pushTo, ...(credentialId ? { credentialId } : {}) } } : {}),
  };
  const spec = { case: "export" as const, value };
  const { job } = await jobs.createJob({ provider: PROVIDER, displayName: displayName ?? "", requestId: requestId ?? "", spec });
  if (!job) {
    throw new TunesmithError("The server's answer has no job in it; update the client and the server together.", Code.Internal);
  }
  return job;
}

/** The set that a job trained or merged; what names no job is a set itself, and the server says so if it is none. */
async function artifactsOf(jobs: Client<typeof JobService>, source: string): Promise<string> {
  let pageToken = "";
  do {
    let page: { artifacts: Artifact[]; nextPageToken: string };
    try {
      page = await jobs.listArtifacts({ jobId: source, pageToken });
    } catch (error) {
      if (toTunesmithError(error).code === Code.NotFound) {
        return source;
      }
      throw error;
    }
    const trained = page.artifacts.find(({ kind }) => TRAINED.includes(kind));
    if (trained) {
      return trained.setId;
    }
    pageToken = page.nextPageToken;
  } while (pageToken);
  throw new TunesmithError(`Job ${source} has no adapter and no model to export; name a checkpoint of it.`, Code.NotFound);
}
