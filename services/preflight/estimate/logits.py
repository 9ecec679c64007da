"""What the loss holds: from all logits at once, or in parts."""

from dataclasses import dataclass

from tunesmith.config.v1 import method_pb2

from services.preflight.estimate.workload import Workload

_SINGLE = 4
# torch's own operations on one part of the loss, where there is no Triton kernel: float32 numbers and booleans alive at once.
_FORWARD_TILE_BYTES = 3 * 4
_BACKWARD_TILE_BYTES = 7 * 4 + 1
# Labels, targets, and five statistics of a token.
_TOKEN_BYTES = 2 * 8 + 9 * 4


@dataclass(frozen=True)
class Logits:
    """Bytes of the loss and the output layer."""

    # At the end of the forward pass, at the beginning of the backward pass, and in the layers' backward pass.
    forward: float
    backward: float
    left: float
    # Of a batch that keeps nothing.
    passing: float
    # Still referenced between steps.
    between_steps: float


def logits_of(workload: Workload) -> Logits:
    """By what the trainer computes its loss from."""
    classifies = workload.configuration.method.objective == method_pb2.TRAINING_OBJECTIVE_CLASSIFICATION
    # A head of labels writes no tokens.
    if workload.architecture.vision or classifies or not workload.architecture.vocabulary_size:
        return Logits(0.0, 0.0, 0.0, 0.0, 0.0)
    return _all(workload) if workload.execution.all_logits else _in_parts(workload)


def _all(workload: Workload) -> Logits:
    """Logits in the width of products, copied to float32 if they are narrower; log-softmax keeps its output, and going back makes
    the gradient of its output and of its input."""
    execution, architecture = workload.execution, workload.architecture
    count = float(workload.tokens) * architecture.vocabulary_size
    width = workload.compute_width
    logits = count * width
    # Softcapping keeps the tangent and makes new logits of it.
    kept = logits + (logits if architecture.logit_softcapping else 0.0)
    copied = count * _SINGLE if width < _SINGLE else 0.0
    softmax = count * _SINGLE
    # What autocast multiplies with, of a weight that is held in float32.
    head = architecture.head_parameters * width if workload.full and workload.held_width > width else 0.0
    mean = workload.batch_size * (workload.mean_tokens or workload.row_tokens) + workload.batch_size * workload.virtual_tokens
    before = min(float(workload.tokens), mean) * architecture.vocabulary_size * width if execution.keeps_logits else 0.0
    return Logits(
        forward=before + kept + copied + softmax + head,
        backward=kept + 3 * softmax + head,
        left=logits if execution.keeps_logits else 0.0,
        passing=logits + copied + softmax,
        between_steps=before,
    )


def _in_parts(workload: Workload) -> Logits:
    """trl's fused output layer: a part of the logits is alive; gradients of hidden states and of the weight add up in float32."""
    execution, architecture = workload.execution, workload.architecture
    tokens = float(workload.batch_size * max(1, workload.sequence_tokens - 1))
    rows, hidden = min(tokens, execution.loss_tokens), architecture.hidden_size
    columns = min(execution.loss_columns, architecture.vocabulary_size)
    width = workload.compute_width
    # On a CPU what is never written takes no memory.
    part = rows * (columns if workload.on_cpu else execution.loss_columns) * width
    weights = columns * hidden
    cast = weights * width if workload.held_width != width else 0.0
    # The part before is still there while the next one is cast.
    next_cast = min(columns, architecture.vocabulary_size - columns) * hidden * width if cast else 0.0
    in_torch = rows * columns if workload.on_cpu else 0.0
    # A copy without the last token of each row.
    kept = tokens * (hidden * workload.held_width + _TOKEN_BYTES)
    narrow = width < _SINGLE
    forward = part + cast + in_torch * _FORWARD_TILE_BYTES
    summed = tokens * hidden + (architecture.head_parameters if workload.full else 0)
    products = (in_torch + weights) * _SINGLE if workload.on_cpu and narrow else 0.0
    # When all parts are done, sums are copied to the width of what they are gradients of.
    narrowed = summed * workload.held_width if workload.held_width < _SINGLE else 0.0
    beside = max(in_torch * _BACKWARD_TILE_BYTES, products, narrowed)
    backward = part + cast + next_cast + summed * _SINGLE + beside
    return Logits(forward=kept + forward, backward=kept + backward, left=0.0, passing=forward + kept, between_steps=0.0)
