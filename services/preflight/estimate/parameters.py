"""How many parameters a model has and how many of them are trained, exactly where its profile is known."""

from dataclasses import dataclass

from services.preflight.estimate.targets import Adapters
from services.preflight.estimate.workload import Workload


@dataclass(frozen=True)
class Parameters:
    """Counts; tied weights once."""

    total: int
    # Of the base model, that move.
    trained_base: int
    # Of the adapters or the soft prompt, all of which move.
    adapter: int

    @property
    def trained(self) -> int:
        """All that move."""
        return self.trained_base + self.adapter


def parameters_of(workload: Workload) -> Parameters:
    """By the method of the configuration."""
    architecture = workload.architecture
    if workload.full:
        return Parameters(architecture.parameter_count, architecture.parameter_count, 0)
    adapter = adapter_parameters(workload)
    if workload.virtual_tokens:
        # A soft prompt has the width of the embedding.
        adapter = workload.virtual_tokens * architecture.hidden_size
    return Parameters(architecture.parameter_count + adapter, 0, adapter)


def adapter_parameters(workload: Workload) -> int:
    """(in + out) × rank of every product with an adapter, inside the layers and outside."""
    adapters = Adapters.of(workload.configuration)
    architecture = workload.architecture
    inside = sum(adapters.parameters_of(linear) * linear.count for linear in architecture.linears)
    return inside + sum(adapters.parameters_of(linear) for linear in architecture.outer_linears)
