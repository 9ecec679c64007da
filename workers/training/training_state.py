"""Where training stands, as files that the next attempt goes on from bit for bit.

Tensors are safetensors and the rest is JSON: nothing that could run when it is read.
"""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from safetensors import safe_open
from safetensors.torch import save_file
from transformers.trainer import TRAINER_STATE_NAME
from tunesmith.worker.v1 import worker_service_pb2

from workers.training import optimizer_state, positions, random_state

FORMAT = 2
STATE_FILE = "state.json"
WEIGHTS, OPTIMIZER, RANDOM = "weights", "optimizer", "random"
# The weights at the evaluation with the lowest loss, and what a trainer adds of its own.
BEST, OWN = "best", "own"
# A file's tensors are copied to main memory together where they are on a GPU.
FILE_BYTES = 1024**3
# Another version of one of these may compute or shuffle otherwise.
_LIBRARIES = ("torch", "transformers", "accelerate", "peft", "trl", "bitsandbytes", "tokenizers")

Facts = dict[str, str]


class Unusable(Exception):
    """A training state that this run can't go on from; the message says why, as the end of a sentence."""


def facts_of(assignment: worker_service_pb2.Assignment, total_steps: int) -> Facts:
    """What has to be equal for a run to go on where another one stood."""
    facts = {
        "the configuration": _digest(assignment.configuration),
        "the base model": _digest(assignment.base_model),
        "the training dataset": assignment.training_dataset.sha256,
        "the validation dataset": assignment.validation_dataset.sha256,
        "the seed": str(assignment.configuration.schedule.seed),
        "the number of steps": str(total_steps),
    }
    if assignment.HasField("teacher_model"):
        facts["the teacher"] = _digest(assignment.teacher_model)
    return facts | {name: version(name) for name in _LIBRARIES}


def write(trainer: Any, folder: Path, facts: Facts, recorded: dict[str, Any], best: Sequence[Path] = ()) -> None:
    """Store where a Durable trainer stands between two steps.

    `recorded` is kept for whoever watched it, and `best` are files that are taken along.
    """
    folder.mkdir(parents=True)
    parameters = trained(trainer)
    names = {parameter: name for name, parameter in parameters.items()}
    optimizer = optimizer_state.plain(trainer.optimizer)
    scheduler: Any = trainer.lr_scheduler
    random_tensors, random_numbers = random_state.capture()
    own_tensors, own_numbers = trainer.own_state()
    write_tensors(folder, WEIGHTS, parameters.items())
    write_tensors(folder, OPTIMIZER, optimizer_state.tensors_of(optimizer, names))
    write_tensors(folder, RANDOM, random_tensors.items())
    write_tensors(folder, OWN, own_tensors.items())
    for file in best:
        shutil.copyfile(file, folder / file.name)
    # Its log has grown with every step, and nobody reads it.
    dataclasses.replace(trainer.state, log_history=[]).save_to_json(str(folder / TRAINER_STATE_NAME))
    content = {
        "format": FORMAT,
        "step": trainer.state.global_step,
        "facts": facts,
        "device": trainer.args.device.type,
        "optimizer": optimizer_state.numbers_of(optimizer, names),
        "scheduler": scheduler.state_dict(),
        "scaler": _scaler(trainer).state_dict(),
        "longest": positions.longest_read(trainer.model),
        "random": random_numbers,
        "tokens": trainer.trained_tokens,
        "own": own_numbers,
        "recorded": recorded,
    }
    (folder / STATE_FILE).write_text(json.dumps(content), encoding="utf-8")


