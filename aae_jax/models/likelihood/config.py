"""Configuration of the likelihood experiment."""

from dataclasses import dataclass

from aae_jax.config.parts import (
    check_bounds,
)
from aae_jax.models.unsupervised.config import UnsupervisedConfig, validate_unsupervised
from aae_jax.text import brief_config

__all__ = ["LikelihoodConfig", "validate_likelihood"]


@dataclass(frozen=True, kw_only=True)
class LikelihoodConfig(UnsupervisedConfig):
    """The unsupervised configuration, with sample counts for the likelihood estimate (section 3 and table 1)."""

    samples: tuple[int, ...] = (10_000,)
    """Numbers of samples for the likelihood estimate, e.g. 10000 10000000; ten million take hours on a CPU."""

    __repr__ = brief_config


def validate_likelihood(config: LikelihoodConfig) -> None:
    """Check that an adversarial autoencoder can be trained and evaluated with the configuration.

    Raises:
        InputError: A value is invalid; the message names the first.
    """
    validate_unsupervised(config)
    check_bounds(*((f"samples[{i}]", count, 1, 10**9) for i, count in enumerate(config.samples)))
