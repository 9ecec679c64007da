"""A row's text is what the local trainer reads."""

import pytest
from tunesmith.registry.v1 import dataset_pb2

from services.registry.statistics.rendering import RENDERERS, TURN_TOKENS, Rendered, overhead_tokens
from workers.training.rows import CONVERTERS

ALPACA = {"instruction": "Add", "output": "3"}
TURNS = [{"from": "human", "value": "a"}, {"from": "gpt", "value": ""}]
ROWS = {
    "text": (dataset_pb2.DATASET_FORMAT_TEXT, {"text": "once"}),
    "prompt and completion": (dataset_pb2.DATASET_FORMAT_PROMPT_COMPLETION, {"prompt": "a", "completion": "b"}),
    "Alpaca": (dataset_pb2.DATASET_FORMAT_ALPACA, ALPACA),
    "Alpaca with null": (dataset_pb2.DATASET_FORMAT_ALPACA, {**ALPACA, "input": None, "system": None}),
    "Alpaca with an input": (dataset_pb2.DATASET_FORMAT_ALPACA, {**ALPACA, "input": "1 and 2"}),
    "Alpaca with a system prompt": (dataset_pb2.DATASET_FORMAT_ALPACA, {**ALPACA, "input": "1 and 2", "system": "Be brief"}),
}


@pytest.mark.parametrize("case", ROWS)
def test_rows_without_turns_are_rendered_as_the_trainer_does(case: str) -> None:
    kind, row = ROWS[case]
    trained = CONVERTERS[kind](row)
    assert RENDERERS[kind](row) == Rendered(trained.get("text", "") + trained.get("prompt", "") + trained.get("completion", ""))


@pytest.mark.parametrize("columns", [{}, {"system": "Be brief"}, {"system": ""}, {"system": None}])
def test_sharegpt_has_the_turns_that_the_trainer_makes_of_it(columns: dict[str, str]) -> None:
    row = {"conversations": TURNS, **columns}
    trained = CONVERTERS[dataset_pb2.DATASET_FORMAT_SHAREGPT](row)["messages"]
    rendered = RENDERERS[dataset_pb2.DATASET_FORMAT_SHAREGPT](row)
    assert rendered.text == "\n".join(turn["content"] for turn in trained)
    assert list(rendered.roles) == [turn["role"] for turn in trained]
    assert rendered.silent_turn


def test_every_format_has_a_text() -> None:
    formats = {value.number for value in dataset_pb2.DatasetFormat.DESCRIPTOR.values} - {0}
    assert set(RENDERERS) == formats and len(formats) == 10
    assert set(CONVERTERS) <= formats


def test_messages_count_what_a_template_would_show_of_tools() -> None:
    call = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f"}}]}
    row = {"messages": [{"role": "user", "content": "a"}, call], "tools": [{"name": "f"}]}
    rendered = RENDERERS[dataset_pb2.DATASET_FORMAT_MESSAGES](row)
    assert rendered.text == 'a\n\n[{"name":"f"}]\n[{"function":{"name":"f"}}]'
    assert rendered.roles == ["user", "assistant"] and not rendered.silent_turn


def test_of_a_pair_the_longer_answer_counts() -> None:
    render = RENDERERS[dataset_pb2.DATASET_FORMAT_PREFERENCE]
    assert render({"prompt": "a", "chosen": "bb", "rejected": "c"}).text == "a\nbb"
    chosen, rejected = [{"role": "assistant", "content": "b"}], [{"role": "assistant", "content": "ccc"}]
    assert render({"prompt": [{"role": "user", "content": "a"}], "chosen": chosen, "rejected": rejected}).text == "a\nccc"
    before = [{"from": "human", "value": "a"}]
    pair = {"chosen": {"from": "gpt", "value": "b"}, "rejected": {"from": "gpt", "value": ""}}
    assert render({"conversations": before, **pair}).text == "a\nb"


def test_training_adds_marks_around_turns_or_one_at_the_end() -> None:
    turns, text = Rendered("a", ["user", "assistant"]), Rendered("a")
    assert overhead_tokens(turns, chat_template=True) == 2 * TURN_TOKENS
    assert overhead_tokens(turns, chat_template=False) == 0
    assert overhead_tokens(text, chat_template=True) == overhead_tokens(text, chat_template=False) == 1
    assert overhead_tokens(Rendered(""), chat_template=True) == 0
