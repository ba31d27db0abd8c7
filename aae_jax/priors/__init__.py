"""Priors of latent codes: samplers `(key, n) -> samples`, log-densities, parts, walks.

Any function `(key, n) -> [n, dim]` can serve as a sampler for training; the builders in this package return such
functions. Priors with parts (mixtures, the swiss roll) also have samplers `(key, labels) -> samples`, which sample
from the part of each label.
"""

from aae_jax.priors.categorical import build_categorical, categorical_log_density, draw_classes, rare_categorical
from aae_jax.priors.empirical import build_empirical
from aae_jax.priors.gaussian import build_gaussian, gaussian_log_density, gaussian_quantile
from aae_jax.priors.mixture import (
    NO_PART,
    UNLABELLED,
    Mixture,
    build_labelled_mixture,
    build_mixture,
    mixture_component,
    mixture_log_density,
    mixture_plane,
    mixture_walk,
    ring_mixture,
    umbrella_mixture,
)
from aae_jax.priors.swiss_roll import (
    SwissRoll,
    build_labelled_swiss_roll,
    build_swiss_roll,
    swiss_roll_component,
    swiss_roll_walk,
)
from aae_jax.priors.uniform import build_uniform, uniform_quantile

__all__ = [
    "NO_PART",
    "UNLABELLED",
    "Mixture",
    "SwissRoll",
    "build_categorical",
    "build_empirical",
    "build_gaussian",
    "build_labelled_mixture",
    "build_labelled_swiss_roll",
    "build_mixture",
    "build_swiss_roll",
    "build_uniform",
    "categorical_log_density",
    "draw_classes",
    "gaussian_log_density",
    "gaussian_quantile",
    "mixture_component",
    "mixture_log_density",
    "mixture_plane",
    "mixture_walk",
    "rare_categorical",
    "ring_mixture",
    "swiss_roll_component",
    "swiss_roll_walk",
    "umbrella_mixture",
    "uniform_quantile",
]
