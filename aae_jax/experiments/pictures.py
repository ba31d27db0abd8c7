"""The figures of a finished run, from its metrics and its saved model."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from aae_jax import figures, priors
from aae_jax.bundle import Model
from aae_jax.types import PRNGKey

__all__ = ["draw_figures"]

IMAGES, STYLES, CODES = 20, 8, 2000
CLASSES, LONGEST_NAME = 30, 12


def draw_figures(
    rows: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any],
    model: Model,
    images: np.ndarray,
    key: PRNGKey,
) -> dict[str, Figure]:
    """Return the figures by file name; reconstructions and codes are of `images` and the first seed's model."""
    updates = np.asarray([row["update"] for row in rows])
    survivors = [error for error in summary["test_error"]["per_seed"] if error is not None]
    codes = model.encode_stored(jnp.asarray(images[:CODES]))
    drawn = {
        "learning_curves": figures.learning_curves(updates, _losses(rows)),
        "validation_error": figures.validation_error(
            updates,
            _column(rows, "validation_error"),
            baseline_error=summary["baseline"]["validation_error"]["mean"],
            test_error=np.asarray(survivors),
        ),
        "code_histograms": figures.code_histograms(
            np.asarray(codes.mean),
            prior_std=model.prior_std,
            class_probabilities=np.asarray(jax.nn.softmax(codes.logits)),
        ),
    }
    if model.image_shape[2:] in ((), (3,)) and len(model.image_shape) > 1:  # grey or coloured pictures
        drawn |= _draw_pictures(model, images[:IMAGES], key)
    return drawn


def _draw_pictures(model: Model, images: np.ndarray, key: PRNGKey) -> dict[str, Figure]:
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    names = [name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…" for name in model.class_names]
    grid = _styles(model, key)[:, :CLASSES]
    return {
        "reconstructions": figures.reconstructions(images / scale, np.asarray(model.reconstruct(images))),
        "style_class_grid": figures.style_class_grid(grid, label_names=names[:CLASSES]),
    }


def _losses(rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Return the phases' losses, the generator's by adversary: its sum has terms that have no equilibrium."""
    names = {name: name for name in rows[0] if name.endswith("/loss") and name != "generator/loss"}
    names |= {"generator_z/loss": "generator/z", "generator_y/loss": "generator/y"}
    return {shown: _column(rows, name) for shown, name in names.items()}


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """Return `[rows, seeds]`, with NaN where a seed had no finite value."""
    return np.asarray([[np.nan if v is None else v for v in row[name]] for row in rows], dtype=np.float64)


def _styles(model: Model, key: PRNGKey) -> np.ndarray:
    """Return `[styles, classes, *image]`: each row a style drawn from the prior, each column a class."""
    styles = priors.build_gaussian(model.network.latent_dim, model.prior_std)(key, STYLES)
    z = jnp.repeat(styles, model.num_classes, axis=0)
    y = jnp.tile(jnp.eye(model.num_classes), (STYLES, 1))
    return np.asarray(model.decode(z, y)).reshape(STYLES, model.num_classes, *model.image_shape)
