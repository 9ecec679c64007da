"""Several adapters of one base model are added up to a new one."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import Connection
from tunesmith.registry.v1 import adapter_pb2, base_model_pb2
from tunesmith.registry.v1 import adapter_service_pb2 as messages

from services.chassis.database import Database
from services.chassis.errors import InvalidArgument, NotFound
from services.chassis.identity import PROJECT
from services.chassis.ids import message_hash
from services.registry.adapters import storage, weights
from services.registry.adapters.configuration import AdapterConfiguration, read
from services.registry.adapters.contents import as_adapter_file, describe, settings_of, write_configuration
from services.registry.adapters.files import CONFIG, MAX_WEIGHTS_BYTES, WEIGHTS
from services.registry.adapters.fit import check_fit
from services.registry.adapters.recording import Answers, record
from services.registry.adapters.trained import find_base_model
from services.registry.adapters.weighted_sum import Term, write_sum
from services.registry.domain import refuse_control_characters, shortened
from services.registry.importing.files import read_json
from services.registry.importing.refused import Refused
from services.registry.importing.safetensors_header import read_header
from services.registry.shelf import Shelf
from services.registry.uninterrupted import to_the_end

_ANSWERS = Answers("ComposeAdapters", messages.ComposeAdaptersResponse)
# Each reads and writes whole files; the disk is not made faster by more.
_AT_ONCE = 2


class Composition:
    """Makes adapters of adapters."""

    def __init__(self, database: Database, shelf: Shelf) -> None:
        self._database = database
        self._shelf = shelf
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def compose(self, request: messages.ComposeAdaptersRequest) -> adapter_pb2.Adapter:
        """Make the weighted sum, or raise and store nothing. A repeated request_id answers what was answered first."""
        refuse_control_characters("display_name", request.display_name)

        def find(connection: Connection) -> adapter_pb2.Adapter | None:
            return _ANSWERS.find(connection, request.request_id, message_hash(request))

        earlier = await self._database.read(find)
        if earlier is not None:
            return earlier
        components = await self._components(request.components)
        model = await find_base_model(self._database, components[0].base_model_id)
        async with self._turns:
            return await self._make(request, components, model)

    async def _components(self, terms: Sequence[adapter_pb2.AdapterWeight]) -> list[adapter_pb2.Adapter]:
        """The adapters to add up. Raises InvalidArgument with everything that keeps them from it."""

        def find(connection: Connection) -> list[adapter_pb2.Adapter | NotFound]:
            found: list[adapter_pb2.Adapter | NotFound] = []
            for term in terms:
                try:
                    found.append(storage.find_adapter(connection, PROJECT, term.adapter_id))
                except NotFound as error:
                    found.append(error)
            return found

        components: list[adapter_pb2.Adapter] = []
        violations: list[tuple[str, str]] = []
        for index, one in enumerate(await self._database.read(find)):
            field = f"components[{index}].adapter_id"
            if isinstance(one, NotFound):
                violations.append((field, one.message))
                continue
            fault = _unfit(one, components)
            if fault:
                violations.append((field, f"{one.display_name} {fault}"))
            components.append(one)
        violations += [
            (f"components[{index}].weight", "adds nothing with 0; leave the adapter out")
            for index, term in enumerate(terms)
            if term.HasField("weight") and term.weight == 0
        ]
        if violations:
            raise InvalidArgument(violations)
        return components

    async def _make(
        self,
        request: messages.ComposeAdaptersRequest,
        components: Sequence[adapter_pb2.Adapter],
        model: base_model_pb2.BaseModel,
    ) -> adapter_pb2.Adapter:
        folders = [self._shelf.path(component.id) for component in components]
        shares = [term.weight if term.HasField("weight") else 1.0 for term in request.components]
        incoming = await asyncio.to_thread(self._shelf.begin)
        try:
            work = asyncio.to_thread(_write, incoming.path, components, folders, shares, model)
            adapter = await to_the_end(work)
            adapter.display_name = request.display_name or shortened("+".join(one.display_name for one in components))
            adapter.description = request.description
            for component, share in zip(components, shares, strict=True):
                adapter.lineage.components.add(adapter_id=component.id, weight=share)
            request_hash = message_hash(request)
            return await to_the_end(record(self._database, incoming, adapter, _ANSWERS, request.request_id, request_hash))
        except Refused as refusal:
            raise InvalidArgument([("components", str(refusal))]) from refusal
        finally:
            await asyncio.to_thread(incoming.discard)


def _unfit(adapter: adapter_pb2.Adapter, others: Sequence[adapter_pb2.Adapter]) -> str:
    """Why an adapter can't be added to others; empty if it can."""
    if adapter.status != adapter_pb2.ADAPTER_STATUS_READY:
        return "is not ready; wait for its files, or leave it out"
    if adapter.type != adapter_pb2.ADAPTER_TYPE_LORA:
        kind = adapter_pb2.AdapterType.Name(adapter.type)
        return f"is of type {kind}, and only ADAPTER_TYPE_LORA is a product that can be added up; leave it out"
    if any(other.id == adapter.id for other in others):
        return "is there twice; name it once, with the sum of the weights"
    if others and adapter.base_model_id != others[0].base_model_id:
        return (
            f"was trained on another base model ({adapter.base_model_id}) than {others[0].display_name}; compose adapters of one"
        )
    return ""


