"""How well images are rebuilt from their codes."""

from collections.abc import Callable

import jax

from aae_jax.evaluation.encoding import class_probabilities, join_batches, split_batches
from aae_jax.losses import mean_squared_error
from aae_jax.models.parts import activate
from aae_jax.networks import EncoderOutput, Networks
from aae_jax.types import Array, Params, Pixels
from aae_jax.views import OutputKind, scale_pixels, unscale_pixels

__all__ = ["build_reconstruction_error"]

BATCH = 1000
ErrorFn = Callable[[Params, Pixels, EncoderOutput], Array]


def build_reconstruction_error(networks: Networks, output: OutputKind) -> ErrorFn:
    """Return `(params, images, outputs) ->` mean squared error per pixel, in units of the brightest pixel's.

    `outputs` are what the encoder says of the images, as they are stored, evaluated.
    """

    def error(params: Params, images: Array, outputs: EncoderOutput) -> Array:
        def decode(batch: tuple[Array, Array]) -> Array:
            return unscale_pixels(activate(networks.decode(params, *batch, None), output), output)

        codes = outputs.mean, class_probabilities(outputs.logits)
        batches = jax.tree.map(lambda leaf: split_batches(leaf, BATCH), codes)
        made = join_batches(jax.lax.map(decode, batches), images.shape[0])
        return mean_squared_error(made, unscale_pixels(scale_pixels(images, output), output))

    return error
