"""Counts are those of the models themselves, built without weights."""

import warnings
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from services.preflight.estimate.parameters import parameters_of
from tests.unit.services.preflight.memory.models import CONFIGURATIONS, configuration, workload

TEXT_MODELS = [name for name in CONFIGURATIONS if name != "vit"]
TARGETS: dict[str, tuple[str, ...]] = {
    "gpt2": ("c_attn", "c_proj"),
    "phi": ("q_proj", "dense"),
    "": ("q_proj", "v_proj", "down_proj"),
}


def built(name: str) -> Any:
    settings = {key: value for key, value in CONFIGURATIONS[name].items() if key not in ("model_type", "architectures")}
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return AutoModelForCausalLM.from_config(CONFIG_MAPPING[CONFIGURATIONS[name]["model_type"]](**settings))


def test_there_are_as_many_models_as_there_were() -> None:
    assert len(TEXT_MODELS) == 6


@pytest.mark.parametrize("name", TEXT_MODELS)
def test_all_of_a_models_parameters_are_counted(name: str) -> None:
    counted = parameters_of(workload(name, configuration("FULL")))
    assert counted.total == counted.trained == sum(parameter.numel() for parameter in built(name).parameters())


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("name", TEXT_MODELS)
def test_an_adapters_parameters_are_pefts(name: str, named: bool) -> None:
    targets = TARGETS.get(name, TARGETS[""])
    lora = {"rank": 8, "trainable_modules": ",".join(targets) if named else "all-linear"}
    model = get_peft_model(
        built(name),
        LoraConfig(r=8, target_modules=list(targets) if named else "all-linear", task_type="CAUSAL_LM"),
        low_cpu_mem_usage=True,
    )
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    counted = parameters_of(workload(name, configuration(lora=lora)))
    assert counted.trained == counted.adapter == trained
    assert counted.total == sum(parameter.numel() for parameter in model.parameters())


def test_sizes_alone_give_the_usual_layers_count() -> None:
    known, guessed = (parameters_of(workload("llama", configuration("FULL"), profiled=each)).total for each in (True, False))
    assert guessed == known
