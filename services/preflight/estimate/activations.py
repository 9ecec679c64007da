"""What the layers hold for the backward pass, and what going back through them takes besides."""

from dataclasses import dataclass

from services.preflight.estimate.layers import Layer
from services.preflight.estimate.tape import Backward, Tape, Value
from services.preflight.estimate.workload import Workload


@dataclass(frozen=True)
class Activations:
    """Bytes of a batch's activations on one device."""

    # Kept until the backward pass comes by, of all layers and of what is before and behind them.
    kept: float
    # The most that is alive while the last layer's backward pass runs, beyond what is kept, without gradients of weights.
    last_layer: float
    # The same of the first layer.
    first_layer: float
    # Kept by layers that are neither.
    per_layer: float
    # What a pass that keeps nothing holds at once.
    passing: float
    # Gradients of weights that one layer makes.
    layer_gradients: float


def activations_of(workload: Workload) -> Activations:
    """Go through one layer in the middle and, where it differs, the first one."""
    architecture, checkpointing = workload.architecture, workload.execution.checkpointing
    width = workload.held_width
    elements = float(workload.tokens * architecture.hidden_size)
    count = architecture.layer_count
    # Nothing flows into the first layer where neither the embedding nor a soft prompt is trained. With checkpointing a flow is
    # asked for, or there would be nothing to compute again.
    first_flows = workload.full or workload.virtual_tokens > 0 or checkpointing
    middle = _Layer.of(workload, elements, width, flows=True)
    first = middle if first_flows else _Layer.of(workload, elements, width, flows=False)
    ends = _ends(workload, elements, width)
    hidden_bytes = elements * middle.output_width
    passing = _passing(workload, elements, width)
    if checkpointing:
        kept = ends + count * hidden_bytes * (0 if workload.offloads else 1)
        return Activations(kept, middle.peak, first.peak, hidden_bytes, passing, middle.gradients)
    if workload.offloads:
        # On their way to and from main memory: two layers' worth.
        moving = 2 * middle.kept
        return Activations(ends + moving, middle.beyond, first.beyond, 0.0, passing, middle.gradients)
    kept = ends + first.kept + (count - 1) * middle.kept
    return Activations(kept, middle.beyond, first.beyond, middle.kept, passing, middle.gradients)


@dataclass(frozen=True)
class _Layer:
    kept: float
    # The backward pass's peak, what the layer itself keeps included, without gradients of weights.
    peak: float
    gradients: float
    output_width: int

    @property
    def beyond(self) -> float:
        """What the backward pass takes beyond what was kept."""
        return max(0.0, self.peak - self.kept)

    @classmethod
    def of(cls, workload: Workload, elements: float, width: int, *, flows: bool) -> "_Layer":
        tape = Tape()
        output = Layer(workload, tape).write(Value(elements, width, flows))
        kept = tape.kept_bytes
        went = tape.backward(output) if output.needs_gradient else Backward()
        return cls(kept, max(0.0, went.peak_bytes - went.gradient_bytes), went.gradient_bytes, output.width)


def _passing(workload: Workload, elements: float, width: int) -> float:
    tape = Tape()
    Layer(workload, tape, trains=False).write(Value(elements, width, False))
    return tape.largest_bytes + elements * width


def _ends(workload: Workload, elements: float, width: int) -> float:
    """What is kept before the first layer and behind the last: the norm there, and shared rotations and masks."""
    architecture, tape = workload.architecture, Tape()
    layer = Layer(workload, tape)
    read = layer.norm(Value(elements, width, True))
    # The output layer reads it.
    kept = tape.kept_bytes + (read.storage.size if workload.full or not workload.execution.all_logits else 0)
    tokens = workload.tokens
    identifiers = 3 * 8 * tokens
    rotations = 2 * workload.sequence_tokens * architecture.head_size * width if architecture.rotary else 0
    mask = workload.batch_size * workload.sequence_tokens**2 if workload.masked and not architecture.vision else 0
    embedded = elements * width * (1 if architecture.embedding_dropout and workload.on_cpu else 0)
    return kept + identifiers + rotations + mask + embedded
