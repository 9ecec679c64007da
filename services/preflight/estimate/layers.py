"""One layer of a model on a tape: the operations of transformers' own code, and of peft's around it.

Each function writes down what the line of modelling code does that it is named after; sizes are of a whole batch.
"""

from services.preflight.estimate.architecture import Linear
from services.preflight.estimate.tape import Storage, Tape, Value
from services.preflight.estimate.targets import Adapters
from services.preflight.estimate.workload import Workload
from workers.providers.execution import BYTES

_BOOLEAN = 1
_SINGLE = 4
_HALF = 2


class Layer:
    """Writes layers of one workload on a tape."""

    def __init__(self, workload: Workload, tape: Tape, *, trains: bool = True) -> None:
        self._workload = workload
        self._execution = workload.execution
        self._architecture = workload.architecture
        self._tape = tape
        self._tokens = workload.tokens
        self._full = workload.full and trains
        self._adapters = Adapters.of(workload.configuration)
        self._on_cpu = workload.on_cpu
        self._trains = trains
        # Seen from attention: what every layer makes of the shared mask for itself.
        rows, length = workload.batch_size, workload.sequence_tokens
        self._square = float(rows * length * length)

    def write(self, hidden: Value) -> Value:
        """A whole layer; returns its output."""
        tape, shape = self._tape, self._architecture
        before, behind, before_products, behind_products = shape.norms
        read = self.norm(hidden) if before else hidden
        attended = self._dropped(self.attention(read), shape.residual_dropout)
        if shape.parallel:
            second = read if not before_products else self.norm(hidden)
            return tape.add(tape.add(attended, self._dropped(self.products(second), shape.residual_dropout)), hidden)
        attended = self.norm(attended) if behind else attended
        hidden = tape.add(hidden, attended)
        read = self.norm(hidden) if before_products else hidden
        made = self._dropped(self.products(read), shape.residual_dropout)
        made = self.norm(made) if behind_products else made
        return tape.add(hidden, made)

    def norm(self, value: Value, size: int = 0) -> Value:
        """A norm over `size` numbers each; unset: the hidden size."""
        tape, size = self._tape, size or self._architecture.hidden_size
        rows = value.elements / size
        weights = size * self._workload.held_width if self._full else 0
        if self._architecture.norm == "layer":
            return self._layer_norm(value, rows, weights)
        # Squared, averaged and multiplied in float32, whatever comes in.
        wide = tape.cast(value, _SINGLE)
        statistics = Storage(rows * _SINGLE)
        # Gradients of both factors, and of the square.
        temporary = 2 * wide.elements * _SINGLE
        normed = tape.operate([wide], wide.elements, _SINGLE, [wide, statistics], temporary_bytes=temporary)
        if self._architecture.norm == "gemma_rms":
            scaled = tape.operate([normed], normed.elements, _SINGLE, [normed] * self._full, parameter_bytes=weights)
            return tape.cast(scaled, value.width)
        narrow = tape.cast(normed, value.width)
        width = max(narrow.width, self._workload.held_width)
        return tape.operate([narrow], narrow.elements, width, [narrow] * self._full, parameter_bytes=weights)

    def linear(self, value: Value, linear: Linear) -> Value:
        """A product with a weight, and the adapter beside it."""
        tape = self._tape
        width = self._workload.compute_width if self._execution.autocast else max(value.width, self._workload.held_width)
        read = tape.cast(value, width)
        count = self._tokens * linear.output_size
        keeps: list[Value | Storage] = [read] if self._full else []
        parameters, temporary = 0.0, 0.0
        if self._full:
            held = self._workload.held_width
            parameters = linear.parameter_count * held
            if held != width:
                # The copy that autocast multiplies with, and the gradient of it.
                keeps.append(Storage(linear.parameter_count * width))
                temporary = linear.parameter_count * width
        elif self._execution.quantization_bits:
            # The weight is unpacked again.
            temporary = linear.input_size * linear.output_size * _HALF
        made = tape.operate([read], count, width, keeps, parameter_bytes=parameters, temporary_bytes=temporary)
        if not self._trains or not self._adapters.stands_beside(linear):
            return made
        return self._adapted(value, made, linear)

    def attention(self, value: Value) -> Value:
        """From a layer's hidden states to what attention adds to them."""
        shape = self._architecture
        heads, keys = self._tokens * shape.attention_size, self._tokens * shape.key_value_size
        fused = shape.linear("qkv")
        if fused is not None:
            packed = self.linear(value, fused)
            query, key, states = (self._part(packed, count) for count in (heads, keys, keys))
        else:
            query, key, states = (self._projected(value, role) for role in ("q", "k", "v"))
        if shape.query_key_norm:
            size = shape.head_size if shape.query_key_norm == "head" else 0
            query = self.norm(query, size or shape.attention_size)
            key = self.norm(key, size or shape.key_value_size)
        if shape.rotary:
            width = max(query.width, value.width if value.width != query.width else query.width, self._rotation_width)
            query, key = self._rotated(query, width), self._rotated(key, width)
        attended = self._attended(query, key, states)
        out = shape.linear("out")
        return self.linear(attended, out) if out is not None else attended

    def products(self, value: Value) -> Value:
        """The products behind attention, with their activation."""
        shape, tape = self._architecture, self._tape
        gate, up, both, down = (shape.linear(role) for role in ("gate", "up", "gate_up", "down"))
        if both is not None:
            packed = self.linear(value, both)
            half = packed.elements / 2
            made = tape.multiply(self._part(packed, half), self._activated(self._part(packed, half)))
        elif gate is not None and up is not None:
            activated = self._activated(self.linear(value, gate))
            made = tape.multiply(activated, self.linear(value, up))
        elif up is not None:
            made = self._activated(self.linear(value, up))
        else:
            return self._experts(value)
        return self.linear(made, down) if down is not None else made

    @property
    def _rotation_width(self) -> int:
        # Cosines come in the width of the hidden states, which under autocast are as wide as the weights.
        return self._workload.held_width if self._full or not self._execution.autocast else _HALF

    def _projected(self, value: Value, role: str) -> Value:
        linear = self._architecture.linear(role)  # type: ignore[arg-type]
        return self.linear(value, linear) if linear is not None else value

    def _part(self, packed: Value, elements: float) -> Value:
        """A view of a part: the whole stays alive with it."""
        return self._tape.operate([packed], elements, packed.width, view=True)

    def _layer_norm(self, value: Value, rows: float, weights: float) -> Value:
        wide = self._execution.autocast and not self._on_cpu
        read = self._tape.cast(value, _SINGLE) if wide else value
        statistics = Storage(2 * rows * _SINGLE)
        width = max(read.width, self._workload.held_width)
        return self._tape.operate([read], read.elements, width, [read, statistics], parameter_bytes=2 * weights)

    def _adapted(self, value: Value, made: Value, linear: Linear) -> Value:
        tape, rank, held = self._tape, self._adapters.rank, BYTES[self._execution.adapter_dtype]
        wide = tape.cast(value, held)
        wide = self._dropped(wide, self._adapters.dropout)
        width = _HALF if self._execution.autocast else held
        read = tape.cast(wide, width)
        sizes = linear.input_size * rank, linear.output_size * rank
        copies: list[list[Value | Storage]] = [[Storage(size * width)] if width != held else [] for size in sizes]
        low = tape.operate([read], self._tokens * rank, width, [read, *copies[0]], parameter_bytes=sizes[0] * held)
        keeps = [low, *copies[1]]
        high = tape.operate([low], self._tokens * linear.output_size, width, keeps, parameter_bytes=sizes[1] * held)
        return tape.cast(tape.add(made, tape.scale(high)), made.width)

    def _dropped(self, value: Value, share: float) -> Value:
        if not share or not self._trains:
            return value
        # On a CPU the noise is multiplied with; on a GPU a kernel remembers what it dropped.
        noise = Storage(value.elements * (value.width if self._on_cpu else _BOOLEAN))
        return self._tape.operate([value], value.elements, value.width, [noise])

    def _activated(self, value: Value) -> Value:
        tape, name = self._tape, self._architecture.activation
        if name == "gelu_new":
            # Five elementary operations, of which four keep something.
            width = _SINGLE if self._execution.autocast and not self._on_cpu else value.width
            wide = tape.cast(value, width)
            cubed = tape.operate([wide], value.elements, width, [wide])
            tangent = tape.operate([cubed], value.elements, width, output_kept=True)
            shifted = tape.scale(tangent)
            return tape.multiply(tape.scale(value), shifted)
        if name.startswith("relu"):
            return tape.operate([value], value.elements, value.width, output_kept=True)
        return tape.operate([value], value.elements, value.width, [value])

    def _rotated(self, value: Value, width: int) -> Value:
        # x · cos + turned(x) · sin: the backward pass makes both parts again before it adds them.
        temporary = 2 * value.elements * width
        return self._tape.operate([value], value.elements, width, temporary_bytes=temporary)

    def _attended(self, query: Value, key: Value, states: Value) -> Value:
        shape, tape = self._architecture, self._tape
        attention = self._execution.attention if shape.fused_attention else "eager"
        dropout = shape.attention_dropout if self._trains else 0.0
        heads, groups = query.elements, shape.head_count // max(1, shape.key_value_head_count)
        grouped = attention == "flash" or (attention == "sdpa" and not self._workload.masked and not self._on_cpu)
        # No kernel of a GPU takes float32 and fewer heads of keys than of queries.
        by_scores = grouped and groups > 1 and attention == "sdpa" and query.width == _SINGLE and not self._execution.autocast
        if groups > 1 and (by_scores or not grouped):
            key, states = self._repeated(key, heads), self._repeated(states, heads)
        if self._execution.autocast:
            query, key, states = (tape.cast(value, _HALF) for value in (query, key, states))
        if attention == "eager" or by_scores or (attention == "sdpa" and dropout and self._on_cpu):
            return self._scored(query, key, states, dropout, attention == "eager")
        statistics = Storage(self._tokens * shape.head_count * _SINGLE)
        keeps: list[Value | Storage] = [query, key, states, statistics]
        if attention == "sdpa" and self._workload.masked and not shape.vision:
            # Each layer makes numbers of the mask that is true or false.
            keeps.append(Storage(self._square * query.width))
        return tape.operate([query, key, states], heads, query.width, keeps, output_kept=True)

    def _repeated(self, value: Value, elements: float) -> Value:
        # A single head is seen many times without a copy.
        return self._tape.operate([value], elements, value.width, view=self._architecture.key_value_head_count == 1)

    def _scored(self, query: Value, key: Value, states: Value, dropout: float, eager: bool) -> Value:
        """Attention with its matrix of scores."""
        tape, scores, width = self._tape, self._square * self._architecture.head_count, query.width
        if eager:
            products = tape.operate([query, key], scores, query.width, [query, key])
            products = tape.scale(products)
            # Softmax in float32.
            shares = tape.operate([products], scores, _SINGLE, output_kept=True)
            shares = tape.cast(shares, query.width)
        else:
            # torch's own operations for what no kernel takes, in float32 whatever comes in.
            query, key = tape.scale(tape.cast(query, _SINGLE)), tape.scale(tape.cast(key, _SINGLE))
            states = tape.cast(states, _SINGLE)
            products = tape.operate([query, key], scores, _SINGLE, [query, key])
            shares = tape.operate([products], scores, _SINGLE, output_kept=True)
        shares = self._dropped(shares, dropout)
        return tape.cast(tape.operate([shares, states], query.elements, shares.width, [shares, states]), width)

    def _experts(self, value: Value) -> Value:
        """Each token goes through some experts: gated products of its own for each."""
        shape, tape = self._architecture, self._tape
        count = self._tokens * shape.active_expert_count
        weights = shape.fused_experts_parameters * self._workload.held_width if self._full else 0
        width = self._workload.compute_width
        read = tape.operate([value], count * shape.hidden_size, width)
        both = tape.operate([read], 2 * count * shape.intermediate_size, width, [read] * self._full, parameter_bytes=weights)
        half = both.elements / 2
        made = tape.multiply(self._activated(self._part(both, half)), self._part(both, half))
        back = tape.operate([made], count * shape.hidden_size, width, [made] * self._full)
        return tape.operate([back], self._tokens * shape.hidden_size, width, [back])
