"""Encoding of any number of images, with running statistics: codes do not depend on the batch."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float

from aae_jax.augment import OutputKind, scale_pixels
from aae_jax.networks import EncoderOutput, Networks, sample_style
from aae_jax.types import Array, Params, Pixels, PRNGKey, Stats

__all__ = [
    "EncodeFn",
    "build_draw_codes",
    "build_encode",
    "class_probabilities",
    "join_batches",
    "split_batches",
]

EncodeFn = Callable[[Params, Stats, Pixels], EncoderOutput]
SeeFn = Callable[[Array, PRNGKey], Array]
DrawCodesFn = Callable[[Params, Stats, Pixels, PRNGKey], Array]


def build_encode(networks: Networks, output: OutputKind, *, batch_size: int = 1000) -> EncodeFn:
    """Build `(params, stats, images [n, *image]) -> EncoderOutput` for any number of images.

    Images are encoded in batches of a fixed size (the last one padded), so memory stays bounded; the
    function can be jitted and vmapped.
    """

    def encode(params: Params, stats: Stats, images: Array) -> EncoderOutput:
        def one_batch(batch: Array) -> EncoderOutput:
            return networks.encode(params, stats, scale_pixels(batch, output), None)[0]

        if not isinstance(images.shape[0], int):  # of any number of images (jax.export)
            return one_batch(images)
        outputs = jax.lax.map(one_batch, split_batches(images, batch_size))
        joined: EncoderOutput = jax.tree.map(lambda leaf: join_batches(leaf, images.shape[0]), outputs)
        return joined

    return encode


def build_draw_codes(
    networks: Networks, output: OutputKind, *, batch_size: int = 1000, see: SeeFn | None = None
) -> DrawCodesFn:
    """Build `(params, stats, images [n, *image], key) -> [n, latent]`: a style sampled from each image's posterior.

    Together they are samples of the aggregated posterior q(z), which adversaries compare with the prior (§2). With a
    deterministic posterior they are the encoder's outputs; with the universal approximator each has an independent η.
    With `see`, `(scaled images, key) -> inputs of the encoder`, they are codes of augmented views.
    """

    def draw_codes(params: Params, stats: Stats, images: Array, key: PRNGKey) -> Array:
        pixels_in_batches = split_batches(images, batch_size)

        def one_batch(batch: tuple[Array, PRNGKey]) -> Array:
            pixels, key_batch = batch
            key_style, key_encode, key_see = jax.random.split(key_batch, 3)
            scaled = scale_pixels(pixels, output)
            shown = scaled if see is None else see(scaled, key_see)
            outputs, _ = networks.encode(params, stats, shown, key_encode, train=False)
            return sample_style(outputs, key_style)

        codes = jax.lax.map(one_batch, (pixels_in_batches, jax.random.split(key, pixels_in_batches.shape[0])))
        return join_batches(codes, images.shape[0])

    return draw_codes


def class_probabilities(logits: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    """Return the softmax of logits; no columns for a model without a label code."""
    return jax.nn.softmax(logits) if logits.shape[-1] else logits


def split_batches(rows: Array, batch_size: int) -> Array:
    """Split rows into batches of one size, `[batches, size, …]`, the last padded with zeros."""
    count = rows.shape[0]
    size = max(1, min(batch_size, count))
    padded = jnp.concatenate([rows, jnp.zeros((-count % size, *rows.shape[1:]), rows.dtype)])
    return padded.reshape(padded.shape[0] // size, size, *rows.shape[1:])


def join_batches(rows: Array, count: int) -> Array:
    """Join the first `count` rows of batches; not by a reshape to −1, since logits may have no columns."""
    return rows.reshape(rows.shape[0] * rows.shape[1], *rows.shape[2:])[:count]
