"""Data splits: held-out validation images, labelled images, and the arrays that training may use."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.dataset import Dataset, Images
from aae_jax.data.seeds import seeded_generator
from aae_jax.data.stored import StoredImages, read_rows
from aae_jax.errors import InputError
from aae_jax.text import quoted

__all__ = ["Splits", "TrainingArrays", "split_indices", "training_arrays"]

# Part of the protocol, not a setting: all runs that were ever compared share the same validation images.
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
    num_labels: int | Literal["all"] | None,
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
    differ by at most one. For a given `label_seed`, the subsets of increasing `num_labels` are nested.

    Args:
        labels: int32 `[num_train]`, the classes of the training images, in `0..num_classes - 1`, or -1.
        num_classes: Number of classes; 0 for data without labels.
        num_labels: Number of labelled images, "all" for every image to train on, or None for none.
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
    order, others = _orders(labels)
    names = [str(i) for i in range(num_classes)] if class_names is None else list(class_names)
    if listed is not None and num_labels is not None:
        return _split_by_list(labels, listed, order, others, label_seed, validation_size, pool_size, names)
    held_out = _validation_size(len(order), validation_size, mixed=len(others) > 0)
    available = np.concatenate([order[held_out:], others])
    rest = np.sort(available[: _pool_size(len(available), pool_size)])
    generator = seeded_generator(label_seed, "label_seed")
    known = rest[labels[rest] >= 0]
    if num_labels is None:
        labelled = rest[:0]
    elif not num_classes:
        raise InputError("The data have no labels to keep; give data with labels, or keep none.")
    elif num_labels == "all":
        labelled = known
    else:
        counts = np.bincount(labels[known], minlength=num_classes)
        more = np.bincount(labels[order[held_out:]], minlength=num_classes) if pool_size is not None else None
        _check_num_labels(num_labels)
        _check_counts(num_labels, counts, more, names, mixed=len(others) > 0)
        labelled = _draw_balanced(known, labels[known], num_classes, num_labels, generator, names)
    return Splits(validation=np.sort(order[:held_out]), labelled=generator.permutation(labelled), unlabelled=rest)


def _split_by_list(
    labels: NDArray[np.int32],
    listed: NDArray[np.int32],
    order: NDArray[np.int32],
    others: NDArray[np.int32],
    label_seed: int,
    validation_size: int | None,
    pool_size: int | None,
    names: Sequence[str],
) -> Splits:
    """Return splits in which the labelled images are those listed."""
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
    chosen = np.sort(listed).astype(np.int32)
    held_out = _validation_size(len(order), validation_size, mixed=len(others) > 0)  # as without a list
    order, others = order[~np.isin(order, chosen)], others[~np.isin(others, chosen)]
    held_out = min(held_out, len(order))
    available = np.concatenate([chosen, order[held_out:], others])
    size = _pool_size(len(available), pool_size)
    if size < len(chosen):
        raise InputError(f"pool_size is {size}, fewer than the {len(chosen)} listed labelled images; give more.")
    generator = seeded_generator(label_seed, "label_seed")
    return Splits(np.sort(order[:held_out]), generator.permutation(chosen), np.sort(available[:size]))


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


def _validation_size(count: int, wanted: int | None, *, mixed: bool) -> int:
    """Return the number of held-out images among `count`; `mixed`: there are others without a label."""
    if wanted is None:
        least = 1 if mixed and count > 1 else 0  # fewer than ten images may have a label
        return LARGE_VALIDATION_SIZE if count >= LARGE_TRAINING_SET else max(least, round(count / 10))
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


def _check_num_labels(num_labels: int) -> None:
    if isinstance(num_labels, str):
        raise InputError(f"The number of labels is {num_labels!r}; give a whole number or 'all'.")
    if num_labels <= 0:
        raise InputError(f"The number of labels is {num_labels}; give a positive number or 'all'.")


def _check_counts(
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
            f"{_possible(counts)}."
        )


def _possible(counts: NDArray[np.int64]) -> str:
    """Return the advice on the largest balanced number of labels for these numbers of images."""
    return f"give at most {len(counts) * counts.min()}, of which every class can have its share, or 'all'"


def _draw_balanced(
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
