"""What configurations of every model are made of: networks, one phase's optimizer, views, averaged weights."""

from dataclasses import dataclass
from typing import Literal

from aae_jax.errors import InputError

__all__ = [
    "AveragingConfig",
    "Bound",
    "NetworkConfig",
    "OptimizerConfig",
    "Precision",
    "ReconstructionWeights",
    "ScheduleKind",
    "UpdateOrder",
    "ViewConfig",
    "check_bounds",
    "validate_network",
    "validate_reconstruction",
]

Precision = Literal["float32", "bfloat16", "tf32"]
UpdateOrder = Literal["sequential", "simultaneous"]
ScheduleKind = Literal["constant", "cosine", "steps"]


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Sizes and kinds of the networks."""

    hidden: tuple[int, ...] = (1000, 1000)
    """Widths of the hidden layers of encoder and decoder."""
    discriminator_hidden: tuple[int, ...] = (1000, 1000)
    """Widths of the hidden layers of both discriminators."""
    latent_dim: int = 10
    """Dimensions of the style code z."""
    posterior: Literal["deterministic", "gaussian", "universal"] = "deterministic"
    """How z is drawn given an image (section 2.1 of the paper)."""
    noise_dim: int = 10
    """Dimensions of the universal approximator's noise input."""
    output: Literal["sigmoid", "linear", "tanh"] = "sigmoid"
    """The decoder's last non-linearity; pixels are scaled to its range."""
    batch_norm: bool = False
    """Whether the encoder's hidden layers are batch-normalised."""
    batch_norm_heads: bool = False
    """Whether the encoder's outputs, style and label logits, are too."""
    dropout: float = 0.0
    """Probability of dropping a hidden unit of encoder or decoder in training."""
    discriminator_dropout: float = 0.0
    """The same for the discriminators."""
    discriminator_noise: float = 0.0
    """Std of noise on all that the discriminators are shown in training: codes, samples, labels beside them."""
    discriminator_activation: Literal["relu", "leaky_relu"] = "relu"
    """Non-linearity of the discriminators' hidden layers; leaky_relu has slope 0.2 below zero."""
    weight_init: Literal["he", "paper"] = "he"
    """He/LeCun normal, or the paper's N(0, 0.01^2)."""
    precision: Literal["auto", "float32", "bfloat16", "tf32"] = "float32"
    """Operands of matrix products; sums, weights and losses stay float32. tf32: rounded to 10 bits of mantissa, on
    NVIDIA GPUs of compute capability 8.0 or more. auto: tf32 there, bfloat16 on TPUs and on CPUs that have it, else
    float32. --precision for short."""


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """One phase's optimizer."""

    kind: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 1e-3
    """Peak rate; the schedule multiplies it."""
    momentum: float = 0.9
    """Adam's beta1, or SGD's momentum."""
    clip_norm: float = 0.0
    """Longest gradient, over all weights that the phase moves; a longer one is shortened to it. 0: none is."""


@dataclass(frozen=True, kw_only=True)
class ViewConfig:
    """What the encoder sees of an image in training; evaluation sees it clean."""

    noise_std: float = 0.3
    """Std of the noise on the encoder's input, in scaled pixels; the decoder's target stays clean."""
    noise_in: Literal["all", "reconstruction"] = "all"
    """The phases that see the noise, and the dropout."""
    dropout: float = 0.0
    """Share of the encoder's input pixels that are set to 0, the others divided by what is left of 1."""
    max_shift: int | None = 0
    """Largest random shift in pixels, both ways. None: a fourteenth of the shorter side (2 at 28 pixels), 0 for
    vectors."""
    probability: float = 1.0
    """Of an image's being shifted, noisy and dropped from at all, drawn anew for each view."""


@dataclass(frozen=True, kw_only=True)
class ReconstructionWeights:
    """How images are rebuilt, in every model; a model's own class adds the factors of its other terms."""

    reconstruction: float = 1.0
    reconstruction_loss: Literal["half_squared_error", "mean_squared_error", "bernoulli"] = "half_squared_error"
    """half_squared_error and bernoulli are summed over pixels, mean_squared_error is their mean; all are means over
    the batch."""


@dataclass(frozen=True, kw_only=True)
class AveragingConfig:
    """Exponential moving average of the weights, used in evaluation."""

    decay: float = 0.0
    """Decay per update; 0: the last weights are used."""


Bound = tuple[str, float | None, float, float]


def check_bounds(*bounds: Bound) -> None:
    """Refuse the first `(name, value, lowest, highest)` whose value is outside; None is inside."""
    for name, value, low, high in bounds:
        if value is not None and not low <= value <= high:
            raise InputError(f"{name} is {value}; give a number from {low} to {high}.")


def validate_network(network: NetworkConfig) -> None:
    """Refuse sizes that no network can have.

    Raises:
        InputError: Names the first such value.
    """
    if not network.hidden:
        raise InputError("network.hidden is empty; give the width of at least one layer.")
    check_bounds(
        ("network.latent_dim", network.latent_dim, 1, 10**5),
        ("network.noise_dim", network.noise_dim, 1, 10**5),
        ("network.dropout", network.dropout, 0, 0.99),
        ("network.discriminator_dropout", network.discriminator_dropout, 0, 0.99),
        ("network.discriminator_noise", network.discriminator_noise, 0, 100),
        *((f"network.hidden[{i}]", width, 1, 10**6) for i, width in enumerate(network.hidden)),
        *((f"network.discriminator_hidden[{i}]", w, 1, 10**6) for i, w in enumerate(network.discriminator_hidden)),
    )


def validate_reconstruction(weights: ReconstructionWeights, network: NetworkConfig) -> None:
    """Refuse a reconstruction loss that does not go with the network's output, or a factor that is none.

    Raises:
        InputError: Says which to give.
    """
    check_bounds(("weights.reconstruction", weights.reconstruction, 0, 10**6))
    if weights.reconstruction_loss == "bernoulli" and network.output != "sigmoid":
        raise InputError(
            f"weights.reconstruction_loss is bernoulli, but network.output is {network.output}; "
            "give --network.output sigmoid, or half_squared_error."
        )
