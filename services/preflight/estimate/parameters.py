"""How many parameters a model has and how many of them are trained, exactly where its profile is known."""

from dataclasses import dataclass

from services.preflight import methods
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
    adapter = _prompt_parameters(workload) if workload.virtual_tokens else adapter_parameters(workload)
    return Parameters(architecture.parameter_count + adapter, 0, adapter)


def _prompt_parameters(workload: Workload) -> int:
    """Of a soft prompt and of the network that makes it, as peft builds them."""
    architecture, method = workload.architecture, workload.configuration.method
    tokens, width = workload.virtual_tokens, method.prompt_tuning_config.encoder_hidden_size
    if method.type == methods.PREFIX_TUNING:
        # Keys and values of every layer.
        size = architecture.key_value_size
        written = 2 * architecture.layer_count * size
        return tokens * size + (size + 1) * width + (width + 1) * written if width else tokens * written
    size = architecture.hidden_size
    if method.type == methods.P_TUNING:
        width = width or size
        return tokens * size + (size + 1) * width + (width + 1) * width + (width + 1) * size
    return tokens * size


def adapter_parameters(workload: Workload) -> int:
    """(in + out) × rank of every product with an adapter, inside the layers and outside."""
    adapters = Adapters.of(workload.configuration)
    architecture = workload.architecture
    inside = sum(adapters.parameters_of(linear) * linear.count for linear in architecture.linears)
    return inside + sum(adapters.parameters_of(linear) for linear in architecture.outer_linears)
