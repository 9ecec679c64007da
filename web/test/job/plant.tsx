import { create } from "@bufbuild/protobuf";
import { ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { type Artifact, type ArtifactKind, ArtifactSchema, type Job, JobService, type WatchJobResponse } from "@tunesmith/sdk";
import { createQueryClient } from "../../src/console/queries.js";
import JobPage from "../../src/jobs/JobPage.js";
import { TunesmithProvider } from "../../src/ui/tunesmith.js";
import { messageOf } from "../monitor/messages.js";
import { clientOf, Line } from "../monitor/streams.js";

/** The page of a job, over a server that answers as told. */
export function page(first: Job | ConnectError, calls: Partial<ServiceImpl<typeof JobService>> = {}) {
  const line = new Line<WatchJobResponse>();
  if (first instanceof ConnectError) {
    line.fail(first);
  } else {
    line.put(messageOf({ job: first }));
  }
  const client = clientOf((router) =>
    router.service(JobService, {
      watchJob: (_, { signal }) => line.read(signal),
      listArtifacts: () => ({ artifacts: [] }),
      ...calls,
    }),
  );
  render(
    <TunesmithProvider value={client}>
      <QueryClientProvider client={createQueryClient()}>
        <JobPage id="job-1" />
      </QueryClientProvider>
    </TunesmithProvider>,
  );
  return { line, user: userEvent.setup() };
}

/** A file of a set, of 1,500 bytes. */
export function artifact(id: string, path: string, kind: ArtifactKind, step = 40): Artifact {
  const sha256 = id.padEnd(64, "0");
  return create(ArtifactSchema, {
    id,
    setId: path.split("/")[0],
    path,
    kind,
    sizeBytes: 1500n,
    sha256,
    uri: `/v1/jobs/job-1/artifacts/${id}:download`,
    step: BigInt(step),
  });
}
