"""Imports point one way: generated code <- chassis <- services, workers. Imports inside functions count as well."""

import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("services", "workers", "supervisor", "starter")
CLI, CLIENT = "tunesmith.cli", "tunesmith.client"
SERVICES = {"job", "parameter", "preflight", "provider", "registry"}
# Each takes seconds to import and hundreds of megabytes to hold.
TORCH_FAMILY = {"torch", "transformers", "peft", "trl", "bitsandbytes", "accelerate"}
HEAVY = {*TORCH_FAMILY, "ray"}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, "tunesmith", include_external_packages=True, cache_dir=None)


def test_the_graph_has_every_file(graph: grimp.ImportGraph) -> None:
    files = {
        _module(path)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        # Alembic runs these as scripts.
        if "migrations" not in path.parts
    }
    assert len(files) >= 50
    # A folder without __init__.py would be left out, and then nothing that it imports would count.
    assert files - graph.modules == set()


def test_the_services_are_those_we_know(graph: grimp.ImportGraph) -> None:
    packages = {child for child in graph.find_children("services") if graph.find_children(child)}
    assert packages == {f"services.{name}" for name in (*SERVICES, "chassis")}


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_service_imports_no_other(graph: grimp.ImportGraph, service: str) -> None:
    allowed = (f"services.{service}", "services.chassis")
    assert [line for line in _imports(graph, f"services.{service}", "services") if not _below(line[1], *allowed)] == []


def test_the_chassis_imports_nothing_of_ours(graph: grimp.ImportGraph) -> None:
    ours = [line for package in PACKAGES for line in _imports(graph, "services.chassis", package)]
    assert [line for line in ours if not _below(line[1], "services.chassis")] == []


def test_of_workers_services_import_only_the_providers(graph: grimp.ImportGraph) -> None:
    assert [line for line in _imports(graph, "services", "workers") if not _below(line[1], "workers.providers")] == []


def test_of_services_workers_import_only_the_chassis(graph: grimp.ImportGraph) -> None:
    assert [line for line in _imports(graph, "workers", "services") if not _below(line[1], "services.chassis")] == []


def test_providers_import_no_service(graph: grimp.ImportGraph) -> None:
    assert _imports(graph, "workers.providers", "services") == []


@pytest.mark.parametrize("package", ["services", "workers.providers", "supervisor", "starter", CLI, CLIENT])
def test_what_must_stay_light_leads_to_nothing_heavy(graph: grimp.ImportGraph, package: str) -> None:
    chains = {
        heavy: graph.find_shortest_chains(importer=package, imported=heavy, as_packages=True) for heavy in HEAVY & graph.modules
    }
    assert {heavy: chain for heavy, chain in chains.items() if chain} == {}


def test_only_training_and_estimating_import_the_torch_family(graph: grimp.ImportGraph) -> None:
    importers = {importer for name in TORCH_FAMILY & graph.modules for importer in graph.find_modules_that_directly_import(name)}
    assert {"torch", "transformers"} <= graph.modules
    allowed = ("workers.training", "workers.estimating", "workers.export", "workers.distributed")
    assert [importer for importer in sorted(importers) if not _below(importer, *allowed)] == []


def test_the_python_package_needs_nothing_else_of_this_tree(graph: grimp.ImportGraph) -> None:
    assert _modules(graph, CLI)
    assert _modules(graph, CLIENT)
    assert [line for package in PACKAGES for line in _imports(graph, "tunesmith", package)] == []


def test_the_client_needs_no_command_line(graph: grimp.ImportGraph) -> None:
    assert _imports(graph, CLIENT, CLI) == []


def test_the_python_package_imports_only_what_it_declares(graph: grimp.ImportGraph) -> None:
    modules = {"tunesmith", "tunesmith.reference", *_modules(graph, CLIENT), *_modules(graph, CLI)}
    imported = {name.partition(".")[0] for module in modules for name in graph.find_modules_directly_imported_by(module)}
    # gateway/sdk/python/pyproject.toml: googleapis-common-protos and protobuf are both `google`; protovalidate is an extra.
    declared = {"google", "grpc", "grpc_status", "protovalidate", "rich", "tunesmith", "typer", "yaml"}
    assert imported - sys.stdlib_module_names == declared


@pytest.mark.parametrize("module", ["services.job.service", "services.registry.service", "workers.agent", "tunesmith.cli.main"])
def test_importing_it_loads_nothing_heavy(module: str) -> None:
    heavy = {*TORCH_FAMILY, "ray"} if not module.startswith("workers") else TORCH_FAMILY
    program = f"import sys, {module}; print(*sorted({heavy!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (run.returncode, run.stdout.strip(), run.stderr[-2000:]) == (0, "", "")


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _modules(graph: grimp.ImportGraph, package: str) -> set[str]:
    return {package, *graph.find_descendants(package)} if package in graph.modules else set()


def _below(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _imports(graph: grimp.ImportGraph, package: str, imported: str) -> list[tuple[str, str]]:
    """Each import of something below `imported` by something below `package`."""
    return sorted(
        (module, name)
        for module in _modules(graph, package)
        for name in graph.find_modules_directly_imported_by(module)
        if _below(name, imported)
    )
