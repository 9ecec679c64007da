"""What the device at hand can't do is taken out of the plan, by name."""

from dataclasses import replace
from typing import Any

import pytest

from workers.providers.local.plan import TrainingPlan
from workers.training.device_features import Device, fitted

ALL = Device(cuda=True, has_flash_attention=True, has_liger=True)
ASKED = {"use_liger_kernel": True, "activation_offloading": True}


def asked(precision: str = "bfloat16", autocast: bool = True) -> TrainingPlan:
    weights = {"dtype": precision, "attn_implementation": "flash_attention_2"}
    empty: dict[str, Any] = dict.fromkeys(TrainingPlan.__dataclass_fields__)
    return TrainingPlan(**empty | {"weights": weights, "trainer": {"seed": 1, "bf16": autocast, **ASKED}})


def acts(plan: TrainingPlan) -> set[str]:
    return set(ASKED) & set(plan.trainer) | {"attn_implementation"} & set(plan.weights)


@pytest.mark.parametrize(
    ("lacks", "idle"),
    [
        ({}, set()),
        ({"has_flash_attention": False}, {"FLASH_ATTENTION"}),
        ({"has_liger": False}, {"FUSED_KERNELS"}),
        ({"cuda": False}, {"FLASH_ATTENTION", "FUSED_KERNELS", "ACTIVATION_OFFLOADING"}),
    ],
)
def test_what_does_not_act_is_said_by_name_with_what_runs_instead(lacks: dict[str, bool], idle: set[str]) -> None:
    names = {
        "FLASH_ATTENTION": "attn_implementation",
        "FUSED_KERNELS": "use_liger_kernel",
        "ACTIVATION_OFFLOADING": "activation_offloading",
    }
    warnings: list[str] = []
    plan = asked()
    made = fitted(plan, replace(ALL, **lacks), warnings.append)
    assert {warning.split()[0] for warning in warnings} == idle
    assert acts(made) == {argument for name, argument in names.items() if name not in idle}
    assert all("does not act: " in warning and ";" in warning for warning in warnings)
    assert (made.trainer["seed"], made.weights["dtype"]) == (1, "bfloat16")
    assert acts(plan) == {*ASKED, "attn_implementation"}


def test_flash_attention_needs_sixteen_bits() -> None:
    warnings: list[str] = []
    made = fitted(asked("float32", autocast=False), ALL, warnings.append)
    assert acts(made) == set(ASKED)
    assert len(warnings) == 1 and "16 bits" in warnings[0]
    # Autocast computes in 16 bits whatever the weights are held in.
    assert acts(fitted(asked("float32"), ALL, warnings.append)) == {*ASKED, "attn_implementation"}


def test_a_plan_that_asks_for_nothing_stays_as_it_is() -> None:
    plan = replace(asked(), weights={"dtype": "float32"}, trainer={"seed": 1, "bf16": False})
    assert fitted(plan, Device(False, False, False), pytest.fail) == plan


def test_this_process_is_looked_at() -> None:
    assert isinstance(Device.here().cuda, bool)
