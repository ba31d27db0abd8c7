"""Networks as pure functions, called by phases, evaluation and saved models. Only this package uses flax."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.errors import ScopeParamShapeError
from jaxtyping import Float

from aae_jax.config import NetworkConfig
from aae_jax.errors import InputError
from aae_jax.networks.conv import Convolutions, Deconvolutions, count_conv_weights, is_image
from aae_jax.networks.mlp import ClusterHeads, Decoder, Discriminator, Encoder, Trunk, count_mlp_weights
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


class EncoderOutput(NamedTuple):
    """The encoder's output for a batch of images.

    Attributes:
        mean: `[batch, latent]`, the style code, or the mean of its Gaussian posterior.
        logits: `[batch, classes]`, unnormalised log-probabilities of the label; `[batch, 0]` in a model without
            label.
        log_std: `[batch, latent]`, log standard deviation of a Gaussian posterior, else None.
    """

    mean: Float[Array, "batch latent"]
    logits: Float[Array, "batch classes"]
    log_std: Float[Array, "batch latent"] | None

    def __repr__(self) -> str:
        """Return dtypes and shapes instead of values."""
        return brief_fields(self)


@runtime_checkable
class EncodeNetwork(Protocol):
    """`(params, stats, images, key) -> (EncoderOutput, stats)`, with running moments updated in training."""

    def __call__(
        self, params: Params, stats: Stats, images: Array, key: PRNGKey | None, /, *, train: bool | None = None
    ) -> tuple[EncoderOutput, Stats]:
        """Return the encoder's output and the moments; `train` defaults to whether a key is given."""
        ...


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
        decode: `(params, z, y, key) -> [batch, *image]` before the output non-linearity.
        discriminate_z: `(params, z, key) -> [batch]` logits.
        discriminate_y: `(params, y, key) -> [batch]` logits.
        represent: `(params, z, y, key) -> [batch, latent]`, input of the decoder of a model with heads: W_C y + z.
        decode_mode: `(params, y, key) -> [batch, *image]` from the label only, before the output non-linearity.
    """

    init: Callable[[PRNGKey], tuple[Params, Stats]]
    encode: EncodeNetwork
    decode: Callable[[Params, Array, Array, PRNGKey | None], Array]
    discriminate_z: Callable[[Params, Array, PRNGKey | None], Array]
    discriminate_y: Callable[[Params, Array, PRNGKey | None], Array]
    represent: Callable[[Params, Array, Array, PRNGKey | None], Array] | None = None
    decode_mode: Callable[[Params, Array, PRNGKey | None], Array] | None = None

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


def build_networks(config: NetworkConfig, image_shape: tuple[int, ...], codes: Codes) -> Networks:
    """Return the networks of a model with the given codes, for images of `image_shape`.

    Raises:
        InputError: The networks are convolutional, but the data are vectors.
    """
    scheme, precision = config.weight_init, config.precision
    if precision == "auto":
        precision = fastest_precision()
    convolutions, deconvolutions = _build_convolutions(config, image_shape, precision)
    slope = LEAKY_SLOPE if config.discriminator_activation == "leaky_relu" else 0.0
    adversary = Trunk(
        config.discriminator_hidden, False, config.discriminator_dropout, scheme, precision, slope=slope
    )
    modules: dict[str, nn.Module] = {
        "encoder": Encoder(
            Trunk(config.hidden, config.batch_norm, config.dropout, scheme, precision),
            config.latent_dim,
            codes.encoded_label,
            config.posterior == "gaussian",
            config.batch_norm_heads,
            convolutions,
        ),
        "decoder": Decoder(
            Trunk(config.hidden, False, config.dropout, scheme, precision), image_shape, deconvolutions
        ),
        **{
            name: Discriminator(adversary, config.discriminator_noise, i)
            for i, name in enumerate(codes.discriminators)
        },
    }
    if codes.heads:
        modules["heads"] = ClusterHeads(config.latent_dim)
    if codes.mode_decoder:
        modules["mode_decoder"] = modules["decoder"].clone()

    def init(key: PRNGKey) -> tuple[Params, Stats]:
        inputs = _example_inputs(config, image_shape, codes)
        keys = jax.random.split(key, len(modules))
        variables = {
            name: module.init(keys[i], *inputs[name], train=False) for i, (name, module) in enumerate(modules.items())
        }
        params = {name: value["params"] for name, value in variables.items()}
        return params, {n: v["batch_stats"] for n, v in variables.items() if "batch_stats" in v}

    decode = _build_apply(modules["decoder"], "decoder")
    represent = _build_represent(_build_apply(modules["heads"], "heads")) if codes.heads else None
    return Networks(
        init,
        _build_encode(modules["encoder"], config),
        decode if represent is None else _build_decode_represented(decode, represent),
        _build_apply(modules.get("discriminator_z"), "discriminator_z"),
        _build_apply(modules.get("discriminator_y"), "discriminator_y"),
        represent=represent,
        decode_mode=_build_decode_mode(modules["mode_decoder"]) if codes.mode_decoder else None,
    )


def _build_convolutions(
    config: NetworkConfig, image_shape: tuple[int, ...], precision: str
) -> tuple[Convolutions, Deconvolutions] | tuple[None, None]:
    """Return the convolutions of encoder and decoder, or two times None for perceptrons."""
    if config.kind == "mlp":
        return None, None
    if not is_image(image_shape):
        raise InputError(
            f"network.kind is conv, but an image of the data has the shape {image_shape}; give data with height and "
            "width, or --network.kind mlp."
        )
    scheme = config.weight_init
    shared = (config.kernel_size, config.residual)
    return (
        Convolutions(config.channels, *shared, config.batch_norm, config.dropout, scheme, precision),
        Deconvolutions(config.channels, image_shape, *shared, config.dropout, scheme, precision),
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
    z, y = _zeros(1, config.latent_dim), _zeros(1, codes.decoded_label)
    none = _zeros(1, 0)
    extra = _zeros(1, config.noise_dim) if config.posterior == "universal" else None
    images = _zeros(1, *image_shape)
    return {
        "encoder": (images, extra),
        "decoder": (z, none if codes.heads else y),
        "heads": (y,),
        "mode_decoder": (none, y),
        **{name: (_zeros(1, length),) for name, length in codes.discriminators.items()},
    }


def _zeros(*shape: int) -> Array:
    return jnp.zeros(shape, jnp.float32)


def _rngs(key: PRNGKey | None) -> dict[str, PRNGKey]:
    return {} if key is None else {"dropout": key}


def _build_apply(module: nn.Module | None, name: str) -> Callable[..., Array]:
    def apply(params: Params, *inputs: Array | PRNGKey | None) -> Array:
        if module is None:
            raise InputError(f"This model has no {name}; build its networks with one (Codes).")
        *codes, key = inputs
        try:
            result: Any = module.apply({"params": params[name]}, *codes, train=key is not None, rngs=_rngs(key))
        except ScopeParamShapeError as error:
            lengths = " and ".join(str(code.shape[-1]) for code in codes if code is not None)
            advice = (
                "networks and configuration must both have conditional True, so that it sees labels, or both False."
                if name == "discriminator_z"
                else "give codes of the lengths that the model was built with."
            )
            raise InputError(f"The {name} was not built for inputs of length {lengths}; {advice}") from error
        return jnp.asarray(result)

    return apply


def _build_represent(apply_heads: Callable[..., Array]) -> Callable[..., Array]:
    def represent(params: Params, z: Array, y: Array, key: PRNGKey | None) -> Array:
        return z + apply_heads(params, y, key)

    return represent


def _build_decode_represented(decode: Callable[..., Array], represent: Callable[..., Array]) -> Callable[..., Array]:
    def decode_represented(params: Params, z: Array, y: Array, key: PRNGKey | None) -> Array:
        return decode(params, represent(params, z, y, key), _zeros(z.shape[0], 0), key)

    return decode_represented


def _build_decode_mode(module: nn.Module) -> Callable[..., Array]:
    apply = _build_apply(module, "mode_decoder")

    def decode_mode(params: Params, y: Array, key: PRNGKey | None) -> Array:
        return apply(params, _zeros(y.shape[0], 0), y, key)

    return decode_mode


def _build_encode(module: nn.Module, config: NetworkConfig) -> EncodeNetwork:
    def noise_input(key: PRNGKey | None, batch: int) -> Array | None:
        if config.posterior != "universal":
            return None
        if key is None:
            return _zeros(batch, config.noise_dim)
        return jax.random.normal(jax.random.fold_in(key, 1), (batch, config.noise_dim), jnp.float32)

    def encode(
        params: Params, stats: Stats, images: Array, key: PRNGKey | None, /, *, train: bool | None = None
    ) -> tuple[EncoderOutput, Stats]:
        train = key is not None if train is None else train
        variables = {"params": params["encoder"]}
        if "encoder" in stats:
            variables["batch_stats"] = stats["encoder"]
        (mean, logits, log_std), changed = module.apply(
            variables,
            images,
            noise_input(key, images.shape[0]),
            train=train,
            rngs=_rngs(key if train else None),
            mutable=["batch_stats"] if train else [],
        )
        if "batch_stats" in changed:
            stats = {**stats, "encoder": changed["batch_stats"]}
        return EncoderOutput(mean, logits, log_std), stats

    return encode
