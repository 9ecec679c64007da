"""What a layer of a model consists of, read from its profile's modules; from its sizes alone where it has no profile."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from tunesmith.registry.v1 import base_model_pb2, model_profile_pb2

Role = Literal["q", "k", "v", "qkv", "out", "gate", "up", "gate_up", "down", "outside"]
Norm = Literal["rms", "gemma_rms", "layer"]

_LAYER = ".*."
_OUT_NAMES = {"o_proj", "out_proj", "dense", "c_proj", "proj", "wo", "out_lin"}
_ACTIVATIONS = ("hidden_activation", "hidden_act", "activation_function", "activation")
_ATTENTION_DROPOUTS = ("attn_pdrop", "attention_dropout", "attention_probs_dropout_prob")
_RESIDUAL_DROPOUTS = ("resid_pdrop", "hidden_dropout", "hidden_dropout_prob", "dropout")
_EMBEDDING_DROPOUTS = ("embd_pdrop",)
# Of a tensor that 8-bit optimisers leave in 32 bits.
_SMALL = 4096
_VISION = (base_model_pb2.MODALITY_VISION,)


@dataclass(frozen=True, slots=True)
class Linear:
    """A product with a matrix."""

    name: str
    path: str
    input_size: int
    output_size: int
    parameter_count: int
    role: Role
    # In how many layers it is.
    count: int = 1
    by_all_linear: bool = True


@dataclass(frozen=True)
class Architecture:
    """A stack of equal layers, and what is before and behind it."""

    known: bool
    layer_count: int
    hidden_size: int
    intermediate_size: int
    head_count: int
    key_value_head_count: int
    head_size: int
    vocabulary_size: int
    tied: bool
    # Parameters of the whole model and of one layer; tied ones once.
    parameter_count: int
    # Products inside the layers, and outside of them.
    linears: tuple[Linear, ...]
    outer_linears: tuple[Linear, ...]
    norm: Norm
    # Norms of a whole layer: before attention, behind it, before the products behind it, behind those.
    norms: tuple[bool, bool, bool, bool]
    query_key_norm: Literal["", "head", "whole"]
    rotary: bool
    activation: str
    fused_attention: bool
    vision: bool
    expert_count: int
    active_expert_count: int
    attention_dropout: float
    residual_dropout: float
    embedding_dropout: float
    embedding_parameters: int
    # Parameters of tensors of fewer than 4,096 elements: norms and biases.
    small_parameters: int
    # Of all products inside the layers.
    layer_linear_parameters: int
    # Of the output layer, tied or not.
    head_parameters: int
    logit_softcapping: bool
    # Attention and the products behind it read the same norm and are added at once.
    parallel: bool
    fused_experts_parameters: int = 0
    settings: dict[str, Any] = field(default_factory=dict, compare=False, hash=False)

    @classmethod
    def of(cls, base_model: base_model_pb2.BaseModel) -> "Architecture":
        """From the profile if there is one, and else from the sizes."""
        settings = _parsed(base_model.configuration_json)
        modules = list(base_model.profile.modules) if base_model.HasField("profile") else []
        in_layers = [module for module in modules if _LAYER in module.path]
        if not any(module.kind == model_profile_pb2.MODULE_KIND_LINEAR for module in in_layers):
            return _from_sizes(base_model, settings)
        return _from_profile(base_model, settings, modules, in_layers)

    def linear(self, role: Role) -> Linear | None:
        """The product of a role."""
        return next((linear for linear in self.linears if linear.role == role), None)

    @property
    def attention_size(self) -> int:
        """Width of all heads together."""
        return self.head_count * self.head_size

    @property
    def key_value_size(self) -> int:
        """Width of all key heads together."""
        return self.key_value_head_count * self.head_size


def _from_profile(
    base_model: base_model_pb2.BaseModel,
    settings: dict[str, Any],
    modules: list[model_profile_pb2.ModuleProfile],
    in_layers: list[model_profile_pb2.ModuleProfile],
) -> Architecture:
    kinds = model_profile_pb2
    shape, sized = base_model.architecture, _Sizes(base_model)
    products = [module for module in in_layers if module.kind == kinds.MODULE_KIND_LINEAR]
    layer_count = max(module.count for module in products)
    hidden = sized.hidden or products[0].input_size
    linears = tuple(_linears(products, hidden))
    norms = [module for module in in_layers if module.kind == kinds.MODULE_KIND_NORM]
    whole = [module for module in norms if module.output_size == hidden and not _is_query_key(module.path)]
    query_key = [module for module in norms if _is_query_key(module.path)]
    embedding = next((module for module in modules if module.kind == kinds.MODULE_KIND_EMBEDDING), None)
    heads = [module for module in modules if module.kind == kinds.MODULE_KIND_LINEAR and _LAYER not in module.path]
    head = heads[-1] if heads else None
    down = next((linear for linear in linears if linear.role == "down"), None)
    out = next((linear for linear in linears if linear.role == "out"), None)
    attention = out.input_size if out else hidden
    head_count = sized.heads or 1
    head_size = shape.head_size or attention // head_count or 1
    key = next((linear for linear in linears if linear.role == "k"), None)
    others = [module for module in in_layers if module.kind == kinds.MODULE_KIND_OTHER and "expert" in module.path]
    family = base_model.family or str(settings.get("model_type", ""))
    two_each = bool(norms) and norms[0].parameter_count >= 2 * norms[0].output_size
    norm: Norm = "layer" if two_each else "gemma_rms" if family.startswith("gemma") else "rms"
    vision = base_model.modality in _VISION
    return Architecture(
        known=True,
        layer_count=layer_count,
        hidden_size=hidden,
        intermediate_size=down.input_size if down else sized.intermediate or 4 * hidden,
        head_count=attention // head_size,
        key_value_head_count=key.output_size // head_size if key else sized.key_value_heads or attention // head_size,
        head_size=head_size,
        vocabulary_size=head.output_size if head else sized.vocabulary or 0,
        tied=head is not None and head.parameter_count == 0,
        parameter_count=base_model.profile.parameter_count,
        linears=linears,
        outer_linears=tuple(_outside(module) for module in heads),
        norm=norm,
        norms=_norm_places(whole, family),
        query_key_norm="" if not query_key else "head" if query_key[0].output_size == head_size else "whole",
        # A model with learned positions has an embedding for them.
        rotary=not vision and sum(module.kind == kinds.MODULE_KIND_EMBEDDING for module in modules) < 2 and family != "bloom",
        activation=_activation(settings, family),
        fused_attention=base_model.profile.fused_attention,
        vision=vision,
        expert_count=shape.expert_count,
        active_expert_count=max(1, shape.active_expert_count),
        attention_dropout=_first_number(settings, _ATTENTION_DROPOUTS, 0.1 if family == "gpt2" else 0.0),
        residual_dropout=_first_number(settings, _RESIDUAL_DROPOUTS, 0.1 if family == "gpt2" else 0.0),
        embedding_dropout=_first_number(settings, _EMBEDDING_DROPOUTS, 0.1 if family == "gpt2" else 0.0),
        embedding_parameters=embedding.parameter_count if embedding else 0,
        small_parameters=sum(_small_parameters(module) * module.count for module in modules),
        layer_linear_parameters=sum(linear.parameter_count * linear.count for linear in linears)
        + sum(module.parameter_count * module.count for module in others),
        head_parameters=head.input_size * head.output_size if head else 0,
        logit_softcapping=settings.get("final_logit_softcapping") is not None,
        parallel=len(whole) == 1 or bool(settings.get("use_parallel_residual", False)),
        fused_experts_parameters=sum(module.parameter_count for module in others),
        settings=settings,
    )


def _linears(products: list[model_profile_pb2.ModuleProfile], hidden: int) -> list[Linear]:
    """Products of a layer with what they are for, by name and shape."""
    attention = [module for module in products if _is_attention(module.path)]
    behind = [module for module in products if not _is_attention(module.path)]
    found: list[tuple[model_profile_pb2.ModuleProfile, Role]] = []
    entrances = []
    for module in attention:
        name = _name(module.path)
        if name in _OUT_NAMES or ".output." in module.path:
            found.append((module, "out"))
        else:
            entrances.append(module)
    if len(entrances) == 1:
        found.append((entrances[0], "qkv"))
    else:
        roles: dict[str, Role] = {"q": "q", "k": "k", "v": "v"}
        found.extend((module, roles.get(_name(module.path)[0], "q")) for module in entrances)
    down = [module for module in behind if module.output_size == hidden and module.input_size != hidden] or behind[-1:]
    ways_in = [module for module in behind if module not in down]
    found.extend((module, "down") for module in down)
    fused = len(ways_in) == 1 and down and ways_in[0].output_size == 2 * down[0].input_size
    for module in ways_in:
        gate = len(ways_in) > 1 and "gate" in _name(module.path)
        found.append((module, "gate_up" if fused else "gate" if gate else "up"))
    return [
        Linear(
            _name(module.path),
            module.path,
            module.input_size,
            module.output_size,
            module.parameter_count,
            role,
            module.count,
            module.adapted_by_all_linear,
        )
        for module, role in found
    ]


def _outside(module: model_profile_pb2.ModuleProfile) -> Linear:
    sizes = module.input_size, module.output_size, module.parameter_count
    return Linear(_name(module.path), module.path, *sizes, "outside", module.count, module.adapted_by_all_linear)


def _small_parameters(module: model_profile_pb2.ModuleProfile) -> int:
    """Of a module's weight and bias, what is in tensors of fewer than 4,096 elements."""
    if module.kind == model_profile_pb2.MODULE_KIND_NORM:
        return module.parameter_count if module.output_size < _SMALL else 0
    bias = module.parameter_count - module.input_size * module.output_size
    return bias if module.kind == model_profile_pb2.MODULE_KIND_LINEAR and 0 < bias < _SMALL else 0


