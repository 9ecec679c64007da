"""Defaults are filled in where something is unset, and only there."""

import pytest
from google.protobuf import json_format
from tunesmith.config.v1 import job_configuration_pb2

from services.chassis.knobs import resolve_defaults, set_paths, walk
from services.chassis.validation import check

MINIMAL = {
    "model": {"base_model": "m"},
    "datasets": {"training_file_id": "d"},
    "method": {"type": "TRAINING_METHOD_FULL"},
}
# Knobs that stay unset: no default, or inside a message that is there by choice.
KNOBS = 69


def resolved(**sections: object) -> job_configuration_pb2.JobConfiguration:
    message = json_format.ParseDict({**MINIMAL, **sections}, job_configuration_pb2.JobConfiguration())
    resolve_defaults(message)
    return message


def test_the_walk_sees_every_leaf() -> None:
    paths = [knob.path for knob in walk(job_configuration_pb2.JobConfiguration.DESCRIPTOR)]
    assert len(paths) == len(set(paths)) == KNOBS
    assert {"schedule.epochs", "optimizer.scheduler.cycles", "method.lora_config.rank", "metadata"} <= set(paths)


def test_unset_knobs_get_their_defaults_and_set_ones_stay() -> None:
    message = resolved(schedule={"epochs": 7, "checkpoints": 0})
    assert (message.schedule.epochs, message.schedule.checkpoints) == (7, 0)
    assert (message.schedule.batch_size, message.optimizer.learning_rate) == (4, 1e-5)
    assert not message.schedule.HasField("max_steps")
    check(message)


@pytest.mark.parametrize("path", ["method.lora_config", "method.prompt_tuning_config", "integrations", "hardware"])
def test_what_is_there_by_choice_is_never_added(path: str) -> None:
    assert not [name for name in set_paths(resolved()) if name.startswith(path)]


def test_what_is_there_by_choice_is_filled() -> None:
    message = resolved(method={"type": "TRAINING_METHOD_LORA", "lora_config": {"rank": 4}})
    lora = message.method.lora_config
    assert (lora.rank, lora.alpha, lora.dropout, lora.trainable_modules) == (4, 16, 0, "all-linear")


def test_resolving_twice_changes_nothing() -> None:
    once = resolved()
    twice = job_configuration_pb2.JobConfiguration()
    twice.CopyFrom(once)
    resolve_defaults(twice)
    assert once == twice
