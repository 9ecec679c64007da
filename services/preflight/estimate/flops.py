"""Products and attention of one forward and backward pass.

A token costs two operations a weight on the way forward, two on the way back to the activations, and two to the weights, which
frozen ones don't have: 6 for full training, 4 for adapters (and 6 for their own weights), 2 more where activations are computed
again. Attention: 4 · S² · width a sequence and layer forward, two and a half times that on the way back (FlashAttention 2,
section 3.1), since the scores are computed again.
"""

from tunesmith.pool.v1 import device_measurement_pb2

from services.preflight.estimate.architecture import Architecture, Linear
from services.preflight.estimate.batch import Batch
from services.preflight.estimate.operations import BF16, FP32, Operations, Product
from services.preflight.estimate.targets import Adapters
from services.preflight.estimate.workload import Workload

ENTRANCES = ("q", "k", "v", "qkv")
BACKWARD_ATTENTION = 2.5
# Of the score matrix where there is one: two products forward, four on the way back.
SCORE_PRODUCTS = (2, 4)
_EXPERT_ROLES = ("gate", "up", "gate_up", "down")


def add_products(workload: Workload, batch: Batch, operations: Operations) -> None:
    """Products of all layers and of the output layer, and attention."""
    adapters = Adapters.of(workload.configuration)
    architecture, precision = workload.architecture, precision_of(workload)
    for linear in architecture.linears:
        _add_linear(workload, linear, _tokens_of(architecture, linear, batch), adapters, operations)
    for linear in architecture.outer_linears:
        # The output layer is a matter of the loss.
        if architecture.vision or linear.output_size != architecture.vocabulary_size:
            _add_linear(workload, linear, batch.sequences, adapters, operations)
    _add_attention(workload, batch, operations)
    _add_output_layer(workload, batch, operations, precision)


def precision_of(workload: Workload) -> device_measurement_pb2.MatmulPrecision:
    """What products are computed in."""
    return BF16 if workload.compute_width == 2 else FP32


def has_score_matrix(workload: Workload) -> bool:
    """Whether attention writes its scores down: asked to, the model can't do without, or dropout on them on a CPU."""
    architecture = workload.architecture
    dropout_on_cpu = workload.on_cpu and architecture.attention_dropout > 0
    return workload.execution.attention == "eager" or not architecture.fused_attention or dropout_on_cpu


def _tokens_of(architecture: Architecture, linear: Linear, batch: Batch) -> int:
    """Tokens that one of these products sees: of experts only those that were sent to it."""
    if architecture.expert_count > 1 and "expert" in linear.path and linear.role in _EXPERT_ROLES and "shared" not in linear.path:
        return max(1, round(batch.all_tokens * architecture.active_expert_count / architecture.expert_count))
    return batch.all_tokens


def _add_linear(workload: Workload, linear: Linear, tokens: int, adapters: Adapters, operations: Operations) -> None:
    precision, count = precision_of(workload), float(linear.count)
    size_in, size_out, passes = linear.input_size, linear.output_size, forward_passes(workload)
    backward = count
    if not workload.full and not workload.virtual_tokens and not workload.execution.checkpointing and linear.role in ENTRANCES:
        # Nothing before the first layer is trained, so no gradient goes there.
        backward -= 1
    products = operations.products
    products.append(Product(tokens, size_out, size_in, passes * count, precision))
    products.append(Product(tokens, size_in, size_out, backward, precision))
    if workload.full:
        products.append(Product(size_out, size_in, tokens, count, precision))
    if not adapters.stands_beside(linear):
        return
    rank = adapters.rank
    products.append(Product(tokens, rank, size_in, passes * count, precision))
    products.append(Product(tokens, size_out, rank, passes * count, precision))
    products.append(Product(tokens, rank, size_out, count, precision))
    products.append(Product(size_out, rank, tokens, count, precision))
    products.append(Product(rank, size_in, tokens, count, precision))
    products.append(Product(tokens, size_in, rank, backward, precision))


def forward_passes(workload: Workload) -> int:
    """How often a layer is gone through on the way forward."""
    return 2 if workload.execution.checkpointing else 1


def _add_attention(workload: Workload, batch: Batch, operations: Operations) -> None:
    architecture = workload.architecture
    layers, passes = architecture.layer_count, forward_passes(workload)
    operations.head_size = architecture.head_size
    sequence = max(1, round(batch.tokens))
    if has_score_matrix(workload):
        forward, backward = SCORE_PRODUCTS
        count = batch.sequences * architecture.head_count * layers * (forward * passes + backward)
        operations.products.append(Product(sequence, sequence, architecture.head_size, count, precision_of(workload)))
        return
    forward_flops = 4.0 * batch.sequences * layers * attended(workload, batch) * architecture.attention_size
    operations.attention_flops += forward_flops * (passes + BACKWARD_ATTENTION)


def attended(workload: Workload, batch: Batch) -> float:
    """Pairs of tokens of one sequence that are looked at. Half of them lie in the future: kernels leave them out where no mask
    has to be looked at; on a CPU, short sequences are one block of which nothing is left out."""
    pairs = batch.tokens**2
    if workload.architecture.vision or workload.masked:
        return pairs
    if workload.execution.packing:
        documents = max(1.0, batch.rows / batch.sequences)
        return _causal(workload, batch.tokens / documents) * documents
    return _causal(workload, batch.tokens)


def _causal(workload: Workload, tokens: float) -> float:
    return tokens**2 if workload.on_cpu and tokens < 1024 else tokens**2 / 2


def _add_output_layer(
    workload: Workload, batch: Batch, operations: Operations, precision: device_measurement_pb2.MatmulPrecision
) -> None:
    architecture = workload.architecture
    vocabulary, hidden = architecture.vocabulary_size, architecture.hidden_size
    if architecture.vision or not vocabulary:
        return
    # The last token of a row has nothing behind it.
    tokens = max(1, batch.all_tokens - (0 if workload.execution.all_logits else batch.sequences))
    products = operations.products
    # In parts, the logits are computed again on the way back.
    products.append(Product(tokens, vocabulary, hidden, 1 if workload.execution.all_logits else 2, precision))
    # trl adds up in float32, which a GPU does while it multiplies in 16 bits.
    exact = FP32 if workload.on_cpu and not workload.execution.all_logits else precision
    products.append(Product(tokens, hidden, vocabulary, 1, exact))
    if workload.full:
        products.append(Product(vocabulary, hidden, tokens, 1, exact))
