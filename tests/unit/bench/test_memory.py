"""The memory bench: what it measures, that its halves stay apart, and one tiny configuration from end to end."""

import json
from pathlib import Path
from typing import Any

import pytest
from tunesmith.pool.v1 import pool_pb2

from bench.memory import __main__ as program
from bench.memory.cases import CPU_BATCHES, GPU_BATCHES, LOOKED_AT, SEED, STEPS, Case, cases, half
from bench.memory.measure import measure
from bench.memory.shapes import CPU_SHAPES, GPU_SHAPES, base_model, write_rows

TINY: dict[str, Any] = {
    **CPU_SHAPES["llama"],
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def test_there_are_enough_configurations_and_the_halves_share_none() -> None:
    every = cases(list(CPU_SHAPES), CPU_BATCHES, 2)
    seen, unseen = half(every, "seen"), half(every, "unseen")
    assert (len(every), len(seen), len(unseen)) == (60, 30, 30)
    assert set(seen) | set(unseen) == set(every)
    assert not {case.name for case in unseen} & {*LOOKED_AT, *(case.name for case in seen)}
    assert {(case.shape, case.method) for case in unseen} == {
        (shape, method) for shape in CPU_SHAPES for method in ("FULL", "LORA")
    }
    assert half(every, "unseen") == unseen


def test_there_are_forty_configurations_for_a_gpu() -> None:
    assert len(set(cases(list(GPU_SHAPES), GPU_BATCHES, 1))) == 50


@pytest.mark.parametrize("name", list(CPU_SHAPES))
def test_the_models_have_ten_to_sixty_million_parameters(name: str) -> None:
    assert 10e6 < base_model(CPU_SHAPES[name]).profile.parameter_count < 60e6
    assert 8192 <= base_model(CPU_SHAPES[name]).architecture.vocabulary_size <= 32768


def test_rows_have_the_tokens_that_are_asked_for(tmp_path: Path) -> None:
    case = Case("llama", "LORA", "BF16", False, 2, 100)
    assert case.lengths == [100, 70] * STEPS
    write_rows(tmp_path / "rows", case.lengths, 512)
    rows = [json.loads(line)["text"] for line in (tmp_path / "rows").read_text().splitlines()]
    # The end is added to each.
    assert [len(row.split()) + 1 for row in rows] == case.lengths


def test_one_tiny_configuration_is_estimated_and_measured() -> None:
    device = pool_pb2.Device(kind=pool_pb2.DEVICE_KIND_CPU, name="here")
    (entry,) = measure([Case("tiny", "LORA", "FP32", False, 1, 64)], {"tiny": TINY}, device)
    assert entry["case"] == "tiny LORA FP32 - 1x64"
    assert entry["measured"]["peak_bytes"] > 2e6
    assert sum(entry["components"].values()) == entry["estimated_bytes"] == max(entry["phases"].values())
    assert entry["error"] == pytest.approx(entry["estimated_bytes"] / entry["measured"]["peak_bytes"] - 1)
    document = program.document(
        [entry], device, program.record.Setting("0" * 40, {"cores": 2}), program.parse(["--half", "seen"])
    )
    assert (document["seed"], document["figures"]["configurations"]) == (SEED, 1)
    assert document["figures"]["largest absolute error"] == abs(entry["error"])


def test_without_a_gpu_it_says_so_and_measures_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "_gpu", lambda: None)
    monkeypatch.setattr(program, "measure", lambda *_: pytest.fail("measured"))
    program.main(["--gpu"])
    assert capsys.readouterr().out.strip() == program.NO_GPU
