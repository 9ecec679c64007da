"""Which products of a layer get an adapter, and how large it is."""

from dataclasses import dataclass
from functools import lru_cache

from tunesmith.config.v1 import job_configuration_pb2, method_pb2

from services.preflight.estimate.architecture import Linear

ALL_LINEAR = "all-linear"
_ADAPTED = (method_pb2.TRAINING_METHOD_LORA, method_pb2.TRAINING_METHOD_QLORA)


@dataclass(frozen=True)
class Adapters:
    """The adapters of a run: their rank and dropout, and the products that they stand beside. Rank 0: there are none."""

    rank: int
    dropout: float
    names: frozenset[str]
    all_linear: bool
    # Whether the length of each adapted weight is trained as well (DoRA).
    lengths: bool = False

    @classmethod
    def of(cls, configuration: job_configuration_pb2.JobConfiguration) -> "Adapters":
        """As the configuration asks for them."""
        method = configuration.method
        if method.type not in _ADAPTED:
            return cls(0, 0.0, frozenset(), False)
        lora = method.lora_config
        return _adapters(lora.rank, lora.dropout, lora.trainable_modules or ALL_LINEAR, lora.use_dora)

    def stands_beside(self, linear: Linear) -> bool:
        """Whether a product gets one: as peft matches names, the last parts of its path."""
        if not self.rank:
            return False
        if self.all_linear:
            return linear.by_all_linear
        return any(linear.name == name or linear.path.endswith(f".{name}") for name in self.names)

    def parameters_of(self, linear: Linear) -> int:
        """(in + out) × rank, and with DoRA one for each output."""
        if not self.stands_beside(linear):
            return 0
        return (linear.input_size + linear.output_size) * self.rank + (linear.output_size if self.lengths else 0)


@lru_cache(maxsize=64)
def _adapters(rank: int, dropout: float, modules: str, lengths: bool) -> Adapters:
    names = frozenset(name.strip() for name in modules.split(","))
    return Adapters(rank, dropout, names, modules.strip() == ALL_LINEAR, lengths)
