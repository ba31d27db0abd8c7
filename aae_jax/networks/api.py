"""Networks as pure functions, called by phases, evaluation and saved models. Only this package uses flax."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Float

from aae_jax.config import NetworkConfig
from aae_jax.errors import InputError
from aae_jax.networks.apply import (
    DecodeNetwork,
    EncodeNetwork,
    EncoderOutput,
    build_apply,
    build_decode,
    build_decode_mode,
    build_decode_represented,
    build_encode,
    build_represent,
    zeros,
)
from aae_jax.networks.conv import Convolutions, Deconvolutions, count_conv_weights, is_image
from aae_jax.networks.mlp import ClusterHeads, Decoder, Discriminator, Encoder, Trunk, count_mlp_weights
from aae_jax.networks.modules import NO_MODULES, Modules, check_modules
from aae_jax.networks.precision import fastest_precision
from aae_jax.text import brief_fields
from aae_jax.types import Array, Params, PRNGKey, Stats

__all__ = [
    "Codes",
    "EncodeNetwork",
    "EncoderOutput",
    "Networks",
    "Posterior",
    "build_mlp_networks",
    "build_networks",
    "min_weights",
    "sample_style",
]

Posterior = Literal["deterministic", "gaussian", "universal"]
LEAKY_SLOPE = 0.2


class Codes(NamedTuple):
    """Latent codes of a model, with the label sizes of each network; 0 if there is no label.

    Attributes:
        encoded_label: Number of classes of the encoder's label head.
        decoded_label: Length of the label that the decoder receives with the style.
        discriminators: Input length of each discriminator, by its name, `discriminator_z` or `discriminator_y`.
        heads: Whether the decoder receives W_C y + z, the style added to the label's cluster head, instead of style
            and label.
        mode_decoder: Whether there is a second decoder, of the label only.
    """

    encoded_label: int
    decoded_label: int
    discriminators: Mapping[str, int]
    heads: bool = False
    mode_decoder: bool = False


class Networks(NamedTuple):
    """Pure functions of the networks. `params` and `stats` are dictionaries of all networks, by name.

    A network that the model lacks, e.g. a discriminator of y, raises `InputError` when called.

    With a key, networks are in training mode: batch norm uses batch moments, dropout and posterior noise are drawn
    from the key. With `key=None` they are in evaluation mode: running moments, no dropout, the posterior's mean (η =
    0 for the universal approximator), so that the result for an image does not depend on its batch.

    Attributes:
        init: `key -> (params, stats)`.
        encode: `(params, stats, images, key) -> (EncoderOutput, stats)`, with updated running moments. With a key and
            `train=False` it is in evaluation mode, except that the universal approximator draws its η.
        decode: `(params, stats, z, y, key) -> ([batch, *image], stats)`: images before the output non-linearity, and
            updated running moments.
        discriminate_z: `(params, z, key) -> [batch]` logits.
        discriminate_y: `(params, y, key) -> [batch]` logits.
        represent: `(params, z, y, key) -> [batch, latent]`, input of the decoder of a model with heads: W_C y + z.
        decode_mode: `(params, y, key) -> [batch, *image]` from the label only, before the output non-linearity.
        modules: Encoder and decoder of a user's own, which a saved model has to keep.
    """

    init: Callable[[PRNGKey], tuple[Params, Stats]]
    encode: EncodeNetwork
    decode: DecodeNetwork
    discriminate_z: Callable[[Params, Array, PRNGKey | None], Array]
    discriminate_y: Callable[[Params, Array, PRNGKey | None], Array]
    represent: Callable[[Params, Array, Array, PRNGKey | None], Array] | None = None
    decode_mode: Callable[[Params, Array, PRNGKey | None], Array] | None = None
    modules: Modules = NO_MODULES

    def __repr__(self) -> str:
        """Return the names of the functions."""
        return brief_fields(self)


def sample_style(output: EncoderOutput, key: PRNGKey | None) -> Float[Array, "batch latent"]:
    """Sample z = μ + σ ε (reparametrised, §2.1); return the mean without a key or a posterior std."""
    if key is None or output.log_std is None:
        return output.mean
    return output.mean + jnp.exp(output.log_std) * jax.random.normal(key, output.mean.shape, jnp.float32)


def build_mlp_networks(
    config: NetworkConfig, image_shape: tuple[int, ...], num_classes: int, *, conditional: bool = False
) -> Networks:
    """Return the networks of the paper's semi-supervised model (fig. 8) for images of `image_shape`.

    Args:
        config: Architecture of the networks.
        image_shape: Shape of one image.
        num_classes: Number of classes.
        conditional: Whether the discriminator of z also sees the label, as the configuration's `conditional` says.
    """
    judged = config.latent_dim + (num_classes if conditional else 0)
    adversaries = {"discriminator_z": judged, "discriminator_y": num_classes}
    return build_networks(config, image_shape, Codes(num_classes, num_classes, adversaries))


def build_networks(
    config: NetworkConfig, image_shape: tuple[int, ...], codes: Codes, modules: Modules = NO_MODULES
) -> Networks:
    """Return the networks of a model with the given codes, for images of `image_shape`.

    Args:
        config: Architecture of the networks.
        image_shape: Shape of one image.
        codes: Latent codes of the model.
        modules: Encoder and decoder of a user's own, in place of those that `config` describes.

    Raises:
        InputError: The networks are convolutional, but the data are vectors; or a module of a user's own does not
            return what the model needs.
    """
    scheme, precision = config.weight_init, config.precision
    if precision == "auto":
        precision = fastest_precision()
    slope = LEAKY_SLOPE if config.discriminator_activation == "leaky_relu" else 0.0
    adversary = Trunk(
        config.discriminator_hidden, False, config.discriminator_dropout, scheme, precision, slope=slope
    )
    inputs = _example_inputs(config, image_shape, codes)
    built: dict[str, nn.Module] = {
        **_build_coders(config, image_shape, codes, modules, precision, inputs),
        **{
            name: Discriminator(adversary, config.discriminator_noise, i)
            for i, name in enumerate(codes.discriminators)
        },
    }
    if codes.heads:
        built["heads"] = ClusterHeads(config.latent_dim)
    if codes.mode_decoder:
        plain = dataclasses.replace(config, batch_norm_decoder=False, batch_norm_output=False)
        built["mode_decoder"] = _build_decoder(plain, image_shape, precision)

    def init(key: PRNGKey) -> tuple[Params, Stats]:
        keys = jax.random.split(key, len(built))
        variables = {
            name: module.init(keys[i], *inputs[name], train=False) for i, (name, module) in enumerate(built.items())
        }
        params = {name: value["params"] for name, value in variables.items()}
        return params, {n: v["batch_stats"] for n, v in variables.items() if "batch_stats" in v}

    decode = build_decode(built["decoder"])
    represent = build_represent(build_apply(built["heads"], "heads")) if codes.heads else None
    return Networks(
        init,
        build_encode(built["encoder"], config),
        decode if represent is None else build_decode_represented(decode, represent),
        build_apply(built.get("discriminator_z"), "discriminator_z"),
        build_apply(built.get("discriminator_y"), "discriminator_y"),
        represent=represent,
        decode_mode=build_decode_mode(built["mode_decoder"]) if codes.mode_decoder else None,
        modules=modules,
    )


def _build_coders(
    config: NetworkConfig,
    image_shape: tuple[int, ...],
    codes: Codes,
    modules: Modules,
    precision: str,
    inputs: Mapping[str, tuple[Array | None, ...]],
) -> dict[str, nn.Module]:
    """Return encoder and decoder: those of the user, checked, else those of the configuration."""
    own = {name: module for name, module in modules._asdict().items() if module is not None}
    style, gaussian = (1, config.latent_dim), config.posterior == "gaussian"
    outputs = style, (1, codes.encoded_label), style if gaussian else None
    check_modules(own, inputs, {"encoder": outputs, "decoder": (1, *image_shape)})
    return {
        "encoder": own.get("encoder") or _build_encoder(config, image_shape, codes, precision),
        "decoder": own.get("decoder") or _build_decoder(config, image_shape, precision),
    }


def _build_encoder(config: NetworkConfig, image_shape: tuple[int, ...], codes: Codes, precision: str) -> Encoder:
    convolutions = None
    scheme = config.weight_init
    if config.kind == "conv":
        _require_image(image_shape)
        sizes = config.channels, config.kernel_size, config.residual
        convolutions = Convolutions(*sizes, config.batch_norm, config.dropout, scheme, precision)
    return Encoder(
        Trunk(config.hidden, config.batch_norm, config.dropout, scheme, precision),
        config.latent_dim,
        codes.encoded_label,
        config.posterior == "gaussian",
        config.batch_norm_heads,
        convolutions,
    )


def _build_decoder(config: NetworkConfig, image_shape: tuple[int, ...], precision: str) -> Decoder:
    deconvolutions = None
    scheme, batch_norm = config.weight_init, config.batch_norm_decoder
    if config.kind == "conv":
        _require_image(image_shape)
        sizes = config.channels, image_shape, config.kernel_size, config.residual
        deconvolutions = Deconvolutions(*sizes, batch_norm, config.dropout, scheme, precision)
    trunk = Trunk(config.hidden, batch_norm, config.dropout, scheme, precision)
    return Decoder(trunk, image_shape, deconvolutions, config.batch_norm_output)


def _require_image(image_shape: tuple[int, ...]) -> None:
    if not is_image(image_shape):
        raise InputError(
            f"network.kind is conv, but an image of the data has the shape {image_shape}; give data with height and "
            "width, or --network.kind mlp."
        )


def min_weights(config: NetworkConfig, image_shape: tuple[int, ...], given: int, taken: int) -> int:
    """Return a lower bound of the number of weights of encoder and decoder, without building them.

    Args:
        config: Architecture of the networks.
        image_shape: Shape of one image.
        given: Numbers per code that the encoder outputs.
        taken: Numbers per code that the decoder takes.
    """
    if config.kind == "conv" and is_image(image_shape):
        return count_conv_weights(image_shape, config.channels, config.kernel_size, config.hidden, given, taken)
    return count_mlp_weights(config.hidden, math.prod(image_shape), given, taken)


def _example_inputs(
    config: NetworkConfig, image_shape: tuple[int, ...], codes: Codes
) -> dict[str, tuple[Array | None, ...]]:
    z, y = zeros(1, config.latent_dim), zeros(1, codes.decoded_label)
    none = zeros(1, 0)
    extra = zeros(1, config.noise_dim) if config.posterior == "universal" else None
    images = zeros(1, *image_shape)
    return {
        "encoder": (images, extra),
        "decoder": (z, none if codes.heads else y),
        "heads": (y,),
        "mode_decoder": (none, y),
        **{name: (zeros(1, length),) for name, length in codes.discriminators.items()},
    }
