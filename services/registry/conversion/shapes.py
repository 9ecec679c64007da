"""Which shapes can be read, and which can be written."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tunesmith.registry.v1 import dataset_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages_pb2

from services.chassis.errors import InvalidArgument
from services.registry.conversion import alpaca, chatml_text, messages, openai_jsonl, prompt_completion, sharegpt, text_label
from services.registry.conversion.conversation import Conversation, Row
from services.registry.ingest.detect import Format

Target = messages_pb2.ConversionTarget


class Shape(NamedTuple):
    """A target: how its rows are written, what they are then, and what it is called in a name."""

    write: Callable[[Conversation], Row]
    format: Format
    label: str


READERS: Mapping[Format, Callable[[Row], Conversation]] = {
    dataset_pb2.DATASET_FORMAT_MESSAGES: messages.read,
    dataset_pb2.DATASET_FORMAT_TEXT: chatml_text.read,
    dataset_pb2.DATASET_FORMAT_ALPACA: alpaca.read,
    dataset_pb2.DATASET_FORMAT_SHAREGPT: sharegpt.read,
    dataset_pb2.DATASET_FORMAT_PROMPT_COMPLETION: prompt_completion.read,
    dataset_pb2.DATASET_FORMAT_TEXT_LABEL: text_label.read,
}

SHAPES: Mapping[Target, Shape] = {
    messages_pb2.CONVERSION_TARGET_MESSAGES: Shape(messages.write, dataset_pb2.DATASET_FORMAT_MESSAGES, "messages"),
    messages_pb2.CONVERSION_TARGET_CHATML_TEXT: Shape(chatml_text.write, dataset_pb2.DATASET_FORMAT_TEXT, "ChatML"),
    messages_pb2.CONVERSION_TARGET_ALPACA: Shape(alpaca.write, dataset_pb2.DATASET_FORMAT_ALPACA, "Alpaca"),
    messages_pb2.CONVERSION_TARGET_SHAREGPT: Shape(sharegpt.write, dataset_pb2.DATASET_FORMAT_SHAREGPT, "ShareGPT"),
    messages_pb2.CONVERSION_TARGET_PROMPT_COMPLETION: Shape(
        prompt_completion.write, dataset_pb2.DATASET_FORMAT_PROMPT_COMPLETION, "prompt and completion"
    ),
    messages_pb2.CONVERSION_TARGET_OPENAI_JSONL: Shape(openai_jsonl.write, dataset_pb2.DATASET_FORMAT_MESSAGES, "OpenAI"),
}


def conversion_of(source: Format, target: Target) -> tuple[Callable[[Row], Conversation], Shape]:
    """How rows of a format become rows of a target. Raises InvalidArgument where there is no way or nothing to do."""
    shape = SHAPES[target]
    reader = READERS.get(source)
    name = dataset_pb2.DatasetFormat.Name(source).removeprefix("DATASET_FORMAT_")
    if reader is None:
        text = f"rows of {name} are no conversations, and only conversations can be converted; convert messages, ChatML text, "
        raise InvalidArgument([("target", text + "Alpaca, ShareGPT, prompt and completion or text and label rows")])
    # OpenAI's rows are messages too, but stricter ones.
    if shape.format == source and target != messages_pb2.CONVERSION_TARGET_OPENAI_JSONL:
        raise InvalidArgument([("target", f"the dataset's rows are {name} already; choose another target")])
    return reader, shape
