"""Linen modules as pure functions of weights, moments and keys."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.errors import ScopeParamShapeError
from jaxtyping import Float

from aae_jax.config import NetworkConfig
from aae_jax.errors import InputError
from aae_jax.text import brief_fields
from aae_jax.types import Array, Params, PRNGKey, Stats

__all__ = [
    "DecodeNetwork",
    "EncodeNetwork",
    "EncoderOutput",
    "build_apply",
    "build_decode",
    "build_decode_mode",
    "build_decode_represented",
    "build_encode",
    "build_represent",
    "zeros",
]


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


DecodeNetwork = Callable[[Params, Stats, Array, Array, PRNGKey | None], tuple[Array, Stats]]
"""`(params, stats, z, y, key) -> (images, stats)`, with running moments updated in training, i.e. with a key."""


def zeros(*shape: Any) -> Array:
    """Return zeros in float32; a side may be symbolic (jax.export)."""
    return jnp.zeros(shape, jnp.float32)


def _rngs(key: PRNGKey | None) -> dict[str, PRNGKey]:
    return {} if key is None else {"dropout": key}


def build_apply(module: nn.Module | None, name: str) -> Callable[..., Array]:
    """Return `(params, *codes, key) -> output` of a network without running moments; without one it raises."""
    apply = None if module is None else _build_with_moments(module, name)

    def call(params: Params, *inputs: Array | PRNGKey | None) -> Array:
        if apply is None:
            raise InputError(f"This model has no {name}; build its networks with one (Codes).")
        *codes, key = inputs
        result, _ = apply(params, {}, *codes, key=key, train=key is not None)
        return jnp.asarray(result)

    return call


def build_decode(module: nn.Module) -> DecodeNetwork:
    """Return the function of a decoder."""
    apply = _build_with_moments(module, "decoder")

    def decode(params: Params, stats: Stats, z: Array, y: Array, key: PRNGKey | None) -> tuple[Array, Stats]:
        return apply(params, stats, z, y, key=key, train=key is not None)

    return decode


def build_represent(apply_heads: Callable[..., Array]) -> Callable[..., Array]:
    """Return `(params, z, y, key) -> W_C y + z`."""

    def represent(params: Params, z: Array, y: Array, key: PRNGKey | None) -> Array:
        return z + apply_heads(params, y, key)

    return represent


def build_decode_represented(decode: DecodeNetwork, represent: Callable[..., Array]) -> DecodeNetwork:
    """Return the decoder of a model with heads, which decodes W_C y + z."""

    def decode_represented(
        params: Params, stats: Stats, z: Array, y: Array, key: PRNGKey | None
    ) -> tuple[Array, Stats]:
        return decode(params, stats, represent(params, z, y, key), zeros(z.shape[0], 0), key)

    return decode_represented


def build_decode_mode(module: nn.Module) -> Callable[[Params, Array, PRNGKey | None], Array]:
    """Return the function of a decoder of labels alone."""
    apply = build_apply(module, "mode_decoder")

    def decode_mode(params: Params, y: Array, key: PRNGKey | None) -> Array:
        return apply(params, zeros(y.shape[0], 0), y, key)

    return decode_mode


def build_encode(module: nn.Module, config: NetworkConfig) -> EncodeNetwork:
    """Return the function of an encoder, which draws the noise of the universal approximator."""
    apply = _build_with_moments(module, "encoder")

    def noise_input(key: PRNGKey | None, batch: Any) -> Array | None:
        if config.posterior != "universal":
            return None
        if key is None:
            return zeros(batch, config.noise_dim)
        return jax.random.normal(jax.random.fold_in(key, 1), (batch, config.noise_dim), jnp.float32)

    def encode(
        params: Params, stats: Stats, images: Array, key: PRNGKey | None, /, *, train: bool | None = None
    ) -> tuple[EncoderOutput, Stats]:
        train = key is not None if train is None else train
        output, stats = apply(params, stats, images, noise_input(key, images.shape[0]), key=key, train=train)
        return EncoderOutput(*output), stats

    return encode


def _build_with_moments(module: nn.Module, name: str) -> Callable[..., tuple[Any, Stats]]:
    """Return `(params, stats, *inputs, key, train) -> (output, stats)`, with the network's updated moments."""

    def apply(
        params: Params, stats: Stats, *inputs: Array | None, key: PRNGKey | None, train: bool
    ) -> tuple[Any, Stats]:
        variables = {"params": params[name]} | ({"batch_stats": stats[name]} if name in stats else {})
        rngs = {"dropout": key} if train and key is not None else {}
        mutable = ["batch_stats"] if train and name in stats else False
        try:
            result: Any = module.apply(variables, *inputs, train=train, rngs=rngs, mutable=mutable)
        except ScopeParamShapeError as error:
            raise InputError(_wrong_length(name, inputs)) from error
        if not mutable:
            return result, stats
        output, changed = result
        return output, {**stats, name: changed["batch_stats"]}

    return apply


def _wrong_length(name: str, inputs: tuple[Array | None, ...]) -> str:
    """Return the message for inputs of lengths that a network was not built for."""
    if name == "encoder":
        shapes = " and ".join(str(each.shape[1:]) for each in inputs if each is not None)
        return f"The encoder was not built for images of shape {shapes}; give images as the model was built with."
    lengths = " and ".join(str(code.shape[-1]) for code in inputs if code is not None)
    advice = (
        "networks and configuration must both have conditional True, so that it sees labels, or both False."
        if name == "discriminator_z"
        else "give codes of the lengths that the model was built with."
    )
    return f"The {name} was not built for inputs of length {lengths}; {advice}"
