"""Augmentation of images between data set and encoder: scaling, shifts, mirroring, colours, noise, pixel dropout.

An augmented *view* is a pair: the encoder's input (shifted, noisy) and the clean target of the decoder (with the same
shift, mirroring and colours, without noise).
"""

import math
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aae_jax.types import Array, Pixels, PRNGKey
from aae_jax.user_code import Transform

__all__ = [
    "Border",
    "Jitter",
    "OutputKind",
    "View",
    "draw_view",
    "jitter_colours",
    "random_mirror",
    "random_shift",
    "scale_pixels",
    "unscale_pixels",
]

OutputKind = Literal["sigmoid", "linear", "tanh"]
"""Output non-linearity of the decoder: pixels are scaled to [0, 1] for sigmoid and linear, [−1, 1] for tanh."""


CHOICE = 2
"""Number folded into the key to draw which images are augmented; shift and noise use 0 and 1."""
DROPPED = 3
"""Number folded into the key to draw which pixels are dropped."""
MIRRORED, JITTERED, TRANSFORMED = 4, 5, 6
"""Numbers folded into the key to draw which images are mirrored, how colours change, and for a user's transform."""
Border = Literal["black", "edge", "reflect"]
"""What a shift uncovers."""
GREY = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the brightness of a pixel (ITU-R BT.601)."""


class Jitter(NamedTuple):
    """Largest relative changes of brightness, contrast and saturation; traced or not."""

    brightness: Float[Array, ""] | float = 0.0
    contrast: Float[Array, ""] | float = 0.0
    saturation: Float[Array, ""] | float = 0.0


class View(NamedTuple):
    """An augmented view: the encoder's input and the decoder's target, both `[batch, *image]`."""

    seen: Float[Array, "batch *image"]
    target: Float[Array, "batch *image"]


def scale_pixels(images: Pixels, output: OutputKind) -> Float[Array, "count *image"]:
    """Scale bytes, or numbers in [0, 1], to the decoder's output range: [0, 1], or [−1, 1] for tanh."""
    unit = images.astype(jnp.float32)
    if images.dtype == jnp.uint8:
        unit = unit / 255.0
    return 2.0 * unit - 1.0 if output == "tanh" else unit


def unscale_pixels(images: Float[Array, "count *image"], output: OutputKind) -> Float[Array, "count *image"]:
    """Map images from the decoder's output range to [0, 1], clipping values of a linear output outside it."""
    unit = 0.5 * (images + 1.0) if output == "tanh" else images
    return jnp.clip(unit, 0.0, 1.0)


def random_shift(
    key: PRNGKey,
    images: Float[Array, "batch *image"],
    max_shift: int,
    background: float = 0.0,
    border: Border = "black",
) -> Float[Array, "batch *image"]:
    """Shift each image at random by whole pixels in −max_shift … max_shift, independently in both directions.

    Uncovered pixels are set to `background`, or, with another border, to those at the edge or inside it (reflected
    without repeating the edge, so that `max_shift` must be below both sides), which is a padded crop. Pixels shifted
    beyond the border are lost. Images are `height width` or `height width channels`; plain vectors cannot be shifted.
    """
    if max_shift == 0:
        return images
    batch, height, width, *channels = images.shape
    margin = ((0, 0), (max_shift, max_shift), (max_shift, max_shift), *((0, 0) for _ in channels))
    if border == "black":
        padded = jnp.pad(images, margin, constant_values=background)
    else:
        padded = jnp.pad(images, margin, mode=border)
    corners = jax.random.randint(key, (batch, 2), 0, 2 * max_shift + 1, jnp.int32)

    def crop(image: Array, corner: Array) -> Array:
        return jax.lax.dynamic_slice(
            image, (corner[0], corner[1], *(jnp.int32(0) for _ in channels)), (height, width, *channels)
        )

    return jax.vmap(crop)(padded, corners)


def random_mirror(
    key: PRNGKey, images: Float[Array, "batch *image"], probability: float
) -> Float[Array, "batch *image"]:
    """Mirror each image horizontally with a probability; images are `height width` or `height width channels`."""
    chosen = jax.random.bernoulli(key, jnp.float32(probability), images.shape[:1])
    return jnp.where(chosen.reshape(-1, *(1 for _ in images.shape[1:])), images[:, :, ::-1], images)


