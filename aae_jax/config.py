"""What a run is: frozen dataclasses, one per concern. Named ones are in `presets.py`.

`None` in a field means "by the data"; `resolve` replaces it, and a run records the result.
"""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Literal

from aae_jax.errors import InputError

__all__ = [
    "AveragingConfig",
    "NetworkConfig",
    "OptimizerConfig",
    "OptimizersConfig",
    "Precision",
    "SemiSupervisedConfig",
    "UpdateOrder",
    "ViewConfig",
    "WeightsConfig",
    "require_resolved",
    "resolve",
    "validate",
    "validate_network",
]

Precision = Literal["float32", "bfloat16", "tf32"]
UpdateOrder = Literal["sequential", "simultaneous"]


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
    discriminator_activation: Literal["relu", "leaky_relu"] = "relu"
    """Non-linearity of the discriminators' hidden layers; leaky_relu has slope 0.2 below zero."""
    weight_init: Literal["he", "paper"] = "he"
    """He/LeCun normal, or the paper's N(0, 0.01^2)."""
    precision: Literal["auto", "float32", "bfloat16", "tf32"] = "float32"
    """Operands of matrix products; sums, weights and losses stay float32. auto: bfloat16 where the CPU has it. tf32:
    rounded to 10 bits of mantissa, on NVIDIA GPUs alone. --precision for short."""


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """One phase's optimizer."""

    kind: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 1e-3
    """Peak rate; the schedule multiplies it."""
    momentum: float = 0.9
    """Adam's beta1, or SGD's momentum."""


@dataclass(frozen=True, kw_only=True)
class OptimizersConfig:
    """The optimizers by phase; both discriminators have the same settings, but each its own moments."""

    reconstruction: OptimizerConfig = field(default_factory=OptimizerConfig)
    discriminator: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(momentum=0.5))
    generator: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(momentum=0.5))
    classification: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: Literal["constant", "cosine", "steps"] = "cosine"
    """Factor on every rate over the planned updates."""
    drops: tuple[float, ...] = ()
    """With schedule steps: the shares of the run after which every rate is divided by ten, e.g. 0.5 0.75."""


@dataclass(frozen=True, kw_only=True)
class ViewConfig:
    """What the encoder sees of an image in training; evaluation sees it clean."""

    noise_std: float = 0.3
    """Std of the noise on the encoder's input, in scaled pixels; the decoder's target stays clean."""
    noise_in: Literal["all", "reconstruction"] = "all"
    """The phases that see the noise."""
    max_shift: int | None = 0
    """Largest random shift in pixels, both ways. None: a fourteenth of the height (2 at 28 pixels), 0 for vectors."""


@dataclass(frozen=True, kw_only=True)
class WeightsConfig:
    """Factors of the terms of the losses, and the prior's scale."""

    reconstruction: float = 1.0
    reconstruction_loss: Literal["half_squared_error", "bernoulli"] = "half_squared_error"
    """Summed over pixels, mean over the batch."""
    generator_z: float = 1.0
    generator_y: float = 1.0
    consistency: float = 0.0
    """Cross-entropy between two predictions for an image, in the generator phase. 0: off."""
    consistency_target: Literal["view", "clean"] = "view"
    """What a view's prediction shall agree with: that for another view, or what evaluation would say of the clean
    image; the latter takes the adversaries' view, and so costs one forward pass (without an adversarial norm)."""
    consistency_warmup: float = 0.0
    """Share of the run over which the consistency weight rises from 0 to its value."""
    sharpness: float = 1.0
    """Factor on the logits of the consistency term's target."""
    confidence: float = 0.0
    """Images whose target (before sharpening) gives no class this probability count as 0 in the consistency term."""
    adversarial_norm: float = 0.0
    """Move a second view by this Euclidean norm (in scaled pixels, per image) where its prediction changes most (one
    gradient step, as in virtual adversarial training), and make that one agree with the target. 0: off."""
    propagation: float = 0.0
    """Cross-entropy of pool images, in the generator phase, with labels that are spread from the labelled ones over a
    graph of nearest neighbours before training (`aae_jax.propagation`). 0: off."""
    propagation_fade: float = 0.5
    """Share of the run over which that weight falls to 0. 0: it does not fall."""
    softmax_twice: bool = False
    """Take the softmax of probabilities in the classification loss, as two earlier implementations did by mistake: to
    see what it costs."""
    prior_std: float = 1.0
    """Standard deviation of z's Gaussian prior."""


