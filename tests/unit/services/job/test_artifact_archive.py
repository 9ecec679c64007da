"""A set as one tar archive: what tar unpacks is what was stored, and a broken set is no archive."""

import asyncio
import hashlib
import io
import os
import subprocess
import tarfile
from pathlib import Path

import grpc
import pytest
from tunesmith.job.v1 import artifact_pb2, job_service_pb2
from tunesmith.worker.v1 import worker_service_pb2 as door

from tests.unit.services.job.conftest import House

MIB = 1024 * 1024
# Sizes around a block and around a chunk, an empty file, names that need an extended header.
FILES = {
    "adapter_config.json": b"{}",
    "empty": b"",
    "block": b"b" * 512,
    "block-and-one": b"b" * 513,
    "chunk": bytes(range(256)) * 4096,
    "adapter_model.safetensors": os.urandom(3 * MIB + 17),
    f"deep/{'long-name-' * 20}.txt": b"long",
}


async def store(house: House, lease: door.LeaseToken, files: dict[str, bytes], name: str = "adapter", step: int = 3) -> None:
    kind = artifact_pb2.ARTIFACT_KIND_ADAPTER
    header = door.ArtifactSetHeader(lease=lease, kind=kind, name=name, step=step, file_count=len(files))
    parts = [door.WriteArtifactSetRequest(set=header)]
    for path, body in files.items():
        file = door.ArtifactFileHeader(path=path, size_bytes=len(body), sha256=hashlib.sha256(body).hexdigest())
        parts.append(door.WriteArtifactSetRequest(file=file))
        parts += [door.WriteArtifactSetRequest(chunk=body[start : start + MIB]) for start in range(0, len(body), MIB)]
    await house.worker.WriteArtifactSet(iter(parts))


async def artifacts(house: House, job_id: str) -> list[artifact_pb2.Artifact]:
    return list((await house.jobs.ListArtifacts(job_service_pb2.ListArtifactsRequest(job_id=job_id))).artifacts)


def download(house: House, artifact_id: str) -> grpc.aio.UnaryStreamCall:
    return house.jobs.DownloadArtifactSet(job_service_pb2.DownloadArtifactSetRequest(artifact_id=artifact_id))


async def test_an_archive_has_the_files_of_its_set_and_no_other(house: House, tmp_path: Path) -> None:
    job = await house.create()
    lease = (await house.lease()).lease
    await store(house, lease, FILES)
    await store(house, lease, {"other": b"other"}, name="checkpoint-2")
    listed = {artifact.path: artifact for artifact in await artifacts(house, job.id)}
    assert len(listed) == len(FILES) + 1
    call = download(house, listed["adapter/empty"].id)
    messages = [response.data async for response in call]
    assert {message.content_type for message in messages} == {"application/x-tar"}
    assert max(len(message.data) for message in messages) < MIB + 10_240
    disposition = dict(await call.initial_metadata())["content-disposition"]
    assert disposition == f'attachment; filename="adapter-{job.id[:8]}.tar"'

    body = b"".join(message.data for message in messages)
    assert len(body) % tarfile.RECORDSIZE == 0
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        found = {info.name: (info, archive.extractfile(info).read()) for info in archive}
    assert {path: content for path, (_, content) in found.items()} == {f"adapter/{path}": body for path, body in FILES.items()}
    for info, content in found.values():
        assert hashlib.sha256(content).hexdigest() == listed[info.name].sha256
        assert (info.mode, info.uname, info.gname, info.uid, info.gid, info.type) == (0o644, "", "", 0, 0, tarfile.REGTYPE)
        assert info.mtime == listed[info.name].create_time.seconds
    # Another program than the one whose module made it.
    (tmp_path / "out").mkdir()
    await asyncio.to_thread(subprocess.run, ["tar", "xf", "-", "-C", str(tmp_path / "out")], input=body, check=True)
    assert (tmp_path / "out/adapter/adapter_model.safetensors").read_bytes() == FILES["adapter_model.safetensors"]
    assert len([path for path in (tmp_path / "out").rglob("*") if path.is_file()]) == len(FILES)


async def test_a_set_that_is_not_there(house: House) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await download(house, "nothing").read()
    assert failure.value.code() == grpc.StatusCode.NOT_FOUND
    assert "artifact 'nothing' does not exist" in failure.value.details()


@pytest.mark.parametrize(("damage", "reason"), [("gone", "is gone from the server's disk"), ("cut", "restore the home folder")])
async def test_a_set_with_a_broken_file_is_refused_before_its_first_byte(house: House, damage: str, reason: str) -> None:
    job = await house.create()
    await store(house, (await house.lease()).lease, {"a": b"a" * MIB, "b": b"b" * 100})
    first, last = await artifacts(house, job.id)
    path = house.home / "artifacts" / job.id / last.id
    path.unlink() if damage == "gone" else path.write_bytes(b"b")
    call = download(house, first.id)
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call.read()
    assert failure.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert reason in failure.value.details()
    assert "content-disposition" not in dict(await call.initial_metadata())


async def test_a_client_that_leaves_ends_the_reading(house: House) -> None:
    job = await house.create()
    await store(house, (await house.lease()).lease, {"large": bytes(64 * MIB), "next": bytes(64 * MIB)})
    artifact, _ = await artifacts(house, job.id)
    call = download(house, artifact.id)
    assert len((await call.read()).data.data) > MIB
    assert _open_below(house.home / "artifacts") == 1
    call.cancel()
    for _ in range(100):
        if not _open_below(house.home / "artifacts"):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the file is still open five seconds after the client left")


def _open_below(folder: Path) -> int:
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            count += str(link.readlink()).startswith(str(folder))
        except FileNotFoundError:
            continue
    return count
