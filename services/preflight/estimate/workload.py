"""What is estimated: a model, a configuration, how a trainer runs it, how long its rows are, and on what."""

from dataclasses import dataclass
from functools import cached_property

from tunesmith.config.v1 import hardware_pb2, job_configuration_pb2, method_pb2
from tunesmith.pool.v1 import pool_pb2
from tunesmith.registry.v1 import base_model_pb2

from services.preflight import methods
from services.preflight.estimate.architecture import Architecture
from workers.providers.execution import BYTES, Execution


@dataclass(frozen=True)
class Workload:
    """A run, as far as memory and time depend on it."""

    base_model: base_model_pb2.BaseModel
    # With defaults resolved.
    configuration: job_configuration_pb2.JobConfiguration
    execution: Execution
    # Rows that are trained on; None if unknown.
    row_count: int | None
    # Tokens of a row as trained in the largest batch, padding included.
    row_tokens: int
    # Tokens of a row on average, padding left out.
    mean_tokens: float
    device: pool_pb2.Device
    device_count: int = 1
    # Rows that share one sequence on average where they are packed; None if nobody has counted how long they are.
    documents_per_row: float | None = None
    # Whom a distillation imitates; None if there is nobody, or if nothing is known of the model.
    teacher: base_model_pb2.BaseModel | None = None

    @cached_property
    def architecture(self) -> Architecture:
        """The model, as formulas need it."""
        return Architecture.of(self.base_model)

    @cached_property
    def rows(self) -> int:
        """Rows that one device trains on at once."""
        return max(1, self.configuration.schedule.batch_size)

    @cached_property
    def of_pairs(self) -> bool:
        """Whether a row is two sequences, the prompt with either answer."""
        return bool(self.configuration.method.objective == method_pb2.TRAINING_OBJECTIVE_DPO)

    @cached_property
    def batch_size(self) -> int:
        """Sequences that go through one device's layers at once."""
        return 2 * self.rows if self.of_pairs else self.rows

    @cached_property
    def accumulation(self) -> int:
        """Batches of one optimiser step on one device."""
        return max(1, self.configuration.schedule.gradient_accumulation)

    @cached_property
    def virtual_tokens(self) -> int:
        """Tokens of a soft prompt before every row."""
        method = self.configuration.method
        return method.prompt_tuning_config.num_virtual_tokens if method.type in methods.SOFT_PROMPTS else 0

    @cached_property
    def sequence_tokens(self) -> int:
        """Tokens of a sequence that goes through the layers, padding and soft prompt included."""
        shape = self.base_model.architecture
        if self.architecture.vision:
            side = (shape.image_size or 224) // (shape.patch_size or 16)
            return side * side + 1
        return max(1, self.row_tokens) + self.virtual_tokens

    @cached_property
    def tokens(self) -> int:
        """Tokens of one batch, padding included."""
        return self.batch_size * self.sequence_tokens

    @cached_property
    def on_cpu(self) -> bool:
        """Whether it runs in main memory."""
        return self.device.kind != pool_pb2.DEVICE_KIND_CUDA

    @cached_property
    def full(self) -> bool:
        """Whether every weight moves."""
        return self.configuration.method.type == method_pb2.TRAINING_METHOD_FULL

    @cached_property
    def strategy(self) -> hardware_pb2.DistributionStrategy:
        """How several devices share the work; data parallel unless something else was asked for."""
        if self.device_count <= 1:
            return hardware_pb2.DISTRIBUTION_STRATEGY_UNSPECIFIED
        return self.configuration.hardware.strategy or hardware_pb2.DISTRIBUTION_STRATEGY_DDP

    @cached_property
    def held_width(self) -> int:
        """Bytes of a weight of the base model that is not quantized."""
        return BYTES[self.execution.trained_dtype if self.full else self.execution.frozen_dtype]

    @cached_property
    def compute_width(self) -> int:
        """Bytes of what a product gives."""
        return 2 if self.execution.autocast else self.held_width

    @cached_property
    def offloads(self) -> bool:
        """Whether activations wait in main memory, which on a CPU is where they are."""
        return self.execution.offloading and not self.on_cpu

    @cached_property
    def masked(self) -> bool:
        """Whether attention is given a mask: rows of one batch differ in length, or are padded."""
        return not self.execution.packing and (self.batch_size > 1 or not self.execution.dynamic_padding)
