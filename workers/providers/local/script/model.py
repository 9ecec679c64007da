"""Loading the base model and its tokenizer."""

from typing import Any

from tunesmith.registry.v1 import base_model_pb2

from workers.providers.local.plan import TrainingPlan
from workers.providers.local.script.code import Code, call, lines

# What `from_pretrained` would take from the repository but is never given.
_NEVER = "trust_remote_code"
_QUANTIZED, _STRETCHED = "quantization_config", "rope_scaling"

_LONGEST = '''\
def longest(model):
    """Rows are cut at MAX_LENGTH tokens, or where the model has no more positions."""
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return min(MAX_LENGTH, positions{taken}) if positions else MAX_LENGTH'''

_LONGEST_DYNAMIC = '''\
def longest(model):
    """Rows are cut at MAX_LENGTH tokens, or where the model has no more positions; its configuration keeps their old number."""
    text = model.config.get_text_config()
    scaling = text.rope_parameters.get("full_attention", text.rope_parameters)
    return min(MAX_LENGTH, int(text.max_position_embeddings * scaling["factor"]){taken})'''

_STRETCH = '''\
def stretched(base_model):
    """The model's configuration, with positions for longer contexts."""
    config = AutoConfig.from_pretrained(base_model{pinned})
    text = config.get_text_config()
    held = text.rope_parameters
    # Of layers that differ, the others look at a window that they don't outgrow.
    nested = bool(text.nested_rope_parameter_keys(held))
    after = (held["full_attention"] if nested else held) | ROPE_SCALING
{rest}
    return config'''
_KEEP_ORIGINAL = '    after["original_max_position_embeddings"] = text.max_position_embeddings'
_PLACE = '    text.rope_parameters = held | {"full_attention": after} if nested else after'
_MORE_POSITIONS = '    text.max_position_embeddings = int(text.max_position_embeddings * ROPE_SCALING["factor"])'


def functions(plan: TrainingPlan, base_model: base_model_pb2.BaseModel) -> list[str]:
    """What `loading` and the trainer call."""
    scaling = plan.weights.get(_STRETCHED)
    tokens = (plan.adapter or {}).get("num_virtual_tokens")
    # A soft prompt takes positions of its own.
    taken = f" - {tokens}" if tokens else ""
    longest = _LONGEST_DYNAMIC if scaling and scaling["rope_type"] == "dynamic" else _LONGEST
    found = [longest.replace("{taken}", taken)]
    if scaling:
        pinned = ", revision=REVISION" if base_model.revision else ""
        rest = lines(
            _KEEP_ORIGINAL if scaling["rope_type"] == "yarn" else None,
            _PLACE,
            _MORE_POSITIONS if scaling["rope_type"] != "dynamic" else None,
        )
        found.append(_STRETCH.replace("{pinned}", pinned).replace("{rest}", rest))
    return found


def constants(plan: TrainingPlan) -> str | None:
    """Settings that `loading` reads, for the top of the script."""
    found = []
    if _QUANTIZED in plan.weights:
        given = {name: _dtype(value) if name.endswith("_dtype") else value for name, value in plan.weights[_QUANTIZED].items()}
        found.append(call("BitsAndBytesConfig", given, prefix="QUANTIZATION = "))
    if _STRETCHED in plan.weights:
        scaling = plan.weights[_STRETCHED]
        found.append(f'ROPE_SCALING = {{"rope_type": "{scaling["rope_type"]}", "factor": {scaling["factor"]!r}}}')
    return lines(*found) if found else None


def imports(plan: TrainingPlan) -> list[str]:
    """Names of transformers."""
    return [
        *(["AutoConfig"] if _STRETCHED in plan.weights else []),
        "AutoModelForCausalLM",
        "AutoTokenizer",
        *(["BitsAndBytesConfig"] if _QUANTIZED in plan.weights else []),
    ]


def loading(plan: TrainingPlan, base_model: base_model_pb2.BaseModel) -> str:
    """Statements that leave `model` and `tokenizer`."""
    stretched = _STRETCHED in plan.weights
    tokenizer_length = "    tokenizer.model_max_length = max(tokenizer.model_max_length, longest(model))" if stretched else None
    return lines(
        from_pretrained("model", plan, base_model),
        _call("tokenizer", "AutoTokenizer", _pinned(base_model)),
        tokenizer_length,
    )


def from_pretrained(name: str, plan: TrainingPlan, base_model: base_model_pb2.BaseModel) -> str:
    """A statement that loads the base model."""
    given: dict[str, Any] = {key: value for key, value in plan.weights.items() if key not in (_NEVER, _QUANTIZED, _STRETCHED)}
    given["dtype"] = _dtype(given["dtype"])
    if _QUANTIZED in plan.weights:
        given[_QUANTIZED] = Code("QUANTIZATION")
    if _STRETCHED in plan.weights:
        given["config"] = Code("stretched(arguments.base_model)")
    return _call(name, "AutoModelForCausalLM", _pinned(base_model) | given)


def difference(base_model: base_model_pb2.BaseModel) -> str | None:
    """What a person has to do before the script finds the base model; None if nothing."""
    lineage = base_model.lineage
    if lineage.job_id:
        return (
            f"The base model is the result of job {lineage.job_id}: download that job's artifacts and name their folder "
            "with --base-model."
        )
    if not base_model.hub_repo:
        return "The base model was registered from a folder and has no name on a hub: name its folder with --base-model."
    return None


def differences(plan: TrainingPlan) -> list[str]:
    """What a machine has to have that the job could do without."""
    found = []
    if "attn_implementation" in plan.weights:
        found.append(
            "It wants the flash-attn package and a GPU; where these are not, take attn_implementation out, as the job did."
        )
    if _QUANTIZED in plan.weights and plan.evaluations:
        found.append(
            "On a CPU with AVX512-BF16, bitsandbytes packs 4-bit weights at the first evaluation, and training can't go on: "
            "leave the evaluations out there."
        )
    return found


def _pinned(base_model: base_model_pb2.BaseModel) -> dict[str, Any]:
    return {"revision": Code("REVISION")} if base_model.revision else {}


def _call(name: str, loader: str, keywords: dict[str, Any]) -> str:
    written = call(f"{loader}.from_pretrained", {"base_model": Code("…"), **keywords}, 1, f"{name} = ")
    return written.replace("base_model=…", "arguments.base_model")


def _dtype(name: str) -> Code:
    return Code(f"torch.{name}")
