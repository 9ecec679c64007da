"""Adapters through both clients: a folder becomes an archive while it is sent, and comes back as it is stored."""

import asyncio
import io
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tunesmith import AsyncTunesmith, InvalidArgument, Tunesmith
from tunesmith.client.folder_archive import FolderArchive
from tunesmith.client.requests import request_of
from tunesmith.registry.v1 import adapter_pb2
from tunesmith.registry.v1.adapter_service_pb2 import ComposeAdaptersRequest, UpdateAdapterRequest

from tests.fakes.real_registry import RealRegistry, real_registry
from tests.unit.services.registry.adapters.files import CONFIG, WEIGHTS, lora, packed
from tests.unit.services.registry.models import write_model

MODEL = "me/tiny"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[RealRegistry]:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with tempfile.TemporaryDirectory(prefix="tsc-") as folder, real_registry(Path(folder)) as made:
        with Tunesmith(made.address) as client:
            client.registry.create_base_model(local_folder=str(write_model(made.imports / "tiny")), hub_repo=MODEL)
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "adapter"
    source.mkdir()
    for name, body in {**lora(), "README.md": b"# mine" * 300, "optimizer.pt": b"\x80"}.items():
        (source / name).write_bytes(body)
    return source


@pytest.mark.parametrize("length", [1, 700, 1_000_000])
def test_a_folder_reads_as_an_archive(folder: Path, length: int) -> None:
    stream = io.BufferedReader(FolderArchive(folder), 4096)
    body = b"".join(iter(lambda: stream.read(length), b""))
    assert len(body) == FolderArchive(folder).size_bytes
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        found = {info.name: archive.extractfile(info).read() for info in archive}  # type: ignore[union-attr]
    assert found == {name: (folder / name).read_bytes() for name in (CONFIG, WEIGHTS, "README.md")}


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=f"has no {CONFIG}"):
        FolderArchive(tmp_path)


def test_up_and_down(registry: RealRegistry, folder: Path, tmp_path: Path) -> None:
    sent: list[int] = []
    with Tunesmith(registry.address) as client:
        adapter = client.upload_adapter(folder, base_model=MODEL, display_name="mine", description="d", progress=sent.append)
        assert sent[-1] == FolderArchive(folder).size_bytes
        assert (adapter.display_name, adapter.description) == ("mine", "d")
        there: list[int] = []
        written = client.download_adapter(adapter.id, tmp_path / "out", progress=there.append)
        assert there[-1] == adapter.size_bytes and len(written) == 3
        assert (tmp_path / "out" / WEIGHTS).read_bytes() == (folder / WEIGHTS).read_bytes()
        with pytest.raises(InvalidArgument, match="no tar archive"):
            client.upload_adapter(io.BytesIO(b"x"), base_model=MODEL)


def test_up_and_down_of_an_event_loop(registry: RealRegistry, folder: Path, tmp_path: Path) -> None:
    async def both() -> None:
        async with AsyncTunesmith(registry.address) as client:
            first = await client.upload_adapter(folder, base_model=MODEL)
            second = await client.upload_adapter(io.BytesIO(packed(lora())), base_model=MODEL)
            components = [adapter_pb2.AdapterWeight(adapter_id=first.id, weight=0.5), {"adapter_id": second.id}]
            total = (await client.adapters.compose_adapters(components=components)).adapter
            assert [one.weight for one in total.lineage.components] == [0.5, 1.0]
            written = await client.download_adapter(total.id, tmp_path / "out")
            assert {path.name for path in written} == {CONFIG, WEIGHTS}
            changed = await client.adapters.update_adapter(id=total.id, metrics={"accuracy": 0.5})
            assert dict(changed.adapter.metrics) == {"accuracy": 0.5}

    asyncio.run(both())


def test_lists_of_messages_and_maps_in_requests() -> None:
    request = request_of(ComposeAdaptersRequest, components=(adapter_pb2.AdapterWeight(adapter_id="a", weight=0),))
    assert request.components[0].HasField("weight") and request.components[0].weight == 0
    with pytest.raises(InvalidArgument, match=r"components\[1\]: takes a AdapterWeight; got a Adapter"):
        request_of(ComposeAdaptersRequest, components=[{"adapter_id": "a"}, adapter_pb2.Adapter()])
    with pytest.raises(InvalidArgument, match=r"metrics\.x: takes a number; got 'high'"):
        request_of(UpdateAdapterRequest, id="a", metrics={"x": "high"})
