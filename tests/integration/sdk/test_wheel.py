"""The Python package as people get it: built, installed into an empty environment, and driven by its own README's example."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.integration.sdk.conftest import first_example
from tests.integration.whole_stack import ROOT, Stack

pytestmark = pytest.mark.integration

SDK = ROOT / "gateway" / "sdk" / "python"
# Building copies nothing but what is packed, and fetching a dozen small packages takes seconds.
BUILD_WITHIN_S = 120
INSTALL_WITHIN_S = 600
EXAMPLE_WITHIN_S = 300
# Fewer would need accept_warnings.
ROWS = 10


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built of a copy: what an earlier build left in the tree must not get into it."""
    folder = tmp_path_factory.mktemp("wheel")
    left = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    shutil.copytree(SDK, folder / "python", ignore=left)
    command = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "dist")]
    said(sys.executable, *command, str(folder / "python"), timeout=BUILD_WITHIN_S)
    (built,) = (folder / "dist").iterdir()
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment that holds the wheel and what it asks for, and nothing else."""
    return installed(tmp_path_factory.mktemp("environment"), wheel)


def test_the_wheel_holds_stubs_client_and_command_line_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = archive.read(next(name for name in archive.namelist() if name.endswith("METADATA"))).decode()
    source = {
        str(path.relative_to(SDK / "src"))
        for path in (SDK / "src").rglob("*")
        if path.suffix in (".py", ".pyi") or path.name == "py.typed"
    }
    assert packed == source
    assert {"buf/validate/validate_pb2.py", "tunesmith/client/_generated.py", "tunesmith/py.typed"} <= packed
    assert "Typing :: Typed" in metadata
    assert "client.upload_dataset" in metadata


def test_the_oldest_versions_that_it_allows_do(wheel: Path, tmp_path: Path) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in floors().items()))
    oldest = installed(tmp_path / "oldest", wheel, "--constraint", str(constraints))
    assert "providers" in said(str(oldest / "tunesmith"), "--help", timeout=60)
    said(str(oldest / "python"), "-c", "from tunesmith import *", timeout=60)


def test_the_floors_are_what_generated_code_asks_for() -> None:
    declared = floors()
    protobuf = versions(r"Protobuf Python Version: ([\d.]+)", "*_pb2.py")
    grpc = versions(r"GRPC_GENERATED_VERSION = '([\d.]+)'", "*_pb2_grpc.py")
    assert protobuf == {declared["protobuf"]}
    assert grpc == {declared["grpcio"]}
    assert declared["grpcio-status"] == declared["grpcio"]


def test_the_readmes_example_does_what_it_says(environment: Path, stack: Stack, tmp_path: Path) -> None:
    rows = [{"prompt": f"{number} + 1 =", "completion": f" {number + 1}"} for number in range(ROWS)]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    example = first_example(SDK / "README.md", "python")
    assert len([line for line in example.splitlines() if line]) <= 10
    (tmp_path / "example.py").write_text(example)

    shown = in_it(environment, stack, tmp_path, "python", "example.py")

    assert shown.splitlines()[0].startswith("0%")
    assert "100%" in shown
    written = {path.name for path in (tmp_path / "out" / "adapter").iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors"} <= written
    (job,) = json.loads(in_it(environment, stack, tmp_path, "tunesmith", "jobs", "list", "--limit", "1", "-o", "json"))["jobs"]
    assert job["state"] == "JOB_STATE_SUCCEEDED"


def test_the_command_line_is_there(environment: Path, stack: Stack, tmp_path: Path) -> None:
    assert "providers" in in_it(environment, stack, tmp_path, "tunesmith", "--help")
    assert in_it(environment, stack, tmp_path, "tunesmith", "jobs", "list").startswith("ID ")
    assert "local" in in_it(environment, stack, tmp_path, "tunesmith", "providers", "list")


def floors() -> dict[str, str]:
    """The oldest version of each dependency that the package allows."""
    declared = tomllib.loads((SDK / "pyproject.toml").read_text())["project"]["dependencies"]
    assert len(declared) >= 7
    return dict(one.split(">=") for one in declared)


def installed(folder: Path, wheel: Path, *options: str) -> Path:
    """The `bin` of a new environment with the wheel, its dependencies from the index."""
    said(sys.executable, "-m", "venv", str(folder), timeout=BUILD_WITHIN_S)
    pip = (str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check")
    said(*pip, *options, str(wheel), timeout=INSTALL_WITHIN_S)
    return folder / "bin"


def versions(pattern: str, files: str) -> set[str]:
    """What generated files say they were made by."""
    found = [re.search(pattern, path.read_text()) for path in (SDK / "src").rglob(files)]
    assert len(found) >= 6
    return {match[1] for match in found if match is not None}


def in_it(environment: Path, stack: Stack, folder: Path, program: str, *arguments: str) -> str:
    """What a program of the environment says, run where no file of this checkout is in reach."""
    settings = {"PATH": os.defpath, "HOME": str(folder), "TUNESMITH_PORT": str(stack.port)}
    return said(str(environment / program), *arguments, timeout=EXAMPLE_WITHIN_S, cwd=folder, env=settings)


def said(*command: str, timeout: float, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=cwd, env=env)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
