"""Components of every model's configuration: networks, optimizer of one phase, views, averaged weights."""

from dataclasses import dataclass
from typing import Literal

from aae_jax.config.traced import Traced, TracedTerm
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
    """Architecture of the networks."""

    kind: Literal["mlp", "conv"] = "mlp"
    """mlp: encoder and decoder are perceptrons. conv: convolutions precede the encoder's hidden layers and follow the
    decoder's; for images, not vectors."""
    hidden: tuple[int, ...] = (1000, 1000)
    """Widths of the hidden layers of encoder and decoder; with kind conv there may be none."""
    channels: tuple[int, ...] = (32, 64)
    """Kind conv: feature maps of the convolutions, each of which halves an image's sides in the encoder."""
    kernel_size: int = 3
    """Kind conv: side of the kernels, in pixels."""
    residual: bool = False
    """Kind conv: add a residual block of two 3×3 convolutions, without batch norm or dropout, to each convolution."""
    discriminator_hidden: tuple[int, ...] = (1000, 1000)
    """Widths of the hidden layers of both discriminators."""
    latent_dim: int = 10
    """Dimension of the style code z."""
    posterior: Literal["deterministic", "gaussian", "universal"] = "deterministic"
    """Posterior q(z|x) of the encoder (section 2.1 of the paper)."""
    noise_dim: int = 10
    """Dimension of the universal approximator's noise input."""
    output: Literal["sigmoid", "linear", "tanh"] = "sigmoid"
    """Output non-linearity of the decoder; pixels are scaled to its range."""
    batch_norm: bool = False
    """Apply batch norm to the encoder's hidden layers and convolutions."""
    batch_norm_heads: bool = False
    """Apply batch norm to the encoder's outputs too: style and label logits."""
    batch_norm_decoder: bool = False
    """Apply batch norm to the decoder's hidden layers and convolutions."""
    batch_norm_output: bool = False
    """Apply batch norm to the decoder's output, before its non-linearity: by pixel, or by colour with kind conv."""
    dropout: float = 0.0
    """Probability of dropping a hidden unit of encoder or decoder in training."""
    discriminator_dropout: float = 0.0
    """Probability of dropping a hidden unit of a discriminator in training."""
    discriminator_noise: float = 0.0
    """Std of the noise on all inputs of the discriminators in training: codes, samples, their labels."""
    discriminator_activation: Literal["relu", "leaky_relu"] = "relu"
    """Non-linearity of the discriminators' hidden layers; leaky_relu has slope 0.2 below zero."""
    weight_init: Literal["he", "paper"] = "he"
    """Initialisation of the weights. he: He/LeCun normal. paper: N(0, 0.01^2)."""
    precision: Literal["auto", "float32", "bfloat16", "tf32"] = "float32"
    """Precision of the operands of matrix products; sums, weights and losses stay float32. tf32: 10 mantissa bits, on
    NVIDIA GPUs of compute capability 8.0 or higher. auto: tf32 there, bfloat16 on TPUs and on CPUs that support it,
    else float32. Short form: --precision."""


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """Optimizer of one phase."""

    kind: Literal["adam", "sgd"] = "adam"
    learning_rate: Traced[float] = 1e-3
    """Peak learning rate, multiplied by the schedule."""
    momentum: float = 0.9
    """Adam's beta1, or SGD's momentum."""
    clip_norm: float = 0.0
    """Maximum global norm of the gradient over all weights that the phase trains; larger gradients are scaled down to
    it. 0: no clipping."""


