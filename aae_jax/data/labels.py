"""Labels of a data source: classes numbered from 0, missing labels, and a fully labelled test set."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.seeds import draw_test
from aae_jax.data.stored import require_in_memory
from aae_jax.errors import InputError
from aae_jax.text import quoted

__all__ = ["NO_LABEL", "Parts", "counted_from", "draw_parts", "number_classes", "require_classes", "settle_parts"]

NO_LABEL = -1
"""Label of an image without one."""
BLANK_TEXTS = ("", "-1", "nan", "NaN", "None", "<NA>")
"""Texts of a missing label, without surrounding whitespace: empty table cells, Python's and pandas' spellings."""
MAX_WHOLE = 2.0**53
"""Largest magnitude up to which float64 represents all integers exactly."""

Labels = NDArray[np.int32]


class Parts(NamedTuple):
    """Arrays of a data source; labels are int32, -1 for no label."""

    train_images: NDArray[Any]
    train_labels: Labels
    test_images: NDArray[Any]
    test_labels: Labels


class Settled(NamedTuple):
    """Arrays in which every test image has a label, or no image has one, and notices on the changes made."""

    parts: Parts
    class_names: tuple[str, ...]
    notices: tuple[str, ...]


def number_classes(labels: NDArray[Any], what: str) -> tuple[Labels, tuple[str, ...]]:
    """Number the classes from 0; return labels `[n]` and the names of the classes that occur, sorted.

    Negative numbers, NaN, and texts that are empty, "nan", "None" or "-1" mean no label, which becomes -1.

    Args:
        labels: Integers or texts, `[n]` or `[n, 1]`.
        what: Name of the labels in messages.

    Raises:
        InputError: The labels have another shape or type.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.size == 0:
        raise InputError(f"{what} have shape {labels.shape}; give one class per image, not one-hot rows.")
    if labels.dtype.kind == "U":
        known = ~np.isin(np.char.strip(labels), BLANK_TEXTS)
    elif labels.dtype.kind == "f":
        known = labels >= 0
        labels = _whole(labels, what)
    elif labels.dtype.kind in "iu":
        known = labels >= 0
    else:
        raise InputError(f"{what} have type {labels.dtype}; give integers or strings.")
    values, places = np.unique(labels[known], return_inverse=True)
    classes = np.full(len(labels), NO_LABEL, np.int32)
    classes[known] = places.reshape(-1)
    return classes, tuple(str(value) for value in values)


def _whole(labels: NDArray[Any], what: str) -> NDArray[np.int64]:
    """Convert floats to integers, NaN to -1."""
    numbers = np.where(np.isnan(labels), NO_LABEL, labels).astype(np.float64)
    odd = numbers[(np.abs(numbers) > MAX_WHOLE) | (numbers != np.rint(numbers))]
    if odd.size:
        raise InputError(f"{what} hold {odd[0]:g}, type {labels.dtype}; give integers or strings.")
    whole: NDArray[np.int64] = numbers.astype(np.int64)
    return whole


def require_classes(
    class_names: Sequence[str],
    labels: Labels,
    what: str,
    unlabelled: str = "negative numbers, NaN and empty strings mean no label",
) -> None:
    """Refuse labels with only one class; without any class the data have no labels.

    Args:
        class_names: Names of the classes that occur.
        labels: The labels.
        what: Where they are, in messages.
        unlabelled: What has no label, in messages.

    Raises:
        InputError: There is exactly one class.
    """
    if len(class_names) != 1:
        return
    some = f" ({unlabelled})" if (labels < 0).any() else ""
    raise InputError(
        f"All labels {what} are {quoted(class_names[0])}{some}; give images of at least two classes, or no labels."
    )


def counted_from(first: int, labels: NDArray[Any], what: str) -> Labels:
    """Renumber labels whose first class is `first` to start from 0.

    Raises:
        InputError: A label is less than `first`.
    """
    if labels.size and int(labels.min()) < first:
        raise InputError(f"{what} start at {labels.min()}, but the classes are numbered from {first}; correct them.")
    return labels.astype(np.int32) - np.int32(first)


def settle_parts(parts: Parts, class_names: Sequence[str], *, name: str, split_seed: int) -> Settled:
    """Return arrays in which every test image has a label, or no image has one.

    Test images without a label are moved to the training images. If none is left, a quarter of each class is drawn,
    as for data without a test set. If no training image has a label, the labels of the test images are dropped.
    Arrays that do not match are returned unchanged: `build_dataset` refuses them.

    Args:
        parts: Arrays of the data source.
        class_names: Names of the classes, numbered from 0.
        name: Name of the data in notices.
        split_seed: Seed of drawn test images.

    Raises:
        InputError: Too few training images have a label for a test set.
    """
    train_images, train_labels, test_images, test_labels = parts
    if not _fit(parts):
        return Settled(parts, tuple(class_names), ())
    if not (train_labels >= 0).any():
        nothing = [np.full(len(labels), NO_LABEL, np.int32) for labels in (train_labels, test_labels)]
        unused = f"No training image of {name} has a label: the labels of its test images are not used."
        told = (unused,) if (test_labels >= 0).any() else ()
        return Settled(Parts(train_images, nothing[0], test_images, nothing[1]), (), told)
    bare = test_labels < 0
    if not bare.any():
        return Settled(parts, tuple(class_names), ())
    require_in_memory(train_images, f"{name} has test images without a label; label them, or leave them out.")
    told_of = f"{bare.sum():,} of the {len(bare):,} test images of {name} have no label and join the training images"
    joined = np.concatenate([train_images, test_images[bare]]), np.concatenate([train_labels, test_labels[bare]])
    if not bare.all():
        return Settled(Parts(*joined, test_images[~bare], test_labels[~bare]), tuple(class_names), (f"{told_of}.",))
    drawn = draw_parts(*joined, name=name, split_seed=split_seed)
    return Settled(
        drawn, tuple(class_names), (f"{told_of}; a quarter of each class is drawn as the test set instead.",)
    )


def draw_parts(images: NDArray[Any], labels: Labels, *, name: str, split_seed: int) -> Parts:
    """Split data without a test set: a quarter of each class, or of data without labels, becomes the test set.

    Raises:
        InputError: A quarter is less than one image.
    """
    require_in_memory(images, f"{name} has no test images of its own; give training and test images.")
    is_test = draw_test(labels, split_seed)
    if len(labels) and not is_test.any():
        if not (labels >= 0).any():
            raise InputError(f"{name} has too few images for a test set, a quarter of them; give test images too.")
        raise InputError(
            f"{name} has too few images with a label for a test set, a quarter of each class; give test images with "
            "labels, or more labels."
        )
    return Parts(images[~is_test], labels[~is_test], images[is_test], labels[is_test])


def _fit(parts: Parts) -> bool:
    """Return whether the arrays can be concatenated: one label per image, and images of one shape and type."""
    train_images, train_labels, test_images, test_labels = parts
    return (
        train_images.ndim == test_images.ndim > 0
        and train_images.shape[1:] == test_images.shape[1:]
        and train_images.dtype == test_images.dtype
        and len(train_images) == len(train_labels) > 0
        and len(test_images) == len(test_labels) > 0
    )
