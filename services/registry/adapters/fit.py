"""Whether an adapter fits its base model: layers that are there, factors of their sizes, a rank that saves something."""

import re
from collections.abc import Iterable, Iterator, Mapping

from tunesmith.registry.v1 import adapter_pb2, base_model_pb2, model_profile_pb2

from services.registry.adapters.configuration import AdapterConfiguration
from services.registry.adapters.weights import PREFIX, AdapterWeights, Factors
from services.registry.importing.refused import Refused
from services.registry.importing.safetensors_header import Tensor

_SHOWN = 5
_LAYER_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)|^\d+(?=\.)")
# Layers that linear_modules leaves out, because all-linear does.
_HEADS = frozenset(("lm_head", "score", "classifier", "qa_outputs"))


def check_fit(configuration: AdapterConfiguration, weights: AdapterWeights, model: base_model_pb2.BaseModel) -> None:
    """Raise Refused with what does not fit. What is not known of the model is not looked at."""
    name = model.hub_repo or model.display_name
    found = list(_problems(configuration, weights, model))
    if found:
        more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        text = "; ".join(found[:_SHOWN])
        raise Refused(f"it does not fit {name}: {text}{more}; name the base model that it was trained on")


def _problems(configuration: AdapterConfiguration, weights: AdapterWeights, model: base_model_pb2.BaseModel) -> Iterator[str]:
    hidden_size = model.architecture.hidden_size
    if configuration.type == adapter_pb2.ADAPTER_TYPE_PROMPT:
        yield from _of_prompt(configuration, model)
        return
    rank = max(factors.rank for factors in weights.factors.values())
    if hidden_size and rank >= hidden_size:
        yield f"rank {rank} is not below the model's hidden size {hidden_size}, so it would be larger than what it replaces"
    if model.HasField("profile"):
        yield from _against_profile(weights, model)
    else:
        yield from _against_names(weights.factors, model)


def _of_prompt(configuration: AdapterConfiguration, model: base_model_pb2.BaseModel) -> Iterator[str]:
    shape = model.architecture
    size, whose = shape.hidden_size, "virtual tokens"
    if configuration.prefix:
        if shape.layer_count and configuration.layers != shape.layer_count:
            yield f"it stands before {configuration.layers} layers, the model has {shape.layer_count}"
        heads = shape.key_value_head_count or shape.attention_head_count
        head_size = shape.head_size or (shape.hidden_size // shape.attention_head_count if shape.attention_head_count else 0)
        size, whose = heads * head_size, "keys"
    if size and configuration.token_size != size:
        yield f"its {whose} have {configuration.token_size} features, the model's have {size}"


def _against_profile(weights: AdapterWeights, model: base_model_pb2.BaseModel) -> Iterator[str]:
    modules: dict[str, list[model_profile_pb2.ModuleProfile]] = {}
    for module in model.profile.modules:
        modules.setdefault(module.path, []).append(module)
    lacking: dict[str, None] = {}
    for path, factors in weights.factors.items():
        general = _LAYER_NUMBER.sub("*", path)
        if general not in modules:
            lacking.setdefault(general)
        elif _is_past_the_last(path, model):
            yield f"{path} is past its last layer, {model.architecture.layer_count - 1}"
        elif not any(_is_of_size(factors, module) for module in modules[general]):
            one = modules[general][0]
            yield f"{path} has factors for {_sizes(factors)}, the model's layer is {one.input_size} to {one.output_size}"
    for tensor in weights.others:
        yield from _of_other_shape(tensor, modules)
    yield from _lacks(lacking)


def _of_other_shape(tensor: Tensor, modules: Mapping[str, list[model_profile_pb2.ModuleProfile]]) -> Iterator[str]:
    """A layer that was trained whole. GPT-2's stand the other way round, so that the order of the sizes is no matter."""
    path = tensor.name.removeprefix(PREFIX)
    known = modules.get(_LAYER_NUMBER.sub("*", path.removesuffix(".weight"))) if path.endswith(".weight") else None
    if known and len(tensor.shape) == 2:
        sizes = [(module.input_size, module.output_size) for module in known]
        if not any(sorted(one) == sorted(tensor.shape) for one in sizes):
            yield f"{path} is {tensor.shape[1]} to {tensor.shape[0]}, the model's layer is {sizes[0][0]} to {sizes[0][1]}"


def _against_names(layers: Mapping[str, Factors], model: base_model_pb2.BaseModel) -> Iterator[str]:
    """What can be told before the model was built: names of layers, and that one side of each has the model's width."""
    known = set(model.linear_modules)
    hidden_size = model.architecture.hidden_size
    text = model.modality in (base_model_pb2.MODALITY_TEXT, base_model_pb2.MODALITY_UNSPECIFIED)
    lacking: dict[str, None] = {}
    for path, factors in layers.items():
        leaf = path.rpartition(".")[2]
        if known and not factors.embedding and leaf not in known and leaf not in _HEADS:
            lacking.setdefault(leaf)
        elif _is_past_the_last(path, model):
            yield f"{path} is past its last layer, {model.architecture.layer_count - 1}"
        elif text and hidden_size and hidden_size not in (factors.a.shape[1], factors.b.shape[0]):
            yield f"{path} has factors for {_sizes(factors)}, and neither is the model's hidden size {hidden_size}"
    yield from _lacks(lacking)


def _lacks(names: Iterable[str]) -> Iterator[str]:
    listed = list(names)
    if listed:
        yield f"the model has no {', '.join(listed[:_SHOWN])}"


def _is_past_the_last(path: str, model: base_model_pb2.BaseModel) -> bool:
    number = _LAYER_NUMBER.search(path)
    count = model.architecture.layer_count
    return number is not None and count > 0 and model.modality == base_model_pb2.MODALITY_TEXT and int(number[0]) >= count


def _is_of_size(factors: Factors, module: model_profile_pb2.ModuleProfile) -> bool:
    if module.kind == model_profile_pb2.MODULE_KIND_CONVOLUTION:
        # A kernel has a size of its own beside its channels, which the profile does not keep.
        return len(factors.a.shape) > 2
    return factors.embedding == (module.kind == model_profile_pb2.MODULE_KIND_EMBEDDING) and (
        factors.a.shape[1],
        factors.b.shape[0],
    ) == (module.input_size, module.output_size)


def _sizes(factors: Factors) -> str:
    return f"{factors.a.shape[1]} to {factors.b.shape[0]}"
