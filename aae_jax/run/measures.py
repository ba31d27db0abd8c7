"""What is measured of weights while they are trained, and at the end: by seed, under flat names."""

import dataclasses
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.config import PriorConfig
from aae_jax.evaluation import HealthFn, build_draw_codes, build_health
from aae_jax.models.shared.terms import draw_seen
from aae_jax.priors.custom import sampler_of
from aae_jax.run.setup import Problem
from aae_jax.train.compile import quick_compiler_options
from aae_jax.train.hyper import Hyper
from aae_jax.types import Array, Metrics, Params, Pixels, PRNGKey, Stats

__all__ = ["build_seed_measure", "draw_views", "flat", "health_of"]


SeedMeasure = Callable[[Params, Stats, Pixels, Array], Metrics]
DrawViews = Callable[[Params, Stats, Pixels, PRNGKey, Hyper], Array]


def draw_views(problem: Problem, *, reconstructed: bool = False) -> DrawViews:
    """Return `(params, stats, images, key, hyper) -> codes [n, latent]` of views, as phases of a run see images.

    Where a style holds by how much an image is shifted, codes of images in their places are but a part of what an
    adversary is to even out. Noise is that of `hyper`. With `reconstructed` they are the views of the reconstruction,
    which may be noisy where the adversaries' are not.
    """
    config = problem.config

    def draw(params: Params, stats: Stats, images: Pixels, key: PRNGKey, hyper: Hyper) -> Array:
        def see(pixels: Array, key_see: PRNGKey) -> Array:
            return draw_seen(config, pixels, hyper, key_see, reconstructed=reconstructed)[0].seen

        return build_draw_codes(problem.networks, config.network.output, see=see)(params, stats, images, key)

    return draw


def health_of(problem: Problem, prior: PriorConfig, *, judge_codes: bool = True) -> HealthFn:
    """Return what `evaluation.build_health` does, for a run's networks and prior, a Gaussian's of std 1."""
    unit = sampler_of(dataclasses.replace(prior, std=1.0), problem.config.network.latent_dim)
    return build_health(problem.networks, unit, judge_codes=judge_codes)


def build_seed_measure(problem: Problem, hypers: Hyper | None = None) -> SeedMeasure:
    """Return the compiled measures of an experiment, `(params, stats, images, labels) -> {name: [seeds, …]}`.

    Weights have a leading seed axis; a seed's draws are the same at every call. `hypers` have the numbers by seed, or
    one for all; None: the configuration's.
    """
    hyper = problem.experiment.build_hyper(problem.config, 1) if hypers is None else hypers
    seeds = len(problem.seeds)
    by_seed = jax.tree.map(lambda leaf: jnp.broadcast_to(jnp.asarray(leaf, jnp.float32), (seeds,)), hyper)
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
