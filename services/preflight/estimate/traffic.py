"""Memory that a pass moves besides its products, and how many operations it starts.

The bytes an element of each part are what torch's own operations read and write, forward and backward, counted by a dispatcher
on models of a few sizes (llama, qwen3 and gpt2; full and LoRA; float32 and autocast to bfloat16): they are exactly linear in the
sizes below. A test counts again.
"""

from dataclasses import dataclass

from services.preflight.estimate.architecture import Architecture, Linear
from services.preflight.estimate.batch import Batch
from services.preflight.estimate.flops import forward_passes, has_score_matrix
from services.preflight.estimate.operations import Operations
from services.preflight.estimate.targets import Adapters
from services.preflight.estimate.workload import Workload


@dataclass(frozen=True)
class _Costs:
    """Bytes an element."""

    # A norm of root mean squares, which transformers spells out, and a layer norm, which is one operation.
    rms: float
    layer_norm: float
    # Sums over layers, and each further reader of one value: its gradients are added up.
    residual: float
    reader: float
    # Rotating queries and keys; values are copied about as much.
    rotary: float
    gate: float
    # An activation that is spelled out, such as GPT-2's, and one that is a single operation.
    spelled_activation: float
    activation: float
    # What an adapter adds for an element of its input and of its output.
    adapter_in: float
    adapter_out: float
    # The gradient of a bias.
    bias: float


_SINGLE = _Costs(128, 36, 40, 12, 104, 56, 184, 20, 12, 28, 4)
_SINGLE_FROZEN = _Costs(112, 36, 40, 12, 104, 56, 184, 20, 12, 28, 0)
# Autocast over weights in float32: norms and sums stay in float32.
_AUTOCAST = _Costs(172, 47, 38, 6, 94, 28, 92, 10, 30, 14, 2)
_HALF_FROZEN = _Costs(128, 20, 16, 6, 52, 28, 92, 10, 30, 14, 0)
_HALF = _Costs(128, 20, 16, 6, 52, 28, 92, 10, 12, 14, 2)

# An element of dropout, by the width of a value: drawn, divided, multiplied, and multiplied on the way back.
_DROPOUT = 10
# A score of attention that writes its scores down: scaled, masked, softmax, and back; more with dropout on them.
_SCORE, _SCORE_DROPOUT = 42, 24
# A logit. In parts: folded into statistics, and turned into its gradient; without Triton in many operations.
_LOGIT_TORCH, _LOGIT_TRITON, _LOGIT_ALL = 170, 10, 44
# A weight that is held in float32 and multiplied in 16 bits: cast, and its gradient cast back.
_CAST = 12
# Of rounds through memory, those of the forward pass alone.
_FORWARD_SHARE = 0.36
# Operations that are started, forward and backward.
_RMS_STARTS, _LAYER_NORM_STARTS, _ROTARY_STARTS, _MLP_STARTS, _LAYER_STARTS = 20, 5, 24, 8, 10
_FULL_LINEAR_STARTS, _FROZEN_LINEAR_STARTS, _ADAPTER_STARTS, _CAST_STARTS = 3, 2, 9, 5
_LOSS_STARTS, _DROPOUT_STARTS = 60, 4
_SPELLED = ("gelu_new", "gelu_fast", "quick_gelu", "gelu_python")


def add_traffic(workload: Workload, batch: Batch, operations: Operations) -> None:
    """Everything between the products of a pass."""
    costs, tokens = _costs(workload), batch.all_tokens
    architecture = workload.architecture
    repeated = 1 + (forward_passes(workload) - 1) * _FORWARD_SHARE
    kernels = 0.5 if workload.execution.fused_kernels else 1.0
    factor = architecture.layer_count * tokens * repeated * kernels
    width = workload.compute_width
    for bytes_a_token, size in _layer(workload, costs):
        operations.move(factor * bytes_a_token, tokens * size * width)
    operations.started += architecture.layer_count * _starts(workload) * repeated
    _add_adapters(workload, costs, tokens * repeated, operations)
    _add_dropout(workload, batch, operations)
    _add_scores(workload, batch, operations)
    _add_loss(workload, batch, operations)
    _add_weights(workload, operations)


def _costs(workload: Workload) -> _Costs:
    if workload.compute_width == 4:
        return _SINGLE if workload.full else _SINGLE_FROZEN
    if workload.full:
        return _AUTOCAST if workload.held_width == 4 else _HALF
    return _HALF_FROZEN


def _layer(workload: Workload, costs: _Costs) -> list[tuple[float, int]]:
    """Bytes a token of one layer, each with the size that they belong to."""
    architecture = workload.architecture
    hidden, ffn = architecture.hidden_size, architecture.intermediate_size
    norm = costs.layer_norm if architecture.norm == "layer" else costs.rms
    readers = _readers(architecture)
    parts = [(hidden * (norm * sum(architecture.norms) + costs.residual + costs.reader * readers), hidden)]
    heads = architecture.attention_size + architecture.key_value_size
    if architecture.rotary:
        parts.append((heads * costs.rotary, architecture.attention_size))
    if architecture.query_key_norm:
        parts.append((heads * costs.rms, architecture.attention_size))
    ffn *= max(1, architecture.active_expert_count) if architecture.expert_count > 1 else 1
    if architecture.linear("gate") or architecture.linear("gate_up"):
        parts.append((ffn * costs.gate, ffn))
    else:
        spelled = architecture.activation in _SPELLED
        parts.append((ffn * (costs.spelled_activation if spelled else costs.activation), ffn))
    if costs.bias and architecture.norm == "layer":
        parts.append((costs.bias * sum(linear.output_size for linear in architecture.linears), hidden))
    return parts


