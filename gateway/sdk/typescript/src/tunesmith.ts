import { createClient, type Client, type Transport } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { absoluteBase, artifactSetUrl, artifactUrl } from "./addresses.js";
import { exportWeights, type ExportOptions } from "./export_weights.js";
import { fetchFrom } from "./fetching.js";
import type { Artifact } from "./gen/tunesmith/job/v1/artifact_pb.js";
import type { Job } from "./gen/tunesmith/job/v1/job_pb.js";
import { JobService, type WatchJobResponse, type WatchJobsResponse } from "./gen/tunesmith/job/v1/job_service_pb.js";
import { ParameterService } from "./gen/tunesmith/parameter/v1/parameter_service_pb.js";
import { PoolService } from "./gen/tunesmith/pool/v1/pool_service_pb.js";
import { PreflightService } from "./gen/tunesmith/preflight/v1/preflight_service_pb.js";
import { ProviderService } from "./gen/tunesmith/provider/v1/provider_service_pb.js";
import type { Adapter } from "./gen/tunesmith/registry/v1/adapter_pb.js";
import { AdapterService } from "./gen/tunesmith/registry/v1/adapter_service_pb.js";
import type { Dataset } from "./gen/tunesmith/registry/v1/dataset_pb.js";
import { RecipeService } from "./gen/tunesmith/registry/v1/recipe_service_pb.js";
import { RegistryService } from "./gen/tunesmith/registry/v1/registry_service_pb.js";
import { carefulTransport } from "./transport.js";
import { uploadAdapter, type UploadAdapterOptions } from "./upload_adapter.js";
import { uploadDataset, type UploadOptions } from "./upload_dataset.js";
import { WatchedJob } from "./watch_job.js";
import { WatchedJobs } from "./watch_jobs.js";
import { watching, type WatchOptions } from "./watching.js";

/** Where Tunesmith is, and how to reach it. */
export interface TunesmithOptions {
  /** The gateway's address. Unset: the page's own origin in a browser, `http://127.0.0.1:8080` elsewhere. */
  baseUrl?: string;
  /** Makes the HTTP calls instead of the global fetch. */
  fetch?: typeof globalThis.fetch;
  /** Makes the RPCs instead of gRPC-web over fetch, for tests. */
  transport?: Transport;
}

/**
 * One client for each public service, and what takes more than one call.
 *
 * Every call throws TunesmithError. A call that found no server is tried three times more where that is safe; writes get a
 * request_id of their own so that it is. Calls end after 30 seconds unless they say `timeoutMs`.
 */
export interface Tunesmith {
  /** The gateway's address, absolute and without a slash at its end. */
  readonly baseUrl: string;
  readonly jobs: Client<typeof JobService>;
  readonly registry: Client<typeof RegistryService>;
  readonly recipes: Client<typeof RecipeService>;
  readonly adapters: Client<typeof AdapterService>;
  readonly preflight: Client<typeof PreflightService>;
  readonly pools: Client<typeof PoolService>;
  readonly parameters: Client<typeof ParameterService>;
  readonly providers: Client<typeof ProviderService>;
  /**
   * What happens to a job until it is over: every event once and in order, over as many streams as it takes.
   *
   * Throws what the server says if it refuses, and when it was not heard of for `giveUpMs`. `maxPointsPerSeries` thins what is
   * stored of each metric series when the watch begins, so that its curve looks the same; unset, all of it comes.
   */
  watchJob(
    id: string,
    options?: WatchOptions & { afterSequence?: bigint; afterMetricCursor?: bigint; maxPointsPerSeries?: number },
  ): AsyncIterable<WatchJobResponse>;
  /** Every job that changes, as it then stands, until the signal is aborted. */
  watchJobs(options?: WatchOptions & { afterCursor?: bigint }): AsyncIterable<WatchJobsResponse>;
  /** Stores a file as a dataset. Nothing is stored unless every row fits the format; the error names the line. */
  uploadDataset(file: Blob, options: UploadOptions): Promise<Dataset>;
  /** Stores a tar archive, as a job's download is, as an adapter. Nothing is stored unless it fits its base model. */
  uploadAdapter(archive: Blob, options: UploadAdapterOptions): Promise<Adapter>;
  /**
   * Creates the job that makes something else of trained weights: of a job's result, or of a set of artifacts by its id.
   *
   * Throws NotFound for a job that has neither adapter nor model.
   */
  export(source: string, options: ExportOptions): Promise<Job>;
  /** Where the bytes of an artifact are. */
  artifactUrl(artifact: Artifact): string;
  /** Where the tar archive of all files of an artifact's set is. */
  artifactSetUrl(artifactId: string): string;
}

/** A client of one Tunesmith. Nothing is called before it is asked to. */
export function createTunesmith(options: TunesmithOptions = {}): Tunesmith {
  const baseUrl = absoluteBase(options.baseUrl);
  const inner = options.transport ?? createGrpcWebTransport({ baseUrl, fetch: fetchFrom(baseUrl, options.fetch) });
  const transport = carefulTransport(inner, baseUrl);
  const jobs = createClient(JobService, transport);
  return {
    baseUrl,
    jobs,
    registry: createClient(RegistryService, transport),
    recipes: createClient(RecipeService, transport),
    adapters: createClient(AdapterService, transport),
    preflight: createClient(PreflightService, transport),
    pools: createClient(PoolService, transport),
    parameters: createClient(ParameterService, transport),
    providers: createClient(ProviderService, transport),
    watchJob: (id, { afterSequence = 0n, afterMetricCursor = 0n, maxPointsPerSeries = 0, ...rest } = {}) =>
      watching(() => new WatchedJob(jobs, id, afterSequence, afterMetricCursor, maxPointsPerSeries), rest),
    watchJobs: ({ afterCursor = 0n, ...rest } = {}) => watching(() => new WatchedJobs(jobs, afterCursor), rest),
    uploadDataset: (file, upload) => uploadDataset(baseUrl, file, upload, options.fetch),
    uploadAdapter: (archive, upload) => uploadAdapter(baseUrl, archive, upload, options.fetch),
    export: (source, wanted) => exportWeights(jobs, source, wanted),
    artifactUrl: (artifact) => artifactUrl(baseUrl, artifact),
    artifactSetUrl: (artifactId) => artifactSetUrl(baseUrl, artifactId),
  };
}
