"""What the optimiser holds between steps, and for a moment in one."""

from collections.abc import Iterable

from torch import nn

from workers.providers.execution import ADAMW, Execution

# bitsandbytes' AdamW: smaller tensors keep 32-bit states, others two bytes a weight and two scales a block.
SMALLEST_IN_8_BITS, BLOCK = 4096, 256


def state_sizes(model: nn.Module, execution: Execution) -> Iterable[int]:
    """Bytes of each tensor of the states, for the parameters that move."""
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        count = parameter.numel()
        # transformers keeps embeddings' states in 32 bits, which learn badly in eight.
        small = count < SMALLEST_IN_8_BITS or id(parameter) in embeddings
        if execution.optimizer_bits == 8 and not small:
            yield from (count, count, 4 * -(-count // BLOCK), 4 * -(-count // BLOCK))
        elif execution.optimizer.startswith("adamw_torch"):
            # As wide as the weights, and the count of steps.
            yield from (count * parameter.element_size(), count * parameter.element_size(), 4)
        else:
            yield from (4 * count, 4 * count)


def moment_bytes(model: nn.Module, execution: Execution, *, cuda: bool) -> int:
    """Bytes that a step allocates for a moment: the roots of the second moments, unless one kernel does all."""
    if execution.optimizer != ADAMW:
        return 0
    sizes = [parameter.numel() * parameter.element_size() for parameter in moving(model)]
    # On a GPU torch treats all parameters at once; on a CPU one by one, with a root and its quotient.
    return sum(sizes) if cuda else 2 * max(sizes, default=0)


def moving(model: nn.Module) -> list[nn.Parameter]:
    """Parameters that are trained, tied ones once."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]