@dataclass(frozen=True)
class TrainingState:
    """A stored state, to be checked against a trainer and then given to it."""

    folder: Path
    content: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "TrainingState":
        """Raises Unusable if it was written in another format."""
        content = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise Unusable(f"it has format {content['format']}, and this worker reads format {FORMAT}")
        return cls(folder, content)

    @property
    def step(self) -> int:
        """Optimiser steps done."""
        return int(self.content["step"])

    @property
    def recorded(self) -> dict[str, Any]:
        """What was given to `write`."""
        return dict(self.content["recorded"])

    @property
    def device(self) -> str:
        """The kind of device that it was trained on."""
        return str(self.content["device"])

    def check(self, trainer: Any, facts: Facts) -> None:
        """Raise Unusable if the trainer can't go on from here; it is unchanged."""
        stored: Facts = self.content["facts"]
        for name in stored | facts:
            before, now = stored.get(name), facts.get(name)
            if before != now:
                raise Unusable(f"{name} was {_shown(before)} and is {_shown(now)}")
        if {name: list(parameter.shape) for name, parameter in trained(trainer).items()} != self._shapes(WEIGHTS):
            raise Unusable("it holds other trained weights than the model has")

    def restore_weights(self, trainer: Any) -> None:
        """Set the trained weights."""
        read_weights(trainer, self.folder, WEIGHTS)

    def restore_optimizer(self, trainer: Any) -> None:
        """Set optimiser, learning rate, token count and what the trainer adds; the trainer has made its own."""
        parameters = trained(trainer)
        names = {parameter: name for name, parameter in parameters.items()}
        optimizer = optimizer_state.plain(trainer.optimizer)
        scheduler: Any = trainer.lr_scheduler
        optimizer_state.restore_numbers(optimizer, names, self.content["optimizer"])
        for name, tensor in self._tensors(OPTIMIZER):
            optimizer_state.restore_tensor(optimizer, parameters, name, tensor)
        scheduler.load_state_dict(self.content["scheduler"])
        _scaler(trainer).load_state_dict(self.content["scaler"])
        positions.go_on_from(trainer.model, self.content["longest"])
        trainer.trained_tokens = self.content["tokens"]
        trainer.restore_own_state(dict(self._tensors(OWN)), self.content["own"])

    def restore_random(self) -> None:
        """Set the random numbers."""
        random_state.restore(dict(self._tensors(RANDOM)), self.content["random"])

    def _shapes(self, kind: str) -> dict[str, list[int]]:
        return {name: file.get_slice(name).get_shape() for file, name in _entries(self.folder, kind)}

    def _tensors(self, kind: str) -> Iterator[tuple[str, torch.Tensor]]:
        return _tensors(self.folder, kind)


def _scaler(trainer: Any) -> torch.amp.GradScaler:
    """What scales the loss with FP16; without, one that does nothing and has no state."""
    return trainer.accelerator.scaler or torch.amp.GradScaler(enabled=False)


def trained(trainer: Any) -> dict[str, torch.Tensor]:
    """The parameters that a trainer moves, by name."""
    model: Any = trainer.model
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def write_tensors(folder: Path, kind: str, tensors: Iterable[tuple[str, torch.Tensor]]) -> None:
    """Store tensors as `<kind>-00001.safetensors` and further files of no more than FILE_BYTES."""
    for number, part in enumerate(_parts(tensors), start=1):
        save_file(part, folder / f"{kind}-{number:05}.safetensors")


@torch.no_grad()
def read_weights(trainer: Any, folder: Path, kind: str) -> None:
    """Set the parameters that a trainer moves."""
    parameters = trained(trainer)
    for name, tensor in _tensors(folder, kind):
        parameters[name].copy_(tensor)


def _tensors(folder: Path, kind: str) -> Iterator[tuple[str, torch.Tensor]]:
    """One after another, so that no two of them are in memory."""
    return ((name, file.get_tensor(name)) for file, name in _entries(folder, kind))


def _entries(folder: Path, kind: str) -> Iterator[tuple[Any, str]]:
    for path in sorted(folder.glob(f"{kind}-*.safetensors")):
        # Mapped files would count as memory that the job holds.
        with safe_open(path, framework="pt", backend="pread") as file:
            for name in file.keys():  # noqa: SIM118 - it is no dictionary
                yield file, name


def _parts(tensors: Iterable[tuple[str, torch.Tensor]]) -> Iterator[dict[str, torch.Tensor]]:
    part: dict[str, torch.Tensor] = {}
    size_bytes = 0
    for name, tensor in tensors:
        if part and size_bytes + tensor.nbytes > FILE_BYTES:
            yield part
            part, size_bytes = {}, 0
        part[name] = tensor.detach().contiguous()
        size_bytes += tensor.nbytes
    if part:
        yield part


def _digest(message: Message) -> str:
    text = json.dumps(MessageToDict(message, preserving_proto_field_name=True), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _shown(value: str | None) -> str:
    """A version or a number as it is, and enough of a hash to tell two apart."""
    return value[:12] if value else "none"
