"""The layers that get an adapter, against the model's own: libraries notice a name that is not there only once it is loaded."""

import re
from collections.abc import Iterator

from tunesmith.preflight.v1.finding_pb2 import Finding, Fix
from tunesmith.registry.v1.base_model_pb2 import BaseModel
from tunesmith.registry.v1.model_profile_pb2 import MODULE_KIND_LINEAR, ModuleProfile

from services.preflight import families, methods
from services.preflight.facts import Facts
from services.preflight.findings import error, fix, put, warning

PATH = "method.lora_config.trainable_modules"
_NUMBER = re.compile(r"(^|\.)\d+(?=\.|$)")


def check(facts: Facts) -> Iterator[Finding]:
    """LORA_TARGET_NOT_FOUND, LORA_TARGET_NOT_ADAPTABLE, LORA_TARGET_IS_OUTPUT_LAYER."""
    model, lora = facts.base_model, facts.configuration.method.lora_config
    if model is None or facts.configuration.method.type not in methods.LOW_RANK:
        return
    wanted = [name.strip() for name in lora.trainable_modules.split(",")]
    if wanted == [families.ALL_LINEAR]:
        return
    proposed = _proposal(model, wanted)
    absent = sorted({name for name in wanted if not _is_there(model, name)})
    if absent:
        there = ", ".join(sorted(families.module_names(model) - families.OUTPUT_LAYERS) or families.usual_targets(model))
        text = f"{model.display_name} has no {', '.join(absent)}; it has {there}"
        yield error("LORA_TARGET_NOT_FOUND", PATH, text, proposed)
    fixed = sorted({name for name in wanted if name not in absent and _is_unadaptable(model, name)})
    if fixed:
        text = f"no adapter can be put on {', '.join(fixed)} of {model.display_name}; name layers that multiply by a matrix"
        yield error("LORA_TARGET_NOT_ADAPTABLE", PATH, text, proposed)
    output = sorted({name for name in wanted if name not in absent and _is_output_layer(model, name)})
    if output:
        text = (
            f"{', '.join(output)} is the layer that {model.display_name} writes tokens with: an adapter on it costs memory "
            "for the whole vocabulary and is rarely worth it; leave it out"
        )
        yield warning("LORA_TARGET_IS_OUTPUT_LAYER", PATH, text, proposed)


def _proposal(model: BaseModel, wanted: list[str]) -> Fix:
    """The usual targets of the model's family; if only some of what was named is wrong and it is in the usual ones, that."""
    kept = [
        name
        for name in wanted
        if _is_there(model, name) and not _is_unadaptable(model, name) and not _is_output_layer(model, name)
    ]
    targets = kept if len(kept) == len(wanted) - _output_count(model, wanted) and kept else families.usual_targets(model)
    value = ",".join(targets) or families.ALL_LINEAR
    return fix(f"Set targets to {value.replace(',', ', ')}", put(PATH, value))


def _output_count(model: BaseModel, wanted: list[str]) -> int:
    return sum(_is_output_layer(model, name) for name in wanted)


def _matches(module: ModuleProfile, name: str) -> bool:
    """As peft matches: the whole path, or its end from a dot on; of one layer as of all."""
    pattern = _NUMBER.sub(r"\1*", name)
    return bool(module.path == pattern or module.path.endswith(f".{pattern}"))


def _is_there(model: BaseModel, name: str) -> bool:
    if model.profile.modules:
        return any(_matches(module, name) for module in model.profile.modules)
    last = name.rpartition(".")[2]
    return last in (set(model.linear_modules) or set(families.usual_targets(model))) | families.OUTPUT_LAYERS


def _is_unadaptable(model: BaseModel, name: str) -> bool:
    matching = [module for module in model.profile.modules if _matches(module, name)]
    return bool(matching) and not any(module.adaptable for module in matching)


def _is_output_layer(model: BaseModel, name: str) -> bool:
    matching = [module for module in model.profile.modules if _matches(module, name)]
    if not matching:
        return name in families.OUTPUT_LAYERS
    vocabulary = model.architecture.vocabulary_size
    return any(
        module.kind == MODULE_KIND_LINEAR and module.output_size == vocabulary and "*" not in module.path for module in matching
    )
