"""Encoders, decoders and discriminators; only this package imports flax (ADR 0001)."""

from aae_jax.networks.api import (
    Codes,
    EncoderOutput,
    Networks,
    Posterior,
    build_mlp_networks,
    build_networks,
    min_weights,
    sample_style,
)
from aae_jax.networks.convolve import device_convolutions
from aae_jax.networks.modules import NO_MODULES, Modules
from aae_jax.networks.precision import fastest_precision, require_precision

__all__ = [
    "NO_MODULES",
    "Codes",
    "EncoderOutput",
    "Modules",
    "Networks",
    "Posterior",
    "build_mlp_networks",
    "build_networks",
    "device_convolutions",
    "fastest_precision",
    "min_weights",
    "require_precision",
    "sample_style",
]
