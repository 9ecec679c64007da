"""What is said of datasets, which are on the list, and whether their rows are still those that were stored."""

import sqlite3

import grpc
import pytest
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages

from tests.unit.services.registry.conftest import House, failure, reason_of, violations_of

ROWS = b'{"text": "a"}\n{"text": "b"}\n'
VERIFIED, FAILED = dataset_pb2.INTEGRITY_STATUS_VERIFIED, dataset_pb2.INTEGRITY_STATUS_FAILED


async def listed(house: House, **filters: object) -> list[str]:
    response = await house.stub.ListDatasets(messages.ListDatasetsRequest(**filters))
    return [dataset.id for dataset in response.datasets]


async def get(house: House, dataset_id: str) -> dataset_pb2.Dataset:
    return (await house.stub.GetDataset(messages.GetDatasetRequest(id=dataset_id))).dataset


async def verify(house: House, dataset_id: str) -> dataset_pb2.Dataset:
    return (await house.stub.VerifyDataset(messages.VerifyDatasetRequest(id=dataset_id))).dataset


async def test_an_upload_is_verified_estimated_and_up_to_date(house: House) -> None:
    dataset = await house.upload(b"".join(b'{"text": "%s"}\n' % (b"x" * 400) for _ in range(600)))
    assert dataset.integrity == dataset_pb2.DatasetIntegrity(status=VERIFIED, check_time=dataset.create_time)
    assert dataset.update_time == dataset.create_time
    # A hundred tokens of text and one that ends the row.
    assert dataset.estimated_token_count == 600 * 101
    assert (dataset.parent_id, dataset.description) == ("", "")


async def test_a_description_is_changed_and_nothing_else(house: House) -> None:
    dataset = await house.upload(ROWS)
    request = messages.UpdateDatasetRequest(id=dataset.id, description="Two rows")
    changed = (await house.stub.UpdateDataset(request)).dataset
    assert changed.description == "Two rows" and changed.update_time.ToNanoseconds() >= dataset.update_time.ToNanoseconds()
    assert await get(house, dataset.id) == changed
    # A repeated update, and one that sets nothing, change nothing, not even the time.
    assert (await house.stub.UpdateDataset(request)).dataset == changed
    assert (await house.stub.UpdateDataset(messages.UpdateDatasetRequest(id=dataset.id))).dataset == changed
    emptied = (await house.stub.UpdateDataset(messages.UpdateDatasetRequest(id=dataset.id, description=""))).dataset
    assert emptied.description == ""
    for each in (dataset, emptied):
        each.ClearField("update_time")
    assert emptied == dataset


async def test_a_deleted_dataset_is_gone_for_people_and_stays_for_its_jobs(house: House) -> None:
    dataset = await house.upload(ROWS, display_name="A")
    kept = await house.upload(ROWS, display_name="B")
    for _ in range(2):
        await house.stub.DeleteDataset(messages.DeleteDatasetRequest(id=dataset.id))
    assert await listed(house) == [kept.id]
    for call in (
        house.stub.GetDataset(messages.GetDatasetRequest(id=dataset.id)),
        house.stub.PreviewDataset(messages.PreviewDatasetRequest(id=dataset.id)),
        house.stub.VerifyDataset(messages.VerifyDatasetRequest(id=dataset.id)),
        house.stub.UpdateDataset(messages.UpdateDatasetRequest(id=dataset.id, description="x")),
        house.stub.GetDatasetStatistics(messages.GetDatasetStatisticsRequest(id=dataset.id)),
        house.stub.ConvertDataset(messages.ConvertDatasetRequest(id=dataset.id, target="CONVERSION_TARGET_MESSAGES")),
    ):
        assert (await failure(call)).code() == grpc.StatusCode.NOT_FOUND
    assert await house.rows(dataset.id) == ROWS
    # Its version is never given to other rows.
    assert (await house.upload(ROWS, display_name="A")).version == 2


