"""Classes that users give to a model: names, or numbers counted from 0."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from aae_jax.errors import InputError
from aae_jax.networks.apply import zeros
from aae_jax.saved.batching import as_rows
from aae_jax.text import quoted
from aae_jax.types import Array

__all__ = ["class_indices", "label_rows", "one_hot_labels"]


def _is_classes(labels: Any) -> bool:
    """Return whether labels are classes `[count]`, names or whole numbers, and not one-hot rows or probabilities."""
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


def one_hot_labels(labels: Any, class_names: Sequence[str], length: int, count: Any) -> Array | NDArray[np.float32]:
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


def label_rows(labels: Any, class_names: Sequence[str], length: int, codes: Any) -> Any:
    """Return the labels that a decoder takes with `codes` `[count, latent]`, as float32: of no length for None.

    Classes `[count]`, names or indices, become one-hot rows; rows are taken as they are.

    Raises:
        InputError: See `class_indices`.
    """
    count = codes.shape[0] if codes.ndim else 0
    if labels is None:
        return zeros(count, 0) if isinstance(codes, jax.core.Tracer) else np.zeros((count, 0), np.float32)
    return as_rows(one_hot_labels(labels, class_names, length, count) if length and _is_classes(labels) else labels)
