"""CLASSIFICATION: which fields have no meaning where labels are learnt and no text is written."""

from collections.abc import Mapping

from tunesmith.config.v1 import method_pb2

from workers.providers.provider import DROPPED, JobConfiguration, Lowered, Rule

# What optimisations come to is said with the others.
_IDLE: Mapping[str, str] = {
    "datasets.strategy": "a row with a label is neither turns nor plain text; remove it",
    "schedule.train_on_inputs": "a classifier learns labels and no answers, so nothing is left out of its loss; remove it",
}


def is_objective(resolved: JobConfiguration) -> bool:
    """Whether a classifier is what is trained."""
    return resolved.method.objective == method_pb2.TRAINING_OBJECTIVE_CLASSIFICATION


def with_idle_fields(rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """The rules of all fields, some of which are dropped by name for a classifier."""
    return {path: _idle(rule, _IDLE[path]) if path in _IDLE else rule for path, rule in rules.items()}


def _idle(rule: Rule, reason: str) -> Rule:
    return lambda resolved: [Lowered(DROPPED, reason)] if is_objective(resolved) else rule(resolved)
