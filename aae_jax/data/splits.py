"""Which training images are held out for validation, which keep their label, and what training may see."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.dataset import Dataset, Images
from aae_jax.data.seeds import seeded_generator
from aae_jax.errors import InputError

__all__ = ["Splits", "TrainingArrays", "split_indices", "training_arrays"]

# Part of the protocol and no setting: every run ever compared is validated on the same images.
VALIDATION_SEED = 0
LARGE_TRAINING_SET = 50_000
LARGE_VALIDATION_SIZE = 10_000


class Splits(NamedTuple):
    """Give indices into the training images.

    Attributes:
        validation: int32 `[num_validation]`, ascending; shared by all label seeds.
        labelled: int32 `[num_labels]`, in random order, disjoint from `validation`.
        unlabelled: int32 `[num_pool]`, ascending: every image outside `validation`, or a random subset of
            them, the labelled ones among them.
    """

    validation: NDArray[np.int32]
    labelled: NDArray[np.int32]
    unlabelled: NDArray[np.int32]


class TrainingArrays(NamedTuple):
    """Hold all that training and model selection see: the pool comes without its labels, so none can leak.

    Attributes:
        pool: uint8 (or float32 in [0, 1]) `[num_pool, *image]`, the images to train on.
        labelled_images: As `pool`, `[num_labels, *image]`.
        labelled_labels: int32 `[num_labels]`.
        validation_images: As `pool`, `[num_validation, *image]`.
        validation_labels: int32 `[num_validation]`.
    """

    pool: Images
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
) -> Splits:
    """Draw the validation images and the images that keep their label.

    The validation images depend on the number of training images alone: neither on `label_seed` nor on the
    labels. The labelled images are balanced: the counts of two classes differ by at most one. For one
    `label_seed`, the images of a smaller `num_labels` are among those of a larger one.

    Args:
        labels: int32 `[num_train]`, the classes of the training images, in `0..num_classes - 1`.
        num_classes: The number of classes.
        num_labels: How many images keep their label, or "all" for every image to train on, or None for none.
        label_seed: The seed that draws them, and the classes that get one more where the shares are uneven.
        validation_size: How many images to hold out; None holds out 10,000 of 50,000 images or more, and a
            tenth of fewer.
        pool_size: How many of the others to train on, a random subset that is the same for all seeds, those of a
            smaller one among those of a larger one; None for all.

    Raises:
        InputError: A size or the seed is out of range, or a class has too few images for its share.
    """
    order = np.random.default_rng(VALIDATION_SEED).permutation(len(labels)).astype(np.int32)
    held_out = _validation_size(len(labels), validation_size)
    rest = np.sort(order[held_out:][: _pool_size(len(labels) - held_out, pool_size)])
    generator = seeded_generator(label_seed, "label_seed")
    if num_labels is None:
        labelled = rest[:0]
    elif num_labels == "all":
        labelled = rest
    else:
        _check_num_labels(num_labels, num_classes=num_classes, available=len(rest))
        labelled = _draw_balanced(rest, labels[rest], num_classes, num_labels, generator)
    return Splits(validation=np.sort(order[:held_out]), labelled=generator.permutation(labelled), unlabelled=rest)


def training_arrays(dataset: Dataset, splits: Splits) -> TrainingArrays:
    """Return the images and the few labels that training may see."""
    return TrainingArrays(
        pool=dataset.train_images[splits.unlabelled],
        labelled_images=dataset.train_images[splits.labelled],
        labelled_labels=dataset.train_labels[splits.labelled],
        validation_images=dataset.train_images[splits.validation],
        validation_labels=dataset.train_labels[splits.validation],
    )


def _validation_size(num_train: int, wanted: int | None) -> int:
    if wanted is None:
        return LARGE_VALIDATION_SIZE if num_train >= LARGE_TRAINING_SET else round(num_train / 10)
    if not 0 <= wanted < num_train:
        raise InputError(
            f"validation_size is {wanted}, but there are {num_train} training images; "
            f"give a number from 0 to {num_train - 1}."
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


def _check_num_labels(num_labels: int, *, num_classes: int, available: int) -> None:
    if isinstance(num_labels, str):
        raise InputError(f"The number of labels is {num_labels!r}; give a whole number or 'all'.")
    if num_labels <= 0:
        raise InputError(f"The number of labels is {num_labels}; give a positive number or 'all'.")
    if num_labels < num_classes:
        raise InputError(
            f"The number of labels is {num_labels}, fewer than classes; give at least {num_classes}, one per class."
        )
    if num_labels > available:
        raise InputError(
            f"The number of labels is {num_labels}, more than the {available} images to train on; "
            f"give at most {available}, or 'all'."
        )


def _draw_balanced(
    indices: NDArray[np.int32],
    labels: NDArray[np.int32],
    num_classes: int,
    num_labels: int,
    generator: np.random.Generator,
) -> NDArray[np.int32]:
    """Return `[num_labels]` of the indices, the same number from each class, give or take one."""
    shares = np.full(num_classes, num_labels // num_classes)
    shares[generator.permutation(num_classes)[: num_labels % num_classes]] += 1
    chosen = []
    for label, share in enumerate(shares):
        members = indices[labels == label]
        if len(members) < share:
            raise InputError(
                f"Class {label} has {len(members)} images to train on, too few for its share "
                f"of {share} of {num_labels} labels; give fewer labels, 'all', or a larger pool."
            )
        chosen.append(generator.permutation(members)[:share])
    return np.concatenate(chosen)
