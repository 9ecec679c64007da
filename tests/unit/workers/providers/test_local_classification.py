"""What becomes of a configuration that trains a classifier."""

from typing import Any

import pytest
from tunesmith.config.v1 import method_pb2
from tunesmith.registry.v1 import dataset_pb2

from workers.providers.local.datasets import READ, refuse_dataset
from workers.providers.local.plan import plan
from workers.providers.local.provider import LOCAL

from .conftest import Submit

CLASSIFICATION = method_pb2.TRAINING_OBJECTIVE_CLASSIFICATION
OBJECTIVE = {"objective": "TRAINING_OBJECTIVE_CLASSIFICATION"}


def lowered(submit: Submit, over: dict[str, Any]) -> dict[str, tuple[str, str]]:
    submitted, resolved = submit(over)
    from tunesmith.provider.v1.lowering_pb2 import LoweringAction

    return {
        field.field_path: (LoweringAction.Name(field.action).removeprefix("LOWERING_ACTION_"), field.detail)
        for field in LOCAL.lower(resolved, submitted)
    }


def test_what_has_no_meaning_for_labels_is_dropped_by_name(submit: Submit) -> None:
    over = {
        "method": OBJECTIVE,
        "datasets": {"strategy": "DATASET_STRATEGY_STANDARD"},
        "schedule": {"train_on_inputs": "TRAIN_ON_INPUTS_ENABLED"},
        "optimizations": {
            "enabled": [
                "OPTIMIZATION_FEATURE_SEQUENCE_PACKING",
                "OPTIMIZATION_FEATURE_LENGTH_GROUPING",
                "OPTIMIZATION_FEATURE_ACTIVATION_OFFLOADING",
            ]
        },
    }
    fields = lowered(submit, over)
    dropped = {path for path, (action, _) in fields.items() if action == "DROPPED"}
    assert dropped == {
        "datasets.strategy",
        "schedule.train_on_inputs",
        *(f"optimizations.enabled[{index}]" for index in range(3)),
    }
    assert fields["method.objective"][0] == "SENT"
    over["method"] = {}
    assert not {"datasets.strategy", "schedule.train_on_inputs"} & {
        path for path, (action, _) in lowered(submit, over).items() if action == "DROPPED"
    }


@pytest.mark.parametrize("method", ["PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING"])
def test_a_soft_prompt_is_refused(method: str, submit: Submit) -> None:
    over: dict[str, Any] = {
        "method": {"type": f"TRAINING_METHOD_{method}", "lora_config": None, "prompt_tuning_config": {}, **OBJECTIVE}
    }
    action, detail = lowered(submit, over)["method.type"]
    assert action == "REFUSED"
    assert "CLASSIFICATION" in detail and "LORA" in detail
    with pytest.raises(ValueError, match="refused"):
        plan(submit(over)[1], dataset_pb2.DATASET_FORMAT_IMAGE_LABEL)


def test_a_plan_says_nothing_of_tokens_that_count(submit: Submit) -> None:
    made = plan(submit({"method": OBJECTIVE})[1], dataset_pb2.DATASET_FORMAT_TEXT_LABEL)
    assert not {"completion_only_loss", "assistant_only_loss"} & set(made.trainer)
    assert made.adapter is not None
    assert made.adapter["task_type"] is None


@pytest.mark.parametrize("name", [value.name for value in dataset_pb2.DatasetFormat.DESCRIPTOR.values])
def test_labels_are_what_it_learns_from(name: str) -> None:
    kind: Any = dataset_pb2.DatasetFormat.Value(name)
    refusals = refuse_dataset(kind, None, "datasets.validation_file_id", CLASSIFICATION)
    if name in ("DATASET_FORMAT_TEXT_LABEL", "DATASET_FORMAT_IMAGE_LABEL"):
        assert refusals == []
        others = READ.keys() - {CLASSIFICATION}
        assert len(others) == 4
        assert all("CLASSIFICATION" in refuse_dataset(kind, None, "", objective)[0].detail for objective in others)
    else:
        assert [refusal.field_path for refusal in refusals] == ["datasets.validation_file_id"]
        assert "text and label" in refusals[0].detail
