"""Whether the model reads what the rows hold."""

from collections.abc import Iterator

from tunesmith.preflight.v1.finding_pb2 import Finding

from services.preflight import methods
from services.preflight.facts import Facts
from services.preflight.findings import error
from services.preflight.formats import READS, format_name, holds_pictures, modality_name, modality_of


def check(facts: Facts) -> Iterator[Finding]:
    """MODALITY_MISMATCH, METHOD_READS_NO_PICTURES."""
    yield from _soft_prompt(facts)
    model = facts.base_model
    datasets = {"datasets.training_file_id": facts.training_dataset, "datasets.validation_file_id": facts.validation_dataset}
    for path, dataset in datasets.items():
        if model is None or dataset is None or model.modality not in READS:
            continue
        needed = modality_of(dataset.format)
        if needed is not None and needed not in READS[model.modality]:
            rows = f"{format_name(dataset.format)} rows ({modality_name(needed)})"
            text = (
                f"{dataset.display_name} holds {rows}, and {model.display_name} is a {modality_name(model.modality)} model; "
                "choose a dataset or a model of the same kind"
            )
            yield error("MODALITY_MISMATCH", path, text)


def _soft_prompt(facts: Facts) -> Iterator[Finding]:
    """A row's picture has its place in the text, which a prompt before it would move."""
    dataset, method = facts.training_dataset, facts.configuration.method.type
    if dataset is None or not holds_pictures(dataset.format) or method not in methods.SOFT_PROMPTS:
        return
    other = methods.first_acting(facts.provider, methods.LORA, methods.FULL)
    text = f"{dataset.display_name} holds pictures, and a soft prompt is trained on rows of text only; use LORA"
    yield error(
        "METHOD_READS_NO_PICTURES",
        "method.type",
        text,
        methods.to_method(facts.configuration, other) if other is not None else None,
    )
