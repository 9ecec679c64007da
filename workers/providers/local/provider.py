"""The `local` provider: transformers, peft and trl on the pool's own device."""

from dataclasses import asdict
from typing import Any

from workers.providers.local import (
    classification,
    datasets,
    hardware,
    integrations,
    method,
    model,
    optimizations,
    optimizer,
    schedule,
)
from workers.providers.local.execution import execution
from workers.providers.local.plan import plan
from workers.providers.local.rules import sent
from workers.providers.provider import DROPPED, JobConfiguration, NeverActs, Provider, Rule, settings_of

PROVIDER_ID = "local"


RULES: dict[str, Rule] = {
    **model.RULES,
    **datasets.RULES,
    **method.RULES,
    **schedule.RULES,
    **optimizer.RULES,
    **optimizations.RULES,
    **hardware.RULES,
    **integrations.RULES,
    "output.suffix": sent("the result's model card is titled with it"),
    "metadata": NeverActs(
        DROPPED, "local has no settings of its own and reads no other provider's; remove it", settings_of(PROVIDER_ID)
    ),
}


def translate(configuration: JobConfiguration) -> dict[str, Any]:
    """What transformers, peft and trl are given."""
    return asdict(plan(configuration))


LOCAL = Provider(
    id=PROVIDER_ID,
    display_name="Local (transformers, peft and trl on a Ray cluster)",
    rules=classification.with_idle_fields(RULES),
    choices={
        "method.type": method.METHODS,
        "method.objective": method.OBJECTIVES,
        "model.precision": model.PRECISIONS,
        "optimizations.enabled": optimizations.OPTIMIZATIONS,
    },
    dataset_formats=tuple(datasets.SHAPES),
    translate=translate,
    refuse_dataset=datasets.refuse_dataset,
    execution=execution,
)