async def test_what_never_was_can_not_be_deleted(house: House) -> None:
    error = await failure(house.stub.DeleteDataset(messages.DeleteDatasetRequest(id="nothing")))
    assert error.code() == grpc.StatusCode.NOT_FOUND


async def test_lists_are_searched_in_any_case_and_literally(house: House) -> None:
    names = ["Größe 100%", "größe_2", "other"]
    large, small, other = [(await house.upload(ROWS, display_name=name)).id for name in names]
    again = (await house.upload(ROWS, display_name="other")).id
    found = {text: await listed(house, search=text) for text in ("GRÖSSE", "GRÖßE", "100%", "_", "%", "nothing")}
    assert found == {
        "GRÖSSE": [],
        "GRÖßE": [small, large],
        "100%": [large],
        "_": [small],
        "%": [large],
        "nothing": [],
    }
    assert await listed(house, display_name="other") == [again, other]
    assert await listed(house, display_name="Other") == []
    assert await listed(house, search="e", format=dataset_pb2.DATASET_FORMAT_ALPACA) == []
    page = await house.stub.ListDatasets(messages.ListDatasetsRequest(search="other", page_size=1))
    error = await failure(house.stub.ListDatasets(messages.ListDatasetsRequest(search="größe", page_token=page.next_page_token)))
    assert violations_of(error)[0][0] == "page_token"


DAMAGE = {
    "other bytes": (b'{"text": "a"}\n{"text": "c"}\n', "another SHA-256"),
    "a cut": (b'{"text": "a"}\n', "have 14 bytes on the server's disk and had 28"),
    "no file": (None, "cannot be read from the server's disk"),
}


@pytest.mark.parametrize("case", DAMAGE)
async def test_rows_that_changed_on_the_disk_are_found_and_named_until_they_are_back(house: House, case: str) -> None:
    dataset = await house.upload(ROWS)
    path = house.settings.home / "datasets" / dataset.id / "rows.jsonl"
    content, expected = DAMAGE[case]
    path.unlink() if content is None else path.write_bytes(content)
    failed = await verify(house, dataset.id)
    assert failed.integrity.status == FAILED and expected in failed.integrity.message
    assert failed.integrity.message.endswith("or upload the file again")
    assert failed.integrity.check_time.ToNanoseconds() >= dataset.create_time.ToNanoseconds()
    assert await get(house, dataset.id) == failed
    assert (await house.stub.ListDatasets(messages.ListDatasetsRequest())).datasets[0] == failed
    # Nothing is made of such rows.
    convert = messages.ConvertDatasetRequest(id=dataset.id, target="CONVERSION_TARGET_MESSAGES")
    assert reason_of(await failure(house.stub.ConvertDataset(convert))) == "DATASET_DAMAGED"
    count = messages.GetDatasetStatisticsRequest(id=dataset.id)
    assert reason_of(await failure(house.stub.GetDatasetStatistics(count))) == "DATASET_DAMAGED"

    path.write_bytes(ROWS)
    verified = await verify(house, dataset.id)
    assert (verified.integrity.status, verified.integrity.message) == (VERIFIED, "")
    assert await get(house, dataset.id) == verified


async def test_datasets_of_earlier_versions_are_shown_with_what_follows(house: House) -> None:
    dataset = await house.upload(ROWS)
    old = dataset_pb2.Dataset()
    old.CopyFrom(dataset)
    for field in ("integrity", "update_time", "estimated_token_count"):
        old.ClearField(field)
    with sqlite3.connect(house.settings.home / "tunesmith.db") as database:
        database.execute("UPDATE registry_datasets SET definition = ?", (old.SerializeToString(),))
    shown = await get(house, dataset.id)
    assert shown.integrity == dataset.integrity and shown.update_time == dataset.create_time
    assert shown.estimated_token_count == len(ROWS) / 4
    assert (await verify(house, dataset.id)).integrity.status == VERIFIED
