"""Data splits: held-out validation images, labelled images, and the arrays that training may use."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aae_jax.config import LabelCount
from aae_jax.data.balanced_labels import check_counts, check_number, draw_balanced
from aae_jax.data.dataset import Dataset, Images
from aae_jax.data.seeds import seeded_generator
from aae_jax.data.stored import StoredImages, read_rows
from aae_jax.errors import InputError
from aae_jax.text import quoted

__all__ = ["Splits", "TrainingArrays", "default_validation_size", "split_indices", "training_arrays"]

# Part of the protocol, not settings: all runs that were ever compared share the same validation images. Runs with
# another `validation_size` have others, and other labelled images.
VALIDATION_SEED = 0
LARGE_TRAINING_SET = 50_000
LARGE_VALIDATION_SIZE = 10_000


class Splits(NamedTuple):
    """Indices of splits of the training images.

    Attributes:
        validation: int32 `[num_validation]`, ascending; shared by all label seeds.
        labelled: int32 `[num_labels]`, in random order, disjoint from `validation`.
        unlabelled: int32 `[num_pool]`, ascending: all images outside `validation`, with or without a label, or a
            random subset of them that includes `labelled`.
    """

    validation: NDArray[np.int32]
    labelled: NDArray[np.int32]
    unlabelled: NDArray[np.int32]


class TrainingArrays(NamedTuple):
    """Arrays for training and model selection: the pool has no labels, so that none can leak.

    Attributes:
        pool: uint8 (or float32 in [0, 1]) `[num_pool, *image]`, the images to train on; streamed ones are read when
            they are indexed.
        labelled_images: As `pool`, `[num_labels, *image]`.
        labelled_labels: int32 `[num_labels]`.
        validation_images: As `pool`, `[num_validation, *image]`.
        validation_labels: int32 `[num_validation]`.
    """

    pool: Images | StoredImages
    labelled_images: Images
    labelled_labels: NDArray[np.int32]
    validation_images: Images
    validation_labels: NDArray[np.int32]


def split_indices(
    labels: NDArray[np.int32],
    *,
    num_classes: int,
    num_labels: LabelCount | None,
    label_seed: int,
    validation_size: int | None = None,
    pool_size: int | None = None,
    class_names: Sequence[str] | None = None,
    listed: NDArray[np.int32] | None = None,
) -> Splits:
    """Draw the held-out validation images and the labelled images.

    Images without a label, -1, are neither validation nor labelled images, but all belong to the pool; the following
    applies to those with a label, or to all images if none has one. The validation images depend only on the number
    of images, neither on `label_seed` nor on the classes. The labelled images are balanced: the counts of two classes
    differ by at most one. For a given `label_seed`, the subsets of increasing `num_labels` are nested. Their order
    depends on which images they are and on `label_seed` alone, not on how they were chosen (ADR 0025).

    Args:
        labels: int32 `[num_train]`, the classes of the training images, in `0..num_classes - 1`, or -1.
        num_classes: Number of classes; 0 for data without labels.
        num_labels: Number of labelled images, "all" for every image to train on, or None for none. "given" for every
            image with a label: none is held out, and validation images are drawn from the others, as if all images
            had a label.
        label_seed: Seed of the labelled images, and of the classes that get one more if the shares are uneven.
        validation_size: Number of held-out images; None: 10,000 of 50,000 images or more, and a tenth of fewer.
        pool_size: Number of the other images to train on: random subsets that are the same for all seeds, nested for
            increasing sizes, and with labelled images before unlabelled ones; None: all.
        class_names: Names of the classes in messages; None counts from "0".
        listed: Indices of the labelled images, distinct: they replace a drawing of `num_labels` images, and are never
            held out. Their order depends on `label_seed` alone.

    Raises:
        InputError: A size or the seed is out of range, a class has too few images for its share, there are no labels
            to keep, or a listed image is not in the training set or has no label.
    """
    given = num_labels == "given" and listed is None
    order, others = _orders(np.zeros_like(labels) if given else labels)
    names = [str(i) for i in range(num_classes)] if class_names is None else list(class_names)
    if given:
        listed = np.flatnonzero(labels >= 0).astype(np.int32)
        _check_given(labels, names, validated=validation_size != 0)
    if listed is not None and num_labels is not None:
        _check_list(labels, listed, names)
        return _split_by_list(np.sort(listed).astype(np.int32), order, others, label_seed, validation_size, pool_size)
    assert num_labels != "given", "it returned above"
    held_out = _validation_size(len(order), validation_size, mixed=len(others) > 0)
    available = np.concatenate([order[held_out:], others])
    rest = np.sort(available[: _pool_size(len(available), pool_size)])
    known = rest[labels[rest] >= 0]
    if num_labels is None:
        labelled = rest[:0]
    elif not num_classes:
        raise InputError("The data have no labels to keep; give data with labels, or keep none.")
    elif num_labels == "all":
        labelled = known
        _check_all(labels[labelled], labels[order[:held_out]], names)
    else:
        counts = np.bincount(labels[known], minlength=num_classes)
        more = np.bincount(labels[order[held_out:]], minlength=num_classes) if pool_size is not None else None
        check_number(num_labels)
        check_counts(num_labels, counts, more, names, mixed=len(others) > 0)
        generator = seeded_generator(label_seed, "label_seed")
        labelled = draw_balanced(known, labels[known], num_classes, num_labels, generator, names)
    return Splits(np.sort(order[:held_out]), _ordered(labelled, label_seed), rest)


def _ordered(labelled: NDArray[np.int32], label_seed: int) -> NDArray[np.int32]:
    """Return labelled images in an order that depends on which they are and on the seed alone."""
    return seeded_generator(label_seed, "label_seed").permutation(np.sort(labelled))


def _check_given(labels: NDArray[np.int32], names: Sequence[str], *, validated: bool) -> None:
    """Refuse given labels of which there are none, one for every image to be `validated` on, or none of a class."""
    counts = np.bincount(labels[labels >= 0], minlength=len(names))
    if not counts.sum():
        raise InputError("labels is given, but no training image has a label; give data with labels.")
    if validated and counts.sum() == len(labels):
        raise InputError(
            "labels is given, but every training image has a label, so that none is left to validate on; give all, "
            "or a number."
        )
    if not counts.all():
        name = quoted(names[int(np.argmin(counts))])
        raise InputError(
            f"labels is given, but no training image has the label {name}; label some, or leave the class out."
        )


def _check_all(kept: NDArray[np.int32], held_out: NDArray[np.int32], names: Sequence[str]) -> None:
    """Refuse classes whose images are all held out."""
    counts, lost = (np.bincount(part[part >= 0], minlength=len(names)) for part in (kept, held_out))
    missing = np.flatnonzero((counts == 0) & (lost > 0))
    if len(missing):
        raise InputError(
            f"labels is all, but every image of class {quoted(names[int(missing[0])])} is held out for validation; "
            "give more images of it."
        )


def _check_list(labels: NDArray[np.int32], listed: NDArray[np.int32], names: Sequence[str]) -> None:
    """Refuse a list of labelled images that is empty, or holds others than images of every class."""
    if not len(listed):
        raise InputError("The list of labelled images is empty; give indices of training images.")
    outside = listed[(listed < 0) | (listed >= len(labels))]
    if len(outside):
        raise InputError(
            f"The list of labelled images holds {outside[0]}, but there are {len(labels)} training images; give "
            f"indices from 0 to {len(labels) - 1}."
        )
    bare = listed[labels[listed] < 0]
    if len(bare):
        raise InputError(f"The list of labelled images holds {bare[0]}, an image without a label; leave it out.")
    counts = np.bincount(labels[listed], minlength=len(names))
    if not counts.all():
        raise InputError(
            f"The list of labelled images holds none of class {quoted(names[int(np.argmin(counts))])}; add some, or "
            "leave the class out of the data."
        )


def _split_by_list(
    chosen: NDArray[np.int32],
    order: NDArray[np.int32],
    others: NDArray[np.int32],
    label_seed: int,
    validation_size: int | None,
    pool_size: int | None,
) -> Splits:
    """Return splits in which the labelled images are those chosen, in ascending order."""
    held_out = _validation_size(len(order), validation_size, mixed=len(others) > 0)  # as without a list
    order, others = order[~np.isin(order, chosen)], others[~np.isin(others, chosen)]
    if validation_size is not None and validation_size > len(order):
        raise InputError(
            f"validation_size is {validation_size}, but there are {len(order)} images to hold out beside the "
            f"{len(chosen)} labelled ones; give at most {len(order)}."
        )
    held_out = min(held_out, len(order))
    available = np.concatenate([chosen, order[held_out:], others])
    size = _pool_size(len(available), pool_size)
    if size < len(chosen):
        raise InputError(f"pool_size is {size}, fewer than the {len(chosen)} labelled images; give more.")
    return Splits(np.sort(order[:held_out]), _ordered(chosen, label_seed), np.sort(available[:size]))


def _orders(labels: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return indices of the images with a label, or of all if none has one, and of the others, in random order."""
    has_label = labels >= 0
    if not has_label.any():
        has_label = ~has_label
    known, others = np.flatnonzero(has_label).astype(np.int32), np.flatnonzero(~has_label).astype(np.int32)
    generator = np.random.default_rng(VALIDATION_SEED)
    return known[generator.permutation(len(known))], others[generator.permutation(len(others))]


