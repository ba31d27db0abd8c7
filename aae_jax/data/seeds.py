"""The one place where a seed becomes a NumPy generator."""

import numpy as np

from aae_jax.errors import InputError

__all__ = ["seeded_generator"]


def seeded_generator(seed: int, name: str) -> np.random.Generator:
    """Return NumPy's default generator for `seed`.

    Raises:
        InputError: `seed` is negative; the message calls it `name`.
    """
    if seed < 0:
        raise InputError(f"{name} is {seed}; give zero or a positive whole number.")
    return np.random.default_rng(seed)
