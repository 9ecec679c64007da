"""What a model is made of, found by building it without weights: exact, since the model's own code says it."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping

import transformers
from torch import nn
from torch.nn.modules.conv import _ConvNd
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D
from tunesmith.registry.v1 import model_profile_pb2

from workers.estimating.all_linear import HEADS, adapted_by_all_linear, without_layer_number
from workers.estimating.configured import read_configuration
from workers.estimating.skeleton import build

# What peft puts an adapter on by name.
ADAPTABLE = (nn.Linear, Conv1D, nn.Embedding, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.MultiheadAttention)


def profile(configuration_json: str) -> model_profile_pb2.ModelProfile:
    """The parts of the model that a config.json describes. Raises Refused."""
    return profile_of(build(read_configuration(configuration_json)))


def profile_of(model: PreTrainedModel) -> model_profile_pb2.ModelProfile:
    """The parts of a model, wherever its weights are."""
    made = model_profile_pb2.ModelProfile(
        parameter_count=sum(parameter.numel() for parameter in model.parameters()),
        transformers_version=transformers.__version__,
        model_class=type(model).__name__,
        fused_attention=bool(model._supports_sdpa),
        gradient_checkpointing=bool(model.supports_gradient_checkpointing),
    )
    made.create_time.GetCurrentTime()
    # Protobuf's messages can't be counted, their bytes can; a Counter keeps the order of what it saw first.
    counts = Counter(part.SerializeToString(deterministic=True) for part in _parts(model, adapted_by_all_linear(model)))
    for part, count in counts.items():
        module = made.modules.add()
        module.ParseFromString(part)
        module.count = count
    return made


def _parts(model: PreTrainedModel, adapted: Mapping[str, tuple[int, int]]) -> Iterator[model_profile_pb2.ModuleProfile]:
    output = model.get_output_embeddings()
    seen: set[int] = set()
    for name, module in model.named_modules():
        parameters = list(module.parameters(recurse=False))
        if not parameters:
            continue
        own = [parameter for parameter in parameters if id(parameter) not in seen]
        seen.update(map(id, own))
        path = without_layer_number(name)
        kind, input_size, output_size = _shape(module)
        if kind == model_profile_pb2.MODULE_KIND_OTHER:
            # Experts, whose matrices lie in one tensor: as wide as what peft puts on all of them together.
            input_size, output_size = adapted.get(path, (0, 0))
        yield model_profile_pb2.ModuleProfile(
            path=path,
            kind=kind,
            input_size=input_size,
            output_size=output_size,
            parameter_count=sum(parameter.numel() for parameter in own),
            adapted_by_all_linear=path in adapted,
            # The trainer computes the output layer without its adapter, and trains a head of labels whole.
            adaptable=path in adapted or (isinstance(module, ADAPTABLE) and module is not output and not _is_of_head(name)),
        )


def _is_of_head(name: str) -> bool:
    return re.fullmatch(HEADS, name) is not None


def _shape(module: nn.Module) -> tuple[model_profile_pb2.ModuleKind, int, int]:
    """What it computes, and its sizes in and out."""
    if isinstance(module, nn.Linear):
        return model_profile_pb2.MODULE_KIND_LINEAR, module.in_features, module.out_features
    if isinstance(module, Conv1D):
        # GPT-2's keeps its matrix the other way round.
        return model_profile_pb2.MODULE_KIND_LINEAR, module.nx, module.nf
    if isinstance(module, nn.Embedding):
        return model_profile_pb2.MODULE_KIND_EMBEDDING, module.num_embeddings, module.embedding_dim
    if isinstance(module, _ConvNd):
        return model_profile_pb2.MODULE_KIND_CONVOLUTION, module.in_channels, module.out_channels
    if "Norm" in type(module).__name__:
        size = next(module.parameters(recurse=False)).numel()
        return model_profile_pb2.MODULE_KIND_NORM, size, size
    return model_profile_pb2.MODULE_KIND_OTHER, 0, 0
