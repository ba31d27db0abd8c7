"""The one form in which every source hands over its images: four read-only arrays and their hash."""

import hashlib
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from aae_jax.errors import InputError

__all__ = ["Dataset", "build_dataset", "content_sha256"]

Images = NDArray[np.uint8]
Labels = NDArray[np.int32]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Hold the training and test images of one data source; make one with `build_dataset`.

    Attributes:
        name: The short name that the command line takes, such as "mnist".
        source: Where the images came from, in words.
        sha256: The hexadecimal SHA-256 of all four arrays, from `content_sha256`.
        train_images: uint8 `[num_train, height, width]`, 0 is black and 255 white; read-only.
        train_labels: int32 `[num_train]`, in `0..num_classes - 1`; read-only.
        test_images: uint8 `[num_test, height, width]`; read-only.
        test_labels: int32 `[num_test]`; read-only.
        num_classes: The number of classes.
    """

    name: str
    source: str
    sha256: str
    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    num_classes: int

    @property
    def image_shape(self) -> tuple[int, int]:
        """Return `(height, width)` of every image, in pixels."""
        _, height, width = self.train_images.shape
        return height, width


def build_dataset(
    *,
    name: str,
    source: str,
    train_images: NDArray[Any],
    train_labels: NDArray[Any],
    test_images: NDArray[Any],
    test_labels: NDArray[Any],
    num_classes: int,
) -> Dataset:
    """Check the four arrays and return them as a `Dataset` of read-only copies.

    Args:
        name: The short name of the data.
        source: Where the images came from, in words.
        train_images: uint8 `[num_train, height, width]`.
        train_labels: any integer type, `[num_train]`, in `0..num_classes - 1`.
        test_images: uint8 `[num_test, height, width]`, of the same height and width.
        test_labels: any integer type, `[num_test]`.
        num_classes: The number of classes.

    Raises:
        InputError: An array is empty or has the wrong type, rank, length or image size, or a label is out of
            range.
    """
    for part, images, labels in (
        ("training", train_images, train_labels),
        ("test", test_images, test_labels),
    ):
        _check_images(images, f"The {part} images of {name!r}")
        _check_labels(labels, f"The {part} labels of {name!r}", length=len(images), num_classes=num_classes)
    if train_images.shape[1:] != test_images.shape[1:]:
        raise InputError(
            f"The test images of {name!r} have size {test_images.shape[1:]} but its training images "
            f"{train_images.shape[1:]}; bring both to one height and width."
        )
    arrays = (
        _read_only_copy(train_images, np.uint8),
        _read_only_copy(train_labels, np.int32),
        _read_only_copy(test_images, np.uint8),
        _read_only_copy(test_labels, np.int32),
    )
    return Dataset(
        name=name,
        source=source,
        sha256=content_sha256(*arrays),
        train_images=arrays[0],
        train_labels=arrays[1],
        test_images=arrays[2],
        test_labels=arrays[3],
        num_classes=num_classes,
    )


def content_sha256(
    train_images: NDArray[Any],
    train_labels: NDArray[Any],
    test_images: NDArray[Any],
    test_labels: NDArray[Any],
) -> str:
    """Return the hexadecimal SHA-256 of the types, shapes and bytes of the four arrays, in this order.

    Equal contents give equal hashes on every machine: the bytes are taken in row-major, little-endian order.
    """
    digest = hashlib.sha256()
    for array in (train_images, train_labels, test_images, test_labels):
        portable = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"{portable.dtype.name}{list(portable.shape)};".encode())
        digest.update(portable.data)
    return digest.hexdigest()


def _check_images(images: NDArray[Any], what: str) -> None:
    if images.dtype != np.uint8:
        raise InputError(f"{what} have type {images.dtype}; convert them to uint8 values from 0 to 255.")
    if images.ndim != 3:
        raise InputError(f"{what} have shape {images.shape}; give an array of shape [images, height, width].")
    if images.size == 0:
        raise InputError(f"{what} are empty (shape {images.shape}); give at least one image.")


def _check_labels(labels: NDArray[Any], what: str, *, length: int, num_classes: int) -> None:
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"{what} have type {labels.dtype}; give integer classes.")
    if labels.shape != (length,):
        raise InputError(f"{what} have shape {labels.shape} for {length} images; give one label per image.")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise InputError(
            f"{what} run from {labels.min()} to {labels.max()}; with {num_classes} classes "
            f"they must lie in 0..{num_classes - 1}."
        )


def _read_only_copy(array: NDArray[Any], dtype: type[Scalar]) -> NDArray[Scalar]:
    copied = np.array(array, dtype=dtype, order="C")
    copied.setflags(write=False)
    return copied
