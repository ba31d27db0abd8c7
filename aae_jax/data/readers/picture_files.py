"""One picture, decoded by Pillow without trusting it: formats by name, pixels counted first, no helper programs."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.brightness import refuse_darkness
from aae_jax.errors import InputError
from aae_jax.files import open_regular

__all__ = ["MAX_PIXELS", "SUFFIXES", "decode_picture", "read_picture"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
"""Others that Pillow knows start programs (EPS), or are never meant (icons, film)."""
MAX_PIXELS = 50_000_000
MAX_FILE_BYTES = 2**30
WIDEST = 65535
TO_DO = "spread its values over 0 to 255 (those of a mask of 0 and 1: 0 and 255), or leave it out"
UNKNOWN_RANGE = (
    "whether it has 8, 10, 12 or 16 bits is not known; save it with 8 bits, or with greys over all 16 bits"
)


def read_picture(file: Path, image_shape: tuple[int, ...], *, resize: bool = False) -> NDArray[np.uint8]:
    """Return a picture as bytes of `image_shape`, `[height, width]` or `[height, width, 3]`.

    It is turned as its EXIF orientation has it; of a film the first frame is taken; what is transparent is shown on
    white.

    Args:
        file: A PNG, JPEG, BMP, GIF, TIFF, WEBP or PPM file, whatever its name.
        image_shape: Grey or coloured.
        resize: Bring it to that size; otherwise another size is refused.

    Raises:
        InputError: It cannot be read, is not of that size, too large, or nearly black.
    """
    try:
        with open_regular(file, MAX_FILE_BYTES) as stream, _without_warnings():
            return _decode(stream, str(file), image_shape, resize)
    except OSError as error:
        raise InputError(f"{file} cannot be read as a picture ({error.strerror or error}); leave it out.") from error


def _decode(stream: Any, what: str, image_shape: tuple[int, ...], resize: bool) -> NDArray[np.uint8]:
    from PIL import Image

    height, width = image_shape[:2]
    try:
        with _open(stream, what) as opened:
            wide = any(";16" in str(tile[3]) for tile in opened.tile)  # in colour Pillow keeps the upper 8 of 16 bits
            picture = _upright(opened, what)
            if picture.size != (width, height) and not resize:
                raise InputError(
                    f"{what} is {picture.size[1]} x {picture.size[0]} pixels, the model takes {height} x {width}; "
                    "give --resize to bring it to that size."
                )
            if wide and picture.mode.startswith("RGB") and not np.asarray(picture)[..., :3].any():
                raise InputError(f"{what} has 16 bits, of which the upper 8 are not used: {UNKNOWN_RANGE}.")
            picture = _on_white(_eight_bits(picture, what)).convert("L" if len(image_shape) == 2 else "RGB")
            pixels = np.asarray(picture, dtype=np.uint8)
            refuse_darkness(pixels, f"The pixels of {what}", black=True, advice=TO_DO)
            if picture.size != (width, height):
                picture = picture.resize((width, height), Image.Resampling.LANCZOS)
            return np.asarray(picture, dtype=np.uint8)
    except InputError:
        raise
    except Exception as error:  # Pillow raises nearly every kind over damaged pictures
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{what} cannot be read as a picture ({reason}); leave it out, or save it again.") from error


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Keep Pillow's warnings away: of damage in what a picture holds besides pixels, and of sizes refused here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _open(stream: Any, what: str) -> Any:
    """Return an opened picture, nothing of which is decoded, of a known format and not too large."""
    from PIL import Image, UnidentifiedImageError

    try:
        opened = Image.open(stream, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise InputError(f"{what} has more than {MAX_PIXELS:,} pixels; make it smaller.") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{what} cannot be read as a picture: it is none of {', '.join(FORMATS)}.") from error
    if opened.size[0] * opened.size[1] > MAX_PIXELS:
        raise InputError(f"{what} has more than {MAX_PIXELS:,} pixels; make it smaller.")
    return opened


def _upright(opened: Any, what: str) -> Any:
    """Return a picture as it is shown; damage in what else its EXIF data hold is no reason to refuse it."""
    from PIL import ImageOps

    opened.load()
    try:
        return ImageOps.exif_transpose(opened)
    except Exception as error:
        raise InputError(f"{what} has a damaged EXIF orientation ({type(error).__name__}); save it again.") from error


def _on_white(picture: Any) -> Any:
    """Return a picture as it is shown on white, where it has transparent parts: their colour means nothing."""
    from PIL import Image

    if not picture.has_transparency_data:
        return picture
    opaque = Image.new("RGBA", picture.size, "white")
    opaque.alpha_composite(picture.convert("RGBA"))
    return opaque.convert("RGB")


def _eight_bits(picture: Any, what: str) -> Any:
    """Return a picture of 16-bit greys in bytes: converted as they are, they would all be white."""
    from PIL import Image

    if picture.mode not in ("I", "F") and not picture.mode.startswith("I;"):
        return picture
    greys = np.asarray(picture)
    if picture.mode == "F" or greys.min() < 0 or greys.max() > WIDEST:
        raise InputError(f"{what} has greys of kind {picture.mode}; save it with 8 or 16 bits.")
    refuse_darkness(greys, f"The greys of {what}", brightest=WIDEST, black=True, advice=UNKNOWN_RANGE)
    return Image.fromarray((greys.astype(np.int64) // 257).astype(np.uint8))


def decode_picture(content: bytes, what: str) -> NDArray[np.uint8]:
    """Return the pixels of an encoded picture in memory, `[height, width]` or `[height, width, channels]`.

    Its channels are kept as they are; it is turned as its EXIF orientation has it.

    Raises:
        InputError: It is damaged, too large, of another format, or has not 8 bits.
    """
    try:
        with _without_warnings(), _open(io.BytesIO(content), what) as opened:
            picture = _upright(opened, what)
            if picture.mode == "P":  # numbers of colours, which are none themselves
                picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
            pixels = np.asarray(picture)
    except InputError:
        raise
    except Exception as error:  # Pillow raises nearly every kind over damaged pictures
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{what} cannot be read as a picture ({reason}); prepare the copy again.") from error
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype != np.uint8:
        raise InputError(f"{what} holds pixels of type {pixels.dtype}; give a set of 8-bit images.")
    return pixels
