"""Versions of the format of saved models: the earliest that can describe a model is written."""

import dataclasses
from typing import Any

import numpy as np

from aae_jax.config import NetworkConfig
from aae_jax.data.scaling import Scaling

__all__ = [
    "FORMAT_VERSION",
    "WITHOUT_SAMPLES",
    "WITH_WIDE_SCALING",
    "network_to_json",
    "scaling_tensors",
    "version_of",
]

FORMAT_VERSION, WITH_NEW_NETWORKS, WITH_WIDE_SCALING, WITH_SAMPLES, WITHOUT_SAMPLES = 7, 6, 5, 4, 3
"""1: images of bytes, [height, width] only, classes without names. 2: any image shape, class names, preprocessing.
3: any prior or none, models without labels, labels for the decoder only, heads, a mode decoder.
4: a prior given by samples; models without one are still written as version 3.
5: scaling of rows in float64; models whose scaling is exact in float32 are still written as version 3 or 4.
6: convolutions, batch norm in the decoder, modules of a user's own; other models are still written as before.
7: weights rounded to float16."""
NEW_NETWORK_SETTINGS = ("kind", "channels", "kernel_size", "residual", "batch_norm_decoder", "batch_norm_output")


def version_of(
    network: NetworkConfig, *, own_modules: bool, scaling: Scaling | None, prior_samples: Any, rounded: bool = False
) -> int:
    """Return the earliest version that can describe a model, so that earlier libraries can read it if possible."""
    if rounded:
        return FORMAT_VERSION
    if own_modules or needs_new_networks(network):
        return WITH_NEW_NETWORKS
    if scaling is not None and _needs_float64(scaling):
        return WITH_WIDE_SCALING
    return WITHOUT_SAMPLES if prior_samples is None else WITH_SAMPLES


def network_to_json(network: NetworkConfig) -> dict[str, Any]:
    """Return networks in the form of `config.json`, without the settings that earlier versions do not know.

    Those of a network that has them are kept.
    """
    left_out = () if needs_new_networks(network) else NEW_NETWORK_SETTINGS
    return {name: value for name, value in dataclasses.asdict(network).items() if name not in left_out}


def needs_new_networks(network: NetworkConfig) -> bool:
    """Return whether networks cannot be built by a version that reads formats before 6."""
    plain = NetworkConfig()
    return any(getattr(network, name) != getattr(plain, name) for name in NEW_NETWORK_SETTINGS)


def scaling_tensors(scaling: Scaling, version: int) -> dict[str, np.ndarray]:
    """Return the tensors of a scaling, in the type of a format version."""
    kind = np.float64 if version >= WITH_WIDE_SCALING else np.float32
    return {name: np.asarray(value, kind) for name, value in scaling._asdict().items()}


def _needs_float64(scaling: Scaling) -> bool:
    wide = [np.asarray(value, np.float64) for value in scaling]
    with np.errstate(over="ignore"):
        return any(not np.array_equal(value, value.astype(np.float32)) for value in wide)