def _norm_places(whole: list[model_profile_pb2.ModuleProfile], family: str) -> tuple[bool, bool, bool, bool]:
    """Which of the four places of a layer have a norm."""
    names = [_name(module.path) for module in whole]
    if len(names) >= 4:
        return True, True, True, True
    if "post_feedforward_layernorm" in names:
        # OLMo 2: norms stand behind, not before.
        return "input_layernorm" in names, True, False, True
    if len(names) == 1:
        return True, False, False, False
    return True, False, True, False


def _from_sizes(base_model: base_model_pb2.BaseModel, settings: dict[str, Any]) -> Architecture:
    """A layer as most models have it: gated, with RMS norms and rotated heads."""
    sized, shape = _Sizes(base_model), base_model.architecture
    hidden = sized.hidden or 1
    heads = sized.heads or max(1, hidden // 128)
    head_size = shape.head_size or max(1, hidden // heads)
    key_heads = sized.key_value_heads or heads
    intermediate = sized.intermediate or 4 * hidden
    attention, keys = heads * head_size, key_heads * head_size
    vision = base_model.modality in _VISION
    experts = max(1, shape.expert_count)
    sizes: list[tuple[str, Role, int, int]] = [
        ("q_proj", "q", hidden, attention),
        ("k_proj", "k", hidden, keys),
        ("v_proj", "v", hidden, keys),
        ("o_proj", "out", attention, hidden),
    ]
    sizes += [] if vision else [("gate_proj", "gate", hidden, intermediate)]
    sizes += [("up_proj", "up", hidden, intermediate), ("down_proj", "down", intermediate, hidden)]
    layers, vocabulary = sized.layers or 1, sized.vocabulary or 0
    linears = tuple(
        Linear(name, name, size_in, size_out, size_in * size_out, role, layers) for name, role, size_in, size_out in sizes
    )
    products = sum(linear.parameter_count * (experts if linear.role in ("gate", "up", "down") else 1) for linear in linears)
    tied = shape.tied_embeddings
    counted = layers * (products + 2 * hidden) + vocabulary * hidden * (1 if tied else 2) + hidden
    return Architecture(
        known=False,
        layer_count=layers,
        hidden_size=hidden,
        intermediate_size=intermediate,
        head_count=heads,
        key_value_head_count=key_heads,
        head_size=head_size,
        vocabulary_size=vocabulary,
        tied=tied,
        parameter_count=base_model.parameter_count or counted,
        linears=linears,
        outer_linears=(),
        norm="layer" if vision else "rms",
        norms=(True, False, True, False),
        query_key_norm="",
        rotary=not vision,
        activation="gelu" if vision else "silu",
        fused_attention=True,
        vision=vision,
        expert_count=shape.expert_count,
        active_expert_count=max(1, shape.active_expert_count),
        attention_dropout=_first_number(settings, _ATTENTION_DROPOUTS, 0.0),
        residual_dropout=_first_number(settings, _RESIDUAL_DROPOUTS, 0.0),
        embedding_dropout=_first_number(settings, _EMBEDDING_DROPOUTS, 0.0),
        embedding_parameters=vocabulary * hidden,
        small_parameters=layers * 2 * hidden + hidden if hidden < _SMALL else 0,
        layer_linear_parameters=products * layers,
        head_parameters=vocabulary * hidden,
        logit_softcapping=False,
        parallel=False,
        settings=settings,
    )


class _Sizes:
    """Sizes of a model; None where nothing says."""

    def __init__(self, base_model: base_model_pb2.BaseModel) -> None:
        shape = base_model.architecture
        self.hidden = shape.hidden_size or None
        self.intermediate = shape.intermediate_size or None
        self.layers = shape.layer_count or None
        self.heads = shape.attention_head_count or None
        self.key_value_heads = shape.key_value_head_count or None
        self.vocabulary = shape.vocabulary_size or None


def _parsed(configuration_json: str) -> dict[str, Any]:
    try:
        found = json.loads(configuration_json) if configuration_json else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _activation(settings: dict[str, Any], family: str) -> str:
    named = next((str(settings[key]) for key in _ACTIVATIONS if settings.get(key)), "")
    return named or {"gpt2": "gelu_new", "phi": "gelu_new", "vit": "gelu", "bloom": "gelu", "falcon": "gelu", "opt": "relu"}.get(
        family, "gelu_pytorch_tanh" if family.startswith("gemma") else "silu"
    )


def _first_number(settings: dict[str, Any], names: tuple[str, ...], otherwise: float) -> float:
    for name in names:
        value = settings.get(name)
        if isinstance(value, (int, float)):
            return float(value)
    return otherwise


def _name(path: str) -> str:
    return path.rpartition(".")[2]


def _is_attention(path: str) -> bool:
    inner = path.partition(_LAYER)[2]
    return "attn" in inner or "attention" in inner


def _is_query_key(path: str) -> bool:
    return _name(path) in ("q_norm", "k_norm", "q_layernorm", "k_layernorm", "query_layernorm", "key_layernorm", "q_ln", "k_ln")
