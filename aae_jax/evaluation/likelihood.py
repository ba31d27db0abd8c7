"""Log-likelihood by Parzen windows: how near a model's samples come to images that it has not seen.

A Gaussian window on each sample (Goodfellow et al. 2014, §5; Makhzani et al. 2016, table 1). The measure is
fragile: it grows with the number of samples and moves with the width. So the width is chosen on validation images at
the same number of samples, all widths share one pass over the samples, and the report says what was used.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from aae_jax.errors import InputError
from aae_jax.types import Array, Prior

__all__ = [
    "LikelihoodReport",
    "ParzenState",
    "add_samples",
    "build_widths",
    "measure_likelihood",
    "no_samples",
    "parzen_log_likelihood",
]

BATCH = 1000
"""Samples that are drawn, and compared with all images, at once."""


class ParzenState(NamedTuple):
    """What samples seen so far say of each image at each width: Σ exp(−d² / 2σ²) = total · exp(maximum)."""

    maximum: Float[Array, "widths images"]
    total: Float[Array, "widths images"]


class LikelihoodReport(NamedTuple):
    """Log-likelihoods are in nats for an image, pixels in [0, 1]."""

    log_likelihood: float
    """Mean over the test images, at the width that was best on the validation images."""
    standard_error: float
    """Of that mean: standard deviation over the test images by the root of their number."""
    width: float
    num_samples: int
    widths: tuple[float, ...]
    validation: tuple[float, ...]
    """Mean over the validation images, by width."""

    @property
    def at_the_edge(self) -> bool:
        """Whether the best width is the least or the largest that was tried: a better one may lie beyond."""
        return self.width in (min(self.widths), max(self.widths))


def build_widths(least: float = 0.05, largest: float = 0.5, count: int = 40) -> tuple[float, ...]:
    """Return widths in equal steps of their logarithm; by default of 6 %, half of which costs 0.7 nats at 28×28."""
    return tuple(float(width) for width in np.geomspace(least, largest, count))


def no_samples(num_images: int, num_widths: int) -> ParzenState:
    """Return the state before any sample is seen."""
    shape = (num_widths, num_images)
    return ParzenState(jnp.full(shape, -jnp.inf, jnp.float32), jnp.zeros(shape, jnp.float32))


@jax.jit
def add_samples(
    state: ParzenState,
    images: Float[Array, "images pixels"],
    samples: Float[Array, "samples pixels"],
    widths: Float[Array, " widths"],
) -> ParzenState:
    """Return the state after more samples: exact, by the distance of every image to every sample."""
    products = jnp.matmul(images, samples.T, precision=jax.lax.Precision.HIGHEST)
    squared = jnp.sum(images**2, axis=1)[:, None] + jnp.sum(samples**2, axis=1)[None] - 2 * products
    nearest = jnp.maximum(jnp.min(squared, axis=1), 0.0)

    def at_width(one: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        width, maximum, total = one
        scale = -0.5 / width**2
        highest = jnp.maximum(maximum, scale * nearest)
        more = jnp.sum(jnp.exp(scale * jnp.maximum(squared, 0.0) - highest[:, None]), axis=1)
        return highest, jnp.exp(maximum - highest) * total + more

    return ParzenState(*jax.lax.map(at_width, (widths, state.maximum, state.total)))


def parzen_log_likelihood(
    state: ParzenState, widths: Float[Array, " widths"], num_samples: int, num_pixels: int
) -> Float[Array, "widths images"]:
    """Return log (1/n Σ over samples of N(image; sample, width² I)) of each image at each width, in nats."""
    volume = num_pixels * (jnp.log(widths) + 0.5 * math.log(2 * math.pi))
    return state.maximum + jnp.log(state.total) - math.log(num_samples) - volume[:, None]


def measure_likelihood(
    sample: Prior,
    key: Array,
    validation: Float[np.ndarray, "validation pixels"],
    test: Float[np.ndarray, "test pixels"],
    *,
    num_samples: int = 10_000,
    widths: Sequence[float] = build_widths(),
    batch_size: int = BATCH,
) -> LikelihoodReport:
    """Return the test images' mean log-likelihood, at the width that is best on the validation images.

    Args:
        sample: Draws images from the model, `(key, n) -> [n, pixels]` in [0, 1]; it is compiled.
        key: Draws the samples, batch by batch.
        validation: Images on which the width is chosen.
        test: Images whose likelihood is reported.
        num_samples: How many are drawn; only a batch of them is held at once.
        widths: Standard deviations of the windows to choose from, in units of the pixels.
        batch_size: How many are drawn at once.

    Raises:
        InputError: There is nothing to measure by, or an image or a sample is not finite.
    """
    if min(num_samples, batch_size) < 1 or not widths or not all(0 < width < math.inf for width in widths):
        given = f"num_samples {num_samples}, batch_size {batch_size}, widths {tuple(widths)}"
        raise InputError(f"Samples and widths above 0 are needed, got {given}; give at least one of each.")
    for name, rows in (("validation", validation), ("test", test)):
        if not len(rows) or not np.isfinite(rows).all():
            raise InputError(f"The {name} images are none, or not all finite; give others.")
    images = jnp.concatenate([jnp.asarray(validation, jnp.float32), jnp.asarray(test, jnp.float32)])
    chosen_from = jnp.asarray(widths, jnp.float32)
    draw = jax.jit(sample, static_argnums=1)
    state = no_samples(len(images), len(widths))
    for number, first in enumerate(range(0, num_samples, batch_size)):
        samples = draw(jax.random.fold_in(key, number), min(batch_size, num_samples - first))
        state = add_samples(state, images, samples, chosen_from)
    found = np.asarray(parzen_log_likelihood(state, chosen_from, num_samples, images.shape[1]), np.float64)
    if np.isnan(found).any():
        raise InputError("The model draws samples that are not finite; its likelihood cannot be measured.")
    by_width = found[:, : len(validation)].mean(axis=1)
    best = int(by_width.argmax())
    tested = found[best, len(validation) :]
    return LikelihoodReport(
        log_likelihood=float(tested.mean()),
        standard_error=float(tested.std(ddof=1) / math.sqrt(len(tested))) if len(tested) > 1 else math.nan,
        width=float(widths[best]),
        num_samples=num_samples,
        widths=tuple(float(width) for width in widths),
        validation=tuple(float(mean) for mean in by_width),
    )
