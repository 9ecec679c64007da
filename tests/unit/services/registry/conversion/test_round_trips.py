"""What is converted and converted back is what it was, wherever the target has room for it."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from tunesmith.registry.v1 import dataset_pb2
from tunesmith.registry.v1 import registry_service_pb2 as messages_pb2

from services.registry.conversion import alpaca, chatml_text, messages, openai_jsonl, prompt_completion, sharegpt, text_label
from services.registry.conversion.conversation import Conversation, Row, Unfit
from services.registry.conversion.rows import Conversion
from services.registry.conversion.shapes import READERS, SHAPES
from services.registry.ingest.formats import check_of
from tests.unit.services.registry.conversion import made

Read = Callable[[Row], Conversation]
Write = Callable[[Conversation], Row]
Way = tuple[Read, Write]

MESSAGES: Way = (messages.read, messages.write)
CHATML: Way = (chatml_text.read, chatml_text.write)
ALPACA: Way = (alpaca.read, alpaca.write)
SHAREGPT: Way = (sharegpt.read, sharegpt.write)
PROMPT: Way = (prompt_completion.read, prompt_completion.write)

# From messages through a shape and back, with rows that the shape has room for.
THROUGH: dict[str, tuple[Way, made.Draw]] = {
    "messages": (MESSAGES, made.messages),
    "ChatML": (CHATML, made.plain_messages),
    "ShareGPT": (SHAREGPT, made.plain_messages),
    "ShareGPT with calls": (SHAREGPT, made.calling_messages),
    "Alpaca": (ALPACA, made.question_and_answer),
    "Alpaca with a system prompt": (ALPACA, made.prompted_question_and_answer),
    "prompt and completion": (PROMPT, made.question_and_answer),
}


def test_every_shape_is_tried() -> None:
    ways = [way for way, _ in THROUGH.values()]
    assert len(THROUGH) == 7
    assert {write for _, write in ways} | {openai_jsonl.write} == {shape.write for shape in SHAPES.values()}
    # A text with a label is read and never written.
    assert {read for read, _ in ways} | {text_label.read} == set(READERS.values())


@pytest.mark.parametrize("name", THROUGH)
def test_messages_come_back_as_they_were(name: str) -> None:
    (read, write), draw = THROUGH[name]
    seen = 0
    for row in made.rows(draw):
        there = write(messages.read(row))
        assert messages.write(read(there)) == row
        # And once more, so that the other shape is kept, too.
        assert write(messages.read(messages.write(read(there)))) == there
        seen += 1
    assert seen == made.CASES


PAIRS = [
    (source, target)
    for source in READERS
    if source != dataset_pb2.DATASET_FORMAT_TEXT_LABEL
    for target in SHAPES
    if SHAPES[target].format != source or target == messages_pb2.CONVERSION_TARGET_OPENAI_JSONL
]


def test_every_pair_is_tried() -> None:
    assert len(PAIRS) == 5 * 6 - 5


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_whatever_is_written_is_of_its_format_and_the_rest_is_left_out(
    tmp_path: Path, source: dataset_pb2.DatasetFormat, target: messages_pb2.ConversionTarget
) -> None:
    given = list(_rows_of(source))
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in given))
    conversion = Conversion(source, target, skip_unfit_rows=True, max_row_bytes=10**6)
    written = [orjson.loads(line) for line in b"".join(conversion.pieces(file, lambda: False)).splitlines()]
    check = check_of(SHAPES[target].format)
    assert [fault for row in written if (fault := check(row))] == []
    assert len(written) >= 0.2 * len(given)
    assert len(written) + conversion.skipped_row_count == len(given) >= made.CASES


def _rows_of(source: dataset_pb2.DatasetFormat) -> Iterator[Row]:
    """Rows of a format, made of messages that have a place in it."""
    write = next(shape.write for shape in SHAPES.values() if shape.format == source)
    for draw in (made.messages, made.question_and_answer, made.plain_messages):
        for row in made.rows(draw):
            with contextlib.suppress(Unfit):
                yield write(messages.read(row))


def test_alpaca_rows_come_back_where_they_have_no_input() -> None:
    row = {"instruction": "Say hello", "input": "", "output": "Hello", "system": "Be kind", "id": 7}
    for read, write in (MESSAGES, SHAREGPT, CHATML):
        assert alpaca.write(read(write(alpaca.read(row)))) == row


def test_an_input_joins_its_instruction_for_good() -> None:
    row: dict[str, Any] = {"instruction": "Add", "input": "1 and 2", "output": "3"}
    there = messages.write(alpaca.read(row))
    assert there == {"messages": [{"role": "user", "content": "Add\n\n1 and 2"}, {"role": "assistant", "content": "3"}]}
    assert alpaca.write(messages.read(there)) == {"instruction": "Add\n\n1 and 2", "input": "", "output": "3"}


def test_a_label_becomes_the_answer_to_its_text() -> None:
    there = messages.write(text_label.read({"text": "It purrs.", "label": 3, "id": 7}))
    assert there == {"messages": [{"role": "user", "content": "It purrs."}, {"role": "assistant", "content": "3"}], "id": 7}
    assert prompt_completion.write(text_label.read({"text": "a", "label": "cat"})) == {"prompt": "a", "completion": "cat"}
