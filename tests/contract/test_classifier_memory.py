"""What a classifier's step is estimated to hold, beside what autograd keeps of one."""

import json
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import ViTConfig, ViTForImageClassification
from tunesmith.preflight.v1.report_pb2 import Report
from tunesmith.registry.v1.base_model_pb2 import BaseModel

from tests.unit.services.preflight.known import CPU_POOL, PICO, VIT, configuration, dataset, report
from workers.estimating.profile import profile

SHAPE: dict[str, Any] = {"hidden_size": 192, "num_hidden_layers": 6, "num_attention_heads": 3, "intermediate_size": 768}
BATCH = 2


@pytest.fixture(scope="module")
def small_vit() -> BaseModel:
    """With the profile that a pool makes of it."""
    made = BaseModel()
    made.CopyFrom(VIT)
    made.profile.CopyFrom(profile(json.dumps({"model_type": "vit", "architectures": ["ViTForImageClassification"], **SHAPE})))
    made.parameter_count = made.profile.parameter_count
    made.architecture.hidden_size, made.architecture.intermediate_size = SHAPE["hidden_size"], SHAPE["intermediate_size"]
    made.architecture.layer_count, made.architecture.attention_head_count = 6, 3
    made.dtype = "F32"
    return made


def estimated(model: BaseModel, rows: str, method: str = "LORA", batch: int = BATCH, **over: Any) -> Report:
    adapter = {"lora_config": {"rank": 8, "alpha": 16}} if method == "LORA" else {}
    chosen = {"type": f"TRAINING_METHOD_{method}", "objective": "TRAINING_OBJECTIVE_CLASSIFICATION", **adapter}
    sections: dict[str, Any] = {
        "model": {"base_model": model.id, "precision": "MODEL_PRECISION_FP32"},
        "method": chosen,
        "schedule": {"batch_size": batch, "epochs": 1},
    }
    return report(configuration(**sections | over), model, training_dataset=dataset(rows), pools=[CPU_POOL])


def component(found: Report, name: str) -> float:
    (size,) = [one.bytes for one in found.memory.components if one.name == name]
    return float(size)


@pytest.mark.parametrize("method", ["FULL", "LORA"])
def test_activations_of_a_vit_are_those_that_autograd_keeps(method: str, small_vit: BaseModel) -> None:
    torch.manual_seed(0)
    model: Any = ViTForImageClassification(ViTConfig(**SHAPE)).train()
    if method == "LORA":
        model = get_peft_model(model, LoraConfig(r=8, target_modules="all-linear", exclude_modules="classifier"))
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model(pixel_values=torch.randn(BATCH, 3, 224, 224), labels=torch.zeros(BATCH, dtype=torch.long)).loss
    held = sum(storage.nbytes() for storage in kept.values())
    del loss
    found = estimated(small_vit, "IMAGE_LABEL", method)
    assert component(found, "activations") == pytest.approx(held, rel=0.1)
    assert component(found, "weights") == small_vit.parameter_count * 4


def test_peaks_are_in_their_order(small_vit: BaseModel) -> None:
    def peak(*arguments: Any, **over: Any) -> int:
        return int(estimated(small_vit, "IMAGE_LABEL", *arguments, **over).memory.peak_bytes)

    checkpointing = {"optimizations": {"enabled": ["OPTIMIZATION_FEATURE_GRADIENT_CHECKPOINTING"]}}
    assert peak("LORA") < peak("FULL") < peak("FULL", 8)
    assert peak("LORA", 8, **checkpointing) < peak("LORA", 8)
    # Rows are as long as pictures are large, whatever the ceiling of a text is.
    assert peak("LORA", 8, schedule={"batch_size": 8, "epochs": 1, "sequence_length": 8192}) == peak("LORA", 8)


def test_a_head_of_labels_holds_no_logits_of_a_vocabulary() -> None:
    assert component(estimated(PICO, "TEXT_LABEL"), "logits") == 0
    written = {"type": "TRAINING_METHOD_LORA", "lora_config": {"rank": 8, "alpha": 16}}
    sections: dict[str, Any] = {"model": {"base_model": "pico", "precision": "MODEL_PRECISION_FP32"}, "method": written}
    plain = report(configuration(**sections), PICO, training_dataset=dataset("TEXT"), pools=[CPU_POOL])
    assert component(plain, "logits") > 0
