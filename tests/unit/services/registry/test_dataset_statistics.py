"""What is counted of datasets: once for each tokenizer, by a process of its own, and kept."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import grpc
import psutil
import pytest
from tunesmith.registry.v1 import dataset_statistics_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages

from services.registry.service import build
from services.registry.usecases import count_dataset
from tests.fakes.server import running
from tests.unit.services.registry.conftest import House, RegistryServiceStub, failure, reason_of
from tests.unit.services.registry.models import write_model
from tests.unit.services.registry.statistics.tokenizers_made import write_tokenizer

ROWS = b"".join(b'{"prompt": "the quick brown fox %d", "completion": "jumps"}\n' % (index % 30) for index in range(40))
TALK = {"messages": [{"role": "user", "content": "fox"}, {"role": "assistant", "content": "dog"}]}


async def statistics(house: House, dataset_id: str, base_model: str = "") -> dataset_statistics_pb2.DatasetStatistics:
    request = messages.GetDatasetStatisticsRequest(id=dataset_id, base_model=base_model)
    return (await house.stub.GetDatasetStatistics(request)).statistics


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokenizers of the counts that were begun."""
    begun: list[str] = []
    real = count_dataset.count_in_process

    async def noted(task: count_dataset.Task) -> dataset_statistics_pb2.DatasetStatistics:
        begun.append(task.tokenizer)
        return await real(task)

    monkeypatch.setattr(count_dataset, "count_in_process", noted)
    return begun


async def model_with_tokenizer(house: House, name: str, *, template: bool = True) -> str:
    """The id of a base model whose tokenizer is real."""
    folder = write_model(house.imports / name, tokenizer={"chat_template": "x"} if template else {})
    write_tokenizer(folder / "tokenizer.json")
    return (await house.create(local_folder=str(folder), hub_repo=f"test/{name}")).id


async def test_an_estimate_is_counted_once_and_names_no_model(house: House, counted: list[str]) -> None:
    dataset = await house.upload(ROWS)
    first = await statistics(house, dataset.id)
    assert (first.dataset_id, first.row_count, first.sampled_row_count) == (dataset.id, 40, 40)
    assert (first.duplicate_row_count, first.tokenizer_base_model_id) == (10, "")
    assert first.token_count == dataset.estimated_token_count
    assert first.create_time.seconds > 1_700_000_000
    assert await statistics(house, dataset.id) == first
    assert counted == [""]


async def test_a_model_s_tokenizer_counts_and_models_of_one_tokenizer_share_what_was_counted(
    house: House, counted: list[str]
) -> None:
    dataset = await house.upload(ROWS)
    one, two = await model_with_tokenizer(house, "one"), await model_with_tokenizer(house, "two")
    first = await statistics(house, dataset.id, one)
    assert first.tokenizer_base_model_id == one and first.token_count != (await statistics(house, dataset.id)).token_count
    by_name = await statistics(house, dataset.id, "test/two")
    assert by_name.tokenizer_base_model_id == two
    by_name.tokenizer_base_model_id = one
    assert by_name == first
    assert len(counted) == 2


async def test_turns_are_longer_where_there_is_a_chat_template(house: House) -> None:
    dataset = await house.upload(json.dumps(TALK).encode())
    chat = await statistics(house, dataset.id, await model_with_tokenizer(house, "chat"))
    plain = await statistics(house, dataset.id, await model_with_tokenizer(house, "plain", template=False))
    assert chat.token_count == plain.token_count + 10
    assert dict(chat.role_counts) == {"user": 1, "assistant": 1} and chat.mean_turns == 2


async def test_a_model_without_its_files_here_is_estimated_for(house: House, counted: list[str]) -> None:
    dataset = await house.upload(ROWS)
    model = await model_with_tokenizer(house, "one")
    (house.settings.home / "models" / model / "tokenizer.json").unlink()
    found = await statistics(house, dataset.id, model)
    assert found.tokenizer_base_model_id == "" and counted == [""]
    assert found.token_count == dataset.estimated_token_count


async def test_a_tokenizer_that_is_none_is_told_with_the_way_out(house: House) -> None:
    dataset = await house.upload(ROWS)
    model = await house.create(local_folder=str(write_model(house.imports / "broken")))
    error = await failure(statistics(house, dataset.id, model.id))
    assert reason_of(error) == "TOKENIZER_UNREADABLE" and "leave base_model unset for an estimate" in error.details()


async def test_a_model_nobody_knows_is_told(house: House) -> None:
    dataset = await house.upload(ROWS)
    assert (await failure(statistics(house, dataset.id, "nobody/nothing"))).code() == grpc.StatusCode.NOT_FOUND


async def test_rows_changed_on_the_disk_are_told(house: House) -> None:
    dataset = await house.upload(ROWS)
    path = house.settings.home / "datasets" / dataset.id / "rows.jsonl"
    path.write_bytes(b"{")
    error = await failure(statistics(house, dataset.id))
    assert reason_of(error) == "ROWS_UNREADABLE" and "line 1 is not JSON any more; verify the dataset" in error.details()
    path.unlink()
    assert reason_of(await failure(statistics(house, dataset.id))) == "FILE_MISSING"


async def test_who_asks_while_it_is_counted_waits_for_the_same_count(house: House, counted: list[str]) -> None:
    dataset = await house.upload(ROWS)
    answers = await asyncio.gather(*(statistics(house, dataset.id) for _ in range(8)))
    assert all(answer == answers[0] for answer in answers) and counted == [""]


async def test_what_was_counted_outlives_the_service(house: House, home: Path, counted: list[str]) -> None:
    dataset = await house.upload(ROWS)
    first = await statistics(house, dataset.id)
    async with running(await build(house.settings), f"unix:{home}/second") as channel:
        second = replace(house, stub=RegistryServiceStub(channel))
        assert await statistics(second, dataset.id) == first
    assert counted == [""]


async def test_other_calls_are_answered_while_rows_are_counted_and_no_process_is_left(house: House) -> None:
    dataset = await house.upload(*[b"".join(b'{"text": "%d"}\n' % index for index in range(3000))] * 20)
    counting = asyncio.create_task(statistics(house, dataset.id))
    answered = 0
    while not counting.done():
        await house.stub.GetDataset(messages.GetDatasetRequest(id=dataset.id))
        answered += 1
    assert answered > 20
    assert (await counting).duplicate_row_count == 57_000
    children = [" ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)]
    assert [command for command in children if "services.registry.statistics" in command] == []
