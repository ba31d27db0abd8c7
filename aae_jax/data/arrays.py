"""Arrays of a user's own as images, rows and labels: conversion, class names, a test set, scaling."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.labels import NO_LABEL, Labels, Parts, draw_parts, number_classes, require_classes, settle_parts
from aae_jax.data.scaling import Scaling, check_rows, fit_scaling
from aae_jax.data.stored import is_mapped, require_in_memory
from aae_jax.errors import InputError
from aae_jax.text import quoted

__all__ = ["Content", "as_images", "as_labels", "as_rows_or_images", "content_of", "is_frame", "labels_of"]

MAX_CHANNELS = 4


class Content(NamedTuple):
    """Arrays of a data set that `build_dataset` takes, with what was found out about them."""

    parts: Parts
    scaling: Scaling | None
    class_names: tuple[str, ...]
    notices: tuple[str, ...]

    def described(self) -> dict[str, Any]:
        """Return the arguments of `build_dataset` but for name and source."""
        return {
            **self.parts._asdict(),
            "num_classes": len(self.class_names),
            "class_names": self.class_names,
            "scaling": self.scaling,
            "notices": self.notices,
        }


def content_of(
    images: NDArray[Any],
    labels: NDArray[Any] | None,
    test_images: NDArray[Any] | None,
    test_labels: NDArray[Any] | None,
    *,
    called: Sequence[str],
    where: str,
    name: str,
    split_seed: int,
    hold_out: bool = True,
    class_names: Sequence[str] | NDArray[Any] | None = None,
) -> Content:
    """Return arrays as a data set holds them; a quarter of each class becomes the test set of data without one.

    Args:
        images: Images, or rows of numbers, `[n, …]`.
        labels: Integers or texts `[n]`; None without labels.
        test_images: As `images`; None: they are drawn.
        test_labels: As `labels`.
        called: Names of the four arrays, in messages.
        where: Their place in messages, such as " in FILE"; "" for none.
        name: Name of the data in notices.
        split_seed: Seed of drawn test images.
        hold_out: Whether test images are drawn; otherwise there are none.
        class_names: Names of the labels 0, 1, …; None: the labels themselves.

    Raises:
        InputError: Types, shapes, lengths or numbers are unsuitable.
    """
    parts: list[tuple[Any, Any, str, str]] = [(images, labels, called[0], called[1])]
    if test_images is not None:
        parts.append((test_images, test_labels, called[2], called[3]))
    classes, names = labels_of(parts, where)
    if class_names is not None:
        names = _renamed(names, class_names, where)
    train = as_images(images, f"The training images{where}")
    if test_images is None and not hold_out:
        empty = Parts(train, classes, train[:0], classes[:0])
        return Content(*_scaled(empty, where), class_names=names, notices=())
    if test_images is None:
        drawn = draw_parts(train, classes, name=name, split_seed=split_seed)
    else:
        count = len(images)
        test = as_images(test_images, f"The test images{where}")
        drawn = Parts(train, classes[:count], test, classes[count:])
    settled, names, notices = settle_parts(drawn, names, name=name, split_seed=split_seed)
    return Content(*_scaled(settled, where), class_names=names, notices=notices)


def labels_of(
    parts: Sequence[tuple[NDArray[Any], NDArray[Any] | None, str, str]], where: str
) -> tuple[Labels, tuple[str, ...]]:
    """Return the classes of the images of all parts, one after the other, and the class names.

    Args:
        parts: Images, labels or None, and the names of both, of the training and the test images.
        where: Their place in messages.

    Raises:
        InputError: Lengths, types or shapes differ, or there is only one class.
    """
    given = [(labels, called) for _, labels, _, called in parts if labels is not None]
    what = f"{' and '.join(called for _, called in given)}{where}"
    first = given[0][0] if given else None
    if first is not None and any(
        labels.ndim == 0 or labels.shape[1:] != first.shape[1:] or _kind(labels) != _kind(first)
        for labels, _ in given
    ):
        raise InputError(f"{what} are of different types or shapes; give both in one form.")
    for images, labels, images_called, called in parts:
        if labels is not None:
            _check_lengths(images, labels, f"{images_called} and {called}{where}")
        elif images.ndim == 0:
            raise InputError(f"{images_called}{where} is a scalar; give an array of images or rows.")
    classes = np.full(sum(len(images) for images, *_ in parts), NO_LABEL, np.int32)
    if not given:
        return classes, ()
    numbered, class_names = number_classes(np.concatenate([labels for labels, _ in given]), what)
    classes[: len(numbered)] = numbered
    require_classes(class_names, numbered, where.strip() or "of the images")
    return classes, class_names


def _kind(labels: NDArray[Any]) -> str:
    """Return the kind of labels, one for all numbers: NaN for a missing label turns integers into floats."""
    return "f" if labels.dtype.kind in "iuf" else labels.dtype.kind


def _check_lengths(images: NDArray[Any], labels: NDArray[Any], what: str) -> None:
    if images.ndim == 0 or len(images) != len(labels):
        raise InputError(f"{what} have shapes {images.shape} and {labels.shape}; give one label per image.")


def _renamed(class_names: tuple[str, ...], given: Sequence[str] | NDArray[Any], where: str) -> tuple[str, ...]:
    """Return the given names of the classes 0, 1, …; none for data without labels."""
    if not class_names:
        return ()
    names = np.asarray(given)
    if names.ndim != 1 or names.dtype.kind != "U" or list(class_names) != [str(i) for i in range(len(names))]:
        raise InputError(
            f"class_names{where} has shape {names.shape} and type {names.dtype} for the labels "
            f"{', '.join(class_names[:5])}; give one string for each label 0, 1, …, all of which must occur."
        )
    return tuple(str(name) for name in names)


def _scaled(parts: Parts, where: str) -> tuple[Parts, Scaling | None]:
    """Return the arrays with rows of numbers scaled by the range of the training rows; images are unchanged."""
    train, test = parts.train_images, parts.test_images
    if train.ndim != 2 or train.dtype == np.uint8:
        return parts, None
    if test.ndim != 2 or train.shape[1] != test.shape[1] or len(train) == 0:
        raise InputError(
            f"Training and test rows{where} have shapes {train.shape} and {test.shape}; give rows of one length."
        )
    scaling = fit_scaling(train, f"The training rows{where}")
    scaled = (scaling.apply(rows, f"The {part} rows{where}") for part, rows in (("training", train), ("test", test)))
    train, test = scaled
    return parts._replace(train_images=train, test_images=test), scaling


def as_images(images: NDArray[Any], what: str) -> NDArray[Any]:
    """Convert images to bytes or float32, whose range `build_dataset` checks; rows of numbers are not converted.

    Raises:
        InputError: They are no numbers, out of range, or have their channels first.
    """
    if images.ndim == 4 and images.shape[1] <= MAX_CHANNELS < min(images.shape[2:]):
        raise InputError(
            f"{what} have shape {images.shape}, channels before height and width; "
            "transpose them to [images, height, width, channels]."
        )
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if is_mapped(images) and images.ndim > 2 and images.dtype == np.float32:
        return images
    if images.dtype != np.uint8:
        require_in_memory(images, f"{what} have type {images.dtype}; save bytes, or images of float32 from 0 to 1.")
    if images.dtype.kind == "b":
        return images.astype(np.uint8) * np.uint8(255)
    if images.dtype.kind not in "iuf":
        raise InputError(f"{what} have type {images.dtype}; give numbers.")
    if images.dtype == np.uint8:
        return images
    if images.ndim == 2:
        return images  # not converted to float32 before scaling: time stamps would become equal
    if images.ndim > 2 and images.dtype.kind in "iu":
        low, high = int(images.min(initial=0)), int(images.max(initial=0))
        if low < 0 or high > 255:
            raise InputError(f"{what} run from {low} to {high}; give whole numbers from 0 to 255.")
        return images.astype(np.uint8)
    check_rows(images, what)
    return images.astype(np.float32)


def is_frame(data: Any) -> bool:
    """Return whether the data are a data frame, of pandas, polars or another library: named columns of arrays."""
    return hasattr(data, "columns") and hasattr(data, "__getitem__") and not isinstance(data, (np.ndarray, Mapping))


def as_rows_or_images(data: Any, what: str, image_shape: Sequence[int] | None = None) -> NDArray[Any]:
    """Return images or rows of a user as a NumPy array.

    Args:
        data: An array of any library, nested lists, or a data frame of numbers.
        what: Name of the data in messages.
        image_shape: Shape that rows of pixels `[n, pixels]` are given; None: they stay as they are.

    Raises:
        InputError: They are no array of numbers, or not of that shape.
    """
    if isinstance(data, Mapping) or hasattr(data, "toarray"):
        kind = "a sparse array" if hasattr(data, "toarray") else "a mapping"
        advice = "convert it by .toarray()" if hasattr(data, "toarray") else "give an array or a data frame"
        raise InputError(f"{what} are {kind}; {advice}.")
    array = _frame_rows(data, what) if is_frame(data) else _as_array(data, what)
    if array.dtype.kind == "O":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"{what} are not an array of numbers ({error}); give numbers.") from error
    if image_shape is None or array.shape[1:] in (tuple(image_shape), (*image_shape, 1)):
        return array
    shape = tuple(int(side) for side in image_shape)
    if array.ndim != 2 or array.shape[1] != math.prod(shape) or min(shape, default=0) < 1:
        raise InputError(
            f"{what} have shape {array.shape}, but image_shape is {shape}; give images of that shape, or rows of its "
            f"{math.prod(shape)} pixels."
        )
    return array.reshape(len(array), *shape)


def _as_array(data: Any, what: str) -> NDArray[Any]:
    try:
        return np.asarray(data)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} are not an array ({error}); give rows or images of one shape.") from error


def _frame_rows(frame: Any, what: str) -> NDArray[Any]:
    """Return the rows of a data frame, all of whose columns hold numbers."""
    columns = [(str(name), np.asarray(frame[name])) for name in frame.columns]
    for name, column in columns:
        if column.dtype.kind not in "biufO" or column.ndim != 1:
            raise InputError(
                f"Column {quoted(name)} of {what[0].lower()}{what[1:]} has type {column.dtype}; leave it out, or "
                "give numbers (the estimators of aae_jax.estimators encode categories)."
            )
    if not columns:
        raise InputError(f"{what} have no columns; give a data frame of numbers.")
    numbers = [column.astype(np.uint8) if column.dtype.kind == "b" else column for _, column in columns]
    kinds = {column.dtype.kind for column in numbers}
    return np.stack([column.astype(np.int64) for column in numbers] if kinds <= {"i", "u"} else numbers, axis=1)


def as_labels(labels: Any, what: str) -> NDArray[Any]:
    """Return labels of a user as integers, floats or texts `[n]`; None, NaN and pandas' NA become missing ones.

    Among texts, negative numbers are missing ones too.

    Raises:
        InputError: They mix texts with numbers, or are neither.
    """
    array = np.asarray(labels, dtype=np.object_ if isinstance(labels, (list, tuple)) else None)
    if array.dtype.kind == "b":
        return array.astype(np.int32)
    if array.dtype.kind != "O":
        return array
    values = array.reshape(-1).tolist()
    named = any(isinstance(value, str) for value in values)
    missing = [_is_missing(value) or (named and _is_negative(value)) for value in values]
    known = [value for value, lacks in zip(values, missing, strict=True) if not lacks]
    if all(isinstance(value, str) for value in known):
        texts = ["" if lacks else value for value, lacks in zip(values, missing, strict=True)]
        return np.asarray(texts, dtype=np.str_).reshape(array.shape)
    if all(isinstance(value, (int, float, np.integer, np.floating, np.bool_)) for value in known):
        numbers = [NO_LABEL if lacks else value + 0 for value, lacks in zip(values, missing, strict=True)]
        return np.asarray(numbers).reshape(array.shape)
    kinds = sorted({type(value).__name__ for value in known})
    raise InputError(f"{what} hold values of type {' and '.join(kinds)}; give integers, or texts alone.")


def _is_negative(value: Any) -> bool:
    """Return whether a label is a number below 0."""
    return isinstance(value, (int, float, np.integer, np.floating)) and bool(value < 0)


def _is_missing(value: Any) -> bool:
    """Return whether a label is None, NaN, NaT or pandas' NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and math.isnan(value)
