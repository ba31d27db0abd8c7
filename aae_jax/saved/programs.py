"""Compiled functions of a saved model's weights, shared by all models of one structure in a process."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from aae_jax.augment import activate, unscale_pixels
from aae_jax.config import NetworkConfig
from aae_jax.evaluation import build_encode, class_probabilities
from aae_jax.networks import Codes, EncoderOutput, Modules, Networks, build_networks
from aae_jax.saved.batching import RowsFn, build_batched
from aae_jax.types import Array

__all__ = ["Programs", "Structure", "build_model_networks", "build_programs"]

KEPT = 32
"""Structures of which a process keeps the compiled programs, the last ones used; each model keeps its own too."""


class Structure(NamedTuple):
    """Sizes and kinds that decide a model's programs; see `aae_jax.Model` for the fields."""

    network: NetworkConfig
    image_shape: tuple[int, ...]
    num_classes: int
    decoded_label: int
    heads: bool
    mode_decoder: bool
    modules: Modules


class Programs(NamedTuple):
    """Functions `(weights, *rows) -> rows` that pad and compile by `build_batched`; weights are `(params, stats)`.

    Attributes:
        encode: Of stored images; gives an `EncoderOutput`.
        predict: Of stored images; gives the most probable class of each.
        predict_proba: Of stored images and `(params, stats, temperature)`; gives probabilities of classes.
        label: Of logits; gives the label that the decoder gets.
        decode: Of styles and labels; gives images in [0, 1].
        decode_mode: Of labels; gives images in [0, 1].
        represent: Of styles and labels; gives W_C y + z.
        reconstruct: Of stored images, and of labels where the encoder gives none; gives images in [0, 1].
    """

    encode: RowsFn
    predict: RowsFn
    predict_proba: RowsFn
    label: RowsFn
    decode: RowsFn
    decode_mode: RowsFn
    represent: RowsFn
    reconstruct: RowsFn


@functools.lru_cache(maxsize=KEPT)
def build_model_networks(structure: Structure) -> Networks:
    """Return the pure functions of a model's networks, without its discriminators."""
    network, image_shape, num_classes, decoded_label, heads, mode_decoder, modules = structure
    codes = Codes(num_classes, decoded_label, {}, heads, mode_decoder)
    return build_networks(network, image_shape, codes, modules)


@functools.lru_cache(maxsize=KEPT)
def build_programs(structure: Structure) -> Programs:
    """Return the functions behind the methods of a model, each compiled when it is first called."""
    networks, output = build_model_networks(structure), structure.network.output
    encode_images = build_encode(networks, output)

    def encode(weights: Any, images: Array) -> EncoderOutput:
        return encode_images(weights[0], weights[1], images)

    def predict(weights: Any, images: Array) -> Array:
        return jnp.argmax(encode(weights, images).logits, axis=1)

    def predict_proba(weights: Any, images: Array) -> Array:
        return jax.nn.softmax(encode(weights, images).logits / weights[2])

    def label(weights: Any, logits: Array) -> Array:
        del weights
        return class_probabilities(logits)

    def unit(decoded: Array) -> Array:
        return unscale_pixels(activate(decoded, output), output)

    def decode(weights: Any, z: Array, y: Array) -> Array:
        return unit(networks.decode(weights[0], weights[1], z, y, None)[0])

    def decode_mode(weights: Any, y: Array) -> Array:
        assert networks.decode_mode is not None, "as the model's method checks"
        return unit(networks.decode_mode(weights[0], y, None))

    def represent(weights: Any, z: Array, y: Array) -> Array:
        assert networks.represent is not None, "as the model's method checks"
        return networks.represent(weights[0], z, y, None)

    def reconstruct(weights: Any, images: Array, *labels: Array) -> Array:
        encoded = encode(weights, images)
        y = labels[0] if labels else class_probabilities(encoded.logits)
        return decode(weights, *_apart((encoded.mean, y)))

    functions: tuple[RowsFn, ...] = (
        encode,
        predict,
        predict_proba,
        label,
        decode,
        decode_mode,
        represent,
        reconstruct,
    )
    return Programs(*map(build_batched, functions))


def _apart(codes: Any) -> Any:
    """Return `codes` as they are, and keep the compiler from fusing what makes them with what takes them.

    So the last bits are those of two calls, `decode(encode(x))` for instance.
    """
    return jax.lax.optimization_barrier(codes)  # type: ignore[no-untyped-call, unused-ignore]
