"""A step's activations, counted as torch's autograd would hold them.

Operations are written down in the order of the forward pass, each with what it keeps for the backward pass; going back over them
gives the gradients that are alive at each moment. Nothing is computed: values are sizes in bytes.
"""

from collections.abc import Sequence


class Storage:
    """Bytes that one or several values share."""

    __slots__ = ("count", "size")

    def __init__(self, size: float) -> None:
        self.size = size
        self.count = 0


class Value:
    """A tensor: elements of `width` bytes, and whether a gradient flows to it."""

    __slots__ = ("elements", "gradient", "needs_gradient", "storage", "width")

    def __init__(self, elements: float, width: int, needs_gradient: bool, storage: Storage | None = None) -> None:
        self.elements = elements
        self.width = width
        self.needs_gradient = needs_gradient
        self.storage = storage or Storage(elements * width)
        self.gradient: Storage | None = None


class Operation:
    """One operation that the backward pass goes through again."""

    __slots__ = ("inputs", "keeps", "output", "parameter_bytes", "passes_on", "temporary_bytes")

    def __init__(
        self,
        inputs: list[Value],
        output: Value,
        keeps: list[Storage],
        parameter_bytes: float,
        temporary_bytes: float,
        passes_on: bool,
    ) -> None:
        self.inputs = inputs
        self.output = output
        self.keeps = keeps
        # Gradients of weights that the operation makes and that stay.
        self.parameter_bytes = parameter_bytes
        # What it allocates besides, and sets free again.
        self.temporary_bytes = temporary_bytes
        # Whether its inputs' gradients are its output's, without a copy.
        self.passes_on = passes_on


class Tape:
    """Operations of one layer, or of what is before or behind the layers."""

    def __init__(self) -> None:
        self._operations: list[Operation] = []
        self._kept: dict[int, Storage] = {}
        # The largest single operation, for a pass that keeps nothing.
        self.largest_bytes = 0.0

    @property
    def kept_bytes(self) -> float:
        """What the backward pass is waiting for, shared storages once."""
        return sum(storage.size for storage in self._kept.values())

    def operate(
        self,
        inputs: Sequence[Value],
        elements: float,
        width: int,
        keeps: Sequence[Value | Storage] = (),
        *,
        parameter_bytes: float = 0,
        temporary_bytes: float = 0,
        output_kept: bool = False,
        passes_on: bool = False,
        view: bool = False,
    ) -> Value:
        """An operation's output. What it keeps counts only if a gradient flows through it, or ends in a weight of its own.

        `output_kept`: its own output is among it. `view`: the output is the first input's memory.
        """
        needs = parameter_bytes > 0 or any(value.needs_gradient for value in inputs)
        output = Value(elements, width, needs, inputs[0].storage if view else None)
        if not view:
            self.largest_bytes = max(self.largest_bytes, output.storage.size + sum(value.storage.size for value in inputs))
        if not needs:
            return output
        storages = [kept.storage if isinstance(kept, Value) else kept for kept in keeps]
        if output_kept:
            storages.append(output.storage)
        for storage in storages:
            storage.count += 1
            self._kept[id(storage)] = storage
        flows = [value for value in inputs if value.needs_gradient]
        self._operations.append(Operation(flows, output, storages, parameter_bytes, temporary_bytes, passes_on or view))
        return output

    def cast(self, value: Value, width: int) -> Value:
        """The value in another width; itself if it has it."""
        return value if value.width == width else self.operate([value], value.elements, width)

    def add(self, left: Value, right: Value) -> Value:
        """A sum, which keeps nothing."""
        return self.operate([left, right], max(left.elements, right.elements), max(left.width, right.width), passes_on=True)

    def multiply(self, left: Value, right: Value) -> Value:
        """A product of two values, of which each one's gradient needs the other."""
        keeps = [right] * left.needs_gradient + [left] * right.needs_gradient
        return self.operate([left, right], max(left.elements, right.elements), max(left.width, right.width), keeps)

    def scale(self, value: Value) -> Value:
        """A product with a number."""
        return self.operate([value], value.elements, value.width)

    def backward(self, output: Value) -> "Backward":
        """Go back from the gradient of `output`, which is alive when it begins."""
        return Backward.of(self._operations, output, self.kept_bytes)


class Backward:
    """What going back over a tape took."""

    __slots__ = ("gradient_bytes", "live", "peak_bytes")

    def __init__(self) -> None:
        self.live = 0.0
        # The most that was alive at once: kept activations, gradients of activations and of the tape's own weights.
        self.peak_bytes = 0.0
        # Gradients of weights that stay.
        self.gradient_bytes = 0.0

    @classmethod
    def of(cls, operations: list[Operation], output: Value, kept_bytes: float) -> "Backward":
        made = cls()
        made.live = kept_bytes
        output.gradient = Storage(output.elements * output.width)
        output.gradient.count = 1
        made._take(output.gradient.size)
        for operation in reversed(operations):
            made._go_through(operation)
        return made

    def _go_through(self, operation: Operation) -> None:
        incoming = operation.output.gradient
        if incoming is None:
            # Nothing came this way: the value was not used.
            self._let_go(operation.keeps)
            return
        fresh: list[tuple[Value, Storage]] = []
        for value in operation.inputs:
            same = operation.passes_on and value.width == operation.output.width
            gradient = incoming if same and value.elements == operation.output.elements else Storage(value.elements * value.width)
            if gradient is not incoming:
                self.live += gradient.size
            gradient.count += 1
            fresh.append((value, gradient))
        self._take(operation.parameter_bytes)
        self.gradient_bytes += operation.parameter_bytes
        self.peak_bytes = max(self.peak_bytes, self.live + operation.temporary_bytes)
        self._release(incoming)
        operation.output.gradient = None
        self._let_go(operation.keeps)
        for value, gradient in fresh:
            self._accumulate(value, gradient)

    def _accumulate(self, value: Value, gradient: Storage) -> None:
        before = value.gradient
        if before is None:
            value.gradient = gradient
            return
        if before.count == 1:
            # Nobody else looks at it: it is added to in place.
            self._release(gradient)
            return
        total = Storage(gradient.size)
        total.count = 1
        self._take(total.size)
        self._release(before)
        self._release(gradient)
        value.gradient = total

    def _take(self, size: float) -> None:
        self.live += size
        self.peak_bytes = max(self.peak_bytes, self.live)

    def _release(self, storage: Storage) -> None:
        storage.count -= 1
        if storage.count == 0:
            self.live -= storage.size

    def _let_go(self, storages: list[Storage]) -> None:
        for storage in storages:
            self._release(storage)
