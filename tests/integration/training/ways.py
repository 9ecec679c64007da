"""Every way in which `local` trains, once and small: what must hold for all of them is tried on each."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tunesmith.config.v1 import method_pb2

from .conftest import TEXTS, Job

MakeJob = Callable[..., Job]

_LORA = {"lora_config": {"rank": 4, "alpha": 8, "dropout": 0.1}}
_PROMPT = {"prompt_tuning_config": {"num_virtual_tokens": 4}}
_LABELLED = [{"text": text, "label": "long" if len(text) > 44 else "short"} for text in TEXTS]


@dataclass(frozen=True)
class Way:
    """An objective and a method, with what both need."""

    objective: str
    method: str
    dataset_format: str = "TEXT"
    settings: dict[str, Any] | None = None
    rows: list[dict[str, Any]] | None = None
    has_teacher: bool = False
    model: dict[str, Any] | None = None

    def job(self, make_job: MakeJob, schedule: dict[str, Any], directives: dict[int, Any] | None = None) -> Job:
        """A job that trains in this way, and evaluates."""
        method = {"objective": f"TRAINING_OBJECTIVE_{self.objective}", **(self.settings or {})}
        rows = {"training": self.rows[:8], "validation": self.rows[8:]} if self.rows else {}
        configuration = {"method": method, "schedule": schedule, "model": self.model or {}}
        job = make_job(self.dataset_format, configuration, method=self.method, evaluate=True, directives=directives, **rows)
        if self.has_teacher:
            # The base before its training is a teacher like any other.
            job.inputs = replace(job.inputs, teacher_model=job.inputs.base_model)
            job.assignment.teacher_model.id, job.assignment.teacher_model.display_name = "base-2", "sage"
        return job


_DISTILLATION = {"distillation_config": {"teacher_model": "base-2"}}

# A way that is added to the recipes or methods and not here fails a test.
WAYS: dict[str, Way] = {
    "full": Way("SFT", "FULL"),
    "LoRA": Way("SFT", "LORA", settings=_LORA),
    "QLoRA": Way("SFT", "QLORA", settings=_LORA, model={"precision": "MODEL_PRECISION_INT4"}),
    "prompt tuning": Way("SFT", "PROMPT_TUNING", settings=_PROMPT),
    "prefix tuning": Way("SFT", "PREFIX_TUNING", settings=_PROMPT),
    "P-tuning": Way("SFT", "P_TUNING", settings=_PROMPT),
    "continued pre-training": Way("CONTINUED_PRETRAINING", "FULL"),
    "DPO": Way("DPO", "LORA", "PREFERENCE", settings=_LORA),
    "DPO, full": Way("DPO", "FULL", "PREFERENCE"),
    "distillation": Way("DISTILLATION", "FULL", settings=_DISTILLATION, has_teacher=True),
    "classification": Way("CLASSIFICATION", "LORA", "TEXT_LABEL", settings=_LORA, rows=_LABELLED),
    "classification, full": Way("CLASSIFICATION", "FULL", "TEXT_LABEL", rows=_LABELLED),
}


def covered() -> tuple[set[int], set[int]]:
    """The objectives and the methods of the table, by number."""
    objectives = {method_pb2.TrainingObjective.Value(f"TRAINING_OBJECTIVE_{way.objective}") for way in WAYS.values()}
    methods = {method_pb2.TrainingMethod.Value(f"TRAINING_METHOD_{way.method}") for way in WAYS.values()}
    return objectives, methods
