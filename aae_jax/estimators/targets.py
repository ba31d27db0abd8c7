"""Labels of estimators: classes as given, with those of unlabelled rows recognised."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets  # type: ignore[import-untyped, unused-ignore]
from sklearn.utils.validation import column_or_1d  # type: ignore[import-untyped, unused-ignore]

from aae_jax.data.labels import BLANK_TEXTS

__all__ = ["Targets", "read_targets"]


class Targets(NamedTuple):
    """Classes and the index of each row's.

    Attributes:
        classes: The classes, sorted, in their own type.
        indices: int32 `[rows]`, places in `classes`; -1: no label.
    """

    classes: NDArray[Any]
    indices: NDArray[np.int32]


def read_targets(y: Any, count: int) -> Targets:
    """Return the classes of labels `[count]`, in which -1, NaN, None, and these as texts, mean no label.

    Raises:
        ValueError: The labels are no classes, or all of one class or missing, or not one for each row.
    """
    if y is None:
        raise ValueError("This estimator requires y to be passed, but the target y is None.")
    y = column_or_1d(np.asarray(y), warn=True)
    if len(y) != count:
        raise ValueError(f"X has {count} rows, but y has {len(y)} labels. Give one label for each row.")
    missing = _missing(y)
    known = y[~missing]
    if not len(known):
        raise ValueError(
            "y has no labels: all of its values are -1 or missing. Give some labels, at least two classes."
        )
    if known.dtype.kind == "O":
        known = _plain(known)
    check_classification_targets(known)
    classes, places = np.unique(known, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y has one class, {classes.tolist()[0]!r}. Give labels of at least two classes.")
    indices = np.full(len(y), -1, np.int32)
    indices[~missing] = places
    return Targets(classes, indices)


def _missing(y: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which labels are missing."""
    if y.dtype.kind in "iu":
        return np.asarray(y == -1)
    if y.dtype.kind == "f":
        return np.asarray(np.isnan(y) | (y == -1))
    if y.dtype.kind == "O":
        return np.asarray([_is_missing(value) for value in y.tolist()], bool)
    return np.isin(y, BLANK_TEXTS) if y.dtype.kind == "U" else np.zeros(len(y), bool)


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, str):
        return value in BLANK_TEXTS
    return bool(value == -1 or value != value)


def _plain(known: NDArray[Any]) -> NDArray[Any]:
    """Return objects as texts or numbers; others are left for scikit-learn to judge.

    Raises:
        ValueError: There are texts and others.
    """
    values = known.tolist()
    if all(isinstance(value, str) for value in values):
        return known
    if any(isinstance(value, str) for value in values):
        other = next(value for value in values if not isinstance(value, str))
        raise ValueError(f"y has a mix of texts and values of type {type(other).__name__}. Give one kind of labels.")
    try:
        return np.asarray(values)
    except ValueError:
        return known
