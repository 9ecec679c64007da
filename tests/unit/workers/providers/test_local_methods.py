"""Which weights move: each way of training is given its own arguments, and what can't be combined is refused beforehand."""

from typing import Any

import pytest
from transformers import AutoConfig, BitsAndBytesConfig
from tunesmith.config.v1 import datasets_pb2, method_pb2, model_pb2
from tunesmith.provider.v1.lowering_pb2 import FieldLowering, LoweringAction
from tunesmith.registry.v1 import dataset_pb2

from workers.providers.local import method, model, soft_prompt
from workers.providers.local.datasets import refuse_dataset
from workers.providers.local.execution import execution
from workers.providers.local.plan import plan
from workers.providers.local.provider import LOCAL

from .conftest import Submit, merged

PRETRAINING = method_pb2.TRAINING_OBJECTIVE_CONTINUED_PRETRAINING
SOFT_PROMPTS = ("PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING")


def qlora(precision: str, **over: Any) -> dict[str, Any]:
    return merged({"method": {"type": "TRAINING_METHOD_QLORA"}, "model": {"precision": f"MODEL_PRECISION_{precision}"}}, over)


def prompt(name: str, **over: Any) -> dict[str, Any]:
    of_prompt: dict[str, Any] = {"type": f"TRAINING_METHOD_{name}", "lora_config": None, "prompt_tuning_config": {}}
    return merged({"method": of_prompt}, over)


def settings(**of_prompt: Any) -> dict[str, Any]:
    return {"prompt_tuning_config": of_prompt}


def lowered(submit: Submit, over: dict[str, Any]) -> dict[str, FieldLowering]:
    submitted, resolved = submit(over)
    return {field.field_path: field for field in LOCAL.lower(resolved, submitted)}


def actions(fields: dict[str, FieldLowering], action: str) -> list[str]:
    return [path for path, field in fields.items() if LoweringAction.Name(field.action) == f"LOWERING_ACTION_{action}"]


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        (qlora("INT4"), {"load_in_4bit": True, "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": "bfloat16"}),
        (
            qlora("INT4", model={"double_quantization": False}),
            {"load_in_4bit": True, "bnb_4bit_use_double_quant": False, "bnb_4bit_compute_dtype": "bfloat16"},
        ),
        (qlora("INT8"), {"load_in_8bit": True}),
        (qlora("BF16"), {"load_in_4bit": True, "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": "bfloat16"}),
        (qlora("FP32"), {"load_in_4bit": True, "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": "float32"}),
    ],
)
def test_frozen_weights_are_quantized_as_asked(submit: Submit, over: dict[str, Any], expected: dict[str, Any]) -> None:
    resolved = submit(over)[1]
    made = plan(resolved)
    nf4 = {"bnb_4bit_quant_type": "nf4"} if "load_in_4bit" in expected else {}
    assert made.weights["quantization_config"] == expected | nf4
    read = BitsAndBytesConfig(**made.weights["quantization_config"])
    run = execution(resolved)
    assert run.quantization_bits == (8 if read.load_in_8bit else 4)
    assert run.frozen_dtype == made.weights["dtype"] == expected.get("bnb_4bit_compute_dtype", "bfloat16")
    assert run.autocast == made.trainer["bf16"] == (made.weights["dtype"] == "bfloat16")
    assert (run.double_quantization, run.adapter_dtype) == (expected.get("bnb_4bit_use_double_quant", True), "bfloat16")
    assert made.adapter is not None and made.adapter["peft_type"] == "LORA"


def test_weights_of_other_methods_are_not_quantized(submit: Submit) -> None:
    for over in ({}, {"method": {"type": "TRAINING_METHOD_FULL", "lora_config": None}}, prompt("P_TUNING")):
        assert "quantization_config" not in plan(submit(over)[1]).weights


@pytest.mark.parametrize(
    ("over", "path", "fix"),
    [
        (qlora("FP16"), "model.precision", "use INT4"),
        (qlora("FP8"), "model.precision", "use BF16 or FP32"),
        (qlora("INT8", method={"lora_config": {"use_dora": True}}), "model.precision", "leave out use_dora"),
        ({"model": {"precision": "MODEL_PRECISION_INT4"}}, "model.precision", "use method.type QLORA"),
        ({"model": {"precision": "MODEL_PRECISION_INT8"}}, "model.precision", "use method.type QLORA"),
        *(
            (
                prompt(name, optimizations={"enabled": ["OPTIMIZATION_FEATURE_SEQUENCE_PACKING"]}),
                "method.type",
                "SEQUENCE_PACKING",
            )
            for name in SOFT_PROMPTS
        ),
        (
            prompt("PREFIX_TUNING", optimizations={"enabled": ["OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING"]}),
            "method.type",
            "remove GRADIENT_CHECKPOINTING",
        ),
        (prompt("P_TUNING", method={"objective": "TRAINING_OBJECTIVE_DPO"}), "method.type", "use LORA"),
        (
            prompt("P_TUNING", method=settings(num_virtual_tokens=512), schedule={"sequence_length": 512}),
            "method.prompt_tuning_config.num_virtual_tokens",
            "raise schedule.sequence_length",
        ),
    ],
)
def test_what_can_not_be_combined_is_refused(submit: Submit, over: dict[str, Any], path: str, fix: str) -> None:
    fields = lowered(submit, over)
    assert actions(fields, "REFUSED") == [path]
    assert fix in fields[path].detail
    with pytest.raises(ValueError, match=path):
        LOCAL.translate(submit(over)[1])


