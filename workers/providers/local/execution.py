"""How the recipes run a configuration, for estimates."""

from workers.providers.execution import Execution, held_dtype, quantization_bits
from workers.providers.local.model import trained_dtype
from workers.providers.local.plan import trainer_arguments
from workers.providers.provider import JobConfiguration

# What trl computes at once of the loss: `TOKEN_CHUNK_SIZE` and `_CHUNKED_LOGPROB_CHUNK_SIZE` there. A test compares them.
LOSS_TOKENS, LOSS_COLUMNS = 4096, 32768


def execution(resolved: JobConfiguration) -> Execution:
    """Of a configuration that is refused, how it would be run."""
    arguments = trainer_arguments(resolved)
    return Execution(
        all_logits=False,
        frozen_dtype=held_dtype(resolved.model.precision),
        trained_dtype=trained_dtype(resolved),
        # trl casts what stands beside quantized weights.
        adapter_dtype="bfloat16" if quantization_bits(resolved) else "float32",
        autocast=arguments["bf16"] or arguments["fp16"],
        # What transformers asks torch for unless told otherwise. Flash attention and fused kernels run where a pool has their
        # packages, which nobody here knows; without them a step takes more time and no less memory.
        attention="sdpa",
        optimizer=arguments["optim"],
        checkpointing=arguments["activation_checkpointing"],
        packing=arguments["packing"],
        dynamic_padding=arguments["pad_to_multiple_of"] is None,
        length_grouping=arguments.get("train_sampling_strategy") == "group_by_length",
        offloading=bool(arguments.get("activation_offloading")),
        quantization_bits=quantization_bits(resolved),
        double_quantization=not resolved.model.HasField("double_quantization") or resolved.model.double_quantization,
        loss_tokens=LOSS_TOKENS,
        loss_columns=LOSS_COLUMNS,
    )
