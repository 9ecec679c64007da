"""How several processes share the work: chosen by size, overridable, refused by name where it can't be."""

from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from tunesmith.config.v1 import hardware_pb2
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration

from services.chassis.errors import FailedPrecondition
from workers.distributed import sharing as module
from workers.distributed.sharing import sharing
from workers.providers.local.hardware import DDP, FSDP, ZERO_STAGES, strategy
from workers.providers.needs import needs_of, processes_on

ZERO_1, ZERO_2, ZERO_3 = ZERO_STAGES
BILLION = 10**9


def configured(**hardware: Any) -> JobConfiguration:
    return ParseDict({"hardware": hardware}, JobConfiguration())


def plan(**over: Any) -> Any:
    return SimpleNamespace(trainer={"optim": "adamw_torch_fused"}, keeps_best=False, **over)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [(0, DDP), (7 * BILLION - 1, DDP), (7 * BILLION, FSDP), (70 * BILLION, FSDP), (70 * BILLION + 1, ZERO_3)],
)
def test_the_models_size_decides(parameters: int, expected: int) -> None:
    assert strategy(configured(num_gpus=2), parameters) == expected


@pytest.mark.parametrize("value", hardware_pb2.DistributionStrategy.values()[1:])
def test_what_was_asked_for_counts_whatever_the_size(value: Any) -> None:
    name = hardware_pb2.DistributionStrategy.Name(value)
    assert strategy(configured(num_gpus=2, strategy=name), 100 * BILLION) == value


@pytest.mark.parametrize(
    ("hardware", "on_gpu", "on_cpu"),
    [({}, 1, 1), ({"num_gpus": 4}, 4, 1), ({"num_processes": 3}, 3, 3), ({"num_gpus": 0, "num_processes": 2}, 1, 2)],
)
def test_a_process_for_each_gpu_or_as_many_as_were_asked_for(hardware: dict[str, int], on_gpu: int, on_cpu: int) -> None:
    made = configured(**hardware)
    needs = needs_of(made)
    assert (processes_on(needs, gpu=True), processes_on(needs, gpu=False)) == (on_gpu, on_cpu)


def test_every_process_holds_the_model_with_ddp() -> None:
    made = sharing(DDP, plan(), on_gpu=False)
    assert (made.arguments, made.splits) == ({}, False)


def test_fsdp_is_its_second_version_with_whole_weights_to_save() -> None:
    from transformers import TrainingArguments

    made = sharing(FSDP, plan(), on_gpu=True)
    assert made.splits
    arguments = TrainingArguments(output_dir="unused", use_cpu=True, report_to="none", **made.arguments)
    expected = {"fsdp_version": 2, "auto_wrap_policy": "TRANSFORMER_BASED_WRAP", "state_dict_type": "FULL_STATE_DICT"}
    assert arguments.fsdp_plugin_args is not None
    assert {name: arguments.fsdp_plugin_args[name] for name in expected} == expected
    assert arguments.fsdp_plugin_args["reshard_after_forward"] is True


@pytest.mark.parametrize(("value", "stage"), list(ZERO_STAGES.items()))
def test_deepspeed_gets_its_stage_where_it_is_installed(value: Any, stage: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: SimpleNamespace(name=name))
    made = sharing(value, plan(), on_gpu=True)
    zero = made.arguments["deepspeed"]["zero_optimization"]
    assert (zero["stage"], zero["stage3_gather_16bit_weights_on_model_save"]) == (stage, stage == 3)


@pytest.mark.parametrize("value", list(ZERO_STAGES))
def test_deepspeed_that_is_not_installed_is_named(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(FailedPrecondition, match="needs the package deepspeed, which this pool does not have; install it"):
        sharing(value, plan(), on_gpu=True)


@pytest.mark.parametrize(
    ("changes", "on_gpu", "said"),
    [
        ({}, False, "FSDP splits a model over GPUs, and this job trains on a CPU; set hardware.strategy to DDP"),
        ({"trainer": {"optim": "adamw_bnb_8bit"}}, True, "remove OPTIMIZER_8BIT and PAGED_OPTIMIZER"),
        ({"keeps_best": True}, True, "set schedule.keep_best to false"),
    ],
)
def test_what_can_not_be_split_is_refused(changes: dict[str, Any], on_gpu: bool, said: str) -> None:
    asked = plan()
    vars(asked).update(changes)
    with pytest.raises(FailedPrecondition, match=said):
        sharing(FSDP, asked, on_gpu=on_gpu)
