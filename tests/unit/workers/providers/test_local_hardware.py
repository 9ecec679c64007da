"""What becomes of the hardware that a job asks for."""

from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.provider.v1.lowering_pb2 import LoweringAction

from services.chassis.knobs import walk
from workers.providers import PROVIDERS
from workers.providers.asked import needs_for
from workers.providers.local.hardware import NAMES, RULES
from workers.providers.needs import Needs

FIELDS = 5


def lowered(hardware: dict[str, Any]) -> dict[str, tuple[str, str]]:
    fields = PROVIDERS["local"].lower(ParseDict({"hardware": hardware}, JobConfiguration()))
    return {
        field.field_path.removeprefix("hardware."): (
            LoweringAction.Name(field.action).removeprefix("LOWERING_ACTION_"),
            field.detail,
        )
        for field in fields
        if field.field_path.startswith("hardware.")
    }


def test_every_field_of_the_section_acts() -> None:
    paths = [knob.path for knob in walk(JobConfiguration.DESCRIPTOR) if knob.path.startswith("hardware.")]
    assert len(paths) == FIELDS
    assert sorted(RULES) == sorted(paths)


@pytest.mark.parametrize(
    ("hardware", "field", "action", "said"),
    [
        ({"gpu_type": "A100"}, "gpu_type", "SENT", "only a pool with a GPU of the name A100 takes the job"),
        ({"gpu_type": "A100", "num_gpus": 0}, "gpu_type", "DROPPED", "hardware.num_gpus is 0"),
        ({"num_gpus": 0}, "num_gpus", "SENT", "trains on a pool's CPU"),
        ({"num_gpus": 1}, "num_gpus", "SENT", "waits for a pool with a GPU"),
        ({"num_gpus": 4}, "num_gpus", "SENT", "4 GPUs free at once; 4 processes train"),
        ({"num_gpus": 1, "strategy": "DISTRIBUTION_STRATEGY_DDP"}, "strategy", "DROPPED", "nothing to distribute"),
        ({"num_gpus": 2, "strategy": "DISTRIBUTION_STRATEGY_DDP"}, "strategy", "SENT", "each process holds the whole model"),
        ({"num_gpus": 2, "strategy": "DISTRIBUTION_STRATEGY_ZERO_2"}, "strategy", "SENT", "where deepspeed is installed"),
        ({"num_processes": 2, "strategy": "DISTRIBUTION_STRATEGY_DDP"}, "strategy", "SENT", "gets its own rows"),
        ({"gpu_share": 1}, "gpu_share", "SENT", "the job's alone"),
        ({"gpu_share": 0.5}, "gpu_share", "SENT", "the job takes 0.5 of a GPU"),
        ({"gpu_share": 0.5, "num_gpus": 0}, "gpu_share", "DROPPED", "no GPU to share"),
        ({"gpu_share": 0.5, "num_processes": 2}, "gpu_share", "REFUSED", "several processes take whole ones"),
        ({"num_processes": 1}, "num_processes", "SENT", "one process trains"),
        ({"num_processes": 3}, "num_processes", "SENT", "3 processes train"),
    ],
)
def test_what_becomes_of_a_field(hardware: dict[str, Any], field: str, action: str, said: str) -> None:
    became, detail = lowered(hardware)[field]
    assert became == action
    assert said in detail


def test_every_strategy_has_a_name() -> None:
    (strategy,) = (knob.field for knob in walk(JobConfiguration.DESCRIPTOR) if knob.path == "hardware.strategy")
    assert set(NAMES) == {value.number for value in strategy.enum_type.values if value.number}


def test_what_a_provider_never_heeds_keeps_no_job_waiting() -> None:
    made = ParseDict({"hardware": {"gpu_type": "A100", "num_gpus": 2, "gpu_share": 1}}, JobConfiguration())
    assert needs_for("local", made) == Needs("A100", 2)
    assert needs_for("unsloth", made) == Needs()
