"""What is measured of weights while they are trained, and at the end: by seed, under flat names."""

import dataclasses
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.compiling import quick_compiler_options
from aae_jax.config import PriorConfig
from aae_jax.evaluation import HealthFn, build_health
from aae_jax.experiments.problem import Problem
from aae_jax.models.parts import build_prior
from aae_jax.types import Array, Metrics, Params, Pixels, Stats

__all__ = ["VALIDATION", "build_seed_measure", "flat", "health_of"]

VALIDATION = "validation_"
"""What a row of metrics has before the names of measures."""


SeedMeasure = Callable[[Params, Stats, Pixels, Array], Metrics]


def health_of(problem: Problem, prior: PriorConfig, *, judge_codes: bool = True) -> HealthFn:
    """Return what `evaluation.build_health` does, for a run's networks and prior, a Gaussian's of std 1."""
    unit = build_prior(dataclasses.replace(prior, std=1.0), problem.config.network.latent_dim)
    network = problem.config.network
    return build_health(problem.networks, network.output, unit, network.posterior, judge_codes=judge_codes)


def build_seed_measure(problem: Problem, scales: Array | None = None) -> SeedMeasure:
    """Return the compiled measures of an experiment, `(params, stats, images, labels) -> {name: [seeds, …]}`.

    Weights have a leading seed axis; a seed's draws are the same at every call. `scales` are of the prior, by seed
    or one for all; None: the configuration's.
    """
    scale = problem.experiment.build_hyper(problem.config, 1).prior_std if scales is None else scales
    by_seed = jnp.broadcast_to(jnp.asarray(scale, jnp.float32), (len(problem.seeds),))
    measure = jax.vmap(problem.experiment.build_measure(problem), in_axes=(0, 0, None, None, 0, 0))
    compiled = jax.jit(measure, compiler_options=quick_compiler_options())

    def of_seeds(params: Params, stats: Stats, images: Pixels, labels: Array) -> Metrics:
        found: Metrics = compiled(params, stats, images, labels, problem.keys.samples, by_seed)
        score = problem.experiment.score
        return {score: found.pop(score), **found}

    return of_seeds


def flat(measures: Mapping[str, Array | np.ndarray]) -> dict[str, np.ndarray]:
    """Return measures by seed, `[seeds]`; what there is for each dimension of z has a name for each, from z1 on."""
    found = {}
    for name, value in measures.items():
        values = np.asarray(value, dtype=np.float64)
        if values.ndim == 1:
            found[name] = values
        else:
            found |= {f"{name}/z{i + 1}": values[:, i] for i in range(values.shape[1])}
    return found
