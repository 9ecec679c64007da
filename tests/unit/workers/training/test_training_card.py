"""A model card says what the weights are, what they were made from, and loads on the hub."""

import json

import pytest
import yaml
from google.protobuf.json_format import ParseDict
from tunesmith.config.v1 import method_pb2
from tunesmith.worker.v1.worker_service_pb2 import Assignment

from workers.training.model_card import Losses, render, title


@pytest.fixture
def assignment() -> Assignment:
    settings = {
        "lease": {"job_id": "0193-job"},
        "configuration": {
            "method": {"type": "TRAINING_METHOD_LORA", "lora_config": {"rank": 4}},
            "output": {"suffix": "coding-v1"},
        },
        "base_model": {"id": "0193-base", "display_name": "Pico", "hub_repo": "tunesmith/pico", "revision": "f00d"},
        "training_dataset": {
            "id": "0193-rows",
            "display_name": "Docs: part | one\nand two",
            "version": 3,
            "row_count": 120,
            "sha256": "ab" * 32,
        },
    }
    return ParseDict(settings, Assignment())


def front_matter(card: str) -> dict[str, object]:
    loaded = yaml.safe_load(card.split("---\n")[1])
    assert isinstance(loaded, dict)
    return loaded


def test_the_front_matter_is_what_the_hub_reads(assignment: Assignment) -> None:
    assert front_matter(render(assignment, Losses(9, 9))) == {
        "base_model": "tunesmith/pico",
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["tunesmith", "sft", "lora"],
        "datasets": ["Docs: part / one and two"],
    }


def test_the_lineage_is_complete(assignment: Assignment) -> None:
    card = render(assignment, Losses(9, 9, 6.5, 2.25, 6.0, 3.125))
    assert "# Pico-coding-v1\n" in card
    for fact in ("0193-job", "tunesmith/pico", "0193-base", "f00d", "0193-rows", "version 3", "120 rows", "ab" * 32):
        assert fact in card
    assert "| Training | 6.5000 | 2.2500 |" in card
    assert "| Validation | 6.0000 | 3.1250 |" in card
    shown = json.loads(card.split("```json\n")[1].split("```")[0])
    assert shown["method"] == {"type": "TRAINING_METHOD_LORA", "lora_config": {"rank": 4}}


def test_a_full_fine_tune_loads_with_transformers(assignment: Assignment) -> None:
    ParseDict({"type": "TRAINING_METHOD_FULL"}, assignment.configuration.method)
    card = render(assignment, Losses(9, 9))
    assert front_matter(card)["library_name"] == "transformers"
    assert "PeftModel" not in card


def test_a_model_without_a_hub_name_goes_by_its_id(assignment: Assignment) -> None:
    assignment.base_model.hub_repo = ""
    assert front_matter(render(assignment, Losses(9, 9)))["base_model"] == "0193-base"


def test_without_a_suffix_the_job_names_it(assignment: Assignment) -> None:
    assignment.configuration.output.ClearField("suffix")
    assert title(assignment) == "Pico-0193-job"


def test_a_checkpoint_says_at_which_step_it_was_saved(assignment: Assignment) -> None:
    assert "saved at step 4 of 9" in render(assignment, Losses(4, 9))
    assert "saved at step" not in render(assignment, Losses(9, 9))


def test_what_was_not_measured_is_not_shown(assignment: Assignment) -> None:
    assert "None was measured." in render(assignment, Losses(9, 9))


CARDS: dict[str, tuple[dict[str, object], str, list[str]]] = {
    "full": ({"type": "TRAINING_METHOD_FULL"}, "A full fine-tune of Pico", ["sft", "full"]),
    "LoRA": ({"type": "TRAINING_METHOD_LORA", "lora_config": {}}, "A LoRA adapter for Pico", ["sft", "lora"]),
    "DoRA": (
        {"type": "TRAINING_METHOD_LORA", "lora_config": {"use_dora": True}},
        "A DoRA adapter for Pico",
        ["sft", "lora", "dora"],
    ),
    "rsLoRA on preferences": (
        {"type": "TRAINING_METHOD_LORA", "lora_config": {"use_rslora": True}, "objective": "TRAINING_OBJECTIVE_DPO"},
        "A LoRA adapter with rank-stabilised scaling (rsLoRA) for Pico",
        ["dpo", "lora", "rslora"],
    ),
    "QLoRA": (
        {
            "type": "TRAINING_METHOD_QLORA",
            "lora_config": {},
            "objective": "TRAINING_OBJECTIVE_CONTINUED_PRETRAINING",
        },
        "A LoRA adapter, trained beside quantized weights (QLoRA), for Pico",
        ["continued-pretraining", "qlora"],
    ),
    "prompt tuning": ({"type": "TRAINING_METHOD_PROMPT_TUNING"}, "A soft prompt for Pico", ["sft", "prompt-tuning"]),
    "prefix tuning": (
        {"type": "TRAINING_METHOD_PREFIX_TUNING"},
        "A prefix of trained keys and values for Pico",
        ["sft", "prefix-tuning"],
    ),
    "P-tuning": (
        {"type": "TRAINING_METHOD_P_TUNING", "objective": "TRAINING_OBJECTIVE_DISTILLATION"},
        "A soft prompt (P-tuning) for Pico",
        ["distillation", "p-tuning"],
    ),
}


@pytest.mark.parametrize("kind", list(CARDS))
def test_a_card_names_what_was_made(assignment: Assignment, kind: str) -> None:
    method, said, tags = CARDS[kind]
    assignment.configuration.method.Clear()
    ParseDict(method, assignment.configuration.method)
    card = render(assignment, Losses(9, 9))
    assert f"{said}, trained with Tunesmith" in card
    assert front_matter(card)["tags"] == ["tunesmith", *tags]


def test_every_method_has_its_card() -> None:
    assert {method["type"] for method, _, _ in CARDS.values()} == {
        name for name, number in method_pb2.TrainingMethod.items() if number
    }


def test_a_stretched_base_is_loaded_as_it_was_trained_beside(assignment: Assignment) -> None:
    arguments = {"rope_parameters": {"rope_type": "yarn", "factor": 4.0}, "max_position_embeddings": 8192}
    card = render(assignment, Losses(9, 9), arguments)
    loads = (
        "from_pretrained('tunesmith/pico', rope_parameters={'rope_type': 'yarn', 'factor': 4.0}, max_position_embeddings=8192)"
    )
    assert loads in card and "base_model_arguments.json" in card
