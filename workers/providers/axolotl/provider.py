"""The `axolotl` provider: Axolotl's own trainer, in an environment of its own on a pool that has it."""

from workers.providers.axolotl import (
    datasets,
    hardware,
    integrations,
    method,
    model,
    optimizations,
    optimizer,
    schedule,
)
from workers.providers.axolotl.translation import translate
from workers.providers.engines import wanted
from workers.providers.provider import DROPPED, NeverActs, Provider, Rule, dropped, settings_of

PROVIDER_ID = "axolotl"


_NO_SETTINGS = "axolotl gets nothing that no check has seen; get the job's Axolotl script and add it there"

RULES: dict[str, Rule] = {
    **model.RULES,
    **datasets.RULES,
    **method.RULES,
    **schedule.RULES,
    **optimizer.RULES,
    **optimizations.RULES,
    **hardware.RULES,
    **integrations.RULES,
    "output.suffix": dropped("Axolotl's model card has a title of its own; remove it"),
    "metadata": NeverActs(DROPPED, _NO_SETTINGS, settings_of(PROVIDER_ID)),
}

AXOLOTL = Provider(
    id=PROVIDER_ID,
    display_name="Axolotl (on a pool that has it)",
    rules=RULES,
    choices={
        "method.type": method.METHODS,
        "method.objective": method.OBJECTIVES,
        "model.precision": model.PRECISIONS,
        "optimizations.enabled": optimizations.OPTIMIZATIONS,
    },
    dataset_formats=tuple(datasets.STRATEGIES),
    translate=translate,
    refuse_dataset=datasets.refuse_dataset,
    wanted=wanted(PROVIDER_ID),
)
