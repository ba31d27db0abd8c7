"""Configuration of the adversarial autoencoder whose discriminator sees labels."""

from dataclasses import dataclass, field

from aae_jax.config.prior import PriorConfig
from aae_jax.config.run import (
    LabelCount,
    LabelledConfig,
)
from aae_jax.config.traced import Padded
from aae_jax.errors import InputError
from aae_jax.models.supervised.config import validate_labelled_style
from aae_jax.models.unsupervised.config import UnsupervisedOptimizers, UnsupervisedWeights
from aae_jax.text import brief_config

__all__ = ["LabelRegularizedConfig", "validate_label_regularized"]


@dataclass(frozen=True, kw_only=True)
class LabelRegularizedConfig(LabelledConfig):
    """An AAE whose discriminator sees the label with the code (Makhzani et al. 2016, section 2.3 and figure 3).

    The reconstruction reads a separate view even under simultaneous updates: the discriminator's images differ.
    """

    labels: Padded[LabelCount] = 10_000
    """Number of labelled training images, balanced over the classes; or all: the discriminator sees no others."""
    prior: PriorConfig = field(default_factory=lambda: PriorConfig(kind="mixture"))
    """Prior with parts: mixture, umbrella or swiss_roll. Class k gets part k."""
    optimizers: UnsupervisedOptimizers = field(default_factory=UnsupervisedOptimizers)
    weights: UnsupervisedWeights = field(default_factory=UnsupervisedWeights)

    __repr__ = brief_config


def validate_label_regularized(config: LabelRegularizedConfig) -> None:
    """Check that an AAE whose discriminator sees labels can be trained with the configuration.

    Raises:
        InputError: A value is invalid; the message names the first.
    """
    validate_labelled_style(config)
    if config.prior.kind not in ("mixture", "umbrella", "swiss_roll"):
        raise InputError(
            f"prior.kind is {config.prior.kind}, which has no part for each class; give mixture, umbrella or "
            "swiss_roll."
        )