def _write(
    folder: Path,
    components: Sequence[adapter_pb2.Adapter],
    folders: Sequence[Path],
    shares: Sequence[float],
    model: base_model_pb2.BaseModel,
) -> adapter_pb2.Adapter:
    """The files of the sum. Raises Refused."""
    size = sum(4 * component.parameter_count for component in components)
    if size > MAX_WEIGHTS_BYTES:
        raise Refused(f"the sum would have {size} bytes, and at most {MAX_WEIGHTS_BYTES} are stored; compose fewer")
    terms = [
        Term(component.display_name, path, read(read_json(path / CONFIG)), share)
        for component, path, share in zip(components, folders, shares, strict=True)
    ]
    file = as_adapter_file(write_sum(terms, folder))
    configuration = _configuration(terms, weights.ranks(read_header(folder / WEIGHTS)))
    held = weights.sort(read_header(folder / WEIGHTS), configuration)
    check_fit(configuration, held, model)
    adapter = describe(configuration, held, model)
    adapter.files.extend([write_configuration(folder, settings_of(configuration, held, model)), file])
    return adapter


def _configuration(terms: Sequence[Term], ranks: Mapping[str, int]) -> AdapterConfiguration:
    """The sum's: alpha is the rank in every layer, so that nothing is scaled a second time."""
    rank = sum(term.configuration.rank for term in terms)
    tasks = {term.configuration.task for term in terms}
    pattern = _pattern(ranks, rank)
    named = [term.configuration.targets for term in terms if term.configuration.targets_are_whole]
    # The names of all together tell which layers have factors, unless they tell it of some only beside other settings.
    targets = frozenset().union(*(one or () for one in named)) if len(named) == len(terms) else frozenset(ranks)
    return AdapterConfiguration(
        type=adapter_pb2.ADAPTER_TYPE_LORA,
        task=tasks.pop() if len(tasks) == 1 else None,
        rank=rank,
        alpha=float(rank),
        targets=targets,
        rank_pattern=pattern,
        alpha_pattern={name: float(one) for name, one in pattern.items()},
        fan_in_fan_out=any(term.configuration.fan_in_fan_out for term in terms),
    )


def _pattern(ranks: Mapping[str, int], rank: int) -> dict[str, int]:
    """The layers that have another rank: by their last name where all of that name have the same, by their path otherwise."""
    by_name: dict[str, Counter[int]] = {}
    for path, one in ranks.items():
        by_name.setdefault(path.rpartition(".")[2], Counter())[one] += 1
    pattern = {}
    for path, one in ranks.items():
        name = path.rpartition(".")[2]
        if one != rank:
            pattern[name if len(by_name[name]) == 1 else f"^{path}"] = one
    return pattern
