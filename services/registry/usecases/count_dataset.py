"""What is in a dataset, counted once for each tokenizer and remembered."""

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select
from tunesmith.registry.v1 import base_model_pb2, dataset_pb2, dataset_statistics_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages

from services.chassis.database import Database, now_ms, timestamp
from services.chassis.files import missing
from services.chassis.identity import PROJECT
from services.registry import convert, storage
from services.registry.domain import refuse_damaged
from services.registry.ingest.intake import ROWS_FILE
from services.registry.shelf import Shelf
from services.registry.statistics.counting import Task
from services.registry.statistics.process import count_in_process
from services.registry.statistics.rendering import VERSION

_TOKENIZER = "tokenizer.json"
_TABLE = storage.dataset_statistics

Statistics = dataset_statistics_pb2.DatasetStatistics


@dataclass(frozen=True)
class Counter:
    """What counts tokens. Models of one tokenizer share what was counted."""

    # Empty, as the other two, where tokens are estimated.
    base_model_id: str = ""
    path: str = ""
    sha256: str = ""
    # Without a model nobody knows; rows of turns can't be trained without one.
    chat_template: bool = True

    @property
    def key(self) -> str:
        """What statistics are stored under."""
        return hashlib.sha256(f"{VERSION} {self.sha256} {self.chat_template}".encode()).hexdigest()


class DatasetCounting:
    """Counts datasets, one at a time: a machine that trains has little to spare."""

    def __init__(self, database: Database, dataset_shelf: Shelf, model_shelf: Shelf) -> None:
        self._database = database
        self._dataset_shelf = dataset_shelf
        self._model_shelf = model_shelf
        self._turn = asyncio.Semaphore(1)
        # Who asks for what is being counted waits for it. A count goes on when its caller has gone: the next one wants the same.
        self._running: dict[tuple[str, str], asyncio.Task[Statistics]] = {}

    async def statistics(self, request: messages.GetDatasetStatisticsRequest) -> Statistics:
        """What was counted, or is counted now. Raises NotFound, FailedPrecondition."""
        row = await self._database.read(lambda connection: storage.find_dataset(connection, PROJECT, request.id))
        dataset = convert.dataset(row)
        counter = await self._counter(request.base_model)
        found = await self._database.read(lambda connection: _stored(connection, dataset.id, counter.key))
        if found is None:
            refuse_damaged(dataset)
            found = Statistics()
            found.CopyFrom(await asyncio.shield(self._begun(dataset, counter)))
        found.tokenizer_base_model_id = counter.base_model_id
        return found

    def _begun(self, dataset: dataset_pb2.Dataset, counter: Counter) -> asyncio.Task[Statistics]:
        key = dataset.id, counter.key
        if key not in self._running:
            task = asyncio.create_task(self._count(dataset, counter))
            self._running[key] = task
            task.add_done_callback(lambda task: self._over(key, task))
        return self._running[key]

    def _over(self, key: tuple[str, str], task: asyncio.Task[Statistics]) -> None:
        del self._running[key]
        if not task.cancelled():
            # Looked at, or asyncio complains of an error that nobody waited for any more.
            task.exception()

    async def _count(self, dataset: dataset_pb2.Dataset, counter: Counter) -> Statistics:
        path = self._dataset_shelf.path(dataset.id) / ROWS_FILE
        if not path.exists():
            raise missing(path)
        task = Task(
            path=str(path),
            format=dataset_pb2.DatasetFormat.Name(dataset.format),
            row_count=dataset.row_count,
            size_bytes=dataset.size_bytes,
            seed=dataset.id,
            tokenizer=counter.path,
            chat_template=counter.chat_template,
        )
        async with self._turn:
            statistics = await count_in_process(task)
        statistics.dataset_id = dataset.id
        return await storage.write(self._database, lambda connection: _store(connection, statistics, counter.key))

    async def _counter(self, base_model: str) -> Counter:
        """A model's tokenizer, if its files are here; else the estimate, and the answer names no model. Raises NotFound."""
        if not base_model:
            return Counter()
        row = await self._database.read(lambda connection: storage.find_base_model(connection, PROJECT, base_model))
        model = convert.base_model(row)
        file = next((file for file in model.files if file.path == _TOKENIZER), None)
        path = self._model_shelf.path(model.id) / _TOKENIZER
        chat_template = _has_chat_template(model)
        if file is None or not await asyncio.to_thread(Path.exists, path):
            return Counter(chat_template=chat_template)
        return Counter(model.id, str(path), file.sha256, chat_template)


def _has_chat_template(model: base_model_pb2.BaseModel) -> bool:
    if model.chat_template or not model.HasField("has_chat_template"):
        return bool(model.chat_template)
    return model.has_chat_template


def _stored(connection: Connection, dataset_id: str, key: str) -> Statistics | None:
    query = select(_TABLE.c.definition).where(_TABLE.c.dataset_id == dataset_id, _TABLE.c.counter_key == key)
    definition = connection.execute(query).scalar_one_or_none()
    return None if definition is None else Statistics.FromString(definition)


def _store(connection: Connection, statistics: Statistics, key: str) -> Statistics:
    """Keep what was counted; what another process counted first stays."""
    earlier = _stored(connection, statistics.dataset_id, key)
    if earlier is not None:
        return earlier
    statistics.create_time.CopyFrom(timestamp(now_ms(connection)))
    row = {"dataset_id": statistics.dataset_id, "counter_key": key, "definition": statistics.SerializeToString()}
    connection.execute(_TABLE.insert().values(row))
    return statistics
