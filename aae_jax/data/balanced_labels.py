"""Drawing of the labelled images: balanced over the classes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aae_jax.errors import InputError
from aae_jax.text import quoted

__all__ = ["check_counts", "check_number", "draw_balanced"]


def check_number(num_labels: int | str) -> None:
    """Refuse a number of labels that is not positive."""
    if isinstance(num_labels, str):
        raise InputError(f"The number of labels is {num_labels!r}; give a whole number, 'all' or 'given'.")
    if num_labels <= 0:
        raise InputError(f"The number of labels is {num_labels}; give a positive number, 'all' or 'given'.")


def check_counts(
    num_labels: int,
    counts: NDArray[np.int64],
    without_pool_size: NDArray[np.int64] | None,
    names: Sequence[str],
    *,
    mixed: bool,
) -> None:
    """Refuse a class without images, and fewer labels than classes or more labels than images.

    Args:
        num_labels: Requested number of labels.
        counts: Numbers of images to train on, `[classes]`.
        without_pool_size: The same without the given pool size, or None.
        names: Names of the classes.
        mixed: Whether there are images without a label.
    """
    with_label = " with a label" if mixed else ""
    empty = int(np.argmin(counts))
    if not counts[empty]:
        if without_pool_size is not None and without_pool_size[empty]:
            how = "give a larger pool_size, or the number of labels 'all'"
        else:
            how = "leave the class out of the data, or give the number of labels 'all'"
        raise InputError(f"Class {quoted(names[empty])} has no images{with_label} to train on; {how}.")
    if num_labels < len(counts):
        raise InputError(
            f"The number of labels is {num_labels}, fewer than the classes; give at least {len(counts)}, one per "
            "class."
        )
    if num_labels > counts.sum():
        raise InputError(
            f"The number of labels is {num_labels}, more than the {counts.sum()} images{with_label} to train on; "
            f"{_possible(counts)}{', or given, which holds none out' if mixed else ''}."
        )


def _possible(counts: NDArray[np.int64]) -> str:
    """Return the advice on the largest balanced number of labels for these numbers of images."""
    return f"give at most {len(counts) * counts.min()}, of which every class can have its share, or 'all'"


def draw_balanced(
    indices: NDArray[np.int32],
    labels: NDArray[np.int32],
    num_classes: int,
    num_labels: int,
    generator: np.random.Generator,
    names: Sequence[str],
) -> NDArray[np.int32]:
    """Draw `[num_labels]` of the indices, with numbers per class that differ by at most one."""
    shares = np.full(num_classes, num_labels // num_classes)
    shares[generator.permutation(num_classes)[: num_labels % num_classes]] += 1
    chosen = []
    for label, share in enumerate(shares):
        members = indices[labels == label]
        if len(members) < share:
            raise InputError(
                f"Class {quoted(names[label])} has {len(members)} images to train on, too few for its share of "
                f"{share} of {num_labels} labels; {_possible(np.bincount(labels, minlength=num_classes))}."
            )
        chosen.append(generator.permutation(members)[:share])
    return np.concatenate(chosen)