@pytest.mark.parametrize("name", SOFT_PROMPTS)
def test_what_can_be_combined_is_not(submit: Submit, name: str) -> None:
    features = ["OPTIMIZER_8BIT", "DYNAMIC_PADDING", *(["GRADIENT_CHECKPOINTING"] if name != "PREFIX_TUNING" else [])]
    over = prompt(name, optimizations={"enabled": [f"OPTIMIZATION_FEATURE_{feature}" for feature in features]})
    assert actions(lowered(submit, over), "REFUSED") == []
    for objective in ("SFT", "CONTINUED_PRETRAINING"):
        assert plan(submit(merged(over, {"method": {"objective": f"TRAINING_OBJECTIVE_{objective}"}}))[1]).adapter is not None


def test_every_soft_prompt_is_tried_here() -> None:
    assert {f"TRAINING_METHOD_{name}" for name in SOFT_PROMPTS} == {
        method_pb2.TrainingMethod.Name(number) for number in soft_prompt.PEFT_TYPES
    }
    assert set(method.SENT_METHODS) == set(soft_prompt.PEFT_TYPES) | method.LORA_METHODS | {method_pb2.TRAINING_METHOD_FULL}


@pytest.mark.parametrize(
    ("name", "of_prompt", "expected"),
    [
        ("PROMPT_TUNING", {}, {"prompt_tuning_init": "SAMPLE_VOCAB"}),
        ("PROMPT_TUNING", {"num_virtual_tokens": 7}, {"prompt_tuning_init": "SAMPLE_VOCAB"}),
        (
            "PROMPT_TUNING",
            {"initial_text": "Answer kindly."},
            {"prompt_tuning_init": "TEXT", "prompt_tuning_init_text": "Answer kindly."},
        ),
        ("PREFIX_TUNING", {}, {"prefix_projection": False}),
        ("PREFIX_TUNING", {"encoder_hidden_size": 32}, {"prefix_projection": True, "encoder_hidden_size": 32}),
        ("P_TUNING", {}, {}),
        ("P_TUNING", {"encoder_hidden_size": 32}, {"encoder_hidden_size": 32}),
    ],
)
def test_a_soft_prompt_is_made_as_asked(submit: Submit, name: str, of_prompt: dict[str, Any], expected: dict[str, Any]) -> None:
    over = prompt(name, method=settings(**of_prompt))
    tokens = of_prompt.get("num_virtual_tokens", 20)
    made = plan(submit(over)[1])
    assert made.adapter == {"peft_type": name, "num_virtual_tokens": tokens, "task_type": "CAUSAL_LM", **expected}
    fields = lowered(submit, over)
    assert all(f"method.prompt_tuning_config.{key}" in fields for key in of_prompt)
    assert not actions(fields, "REFUSED") and not actions(fields, "DROPPED")


@pytest.mark.parametrize("name", SOFT_PROMPTS)
def test_virtual_tokens_count_against_the_sequence(submit: Submit, name: str) -> None:
    over = prompt(name, method=settings(num_virtual_tokens=30), schedule={"sequence_length": 600})
    made = plan(submit(over)[1]).trainer
    assert (made["max_length"], made["pad_to_multiple_of"]) == (570, 570)
    detail = lowered(submit, over)["method.prompt_tuning_config.num_virtual_tokens"].detail
    assert "leaves 570 tokens" in detail


def test_settings_of_other_methods_are_dropped_by_name(submit: Submit) -> None:
    text = prompt("P_TUNING", method=settings(initial_text="Hello", encoder_hidden_size=16))
    assert actions(lowered(submit, text), "DROPPED") == ["method.prompt_tuning_config.initial_text"]
    encoder = prompt("PROMPT_TUNING", method=settings(encoder_hidden_size=16))
    assert actions(lowered(submit, encoder), "DROPPED") == ["method.prompt_tuning_config.encoder_hidden_size"]
    neither = {"method": {"prompt_tuning_config": {"num_virtual_tokens": 4}}}
    assert actions(lowered(submit, neither), "DROPPED") == ["method.prompt_tuning_config.num_virtual_tokens"]
    lora = prompt("P_TUNING", method={"lora_config": {"rank": 4}})
    assert "method.lora_config.rank" in actions(lowered(submit, lora), "DROPPED")
    eight_bits = qlora("INT8", model={"double_quantization": True, "master_weights": True})
    assert actions(lowered(submit, eight_bits), "DROPPED") == ["model.double_quantization", "model.master_weights"]


