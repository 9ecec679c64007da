"""What a crash leaves behind is finished or removed at the next start, and nothing else is touched."""

from pathlib import Path

from services.chassis.ids import new_id
from services.registry.service import build
from services.registry.shelf import Shelf
from tests.fakes.server import running
from tests.unit.services.registry.conftest import House, RegistryServiceStub

ROWS = b'{"text": "a"}\n'


def test_a_folder_is_seen_only_when_it_is_whole(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    incoming = shelf.begin()
    (incoming.path / "file").write_text("a")
    folder_id = incoming.seal()
    assert not shelf.path(folder_id).exists()
    incoming.publish()
    incoming.discard()
    assert (shelf.path(folder_id) / "file").read_text() == "a"


def test_leftovers_are_finished_if_they_are_recorded_and_removed_if_not(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    published = shelf.begin()
    published_id = published.seal()
    published.publish()
    recorded_id = shelf.begin().seal()
    shelf.begin().seal()
    shelf.begin()
    assert shelf.recover({recorded_id, published_id}) == (1, 2)
    assert shelf.path(recorded_id).is_dir() and list((tmp_path / ".incoming").iterdir()) == []
    # With another database nothing is known, and still nothing that was published is removed.
    assert shelf.recover(set()) == (0, 0)
    assert shelf.path(published_id).is_dir()


async def test_a_dataset_recorded_just_before_a_crash_is_whole_after_it(house: House, home: Path) -> None:
    dataset = await house.upload(ROWS)
    datasets = house.settings.home / "datasets"
    # As if the crash had come between the commit and the renaming.
    (datasets / dataset.id).rename(datasets / ".incoming" / dataset.id)
    (datasets / ".incoming" / new_id()).mkdir()
    async with running(await build(house.settings), f"unix:{home}/second") as channel:
        second = House(RegistryServiceStub(channel), house.jobs, house.inquiries, house.settings, house.imports)
        assert await second.rows(dataset.id) == ROWS
        assert second.stored() == (1, 0, ["rows.jsonl"])
        assert list((datasets / ".incoming").iterdir()) == []
