"""Configuration of the supervised adversarial autoencoder."""

from dataclasses import dataclass, field
from typing import Any

from aae_jax.config.parts import check_bounds, validate_reconstruction
from aae_jax.config.prior import PriorConfig, validate_trained_prior
from aae_jax.config.run import (
    LabelCount,
    LabelledConfig,
    refuse_noise_in_one_view,
    validate_labels,
    validate_optimizers,
    validate_run,
)
from aae_jax.config.traced import Padded
from aae_jax.models.unsupervised.config import UnsupervisedOptimizers, UnsupervisedWeights
from aae_jax.text import brief_config

__all__ = ["SupervisedConfig", "validate_labelled_style", "validate_supervised"]


@dataclass(frozen=True, kw_only=True)
class SupervisedConfig(LabelledConfig):
    """An AAE whose decoder also receives the label, which leaves the style to the code (section 4, figure 6)."""

    labels: Padded[LabelCount] = "all"
    """Number of labelled training images, balanced over the classes, or all; the model sees no others. Batches have
    labelled_batch_size images; batch_size and the pool only determine the number of updates per epoch."""
    conditional: bool = False
    """Show the discriminator the label too: the codes of each class, not only of all classes, match the prior."""
    prior: PriorConfig = field(default_factory=lambda: PriorConfig(std=1.0))
    optimizers: UnsupervisedOptimizers = field(default_factory=UnsupervisedOptimizers)
    weights: UnsupervisedWeights = field(default_factory=UnsupervisedWeights)

    __repr__ = brief_config


def validate_supervised(config: SupervisedConfig) -> None:
    """Check that a supervised adversarial autoencoder can be trained with the configuration.

    Raises:
        InputError: A value is invalid; the message names the first.
    """
    validate_labelled_style(config)
    refuse_noise_in_one_view(config)


def validate_labelled_style(config: Any) -> None:
    """Check the settings common to models that combine labels with a style code.

    Args:
        config: A `LabelledConfig` with a prior, and with optimizers and weights of the style discriminator.

    Raises:
        InputError: A value is invalid; the message names the first.
    """
    validate_run(config)
    validate_labels(config)
    check_bounds(
        ("weights.generator_z", config.weights.generator_z, 0, 10**6),
        ("weights.style_mmd", config.weights.style_mmd, 0, 10**6),
    )
    validate_optimizers(config.optimizers)
    validate_reconstruction(config.weights, config.network)
    validate_trained_prior(config.prior, config.network)
