"""Figures of models without labels: codes in latent space, and decoded samples of the prior."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from aae_jax import figures
from aae_jax.config import PriorConfig
from aae_jax.data.stored import StoredImages, rows_of
from aae_jax.evaluation import nearest_rows
from aae_jax.figures.of_models.drawing import Drawings, Shown
from aae_jax.figures.of_models.parts import (
    draw_health,
    draw_posterior,
    first_layer,
    interpolate,
    is_drawable,
    losses_of,
    some_of,
    unit_images,
)
from aae_jax.priors.configured import configured_prior
from aae_jax.saved.model import Model
from aae_jax.types import Array, PRNGKey

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["GRID", "draw_code_figures"]

CODES, IMAGES, SAMPLES = 5000, 20, 10
GRID, WALK, PAGE, PLANE = 20, 15, 10, 9
TAIL = 0.025
"""Share of the prior omitted at either end of a grid on its percentiles."""


def draw_code_figures(rows: Sequence[Mapping[str, Any]], model: Model, shown: Shown, key: PRNGKey) -> Drawings:
    """Return the drawing functions of the figures, by file name.

    Args:
        rows: Metrics of the run.
        model: Model of the first seed, without labels.
        shown: Images to encode and reconstruct, their classes, and the training pool.
        key: PRNG key of samples of the prior.
    """
    updates = np.asarray([row["update"] for row in rows])
    some = some_of(len(shown.images), CODES)
    prior = model.prior
    images = functools.cache(lambda: jnp.asarray(shown.images[some]))
    drawn_codes = functools.cache(lambda: draw_posterior(model, images(), key))
    samples = functools.cache(lambda: None if prior is None else np.asarray(model.draw_styles(key, len(some))))

    def points() -> np.ndarray:
        drawn_samples = samples()
        return np.asarray(model.encode_stored(images()).mean) if drawn_samples is None else drawn_samples

    drawn: dict[str, Callable[[], Figure]] = {
        "learning_curves": lambda: figures.learning_curves(updates, losses_of(rows))
    }
    if model.network.latent_dim > 1:
        drawn["code_scatter"] = lambda: figures.code_scatter(
            drawn_codes(), shown.labels[some], samples=samples(), label_names=shown.class_names
        )
    if prior is not None and "validation_code_mmd" in rows[0]:
        drawn["health"] = lambda: draw_health(updates, rows)
        if prior.is_gaussian:
            drawn["code_histograms"] = lambda: figures.code_histograms(drawn_codes(), prior_std=prior.std)
    if is_drawable(model.image_shape):
        drawn |= _draw_pictures(model, shown, points, key)
    return drawn


def _draw_pictures(model: Model, shown: Shown, points: Callable[[], np.ndarray], key: PRNGKey) -> Drawings:
    """Return the drawing functions of images; `points` are samples of the prior, or codes without a prior."""
    first = min(len(shown.images), IMAGES)
    images = unit_images(shown.images[: max(first, 12)])
    drawn: dict[str, Callable[[], Figure]] = {
        "reconstructions": lambda: figures.reconstructions(
            images[:first], np.asarray(model.reconstruct_stored(shown.images[:first]))
        ),
        "first_layer_features": lambda: first_layer(model),
    }
    if first > 1:
        drawn["latent_interpolation"] = lambda: figures.latent_interpolation(
            *interpolate(model, shown.images, images)
        )
    if model.prior is not None:
        drawn["samples"] = lambda: _draw_page(model, key)
        drawn["samples_beside_nearest"] = lambda: _draw_samples(model, shown, points()[:SAMPLES])
    if model.network.latent_dim == 2:
        drawn["manifold"] = lambda: _draw_linear_grid(model, points())
    if model.prior is not None:
        drawn |= _draw_through_prior(model, model.prior)
    return drawn


def _draw_page(model: Model, key: PRNGKey) -> "Figure":
    """Draw a page of images decoded from random samples of the prior."""
    made = np.asarray(model.decode(model.draw_styles(key, PAGE * PAGE)))
    pages = made.reshape(PAGE, PAGE, *model.image_shape)
    return figures.image_grid(pages, title="Random samples of the prior, decoded")


def _draw_samples(model: Model, shown: Shown, samples: np.ndarray) -> "Figure":
    made = np.asarray(model.decode(samples))
    nearest = rows_of(shown.pool, _nearest(made, shown.pool))
    return figures.reconstructions(made, unit_images(nearest), names=("sample", "nearest training image"))


def _nearest(made: np.ndarray, pool: Array | StoredImages) -> np.ndarray:
    """Return the index of the pool's image nearest to each one that was made; a streamed pool is read in parts."""
    rows = jnp.asarray(made).reshape(len(made), -1)

    def among(images: Array | np.ndarray) -> np.ndarray:
        part = jnp.asarray(images)
        flat = (part / 255.0 if part.dtype == jnp.uint8 else part).reshape(len(part), -1)
        return np.asarray(nearest_rows(rows, flat))

    if not isinstance(pool, StoredImages):
        return among(pool)
    first, found = 0, []
    for block in pool.blocks():
        found.append(first + among(block))
        first += len(block)
    candidates = np.unique(np.concatenate(found))
    return np.asarray(candidates[among(pool[candidates])])


