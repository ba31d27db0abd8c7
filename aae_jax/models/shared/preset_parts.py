"""Views and optimizers shared by the presets of several models."""

from aae_jax.config import OptimizerConfig, ViewConfig

__all__ = ["CLEAN", "NOISY", "adam", "sgd"]

CLEAN = ViewConfig(noise_std=0.0, max_shift=0)
NOISY = ViewConfig(noise_std=0.3, max_shift=0)


def adam(rate: float, beta1: float = 0.9, clip_norm: float = 0.0) -> OptimizerConfig:
    """Return Adam with a peak learning rate."""
    return OptimizerConfig(learning_rate=rate, momentum=beta1, clip_norm=clip_norm)


def sgd(rate: float, momentum: float, clip_norm: float = 0.0) -> OptimizerConfig:
    """Return SGD with momentum and a peak learning rate."""
    return OptimizerConfig(kind="sgd", learning_rate=rate, momentum=momentum, clip_norm=clip_norm)