@dataclass(frozen=True, kw_only=True)
class AveragingConfig:
    """Exponential moving average of the weights, used in evaluation."""

    decay: float = 0.0
    """Decay per update; 0: the last weights are used."""


@dataclass(frozen=True, kw_only=True)
class SemiSupervisedConfig:
    """The semi-supervised adversarial autoencoder of Makhzani et al. 2016, section 5 and figure 8."""

    dataset: str = "auto"
    """digits, mnist, fashion_mnist, kmnist, emnist/<split>, tfds:<name>, idx:<folder>, npz:<file>, or auto: mnist
    where it can be had, else digits, with a notice."""
    data_dir: str | None = None
    """Folder for data: IDX files or TFDS copies are read there, downloads go there. Also from $AAE_DATA_DIR."""
    split_seed: int = 0
    """Draws the test set of data that come without one (digits)."""
    labels: int | Literal["all"] = 1000
    """Number of labelled training images, balanced over the classes, or all."""
    label_seed: int | None = None
    """Draws the labelled images. None: each seed draws its own."""
    seed: int = 0
    """Fixes weights and order."""
    num_seeds: int = 1
    """Train this many seeds, seed, seed + 1, ..., in one program."""
    epochs: int | None = None
    """Passes over the unlabelled pool. None: 32, and more of a pool under 2,250 images."""
    batch_size: int = 100
    """Unlabelled images per update."""
    labelled_batch_size: int = 100
    """Labelled images per update; fewer where there are fewer."""
    classification_every: int = 1
    """Run the classification phase at every n-th update only."""
    update_order: UpdateOrder = "sequential"
    """sequential: each phase of an update sees what the phases before it moved. simultaneous: every phase's gradient
    is taken where the update begins, and reconstruction and adversaries read one view: less work, other training."""
    test: bool = True
    """Evaluate the test images at the end. Without it they are never looked at: for choosing settings."""
    evaluate_every: int | None = None
    """Epochs between validations and rows of metrics. None: so that there are 50 to 99, or one an epoch."""
    checkpoint_seconds: float = 60.0
    """Save the state for --resume when at least this long has passed since the last time."""
    figures_every: int | None = None
    """Epochs after which the figures are drawn during training too, into figures/epoch-<n>. None: at the end only."""
    tensorboard: bool = False
    """Write TensorBoard events into tensorboard/ (extra tensorboard)."""
    baseline_share: float = 0.25
    """Updates of the supervised baseline as a share of the run's (its updates are about ten times cheaper)."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    optimizers: OptimizersConfig = field(default_factory=OptimizersConfig)
    views: ViewConfig = field(default_factory=ViewConfig)
    weights: WeightsConfig = field(default_factory=WeightsConfig)
    averaging: AveragingConfig = field(default_factory=AveragingConfig)


PIXELS_PER_SHIFT = 14
EVALUATIONS = 50
EPOCHS = 32
"""Passes over the pool by default: 16,000 updates on MNIST."""
FEWEST_IMAGES = 72_000
"""Images that are shown at least, by default: a small pool is passed over more often."""
WEIGHTS = ("reconstruction", "generator_z", "generator_y", "consistency", "sharpness", "propagation")
OPTIMIZERS = ("reconstruction", "discriminator", "generator", "classification")


def resolve(
    config: SemiSupervisedConfig,
    image_shape: tuple[int, ...],
    *,
    pool_size: int | None = None,
    precision: Precision = "float32",
) -> SemiSupervisedConfig:
    """Replace every `None` that goes by the data, and precision `auto` by `precision`.

    Args:
        config: What the user chose.
        image_shape: Shape of one image; random shifts go by its height, and plain vectors have none.
        pool_size: Images that an epoch passes over; a small pool gets more epochs. None: a large one.
        precision: What `auto` stands for.
    """
    passes = EPOCHS if pool_size is None else max(EPOCHS, math.ceil(FEWEST_IMAGES / pool_size))
    epochs = config.epochs if config.epochs is not None else passes
    widest = 0 if len(image_shape) == 1 else image_shape[0] // PIXELS_PER_SHIFT
    every = config.evaluate_every if config.evaluate_every is not None else max(1, epochs // EVALUATIONS)
    shift = config.views.max_shift if config.views.max_shift is not None else widest
    network = config.network
    if network.precision == "auto":
        network = dataclasses.replace(network, precision=precision)
    return dataclasses.replace(
        config,
        epochs=epochs,
        evaluate_every=every,
        views=dataclasses.replace(config.views, max_shift=shift),
        network=network,
    )


def require_resolved(config: SemiSupervisedConfig) -> None:
    """Refuse a configuration in which `None` still stands for "by the data".

    Raises:
        InputError: Says to call `resolve`.
    """
    if config.views.max_shift is None:
        raise InputError(
            "The configuration has settings of None, which go by the data; "
            "call aae_jax.resolve(config, image_shape) first."
        )


Bound = tuple[str, float | None, float, float]


def _check_bounds(*bounds: Bound) -> None:
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
    _check_bounds(
        ("network.latent_dim", network.latent_dim, 1, 10**5),
        ("network.noise_dim", network.noise_dim, 1, 10**5),
        ("network.dropout", network.dropout, 0, 0.99),
        ("network.discriminator_dropout", network.discriminator_dropout, 0, 0.99),
        *((f"network.hidden[{i}]", width, 1, 10**6) for i, width in enumerate(network.hidden)),
        *((f"network.discriminator_hidden[{i}]", w, 1, 10**6) for i, w in enumerate(network.discriminator_hidden)),
    )


def validate(config: SemiSupervisedConfig) -> None:
    """Refuse values that cannot be trained with.

    Raises:
        InputError: Names the first such value.
    """
    network, views, weights, optimizers = config.network, config.views, config.weights, config.optimizers
    validate_network(network)
    _check_bounds(
        ("num_seeds", config.num_seeds, 1, 1000),
        ("epochs", config.epochs, 1, 10**7),
        ("batch_size", config.batch_size, 2, 10**6),
        ("labelled_batch_size", config.labelled_batch_size, 1, 10**6),
        ("figures_every", config.figures_every, 1, 10**7),
        ("classification_every", config.classification_every, 1, 10**6),
        ("evaluate_every", config.evaluate_every, 1, 10**7),
        ("seed", config.seed, 0, 2**31 - 1),
        ("label_seed", config.label_seed, 0, 2**31 - 1),
        ("split_seed", config.split_seed, 0, 2**31 - 1),
        ("checkpoint_seconds", config.checkpoint_seconds, 0, 10**7),
        ("baseline_share", config.baseline_share, 1e-6, 100),
        ("views.noise_std", views.noise_std, 0, 100),
        ("views.max_shift", views.max_shift, 0, 1000),
        ("averaging.decay", config.averaging.decay, 0, 0.999999),
        ("weights.consistency_warmup", config.weights.consistency_warmup, 0, 1),
        ("weights.confidence", weights.confidence, 0, 1),
        ("weights.propagation_fade", weights.propagation_fade, 0, 1),
        ("weights.adversarial_norm", config.weights.adversarial_norm, 0, 10**4),
        ("weights.prior_std", config.weights.prior_std, 1e-6, 10**6),
        *((f"weights.{n}", getattr(weights, n), 0, 10**6) for n in WEIGHTS),
        *((f"optimizers.{p}.learning_rate", getattr(optimizers, p).learning_rate, 0, 1e38) for p in OPTIMIZERS),
        *((f"optimizers.{p}.momentum", getattr(optimizers, p).momentum, 0, 0.999999) for p in OPTIMIZERS),
        *((f"optimizers.drops[{i}]", share, 0, 1) for i, share in enumerate(optimizers.drops)),
    )
    if bool(optimizers.drops) != (optimizers.schedule == "steps"):
        raise InputError(
            f"optimizers.schedule is {optimizers.schedule} and optimizers.drops is {list(optimizers.drops)}; "
            "give drops with the schedule steps, and with it alone."
        )
    if weights.reconstruction_loss == "bernoulli" and network.output != "sigmoid":
        raise InputError(
            f"weights.reconstruction_loss is bernoulli, but network.output is {network.output}; "
            "give --network.output sigmoid, or half_squared_error."
        )
