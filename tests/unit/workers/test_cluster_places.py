"""Where a cluster's actors stand, and what they are told to bring."""

from pathlib import Path
from typing import Any

import pytest

from services.chassis.settings import Settings
from workers import cluster as module
from workers.cluster import Cluster
from workers.crew import ClusterLost, Place
from workers.shipped_code import PACKAGES, is_elsewhere, shipped


def node(name: str, cpus: float, gpus: float = 0) -> dict[str, Any]:
    resources = {"CPU": cpus} | ({"GPU": gpus} if gpus else {})
    return {"NodeID": name, "Alive": True, "Resources": resources}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def of(*nodes: dict[str, Any], cpu_actors: int = 1, partitions: dict[str, list[str]] | None = None) -> list[Place]:
        made = Cluster(Settings(home=tmp_path, cpu_actors=cpu_actors), "pool")
        monkeypatch.setattr(module, "_alive_nodes", lambda: list(nodes))
        monkeypatch.setattr(Cluster, "_partitions_of", lambda self, one: (partitions or {}).get(one["NodeID"], []))
        return made.places()

    return of


def test_a_processor_is_one_place_that_has_all_of_it(places: Any) -> None:
    assert places(node("small", 2), node("large", 8)) == [Place(0, "", 8)]


def test_a_processor_is_divided_among_its_actors(places: Any) -> None:
    assert places(node("a", 8), cpu_actors=2) == [Place(0, "", 4), Place(1, "", 4)]


def test_each_gpu_is_a_place_and_the_processor_beside_them_one_more(places: Any) -> None:
    made = places(node("a", 9, 2), node("b", 4, 1))
    assert made == [
        Place(0, "a", 3, gpu=True),
        Place(1, "a", 3, gpu=True),
        Place(2, "b", 4, gpu=True),
        Place(3, "a", 3, only_without_gpu=True),
    ]


def test_a_machine_without_a_gpu_takes_what_needs_none(places: Any) -> None:
    assert places(node("a", 4, 1), node("big", 32)) == [Place(0, "a", 4, gpu=True), Place(1, "big", 32, only_without_gpu=True)]


def test_partitions_are_places_of_their_own(places: Any) -> None:
    made = places(node("a", 6, 1), partitions={"a": ["MIG-1", "MIG-2"]})
    found = [(place.partition, place.gpu, place.cpus) for place in made]
    assert found == [("MIG-1", True, 2), ("MIG-2", True, 2), ("", False, 2)]


def test_a_cluster_without_machines_is_lost(places: Any) -> None:
    with pytest.raises(ClusterLost):
        places()
    with pytest.raises(ClusterLost, match="yet"):
        places(node("head", 0))


@pytest.mark.parametrize(
    ("address", "elsewhere"),
    [
        ("auto", False),
        ("local", False),
        ("127.0.0.1:6379", False),
        ("localhost:6379", False),
        ("ray://127.0.0.1:10001", False),
        ("ray://[::1]:10001", False),
        ("10.0.0.7:6379", True),
        ("ray://raycluster-head-svc:10001", True),
        ("ray://raycluster-head-svc.default.svc.cluster.local:10001", True),
    ],
)
def test_code_is_sent_to_other_machines(address: str, elsewhere: bool) -> None:
    assert is_elsewhere(address) is elsewhere


def test_every_package_of_ours_is_sent_whole() -> None:
    folders = [Path(folder) for folder in shipped()["py_modules"]]
    assert [folder.name for folder in folders] == list(PACKAGES) == ["workers", "services", "tunesmith"]
    assert all((folder / "__init__.py").exists() or folder.name == "tunesmith" for folder in folders)
    assert (folders[2] / "worker" / "v1" / "worker_service_pb2.py").exists()
