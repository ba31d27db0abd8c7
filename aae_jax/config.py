"""What a run is: frozen dataclasses, one per concern, and the named presets.

`None` in a field means "by the size of the images"; `resolve` replaces it, and a run records the result.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Literal

from aae_jax.errors import InputError, did_you_mean

__all__ = [
    "PRESETS",
    "AveragingConfig",
    "NetworkConfig",
    "OptimizerConfig",
    "OptimizersConfig",
    "Precision",
    "SemiSupervisedConfig",
    "ViewConfig",
    "WeightsConfig",
    "preset",
    "require_resolved",
    "resolve",
    "validate",
]

Precision = Literal["float32", "bfloat16"]


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
    dropout: float = 0.0
    """Probability of dropping a hidden unit of encoder or decoder in training."""
    weight_init: Literal["he", "paper"] = "he"
    """He/LeCun normal, or the paper's N(0, 0.01^2)."""
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    """Operands of matrix products; sums, weights and losses stay float32. auto: bfloat16 where the CPU has it."""


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
    schedule: Literal["constant", "cosine"] = "cosine"
    """Factor on every rate over the planned updates."""


@dataclass(frozen=True, kw_only=True)
class ViewConfig:
    """What the encoder sees of an image in training; evaluation sees it clean."""

    noise_std: float = 0.3
    """Std of the noise on the encoder's input, in scaled pixels; the decoder's target stays clean."""
    max_shift: int | None = 0
    """Largest random shift in pixels, both ways. None: a fourteenth of the height (2 at 28 pixels)."""


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
    """mnist, digits, or auto: mnist where it is at hand, else digits, with a notice."""
    data_dir: str | None = None
    """Folder with MNIST's four IDX files; also from the environment variable AAE_DATA_DIR."""
    split_seed: int = 0
    """Draws the test set of data that come without one (digits)."""
    labels: int | Literal["all"] = 1000
    """Number of labelled training images, balanced over the classes, or all."""
    label_seed: int | None = None
    """Draws the labelled images. None: each seed draws its own."""
    seed: int = 0
    """Fixes weights and order."""
    num_seeds: int = 1
    """Train this many seeds, seed, seed + 1, ..., side by side in one program."""
    epochs: int | None = None
    """Passes over the unlabelled pool. None: by the size of the images."""
    batch_size: int = 100
    """Unlabelled images per update."""
    labelled_batch_size: int = 100
    """Labelled images per update; fewer where there are fewer."""
    test: bool = True
    """Evaluate the test images at the end. Without it they are never looked at: for choosing settings."""
    evaluate_every: int | None = None
    """Epochs between validations and rows of metrics. None: so that there are 50 to 99, or one an epoch."""
    checkpoint_seconds: float = 60.0
    """Save the state for --resume when at least this long has passed since the last time."""
    baseline_share: float = 0.25
    """Updates of the supervised baseline as a share of the run's (its updates are about ten times cheaper)."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    optimizers: OptimizersConfig = field(default_factory=OptimizersConfig)
    views: ViewConfig = field(default_factory=ViewConfig)
    weights: WeightsConfig = field(default_factory=WeightsConfig)
    averaging: AveragingConfig = field(default_factory=AveragingConfig)


SMALL_IMAGE = 16
"""Height under which images count as small: there are few of them, and an epoch is a few updates."""
EVALUATIONS = 50
EPOCHS, SMALL_EPOCHS = 32, 60
WEIGHTS = ("reconstruction", "generator_z", "generator_y", "consistency", "sharpness")
OPTIMIZERS = ("reconstruction", "discriminator", "generator", "classification")

PLAIN = SemiSupervisedConfig()
DEFAULT = SemiSupervisedConfig(
    network=NetworkConfig(batch_norm=True, discriminator_hidden=(500, 500), precision="auto"),
    views=ViewConfig(noise_std=0.3, max_shift=None),
    weights=WeightsConfig(consistency=3.0, consistency_target="clean", confidence=0.9),
)
SMOKE = dataclasses.replace(
    DEFAULT,
    epochs=2,
    batch_size=50,
    evaluate_every=1,
    network=dataclasses.replace(DEFAULT.network, hidden=(32, 32), discriminator_hidden=(16,)),
)

PRESETS: dict[str, tuple[SemiSupervisedConfig, str]] = {
    "default": (DEFAULT, "the recommended recipe: batch norm, random shifts, consistency with the clean image"),
    "plain": (PLAIN, "the paper's five phases alone, with Adam"),
    "smoke": (SMOKE, "tiny networks for a few seconds: does everything run?"),
}


def preset(name: str) -> SemiSupervisedConfig:
    """Return the configuration of a named preset.

    Raises:
        InputError: There is no such preset.
    """
    if name not in PRESETS:
        raise InputError(f"There is no preset {name!r}; {did_you_mean(name, PRESETS)}")
    return PRESETS[name][0]


def resolve(
    config: SemiSupervisedConfig, image_shape: tuple[int, int], *, precision: Precision = "float32"
) -> SemiSupervisedConfig:
    """Replace every `None` that goes by the size of the images, and precision `auto` by `precision`."""
    height = image_shape[0]
    epochs = config.epochs if config.epochs is not None else (SMALL_EPOCHS if height < SMALL_IMAGE else EPOCHS)
    every = config.evaluate_every if config.evaluate_every is not None else max(1, epochs // EVALUATIONS)
    shift = config.views.max_shift if config.views.max_shift is not None else height // 14
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
    """Refuse a configuration in which `None` still stands for "by the size of the images".

    Raises:
        InputError: Says to call `resolve`.
    """
    if config.views.max_shift is None:
        raise InputError(
            "The configuration has settings of None, which go by the size of the images; "
            "call aae_jax.resolve(config, image_shape) first."
        )


def validate(config: SemiSupervisedConfig) -> None:
    """Refuse values that cannot be trained with.

    Raises:
        InputError: Names the first such value.
    """
    network, views, weights, optimizers = config.network, config.views, config.weights, config.optimizers
    for name, value, low, high in (
        ("num_seeds", config.num_seeds, 1, 1000),
        ("epochs", config.epochs, 1, 10**7),
        ("batch_size", config.batch_size, 2, 10**6),
        ("labelled_batch_size", config.labelled_batch_size, 1, 10**6),
        ("evaluate_every", config.evaluate_every, 1, 10**7),
        ("seed", config.seed, 0, 2**31 - 1),
        ("label_seed", config.label_seed, 0, 2**31 - 1),
        ("split_seed", config.split_seed, 0, 2**31 - 1),
        ("checkpoint_seconds", config.checkpoint_seconds, 0, 10**7),
        ("baseline_share", config.baseline_share, 1e-6, 100),
        ("network.latent_dim", network.latent_dim, 1, 10**5),
        ("network.noise_dim", network.noise_dim, 1, 10**5),
        ("network.dropout", network.dropout, 0, 0.99),
        ("views.noise_std", views.noise_std, 0, 100),
        ("views.max_shift", views.max_shift, 0, 1000),
        ("averaging.decay", config.averaging.decay, 0, 0.999999),
        ("weights.consistency_warmup", config.weights.consistency_warmup, 0, 1),
        ("weights.confidence", weights.confidence, 0, 1),
        ("weights.adversarial_norm", config.weights.adversarial_norm, 0, 10**4),
        ("weights.prior_std", config.weights.prior_std, 1e-6, 10**6),
        *((f"weights.{n}", getattr(weights, n), 0, 10**6) for n in WEIGHTS),
        *((f"optimizers.{p}.learning_rate", getattr(optimizers, p).learning_rate, 0, 1e38) for p in OPTIMIZERS),
        *((f"optimizers.{p}.momentum", getattr(optimizers, p).momentum, 0, 0.999999) for p in OPTIMIZERS),
        *((f"network.hidden[{i}]", width, 1, 10**6) for i, width in enumerate(network.hidden)),
        *((f"network.discriminator_hidden[{i}]", w, 1, 10**6) for i, w in enumerate(network.discriminator_hidden)),
    ):
        if value is not None and not low <= value <= high:
            raise InputError(f"{name} is {value}; give a number from {low} to {high}.")
    if weights.reconstruction_loss == "bernoulli" and network.output != "sigmoid":
        raise InputError(
            f"weights.reconstruction_loss is bernoulli, but network.output is {network.output}; "
            "give --network.output sigmoid, or half_squared_error."
        )
