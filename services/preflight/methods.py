"""Changes a configuration's method, with what has to change along with it."""

from collections.abc import Iterator

from tunesmith.config.v1 import method_pb2, model_pb2
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.preflight.v1.finding_pb2 import FieldEdit, Fix

from services.preflight.findings import fix, put, remove
from workers.providers.provider import Provider

FULL = method_pb2.TRAINING_METHOD_FULL
LORA = method_pb2.TRAINING_METHOD_LORA
QLORA = method_pb2.TRAINING_METHOD_QLORA
PROMPT_TUNING = method_pb2.TRAINING_METHOD_PROMPT_TUNING
PREFIX_TUNING = method_pb2.TRAINING_METHOD_PREFIX_TUNING
P_TUNING = method_pb2.TRAINING_METHOD_P_TUNING
# They train what stands before every row, and nothing of the model.
SOFT_PROMPTS = frozenset({PROMPT_TUNING, PREFIX_TUNING, P_TUNING})
# They train an adapter beside frozen weights.
LOW_RANK = frozenset({LORA, QLORA})
# Weights in these round small updates away.
SIXTEEN_BITS = frozenset({model_pb2.MODEL_PRECISION_BF16, model_pb2.MODEL_PRECISION_FP16})
# Frozen weights in these have no gradient.
INTEGERS = frozenset({model_pb2.MODEL_PRECISION_INT4, model_pb2.MODEL_PRECISION_INT8})


def may_hold_masters(configuration: JobConfiguration) -> bool:
    """Whether `model.master_weights` makes a difference: weights are trained whose arithmetic has 16 bits."""
    return configuration.method.type == FULL and configuration.model.precision in SIXTEEN_BITS


def acts(provider: Provider | None, path: str, value: int) -> bool:
    """Whether a provider acts on a value of an enum; an unknown provider on any."""
    return provider is None or path not in provider.choices or value in provider.choices[path].acting


def first_acting(provider: Provider | None, *methods: method_pb2.TrainingMethod) -> method_pb2.TrainingMethod | None:
    """The first of some methods that a provider acts on."""
    return next((method for method in methods if acts(provider, "method.type", method)), None)


def to_method(configuration: JobConfiguration, method: method_pb2.TrainingMethod) -> Fix:
    """The fix that sets a method, with its settings where they are missing and without those of another."""
    name = method_pb2.TrainingMethod.Name(method).removeprefix("TRAINING_METHOD_")
    return fix(f"Set the method to {name}", *edits(configuration, method))


def edits(configuration: JobConfiguration, method: method_pb2.TrainingMethod) -> Iterator[FieldEdit]:
    """The changes behind `to_method`."""
    now, precision = configuration.method, configuration.model.precision
    yield put("method.type", method_pb2.TrainingMethod.Name(method))
    if method in LOW_RANK and not now.HasField("lora_config"):
        yield put("method.lora_config", {})
    if method not in LOW_RANK and now.HasField("lora_config"):
        yield remove("method.lora_config")
    if method in SOFT_PROMPTS and not now.HasField("prompt_tuning_config"):
        yield put("method.prompt_tuning_config", {})
    if method not in SOFT_PROMPTS and now.HasField("prompt_tuning_config"):
        yield remove("method.prompt_tuning_config")
    if method == QLORA and precision not in INTEGERS:
        yield remove("model.master_weights")
        yield put("model.precision", "MODEL_PRECISION_INT4")
    if method != QLORA and precision in INTEGERS:
        yield put("model.precision", "MODEL_PRECISION_BF16")
        yield remove("model.double_quantization")
