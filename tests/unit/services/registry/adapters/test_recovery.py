"""What a crash leaves behind of adapters is finished or removed at the next start."""

from pathlib import Path

from tunesmith.registry.v1.adapter_service_pb2_grpc import AdapterServiceStub

from services.chassis.ids import new_id
from services.registry.service import build
from tests.fakes.server import running
from tests.unit.services.registry.adapters.conftest import Room
from tests.unit.services.registry.adapters.files import WEIGHTS, lora, packed


async def test_an_adapter_recorded_just_before_a_crash_is_whole_after_it(room: Room, home: Path) -> None:
    files = lora()
    adapter = await room.upload(packed(files))
    deleted = await room.upload(packed(files))
    shelf = room.house.settings.home / "adapters"
    # As if the crash had come between the commit and the renaming.
    for one in (adapter, deleted):
        (shelf / one.id).rename(shelf / ".incoming" / one.id)
    (shelf / ".incoming" / new_id()).mkdir()
    async with running(await build(room.house.settings), f"unix:{home}/second") as channel:
        second = Room(AdapterServiceStub(channel), room.house, room.model)
        assert await second.content(adapter, WEIGHTS) == files[WEIGHTS]
        assert len(second.files()) == 4
        assert list((shelf / ".incoming").iterdir()) == []
