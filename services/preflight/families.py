"""What is known of architectures by their family, as transformers names it, where a model itself does not say."""

from tunesmith.registry.v1.base_model_pb2 import BaseModel
from tunesmith.registry.v1.model_profile_pb2 import MODULE_KIND_LINEAR, ModuleProfile

ALL_LINEAR = "all-linear"
_SPLIT = ("q_proj", "k_proj", "v_proj")
_LLAMA = ("q_proj", "v_proj", "k_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
# Layers that adapters are usually put on, by family.
USUAL_TARGETS: dict[str, tuple[str, ...]] = {
    "gpt2": ("c_attn", "c_proj"),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "mixtral": ("q_proj", "v_proj", "k_proj", "o_proj"),
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma": _LLAMA,
    "gemma2": _LLAMA,
    "gemma3_text": _LLAMA,
    "smollm3": _LLAMA,
    "phi": ("q_proj", "v_proj", "k_proj", "dense"),
    "phi3": ("qkv_proj", "o_proj", "gate_up_proj", "down_proj"),
    "gpt_neo": (*_SPLIT, "out_proj"),
    "gptj": (*_SPLIT, "out_proj"),
    "opt": (*_SPLIT, "out_proj"),
    "gpt_neox": ("query_key_value", "dense"),
    "bloom": ("query_key_value", "dense"),
    "falcon": ("query_key_value", "dense"),
    "vit": ("query", "value"),
}
_DEFAULT = ("q_proj", "v_proj", "k_proj", "o_proj")
# Families whose published tokenizers have no chat template.
WITHOUT_TEMPLATE = frozenset({"gpt2", "gpt_neo", "gptj"})
# The layer that turns hidden states into tokens.
OUTPUT_LAYERS = frozenset({"lm_head", "embed_out", "output_projection"})


def usual_targets(model: BaseModel) -> list[str]:
    """The family's usual targets, as far as the model has them; what it has where the family is not known."""
    there = module_names(model)
    usual = USUAL_TARGETS.get(model.family, () if there else _DEFAULT)
    return [name for name in usual if not there or name in there] or sorted(there - OUTPUT_LAYERS)


def module_names(model: BaseModel) -> set[str]:
    """Last names of the modules that can get an adapter; empty while none are known."""
    adaptable = {path_end(module) for module in model.profile.modules if module.adaptable and module.kind == MODULE_KIND_LINEAR}
    return adaptable or set(model.linear_modules)


def path_end(module: ModuleProfile) -> str:
    """`q_proj` of `model.layers.*.self_attn.q_proj`."""
    return str(module.path.rpartition(".")[2])


def has_chat_template(model: BaseModel) -> bool | None:
    """Whether a model renders messages; None while its tokenizer was not read and its family does not say."""
    if model.chat_template:
        return True
    if model.HasField("has_chat_template"):
        return model.has_chat_template
    if model.family in WITHOUT_TEMPLATE:
        return False
    # Of what is only listed from the hub nothing was read yet.
    return None if model.hub_repo and not model.files else False
