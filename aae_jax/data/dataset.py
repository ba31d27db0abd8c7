"""Common form of all data sources: four read-only arrays and their hash."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.arrays import as_labels, as_rows_or_images, content_of
from aae_jax.data.brightness import refuse_darkness
from aae_jax.data.scaling import Scaling
from aae_jax.data.stored import blocks_of, extremes, is_mapped
from aae_jax.errors import InputError
from aae_jax.text import brief_fields

__all__ = ["ARRAYS", "IN_MEMORY", "Dataset", "build_dataset", "content_sha256", "count_repeated"]

ARRAYS = "arrays"
"""Name of data that were arrays in Python."""
IN_MEMORY = "memory"
"""Source of data that were arrays in Python."""
MAX_TEST_BYTES = 2**32
"""Size of the largest test set of streamed data: test images are evaluated in memory."""
Images = NDArray[np.uint8] | NDArray[np.float32]
Labels = NDArray[np.int32]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Training and test images of one data source; use `build_dataset` to construct one.

    `*image` is `height width`, `height width channels`, or `features` for plain vectors.

    Attributes:
        name: Short name on the command line, such as "mnist".
        source: Origin of the images, in words.
        sha256: Hexadecimal SHA-256 of all four arrays, from `content_sha256`.
        train_images: uint8 `[num_train, *image]`, 0 is black and 255 white, or float32 in [0, 1]; read-only. It may
            be a view of a mapped file (see `stored`).
        train_labels: int32 `[num_train]`, in `0..num_classes - 1`, or -1 for no label; read-only.
        test_images: As `train_images`, `[num_test, *image]`; read-only. There are none in data for training alone.
        test_labels: int32 `[num_test]`, in `0..num_classes - 1`, or all -1 without classes; read-only.
        num_classes: Number of classes; 0 for data without labels.
        class_names: Names of the classes, `[num_classes]`.
        scaling: Scaling of plain vectors to [0, 1], or None.
        notices: Sentences for the user on the reading of the source.
    """

    name: str
    source: str
    sha256: str
    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    num_classes: int
    class_names: tuple[str, ...]
    scaling: Scaling | None = None
    notices: tuple[str, ...] = ()

    @property
    def num_unlabelled(self) -> int:
        """Return the number of training images without a label."""
        return int(np.count_nonzero(self.train_labels < 0))

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Return the shape of one image: `(height, width)`, `(height, width, channels)` or `(features,)`."""
        return tuple(self.train_images.shape[1:])

    @classmethod
    def from_arrays(
        cls,
        images: Any,
        labels: Any = None,
        *,
        test_images: Any = None,
        test_labels: Any = None,
        image_shape: Sequence[int] | None = None,
        class_names: Sequence[str] | None = None,
        name: str = ARRAYS,
        split_seed: int = 0,
        hold_out: bool = True,
    ) -> "Dataset":
        """Return a data set of a user's own arrays, as `npz:FILE` reads them from a file.

        Images `[n, height, width]` or `[n, height, width, channels]` are whole numbers from 0 to 255 or floats from
        0 to 1. Rows `[n, features]` are bytes, treated like images, or any finite numbers, scaled to [0, 1] per
        feature by the range of the training rows. Negative labels, NaN, None and empty texts mean no label.

        Args:
            images: An array of any library, nested lists, or a data frame whose columns hold numbers.
            labels: Integers or texts `[n]`; None for data without labels. The classes are those that occur.
            test_images: As `images`; None: a quarter of each class, or of data without labels, is drawn.
            test_labels: As `labels`. Test images without a label join the training images.
            image_shape: Shape of one image, if `images` are rows of pixels.
            class_names: Names of the labels 0, 1, …; None: the labels themselves.
            name: Short name of the data.
            split_seed: Seed of the drawn test images.
            hold_out: Whether test images are drawn. Data without any are for training with `test=False`.

        Raises:
            InputError: The arrays are unsuitable, or only some are given.
        """
        if test_labels is not None and test_images is None:
            raise InputError("test_labels are given without test_images; give both.")
        if test_labels is not None and labels is None:
            raise InputError("test_labels are given, but no labels of the training images; give both.")
        content = content_of(
            as_rows_or_images(images, "The images", image_shape),
            None if labels is None else as_labels(labels, "The labels"),
            None if test_images is None else as_rows_or_images(test_images, "The test images", image_shape),
            None if test_labels is None else as_labels(test_labels, "The test labels"),
            called=("images", "labels", "test_images", "test_labels"),
            where="",
            name=name,
            split_seed=split_seed,
            hold_out=hold_out,
            class_names=class_names,
        )
        return build_dataset(
            **content.described(),
            name=name,
            source=IN_MEMORY,
            without_test_set=test_images is None and not hold_out,
        )

    def __repr__(self) -> str:
        """Return types and shapes instead of numbers."""
        return brief_fields(self)


def build_dataset(
    *,
    name: str,
    source: str,
    train_images: NDArray[Any],
    train_labels: NDArray[Any],
    test_images: NDArray[Any],
    test_labels: NDArray[Any],
    num_classes: int,
    class_names: Sequence[str] | None = None,
    scaling: Scaling | None = None,
    notices: Sequence[str] = (),
    without_test_set: bool = False,
) -> Dataset:
    """Validate the four arrays and return them as a `Dataset` of read-only copies.

    Args:
        name: Short name of the data.
        source: Origin of the images, in words.
        train_images: uint8, or float32 in [0, 1], `[num_train, *image]`.
        train_labels: Any integer type, `[num_train]`, in `0..num_classes - 1`, or -1 for no label.
        test_images: Of the same type and image shape, `[num_test, *image]`.
        test_labels: Any integer type, `[num_test]`, in `0..num_classes - 1`, or all -1 without classes.
        num_classes: Number of classes; 0 for data without labels.
        class_names: Names of the classes; None counts from "0".
        scaling: Scaling of plain vectors to [0, 1], stored with the model.
        notices: Sentences for the user on the reading of the source.
        without_test_set: Whether the test set is meant to be empty.

    Raises:
        InputError: An array is empty or has the wrong type, rank, length or image shape, a number is not finite or
            outside [0, 1], images are nearly black, or a label is out of range.
    """
    parts = [("training", train_images, train_labels)]
    if not without_test_set:
        parts.append(("test", test_images, test_labels))
    for part, images, labels in parts:
        _check_images(images, f"The {part} images of {name!r}")
        _check_shape(labels, f"The {part} labels of {name!r}", length=len(images))
    if train_images.shape[1:] != test_images.shape[1:]:
        raise InputError(
            f"The test images of {name!r} have shape {test_images.shape[1:]} but its training images "
            f"{train_images.shape[1:]}; bring both to one shape."
        )
    if train_images.dtype != test_images.dtype:
        raise InputError(
            f"The test images of {name!r} have type {test_images.dtype} but its training images "
            f"{train_images.dtype}; bring both to one type."
        )
    if train_images.dtype == np.uint8 or train_images.ndim > 2:
        refuse_darkness(train_images, f"The training images of {name!r}")
        if not without_test_set:
            refuse_darkness(test_images, f"The test images of {name!r}", black=True)
    for part, _, labels in parts:
        lowest = -1 if part == "training" or not num_classes else 0
        _check_range(labels, f"The {part} labels of {name!r}", lowest, num_classes)
    if is_mapped(train_images) and test_images.nbytes > MAX_TEST_BYTES:
        raise InputError(
            f"The {len(test_images):,} test images of {name!r} take {test_images.nbytes / 1e9:,.1f} GB, and are "
            f"evaluated in memory; give a test set of at most {MAX_TEST_BYTES / 1e9:,.1f} GB."
        )
    arrays = (
        train_images if is_mapped(train_images) else _read_only_copy(train_images, train_images.dtype.type),
        _read_only_copy(train_labels, np.int32),
        _read_only_copy(test_images, test_images.dtype.type),
        _read_only_copy(test_labels, np.int32),
    )
    names = tuple(str(i) for i in range(num_classes)) if class_names is None else tuple(class_names)
    if len(names) != num_classes:
        raise InputError(f"{name!r} has {len(names)} class names for {num_classes} classes; give one per class.")
    return Dataset(
        name=name,
        source=source,
        sha256=content_sha256(*arrays),
        train_images=arrays[0],
        train_labels=arrays[1],
        test_images=arrays[2],
        test_labels=arrays[3],
        num_classes=num_classes,
        class_names=names,
        scaling=scaling,
        notices=tuple(notices),
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
        digest.update(f"{array.dtype.name}{list(array.shape)};".encode())
        for block in blocks_of(array):
            digest.update(np.ascontiguousarray(block, dtype=array.dtype.newbyteorder("<")).data)
    return digest.hexdigest()


def count_repeated(train_images: NDArray[Any], test_images: NDArray[Any]) -> int:
    """Count the test images that are also training images, byte for byte.

    Args:
        train_images: `[num_train, *image]`.
        test_images: Of the same type and image shape, `[num_test, *image]`.
    """
    test = [image.tobytes() for image in test_images]
    sought = set(test)
    met = {content for block in blocks_of(train_images) for image in block if (content := image.tobytes()) in sought}
    return sum(content in met for content in test) if met else 0


def _check_images(images: NDArray[Any], what: str) -> None:
    if images.dtype not in (np.uint8, np.float32):
        raise InputError(
            f"{what} have type {images.dtype}; convert them to uint8 values from 0 to 255, or float32 from 0 to 1."
        )
    if images.ndim not in (2, 3, 4):
        raise InputError(
            f"{what} have shape {images.shape}; give an array of shape [images, height, width], "
            "[images, height, width, channels] or [rows, features]."
        )
    if images.size == 0:
        raise InputError(f"{what} are empty (shape {images.shape}); give at least one image.")
    if images.dtype == np.float32:
        # One pass, no copy: NaN fails every comparison, so test that both ends are valid.
        low, high = extremes(images)
        if not (low >= 0 and high <= 1):
            if np.isnan(low) or np.isnan(high):
                raise InputError(f"{what} hold NaN; leave those rows out or correct them.")
            bytes_ = "; divide them by 255" if 1 < high <= 255 and low >= 0 else ""
            raise InputError(f"{what} run from {low:g} to {high:g}; give finite numbers from 0 to 1{bytes_}.")


def _check_shape(labels: NDArray[Any], what: str, *, length: int) -> None:
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"{what} have type {labels.dtype}; give integer classes.")
    if labels.shape != (length,):
        raise InputError(f"{what} have shape {labels.shape} for {length} images; give one label per image.")


def _check_range(labels: NDArray[Any], what: str, lowest: int, num_classes: int) -> None:
    low, high = int(labels.min()), int(labels.max())
    if low >= lowest and high < num_classes:
        return
    if not num_classes:
        raise InputError(f"{what} run from {low} to {high}; without classes they must all be -1.")
    without = ", or -1 for no label" if lowest < 0 else ""
    raise InputError(
        f"{what} run from {low} to {high}; with {num_classes} classes they must be from 0 to "
        f"{num_classes - 1}{without}."
    )


def _read_only_copy(array: NDArray[Any], dtype: type[Scalar]) -> NDArray[Scalar]:
    copied = np.array(array, dtype=dtype, order="C")
    copied.setflags(write=False)
    return copied
