"""tunesmith.worker.v1.InquiryService: what other services ask pools."""

import grpc
from tunesmith.worker.v1 import inquiry_service_pb2 as messages
from tunesmith.worker.v1 import inquiry_service_pb2_grpc

from services.job.inquiries import Inquiries


class InquiryServicer(inquiry_service_pb2_grpc.InquiryServiceServicer):
    """Passes questions on to whichever pool is free, and waits for its answer."""

    def __init__(self, inquiries: Inquiries) -> None:
        self._inquiries = inquiries

    async def Ask(self, request: messages.AskRequest, context: grpc.aio.ServicerContext) -> messages.AskResponse:
        return messages.AskResponse(answer=await self._inquiries.ask(request.inquiry, request.timeout_seconds))
