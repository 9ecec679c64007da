"""The npm package as somebody else gets it: packed, installed in an empty folder, compiled against, and run."""

import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.integration.sdk.conftest import first_example
from tests.integration.sdk.cutting_proxy import cutting
from tests.integration.whole_stack import ROOT, Stack

pytestmark = pytest.mark.integration

SDK = ROOT / "gateway" / "sdk" / "typescript"
BIN = Path(sys.executable).parent
# As on a page that the gateway serves: the package then calls the page's own origin, and the example runs as it is written.
PAGE = "globalThis.location = new URL(`http://127.0.0.1:${process.env.PORT}/`)"
# What a program may want of each entry, strictly typed. `uses` is never run.
CONSUMER = """
import { create } from "@bufbuild/protobuf";
import { Code, JobConfigurationSchema, JobState, TunesmithError, createTunesmith, isTerminal } from "@tunesmith/sdk";
import type { Connection } from "@tunesmith/sdk";
import { JobSchema, type Job } from "@tunesmith/sdk/gen/tunesmith/job/v1/job";
import { validate, type Violation } from "@tunesmith/sdk/validation";

export async function uses(): Promise<Violation[]> {
  const tunesmith = createTunesmith({ baseUrl: "http://127.0.0.1:8080" });
  const onConnection = ({ state, attempt }: Connection) => console.log(state, attempt);
  for await (const { jobs, cursor } of tunesmith.watchJobs({ afterCursor: 3n, onConnection })) {
    const one: Job | undefined = jobs[0] ?? create(JobSchema, { state: JobState.QUEUED });
    console.log(cursor + 1n, isTerminal(one.state));
  }
  await tunesmith.providers.listProviders({}).catch((error: unknown) => {
    if (error instanceof TunesmithError && error.code === Code.NotFound) console.log(error.violations[0]?.fieldPath);
  });
  // @ts-expect-error A field that the protos don't know.
  await tunesmith.jobs.getJob({ jobId: "a" });
  return validate(JobConfigurationSchema, create(JobConfigurationSchema));
}
"""
VALIDATES = """
import { create } from "@bufbuild/protobuf";
import { JobConfigurationSchema } from "@tunesmith/sdk";
import { validate } from "@tunesmith/sdk/validation";
console.log(JSON.stringify(validate(JobConfigurationSchema, create(JobConfigurationSchema, { model: { baseModel: "a" } }))));
"""
# Everything but the watch goes straight; the watch goes through a network that breaks.
WATCHES = """
import { TrainingMethod, createTunesmith } from "@tunesmith/sdk";

const at = (port) => createTunesmith({ baseUrl: `http://127.0.0.1:${port}` });
const [direct, broken] = [at(process.env.PORT), at(process.env.BROKEN_PORT)];
const rows = Array.from({ length: 40 }, (_, n) => JSON.stringify({ prompt: `Twice ${n}?`, completion: `${2 * n}` }));
const dataset = await direct.uploadDataset(new Blob([rows.join("\\n")]), { filename: "watched.jsonl" });
const method = { type: TrainingMethod.LORA, loraConfig: {} };
const schedule = { maxSteps: 12, sequenceLength: 512 };
const value = { model: { baseModel: "tunesmith/pico" }, datasets: { trainingFileId: dataset.id }, method, schedule };
const { job } = await direct.jobs.createJob({ provider: "local", spec: { case: "configuration", value } });
const steps = (series) => series.flatMap(({ key, points }) => points.map(({ step }) => `${key} ${step}`));
const seen = { events: [], points: [], breaks: 0 };
const onConnection = ({ state }) => (seen.breaks += state === "reconnecting" ? 1 : 0);
for await (const { events, metrics } of broken.watchJob(job.id, { onConnection, giveUpMs: 120_000 })) {
  seen.events.push(...events.map(({ sequence, message }) => `${sequence} ${message}`));
  seen.points.push(...steps(metrics));
}
const told = (await direct.jobs.listJobEvents({ jobId: job.id })).events.map(({ sequence, message }) => `${sequence} ${message}`);
// Figures of single layers are not watched; their keys have a slash.
const { series } = await direct.jobs.listJobMetrics({ jobId: job.id });
const stored = steps(series.filter(({ key }) => !key.includes("/")));
console.log(JSON.stringify({ id: job.id, ...seen, told, stored }));
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty project that the packed package was installed in, with its dependencies from the registry."""
    assert (SDK / "dist" / "index.js").exists(), "the package is not built; `make sdk` builds it"
    packed, project = tmp_path_factory.mktemp("packed"), tmp_path_factory.mktemp("project")
    (tarball,) = json.loads(_run(SDK, BIN / "npm", "pack", "--json", "--pack-destination", packed))
    files = {file["path"] for file in tarball["files"]}
    assert {"README.md", "dist/index.js", "dist/index.d.ts", "dist/validation.js"} <= files
    assert {path for path in files if not path.startswith("dist/")} == {"README.md", "package.json"}
    (project / "package.json").write_text(json.dumps({"name": "consumer", "private": True, "type": "module"}))
    _run(project, BIN / "npm", "install", "--no-audit", "--no-fund", packed / tarball["filename"])
    return project