def jitter_colours(
    key: PRNGKey, images: Float[Array, "batch *image"], jitter: Jitter
) -> Float[Array, "batch *image"]:
    """Change brightness, then contrast, then saturation of each image at random; pixels stay in [0, 1].

    With u uniform in [−1, 1] for each image and property: pixels x become (1 + u b) x; then m + (1 + u c) (x − m)
    with the mean m of the image; then g + (1 + u s) (x − g) with the grey value g of each pixel, in RGB images.
    """
    drawn = jax.random.uniform(key, (3, images.shape[0]), jnp.float32, -1.0, 1.0)
    one = (-1, *(1 for _ in images.shape[1:]))
    factors = [(1.0 + u * jnp.asarray(most, jnp.float32)).reshape(one) for u, most in zip(drawn, jitter, strict=True)]
    made = images * factors[0]
    mean = jnp.mean(made, axis=tuple(range(1, made.ndim)), keepdims=True)
    made = mean + (made - mean) * factors[1]
    if images.ndim == 4 and images.shape[-1] == len(GREY):
        grey = jnp.sum(made * jnp.asarray(GREY, jnp.float32).reshape(1, 1, 1, -1), axis=-1, keepdims=True)
        made = grey + (made - grey) * factors[2]
    return jnp.clip(made, 0.0, 1.0)


def draw_view(
    key: PRNGKey,
    images: Float[Array, "batch *image"],
    *,
    noise_std: Float[Array, ""] | float,
    max_shift: int | None,
    output: OutputKind,
    probability: float = 1.0,
    dropout: float = 0.0,
    border: Border = "black",
    flip: float = 0.0,
    jitter: Jitter | None = None,
    transform: Transform | None = None,
) -> View:
    """Shift, mirror and tint clean images at random; add N(0, noise_std²) to the encoder's input and drop pixels.

    The target has neither noise nor dropout. The noise is in units of scaled pixels (Makhzani et al. 2016, appendix
    A.2.1: 0.3 on [0, 1]); a share `dropout` of the pixels is set to 0, the others are divided by 1 − dropout
    (appendix A.3: 0.2). `transform` changes pixels in [0, 1] after shift, mirroring and colours. Each image is
    augmented with `probability`, and otherwise unchanged.
    """
    if max_shift is None:
        raise ValueError("max_shift is None, which means by the size of the images; resolve the configuration.")
    key_shift, key_noise = jax.random.split(key)
    target = random_shift(key_shift, images, max_shift, -1.0 if output == "tanh" else 0.0, border)
    if flip:
        target = random_mirror(jax.random.fold_in(key, MIRRORED), target, flip)
    if jitter is not None or transform is not None:
        unit = 0.5 * (target + 1.0) if output == "tanh" else target
        if jitter is not None:
            unit = jitter_colours(jax.random.fold_in(key, JITTERED), unit, jitter)
        if transform is not None:
            unit = jnp.clip(transform(jax.random.fold_in(key, TRANSFORMED), unit), 0.0, 1.0)
        target = 2.0 * unit - 1.0 if output == "tanh" else unit
    # Drawn as rows: the same numbers as with the images' shape, in half the time on a CPU.
    rows = target.shape[0], math.prod(target.shape[1:])
    noise = jax.random.normal(key_noise, rows, jnp.float32).reshape(target.shape)
    seen = target + noise_std * noise
    if dropout:
        kept = jax.random.bernoulli(jax.random.fold_in(key, DROPPED), jnp.float32(1.0 - dropout), seen.shape)
        seen = jnp.where(kept, seen / (1.0 - dropout), 0.0)
    if probability == 1.0:
        return View(seen, target)
    chosen = jax.random.bernoulli(jax.random.fold_in(key, CHOICE), jnp.float32(probability), images.shape[:1])
    chosen = chosen.reshape(-1, *(1 for _ in images.shape[1:]))
    return View(jnp.where(chosen, seen, images), jnp.where(chosen, target, images))


def activate(decoded: Array, output_kind: str) -> Array:
    """Apply the decoder's output non-linearity."""
    if output_kind == "sigmoid":
        return jax.nn.sigmoid(decoded)
    return jnp.tanh(decoded) if output_kind == "tanh" else decoded
