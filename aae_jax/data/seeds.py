"""The one place where a seed becomes a NumPy generator, and how data without a test set get one."""

import numpy as np
from numpy.typing import NDArray

from aae_jax.errors import InputError

__all__ = ["draw_test", "seeded_generator"]

TEST_SHARE = 0.25


def seeded_generator(seed: int, name: str) -> np.random.Generator:
    """Return NumPy's default generator for `seed`.

    Raises:
        InputError: `seed` is negative; the message calls it `name`.
    """
    if seed < 0:
        raise InputError(f"{name} is {seed}; give zero or a positive whole number.")
    return np.random.default_rng(seed)


def draw_test(labels: NDArray[np.int32], split_seed: int) -> NDArray[np.bool_]:
    """Return a mask `[n]` that is true at a quarter of the images of every class, drawn by `split_seed`.

    Images without a label, -1, are not drawn; where no image has one, a quarter of them all is.
    """
    generator = seeded_generator(split_seed, "split_seed")
    is_test = np.zeros(len(labels), dtype=np.bool_)
    unlabelled = not (labels >= 0).any()
    for label in [-1] if unlabelled else range(int(labels.max()) + 1):
        members = generator.permutation(np.flatnonzero(labels == label))
        is_test[members[: round(TEST_SHARE * len(members))]] = True
    return is_test
