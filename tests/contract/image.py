"""The protos with their comments, as `make protos` compiled them."""

from functools import cache
from pathlib import Path

from google.protobuf import descriptor_pb2

IMAGE = Path(__file__).parents[2] / ".build/tunesmith.binpb"


@cache
def own_files() -> dict[str, descriptor_pb2.FileDescriptorProto]:
    """Our proto files by name."""
    assert IMAGE.exists(), f"{IMAGE} is missing: run `make protos`"
    files = descriptor_pb2.FileDescriptorSet.FromString(IMAGE.read_bytes())
    return {file.name: file for file in files.file if file.package.startswith("tunesmith.")}


def enum_comment(file: descriptor_pb2.FileDescriptorProto, name: str) -> str:
    """The comment above an enum."""
    index = [enum.name for enum in file.enum_type].index(name)
    path = [descriptor_pb2.FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER, index]
    return next(str(at.leading_comments) for at in file.source_code_info.location if list(at.path) == path)
