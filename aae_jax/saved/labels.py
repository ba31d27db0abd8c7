"""Classes that users give to a model: names, or numbers counted from 0."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from aae_jax.errors import InputError
from aae_jax.text import quoted
from aae_jax.types import Array

__all__ = ["class_indices", "is_classes", "one_hot_labels"]


def is_classes(labels: Any) -> bool:
    """Return whether labels are classes `[count]`, names or whole numbers, and not one-hot rows or probabilities."""
    if labels is None:
        return False
    if isinstance(labels, jax.Array):
        return labels.ndim == 1 and bool(jnp.issubdtype(labels.dtype, jnp.integer))
    array = np.asarray(labels)
    return array.ndim == 1 and array.size > 0 and array.dtype.kind in "iuUO"


def class_indices(
    labels: Any, class_names: Sequence[str], count: int | None = None, *, of_data: bool = False
) -> NDArray[np.int64]:
    """Return the indices of classes `[count]`: texts are names, whole numbers are indices.

    Args:
        labels: Names or whole numbers, `[count]`.
        class_names: Names of the classes.
        count: Number of images that the labels are of; None: any.
        of_data: Whether the labels are those of data: whole numbers are names then, if all classes are called by one
            (a model trained on the labels 1, 2, 3 has the classes "1", "2", "3"); floats and booleans are taken too.

    Raises:
        InputError: There is no such class, or another number of labels.
    """
    array = np.asarray(labels)
    if of_data and array.dtype.kind in "bf" and bool((array == np.rint(array)).all()):
        array = array.astype(np.int64)
    length = len(class_names)
    if array.ndim != 1 or array.dtype.kind not in "iuUO" or (count is not None and len(array) != count):
        wanted = "each image" if count is None else f"each of {count} images"
        raise InputError(
            f"labels have shape {list(array.shape)} and type {array.dtype}; give one class for {wanted}: its name, "
            f"or its index from 0 to {length - 1}."
        )
    by_index = array.dtype.kind in "iu" and not (of_data and all(_is_whole(name) for name in class_names))
    known = {str(place) if by_index else name: place for place, name in enumerate(class_names)}
    places = [known.get(str(label), -1) for label in array.tolist()]
    if min(places, default=0) >= 0:
        return np.asarray(places, np.int64)
    label = next(label for label, place in zip(array.tolist(), places, strict=True) if place < 0)
    listed = ", ".join(quoted(name) for name in class_names[:10]) + (", …" if length > 10 else "")
    raise InputError(f"There is no class {quoted(label)}; the model's are {listed}.")


def _is_whole(name: str) -> bool:
    return name.removeprefix("-").isdecimal()


def one_hot_labels(labels: Any, class_names: Sequence[str], length: int, count: int) -> Array | NDArray[np.float32]:
    """Return one-hot labels `[count, length]` of classes; traced ones must be whole numbers from 0 on.

    Raises:
        InputError: See `class_indices`.
    """
    if isinstance(labels, jax.core.Tracer):
        if labels.shape != (count,) or not jnp.issubdtype(labels.dtype, jnp.integer):
            raise InputError(f"labels must be one class from 0 to {length - 1} for each of {count} images.")
        rows: Array = jax.nn.one_hot(labels, length, dtype=jnp.float32)
        return rows
    names = class_names if len(class_names) == length else [str(place) for place in range(length)]
    return np.asarray(class_indices(labels, names, count)[:, None] == np.arange(length), np.float32)
