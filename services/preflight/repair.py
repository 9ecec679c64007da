"""The protos' rules as findings, each with the fix that its rule leaves, and a configuration repaired by them."""

import math
from collections.abc import Iterator

from google.protobuf.json_format import MessageToDict
from tunesmith.client.errors import Violation
from tunesmith.client.fixes import apply_fixes
from tunesmith.client.validation import violations_of
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.preflight.v1.finding_pb2 import Finding, Fix

from services.chassis.knobs import KnobField
from services.preflight import form
from services.preflight.findings import Json, error, fix, in_order, put, remove

# A repair can bring another rule into play: a method that was unknown may not go with the settings that are there.
ROUNDS = 4
# A section that is missing is told by the field in it that has to be there.
LEADING = {"model": "model.base_model", "datasets": "datasets.training_file_id", "method": "method.type"}
# Rules between fields, by their id: what to do, and on a button.
RULES: dict[str, Fix] = {
    "method.lora_config_missing": fix("Add LoRA settings", put("method.lora_config", {})),
    "method.lora_config_unused": fix("Remove the LoRA settings", remove("method.lora_config")),
    "method.prompt_tuning_config_missing": fix("Add prompt tuning settings", put("method.prompt_tuning_config", {})),
    "method.prompt_tuning_config_unused": fix("Remove the prompt tuning settings", remove("method.prompt_tuning_config")),
    "method.preference_config_unused": fix("Remove the preference settings", remove("method.preference_config")),
    "preference_config.label_smoothing_needs_a_loss_that_has_it": fix(
        "Remove label smoothing", remove("method.preference_config.label_smoothing")
    ),
    "method.distillation_config_unused": fix("Remove the distillation settings", remove("method.distillation_config")),
    "configuration.integer_precision_needs_qlora": fix(
        "Set the precision to BF16", put("model.precision", "MODEL_PRECISION_BF16"), remove("model.double_quantization")
    ),
    "model.double_quantization_needs_int4": fix("Remove double quantization", remove("model.double_quantization")),
    "model.master_weights_need_16_bits": fix("Remove master weights", remove("model.master_weights")),
    "datasets.validation_is_training": fix("Remove the validation dataset", remove("datasets.validation_file_id")),
    "scheduler.cycles_need_cosine": fix("Remove the cycles", remove("optimizer.scheduler.cycles")),
}
_RANGES = ("int32.", "double.")


def repair(configuration: JobConfiguration) -> tuple[list[Finding], JobConfiguration]:
    """The rules that a configuration breaks, and a copy that breaks none which can be put right without a person."""
    found = broken = _broken(configuration)
    repaired = configuration
    for _ in range(ROUNDS):
        if not any(one.HasField("fix") for one in broken):
            # What only a person can say stays broken.
            break
        repaired = apply_fixes(repaired, broken)
        broken = _broken(repaired)
    return found, repaired


def _broken(configuration: JobConfiguration) -> list[Finding]:
    """In the order of the report, in which a client applies the fixes; what breaks two rules of one kind, such as NaN, once."""
    found = in_order([_finding(configuration, one) for one in violations_of(configuration)], form.order())
    if any(one.field_path == "method.type" for one in found):
        # Which settings belong to a method is seen once there is one.
        return [one for one in found if not one.code.startswith("METHOD_")]
    return found


def _finding(configuration: JobConfiguration, violation: Violation) -> Finding:
    path = LEADING.get(violation.field, violation.field)
    plain, _, index = path.partition("[")
    knob = form.knobs().get(plain)
    rule = violation.reason
    if rule in RULES:
        chosen = Fix()
        chosen.CopyFrom(RULES[rule])
        return error(_code(rule), chosen.edits[0].field_path, violation.description, chosen)
    if knob is None:
        return error(_code(rule), path, f"{path}: {violation.description}")
    if rule == "required" or (rule.endswith("min_len") and _is_required(knob)):
        return error("REQUIRED_FIELD", path, f"{path} is required: {knob.knob.help}", _fallback(configuration, path, knob))
    if "enum." in rule:
        known = _known(configuration, plain) if index else _fallback(configuration, plain, knob)
        return error("UNKNOWN_VALUE", path, f"{path}: {violation.description}", known)
    if rule.startswith(_RANGES):
        return _out_of_range(configuration, path, knob, violation)
    return error(_code(rule), path, f"{path} {violation.description}", _repaired_text(configuration, plain, knob))


def _code(rule: str) -> str:
    return rule.replace(".", "_").upper()


def _is_required(knob: KnobField) -> bool:
    return bool(knob.rules.required)


def _out_of_range(configuration: JobConfiguration, path: str, knob: KnobField, violation: Violation) -> Finding:
    value = form.value_at(configuration, path)
    nearest = nearest_allowed(knob, value)
    text = f"{path} is {value:g} and {violation.description.replace('must be finite', 'must be a number')}"
    label = form.label(path).lower()
    if nearest is None:
        return error("OUT_OF_RANGE", path, text, fix(f"Remove {label}", remove(path)))
    return error("OUT_OF_RANGE", path, text, fix(f"Set {label} to {nearest:g}", put(path, nearest)))


def nearest_allowed(knob: KnobField, value: float) -> float | None:
    """The value of a number's hard range that is nearest to another; None if only a default makes sense and there is none."""
    rules = knob.rules.int32 if knob.rules.HasField("int32") else knob.rules.double
    recommended = knob.knob.recommended
    if math.isnan(value):
        default = knob.knob.default_value
        return default.number if default.WhichOneof("kind") == "number" else None
    if rules.HasField("gte") and value < rules.gte:
        return float(rules.gte)
    if rules.HasField("gt") and value <= rules.gt:
        # No number is the nearest one above an open end.
        return recommended.min
    if rules.HasField("lte") and value > rules.lte:
        return float(rules.lte)
    return recommended.max


def _fallback(configuration: JobConfiguration, path: str, knob: KnobField) -> Fix | None:
    """What to put where a value is missing or unknown; nothing where only a person can say."""
    label = form.label(path).lower()
    if path == "method.type":
        # The usual choice, and the only one whose defaults say everything.
        settings = [] if configuration.method.HasField("lora_config") else [put("method.lora_config", {})]
        return fix("Set the method to LORA", put(path, "TRAINING_METHOD_LORA"), *settings)
    if not _is_required(knob):
        return fix(f"Remove {label}", remove(path))
    return None


def _repaired_text(configuration: JobConfiguration, path: str, knob: KnobField) -> Fix | None:
    label = form.label(path).lower()
    if knob.field.is_repeated:
        kept = list(_distinct(configuration, path))
        return fix(f"Name each of the {label} once", put(path, kept))
    if _is_required(knob):
        return None
    default = knob.knob.default_value
    if default.WhichOneof("kind") == "text":
        return fix(f"Set {label} to {default.text}", put(path, default.text))
    return fix(f"Remove {label}", remove(path))


def _known(configuration: JobConfiguration, path: str) -> Fix:
    kept: list[Json] = [
        value for value in _distinct(configuration, path) if isinstance(value, str) and not value.endswith("_UNSPECIFIED")
    ]
    return fix(f"Leave out what is unknown of the {form.label(path).lower()}", put(path, kept))


def _distinct(configuration: JobConfiguration, path: str) -> Iterator[Json]:
    section, name = path.split(".")
    values = MessageToDict(configuration, preserving_proto_field_name=True).get(section, {}).get(name, [])
    yield from dict.fromkeys(values)