@dataclass(frozen=True, kw_only=True)
class ViewConfig:
    """Augmentation of the encoder's input in training; evaluation uses clean images."""

    noise_std: Traced[float] = 0.3
    """Std of the noise on the encoder's input, in scaled pixels; the decoder's target stays clean."""
    noise_in: Literal["all", "reconstruction"] = "all"
    """Phases whose views have noise and dropout."""
    dropout: float = 0.0
    """Share of the encoder's input pixels set to 0; the others are divided by 1 minus this share."""
    max_shift: int | None = 0
    """Maximum random shift in pixels, in both directions. None: a fourteenth of the shorter side (2 for 28 pixels), 0
    for vectors."""
    border: Literal["black", "edge", "reflect"] = "black"
    """Pixels that a shift uncovers: black, those of the edge, or those inside the edge mirrored (a padded crop)."""
    flip: float = 0.0
    """Probability that an image is mirrored horizontally."""
    brightness: TracedTerm[float] = 0.0
    """Colour jitter: pixels are multiplied by a random factor of up to 1 ± this number."""
    contrast: TracedTerm[float] = 0.0
    """Colour jitter: deviations from the image's mean are multiplied by a random factor of up to 1 ± this number."""
    saturation: TracedTerm[float] = 0.0
    """Colour jitter: deviations from grey are multiplied by a random factor of up to 1 ± this number."""
    transform: str | None = None
    """Function of your own, FILE.py:FUNCTION or package.module:FUNCTION: (key, images) -> images, both float32 of
    shape [batch, *image] in [0, 1], applied after the others. The decoder's target is what it returns, clipped."""
    style_of: Literal["view", "clean"] = "view"
    """Images whose styles the discriminator of z compares with the prior. view: augmented. clean: as in evaluation;
    styles of clean images then match the prior even if a style encodes the augmentation, e.g. a shift."""
    probability: float = 1.0
    """Probability that an image is augmented at all (shift, mirror, jitter, noise, dropout), drawn anew for each
    view."""

    @property
    def has_jitter(self) -> bool:
        """Whether the colours change at random."""
        return max(self.brightness, self.contrast, self.saturation) > 0


@dataclass(frozen=True, kw_only=True)
class ReconstructionWeights:
    """Reconstruction loss of every model; each model's subclass adds the weights of its other terms."""

    reconstruction: Traced[float] = 1.0
    reconstruction_loss: Literal["half_squared_error", "mean_squared_error", "bernoulli"] = "half_squared_error"
    """half_squared_error and bernoulli are sums over pixels, mean_squared_error is a mean over pixels; all are means
    over the batch."""


@dataclass(frozen=True, kw_only=True)
class AveragingConfig:
    """Exponential moving average of the weights, used in evaluation."""

    decay: TracedTerm[float] = 0.0
    """Decay per update. 0: use the last weights."""


Bound = tuple[str, float | None, float, float]


def check_bounds(*bounds: Bound) -> None:
    """Raise `InputError` for the first `(name, value, lowest, highest)` with a value out of bounds; None is valid."""
    for name, value, low, high in bounds:
        if value is not None and not low <= value <= high:
            raise InputError(f"{name} is {value}; give a number from {low} to {high}.")


def validate_network(network: NetworkConfig) -> None:
    """Check that the sizes of the networks are valid.

    Raises:
        InputError: A value is invalid; the message names the first.
    """
    if not network.hidden and network.kind == "mlp":
        raise InputError("network.hidden is empty; give the width of at least one layer.")
    if not network.channels and network.kind == "conv":
        raise InputError("network.channels is empty; give the feature maps of at least one convolution.")
    plain = NetworkConfig()
    for name in ("channels", "kernel_size", "residual"):
        value = getattr(network, name)
        if network.kind == "mlp" and value != getattr(plain, name):
            raise InputError(f"network.{name} is {value}, but a perceptron has none; give --network.kind conv too.")
    check_bounds(
        ("network.latent_dim", network.latent_dim, 1, 10**5),
        ("network.noise_dim", network.noise_dim, 1, 10**5),
        ("network.dropout", network.dropout, 0, 0.99),
        ("network.discriminator_dropout", network.discriminator_dropout, 0, 0.99),
        ("network.discriminator_noise", network.discriminator_noise, 0, 100),
        ("network.kernel_size", network.kernel_size, 1, 64),
        *((f"network.channels[{i}]", maps, 1, 10**5) for i, maps in enumerate(network.channels)),
        *((f"network.hidden[{i}]", width, 1, 10**6) for i, width in enumerate(network.hidden)),
        *((f"network.discriminator_hidden[{i}]", w, 1, 10**6) for i, w in enumerate(network.discriminator_hidden)),
    )


def validate_reconstruction(weights: ReconstructionWeights, network: NetworkConfig) -> None:
    """Check the weight of the reconstruction loss, and that the loss is compatible with the network's output.

    Raises:
        InputError: The weight or the combination is invalid; the message suggests a valid one.
    """
    check_bounds(("weights.reconstruction", weights.reconstruction, 0, 10**6))
    if weights.reconstruction_loss == "bernoulli" and network.output != "sigmoid":
        raise InputError(
            f"weights.reconstruction_loss is bernoulli, but network.output is {network.output}; "
            "give --network.output sigmoid, or half_squared_error."
        )
