"""Configuration of the supervised adversarial autoencoder."""

from dataclasses import dataclass, field
from typing import Any, Literal

from aae_jax.config.parts import check_bounds, validate_reconstruction
from aae_jax.config.prior import PriorConfig, validate_trained_prior
from aae_jax.config.run import (
    LabelledConfig,
    refuse_noise_in_one_view,
    validate_labels,
    validate_optimizers,
    validate_run,
)
from aae_jax.models.unsupervised.config import UnsupervisedOptimizers, UnsupervisedWeights
from aae_jax.text import brief_config

__all__ = ["SupervisedConfig", "validate_labelled_style", "validate_supervised"]


@dataclass(frozen=True, kw_only=True)
class SupervisedConfig(LabelledConfig):
    """The AAE whose decoder gets the label beside the code, which is left with the style (section 4, figure 6)."""

    labels: int | Literal["all"] = "all"
    """Number of labelled training images, balanced over the classes, or all; the model sees no others. Its
    batches are of labelled_batch_size; batch_size and the pool say alone how many updates an epoch has."""
    conditional: bool = False
    """The adversary sees the label too: the codes of each class shall follow the prior, not only all together."""
    prior: PriorConfig = field(default_factory=lambda: PriorConfig(std=1.0))
    optimizers: UnsupervisedOptimizers = field(default_factory=UnsupervisedOptimizers)
    weights: UnsupervisedWeights = field(default_factory=UnsupervisedWeights)

    __repr__ = brief_config


def validate_supervised(config: SupervisedConfig) -> None:
    """Refuse values that a supervised adversarial autoencoder cannot be trained with.

    Raises:
        InputError: Names the first such value.
    """
    validate_labelled_style(config)
    refuse_noise_in_one_view(config)


def validate_labelled_style(config: Any) -> None:
    """Refuse values that no model with labels beside the style code can be trained with.

    Args:
        config: A `LabelledConfig` with a prior, and with the optimizers and weights of the style's adversary.

    Raises:
        InputError: Names the first such value.
    """
    validate_run(config)
    validate_labels(config)
    check_bounds(("weights.generator_z", config.weights.generator_z, 0, 10**6))
    validate_optimizers(config.optimizers)
    validate_reconstruction(config.weights, config.network)
    validate_trained_prior(config.prior, config.network)
