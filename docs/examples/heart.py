"""A prior of one's own: any sampler `(key, n) -> [n, latent]`. `--prior.kind samples --prior.file heart.py:heart`."""

import jax
import jax.numpy as jnp


def heart(key, n):
    """Return `[n, 2]`, evenly from a heart about 4 wide and high: a disc whose sides are pushed up."""
    key_angle, key_radius = jax.random.split(key)
    angle = jax.random.uniform(key_angle, (n,), maxval=2 * jnp.pi)
    radius = jnp.sqrt(jax.random.uniform(key_radius, (n,)))
    x, y = radius * jnp.cos(angle), radius * jnp.sin(angle)
    return 2 * jnp.stack([x, y + 0.8 * jnp.sqrt(jnp.abs(x)) - 0.4], axis=1)
