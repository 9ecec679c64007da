"""What a backend is to those that only plan: what it can do, and what becomes of a configuration on its way to it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from tunesmith.config.v1 import datasets_pb2, job_configuration_pb2, method_pb2
from tunesmith.provider.v1 import lowering_pb2, provider_pb2
from tunesmith.registry.v1 import dataset_pb2

from workers.providers.execution import Execution

JobConfiguration = job_configuration_pb2.JobConfiguration
FieldLowering = lowering_pb2.FieldLowering

SENT = lowering_pb2.LOWERING_ACTION_SENT
CONVERTED = lowering_pb2.LOWERING_ACTION_CONVERTED
DROPPED = lowering_pb2.LOWERING_ACTION_DROPPED
REFUSED = lowering_pb2.LOWERING_ACTION_REFUSED

# Fields of an enum whose values a provider's capabilities list, each with the list that has those that act.
LISTED_CHOICES = {
    "method.type": "methods",
    "method.objective": "objectives",
    "model.precision": "precisions",
    "optimizations.enabled": "optimizations",
}


@dataclass(frozen=True)
class Lowered:
    """What becomes of a field, or of the part of it that `suffix` names: `[0]` of a list, `.together` of a Struct."""

    action: lowering_pb2.LoweringAction
    detail: str
    suffix: str = ""


# What becomes of one field of a configuration whose defaults are resolved.
Rule = Callable[[JobConfiguration], list[Lowered]]


@dataclass(frozen=True)
class NeverActs:
    """The rule of a field that has no effect, whatever its value. Each of its `parts` is answered for by itself."""

    action: lowering_pb2.LoweringAction
    reason: str
    parts: Callable[[JobConfiguration], Iterable[str]] = lambda _: ("",)

    def __call__(self, configuration: JobConfiguration) -> list[Lowered]:
        return [Lowered(self.action, self.reason, part) for part in self.parts(configuration)]


def dropped(reason: str) -> NeverActs:
    """A field that never acts."""
    return NeverActs(DROPPED, reason)


def refused(reason: str) -> NeverActs:
    """A field without which the job would mean something else."""
    return NeverActs(REFUSED, reason)


@dataclass(frozen=True)
class Choices:
    """Which values of an enum act, and why the others don't: what becomes of these is `action`."""

    acting: Mapping[Any, str]
    idle: Mapping[Any, str]
    action: lowering_pb2.LoweringAction

    def reason(self, value: int) -> str:
        """Why a value does not act. One that the provider's table does not know yet has a reason too."""
        return self.idle.get(value, "the provider does not know this value yet; use another one")


@dataclass(frozen=True)
class Provider:
    """A backend's capabilities and its pure half."""

    id: str
    display_name: str
    # What becomes of each field. One without a rule is dropped by name.
    rules: Mapping[str, Rule]
    # For each of LISTED_CHOICES, what the rule of that field goes by.
    choices: Mapping[str, Choices]
    dataset_formats: tuple[dataset_pb2.DatasetFormat, ...]
    # (configuration) -> what the backend is given, as plain JSON data. Raises ValueError for what `lower` refuses.
    translate: Callable[[JobConfiguration], dict[str, Any]]
    # (format, strategy or 0, the field that named the dataset, objective) -> why the backend can't train on it; empty if it can.
    refuse_dataset: Callable[
        [dataset_pb2.DatasetFormat, datasets_pb2.DatasetStrategy, str, method_pb2.TrainingObjective], list[FieldLowering]
    ]
    # (configuration) -> how its trainer runs it, for estimates; None for a backend that says nothing of its machines.
    execution: Callable[[JobConfiguration], Execution] | None = field(default=None)
    # What a pool has to be given before it takes such jobs, as the end of a sentence; empty for what every pool takes.
    wanted: str = field(default="")
    # Its own ranges, where they are inside the configuration's.
    ranges: tuple[provider_pb2.NarrowedRange, ...] = field(default=())

    def lower(self, configuration: JobConfiguration, as_submitted: JobConfiguration | None = None) -> list[FieldLowering]:
        """What becomes of every leaf that is set, once defaults are resolved, in the order of the form.

        A default that the server filled in and that can't act is left out: nobody asked for it. Without `as_submitted`, all that
        is set was asked for.
        """
        asked = set(_set_leaves(configuration if as_submitted is None else as_submitted))
        lowering = [(path, lowered) for path in _set_leaves(configuration) for lowered in self._rule(path)(configuration)]
        return [
            FieldLowering(field_path=f"{path}{lowered.suffix}", action=lowered.action, detail=lowered.detail)
            for path, lowered in lowering
            if lowered.action != DROPPED or path in asked
        ]

    @cached_property
    def capabilities(self) -> provider_pb2.Capabilities:
        """What it can do, computed from what `lower` goes by."""
        return provider_pb2.Capabilities(
            **{LISTED_CHOICES[path]: list(choices.acting) for path, choices in self.choices.items()},
            dataset_formats=self.dataset_formats,
            limitations=self._limitations(),
            ranges=self.ranges,
        )

    def _rule(self, path: str) -> Rule:
        # A knob that was added to the protos a moment ago must not fail jobs; a test tells that its rule is missing.
        return self.rules.get(path) or dropped(f"{self.id} does not use this field; remove it")

    def _limitations(self) -> Iterator[provider_pb2.Limitation]:
        for path, leaf in _leaves(JobConfiguration.DESCRIPTOR):
            rule = self._rule(path)
            if isinstance(rule, NeverActs):
                yield provider_pb2.Limitation(field_path=path, action=rule.action, reason=rule.reason)
            elif path in self.choices:
                choices = self.choices[path]
                for value in leaf.enum_type.values:
                    if value.number and value.number not in choices.acting:
                        reason = choices.reason(value.number)
                        yield provider_pb2.Limitation(field_path=path, value=value.name, action=choices.action, reason=reason)


def settings_of(provider: str) -> Callable[[JobConfiguration], Iterable[str]]:
    """Whose settings there are in `metadata`, as suffixes of its path; of the provider's own each."""

    def suffixes(configuration: JobConfiguration) -> Iterator[str]:
        for key, value in configuration.metadata.fields.items():
            own = value.struct_value.fields if key == provider else {}
            yield from (f".{key}.{inner}" for inner in own)
            if not own:
                yield f".{key}"

    return suffixes


# The chassis has such walks too, but a provider imports nothing of the services, so that anything can import it.
def _leaves(descriptor: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Path and descriptor of every leaf below a message, in the order of the form."""
    for leaf in sorted(descriptor.fields, key=lambda leaf: leaf.number):
        if leaf.message_type is not None and leaf.message_type.full_name != Struct.DESCRIPTOR.full_name:
            yield from _leaves(leaf.message_type, f"{prefix}{leaf.name}.")
        else:
            yield f"{prefix}{leaf.name}", leaf


def _set_leaves(message: Message, prefix: str = "") -> Iterator[str]:
    """Paths of the leaves that are set, in the order of the form."""
    for leaf, value in message.ListFields():
        if isinstance(value, Message) and not isinstance(value, Struct):
            yield from _set_leaves(value, f"{prefix}{leaf.name}.")
        else:
            yield f"{prefix}{leaf.name}"
