"""Log-likelihood of held-out images by Parzen windows on a model's samples.

Each sample has a Gaussian window (Goodfellow et al. 2014, §5; Makhzani et al. 2016, table 1). The estimate is
fragile: it grows with the number of samples and depends on the width. So the width is chosen on validation images at
the same number of samples, all widths share one pass over the samples, and the report contains both.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from aae_jax.errors import InputError
from aae_jax.types import Array, Sampler

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
"""Number of samples that are drawn, and compared with all images, at once."""


class ParzenState(NamedTuple):
    """Running sum of kernels over samples, per width and image: Σ exp(−d² / 2σ²) = total · exp(maximum)."""

    maximum: Float[Array, "widths images"]
    total: Float[Array, "widths images"]


class LikelihoodReport(NamedTuple):
    """Parzen log-likelihoods, in nats per image with pixels in [0, 1]."""

    log_likelihood: float
    """Mean over the test images, at the best width on the validation images."""
    standard_error: float
    """Standard error of that mean: standard deviation over the test images by the root of their number."""
    width: float
    num_samples: int
    widths: tuple[float, ...]
    validation: tuple[float, ...]
    """Mean over the validation images, by width."""

    @property
    def at_the_edge(self) -> bool:
        """Whether the best width is the smallest or the largest candidate: a better one may be outside the range."""
        return self.width in (min(self.widths), max(self.widths))


def build_widths(least: float = 0.05, largest: float = 0.5, count: int = 40) -> tuple[float, ...]:
    """Return widths in logarithmic steps; by default of 6 %, half of which costs 0.7 nats for 28×28 pixels."""
    return tuple(float(width) for width in np.geomspace(least, largest, count))


def no_samples(num_images: int, num_widths: int) -> ParzenState:
    """Return the initial state, without samples."""
    shape = (num_widths, num_images)
    return ParzenState(jnp.full(shape, -jnp.inf, jnp.float32), jnp.zeros(shape, jnp.float32))


@jax.jit
def add_samples(
    state: ParzenState,
    images: Float[Array, "images pixels"],
    samples: Float[Array, "samples pixels"],
    widths: Float[Array, " widths"],
) -> ParzenState:
    """Add samples to the state, exactly, by the distance of every image to every sample."""
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
    sample: Sampler,
    key: Array,
    validation: Float[np.ndarray, "validation pixels"],
    test: Float[np.ndarray, "test pixels"],
    *,
    num_samples: int = 10_000,
    widths: Sequence[float] = build_widths(),
    batch_size: int = BATCH,
) -> LikelihoodReport:
    """Measure the mean log-likelihood of the test images, at the best width on the validation images.

    Args:
        sample: Sampler of images from the model, `(key, n) -> [n, pixels]` in [0, 1]; it is compiled.
        key: PRNG key of the samples, folded for each batch.
        validation: Images on which the width is chosen.
        test: Images whose likelihood is reported.
        num_samples: Number of samples; only one batch of them is in memory at a time.
        widths: Candidate standard deviations of the windows, in units of the pixels.
        batch_size: Number of samples per batch.

    Raises:
        InputError: There are no samples, widths or images, or an image or a sample is not finite.
    """
    if min(num_samples, batch_size) < 1 or not widths or not all(0 < width < math.inf for width in widths):
        given = f"num_samples {num_samples}, batch_size {batch_size}, widths {tuple(widths)}"
        raise InputError(f"Samples and widths above 0 are needed, got {given}; give at least one of each.")
    for name, rows in (("validation", validation), ("test", test)):
        if not len(rows) or not np.isfinite(rows).all():
            raise InputError(f"The {name} images are empty or not all finite; give others.")
    images = jnp.concatenate([jnp.asarray(validation, jnp.float32), jnp.asarray(test, jnp.float32)])
    chosen_from = jnp.asarray(widths, jnp.float32)
    draw = jax.jit(sample, static_argnums=1)
    state = no_samples(len(images), len(widths))
    for number, first in enumerate(range(0, num_samples, batch_size)):
        samples = draw(jax.random.fold_in(key, number), min(batch_size, num_samples - first))
        state = add_samples(state, images, samples, chosen_from)
    log_likelihoods = np.asarray(parzen_log_likelihood(state, chosen_from, num_samples, images.shape[1]), np.float64)
    if np.isnan(log_likelihoods).any():
        raise InputError("The model draws samples that are not finite; its likelihood cannot be measured.")
    by_width = log_likelihoods[:, : len(validation)].mean(axis=1)
    best = int(by_width.argmax())
    tested = log_likelihoods[best, len(validation) :]
    return LikelihoodReport(
        log_likelihood=float(tested.mean()),
        standard_error=float(tested.std(ddof=1) / math.sqrt(len(tested))) if len(tested) > 1 else math.nan,
        width=float(widths[best]),
        num_samples=num_samples,
        widths=tuple(float(width) for width in widths),
        validation=tuple(float(mean) for mean in by_width),
    )
