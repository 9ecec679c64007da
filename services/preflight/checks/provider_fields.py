"""What the provider makes of each field: what it refuses is an error, what it drops is worth knowing."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.json_format import MessageToDict
from tunesmith.config.v1 import method_pb2, model_pb2
from tunesmith.preflight.v1.finding_pb2 import Finding, Fix

from services.preflight import form, methods
from services.preflight.facts import Facts
from services.preflight.findings import error, fix, note, put, remove
from workers.providers.provider import DROPPED, REFUSED, FieldLowering, Provider

CODES = {
    "method.type": "METHOD_NOT_SUPPORTED",
    "method.objective": "OBJECTIVE_NOT_SUPPORTED",
    "model.precision": "PRECISION_NOT_SUPPORTED",
}
# Sections that stand for a choice: without the fields that are dropped nothing is left of them, and they can't stay empty.
WHOLE_SECTIONS = (
    "integrations.wandb",
    "integrations.huggingface",
    "integrations.mlflow",
    "integrations.trackio",
    "method.prompt_tuning_config",
    "metadata",
)
# What to train by where a method is refused, and to compute in where a precision is, the nearest first.
NEAREST_METHODS = (methods.LORA, methods.QLORA, methods.FULL)
NEAREST_PRECISIONS = (model_pb2.MODEL_PRECISION_BF16, model_pb2.MODEL_PRECISION_FP16, model_pb2.MODEL_PRECISION_FP32)


def check(facts: Facts) -> Iterator[Finding]:
    """METHOD_NOT_SUPPORTED, OBJECTIVE_NOT_SUPPORTED, PRECISION_NOT_SUPPORTED, FIELD_REFUSED, FIELD_DROPPED."""
    provider = facts.provider
    if provider is None:
        return
    idle = [field for field in facts.lowering if field.action in (DROPPED, REFUSED)]
    if any(field.action == REFUSED and field.field_path == "method.type" for field in idle):
        # What another method's settings come to is seen once there is one.
        idle = [field for field in idle if field.action == REFUSED or not field.field_path.startswith("method.")]
    for field in idle:
        plain = field.field_path.partition("[")[0]
        if field.action == REFUSED:
            code = CODES.get(plain, "FIELD_REFUSED")
            yield error(code, field.field_path, field.detail, _other_choice(facts, provider, plain))
        else:
            yield note(
                "FIELD_DROPPED",
                field.field_path,
                f"{field.field_path} does not act: {field.detail}",
                _without(facts, plain, idle),
            )


def _other_choice(facts: Facts, provider: Provider, path: str) -> Fix | None:
    configuration = facts.configuration
    if path == "method.type" or path.startswith("method.prompt_tuning_config"):
        method = methods.first_acting(provider, *NEAREST_METHODS)
        return methods.to_method(configuration, method) if method is not None else None
    if path in ("model.precision", "model.double_quantization"):
        acting = [one for one in NEAREST_PRECISIONS if methods.acts(provider, "model.precision", one)]
        if not acting:
            return None
        name = model_pb2.ModelPrecision.Name(acting[0])
        edits = [put("model.precision", name), remove("model.double_quantization")]
        if configuration.method.type == methods.QLORA and not methods.acts(provider, "method.type", methods.QLORA):
            method = methods.first_acting(provider, *NEAREST_METHODS)
            edits += methods.edits(configuration, method) if method is not None else []
        return fix(f"Set precision to {name.removeprefix('MODEL_PRECISION_')}", *edits)
    if path == "method.objective":
        acting = [one for one in provider.choices[path].acting if one == method_pb2.TRAINING_OBJECTIVE_SFT]
        return fix("Set the objective to SFT", put(path, "TRAINING_OBJECTIVE_SFT")) if acting else None
    return fix(f"Remove {form.label(path).lower()}", remove(path))


def _without(facts: Facts, path: str, idle: list[FieldLowering]) -> Fix:
    """The fix that takes a field out; of a list, all that is idle in it at once, for each fix has to leave the same list."""
    section = next((one for one in WHOLE_SECTIONS if path == one or path.startswith(f"{one}.")), None)
    if section is not None:
        return fix(f"Remove {section}", remove(section))
    if path != "optimizations.enabled":
        return fix(f"Remove {form.label(path).lower()}", remove(path))
    out = {int(one.field_path.rpartition("[")[2].rstrip("]")) for one in idle if one.field_path.startswith(f"{path}[")}
    names: list[Any] = MessageToDict(facts.configuration.optimizations)["enabled"]
    return fix("Leave out what does not act", put(path, [name for index, name in enumerate(names) if index not in out]))
