"""Which tokens count: exactly the assistant's, in every schema, and each token of a text but its first."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer
from tunesmith.config.v1 import method_pb2

from services.chassis.errors import InvalidArgument
from workers.training import tokenised
from workers.training.attempt import Attempt
from workers.training.document_pieces import PretrainingTrainer, pieces
from workers.training.recipes import recipe_of

from .conftest import Job

pytestmark = pytest.mark.integration

MakeJob = Callable[..., Job]
CONTINUED = {"method": {"objective": "TRAINING_OBJECTIVE_CONTINUED_PRETRAINING"}}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


SYSTEM = {"role": "system", "content": "Be kind."}
MANY_TURNS = [SYSTEM, user("Hi"), assistant("Hello"), user("Bye"), assistant("Ciao")]
RENDERED = "<|system|>Be kind.<|user|>Hi<|assistant|>Hello<eos><|user|>Bye<|assistant|>Ciao<eos>"
ADD, MULTIPLY = ({"type": "function", "function": {"name": name, "parameters": {}}} for name in ("add", "multiply"))
# Prints all that it is given of tools and calls, so that anything that was added to them would show.
TOOL_TEMPLATE = (
    "{% if tools %}[{% for tool in tools %}{{ tool | tojson }}{% endfor %}]{% endif %}"
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}<|assistant|>{% generation %}{{ message['content'] }}"
    "{% if 'tool_calls' in message %}{% for call in message['tool_calls'] %}{{ call | tojson }}{% endfor %}{% endif %}"
    "{{ eos_token }}{% endgeneration %}"
    "{% else %}<|{{ message['role'] }}|>{{ message['content'] }}{% endif %}"
    "{% endfor %}"
)


class Prepared:
    """What the trainer was about to train on: each row's text, and what of it counts."""

    def __init__(self, job: Job, monkeypatch: pytest.MonkeyPatch, base: Path) -> None:
        self.sink = job.sink
        self.rows: list[tuple[list[int], list[int]]] = []
        self.tokenizer = AutoTokenizer.from_pretrained(base)

        def look(_: Attempt, trainer: Any, __: Any) -> None:
            dataset = trainer.documents["train"]
            self.rows = [(row["input_ids"], row["labels"]) for row in dataset]
            assert all(
                label in (-100, token) for tokens, labels in self.rows for token, label in zip(tokens, labels, strict=True)
            )

        monkeypatch.setattr(Attempt, "train", look)
        job.run()

    @property
    def texts(self) -> list[str]:
        return [str(self.tokenizer.decode(tokens)) for tokens, _ in self.rows]

    @property
    def counted(self) -> list[str]:
        return [str(self.tokenizer.decode([label for label in labels if label != -100])) for _, labels in self.rows]


@pytest.fixture
def prepare(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, tiny_base: Path) -> Callable[..., Prepared]:
    """The rows that a job of given rows would train on."""

    def make(dataset_format: str, rows: list[dict[str, Any]], settings: dict[str, Any] | None = None, **more: Any) -> Prepared:
        job = make_job(dataset_format, settings or {}, training=rows, **more)
        return Prepared(job, monkeypatch, more.get("base") or tiny_base)

    return make


@pytest.fixture
def tool_base(tiny_base: Path, tmp_path: Path) -> Path:
    """The tiny model with a template that prints tools and calls."""
    folder = tmp_path / "tool-base"
    folder.mkdir()
    for file in tiny_base.iterdir():
        (folder / file.name).symlink_to(file)
    (folder / "chat_template.jinja").unlink()
    (folder / "chat_template.jinja").write_text(TOOL_TEMPLATE)
    return folder


CASES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "many turns": ("MESSAGES", {"messages": MANY_TURNS}, RENDERED, "Hello<eos>Ciao<eos>"),
    "ShareGPT with a system prompt": (
        "SHAREGPT",
        {
            "system": "Be kind.",
            "conversations": [
                {"from": "human", "value": "Hi"},
                {"from": "gpt", "value": "Hello"},
                {"from": "human", "value": "Bye"},
                {"from": "gpt", "value": "Ciao"},
            ],
        },
        RENDERED,
        "Hello<eos>Ciao<eos>",
    ),
    "a completion in messages": (
        "PROMPT_COMPLETION",
        {"prompt": MANY_TURNS[:4], "completion": MANY_TURNS[4:]},
        RENDERED,
        "Ciao<eos>",
    ),
    "a completion in text": ("PROMPT_COMPLETION", {"prompt": "Hi", "completion": "Hello"}, "HiHello<eos>", "Hello<eos>"),
    "an empty prompt": ("PROMPT_COMPLETION", {"prompt": "", "completion": "Hello"}, "Hello<eos>", "Hello<eos>"),
    "text": ("TEXT", {"text": "Hello"}, "Hello<eos>", "Hello<eos>"),
}


