"""Pools that answer inquiries as a test says, over real gRPC."""

import asyncio
from collections.abc import Callable

import grpc
from tunesmith.registry.v1 import model_profile_pb2
from tunesmith.worker.v1 import inquiry_pb2, inquiry_service_pb2, inquiry_service_pb2_grpc

from services.chassis.errors import FailedPrecondition

Answer = Callable[[inquiry_pb2.Inquiry], inquiry_pb2.InquiryAnswer]


class FakeInquiries(inquiry_service_pb2_grpc.InquiryServiceServicer):
    """Without an `answer` there is no pool."""

    names = ("tunesmith.worker.v1.InquiryService",)

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.asked: list[inquiry_pb2.Inquiry] = []
        # While it is not set, pools are silent.
        self.awake = asyncio.Event()
        self.awake.set()
        self._came = asyncio.Event()

    async def asked_times(self, count: int) -> None:
        """Return when so many questions have come."""
        async with asyncio.timeout(10):
            while len(self.asked) < count:
                self._came.clear()
                await self._came.wait()

    def add_to(self, server: grpc.aio.Server) -> None:
        inquiry_service_pb2_grpc.add_InquiryServiceServicer_to_server(self, server)

    async def start(self) -> None: ...

    async def stop(self) -> None:
        self.awake.set()

    async def close(self) -> None: ...

    async def Ask(
        self, request: inquiry_service_pb2.AskRequest, context: grpc.aio.ServicerContext
    ) -> inquiry_service_pb2.AskResponse:
        self.asked.append(request.inquiry)
        self._came.set()
        await self.awake.wait()
        if self.answer is None:
            raise FailedPrecondition("NO_POOL", "no pool is there; start one")
        return inquiry_service_pb2.AskResponse(answer=self.answer(request.inquiry))


def with_profile(parameter_count: int, *adapted: str) -> Answer:
    """Pools that find so many parameters and these paths of layers that `all-linear` adapts, beside an embedding."""
    modules = [model_profile_pb2.ModuleProfile(path=path, adapted_by_all_linear=True) for path in adapted]
    modules.append(model_profile_pb2.ModuleProfile(path="model.embed_tokens"))
    profile = model_profile_pb2.ModelProfile(parameter_count=parameter_count, modules=modules, model_class="LlamaForCausalLM")
    return lambda inquiry: inquiry_pb2.InquiryAnswer(inquiry_id=inquiry.id, profile=profile)


def with_error(message: str) -> Answer:
    """Pools that can't build it."""

    def answer(inquiry: inquiry_pb2.Inquiry) -> inquiry_pb2.InquiryAnswer:
        failed = inquiry_pb2.InquiryAnswer(inquiry_id=inquiry.id)
        failed.error.code, failed.error.message = grpc.StatusCode.INVALID_ARGUMENT.value[0], message
        return failed

    return answer