def _grid(model: Model, across: Array, down: Array) -> np.ndarray:
    """Return decoded images `[down, across, *image]`, the second coordinate increasing upwards."""
    first, second = jnp.meshgrid(across, down[::-1])
    z = jnp.stack([first.ravel(), second.ravel()], axis=1)
    return np.asarray(model.decode(z)).reshape(len(down), len(across), *model.image_shape)


def _draw_linear_grid(model: Model, points: np.ndarray) -> "Figure":
    low, high = np.quantile(points, [0.01, 0.99], axis=0)
    across, down = (jnp.linspace(low[i], high[i], GRID, dtype=jnp.float32) for i in range(2))
    title = f"Decoded grid, $z_1$ from {low[0]:.1f} to {high[0]:.1f}, $z_2$ from {low[1]:.1f} to {high[1]:.1f}"
    return figures.image_grid(_grid(model, across, down), title=title, across="$z_1$", down="$z_2$")


def _draw_through_prior(model: Model, config: PriorConfig) -> Drawings:
    """Return the figures of walks along the prior's parts and of a grid over each, or of a grid on its percentiles if
    it is two-dimensional with independent dimensions.
    """
    prior = configured_prior(config, model.network.latent_dim, model.prior_samples)
    if prior.walks is not None:
        walks, planes = prior.walks, prior.planes
        drawn = {"walks": lambda: _draw_walks(model, walks(WALK), prior.walk_title)}
        if planes is not None:
            drawn["part_manifolds"] = lambda: _draw_planes(model, planes(PLANE))
        return drawn
    if model.network.latent_dim != 2 or prior.quantile is None:
        return {}
    quantile = prior.quantile
    return {"manifold_percentiles": lambda: _draw_percentiles(model, quantile)}


def _draw_percentiles(model: Model, quantile: Callable[[Array], Array]) -> "Figure":
    at = quantile(jnp.linspace(TAIL, 1 - TAIL, GRID, dtype=jnp.float32))
    title = f"Decoded percentiles of the prior, {100 * TAIL:g} to {100 * (1 - TAIL):g} %"
    return figures.image_grid(_grid(model, at, at), title=title, across="$z_1$", down="$z_2$")


def _draw_planes(model: Model, planes: Array) -> "Figure":
    parts, rows, columns, dim = planes.shape
    made = np.asarray(model.decode(planes.reshape(-1, dim))).reshape(parts, rows, columns, *model.image_shape)
    names = [f"component {part}" for part in range(parts)]
    title = "Decoded grid over each component of the prior, ±2 std"
    return figures.image_grids(made, title=title, names=names, across="along its main axis", down="across it")


def _draw_walks(model: Model, walks: Array, title: str) -> "Figure":
    rows, steps, dim = walks.shape
    made = np.asarray(model.decode(walks.reshape(rows * steps, dim)))
    return figures.image_grid(made.reshape(rows, steps, *model.image_shape), title=title, across="step", down="part")
