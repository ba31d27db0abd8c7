"""A prior of one's own: any sampler `(key, n) -> [n, latent]`. `--prior.kind samples --prior.file heart.py:heart`."""

import jax
import jax.numpy as jnp


def heart(key, n):
    """Return `[n, 2]`: the inside of a heart's curve, about 4 wide and high, evenly from its middle outwards."""
    key_angle, key_depth = jax.random.split(key)
    t = jax.random.uniform(key_angle, (n,), maxval=2 * jnp.pi)
    x = 16 * jnp.sin(t) ** 3
    y = 13 * jnp.cos(t) - 5 * jnp.cos(2 * t) - 2 * jnp.cos(3 * t) - jnp.cos(4 * t)
    depth = jnp.sqrt(jax.random.uniform(key_depth, (n, 1)))
    return depth * jnp.stack([x, y], axis=1) / 8
