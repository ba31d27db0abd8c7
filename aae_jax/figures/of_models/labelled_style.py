"""Figures of the supervised model: every class in styles sampled from the prior or encoded from images."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from aae_jax import figures
from aae_jax.figures.of_models.drawing import Drawings, Shown
from aae_jax.figures.of_models.parts import (
    CLASSES,
    draw_health,
    draw_posterior,
    draw_styles_by_class,
    first_layer,
    interpolate,
    is_drawable,
    losses_of,
    short_names,
    some_of,
    unit_images,
)
from aae_jax.saved.model import Model
from aae_jax.types import PRNGKey

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_supervised_figures"]

CODES, IMAGES, ROWS = 5000, 20, 10


def draw_supervised_figures(rows: Sequence[Mapping[str, Any]], model: Model, shown: Shown, key: PRNGKey) -> Drawings:
    """Return the drawing functions of the figures, by file name.

    Args:
        rows: Metrics of the run.
        model: Model of the first seed.
        shown: Images to encode and reconstruct, and their classes.
        key: PRNG key of samples of the prior.
    """
    updates = np.asarray([row["update"] for row in rows])
    some = some_of(len(shown.images), CODES)
    prior = model.prior
    codes = functools.cache(lambda: draw_posterior(model, jnp.asarray(shown.images[some]), key))
    drawn: dict[str, Callable[[], Figure]] = {
        "learning_curves": lambda: figures.learning_curves(updates, losses_of(rows)),
        "health": lambda: draw_health(updates, rows),
    }
    if model.network.latent_dim > 1:
        drawn["code_scatter"] = lambda: figures.code_scatter(
            codes(),
            shown.labels[some],
            samples=np.asarray(model.draw_styles(key, len(codes()))),
            label_names=shown.class_names,
        )
    if prior is not None and prior.is_gaussian:
        drawn["code_histograms"] = lambda: figures.code_histograms(codes(), prior_std=prior.std)
    if is_drawable(model.image_shape):
        drawn |= _draw_pictures(model, shown, key)
    return drawn


def _draw_pictures(model: Model, shown: Shown, key: PRNGKey) -> Drawings:
    first = min(len(shown.images), IMAGES)
    images, labels = unit_images(shown.images[: max(first, 12)]), shown.labels
    drawn: dict[str, Callable[[], Figure]] = {
        "reconstructions": lambda: figures.reconstructions(
            images[:first], np.asarray(model.reconstruct_stored(shown.images[:first], labels[:first]))
        ),
        "first_layer_features": lambda: first_layer(model),
        "style_class_grid": lambda: draw_styles_by_class(model, key),
        "style_transfer": lambda: _draw_transfer(model, shown.images[:ROWS], images[:ROWS]),
    }
    if first > 1:
        drawn["latent_interpolation"] = lambda: figures.latent_interpolation(
            *interpolate(model, shown.images, images, labels)
        )
    return drawn


def _draw_transfer(model: Model, stored: np.ndarray, images: np.ndarray) -> "Figure":
    """Draw each image, followed by every class in its style."""
    classes = min(model.decoded_label or 0, CLASSES)
    styles = model.encode_stored(jnp.asarray(stored)).mean
    z = jnp.repeat(styles, classes, axis=0)
    y = jnp.tile(jnp.eye(classes, model.decoded_label or 0, dtype=jnp.float32), (len(stored), 1))
    made = np.asarray(model.decode(z, y)).reshape(len(stored), classes, *model.image_shape)
    tiles = np.concatenate([images[:, None], made], axis=1)
    return figures.style_class_grid(tiles, label_names=["image", *short_names(model)[:classes]])
