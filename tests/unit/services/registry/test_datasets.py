"""Datasets through the service's door."""

import asyncio
import hashlib
import json
import pickle
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import pytest
from google.api import httpbody_pb2
from google.protobuf import json_format
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages

from services.chassis.database import Database
from services.chassis.errors import InvalidArgument
from services.registry.ingest.intake import Limits
from services.registry.shelf import Shelf
from services.registry.usecases.upload_dataset import upload_dataset
from tests.unit.services.registry.conftest import MAX_DATASET_BYTES, House, failure, reason_of, violations_of

ROWS = b'{"text": "a"}\n{"text": "b"}\n'
EMPTY = (0, 0, [])


def alpaca(count: int) -> bytes:
    return b"".join(b'{"instruction": "%d", "output": "x"}\n' % index for index in range(count))


async def until(happened: Callable[[], bool]) -> None:
    """Wait for what the server does on its own; fails after ten seconds."""
    for _ in range(1000):
        if happened():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen in time")


async def test_an_upload_is_described_listed_previewed_and_read(house: House) -> None:
    dataset = await house.upload(ROWS[:5], ROWS[5:], filename="a.jsonl", display_name="A")
    assert (dataset.project, dataset.owner, dataset.display_name, dataset.version) == ("default", "local", "A", 1)
    assert (dataset.filename, dataset.format, dataset.row_count) == ("a.jsonl", dataset_pb2.DATASET_FORMAT_TEXT, 2)
    assert dataset.sha256 == dataset.source_sha256 == hashlib.sha256(ROWS).hexdigest()
    assert dataset.create_time.seconds > 1_700_000_000

    assert (await house.stub.GetDataset(messages.GetDatasetRequest(id=dataset.id))).dataset == dataset
    assert list((await house.stub.ListDatasets(messages.ListDatasetsRequest())).datasets) == [dataset]
    preview = await house.stub.PreviewDataset(messages.PreviewDatasetRequest(id=dataset.id, row_count=1))
    assert [json_format.MessageToDict(row) for row in preview.rows] == [{"text": "a"}]
    assert (await house.rows(dataset.id), await house.rows(dataset.id, offset=14)) == (ROWS, ROWS[14:])
    assert house.stored() == (1, 0, ["rows.jsonl"])
    assert (house.settings.home / "datasets" / dataset.id / "rows.jsonl").read_bytes() == ROWS


async def test_the_name_of_the_file_is_a_label_and_no_path(house: House) -> None:
    names = {
        "../../rows.jsonl": "rows.jsonl",
        "C:\\Users\\me\\rows.jsonl": "rows.jsonl",
        "/etc/cron.d/rows.jsonl": "rows.jsonl",
        "größe 1.jsonl": "größe 1.jsonl",
    }
    for given, label in names.items():
        dataset = await house.upload(ROWS, filename=given)
        assert (dataset.filename, dataset.display_name) == (label, label)
    home = house.settings.home
    assert sorted(path.relative_to(home / "datasets").parts[1:] for path in home.rglob("rows.jsonl")) == [("rows.jsonl",)] * 4
    assert {path.name for path in home.iterdir()} <= {"datasets", "tunesmith.db", "tunesmith.db-shm", "tunesmith.db-wal"}


