"""Messages need a model that has a template to render them."""

from collections.abc import Iterator

from tunesmith.preflight.v1.finding_pb2 import Finding, Fix
from tunesmith.registry.v1 import dataset_pb2

from services.preflight import families
from services.preflight.facts import Facts
from services.preflight.findings import error, fix, note, put
from services.preflight.formats import CHAT, has_turns

PATH = "datasets.strategy"


def check(facts: Facts) -> Iterator[Finding]:
    """NO_CHAT_TEMPLATE, CHAT_TEMPLATE_UNKNOWN."""
    model, dataset = facts.base_model, facts.training_dataset
    of_turns = dataset is not None and has_turns(dataset)
    if model is None or not (of_turns or facts.configuration.datasets.strategy == CHAT):
        return
    known = families.has_chat_template(model)
    if known is None:
        text = f"whether {model.display_name} has a chat template is not known before it is downloaded"
        yield note("CHAT_TEMPLATE_UNKNOWN", PATH, f"{text}; without one the job would fail")
    elif not known and dataset is not None and dataset.format == dataset_pb2.DATASET_FORMAT_PREFERENCE:
        text = (
            f"{model.display_name} has no chat template, so it can't be trained on pairs of turns; upload pairs of text, or "
            "choose a model that has one"
        )
        yield error("NO_CHAT_TEMPLATE", PATH, text)
    elif not known and of_turns:
        text = (
            f"{model.display_name} has no chat template, so it can't be trained on messages; convert the dataset "
            f"(POST /v1/datasets/{dataset.id if dataset else '{id}'}:convert to PROMPT_COMPLETION) and use strategy STANDARD, "
            "or choose a model that has one"
        )
        yield error("NO_CHAT_TEMPLATE", PATH, text)
    elif not known:
        text = (
            f"{model.display_name} has no chat template, so strategy CHAT can't be used; use strategy STANDARD, or another model"
        )
        yield error("NO_CHAT_TEMPLATE", PATH, text, _standard())


def _standard() -> Fix:
    return fix("Set strategy to STANDARD", put(PATH, "DATASET_STRATEGY_STANDARD"))
