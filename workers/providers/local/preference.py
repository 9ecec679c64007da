"""How preferences are learnt: objective DPO."""

from collections.abc import Callable
from typing import Any

from tunesmith.config.v1 import method_pb2
from tunesmith.options.v1 import field_pb2

from workers.providers.provider import CONVERTED, DROPPED, REFUSED, SENT, JobConfiguration, Lowered, Rule

# As `trl.DPOConfig.loss_type` calls them.
LOSSES: dict[method_pb2.PreferenceLoss, str] = {
    method_pb2.PREFERENCE_LOSS_SIGMOID: "sigmoid",
    method_pb2.PREFERENCE_LOSS_HINGE: "hinge",
    method_pb2.PREFERENCE_LOSS_IPO: "ipo",
    method_pb2.PREFERENCE_LOSS_ROBUST: "robust",
    method_pb2.PREFERENCE_LOSS_EXO_PAIR: "exo_pair",
    method_pb2.PREFERENCE_LOSS_NCA_PAIR: "nca_pair",
    method_pb2.PREFERENCE_LOSS_BCO_PAIR: "bco_pair",
    method_pb2.PREFERENCE_LOSS_SPPO_HARD: "sppo_hard",
    method_pb2.PREFERENCE_LOSS_AOT: "aot",
    method_pb2.PREFERENCE_LOSS_APO_ZERO: "apo_zero",
    method_pb2.PREFERENCE_LOSS_APO_DOWN: "apo_down",
}
LIKELIHOOD = "sft"
# What an unset label_smoothing is, for the losses that have it. EXO takes logarithms of it.
SMOOTHING: dict[method_pb2.PreferenceLoss, float] = {
    method_pb2.PREFERENCE_LOSS_ROBUST: 0.0,
    method_pb2.PREFERENCE_LOSS_EXO_PAIR: 0.001,
}
# What `trl.SFTConfig` alone takes: a pair is two sequences of its own.
_PACKING = "packing"


def settings(resolved: JobConfiguration) -> method_pb2.PreferenceConfiguration:
    """What was set, and for the rest the defaults that the fields' own options name: nobody has to send the message."""
    filled = method_pb2.PreferenceConfiguration()
    filled.CopyFrom(resolved.method.preference_config)
    # Descriptors at run time are of another class than the one their type stubs know.
    fields: Any = filled.DESCRIPTOR.fields
    for field in fields:
        default = field.GetOptions().Extensions[field_pb2.knob].default_value
        kind = default.WhichOneof("kind")
        if kind is not None and not filled.HasField(field.name):
            value = getattr(default, kind)
            setattr(filled, field.name, field.enum_type.values_by_name[value].number if field.enum_type is not None else value)
    return filled


def is_objective(resolved: JobConfiguration) -> bool:
    """Whether preferences are what the job learns."""
    return bool(resolved.method.objective == method_pb2.TRAINING_OBJECTIVE_DPO)


def has_reference(resolved: JobConfiguration) -> bool:
    """Whether answers are compared with what the model said before it was trained."""
    return is_objective(resolved) and not settings(resolved).reference_free


def arguments(resolved: JobConfiguration, trainer: dict[str, Any]) -> dict[str, Any]:
    """For `trl.DPOConfig`: what every trainer is given, and how pairs are compared.

    Raises ValueError for what `lower` refuses.
    """
    preference = settings(resolved)
    smoothing = _label_smoothing(preference)
    if preference.HasField("label_smoothing") and smoothing.action == REFUSED:
        raise ValueError(f"method.preference_config.label_smoothing is refused: {smoothing.detail}")
    likelihood = preference.sft_weight > 0
    loss = LOSSES[preference.loss]
    return {name: value for name, value in trainer.items() if name != _PACKING} | {
        "beta": preference.beta,
        "loss_type": [loss, LIKELIHOOD] if likelihood else [loss],
        "loss_weights": [1.0, preference.sft_weight] if likelihood else None,
        "label_smoothing": _smoothing(preference),
    }


def _smoothing(preference: method_pb2.PreferenceConfiguration) -> float:
    if preference.HasField("label_smoothing"):
        return preference.label_smoothing
    return SMOOTHING.get(preference.loss, 0.0)


def _of_pairs(describe: Callable[[method_pb2.PreferenceConfiguration], Lowered]) -> Rule:
    def rule(resolved: JobConfiguration) -> list[Lowered]:
        if not is_objective(resolved):
            return [Lowered(DROPPED, "only objective DPO compares answers; remove method.preference_config")]
        return [describe(settings(resolved))]

    return rule


def _label_smoothing(preference: method_pb2.PreferenceConfiguration) -> Lowered:
    if preference.loss not in SMOOTHING:
        return Lowered(DROPPED, "only the losses ROBUST and EXO_PAIR have it; remove it, or set loss to ROBUST")
    if preference.loss == method_pb2.PREFERENCE_LOSS_EXO_PAIR and preference.label_smoothing in (0.0, 1.0):
        # A label that is certain has an infinite logarithm.
        return Lowered(REFUSED, "loss EXO_PAIR takes the logarithm of it and of its rest; use a value between 0 and 1, as 0.001")
    return Lowered(SENT, f"DPOConfig gets label_smoothing={preference.label_smoothing:g}")


def _reference_free(preference: method_pb2.PreferenceConfiguration) -> Lowered:
    if preference.reference_free:
        return Lowered(CONVERTED, "every token is certain to the reference, so that it takes no forward pass")
    return Lowered(SENT, "answers are compared with what the model said before it was trained: a second forward pass")


def _sft_weight(preference: method_pb2.PreferenceConfiguration) -> Lowered:
    if preference.sft_weight == 0:
        return Lowered(SENT, "the chosen answer's own likelihood is left out")
    return Lowered(CONVERTED, f"DPOConfig gets a second loss {LIKELIHOOD!r} with the weight {preference.sft_weight:g}")


RULES: dict[str, Rule] = {
    "method.preference_config.beta": _of_pairs(lambda preference: Lowered(SENT, f"DPOConfig gets beta={preference.beta:g}")),
    "method.preference_config.loss": _of_pairs(
        lambda preference: Lowered(SENT, f"DPOConfig gets loss_type={LOSSES[preference.loss]!r}")
    ),
    "method.preference_config.label_smoothing": _of_pairs(_label_smoothing),
    "method.preference_config.reference_free": _of_pairs(_reference_free),
    "method.preference_config.sft_weight": _of_pairs(_sft_weight),
}