REFUSED = {
    "no name": ({"filename": ""}, ROWS, "filename"),
    "a name that is a path alone": ({"filename": "../../"}, ROWS, "filename"),
    "a name without an ending": ({"filename": "../../x"}, ROWS, "filename"),
    "a Windows path without an ending": ({"filename": "C:\\x"}, ROWS, "filename"),
    "a name with a line feed": ({"filename": "a\nb.jsonl"}, ROWS, "filename"),
    "a display name with a line feed": ({"display_name": "a\nb"}, ROWS, "display_name"),
    "a display name that is too long": ({"display_name": "a" * 129}, ROWS, "display_name"),
    "a format that is none": ({"format": 99}, ROWS, "format"),
    "nothing": ({}, b"", "data"),
    "a pickle": ({}, pickle.dumps([1]), "data"),
    "a broken line": ({}, ROWS + b"{", "data"),
    "brackets": ({"filename": "a.json"}, b"[" * 100_000, "data"),
    "Parquet that is none": ({"filename": "a.parquet"}, b"PAR1" + b"\0" * 9000, "data"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_refused_upload_names_the_field_and_stores_nothing(house: House, case: str) -> None:
    fields, data, field = REFUSED[case]
    assert violations_of(await failure(house.upload(data, **fields)))[0][0] == field  # type: ignore[arg-type]
    assert house.stored() == EMPTY


async def test_a_stream_without_a_message_is_refused(house: House) -> None:
    assert violations_of(await failure(house.upload()))[0][0] == "filename"


async def test_as_many_problems_arrive_as_fit_whatever_they_are_written_in(house: House) -> None:
    # Clients drop an error whose headers pass 8 KiB, and say something else instead.
    row = json.dumps({"messages": [{"role": "😀" * 50, "content": "x"}]}, ensure_ascii=False).encode()
    error = await failure(house.upload(b"\n".join([row] * 30)))
    violations = violations_of(error)
    assert len(violations) > 5 and violations[0][1].startswith("line 1: messages[0].role is '😀")
    assert violations[-1] == ("", f"and {21 - len(violations)} more; correct these first")
    assert sum(len(key) + len(value) for key, value in error.trailing_metadata()) < 6000


async def test_problems_far_into_a_large_file_are_answered_after_it_was_taken(house: House) -> None:
    pieces = [alpaca(2000)] * 5 + [b'{"instruction": 1}\n'] + [alpaca(2000)] * 5
    assert violations_of(await failure(house.upload(*pieces))) == [
        ("data", "line 10001: has no output; rows of this dataset need instruction and output")
    ]
    assert house.stored() == EMPTY


async def test_a_file_over_the_limit_names_the_setting(house: House) -> None:
    error = await failure(house.upload(*[alpaca(10_000)] * 5))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "DATASET_TOO_LARGE")
    assert "TUNESMITH_MAX_DATASET_BYTES" in error.details() and str(MAX_DATASET_BYTES) in error.details()
    assert house.stored() == EMPTY


async def test_a_repeated_request_is_answered_with_the_first_dataset(house: House) -> None:
    first = await house.upload(ROWS, request_id="one")
    again = await house.upload(ROWS[:9], ROWS[9:], request_id="one")
    assert again == first
    for fields in ({"filename": "b.jsonl"}, {"display_name": "B"}, {"format": dataset_pb2.DATASET_FORMAT_TEXT}):
        assert reason_of(await failure(house.upload(ROWS, request_id="one", **fields))) == "REQUEST_ID_REUSED"
    assert reason_of(await failure(house.upload(ROWS + ROWS, request_id="one"))) == "REQUEST_ID_REUSED"
    assert house.stored() == (1, 0, ["rows.jsonl"])


async def test_twins_sent_at_once_make_one_dataset(house: House) -> None:
    answers = await asyncio.gather(*(house.upload(ROWS, request_id="one") for _ in range(8)))
    assert len({answer.id for answer in answers}) == 1
    assert house.stored() == (1, 0, ["rows.jsonl"])


async def test_a_refused_request_may_be_sent_again_corrected(house: House) -> None:
    await failure(house.upload(b"{", request_id="one"))
    assert (await house.upload(ROWS, request_id="one")).row_count == 2


async def test_uploads_under_one_name_are_versions(house: House) -> None:
    datasets = await asyncio.gather(*(house.upload(ROWS, display_name="A") for _ in range(5)))
    assert sorted(dataset.version for dataset in datasets) == [1, 2, 3, 4, 5]
    assert (await house.upload(ROWS, display_name="B")).version == 1


async def test_lists_are_paged_newest_first_and_filtered(house: House) -> None:
    text = [(await house.upload(ROWS, display_name=str(index))).id for index in range(5)]
    other = (await house.upload(alpaca(1))).id
    everything = [*reversed([*text, other])]

    seen, request = [], messages.ListDatasetsRequest(page_size=2)
    while True:
        response = await house.stub.ListDatasets(request)
        seen += [dataset.id for dataset in response.datasets]
        assert len(response.datasets) == 2
        if not response.next_page_token:
            break
        request.page_token = response.next_page_token
    assert seen == everything

    filtered = messages.ListDatasetsRequest(format=dataset_pb2.DATASET_FORMAT_TEXT)
    assert [dataset.id for dataset in (await house.stub.ListDatasets(filtered)).datasets] == text[::-1]
    filtered.page_token = request.page_token
    assert violations_of(await failure(house.stub.ListDatasets(filtered)))[0][0] == "page_token"


async def test_unknown_datasets_are_told_where_to_look(house: House) -> None:
    for call in (
        house.stub.GetDataset(messages.GetDatasetRequest(id="nothing")),
        house.stub.PreviewDataset(messages.PreviewDatasetRequest(id="../../etc")),
        house.rows("nothing"),
    ):
        error = await failure(call)
        assert error.code() == grpc.StatusCode.NOT_FOUND and "GET /v1/datasets lists them" in error.details()


async def test_an_offset_past_the_end_is_refused_and_one_at_the_end_is_empty(house: House) -> None:
    dataset = await house.upload(ROWS)
    assert await house.rows(dataset.id, offset=len(ROWS)) == b""
    assert violations_of(await failure(house.rows(dataset.id, offset=len(ROWS) + 1)))[0][0] == "offset"


async def test_rows_that_are_gone_from_the_disk_are_told(house: House) -> None:
    dataset = await house.upload(ROWS)
    (house.settings.home / "datasets" / dataset.id / "rows.jsonl").unlink()
    assert reason_of(await failure(house.rows(dataset.id))) == "FILE_MISSING"
    preview = house.stub.PreviewDataset(messages.PreviewDatasetRequest(id=dataset.id))
    assert reason_of(await failure(preview)) == "FILE_MISSING"


async def test_a_preview_of_deep_rows_still_arrives(house: House) -> None:
    row = '{"text": "a", "deep": ' + '{"x": [' * 60 + "1" + "]}" * 60 + "}"
    dataset = await house.upload(row.encode())
    preview = await house.stub.PreviewDataset(messages.PreviewDatasetRequest(id=dataset.id))
    shown = json_format.MessageToDict(preview.rows[0])
    assert shown["text"] == "a"
    assert '{"x":[1]}' in json.dumps(shown).replace("\\", "")


async def test_an_upload_that_is_given_up_leaves_nothing(house: House) -> None:
    half_way = asyncio.Event()

    async def stream() -> AsyncIterator[messages.UploadDatasetRequest]:
        yield messages.UploadDatasetRequest(filename="a.jsonl", data=httpbody_pb2.HttpBody(data=alpaca(5000)))
        half_way.set()
        await asyncio.Event().wait()

    call = house.stub.UploadDataset(stream())
    await half_way.wait()
    incoming = house.settings.home / "datasets" / ".incoming"
    await until(lambda: bool(list(incoming.glob("*/rows.jsonl"))))
    call.cancel()
    await until(lambda: house.stored() == EMPTY and not list(incoming.glob("*")))


@pytest.mark.parametrize(("message_count", "taken"), [(10, 10), (100, 19)])
async def test_a_refused_upload_is_taken_from_the_wire_within_bounds(tmp_path: Path, message_count: int, taken: int) -> None:
    # A client over HTTP/1.1 reads no answer before it has sent its file; 256 MiB of it are worth waiting for.
    seen = 0

    async def stream() -> AsyncIterator[messages.UploadDatasetRequest]:
        nonlocal seen
        message = messages.UploadDatasetRequest(filename="a.txt", data=httpbody_pb2.HttpBody(data=bytes(16 * 1024 * 1024)))
        for _ in range(message_count):
            seen += 1
            yield message

    database = Database(f"sqlite:///{tmp_path}/unused.db")
    try:
        with pytest.raises(InvalidArgument, match="binary file"):
            await upload_dataset(database, Shelf(tmp_path), Limits(10**12, 10**6), stream())
    finally:
        database.close()
    assert seen == taken
