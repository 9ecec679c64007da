"""peft's published runs of Llama-3.2-3B on an L40S (method_comparison/MetaMathQA, torch 2.13).

Batch 4, rows of at most 768 tokens, bfloat16 without autocast, AdamW, no checkpointing.
"""

import pytest

from services.preflight.estimate.memory import estimate_memory
from services.preflight.estimate.parameters import parameters_of
from tests.unit.services.preflight.memory.models import configuration, workload

ROW_TOKENS = 768
# Of a row in that dataset, from the runs' own count of tokens.
MEAN_TOKENS = 210.0
BELOW, ABOVE = 0.95, 1.05


def test_lora_on_queries_and_values_is_between_its_percentile_and_its_peak() -> None:
    resolved = configuration(lora={"rank": 32, "trainable_modules": "q_proj,v_proj"}, sequence_length=ROW_TOKENS)
    made = estimate_memory(workload("Llama-3.2-3B", resolved, row_tokens=ROW_TOKENS, mean_tokens=MEAN_TOKENS))
    assert made.trainable_parameter_count == 9_175_040
    assert BELOW * 20.12e9 <= made.peak_bytes <= ABOVE * 22.29e9
    assert made.steady_bytes == pytest.approx(6.92e9, rel=0.03)


def test_full_training_in_bfloat16_is_between_its_percentile_and_its_peak() -> None:
    resolved = configuration("FULL", masters=False, sequence_length=ROW_TOKENS)
    made = estimate_memory(workload("Llama-3.2-3B", resolved, row_tokens=ROW_TOKENS, mean_tokens=MEAN_TOKENS))
    assert made.parameter_count == made.trainable_parameter_count == 3_212_749_824
    assert BELOW * 37.35e9 <= made.peak_bytes <= ABOVE * 38.87e9


def test_a_higher_rank_and_more_targets_cost_what_they_hold() -> None:
    def peak(rank: int, targets: str) -> int:
        resolved = configuration(lora={"rank": rank, "trainable_modules": targets}, sequence_length=ROW_TOKENS)
        return estimate_memory(workload("Llama-3.2-3B", resolved, row_tokens=ROW_TOKENS)).peak_bytes

    pairs = "q_proj,v_proj"
    # Weights, gradients come later, and two states: 12 bytes a parameter at the loss; and wider factors' outputs.
    assert peak(64, pairs) - peak(32, pairs) == pytest.approx(9_175_040 * 12 + 28 * 2 * 4 * ROW_TOKENS * 4 * 32, rel=0.05)
    assert peak(32, "all-linear") > 1.2 * peak(32, pairs)


def test_a_soft_prompt_trains_its_own_numbers_only() -> None:
    run = workload("Llama-3.2-3B", configuration("PROMPT_TUNING", sequence_length=ROW_TOKENS), row_tokens=ROW_TOKENS)
    assert parameters_of(run).trained == 20 * 3072
    assert run.sequence_tokens == ROW_TOKENS + 20
    made = estimate_memory(run)
    assert 20e9 < made.peak_bytes < 24e9
