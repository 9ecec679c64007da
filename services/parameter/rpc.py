"""tunesmith.parameter.v1.ParameterService."""

import grpc
from tunesmith.parameter.v1 import parameter_service_pb2 as messages
from tunesmith.parameter.v1 import parameter_service_pb2_grpc

from services.parameter.usecases import parameters


class ParameterServicer(parameter_service_pb2_grpc.ParameterServiceServicer):
    """What can be configured."""

    async def ListParameters(
        self, request: messages.ListParametersRequest, context: grpc.aio.ServicerContext
    ) -> messages.ListParametersResponse:
        return messages.ListParametersResponse(parameters=parameters())
