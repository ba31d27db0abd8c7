"""Measures of weights during training and at its end: by seed, under flat names."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.models.spec import RunSetup
from aae_jax.train.compile import quick_compiler_options
from aae_jax.train.hyper import Numbers, traced
from aae_jax.types import Array, Metrics, Params, Pixels, Stats

__all__ = ["build_seed_measure", "flat"]


SeedMeasure = Callable[[Params, Stats, Pixels, Array], Metrics]


def build_seed_measure(setup: RunSetup, hypers: Numbers | None = None) -> SeedMeasure:
    """Build the compiled measures of an experiment, `(params, stats, images, labels) -> {name: [seeds, …]}`.

    Weights have a leading seed axis; each seed uses the same PRNG key at every call. `hypers` holds the traced
    numbers by seed, or one for all seeds; None: the configuration's.
    """
    hyper = traced(setup.config, 1) if hypers is None else hypers
    seeds = len(setup.seeds)
    by_seed = jax.tree.map(lambda leaf: jnp.broadcast_to(jnp.asarray(leaf, jnp.float32), (seeds,)), hyper)
    measure = jax.vmap(setup.spec.build_measure(setup), in_axes=(0, 0, None, None, 0, 0))
    compiled = jax.jit(measure, compiler_options=quick_compiler_options())

    def of_seeds(params: Params, stats: Stats, images: Pixels, labels: Array) -> Metrics:
        metrics: Metrics = compiled(params, stats, images, labels, setup.keys.samples, by_seed)
        score = setup.spec.score
        return {score: metrics.pop(score), **metrics}

    return of_seeds


def flat(measures: Mapping[str, Array | np.ndarray]) -> dict[str, np.ndarray]:
    """Flatten measures to `[seeds]` each; a measure per dimension of z gets one name per dimension, from z1 on."""
    metrics = {}
    for name, value in measures.items():
        values = np.asarray(value, dtype=np.float64)
        if values.ndim == 1:
            metrics[name] = values
        else:
            metrics |= {f"{name}/z{i + 1}": values[:, i] for i in range(values.shape[1])}
    return metrics