@pytest.mark.parametrize("over", [{}, {"method": {"type": "TRAINING_METHOD_FULL", "lora_config": None}}, prompt("P_TUNING")])
def test_fp16_scales_its_loss_and_trains_float32_weights(submit: Submit, over: dict[str, Any]) -> None:
    resolved = submit(merged(over, {"model": {"precision": "MODEL_PRECISION_FP16"}}))[1]
    made, run = plan(resolved), execution(resolved)
    assert (made.trainer["fp16"], made.trainer["bf16"], run.autocast) == (True, False, True)
    full = made.adapter is None
    assert made.weights["dtype"] == ("float32" if full else "float16")
    assert made.saved_dtype == "float16"
    assert (run.trained_dtype, run.adapter_dtype) == ("float32", "float32")


def test_fp16_has_no_use_for_weights_held_in_it(submit: Submit) -> None:
    over = {
        "model": {"precision": "MODEL_PRECISION_FP16", "master_weights": False},
        "method": {"type": "TRAINING_METHOD_FULL", "lora_config": None},
    }
    fields = lowered(submit, over)
    assert actions(fields, "DROPPED") == ["model.master_weights"]
    assert plan(submit(over)[1]).weights["dtype"] == "float32"
    assert "GPU" in fields["model.precision"].detail


@pytest.mark.parametrize("name", ["LINEAR", "DYNAMIC", "YARN"])
@pytest.mark.parametrize(("kind", "said"), [("LORA", "does not carry it"), ("FULL", "configuration says so")])
def test_positions_are_stretched_as_asked(submit: Submit, name: str, kind: str, said: str) -> None:
    lora = {} if kind == "LORA" else {"method": {"type": "TRAINING_METHOD_FULL", "lora_config": None}}
    over = merged(lora, {"model": {"rope_scaling": {"type": f"ROPE_TYPE_{name}", "factor": 4}}})
    assert plan(submit(over)[1]).weights["rope_scaling"] == {"rope_type": name.lower(), "factor": 4}
    fields = lowered(submit, over)
    assert said in fields["model.rope_scaling.type"].detail
    assert "4 times as many tokens" in fields["model.rope_scaling.factor"].detail
    assert "rope_scaling" not in plan(submit(lora)[1]).weights


def test_every_way_to_stretch_is_there() -> None:
    assert set(model.ROPE_TYPES) == {number for number in model_pb2.RopeType.values() if number}


def test_families_without_rotary_positions_are_known() -> None:
    assert len(model.WITHOUT_ROTARY_POSITIONS) == 14
    for family in model.WITHOUT_ROTARY_POSITIONS:
        assert not hasattr(AutoConfig.for_model(family).get_text_config(), "rope_parameters"), family
    for family in ("llama", "qwen3", "gemma3_text", "phi", "gpt_neox", "mistral"):
        assert AutoConfig.for_model(family).rope_parameters


def test_continued_pretraining_reads_texts_only() -> None:
    for name in dataset_pb2.DatasetFormat.keys():  # noqa: SIM118 - no mapping
        number: Any = dataset_pb2.DatasetFormat.Value(name)
        refusals = refuse_dataset(number, datasets_pb2.DATASET_STRATEGY_STANDARD, objective=PRETRAINING)
        if number == dataset_pb2.DATASET_FORMAT_TEXT:
            assert refusals == []
        else:
            (refusal,) = refusals
            assert refusal.field_path == "datasets.training_file_id"
            assert "CONTINUED_PRETRAINING needs plain texts" in refusal.detail and "SFT" in refusal.detail


def test_all_of_a_text_counts_whatever_is_said_of_inputs(submit: Submit) -> None:
    over = {"method": {"objective": "TRAINING_OBJECTIVE_CONTINUED_PRETRAINING"}}
    for value, action in (("AUTO", "CONVERTED"), ("ENABLED", "SENT"), ("DISABLED", "DROPPED")):
        fields = lowered(submit, merged(over, {"schedule": {"train_on_inputs": f"TRAIN_ON_INPUTS_{value}"}}))
        assert "schedule.train_on_inputs" in actions(fields, action)
    assert plan(submit(over)[1], dataset_pb2.DATASET_FORMAT_TEXT).trainer["completion_only_loss"] is False
