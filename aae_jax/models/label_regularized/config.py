"""Configuration of the adversarial autoencoder whose discriminator sees labels."""

from dataclasses import dataclass, field
from typing import Literal

from aae_jax.config.prior import PriorConfig
from aae_jax.config.run import (
    LabelledConfig,
)
from aae_jax.errors import InputError
from aae_jax.models.supervised.config import validate_labelled_style
from aae_jax.models.unsupervised.config import UnsupervisedOptimizers, UnsupervisedWeights
from aae_jax.text import brief_config

__all__ = ["LabelRegularizedConfig", "validate_label_regularized"]


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


def validate_label_regularized(config: LabelRegularizedConfig) -> None:
    """Refuse values that an AAE with labels in its adversary cannot be trained with.

    Raises:
        InputError: Names the first such value.
    """
    validate_labelled_style(config)
    if config.prior.kind not in ("mixture", "umbrella", "swiss_roll"):
        raise InputError(
            f"prior.kind is {config.prior.kind}, which has no part for each class; give mixture, umbrella or "
            "swiss_roll."
        )
