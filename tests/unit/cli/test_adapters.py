"""`tunesmith adapters`, against a real registry."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tunesmith.client.blocking import Tunesmith
from tunesmith.registry.v1 import adapter_pb2

from tests.unit.cli.real import MODEL, Ask, command_line
from tests.unit.services.registry.adapters.files import CONFIG, WEIGHTS, lora, packed, prompt, tensors


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Ask, Tunesmith]]:
    with command_line(monkeypatch) as made:
        yield made


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, body in files.items():
        (folder / name).write_bytes(body)
    return folder


def test_an_adapter_from_its_folder_to_its_end(room: tuple[Ask, Tunesmith], tmp_path: Path) -> None:
    run, client = room
    assert "tunesmith adapters upload" in run("adapters", "list").stderr
    files = {**lora(), "optimizer.pt": b"\x80never sent", "tokenizer.json": b"{}"}
    uploaded = run("adapters", "upload", str(write(tmp_path / "mine", files)), "--base-model", MODEL, "--name", "code")
    assert uploaded.exit_code == 0, uploaded.stderr
    [adapter] = client.adapters.list_adapters().adapters
    assert (adapter.display_name, adapter.rank, len(adapter.files)) == ("code", 2, 2)
    listed = run("adapters", "list", "--type", "lora", "--base-model", MODEL).stdout.splitlines()
    assert listed[1].startswith(f"{adapter.id}  code")
    assert "q_proj, v_proj" in run("adapters", "show", "code").stdout
    downloaded = run("adapters", "download", "code", "--to", str(tmp_path / "out"))
    assert downloaded.exit_code == 0, downloaded.stderr
    assert (tmp_path / "out" / WEIGHTS).read_bytes() == files[WEIGHTS]
    assert json.loads((tmp_path / "out" / CONFIG).read_text())["base_model_name_or_path"] == MODEL
    (tmp_path / "out" / CONFIG).write_text("mine")
    in_the_way = run("adapters", "download", adapter.id, "--to", str(tmp_path / "out"))
    assert in_the_way.exit_code == 1 and "--overwrite" in in_the_way.stderr
    assert run("adapters", "download", adapter.id, "--to", str(tmp_path / "out"), "--overwrite").exit_code == 0
    assert run("adapters", "delete", "code").exit_code == 0
    assert run("adapters", "show", adapter.id).exit_code == 3


def test_several_become_one(room: tuple[Ask, Tunesmith], tmp_path: Path) -> None:
    run, client = room
    for seed, name in enumerate(("code", "math")):
        (tmp_path / f"{name}.tar").write_bytes(packed(lora(weights=tensors(seed=seed))))
        run("adapters", "upload", str(tmp_path / f"{name}.tar"), "--base-model", MODEL, "--name", name)
    composed = run("adapters", "compose", "code=0.7", "math=-0.3", "--name", "both", "-o", "json")
    assert composed.exit_code == 0, composed.stderr
    components = json.loads(composed.stdout)["adapter"]["lineage"]["components"]
    assert [one["weight"] for one in components] == [0.7, -0.3]
    assert client.adapters.get_adapter(id=json.loads(composed.stdout)["adapter"]["id"]).adapter.rank == 4
    assert "0.7 × " in run("adapters", "show", "both").stdout
    assert run("adapters", "compose", "code", "math=1", "--name", "plain").exit_code == 0


def test_what_is_not_one_adapter_is_told(room: tuple[Ask, Tunesmith], tmp_path: Path) -> None:
    run, client = room
    (tmp_path / "soft.tar").write_bytes(packed(prompt()))
    for _ in range(2):
        assert run("adapters", "upload", str(tmp_path / "soft.tar"), "--base-model", MODEL, "--name", "soft").exit_code == 0
    assert "several adapters" in run("adapters", "show", "soft").stderr
    assert run("adapters", "show", "nothing").exit_code == 3
    for bad in ("=1", "soft=a", "soft=nan"):
        assert "write NAME=0.5" in run("adapters", "compose", bad, "b=1").stderr
    ids = [adapter.id for adapter in client.adapters.list_adapters(type=adapter_pb2.ADAPTER_TYPE_PROMPT).adapters]
    refused = run("adapters", "compose", *(f"{one}=1" for one in ids))
    assert refused.exit_code == 2 and "ADAPTER_TYPE_PROMPT" in refused.stderr
    assert "--base-model is required" in run("adapters", "add", str(tmp_path)).stderr
    no_adapter = run("adapters", "upload", str(tmp_path), "--base-model", MODEL)
    assert no_adapter.exit_code == 2 and f"has no {CONFIG}" in no_adapter.stderr