def _readers(architecture: Architecture) -> int:
    """Products of a layer that read what another reads too."""
    roles = [linear.role for linear in architecture.linears]
    attention = max(0, sum(role in ("q", "k", "v") for role in roles) - 1)
    return attention + (1 if "gate" in roles and "up" in roles else 0)


def _starts(workload: Workload) -> float:
    """Operations of one layer, without adapters."""
    architecture = workload.architecture
    norm = _LAYER_NORM_STARTS if architecture.norm == "layer" else _RMS_STARTS
    linears = sum(linear.count for linear in architecture.linears) / architecture.layer_count
    each = _FULL_LINEAR_STARTS if workload.full else _FROZEN_LINEAR_STARTS
    if workload.full and workload.held_width > workload.compute_width:
        each += _CAST_STARTS
    starts = norm * sum(architecture.norms) + linears * each + _LAYER_STARTS + _MLP_STARTS
    starts += 2 * _RMS_STARTS if architecture.query_key_norm else 0
    starts += 3 * _DROPOUT_STARTS if architecture.residual_dropout else 0
    return starts + (_ROTARY_STARTS if architecture.rotary else 0)


def _add_adapters(workload: Workload, costs: _Costs, tokens: float, operations: Operations) -> None:
    adapters = Adapters.of(workload.configuration)
    if not adapters.rank:
        return
    for linear in workload.architecture.linears:
        if adapters.stands_beside(linear):
            _add_adapter(workload, costs, linear, adapters.dropout, tokens, operations)


def _add_adapter(
    workload: Workload, costs: _Costs, linear: Linear, dropout: float, tokens: float, operations: Operations
) -> None:
    width = workload.compute_width
    operations.move(tokens * linear.count * costs.adapter_in * linear.input_size, tokens * linear.input_size * width)
    operations.move(tokens * linear.count * costs.adapter_out * linear.output_size, tokens * linear.output_size * width)
    operations.started += linear.count * (_ADAPTER_STARTS + (2 * _CAST_STARTS if width == 2 else 0))
    if dropout:
        elements = tokens * linear.count * linear.input_size
        operations.move(elements * _DROPOUT * width, tokens * linear.input_size * width)
        operations.random_numbers += elements
        operations.started += linear.count * _DROPOUT_STARTS


def _add_dropout(workload: Workload, batch: Batch, operations: Operations) -> None:
    architecture = workload.architecture
    times = 2 * architecture.layer_count if architecture.residual_dropout else 0
    times += 1 if architecture.embedding_dropout else 0
    elements = batch.all_tokens * architecture.hidden_size
    operations.move(times * elements * _DROPOUT * workload.compute_width, elements * workload.compute_width)
    operations.random_numbers += times * elements


def _add_scores(workload: Workload, batch: Batch, operations: Operations) -> None:
    if not has_score_matrix(workload):
        return
    architecture = workload.architecture
    scores = batch.sequences * architecture.head_count * batch.tokens**2
    each = _SCORE + (_SCORE_DROPOUT if architecture.attention_dropout else 0)
    operations.move(architecture.layer_count * scores * each, scores * 4)
    if architecture.attention_dropout:
        operations.random_numbers += architecture.layer_count * scores


def _add_loss(workload: Workload, batch: Batch, operations: Operations) -> None:
    architecture, execution = workload.architecture, workload.execution
    if architecture.vision or not architecture.vocabulary_size:
        return
    operations.started += _LOSS_STARTS
    if execution.all_logits:
        rows, columns, each = batch.all_tokens, architecture.vocabulary_size, _LOGIT_ALL
    else:
        rows = min(batch.all_tokens, execution.loss_tokens or batch.all_tokens)
        columns = min(architecture.vocabulary_size, execution.loss_columns or architecture.vocabulary_size)
        each = _LOGIT_TORCH if workload.on_cpu else _LOGIT_TRITON
        if workload.on_cpu and workload.compute_width == 2:
            # Each part is cast to float32 and its gradient back, and once more to be multiplied in float32.
            each += _CAST
    operations.move(float(batch.all_tokens) * architecture.vocabulary_size * each, float(rows) * columns * 4)


def _add_weights(workload: Workload, operations: Operations) -> None:
    """Weights that are cast, dequantized, or given gradients at every pass."""
    architecture = workload.architecture
    largest = max((linear.parameter_count for linear in architecture.linears), default=0)
    head = architecture.head_parameters
    if workload.full:
        # Gradients of the embedding and of the output layer are zeroed, filled, and added up where they are one.
        operations.move(head * (28 if architecture.tied else 16), head * 4)
        if workload.held_width > workload.compute_width:
            operations.move((architecture.layer_linear_parameters + head) * _CAST, largest * 4)
        return
    adapters = Adapters.of(workload.configuration)
    trained = sum(adapters.parameters_of(linear) * linear.count for linear in architecture.linears)
    if workload.compute_width == 2:
        operations.move(trained * _CAST, adapters.rank * architecture.hidden_size * 4)
    bits = workload.execution.quantization_bits
    if bits:
        # Written and read again in 16 bits, on the way forward, again if that is repeated, and back.
        times = forward_passes(workload) + 1
        operations.streamed_bytes += times * architecture.layer_linear_parameters * (bits / 8 + 2 + 2)
        operations.started += 2 * times * sum(linear.count for linear in architecture.linears)
