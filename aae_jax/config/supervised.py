"""The configurations of the models in which labels shape the style code: in the adversary, or in the decoder."""

from dataclasses import dataclass, field
from typing import Literal

from aae_jax.config.parts import check_bounds, validate_reconstruction
from aae_jax.config.run import (
    LabelledConfig,
    refuse_noise_in_one_view,
    validate_labels,
    validate_optimizers,
    validate_run,
)
from aae_jax.config.unsupervised import (
    PriorConfig,
    UnsupervisedOptimizers,
    UnsupervisedWeights,
    validate_trained_prior,
)
from aae_jax.errors import InputError
from aae_jax.text import brief_config

__all__ = [
    "LabelRegularizedConfig",
    "SupervisedConfig",
    "validate_label_regularized",
    "validate_supervised",
]


@dataclass(frozen=True, kw_only=True)
class LabelRegularizedConfig(LabelledConfig):
    """The AAE whose adversary sees the label beside the code (Makhzani et al. 2016, section 2.3 and figure 3).

    Under simultaneous updates too the reconstruction reads a view of its own: the adversary's images are others.
    """

    labels: int | Literal["all"] = 10_000
    """Number of labelled training images, balanced over the classes, or all: then the adversary sees no others."""
    prior: PriorConfig = field(default_factory=lambda: PriorConfig(kind="mixture"))
    """Of several parts, mixture, umbrella or swiss_roll: each class has the part of its number."""
    optimizers: UnsupervisedOptimizers = field(default_factory=UnsupervisedOptimizers)
    weights: UnsupervisedWeights = field(default_factory=UnsupervisedWeights)

    __repr__ = brief_config


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
    _validate(config)
    refuse_noise_in_one_view(config)


def validate_label_regularized(config: LabelRegularizedConfig) -> None:
    """Refuse values that an AAE with labels in its adversary cannot be trained with.

    Raises:
        InputError: Names the first such value.
    """
    _validate(config)
    if config.prior.kind not in ("mixture", "umbrella", "swiss_roll"):
        raise InputError(
            f"prior.kind is {config.prior.kind}, which has no part for each class; give mixture, umbrella or "
            "swiss_roll."
        )


def _validate(config: SupervisedConfig | LabelRegularizedConfig) -> None:
    validate_run(config)
    validate_labels(config)
    check_bounds(("weights.generator_z", config.weights.generator_z, 0, 10**6))
    validate_optimizers(config.optimizers)
    validate_reconstruction(config.weights, config.network)
    validate_trained_prior(config.prior, config.network)
