"""Where a model's files come from, and the order in which they are taken."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tunesmith.registry.v1 import base_model_pb2

from services.registry.importing.files import small_files, weight_files
from services.registry.importing.profile import check_config, profile
from services.registry.uninterrupted import to_the_end


class Source(Protocol):
    """Files by name, in one folder without folders inside."""

    @property
    def names(self) -> Sequence[str]:
        """What is there."""

    async def fetch(self, name: str, folder: Path) -> base_model_pb2.BaseModelFile:
        """Copy one file into a folder. Raises Refused."""


async def take_model(source: Source, folder: Path) -> base_model_pb2.BaseModel:
    """Copy what is needed of a model into a folder and say what it is. Raises Refused.

    The small files come first: they tell which weights there are, and most refusals need no others.
    """
    files = [await source.fetch(name, folder) for name in small_files(source.names)]
    await asyncio.to_thread(check_config, folder)
    files += [await source.fetch(name, folder) for name in weight_files(folder, source.names)]
    model = await to_the_end(asyncio.to_thread(profile, folder))
    model.files.extend(files)
    model.size_bytes = sum(file.size_bytes for file in files)
    return model
