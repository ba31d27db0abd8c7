"""Collections of decoded images: in memory, or in a temporary file that is mapped."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.stored import is_mapped, map_array, release

__all__ = ["InFile", "InMemory", "pick"]

Image = NDArray[np.uint8]
PART = 256
"""Number of images that are copied at once."""


class InMemory:
    """Decoded images of one size, in memory."""

    def __init__(self) -> None:
        """Start without images."""
        self.images: list[Image] = []

    def add(self, image: Image) -> None:
        """Append an image `[height, width]` or `[height, width, 3]`."""
        self.images.append(image)

    def stacked(self) -> Image:
        """Return the images `[count, height, width]` if the channels of each are equal, else with 3 channels."""
        if all(_is_grey(image) for image in self.images):
            return np.stack([image if image.ndim == 2 else image[..., 0] for image in self.images])
        return np.stack([_in_colour(image) for image in self.images])

    def close(self) -> None:
        """Do nothing."""


class InFile:
    """Decoded images of one size, in a temporary file without a name, which ends with the process."""

    def __init__(self, folder: Path) -> None:
        """Create the file in `folder`."""
        self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`
        self.count, self.all_grey, self.shape = 0, True, (0, 0)

    def add(self, image: Image) -> None:
        """Append an image `[height, width]` or `[height, width, 3]`; the file holds all of them in colour."""
        self.file.write(np.ascontiguousarray(_in_colour(image)).data)
        self.count, self.all_grey, self.shape = self.count + 1, self.all_grey and _is_grey(image), image.shape[:2]

    def stacked(self) -> Image:
        """Return the images as `InMemory.stacked` does, as a view of the mapped file."""
        self.file.flush()
        images: Image = map_array(self.file, np.uint8, (self.count, *self.shape, 3), 0)
        return images[..., 0] if self.all_grey else images

    def close(self) -> None:
        """Close the file; images that were returned stay valid."""
        self.file.close()


def pick(images: Image, rows: Sequence[int] | NDArray[np.int64], scratch: Path | None = None) -> Image:
    """Return a copy of some images in memory, or, with a scratch folder, in a temporary file that is mapped."""
    rows = np.asarray(rows, np.int64)
    if scratch is None or not is_mapped(images) or not len(rows):
        copied = np.empty((len(rows), *images.shape[1:]), images.dtype)
        for first in range(0, len(rows), PART):
            copied[first : first + PART] = images[rows[first : first + PART]]
            release(images)
        return copied
    with tempfile.TemporaryFile(dir=scratch) as file:
        for first in range(0, len(rows), PART):
            file.write(np.ascontiguousarray(images[rows[first : first + PART]]).data)
            release(images)
        file.flush()
        mapped: Image = map_array(file, images.dtype, (len(rows), *images.shape[1:]), 0)
        return mapped


def _is_grey(image: Image) -> bool:
    if image.ndim == 2:
        return True
    return np.array_equal(image[..., 0], image[..., 1]) and np.array_equal(image[..., 0], image[..., 2])


def _in_colour(image: Image) -> Image:
    return np.repeat(image[..., None], 3, axis=-1) if image.ndim == 2 else image
