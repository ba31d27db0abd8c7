"""The figures of the supervised model: styles in every class, drawn from the prior and taken from images."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from aae_jax import figures
from aae_jax.bundle import Model
from aae_jax.experiments.pictures import (
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
from aae_jax.experiments.problem import Shown
from aae_jax.types import PRNGKey

__all__ = ["draw_supervised_figures"]

CODES, IMAGES, ROWS = 5000, 20, 10


def draw_supervised_figures(
    rows: Sequence[Mapping[str, Any]], model: Model, shown: Shown, key: PRNGKey
) -> dict[str, Figure]:
    """Return the figures by file name.

    Args:
        rows: The run's metrics.
        model: The first seed's.
        shown: Images to encode and rebuild, and their classes.
        key: Draws from the prior.
    """
    updates = np.asarray([row["update"] for row in rows])
    some = some_of(len(shown.images), CODES)
    codes = draw_posterior(model, jnp.asarray(shown.images[some]), key)
    drawn = {
        "learning_curves": figures.learning_curves(updates, losses_of(rows)),
        "health": draw_health(updates, rows),
    }
    if codes.shape[1] > 1:
        drawn["code_scatter"] = figures.code_scatter(
            codes,
            shown.labels[some],
            samples=np.asarray(model.draw_styles(key, len(codes))),
            label_names=shown.class_names,
        )
    if model.prior is not None and model.prior.kind == "gaussian":
        drawn["code_histograms"] = figures.code_histograms(codes, prior_std=model.prior.std)
    if is_drawable(model.image_shape):
        drawn |= _draw_pictures(model, shown, key)
    return drawn


def _draw_pictures(model: Model, shown: Shown, key: PRNGKey) -> dict[str, Figure]:
    first = min(len(shown.images), IMAGES)
    images, labels = unit_images(shown.images[: max(first, 12)]), shown.labels
    made = np.asarray(model.reconstruct(shown.images[:first], labels[:first]))
    drawn = {
        "reconstructions": figures.reconstructions(images[:first], made),
        "first_layer_features": first_layer(model),
        "style_class_grid": draw_styles_by_class(model, key),
        "style_transfer": _draw_transfer(model, shown.images[:ROWS], images[:ROWS]),
    }
    if first > 1:
        drawn["latent_interpolation"] = figures.latent_interpolation(
            *interpolate(model, shown.images, images, labels)
        )
    return drawn


def _draw_transfer(model: Model, stored: np.ndarray, images: np.ndarray) -> Figure:
    """Draw each image, and every class in its style."""
    classes = min(model.decoded_label or 0, CLASSES)
    styles = model.encode_stored(jnp.asarray(stored)).mean
    z = jnp.repeat(styles, classes, axis=0)
    y = jnp.tile(jnp.eye(classes, model.decoded_label or 0, dtype=jnp.float32), (len(stored), 1))
    made = np.asarray(model.decode(z, y)).reshape(len(stored), classes, *model.image_shape)
    tiles = np.concatenate([images[:, None], made], axis=1)
    return figures.style_class_grid(tiles, label_names=["image", *short_names(model)[:classes]])