def test_the_cases_are_these() -> None:
    assert len(CASES) == 6


@pytest.mark.parametrize("case", list(CASES))
def test_exactly_the_assistants_tokens_count(case: str, prepare: Callable[..., Prepared]) -> None:
    dataset_format, row, text, counted = CASES[case]
    for value in ("AUTO", "DISABLED", "ENABLED"):
        made = prepare(dataset_format, [row, row], {"schedule": {"train_on_inputs": f"TRAIN_ON_INPUTS_{value}"}})
        assert made.texts == [text] * 2
        assert made.counted == [text if value == "ENABLED" else counted] * 2
        assert not made.sink.warnings


def test_an_instruction_does_not_count(prepare: Callable[..., Prepared]) -> None:
    row = {"instruction": "Add", "input": "1 and 2", "output": "3"}
    made = prepare("ALPACA", [row])
    assert made.counted == ["3<eos>"]
    assert made.texts[0].endswith("### Response:\n3<eos>") and "1 and 2" in made.texts[0]
    assert prepare("ALPACA", [row], {"schedule": {"train_on_inputs": "TRAIN_ON_INPUTS_ENABLED"}}).counted == made.texts


def test_calls_count_and_tools_and_their_answers_do_not(prepare: Callable[..., Prepared], tool_base: Path) -> None:
    rows = [
        # The first row has no tools, and each call has arguments of its own: none may end up in another row.
        {"messages": [user("Hi"), assistant("Hello")]},
        {
            "messages": [
                user("1+2?"),
                assistant("", tool_calls=[call("add", a=1, b=2)]),
                {"role": "tool", "content": "3"},
                assistant("3"),
            ],
            "tools": [ADD],
        },
        {"messages": [user("2*2?"), assistant("", tool_calls=[call("multiply", factors=[2, 2])])], "tools": '[{"name": "m"}]'},
    ]
    made = prepare("MESSAGES", rows, base=tool_base)
    add = '{"type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": 2}}}'
    multiply = '{"type": "function", "function": {"name": "multiply", "arguments": {"factors": [2, 2]}}}'
    assert made.counted == ["Hello<eos>", f"{add}<eos>3<eos>", f"{multiply}<eos>"]
    assert made.texts[0] == "<|user|>Hi<|assistant|>Hello<eos>"
    assert made.texts[1].startswith('[{"type": "function", "function": {"name": "add", "parameters": {}}}]<|user|>')
    assert made.texts[2].startswith('[{"name": "m"}]<|user|>')


def test_calls_of_sharegpt_count(prepare: Callable[..., Prepared], tool_base: Path) -> None:
    turns = [
        {"from": "human", "value": "1+2?"},
        {"from": "function_call", "value": '{"name": "add", "arguments": {"a": 1}}'},
        {"from": "observation", "value": "3"},
        {"from": "gpt", "value": "It is 3"},
    ]
    made = prepare("SHAREGPT", [{"conversations": turns, "tools": [ADD, MULTIPLY]}], base=tool_base)
    assert made.counted == ['{"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}<eos>It is 3<eos>']
    assert '"name": "multiply"' in made.texts[0]


def test_a_conversation_without_an_answer_is_left_out_by_name(prepare: Callable[..., Prepared]) -> None:
    rows = [{"messages": [user("Hi"), assistant("Hello")]}, {"messages": [user("Anybody?")]}]
    made = prepare("MESSAGES", rows)
    assert made.counted == ["Hello<eos>"]
    assert made.sink.warnings == ["1 of 2 rows of datasets.training_file_id have no assistant's turn and are left out"]
    with pytest.raises(InvalidArgument, match="no conversation has an assistant's turn"):
        prepare("MESSAGES", rows[1:])
    everything = prepare("MESSAGES", rows, {"schedule": {"train_on_inputs": "TRAIN_ON_INPUTS_ENABLED"}})
    assert everything.counted == ["<|user|>Hi<|assistant|>Hello<eos>", "<|user|>Anybody?"]


