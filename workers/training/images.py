"""Rows with pictures, decoded when they are wanted: a dataset's pictures together may be larger than memory."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from tunesmith.registry.v1 import dataset_pb2

from services.chassis.errors import FailedPrecondition, InvalidArgument
from services.chassis.pictures import NoPicture, bytes_of, look
from workers.training.rows import CONVERTERS, Row, RowError

# Of pictures as the model reads them, which small datasets read again in each epoch.
KEPT_BYTES = 256 * 1024 * 1024
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


class PictureReader:
    """Makes of a decoded picture what a model reads: numbers of channels × height × width."""

    def __init__(self, image_processor: Any) -> None:
        self._image_processor = image_processor

    def __call__(self, picture: Any) -> torch.Tensor:
        """As the base model's own image processor has it."""
        pixels: torch.Tensor = self._image_processor(picture, return_tensors="pt")["pixel_values"][0]
        return pixels


def collate_pictures(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Rows to a batch."""
    return {
        "pixel_values": torch.stack([row["pixel_values"] for row in rows]),
        "labels": torch.tensor([row["labels"] for row in rows]),
    }


def patch_count(batch: dict[str, torch.Tensor], patch_size: int | None) -> int:
    """Patches of a batch's pictures, which are a vision model's tokens; pictures, for a model without patches."""
    pictures, _, height, width = batch["pixel_values"].shape
    return int(pictures) * (height // patch_size) * (width // patch_size) if patch_size else int(pictures)


def require_pillow() -> None:
    """Raise FailedPrecondition, reason PILLOW_MISSING, on a machine that decodes no pictures."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        text = (
            "this worker has no Pillow, which decodes pictures; install pillow in the pool's environment and send the job again"
        )
        raise FailedPrecondition("PILLOW_MISSING", text) from error


def decode(uri: str) -> Any:
    """A row's picture in RGB, as Pillow has it, the right way up. Raises NoPicture."""
    from PIL import Image, ImageOps

    data = bytes_of(uri)
    seen = look(data)
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            # Asked again of what decodes it: the two must not be made to disagree.
            if picture.size != (seen.width, seen.height):
                raise NoPicture("says two sizes of itself; save it again")
            return ImageOps.exif_transpose(picture).convert("RGB")
    except NoPicture:
        raise
    # Decoders of damaged files raise whatever they stumble over.
    except Exception as error:
        raise NoPicture(f"can't be decoded ({error}); save it again") from error


class PictureRows:
    """A file of rows with pictures. Each is checked for what it is when the file is opened, and decoded when it is asked for."""

    def __init__(self, path: Path, dataset_format: dataset_pb2.DatasetFormat, field_path: str) -> None:
        """Raises InvalidArgument with the field path and the line of the first bad row."""
        self._path = path
        self._field_path = field_path
        self._convert = CONVERTERS[dataset_format]
        self._places: list[tuple[int, int]] = []
        # What a row holds beside its picture.
        self.others: list[Row] = []
        for number, offset, line in _lines(path):
            row = self._row(number, line)
            self.others.append({name: value for name, value in row.items() if name != "image"})
            self._places.append((number, offset))
        if not self._places:
            raise InvalidArgument([(field_path, "the dataset has no rows; upload one that has")])

    def __len__(self) -> int:
        return len(self._places)

    def picture(self, index: int) -> Any:
        """A row's picture, decoded. Raises InvalidArgument with its line."""
        number, offset = self._places[index]
        with self._path.open("rb") as file:
            file.seek(offset)
            line = file.readline()
        try:
            return decode(json.loads(line)["image"])
        except NoPicture as error:
            raise self._bad(number, f"image {error}") from error

    def line(self, index: int) -> int:
        """Where a row stands in its file."""
        return self._places[index][0]

    def _row(self, number: int, line: bytes) -> Row:
        try:
            row = self._convert(json.loads(line))
            bytes_of(row["image"])
        except NoPicture as error:
            raise self._bad(number, f"image {error}") from error
        except (RowError, ValueError) as error:
            raise self._bad(number, str(error)) from error
        return row

    def _bad(self, number: int, reason: str) -> InvalidArgument:
        text = f"line {number} can't be trained on: {reason}; correct the row and upload the dataset again"
        return InvalidArgument([(self._field_path, text)])


class LabelledPictures:
    """What a trainer reads of pictures with labels: pixel values and the label's number."""

    def __init__(self, rows: PictureRows, numbers: list[int], read: PictureReader) -> None:
        self._rows = rows
        self._numbers = numbers
        self._read = read
        self._kept: dict[int, torch.Tensor] = {}
        self._kept_bytes = 0

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"pixel_values": self._pixels(index), "labels": self._numbers[index]}

    def _pixels(self, index: int) -> torch.Tensor:
        if index in self._kept:
            return self._kept[index]
        pixels = self._read(self._rows.picture(index))
        if self._kept_bytes + pixels.nbytes <= KEPT_BYTES:
            self._kept[index] = pixels
            self._kept_bytes += pixels.nbytes
        return pixels


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Number, place and content of each line that holds something."""
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, offset, line
            offset += len(line)
