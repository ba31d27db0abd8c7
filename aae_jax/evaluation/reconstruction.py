"""Reconstruction error of images from their codes."""

from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from aae_jax.augment import OutputKind, activate, scale_pixels, unscale_pixels
from aae_jax.evaluation.encoding import class_probabilities, split_batches
from aae_jax.losses import mean_squared_error
from aae_jax.networks import EncoderOutput, Networks
from aae_jax.types import Array, Params, Pixels, Stats

__all__ = ["build_reconstruction_error"]

BATCH = 1000


@runtime_checkable
class ErrorFn(Protocol):
    """`(params, stats, images, outputs, labels) -> error`; see `build_reconstruction_error`."""

    def __call__(
        self, params: Params, stats: Stats, images: Pixels, outputs: EncoderOutput, labels: Array | None = None, /
    ) -> Array:
        """Return the error."""
        ...


def build_reconstruction_error(networks: Networks, output: OutputKind) -> ErrorFn:
    """Build `(params, stats, images, outputs, labels) ->` mean squared error per pixel.

    The largest pixel value is 1. `outputs` are the encoder's outputs for the stored images, in evaluation mode. The
    decoder gets the `labels` `[n, classes]` with the styles; by default the class probabilities in `outputs`.
    """

    def error(
        params: Params, stats: Stats, images: Array, outputs: EncoderOutput, labels: Array | None = None, /
    ) -> Array:
        count = images.shape[0]
        codes = outputs.mean, class_probabilities(outputs.logits) if labels is None else labels
        there = jnp.ones(count, jnp.float32)  # 0 for the padding of the last batch

        def of_batch(batch: tuple[Array, Array, Array, Array]) -> Array:
            pixels, z, y, weights = batch
            decoded, _ = networks.decode(params, stats, z, y, None)
            made = unscale_pixels(activate(decoded, output), output)
            target = unscale_pixels(scale_pixels(pixels, output), output)
            return jnp.sum(weights * jax.vmap(mean_squared_error)(made, target))

        batches = jax.tree.map(lambda leaf: split_batches(leaf, BATCH), (images, *codes, there))
        return jnp.sum(jax.lax.map(of_batch, batches)) / count

    return error
