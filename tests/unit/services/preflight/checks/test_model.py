"""What a base model can't be, for what is asked of it."""

import pytest
from tunesmith import apply_fixes
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_ERROR, SEVERITY_NOTE, SEVERITY_WARNING
from tunesmith.registry.v1.dataset_statistics_pb2 import DatasetStatistics

from services.preflight.row_lengths import ceiling
from tests.unit.services.preflight.known import (
    CPU_POOL,
    GPT_2,
    GPU_POOL,
    LLAMA_2_7B,
    PICO,
    changed,
    codes,
    configuration,
    report,
    the,
)

FULL = {"type": "TRAINING_METHOD_FULL"}


def test_a_gguf_file_is_served_and_not_trained() -> None:
    found = the(report(model=changed(LLAMA_2_7B, gguf=True, trainable=False)), "GGUF_NOT_TRAINABLE")
    assert found.message.startswith("GGUF models cannot be trained. Use original format.")


def test_a_model_that_is_not_trainable() -> None:
    assert "BASE_MODEL_NOT_TRAINABLE" in codes(report(model=changed(GPT_2, trainable=False)))


def test_quantized_weights_block_full_training_and_nothing_else() -> None:
    quantized = changed(LLAMA_2_7B, quantized=True)
    full = configuration(method=FULL)
    found = the(report(full, quantized), "QUANTIZED_BASE_BLOCKS_FULL")
    assert [edit.field_path for edit in found.fix.edits][:2] == ["method.type", "method.lora_config"]
    assert "QUANTIZED_BASE_BLOCKS_FULL" not in codes(report(apply_fixes(full, [found]), quantized))
    assert "QUANTIZED_BASE_BLOCKS_FULL" not in codes(report(model=quantized))


def test_a_private_model_needs_a_credential_until_it_is_here() -> None:
    private = changed(LLAMA_2_7B, private=True)
    assert "HF_TOKEN" in the(report(model=private), "PRIVATE_MODEL_NEEDS_CREDENTIAL").message
    assert "PRIVATE_MODEL_NEEDS_CREDENTIAL" not in codes(report(model=changed(private, credential_id="HF_TOKEN")))
    assert "PRIVATE_MODEL_NEEDS_CREDENTIAL" not in codes(report(model=changed(private, cache_status="CACHE_STATUS_CACHED")))


@pytest.mark.parametrize(
    ("fields", "severity", "says"),
    [
        ({}, SEVERITY_WARNING, "12.6 GiB before it trains, about 9 min"),
        ({"download_bytes": 500_000_000}, SEVERITY_NOTE, "476.8 MiB"),
        ({"cache_status": "CACHE_STATUS_DOWNLOADING"}, SEVERITY_NOTE, "is being downloaded"),
    ],
)
def test_a_download_is_told_with_its_size_and_time(fields: dict, severity: int, says: str) -> None:
    found = the(report(model=changed(LLAMA_2_7B, **fields)), "MODEL_NOT_CACHED")
    assert found.severity == severity
    assert says in found.message


def test_what_is_here_is_not_downloaded() -> None:
    assert "MODEL_NOT_CACHED" not in codes(report(model=GPT_2))


def test_positions_that_are_learnt_are_not_stretched() -> None:
    scaling = {"type": "ROPE_TYPE_YARN", "factor": 4}
    made = configuration(model={"base_model": "gpt-2", "rope_scaling": scaling})
    found = the(report(made, GPT_2), "POSITIONS_NOT_ROTARY")
    assert (found.field_path, found.severity) == ("model.rope_scaling", SEVERITY_ERROR)
    assert "POSITIONS_NOT_ROTARY" not in codes(report(apply_fixes(made, [found]), GPT_2))
    assert "POSITIONS_NOT_ROTARY" not in codes(report(configuration(model={"base_model": "llama", "rope_scaling": scaling})))


def test_stretched_positions_are_counted() -> None:
    long = {"schedule": {"sequence_length": 8192, "batch_size": 1}}
    stretched = {"model": {"base_model": "llama", "rope_scaling": {"type": "ROPE_TYPE_YARN", "factor": 2}}}
    assert "SEQUENCE_BEYOND_POSITIONS" in codes(report(configuration(**long)))
    assert "SEQUENCE_BEYOND_POSITIONS" not in codes(report(configuration(**long, **stretched)))


def test_a_soft_prompt_takes_its_share_of_a_sequence() -> None:
    prompt = {"type": "TRAINING_METHOD_P_TUNING", "prompt_tuning_config": {"num_virtual_tokens": 100}}
    assert ceiling(configuration(method=prompt, schedule={"sequence_length": 1024}), LLAMA_2_7B) == 924
    assert ceiling(configuration(schedule={"sequence_length": 1024}), LLAMA_2_7B) == 1024


def test_texts_that_are_split_are_not_cut() -> None:
    statistics = DatasetStatistics(max_tokens=9000, mean_tokens=300)
    statistics.token_histogram.add(lower=0, upper=10_000, row_count=9)
    lora = {"type": "TRAINING_METHOD_LORA", "lora_config": {}}
    pretraining = {**lora, "objective": "TRAINING_OBJECTIVE_CONTINUED_PRETRAINING"}
    cut, split = (codes(report(configuration(method=method), statistics=statistics)) for method in (lora, pretraining))
    assert ("ROWS_WILL_BE_CUT" in cut, "ROWS_WILL_BE_CUT" in split) == (True, False)


def test_half_precision_needs_a_gpu() -> None:
    made = configuration(model={"base_model": "pico", "precision": "MODEL_PRECISION_FP16"})
    found = the(report(made, PICO, pools=[CPU_POOL]), "FP16_NEEDS_GPU")
    assert (found.field_path, found.severity) == ("model.precision", SEVERITY_ERROR)
    assert "FP16_NEEDS_GPU" not in codes(report(apply_fixes(made, [found]), PICO, pools=[CPU_POOL]))
    assert "FP16_NEEDS_GPU" not in codes(report(made, PICO, pools=[CPU_POOL, GPU_POOL]))
    assert "FP16_NEEDS_GPU" not in codes(report(made, PICO, pools=[]))
