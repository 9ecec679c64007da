"""Has a pool build each model from its configuration, in the background, and keeps what it found.

Without a pool nothing is lost: the model stays PENDING and is asked about again.
"""

import asyncio
from collections.abc import Sequence

import grpc
import structlog
from sqlalchemy import Connection, RowMapping, select
from tunesmith.registry.v1 import base_model_pb2, model_profile_pb2
from tunesmith.worker.v1 import inquiry_pb2, inquiry_service_pb2
from tunesmith.worker.v1.inquiry_service_pb2_grpc import InquiryServiceStub

from services.chassis.database import Database
from services.chassis.errors import NotFound
from services.registry import convert, storage
from services.registry.base_model_changes import change_base_model, write
from services.registry.importing.configuration import needs_code, weight_bytes
from services.registry.known_files import ask_for_profile, check_count

# Building the largest registered model without weights takes seconds; a pool that just started is slower.
_ANSWER_S = 60.0
_FIRST_DELAY_S = 1.0
_MAX_DELAY_S = 5.0
# So often a model may go unanswered while pools are there before it counts as one that none can build.
_MAX_SILENCES = 3
# There is nobody to answer: no pool, or the job service is not up, or does not know the question yet.
_NOBODY = {grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNIMPLEMENTED}
_SILENT = {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}

log = structlog.get_logger()


class _Nobody(Exception):
    """Nobody could answer now."""


class Profiles:
    """Asks about every model that has no profile yet, one at a time."""

    def __init__(self, database: Database, jobs: grpc.aio.Channel, first_delay_s: float = _FIRST_DELAY_S) -> None:
        self._database = database
        self._stub = InquiryServiceStub(jobs)
        self._first_delay_s = first_delay_s
        self._wake = asyncio.Event()
        self._silences: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """There is a new model, or another configuration of one."""
        self._wake.set()

    def start(self) -> None:
        """Begin, with the models that an earlier run left without a profile."""
        self._wake.set()
        self._task = asyncio.create_task(self._run(), name="profiles")

    async def recover(self) -> None:
        """Let models be tried again that no pool could build before: another version of its libraries may."""
        await self._database.write(_retry_failed)

    async def stop(self) -> None:
        """End; what is not answered yet is asked again after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        delay_s = 0.0
        while True:
            if not delay_s:
                await self._wake.wait()
            else:
                await self._sleep(delay_s)
            self._wake.clear()
            try:
                await self._ask_all()
                delay_s = 0.0
            except _Nobody:
                delay_s = min(2 * delay_s or self._first_delay_s, _MAX_DELAY_S)
            except Exception:
                # The next round tries again: one bad moment of the database must not end all profiles.
                log.exception("profiles_failed")
                delay_s = _MAX_DELAY_S

    async def _sleep(self, delay_s: float) -> None:
        """Wait, but no longer than until there is something new to ask about."""
        try:
            await asyncio.wait_for(self._wake.wait(), delay_s)
        except TimeoutError:
            return

    async def _ask_all(self) -> None:
        """Ask about each in turn. Raises _Nobody if some are left for want of an answer."""
        silent = False
        for model_id, configuration in await self._database.read(_pending):
            answer = await self._ask(model_id, configuration)
            if answer is None:
                silent = True
            else:
                await self._keep(model_id, configuration, answer)
        if silent:
            raise _Nobody

    async def _ask(self, model_id: str, configuration: str) -> inquiry_pb2.InquiryAnswer | None:
        """An answer, None if none came in time. Raises _Nobody."""
        inquiry = inquiry_pb2.Inquiry(profile=inquiry_pb2.ProfileQuestion(configuration_json=configuration))
        request = inquiry_service_pb2.AskRequest(inquiry=inquiry, timeout_seconds=_ANSWER_S)
        try:
            answer = (await self._stub.Ask(request, timeout=_ANSWER_S + 10)).answer
        except grpc.aio.AioRpcError as error:
            if error.code() in _NOBODY:
                raise _Nobody from error
            if error.code() not in _SILENT:
                return _failure(error.details() or error.code().name)
            answer = inquiry_pb2.InquiryAnswer()
        if answer.WhichOneof("kind") is not None:
            self._silences.pop(model_id, None)
            return answer
        self._silences[model_id] = self._silences.get(model_id, 0) + 1
        if self._silences[model_id] < _MAX_SILENCES:
            return None
        return _failure(f"no pool built it within {_ANSWER_S:.0f} s; it is tried again after the next start")

    async def _keep(self, model_id: str, configuration: str, answer: inquiry_pb2.InquiryAnswer) -> None:
        def change(model: base_model_pb2.BaseModel) -> None:
            if model.configuration_json != configuration:
                # A download brought another one meanwhile, which has its own turn.
                return
            if answer.HasField("profile"):
                take_profile(model, answer.profile)
            else:
                model.profile_status = base_model_pb2.PROFILE_STATUS_FAILED
                model.profile_error = answer.error.message or "the pool gave no reason"

        try:
            model = await self._database.write(lambda connection: change_base_model(connection, model_id, change))
        except NotFound:
            # It was taken off the list meanwhile.
            return
        status = base_model_pb2.ProfileStatus.Name(model.profile_status)
        log.info("profile_kept", base_model=model.hub_repo or model.display_name, status=status, error=model.profile_error)


def take_profile(model: base_model_pb2.BaseModel, profile: model_profile_pb2.ModelProfile) -> None:
    """Put a profile into a model, and what it tells where the weights' headers were not read."""
    model.profile.CopyFrom(profile)
    model.profile_status = base_model_pb2.PROFILE_STATUS_READY
    model.ClearField("profile_error")
    if not model.files:
        model.parameter_count = profile.parameter_count
        del model.linear_modules[:]
        adapted = (module.path for module in profile.modules if module.adapted_by_all_linear)
        model.linear_modules.extend(sorted({path.rpartition(".")[2] for path in adapted}))
        size = weight_bytes(profile.parameter_count, model.dtype)
        if not model.HasField("download_bytes") and size is not None and not model.quantized:
            model.download_bytes = size
    check_count(model)


def _failure(reason: str) -> inquiry_pb2.InquiryAnswer:
    answer = inquiry_pb2.InquiryAnswer()
    answer.error.message = reason
    return answer


def _pending(connection: Connection) -> list[tuple[str, str]]:
    """Models that wait for a profile, oldest first, with their configurations."""
    waiting = base_model_pb2.PROFILE_STATUS_PENDING
    models = (convert.base_model(row) for row in _listed(connection))
    return [(model.id, model.configuration_json) for model in models if model.profile_status == waiting]


def _retry_failed(connection: Connection) -> None:
    for row in _listed(connection):
        model = convert.base_model(row)
        failed = model.profile_status == base_model_pb2.PROFILE_STATUS_FAILED
        if failed and model.configuration_json and not needs_code(model.configuration_json):
            ask_for_profile(model)
            write(connection, row, model)


def _listed(connection: Connection) -> Sequence[RowMapping]:
    table = storage.base_models
    return connection.execute(select(table).where(table.c.delete_time_ms.is_(None)).order_by(table.c.id)).mappings().all()
