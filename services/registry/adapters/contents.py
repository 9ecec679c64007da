"""What an adapter is, from its files: its configuration is written anew, so that nothing in it is somebody else's choice."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from tunesmith.registry.v1 import adapter_pb2, base_model_pb2

from services.registry.adapters import weights
from services.registry.adapters.configuration import AdapterConfiguration, read
from services.registry.adapters.files import CONFIG, WEIGHTS, max_bytes
from services.registry.adapters.fit import check_fit
from services.registry.adapters.weights import AdapterWeights
from services.registry.importing.files import read_json
from services.registry.importing.incoming_file import IncomingFile
from services.registry.importing.refused import Refused
from services.registry.importing.safetensors_header import read_header


def examine(folder: Path, files: Sequence[adapter_pb2.AdapterFile], model: base_model_pb2.BaseModel) -> adapter_pb2.Adapter:
    """An adapter out of the files in a folder, without names; its configuration is written anew.

    Raises Refused for files that contradict each other or the base model.
    """
    long = next((file for file in files if file.size_bytes > max_bytes(file.path)), None)
    if long is not None:
        raise Refused(
            f"{long.path} has {long.size_bytes} bytes, and at most {max_bytes(long.path)} are taken; save the adapter again"
        )
    configuration = read(read_json(folder / CONFIG))
    held = weights.sort(read_header(folder / WEIGHTS), configuration)
    check_fit(configuration, held, model)
    (folder / CONFIG).unlink()
    written = write_configuration(folder, settings_of(configuration, held, model))
    adapter = describe(configuration, held, model)
    adapter.files.extend([written, *(file for file in files if file.path != CONFIG)])
    return adapter


def describe(configuration: AdapterConfiguration, held: AdapterWeights, model: base_model_pb2.BaseModel) -> adapter_pb2.Adapter:
    """An adapter that is ready, without names and files."""
    return adapter_pb2.Adapter(
        base_model_id=model.id,
        type=configuration.type,
        rank=configuration.rank,
        alpha=configuration.alpha,
        dropout=configuration.dropout,
        target_modules=held.layer_names,
        status=adapter_pb2.ADAPTER_STATUS_READY,
        parameter_count=held.parameter_count,
    )


def write_configuration(folder: Path, settings: dict[str, Any]) -> adapter_pb2.AdapterFile:
    """Write a new configuration."""
    file = IncomingFile(folder, CONFIG)
    try:
        file.write(orjson.dumps(settings, option=orjson.OPT_INDENT_2) + b"\n")
        return as_adapter_file(file.finish())
    finally:
        file.close()


def settings_of(configuration: AdapterConfiguration, held: AdapterWeights, model: base_model_pb2.BaseModel) -> dict[str, Any]:
    """The configuration as PEFT reads it. Layers that a pattern chose are named, so that no reader runs the pattern."""
    shared = {
        "base_model_name_or_path": model.hub_repo or model.id,
        "revision": model.revision or None,
        "task_type": configuration.task,
        "inference_mode": True,
    }
    if configuration.type == adapter_pb2.ADAPTER_TYPE_PROMPT:
        return shared | {
            # Once trained, what P-tuning makes is a soft prompt like any other.
            **(
                {"peft_type": "PREFIX_TUNING"}
                if configuration.prefix
                else {"peft_type": "PROMPT_TUNING", "prompt_tuning_init": "RANDOM"}
            ),
            "num_virtual_tokens": configuration.virtual_tokens,
            "token_dim": configuration.token_size,
            "num_transformer_submodules": configuration.submodules,
            "num_attention_heads": configuration.heads,
            "num_layers": configuration.layers,
        }
    whole = configuration.targets is not None and configuration.targets_are_whole
    return shared | {
        "peft_type": "LORA",
        "r": configuration.rank,
        "lora_alpha": _plain(configuration.alpha),
        "lora_dropout": configuration.dropout,
        "target_modules": sorted(configuration.targets or () if whole else held.factors),
        "rank_pattern": dict(configuration.rank_pattern),
        "alpha_pattern": {name: _plain(alpha) for name, alpha in configuration.alpha_pattern.items()},
        "fan_in_fan_out": configuration.fan_in_fan_out,
        "bias": configuration.bias,
        "modules_to_save": sorted(configuration.modules_to_save) or None,
        "use_rslora": configuration.rank_stabilised,
        "use_dora": configuration.type == adapter_pb2.ADAPTER_TYPE_DORA,
        "lora_bias": configuration.lora_bias,
    }


def as_adapter_file(file: base_model_pb2.BaseModelFile) -> adapter_pb2.AdapterFile:
    """A copied file as an adapter's."""
    return adapter_pb2.AdapterFile(path=file.path, size_bytes=file.size_bytes, sha256=file.sha256)


def _plain(number: float) -> int | float:
    """16 rather than 16.0, as PEFT writes it."""
    return int(number) if number.is_integer() else number
