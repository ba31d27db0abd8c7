"""Swiss roll prior."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from aae_jax.priors.mixture import NO_PART, UNLABELLED
from aae_jax.types import Array, LabelledSampler, PRNGKey, Sampler

__all__ = ["SwissRoll", "build_labelled_swiss_roll", "build_swiss_roll", "swiss_roll_component", "swiss_roll_walk"]

POINTS = 1000
"""Number of points on the roll that codes are compared with."""


class SwissRoll(NamedTuple):
    """A spiral in two dimensions, cut into equally frequent parts from the inside out.

    The point at u in [0, 1] has radius `radius · √u` and angle `2π · turns · √u`: uniform u is uniform in arc length,
    except near the origin.
    """

    num_parts: int = 10
    radius: float = 3.0
    turns: float = 2.0


def _spiral(roll: SwissRoll, u: Float[Array, "*count"]) -> Float[Array, "*count 2"]:
    root = jnp.sqrt(u)
    angle = 2 * jnp.pi * roll.turns * root
    return roll.radius * root[..., None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)


def build_swiss_roll(roll: SwissRoll = SwissRoll()) -> Sampler:  # noqa: B008 - a value, never changed
    """Return a sampler of the roll: `(key, n) -> [n, 2]` (§2.3; parameters of nicklhy and musyoku)."""
    labelled = build_labelled_swiss_roll(roll)

    def sample(key: PRNGKey, n: int) -> Float[Array, "count 2"]:
        return labelled(key, jnp.full(n, UNLABELLED, jnp.int32))

    return sample


def build_labelled_swiss_roll(roll: SwissRoll = SwissRoll()) -> LabelledSampler:  # noqa: B008
    """Return a sampler from each label's part, `(key, labels [n]) -> [n, 2]`; from any if `UNLABELLED`."""

    def sample(key: PRNGKey, labels: Int[Array, " count"]) -> Float[Array, "count 2"]:
        u = jax.random.uniform(key, labels.shape, jnp.float32)
        part_position = (u + labels) / roll.num_parts
        return _spiral(roll, jnp.where((labels >= 0) & (labels < roll.num_parts), part_position, u))

    return sample


def swiss_roll_component(z: Float[Array, "batch 2"], roll: SwissRoll = SwissRoll()) -> Int[Array, " batch"]:  # noqa: B008
    """Return the part of the roll nearest to each row, by comparison with 1000 points along the roll.

    Rows that are not finite get `NO_PART`.
    """
    u = (jnp.arange(POINTS, dtype=jnp.float32) + 0.5) / POINTS
    distances = jnp.sum((z[:, None] - _spiral(roll, u)[None]) ** 2, axis=-1)
    part = jnp.floor(u[jnp.argmin(distances, axis=-1)] * roll.num_parts).astype(jnp.int32)
    return jnp.where(jnp.isfinite(z).all(axis=-1), part, NO_PART)


def swiss_roll_walk(steps: int, roll: SwissRoll = SwissRoll()) -> Float[Array, "steps 2"]:  # noqa: B008
    """Return codes along the roll from the inside out (figure 4d)."""
    return _spiral(roll, jnp.linspace(0.0, 1.0, steps, dtype=jnp.float32))
