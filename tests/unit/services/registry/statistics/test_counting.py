"""A file counted, beside the same counted by hand."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from services.registry.statistics import counting, sample
from services.registry.statistics.counting import RowsUnreadable, Task, count
from services.registry.statistics.tokens import TokenizerUnreadable
from tests.unit.services.registry.statistics.tokenizers_made import WORDS, write_tokenizer


def task_of(rows: list[dict[str, Any]], folder: Path, kind: str, *, tokenizer: str = "", template: bool = True) -> Task:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return Task(str(path), f"DATASET_FORMAT_{kind}", len(rows), path.stat().st_size, "seed", tokenizer, template)


CHAT = [
    {"messages": [{"role": "user", "content": "größe?"}, {"role": "assistant", "content": "x" * 10}], "note": ""},
    {"note": "", "messages": [{"role": "user", "content": "größe?"}, {"role": "assistant", "content": "x" * 10}]},
    {"messages": [{"role": "system", "content": ""}, {"role": "assistant", "content": "y"}], "note": None, "tags": []},
    {"messages": [{"role": "assistant", "content": "z"}], "note": " \n", "score": 0, "flag": False},
]


def test_what_rows_hold_is_counted_over_all_of_them(tmp_path: Path) -> None:
    found = count(task_of(CHAT, tmp_path, "MESSAGES"))
    # The second row is the first with its names in another order.
    assert (found.row_count, found.duplicate_row_count) == (4, 1)
    assert dict(found.empty_value_counts) == {"note": 4, "tags": 1, "messages": 1}
    assert dict(found.role_counts) == {"user": 2, "assistant": 4, "system": 1}
    assert found.mean_turns == 7 / 4


def test_labels_are_counted_and_the_most_frequent_told(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"text": "a", "label": label} for label in ("cat", "dog", "cat", 3, "3")]
    found = count(task_of(rows, tmp_path, "TEXT_LABEL"))
    assert (dict(found.label_counts), found.distinct_label_count) == ({"cat": 2, "dog": 1, "3": 2}, 3)
    # The text alone is read as tokens.
    assert found.mean_tokens == 2
    assert found.mean_turns == 0


def test_of_many_labels_the_most_frequent_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "SHOWN_LABELS", 2)
    rows = [{"image": "", "label": number} for number in (1, 1, 1, 2, 2, 3)]
    found = count(task_of(rows, tmp_path, "IMAGE_LABEL"))
    assert (dict(found.label_counts), found.distinct_label_count) == ({"1": 3, "2": 2}, 3)
    monkeypatch.setattr(counting, "MAX_LABELS", 2)
    assert count(task_of(rows, tmp_path, "IMAGE_LABEL")).distinct_label_count == 2


def test_without_a_tokenizer_every_row_is_estimated_at_four_bytes_a_token(tmp_path: Path) -> None:
    found = count(task_of(CHAT, tmp_path, "MESSAGES"))
    # `größe?`, a line feed and ten letters are 19 bytes: 5 tokens, and 5 for each of two turns.
    lengths = [5 + 10, 5 + 10, 1 + 10, 1 + 5]
    assert (found.sampled_row_count, found.token_count) == (4, sum(lengths))
    assert (found.mean_tokens, found.median_tokens, found.max_tokens) == (sum(lengths) / 4, 11, 15)
    assert sum(each.row_count for each in found.token_histogram) == 4
    assert found.tokenizer_base_model_id == ""


def test_a_tokenizer_counts_as_it_does_for_training(tmp_path: Path) -> None:
    tokenizer = write_tokenizer(tmp_path / "tokenizer.json")
    texts = [" ".join(WORDS[:size]) * size for size in range(1, 4)] * 50
    task = task_of([{"text": text} for text in texts], tmp_path, "TEXT", tokenizer=str(tmp_path / "tokenizer.json"))
    # The mark at the beginning is the tokenizer's, the one at the end the trainer's.
    lengths = sorted(len(tokenizer.encode(text).ids) + 1 for text in texts)
    found = count(task)
    assert (found.sampled_row_count, found.token_count, found.max_tokens) == (150, sum(lengths), lengths[-1])
    assert found.median_tokens == lengths[74]


@pytest.mark.parametrize("template", [True, False])
def test_turns_get_a_template_s_marks_and_no_others(tmp_path: Path, template: bool) -> None:
    tokenizer = write_tokenizer(tmp_path / "tokenizer.json")
    row = {"messages": [{"role": "user", "content": "fox"}, {"role": "assistant", "content": "dog"}]}
    task = task_of([row], tmp_path, "MESSAGES", tokenizer=str(tmp_path / "tokenizer.json"), template=template)
    content = len(tokenizer.encode("fox\ndog", add_special_tokens=False).ids)
    assert count(task).token_count == content + (10 if template else 0)


def test_a_sample_tells_what_all_rows_would_and_the_longest_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = write_tokenizer(tmp_path / "tokenizer.json")
    generator = random.Random(5)
    rows = [{"text": WORDS[0] * generator.randint(1, 9), "empty": ""} for _ in range(4000)]
    rows[1234]["text"] = WORDS[0] * 300
    task = task_of([*rows, rows[0]], tmp_path, "TEXT", tokenizer=str(tmp_path / "tokenizer.json"))
    whole = count(task)
    assert whole.sampled_row_count == 4001
    monkeypatch.setattr(sample, "SAMPLE_ROWS", 800)
    found = count(task)
    assert (found.row_count, found.sampled_row_count) == (4001, 800)
    assert found.token_count == pytest.approx(whole.token_count, rel=0.08)
    assert abs(found.median_tokens - whole.median_tokens) <= 0.15 * whole.median_tokens
    assert found.max_tokens == whole.max_tokens == len(tokenizer.encode(rows[1234]["text"]).ids) + 1
    # What needs no tokenizer is of all rows.
    assert found.duplicate_row_count == whole.duplicate_row_count > 0
    assert found.empty_value_counts["empty"] == 4001


def test_a_very_long_text_is_scaled_up_from_its_beginning(tmp_path: Path) -> None:
    tokenizer = write_tokenizer(tmp_path / "tokenizer.json")
    text = "fox dog " * 200_000
    task = task_of([{"text": text}], tmp_path, "TEXT", tokenizer=str(tmp_path / "tokenizer.json"))
    assert count(task).max_tokens == pytest.approx(len(tokenizer.encode(text).ids), rel=0.01)


def test_rows_of_no_text_have_no_length(tmp_path: Path) -> None:
    found = count(task_of([{"user_id": 1, "item_id": 2}] * 3, tmp_path, "INTERACTIONS"))
    assert (found.row_count, found.duplicate_row_count, found.token_count, found.max_tokens) == (3, 2, 0, 0)
    assert [(each.lower, each.upper, each.row_count) for each in found.token_histogram] == [(0, 1, 3)]


CHANGED = {"{": "line 2 is not JSON", "[]": "line 2 is not an object", '{"a": 1}': "line 2 is not what"}


@pytest.mark.parametrize("line", CHANGED)
def test_rows_that_were_changed_on_the_disk_are_named(tmp_path: Path, line: str) -> None:
    task = task_of([{"text": "a"}], tmp_path, "TEXT")
    with Path(task.path).open("a") as file:
        file.write(line)
    with pytest.raises(RowsUnreadable, match=CHANGED[line]):
        count(task)


def test_a_tokenizer_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(TokenizerUnreadable):
        count(task_of([{"text": "a"}], tmp_path, "TEXT", tokenizer=str(tmp_path / "tokenizer.json")))
