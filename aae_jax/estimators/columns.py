"""Rows of users as numbers in [0, 1]: images by one scale, columns of tables by their ranges, categories one-hot."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, validate_data  # type: ignore[import-untyped, unused-ignore]

from aae_jax.data.arrays import is_frame

__all__ = ["Columns", "fit_columns", "read_rows"]

TAIL, REACH = 0.05, 3.0
"""Quantile on either side of a column's bulk, and how many widths of the bulk beyond it values are told apart."""
BYTE = 255.0
PLAIN = (str, bool, int, float, np.generic, type(None))
"""Types of what a column may hold."""
FAR = 1e6
"""Ranges away from the training rows' beyond which values are the same: their squares are float32 numbers."""


@dataclass(frozen=True)
class Columns:
    """Scaling of rows to [0, 1], fitted to training rows.

    Attributes:
        low: float64 `[numbers]`, values that become 0; smaller ones too.
        high: float64 `[numbers]`, values that become 1; larger ones too.
        numeric: Places of the numeric columns among all columns.
        categories: Place and categories of each other column.
        count: Number of columns.
        whole_images: Whether they are pixels of bytes.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    numeric: tuple[int, ...]
    categories: tuple[tuple[int, tuple[Any, ...]], ...]
    count: int
    whole_images: bool = False

    def is_for(self, rows: "Rows") -> bool:
        """Return whether rows have columns of the same kinds."""
        return self.numeric == rows.numeric and tuple(place for place, _ in self.categories) == rows.others

    @property
    def width(self) -> int:
        """Number of scaled numbers in a row."""
        return len(self.numeric) + sum(len(known) for _, known in self.categories)

    def transform(self, rows: "Rows", *, clip: bool = True) -> NDArray[np.float32]:
        """Return rows as float32 `[rows, width]` in [0, 1], or beyond; a category unseen in training is all zeros."""
        span = np.where(self.high > self.low, self.high - self.low, 1.0)
        scaled = (rows.numbers - self.low) / span
        scaled = np.clip(scaled, 0.0, 1.0) if clip else np.clip(scaled, -FAR, FAR)
        one_hot = [
            (column[:, None] == np.asarray(known, object)[None]).astype(np.float64)
            for column, (_, known) in zip(rows.texts, self.categories, strict=True)
        ]
        return np.concatenate([scaled, *one_hot], axis=1).astype(np.float32)

    def invert(self, unit: NDArray[Any]) -> NDArray[Any]:
        """Return scaled rows in the units of the data: float64, or objects if there are categories."""
        unit = np.asarray(unit, np.float64)
        numbers = self.low + unit[:, : len(self.numeric)] * (self.high - self.low)
        if not self.categories:
            return numbers
        rows = np.empty((len(unit), self.count), object)
        rows[:, list(self.numeric)] = numbers
        first = len(self.numeric)
        for place, known in self.categories:
            rows[:, place] = np.asarray(known, object)[unit[:, first : first + len(known)].argmax(axis=1)]
            first += len(known)
        return rows


@dataclass(frozen=True)
class Rows:
    """Rows that were read: numeric columns `[rows, numbers]`, and the others, one array of objects each."""

    numbers: NDArray[np.float64]
    texts: tuple[NDArray[Any], ...]
    numeric: tuple[int, ...]
    others: tuple[int, ...]
    whole_images: bool

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.numbers)


def read_rows(estimator: Any, X: Any, *, image_shape: Any, reset: bool) -> Rows:
    """Return the rows of an array or a data frame, checked as scikit-learn's estimators do.

    Args:
        estimator: The estimator, which remembers number and names of the features.
        X: `[rows, features]`; `[rows, *image_shape]` too, if that is given; or a data frame, whose columns of texts,
            categories or booleans become categories.
        image_shape: Shape of one image, or None for tables.
        reset: Whether to remember the features (in `fit`), or to compare them with those remembered.

    Raises:
        ValueError: Numbers are not finite, or the shape or the features are not those expected.
    """
    if is_frame(X) and image_shape is None:
        return _read_frame(estimator, X, reset)
    if not reset and estimator._columns.categories:
        raise ValueError("X is no data frame, but that of fit had columns of texts. Give a frame of its columns.")
    if image_shape is not None and (isinstance(image_shape, str) or np.ndim(image_shape) != 1):
        raise ValueError(f"image_shape is {image_shape!r}. Give (height, width), or (height, width, channels).")
    whole = np.asarray(X).dtype == np.uint8 if image_shape is not None else False
    if image_shape is not None and np.ndim(X) > 2:
        X = _flat(np.asarray(X), tuple(image_shape))
    numbers = validate_data(estimator, X, reset=reset, dtype=np.float64)
    if image_shape is not None and numbers.shape[1] != math.prod(image_shape):
        raise ValueError(
            f"X has {numbers.shape[1]} features, but image_shape is {tuple(image_shape)}. Give rows of "
            f"{math.prod(image_shape)} pixels."
        )
    if not reset and image_shape is not None:
        _check_range(numbers, bool(whole), estimator._columns)
    return Rows(numbers, (), tuple(range(numbers.shape[1])), (), bool(whole))


def _check_range(numbers: NDArray[np.float64], whole: bool, columns: Columns) -> None:
    """Refuse bytes where the images of `fit` were in [0, 1], and the other way round."""
    largest, top = float(numbers.max(initial=0.0)), float(columns.high[0])
    if top == 1.0 and largest > BYTE / 2:
        raise ValueError(f"X has values up to {largest:g}, but the images of fit were in [0, 1]. Divide them by 255.")
    if columns.whole_images and not whole and 0 < largest <= 1:
        raise ValueError("X has floats in [0, 1], but the images of fit were bytes. Give bytes, from 0 to 255.")


def _flat(images: NDArray[Any], image_shape: tuple[int, ...]) -> NDArray[Any]:
    if images.shape[1:] != image_shape:
        raise ValueError(f"X has images of shape {images.shape[1:]}, but image_shape is {image_shape}.")
    return images.reshape(len(images), -1)


def _read_frame(estimator: Any, frame: Any, reset: bool) -> Rows:
    validate_data(estimator, frame, reset=reset, skip_check_array=True)
    names = list(frame.columns)
    if not names:
        raise ValueError("X has no columns. Give a data frame with at least one.")
    arrays = [_column(frame[name], str(name)) for name in names]
    kinds = ["number" if _is_number(array) else "text" for array in arrays]
    if not reset and estimator._columns.count == len(names):  # a column stays what it was in fit
        kinds = ["number" if place in estimator._columns.numeric else "text" for place in range(len(names))]
    numeric = tuple(place for place, kind in enumerate(kinds) if kind == "number")
    others = tuple(place for place, kind in enumerate(kinds) if kind == "text")
    numbers = np.empty((len(arrays[0]), 0))
    if numeric:
        stacked = np.stack([np.asarray(arrays[place], np.float64) for place in numeric], axis=1)
        numbers = check_array(stacked, dtype=np.float64, input_name="X")
    texts = tuple(arrays[place].astype(object) for place in others)
    return Rows(np.asarray(numbers), texts, numeric, others, False)


def _column(column: Any, name: str) -> NDArray[Any]:
    """Return a column as numbers, booleans or texts; objects that are numbers become numbers.

    Raises:
        ValueError: Texts are missing, or the column is of another kind, such as dates.
    """
    array = np.asarray(column)
    if array.dtype.kind not in "biufOUS":
        raise ValueError(f"Column {name!r} of X has type {array.dtype}. Give numbers, texts or booleans.")
    if array.dtype.kind != "O":
        return array
    values = array.tolist()
    if all(value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in values):
        return np.asarray([np.nan if value is None else value for value in values], np.float64)
    odd = next((value for value in values if not isinstance(value, PLAIN) and type(value).__name__ != "NAType"), None)
    if odd is not None:
        raise ValueError(f"Column {name!r} of X holds a {type(odd).__name__}. Give numbers, texts or booleans.")
    if any(value is None or value != value or type(value).__name__ == "NAType" for value in values):
        raise ValueError(f"Column {name!r} of X has missing values (NaN). Put an imputer before the estimator.")
    return array


def _is_number(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "iuf"


def fit_columns(rows: Rows, *, images: bool) -> Columns:
    """Return the scaling of training rows.

    All pixels of images share one range: 0 to 255 for bytes, 0 to 1 for numbers within it, else 0, or the smallest
    number, to the largest. A column of a table has its own range, but values further from its bulk (the 5 to 95 %
    quantiles) than three times the bulk's width are clipped.
    """
    numbers = rows.numbers
    if images:
        smallest, largest = float(numbers.min()), float(numbers.max())
        high = BYTE if rows.whole_images else 1.0 if largest <= 1 and smallest >= 0 else largest
        low, top = np.full(numbers.shape[1], min(0.0, smallest)), np.full(numbers.shape[1], high)
    else:
        low, top = _ranges(numbers)
    categories = tuple(
        (place, tuple(sorted(set(column.tolist()), key=lambda value: (str(type(value)), str(value)))))
        for place, column in zip(rows.others, rows.texts, strict=True)
    )
    count = len(rows.numeric) + len(rows.others)
    return Columns(low, top, rows.numeric, categories, count, images and rows.whole_images)


def _ranges(numbers: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if not numbers.shape[1]:
        return np.empty(0), np.empty(0)
    low, high = numbers.min(axis=0), numbers.max(axis=0)
    first, last = np.quantile(numbers, [TAIL, 1 - TAIL], axis=0)
    width = last - first
    bulky = width > 0
    return (
        np.where(bulky, np.maximum(low, first - REACH * width), low),
        np.where(bulky, np.minimum(high, last + REACH * width), high),
    )
