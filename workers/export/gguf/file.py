"""Writing the file: what it says of the model first, then one tensor after another."""

from collections.abc import Iterator
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Quantization
from numpy.typing import NDArray
from transformers import AutoTokenizer, PreTrainedModel
from tunesmith.config.v1 import export_configuration_pb2

from services.chassis.errors import FailedPrecondition
from workers.export import merging
from workers.export.gguf.architectures import Architecture, find, is_shortened
from workers.export.gguf.vocabulary import add_vocabulary
from workers.export.work import Work

Array = NDArray[Any]

_TYPES: dict[export_configuration_pb2.GgufType, tuple[Quantization, gguf.LlamaFileType]] = {
    export_configuration_pb2.GGUF_TYPE_F32: (Quantization.F32, gguf.LlamaFileType.ALL_F32),
    export_configuration_pb2.GGUF_TYPE_F16: (Quantization.F16, gguf.LlamaFileType.MOSTLY_F16),
    export_configuration_pb2.GGUF_TYPE_BF16: (Quantization.BF16, gguf.LlamaFileType.MOSTLY_BF16),
    export_configuration_pb2.GGUF_TYPE_Q8_0: (Quantization.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
}
_LARGEST_F16 = 65504.0
_OUTPUT = "lm_head.weight"
# Buffers that older files of GPT-2 carry: masks, which are no weights.
_NO_WEIGHTS = (".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq")
_WRITING_PERCENT = 55
_MAX_NAME_CHARACTERS = 96


def check(work: Work) -> None:
    """Raise FailedPrecondition before anything is loaded if the model's architecture can't be written."""
    folder = work.inputs.base_model if work.is_adapter and work.inputs.base_model else str(work.inputs.source)
    find(merging.configuration(folder, work.inputs.revision if work.is_adapter else None).model_type)


def write(model: PreTrainedModel, work: Work) -> None:
    """Write the model and its tokenizer into one file of the result's folder, one tensor at a time.

    Matrices are stored as the type says, vectors in float32. A matrix whose rows Q8_0 does not divide is stored as F16.
    """
    config: Any = model.config
    if not type(model).__name__.endswith("ForCausalLM") and not type(model).__name__.endswith("LMHeadModel"):
        text = f"{type(model).__name__} is no causal language model, and llama.cpp runs only those; export it with format ONNX"
        raise FailedPrecondition("GGUF_ARCHITECTURE", text)
    architecture = find(config.model_type)
    work.stage("Writing GGUF")
    if is_shortened(config):
        window = config.sliding_window
        work.sink.warning(
            f"llama.cpp has no sliding window for {config.model_type}, so the file announces a context of {window} tokens, up to "
            "which the result is the same"
        )
    kind, file_type = _TYPES[work.assignment.export.gguf_type or export_configuration_pb2.GGUF_TYPE_F16]
    work.folder.mkdir()
    path = work.folder / file_name(work.title, kind.name)
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[architecture.arch])
    try:
        _describe(writer, work, file_type)
        architecture.describe(writer, config)
        tokenizer = AutoTokenizer.from_pretrained(merging.tokenizer_folder(work), trust_remote_code=False)
        add_vocabulary(writer, tokenizer, config.vocab_size)
        _write_tensors(writer, model, architecture, kind, work)
    finally:
        writer.close()


def file_name(title: str, kind: str) -> str:
    """`pico-tuned-Q8_0.gguf`, out of what people typed."""
    plain = "".join(character if character.isascii() and character.isalnum() else "-" for character in title)
    parts = [part for part in plain.split("-") if part]
    return f"{'-'.join(parts)[:_MAX_NAME_CHARACTERS] or 'model'}-{kind}.gguf"


def tensors(model: PreTrainedModel, architecture: Architecture) -> Iterator[tuple[str, Any]]:
    """The model's tensors under the file's names; what the configuration gives comes last, as arrays.

    An output layer that shares the embeddings' weights is left out: llama.cpp then takes those.
    """
    config: Any = model.config
    names = gguf.get_tensor_name_map(architecture.arch, config.num_hidden_layers)
    tied = config.tie_word_embeddings
    for name, tensor in model.state_dict().items():
        if name.endswith(_NO_WEIGHTS) or (tied and name == _OUTPUT):
            continue
        mapped = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if mapped is None:
            text = f"llama.cpp has no place for {name} in a {config.model_type} model; export with format MERGED"
            raise FailedPrecondition("GGUF_TENSOR", text)
        yield mapped, tensor
    yield from architecture.computed(config).items()


def _describe(writer: gguf.GGUFWriter, work: Work, file_type: gguf.LlamaFileType) -> None:
    base = work.assignment.base_model
    writer.add_type("model")
    writer.add_name(work.title)
    writer.add_description(f"Made with Tunesmith, job {work.assignment.lease.job_id}")
    if base.license:
        writer.add_license(base.license)
    writer.add_base_model_count(1)
    writer.add_base_model_name(0, base.display_name)
    if base.hub_repo:
        writer.add_base_model_repo_url(0, f"https://huggingface.co/{base.hub_repo}")
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _write_tensors(
    writer: gguf.GGUFWriter, model: PreTrainedModel, architecture: Architecture, kind: Quantization, work: Work
) -> None:
    planned = [(name, tensor, _stored_as(tuple(tensor.shape), kind)) for name, tensor in tensors(model, architecture)]
    for name, tensor, stored in planned:
        shape = _shape(name, tensor, architecture, model)
        block, size = gguf.GGML_QUANT_SIZES[stored]
        count = int(np.prod(shape))
        # Shapes are given in values; bytes follow from the type.
        writer.add_tensor_info(name, shape, np.dtype(np.float32), count // block * size, raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    work.part(_WRITING_PERCENT, len(planned))
    for name, tensor, stored in planned:
        values = tensor if isinstance(tensor, np.ndarray) else tensor.detach().to(torch.float32).numpy()
        converted = np.ascontiguousarray(architecture.convert(name, values, model.config))
        if stored is Quantization.F16 and (largest := float(np.abs(converted).max())) > _LARGEST_F16:
            text = f"{name} has {largest:g}, which F16 can't hold; set gguf_type to BF16 or F32"
            raise FailedPrecondition("GGUF_TYPE_TOO_SMALL", text)
        writer.write_tensor_data(gguf.quants.quantize(converted, stored))
        work.advance()


def _shape(name: str, tensor: Any, architecture: Architecture, model: PreTrainedModel) -> tuple[int, ...]:
    """The shape after conversion, told by what a tensor without values becomes."""
    nothing = np.broadcast_to(np.float32(0), tuple(tensor.shape))
    return tuple(architecture.convert(name, nothing, model.config).shape)


def _stored_as(shape: tuple[int, ...], kind: Quantization) -> Quantization:
    if len(shape) < 2:
        return Quantization.F32
    block, _ = gguf.GGML_QUANT_SIZES[kind]
    return kind if shape[-1] % block == 0 else Quantization.F16