def test_a_completion_in_messages_needs_a_chat_template(make_job: MakeJob, tool_base: Path) -> None:
    (tool_base / "chat_template.jinja").unlink()
    row = {"prompt": MANY_TURNS[:2], "completion": MANY_TURNS[2:3]}
    with pytest.raises(InvalidArgument, match="no chat template"):
        make_job("PROMPT_COMPLETION", training=[row], base=tool_base).run()


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 5, 8, 9, 11])
def test_a_document_in_pieces_is_the_document(length: int) -> None:
    tokens = list(range(100, 100 + length))
    rows = pieces(tokens, 4)
    assert all(2 <= len(row) <= 4 and len(row) == len(labels) for row, labels in rows)
    # What is predicted, from what stands right before it.
    learnt = [(row[place - 1], label) for row, labels in rows for place, label in enumerate(labels) if label != -100]
    assert learnt == [(token - 1, token) for token in tokens[1:]]
    assert all(labels[0] == -100 for _, labels in rows)


def test_long_texts_are_split_and_nothing_is_lost(prepare: Callable[..., Prepared]) -> None:
    texts = ["word " * 400 + "end", "short", "other " * 600 + "end"]
    made = prepare("TEXT", [{"text": text} for text in texts], CONTINUED)
    rows = [tokens for tokens, _ in made.rows]
    assert len(rows) == 9 and max(map(len, rows)) == 512
    # Each piece begins with the last token of the one before, so joined they are the texts with their ends.
    end = made.tokenizer.eos_token_id
    joined: list[list[int]] = [[]]
    for tokens in rows:
        joined[-1] += tokens if not joined[-1] else tokens[1:]
        if tokens[-1] == end:
            joined.append([])
    assert [made.tokenizer.decode(tokens) for tokens in joined] == [*(f"{text}<eos>" for text in texts), ""]
    counted = sum(label != -100 for _, labels in made.rows for label in labels)
    assert counted == sum(len(tokens) - 1 for tokens in joined if tokens)
    # No piece holds an end and then goes on: that would be two texts in one row.
    assert all(end not in tokens[:-1] for tokens in rows)
    assert not made.sink.warnings
    assert "The 3 texts of datasets.training_file_id are 9 rows of at most 512 tokens" in made.sink.stages


def test_pieces_and_rows_are_kept_apart(make_job: MakeJob, tmp_path: Path) -> None:
    """The same dataset, cut for one job and split for another, with tokenised rows kept for both."""

    def rows_of(settings: dict[str, Any]) -> int:
        job = make_job("TEXT", {**settings, "schedule": {"max_steps": 1}}, training=[{"text": "word " * 400}])
        job.assignment.base_model.files.add(path="tokenizer.json", sha256="1" * 64)
        job.inputs = type(job.inputs)(**{**vars(job.inputs), "tokenised_folder": tmp_path / "kept"})
        return len(job.run().losses()) and len(list((tmp_path / "kept").iterdir()))

    (tmp_path / "kept").mkdir()
    assert [rows_of({}), rows_of(CONTINUED), rows_of(CONTINUED)] == [1, 2, 2]
    assert PretrainingTrainer.layout != tokenised.ROWS


# A soft prompt before a random model changes little.
@pytest.mark.parametrize(("method", "learnt"), [("FULL", 0.3), ("LORA", 0.3), ("QLORA", 0.3), ("P_TUNING", 0.02)])
def test_continued_pretraining_learns_its_texts(make_job: MakeJob, method: str, learnt: float) -> None:
    of_method = {"lora_config": {"rank": 8}} if method == "QLORA" else {}
    of_method |= {"prompt_tuning_config": {"num_virtual_tokens": 4}} if method == "P_TUNING" else {}
    settings = {
        "method": {**CONTINUED["method"], **of_method},
        "schedule": {"max_steps": 8},
        "optimizer": {"learning_rate": 0.02 if method != "FULL" else 2e-3},
    }
    texts = [{"text": "copper turns green " * 60}, {"text": "rivers carry sand " * 45}]
    losses = make_job("TEXT", settings, method=method, training=texts).run().losses()
    assert losses[-1] < losses[0] - learnt


def test_texts_that_say_nothing_are_refused(make_job: MakeJob) -> None:
    with pytest.raises(InvalidArgument, match="no text has a second token"):
        make_job("TEXT", CONTINUED, training=[{"text": ""}]).run()
    with pytest.raises(InvalidArgument, match="CONTINUED_PRETRAINING needs plain texts"):
        make_job("ALPACA", CONTINUED).run()


def test_each_recipe_loads() -> None:
    for objective in (method_pb2.TRAINING_OBJECTIVE_SFT, method_pb2.TRAINING_OBJECTIVE_CONTINUED_PRETRAINING):
        assert callable(recipe_of(objective))
