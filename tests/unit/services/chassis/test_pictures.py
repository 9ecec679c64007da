"""What pictures say of themselves, beside what Pillow reads of them."""

import io
from typing import Any

import pytest
from PIL import Image

from services.chassis.pictures import MAX_PIXELS, MAX_SIDE, NoPicture, bytes_of, data_uri, look

KINDS: dict[str, tuple[str, dict[str, Any], str]] = {
    "PNG": ("PNG", {}, "png"),
    "JPEG": ("JPEG", {}, "jpeg"),
    "JPEG in passes": ("JPEG", {"progressive": True}, "jpeg"),
    "JPEG with a comment": ("JPEG", {"comment": b"\xff\xd9" * 40}, "jpeg"),
    "WebP": ("WEBP", {}, "webp"),
    "WebP without loss": ("WEBP", {"lossless": True}, "webp"),
    "WebP that moves": ("WEBP", {"save_all": True, "append_images": [Image.new("RGB", (37, 21), "red")]}, "webp"),
    "GIF": ("GIF", {}, "gif"),
}


def made(kind: str) -> bytes:
    form, arguments, _ = KINDS[kind]
    written = io.BytesIO()
    Image.effect_noise((37, 21), 30).convert("RGB").save(written, form, **arguments)
    return written.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_kind_and_size_are_read_from_the_first_bytes(kind: str) -> None:
    data = made(kind)
    assert look(data) == (f"image/{KINDS[kind][2]}", 37, 21)
    assert bytes_of(data_uri(data)) == data


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "GIF"])
def test_a_picture_that_is_cut_off_anywhere_is_refused(kind: str) -> None:
    data = made(kind)
    # The last bytes of a WebP may be filling.
    for end in [*range(0, len(data) - 2, 7), len(data) - 2]:
        with pytest.raises(NoPicture):
            look(data[:end])


@pytest.mark.parametrize("end", [5, 12, 60])
def test_a_gif_that_is_cut_off_is_refused(end: int) -> None:
    with pytest.raises(NoPicture):
        look(made("GIF")[:end])


@pytest.mark.parametrize(("width", "height"), [(MAX_SIDE + 1, 1), (1, 2**31), (MAX_SIDE, MAX_PIXELS // MAX_SIDE + 1), (0, 5)])
def test_a_picture_that_promises_too_much_or_nothing_is_refused(width: int, height: int) -> None:
    data = made("PNG")
    with pytest.raises(NoPicture, match="pixels"):
        look(data[:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + data[24:])


@pytest.mark.parametrize("data", [b"", b"hello", b"<svg/>", b"BM" + bytes(60), b"RIFF\x04\0\0\0WAVEfmt "])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(NoPicture, match="save it as one of them"):
        look(data)