@pytest.mark.parametrize("resolution", ["NodeNext", "bundler"])
def test_a_strict_program_compiles_against_it(installed: Path, resolution: str) -> None:
    module = "NodeNext" if resolution == "NodeNext" else "ESNext"
    options = {"target": "ES2022", "lib": ["ES2022", "DOM"], "types": [], "strict": True, "noEmit": True, "skipLibCheck": False}
    options |= {"module": module, "moduleResolution": resolution}
    (installed / "uses.ts").write_text(CONSUMER)
    (installed / "example.ts").write_text(first_example(SDK / "README.md", "ts"))
    (installed / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": ["uses.ts", "example.ts"]}))
    _run(installed, BIN / "node", ROOT / "node_modules" / "typescript" / "bin" / "tsc", "-p", "tsconfig.json")


def test_it_validates_where_nothing_else_is_installed(installed: Path) -> None:
    (installed / "validates.js").write_text(VALIDATES)
    violations = json.loads(_run(installed, BIN / "node", "validates.js"))
    assert [(each["fieldPath"], each["ruleId"]) for each in violations] == [("datasets", "required"), ("method", "required")]


def test_the_readmes_example_runs_as_it_is_written(installed: Path, stack: Stack) -> None:
    (installed / "example.ts").write_text(first_example(SDK / "README.md", "ts"))
    command = [BIN / "node", "--import", f"data:text/javascript,{PAGE}", "example.ts"]
    said = _run(installed, *command, PORT=str(stack.port)).splitlines()

    (job_id,) = {urlsplit(line).path.split("/")[3] for line in said if line.startswith("http")}
    job = stack.get(f"/v1/jobs/{job_id}")[1]["job"]
    assert job["state"] == "JOB_STATE_SUCCEEDED", job
    events = [event["message"] for event in stack.get(f"/v1/jobs/{job['id']}/events")[1]["events"]]
    artifacts = stack.get(f"/v1/jobs/{job['id']}/artifacts")[1]["artifacts"]
    assert len(artifacts) >= 2
    assert said == events + [f"http://127.0.0.1:{stack.port}{artifact['uri']}" for artifact in artifacts]
    for line, artifact in zip(said[len(events) :], artifacts, strict=True):
        assert _size(line) == int(artifact["size_bytes"])


def test_a_watch_over_a_network_that_breaks_has_no_gap_and_no_repeat(installed: Path, stack: Stack) -> None:
    (installed / "watches.js").write_text(WATCHES)
    with cutting(stack.port, seed=7) as proxy:
        told = json.loads(_run(installed, BIN / "node", "watches.js", PORT=str(stack.port), BROKEN_PORT=str(proxy.port)))
    assert stack.get(f"/v1/jobs/{told['id']}")[1]["job"]["state"] == "JOB_STATE_SUCCEEDED"
    assert told["breaks"] >= 5
    assert proxy.cuts >= told["breaks"]
    assert len(told["told"]) >= 5
    assert told["events"] == told["told"]
    assert len(told["stored"]) >= 12
    assert sorted(told["points"]) == sorted(told["stored"])


def _size(url: str) -> int:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    try:
        connection.request("GET", address.path)
        response = connection.getresponse()
        assert response.status == 200
        return len(response.read())
    finally:
        connection.close()


def _run(folder: Path, *command: object, **settings: str) -> str:
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"} | settings
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
