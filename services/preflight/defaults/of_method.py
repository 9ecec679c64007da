"""Which weights move, and what is optimised."""

from collections.abc import Iterator

from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.registry.v1 import dataset_pb2

from services.preflight import methods
from services.preflight.defaults.suggestion import Circumstances, Suggestion
from services.preflight.formats import OF_LABELS

_USUAL_RANK, _SMALL_RANK = 16, 8
# Fewer rows than these have little to teach, and more weights than they need only memorise them.
_FEW_ROWS = 500
_MANY_ROWS = 10_000
_DROPOUT = 0.05
_VIRTUAL_TOKENS = 20


def of_method(circumstances: Circumstances, draft: JobConfiguration) -> Iterator[Suggestion]:
    """Method, objective, and the shape of what is trained."""
    if not draft.method.HasField("type"):
        reason = "an adapter trains in a fraction of full training's memory and is easily taken back"
        yield Suggestion("method.type", "TRAINING_METHOD_LORA", reason)
    dataset = circumstances.dataset
    if dataset is not None and dataset.format == dataset_pb2.DATASET_FORMAT_PREFERENCE:
        yield Suggestion("method.objective", "TRAINING_OBJECTIVE_DPO", "the rows are pairs of a chosen and a rejected answer")
    if dataset is not None and dataset.format in OF_LABELS:
        yield Suggestion(
            "method.objective", "TRAINING_OBJECTIVE_CLASSIFICATION", "the rows have labels, which a head learns to tell"
        )


def of_adapter(circumstances: Circumstances, draft: JobConfiguration) -> Iterator[Suggestion]:
    """Rank, alpha, dropout and targets of LoRA; the length of a soft prompt."""
    if draft.method.type in methods.SOFT_PROMPTS:
        path = "method.prompt_tuning_config.num_virtual_tokens"
        yield Suggestion(path, _VIRTUAL_TOKENS, "enough for one task; each counts against the sequence length")
    if draft.method.type not in methods.LOW_RANK:
        return
    rows = circumstances.row_count
    few = rows is not None and rows < _FEW_ROWS
    rank = draft.method.lora_config.rank or (_SMALL_RANK if few else _USUAL_RANK)
    why_rank = f"{rows} rows have little to teach, so a narrow adapter is enough" if few else "wide enough for most tasks"
    yield Suggestion("method.lora_config.rank", rank, why_rank)
    yield Suggestion("method.lora_config.alpha", min(2 * rank, 512), "twice the rank, as is usual")
    if rows is not None and rows < _MANY_ROWS:
        reason = f"{rows} rows are seen several times, and a little dropout keeps the adapter from memorising them"
        yield Suggestion("method.lora_config.dropout", _DROPOUT, reason)
    layers = ", ".join(circumstances.base_model.linear_modules) or "every linear layer"
    reason = f"all linear layers of {circumstances.base_model.display_name} ({layers}); better than attention alone at equal size"
    yield Suggestion("method.lora_config.trainable_modules", "all-linear", reason)
