"""Models, datasets and pools as the registry and the job service tell of them, and facts made of them without asking anybody."""

from dataclasses import replace
from typing import Any

from google.protobuf.json_format import ParseDict
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.pool.v1 import pool_pb2
from tunesmith.preflight.v1 import finding_pb2, report_pb2
from tunesmith.preflight.v1.finding_pb2 import Finding
from tunesmith.registry.v1.base_model_pb2 import BaseModel
from tunesmith.registry.v1.dataset_pb2 import Dataset

from services.chassis.knobs import resolved
from services.preflight import methods
from services.preflight.facts import Facts
from services.preflight.predict import predicted
from services.preflight.repair import repair
from services.preflight.usecases.check import report_on
from workers.providers import PROVIDERS
from workers.providers.local.provider import LOCAL
from workers.providers.local.rules import choice
from workers.providers.provider import REFUSED, Choices, Provider

GIB = 1024**3
LINEAR, EMBEDDING, NORM = "MODULE_KIND_LINEAR", "MODULE_KIND_EMBEDDING", "MODULE_KIND_NORM"

LLAMA_2_7B = ParseDict(
    {
        "id": "llama",
        "display_name": "Llama-2-7B",
        "hub_repo": "meta-llama/Llama-2-7b-hf",
        "family": "llama",
        "parameter_count": 6738415616,
        "trainable": True,
        "modality": "MODALITY_TEXT",
        "has_chat_template": False,
        "cache_status": "CACHE_STATUS_NOT_CACHED",
        "download_bytes": 13476831232,
        "estimated_download_seconds": 539.1,
        "architecture": {
            "hidden_size": 4096,
            "intermediate_size": 11008,
            "layer_count": 32,
            "attention_head_count": 32,
            "key_value_head_count": 32,
            "vocabulary_size": 32000,
            "max_position_count": 4096,
        },
        "linear_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    },
    BaseModel(),
)


def _module(path: str, kind: str, sizes: tuple[int, int], count: int, parameters: int, **flags: bool) -> dict[str, Any]:
    return {
        "path": path,
        "kind": kind,
        "input_size": sizes[0],
        "output_size": sizes[1],
        "count": count,
        "parameter_count": parameters,
        **flags,
    }


ON = {"adapted_by_all_linear": True, "adaptable": True}
GPT_2 = ParseDict(
    {
        "id": "gpt2",
        "display_name": "GPT-2",
        "hub_repo": "openai-community/gpt2",
        "family": "gpt2",
        "parameter_count": 124439808,
        "trainable": True,
        "modality": "MODALITY_TEXT",
        "has_chat_template": False,
        "cache_status": "CACHE_STATUS_CACHED",
        "files": [{"path": "model.safetensors", "size_bytes": 548105171}],
        "architecture": {
            "hidden_size": 768,
            "intermediate_size": 3072,
            "layer_count": 12,
            "attention_head_count": 12,
            "key_value_head_count": 12,
            "vocabulary_size": 50257,
            "max_position_count": 1024,
            "tied_embeddings": True,
        },
        "linear_modules": ["c_attn", "c_fc", "c_proj"],
        "profile": {
            "parameter_count": 124439808,
            "fused_attention": True,
            "gradient_checkpointing": True,
            "modules": [
                _module("transformer.wte", EMBEDDING, (50257, 768), 1, 38597376, adaptable=True),
                _module("transformer.wpe", EMBEDDING, (1024, 768), 1, 786432, adaptable=True),
                _module("transformer.h.*.ln_1", NORM, (768, 768), 12, 1536),
                _module("transformer.h.*.attn.c_attn", LINEAR, (768, 2304), 12, 1771776, **ON),
                _module("transformer.h.*.attn.c_proj", LINEAR, (768, 768), 12, 590592, **ON),
                _module("transformer.h.*.ln_2", NORM, (768, 768), 12, 1536),
                _module("transformer.h.*.mlp.c_fc", LINEAR, (768, 3072), 12, 2362368, **ON),
                _module("transformer.h.*.mlp.c_proj", LINEAR, (3072, 768), 12, 2360064, **ON),
                _module("transformer.ln_f", NORM, (768, 768), 1, 1536),
                _module("lm_head", LINEAR, (768, 50257), 1, 0, adaptable=True),
            ],
        },
        "profile_status": "PROFILE_STATUS_READY",
    },
    BaseModel(),
)
# A model of a few million parameters with a template: what a first start is given.
PICO = ParseDict(
    {
        "id": "pico",
        "display_name": "pico",
        "hub_repo": "tunesmith/pico",
        "family": "llama",
        "parameter_count": 2_400_000,
        "trainable": True,
        "modality": "MODALITY_TEXT",
        "chat_template": "{{ messages }}",
        "cache_status": "CACHE_STATUS_CACHED",
        "files": [{"path": "model.safetensors", "size_bytes": 9_600_000}],
        "architecture": {
            "hidden_size": 192,
            "intermediate_size": 512,
            "layer_count": 4,
            "attention_head_count": 4,
            "key_value_head_count": 2,
            "vocabulary_size": 4096,
            "max_position_count": 1024,
        },
        "linear_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    },
    BaseModel(),
)
VIT = ParseDict(
    {
        "id": "vit",
        "display_name": "ViT-B-16",
        "family": "vit",
        "parameter_count": 86_567_656,
        "trainable": True,
        "modality": "MODALITY_VISION",
        "cache_status": "CACHE_STATUS_CACHED",
        "architecture": {"hidden_size": 768, "layer_count": 12, "attention_head_count": 12, "image_size": 224, "patch_size": 16},
    },
    BaseModel(),
)
CPU_POOL = ParseDict(
    {
        "id": "pool",
        "display_name": "this machine",
        "state": "POOL_STATE_READY",
        "providers": ["local"],
        "devices": [{"kind": "DEVICE_KIND_CPU", "name": "a processor", "memory_bytes": str(24 * GIB), "core_count": 2}],
    },
    pool_pb2.Pool(),
)
GPU_POOL = ParseDict(
    {
        "id": "gpus",
        "display_name": "the cluster",
        "state": "POOL_STATE_READY",
        "providers": ["local"],
        "devices": [{"kind": "DEVICE_KIND_CUDA", "name": "NVIDIA A100-SXM4-80GB", "memory_bytes": str(79 * GIB)}],
    },
    pool_pb2.Pool(),
)
BASE = {
    "model": {"base_model": "llama"},
    "datasets": {"training_file_id": "rows"},
    "method": {"type": "TRAINING_METHOD_LORA", "lora_config": {"rank": 16, "alpha": 32}},
    "optimizer": {"learning_rate": 0.0002},
    "optimizations": {"enabled": ["OPTIMIZATION_FEATURE_DYNAMIC_PADDING"]},
}


def dataset(format: str = "ALPACA", **fields: object) -> Dataset:
    """A dataset of a thousand rows of a format."""
    values = {"id": "rows", "display_name": "rows", "row_count": 1000, "estimated_token_count": 200_000, **fields}
    return ParseDict({"format": f"DATASET_FORMAT_{format}", **values}, Dataset())


def changed(model: BaseModel, **fields: object) -> BaseModel:
    """A model with other properties."""
    made = BaseModel()
    made.CopyFrom(model)
    return ParseDict(fields, made)


def older_local() -> Provider:
    """`local` as it is on a pool whose libraries quantize nothing and know no soft prompts."""
    told = LOCAL.choices["method.type"]
    acting = {number: told.acting[number] for number in (methods.FULL, methods.LORA)}
    idle = {number: "this pool does not train so; use LORA" for number in told.acting if number not in acting}
    kinds = Choices(acting, idle, REFUSED)
    precisions = LOCAL.choices["model.precision"]
    wide = {number: detail for number, detail in precisions.acting.items() if number not in methods.INTEGERS}
    narrow = Choices(
        wide, {number: "this pool does not quantize; use BF16" for number in precisions.acting if number not in wide}, REFUSED
    )
    rules = {
        **LOCAL.rules,
        "method.type": choice(kinds, lambda resolved: resolved.method.type),
        "model.precision": choice(narrow, lambda resolved: resolved.model.precision),
    }
    return replace(LOCAL, rules=rules, choices={**LOCAL.choices, "method.type": kinds, "model.precision": narrow})


def configuration(**sections: object) -> JobConfiguration:
    """A configuration that nothing is wrong with, with other sections; None leaves one out."""
    merged = {name: section for name, section in {**BASE, **sections}.items() if section is not None}
    return ParseDict(merged, JobConfiguration())


def facts(
    made: JobConfiguration | None = None, model: BaseModel | None = LLAMA_2_7B, provider: str = "local", **known: Any
) -> Facts:
    """What is known of a configuration, with what is expected of it. A GPU with room for everything is there."""
    submitted = made if made is not None else configuration()
    broken, repaired = repair(submitted)
    values = {"training_dataset": dataset(), "pools": [GPU_POOL], **known}
    return predicted(
        Facts(
            provider_id=provider,
            provider=PROVIDERS.get(provider),
            submitted=submitted,
            configuration=resolved(repaired),
            broken_rules=broken,
            base_model=model,
            **values,
        )
    )


def report(made: JobConfiguration | None = None, model: BaseModel | None = LLAMA_2_7B, **known: Any) -> report_pb2.Report:
    """The report on it."""
    return report_on(facts(made, model, **known))


def codes(found: report_pb2.Report, *severities: finding_pb2.Severity) -> list[str]:
    """The codes of a report's findings, of some severities."""
    return [one.code for one in found.findings if one.severity in (severities or finding_pb2.Severity.values())]


def the(found: report_pb2.Report, code: str) -> Finding:
    """The one finding with a code."""
    (finding,) = [one for one in found.findings if one.code == code]
    return finding
