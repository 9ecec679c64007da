"""Datasets made of datasets, through the service's door."""

import asyncio
import json

import pytest
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages

from tests.unit.services.registry.conftest import House, failure, reason_of, violations_of

ALPACA = b'{"instruction": "Add", "input": "", "output": "3", "id": 1}\n{"instruction": "Hi", "input": "you", "output": "x"}\n'
TALK = [{"role": role, "content": str(index)} for index, role in enumerate(["user", "assistant"] * 2)]
MIXED = b"".join(json.dumps({"messages": TALK[:length]}).encode() + b"\n" for length in (2, 4, 2, 4))


async def convert(house: House, dataset: dataset_pb2.Dataset, target: str, **fields: object) -> messages.ConvertDatasetResponse:
    request = messages.ConvertDatasetRequest(id=dataset.id, target=f"CONVERSION_TARGET_{target}", **fields)
    return await house.stub.ConvertDataset(request)


async def test_a_converted_dataset_is_a_dataset_that_knows_its_parent(house: House) -> None:
    parent = await house.upload(ALPACA, display_name="Sums")
    response = await convert(house, parent, "MESSAGES")
    made = response.dataset
    assert (response.skipped_row_count, list(response.skipped_rows)) == (0, [])
    assert (made.display_name, made.version, made.parent_id) == ("Sums (messages)", 1, parent.id)
    assert (made.format, made.row_count) == (dataset_pb2.DATASET_FORMAT_MESSAGES, 2)
    assert made.integrity.status == dataset_pb2.INTEGRITY_STATUS_VERIFIED and made.estimated_token_count > 0
    assert {column.name: column.value_count for column in made.columns} == {"messages": 2, "id": 1}
    first, second = map(json.loads, (await house.rows(made.id)).splitlines())
    assert first == {"messages": [{"role": "user", "content": "Add"}, {"role": "assistant", "content": "3"}], "id": 1}
    assert second["messages"][0]["content"] == "Hi\n\nyou"
    assert (await house.stub.GetDataset(messages.GetDatasetRequest(id=made.id))).dataset == made
    assert await house.rows(parent.id) == ALPACA
    assert (await convert(house, parent, "MESSAGES")).dataset.version == 2
    assert (await convert(house, parent, "MESSAGES", display_name="Sums")).dataset.version == 2


async def test_the_parent_stays_named_when_it_is_gone(house: House) -> None:
    parent = await house.upload(ALPACA)
    made = (await convert(house, parent, "SHAREGPT")).dataset
    await house.stub.DeleteDataset(messages.DeleteDatasetRequest(id=parent.id))
    assert (await house.stub.GetDataset(messages.GetDatasetRequest(id=made.id))).dataset.parent_id == parent.id


async def test_rows_that_do_not_fit_are_named_and_nothing_is_stored(house: House) -> None:
    dataset = await house.upload(MIXED)
    before = house.stored()
    violations = violations_of(await failure(convert(house, dataset, "ALPACA")))
    assert violations[0][0] == "skip_unfit_rows"
    assert [text for field, text in violations[1:] if field == "target"] == [
        f"line {line}: is a conversation of user, assistant, user, assistant, and Alpaca rows hold one user's turn and one answer"
        for line in (2, 4)
    ]
    assert house.stored() == before


async def test_rows_that_do_not_fit_are_left_out_on_request(house: House) -> None:
    dataset = await house.upload(MIXED)
    response = await convert(house, dataset, "PROMPT_COMPLETION", skip_unfit_rows=True)
    assert (response.dataset.row_count, response.skipped_row_count) == (2, 2)
    assert [text.partition(":")[0] for text in response.skipped_rows] == ["line 2", "line 4"]
    assert await house.rows(response.dataset.id) == b'{"prompt":"0","completion":"1"}\n' * 2


async def test_of_many_rows_that_do_not_fit_the_first_are_named(house: House) -> None:
    dataset = await house.upload(MIXED * 50)
    response = await convert(house, dataset, "ALPACA", skip_unfit_rows=True)
    assert (response.skipped_row_count, len(response.skipped_rows)) == (100, 20)


async def test_where_no_row_fits_nothing_is_made(house: House) -> None:
    dataset = await house.upload(b'{"text": "Once upon a time"}\n' * 30)
    before = house.stored()
    error = await failure(convert(house, dataset, "MESSAGES", skip_unfit_rows=True))
    assert reason_of(error) == "NO_ROW_FITS" and "line 1: is not ChatML" in error.details()
    assert violations_of(await failure(convert(house, dataset, "MESSAGES")))[0][0] == "skip_unfit_rows"
    assert house.stored() == before


async def test_a_row_that_would_be_too_long_does_not_fit(house: House) -> None:
    # As messages it has longer names than as prompt and completion.
    row = json.dumps({"prompt": "x" * 99_950, "completion": "y"}, separators=(",", ":")).encode()
    assert len(row) <= 100_000
    dataset = await house.upload(row + b"\n" + b'{"prompt": "a", "completion": "b"}\n')
    response = await convert(house, dataset, "MESSAGES", skip_unfit_rows=True)
    assert list(response.skipped_rows) == ["line 1: is longer than 100000 bytes; split the row, or raise TUNESMITH_MAX_ROW_BYTES"]


async def test_a_repeated_request_makes_one_dataset(house: House) -> None:
    dataset = await house.upload(ALPACA)
    answers = await asyncio.gather(*(convert(house, dataset, "MESSAGES", request_id="one") for _ in range(5)))
    assert len({answer.dataset.id for answer in answers}) == 1
    assert house.stored()[0] == 2
    assert reason_of(await failure(convert(house, dataset, "SHAREGPT", request_id="one"))) == "REQUEST_ID_REUSED"


async def test_a_long_name_keeps_the_target_s(house: House) -> None:
    dataset = await house.upload(ALPACA, display_name="n" * 128)
    name = (await convert(house, dataset, "CHATML_TEXT")).dataset.display_name
    assert len(name) == 128 and name.endswith("nnn (ChatML)")


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"display_name": "a\nb"}, "display_name"), ({"target": 0}, "target"), ({"target": 99}, "target")],
)
async def test_a_request_that_is_wrong_names_its_field(house: House, fields: dict[str, object], field: str) -> None:
    dataset = await house.upload(ALPACA)
    request = messages.ConvertDatasetRequest(**{"id": dataset.id, "target": 1, **fields})
    assert violations_of(await failure(house.stub.ConvertDataset(request)))[0][0] == field


async def test_rows_that_are_no_conversations_are_told(house: House) -> None:
    dataset = await house.upload(b'{"user_id": 1, "item_id": 2}\n')
    ((field, text),) = violations_of(await failure(convert(house, dataset, "MESSAGES")))
    assert field == "target" and text.startswith("rows of INTERACTIONS are no conversations")
