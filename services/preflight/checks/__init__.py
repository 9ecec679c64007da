"""What can be wrong with a configuration: one file a check, listed here, in no order that matters."""

from collections.abc import Callable, Iterator

from tunesmith.client.fixes import apply_fixes
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_ERROR, Finding

from services.preflight import form
from services.preflight.checks import (
    adapters,
    chat_template,
    columns,
    dataset_format,
    dataset_integrity,
    download,
    few_rows,
    float16,
    hardware,
    labels,
    large_run,
    learning_rate,
    lookups,
    lora_rank,
    lora_targets,
    memory,
    modality,
    packing,
    padding,
    private_model,
    provider_fields,
    quantized_base,
    recipe,
    recommended_ranges,
    rope_scaling,
    rules,
    sequence_length,
    teacher,
    trainable,
    validation_format,
)
from services.preflight.facts import Facts
from services.preflight.findings import in_order
from services.preflight.predict import predicted

Check = Callable[[Facts], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    rules.check,
    lookups.check,
    recommended_ranges.check,
    provider_fields.check,
    trainable.check,
    quantized_base.check,
    rope_scaling.check,
    float16.check,
    private_model.check,
    download.check,
    teacher.check,
    lora_targets.check,
    lora_rank.check,
    chat_template.check,
    dataset_format.check,
    modality.check,
    columns.check,
    dataset_integrity.check,
    few_rows.check,
    labels.check,
    validation_format.check,
    recipe.check,
    adapters.check,
    sequence_length.check,
    padding.check,
    packing.check,
    learning_rate.check,
    hardware.check,
    large_run.check,
)


def run_checks(facts: Facts) -> list[Finding]:
    """Everything that is wrong, errors first, each group in the order of the form."""
    findings = [finding for check in CHECKS for finding in check(facts)]
    return in_order([*findings, *_of_memory(facts, findings)], form.order())


def _of_memory(facts: Facts, findings: list[Finding]) -> Iterator[Finding]:
    """Memory of what would run: with the errors put right, for as it stands it never runs."""
    repairs = [one for one in findings if one.severity == SEVERITY_ERROR and one.HasField("fix")]
    if repairs:
        settled = facts.with_configuration(apply_fixes(facts.submitted, in_order(repairs, form.order())))
        facts = predicted(settled, memory_only=True)
    yield from memory.check(facts)
