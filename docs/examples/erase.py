"""A transform of one's own, random erasing (Zhong et al. 2020). `--views.transform erase.py:erase`."""

import jax
import jax.numpy as jnp


def erase(key, images):
    """Blacken a square, a quarter of the shorter side wide, at random in each image `[batch, h, w(, colours)]`."""
    height, width = images.shape[1:3]
    side = min(height, width) // 4
    key_row, key_column = jax.random.split(key)
    rows, columns = (
        jnp.arange(length)[None] - jax.random.randint(key, (len(images), 1), 0, length - side + 1)
        for key, length in ((key_row, height), (key_column, width))
    )
    inside = [(place >= 0) & (place < side) for place in (rows, columns)]
    erased = inside[0][:, :, None] & inside[1][:, None, :]
    return jnp.where(erased.reshape(*erased.shape, *(1 for _ in images.shape[3:])), 0.0, images)