def training_arrays(dataset: Dataset, splits: Splits, *, stream: bool = False) -> TrainingArrays:
    """Return the images and labels that training may use; with `stream`, the pool's images are not read yet."""
    images = dataset.train_images
    return TrainingArrays(
        pool=StoredImages(images, splits.unlabelled) if stream else images[splits.unlabelled],
        labelled_images=read_rows(images, splits.labelled),
        labelled_labels=dataset.train_labels[splits.labelled],
        validation_images=read_rows(images, splits.validation),
        validation_labels=dataset.train_labels[splits.validation],
    )


def default_validation_size(count: int) -> int:
    """Return the number of validation images that are held out of `count` unless another is given."""
    return LARGE_VALIDATION_SIZE if count >= LARGE_TRAINING_SET else round(count / 10)


def _validation_size(count: int, wanted: int | None, *, mixed: bool) -> int:
    """Return the number of held-out images among `count`; `mixed`: there are others without a label."""
    if wanted is None:
        least = 1 if mixed and count > 1 else 0  # fewer than ten images may have a label
        return max(least, default_validation_size(count))
    if not 0 <= wanted < count:
        raise InputError(
            f"validation_size is {wanted}, but there are {count} training images{' with a label' if mixed else ''}; "
            f"give a number from 0 to {count - 1}."
        )
    return wanted


def _pool_size(available: int, wanted: int | None) -> int:
    if wanted is None:
        return available
    if not 0 < wanted <= available:
        raise InputError(
            f"pool_size is {wanted}, but there are {available} images outside validation; "
            f"give a number from 1 to {available}."
        )
    return wanted
