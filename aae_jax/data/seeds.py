"""NumPy generators from seeds, and the drawing of test sets."""

import numpy as np
from numpy.typing import NDArray

from aae_jax.errors import InputError

__all__ = ["draw_test", "seeded_generator"]

TEST_SHARE = 0.25


def seeded_generator(seed: int, name: str) -> np.random.Generator:
    """Return NumPy's default generator for `seed`, called `name` in messages.

    Raises:
        InputError: `seed` is negative.
    """
    if seed < 0:
        raise InputError(f"{name} is {seed}; give zero or a positive whole number.")
    return np.random.default_rng(seed)


def draw_test(labels: NDArray[np.int32], split_seed: int) -> NDArray[np.bool_]:
    """Draw a mask `[n]` that is true for a quarter of the images of every class, with seed `split_seed`.

    Images without a label, -1, are not drawn, unless no image has a label: then a quarter of all images is drawn.
    """
    generator = seeded_generator(split_seed, "split_seed")
    is_test = np.zeros(len(labels), dtype=np.bool_)
    unlabelled = not (labels >= 0).any()
    for label in [-1] if unlabelled else range(int(labels.max()) + 1):
        members = generator.permutation(np.flatnonzero(labels == label))
        is_test[members[: round(TEST_SHARE * len(members))]] = True
    return is_test
