"""What people say about a base model is changed; what its files decide stays."""

from sqlalchemy import Connection
from tunesmith.registry.v1 import base_model_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages

from services.chassis.errors import InvalidArgument
from services.chassis.idempotency import RequestLog
from services.chassis.identity import PROJECT
from services.chassis.ids import message_hash
from services.registry import storage
from services.registry.base_model_changes import change_base_model
from services.registry.domain import refuse_control_characters

_REQUESTS = RequestLog(storage.requests, "UpdateBaseModel")
_FIELDS = ("display_name", "stage", "lifecycle", "license", "private", "credential_id", "has_chat_template")


def update_base_model(connection: Connection, request: messages.UpdateBaseModelRequest) -> messages.UpdateBaseModelResponse:
    """Change the fields that are set. Raises NotFound, or InvalidArgument and changes nothing."""
    for name in ("display_name", "license"):
        refuse_control_characters(name, getattr(request, name))

    def change(model: base_model_pb2.BaseModel) -> None:
        if request.HasField("has_chat_template") and model.files and request.has_chat_template != model.has_chat_template:
            text = "is what the model's own files say, which are in the registry; import other files to change it"
            raise InvalidArgument([("has_chat_template", text)])
        for name in _FIELDS:
            if request.HasField(name):
                setattr(model, name, getattr(request, name))

    def work() -> messages.UpdateBaseModelResponse:
        return messages.UpdateBaseModelResponse(base_model=change_base_model(connection, request.id, change))

    hashed = message_hash(request)
    return _REQUESTS.once(connection, PROJECT, request.request_id, hashed, messages.UpdateBaseModelResponse, work)
