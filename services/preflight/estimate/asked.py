"""A model that is asked and does not learn: the reference that preferences are compared with, or a distillation's teacher."""

from dataclasses import replace

from tunesmith.config.v1 import method_pb2

from services.preflight.estimate.activations import activations_of
from services.preflight.estimate.architecture import Architecture
from services.preflight.estimate.workload import Workload
from workers.providers.execution import BYTES, held_dtype

# Operations a weight and token: on the way forward, and on all ways of a batch that trains every weight or adapters alone; going
# through a layer again takes as many as going through it.
FORWARD, TRAINING_ALL, TRAINING_ADAPTERS = 2, 6, 4
# trl compares two models' logits in two parts of 32 bits; on a CPU torch's own operations make about eight more of that size.
COMPARED_PARTS, COMPARED_IN_TORCH = 2, 8
_SINGLE = 4


def has_reference(workload: Workload) -> bool:
    """Whether the model that is trained is compared with what it was before."""
    method = workload.configuration.method
    return workload.of_pairs and not method.preference_config.reference_free


def has_teacher(workload: Workload) -> bool:
    """Whether a teacher's distributions are learnt."""
    method = workload.configuration.method
    distils = method.objective == method_pb2.TRAINING_OBJECTIVE_DISTILLATION
    return bool(distils and method.distillation_config.teacher_weight > 0)


def asked_weight_bytes(workload: Workload) -> float:
    """Of a second model in memory: a reference beside a model that is trained as a whole, held as that one is; a teacher in the
    precision of the job. An adapter's reference is its own base.
    """
    if has_teacher(workload):
        return _teacher(workload).parameter_count * BYTES[held_dtype(workload.configuration.model.precision)]
    if has_reference(workload) and workload.full:
        return workload.architecture.parameter_count * workload.held_width
    return 0.0


def asked_passing_bytes(workload: Workload) -> float:
    """Activations of the pass that only asks, which runs while those of the pass before are kept."""
    if has_teacher(workload) and workload.teacher is not None:
        return activations_of(replace(workload, base_model=workload.teacher)).passing
    return activations_of(workload).passing if has_reference(workload) else 0.0


def asked_share(workload: Workload) -> float:
    """Time of the pass that only asks, as a share of what a batch takes forward and back."""
    if not (has_teacher(workload) or has_reference(workload)):
        return 0.0
    own = TRAINING_ALL if workload.full else TRAINING_ADAPTERS
    size = _teacher(workload).parameter_count / max(1, workload.architecture.parameter_count) if has_teacher(workload) else 1.0
    return size * FORWARD / (own + (FORWARD if workload.execution.checkpointing else 0))


def compared_bytes(workload: Workload) -> float:
    """Parts of both models' logits while their distributions are compared."""
    if not has_teacher(workload):
        return 0.0
    execution, vocabulary = workload.execution, workload.architecture.vocabulary_size
    tokens = float(workload.batch_size * max(1, workload.sequence_tokens - 1))
    # A plain loop of transformers has both logits whole.
    rows = tokens if execution.all_logits else min(tokens, execution.loss_tokens)
    # On a CPU what is never written takes no memory.
    part = min(execution.loss_columns, vocabulary) if workload.on_cpu else execution.loss_columns
    columns = vocabulary if execution.all_logits else part
    parts = COMPARED_PARTS + (COMPARED_IN_TORCH if workload.on_cpu or execution.all_logits else 0)
    return rows * columns * _SINGLE * parts


def _teacher(workload: Workload) -> Architecture:
    """A teacher of which nothing is known counts as one of the student's size."""
    return workload.architecture if workload.teacher is None else Architecture.of(workload.teacher)
