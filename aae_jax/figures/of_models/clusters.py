"""Figures of clustering models, and of models with cluster heads that styles are added to (figures 9 and 11)."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax import figures
from aae_jax.evaluation.heads import circle_projection
from aae_jax.figures.of_models.codes import GRID
from aae_jax.figures.of_models.drawing import Drawings, Shown
from aae_jax.figures.of_models.parts import (
    column,
    draw_health,
    draw_styles_by_class,
    first_layer,
    interpolate,
    is_drawable,
    losses_of,
    some_of,
    unit_images,
)
from aae_jax.saved.model import Model
from aae_jax.types import Array, PRNGKey

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_cluster_figures", "draw_head_figures", "draw_modes"]

CODES, IMAGES, MEMBERS, MAX_CLUSTERS = 5000, 20, 10, 40


def draw_cluster_figures(rows: Sequence[Mapping[str, Any]], model: Model, shown: Shown, key: PRNGKey) -> Drawings:
    """Return the drawing functions of a clustering model's figures, by file name.

    Args:
        rows: Metrics of the run.
        model: Model of the first seed.
        shown: Images to cluster and reconstruct, and their classes.
        key: PRNG key of the sampled styles.
    """
    return _draw_label_code(rows, model, shown, key)


def draw_head_figures(rows: Sequence[Mapping[str, Any]], model: Model, shown: Shown, key: PRNGKey) -> Drawings:
    """Return the drawing functions for a model with cluster heads: those of a clustering model, and the embedding."""
    drawn = dict(_draw_label_code(rows, model, shown, key))
    some = some_of(len(shown.images), CODES)
    codes = functools.cache(lambda: model.encode_stored(jnp.asarray(shown.images[some])))
    labels, names, dim = shown.labels[some], shown.class_names, model.network.latent_dim

    def places() -> Array:
        return model.represent(codes().mean, jax.nn.softmax(codes().logits))

    def draw_circle() -> "Figure":
        heads = _heads(model)
        matrix = circle_projection(heads, float(jnp.mean(jnp.std(codes().mean, axis=0))))
        return figures.code_scatter(
            places() @ matrix,
            labels,
            label_names=names,
            marks=heads @ matrix,
            title="Projected to a circle",
            coordinates=("projection 1", "projection 2"),
        )

    if dim >= 2:
        drawn["embedding"] = lambda: figures.code_scatter(
            places(), labels, label_names=names, marks=_heads(model), title="Images around their heads"
        )
    if dim == 2 and is_drawable(model.image_shape):
        drawn["manifold"] = lambda: _draw_plane(model, np.asarray(places()))
    if 2 < dim >= model.num_classes:
        drawn["circle_projection"] = draw_circle
    return drawn


def _heads(model: Model) -> Array:
    classes = model.num_classes
    return model.represent(
        jnp.zeros((classes, model.network.latent_dim), jnp.float32), jnp.eye(classes, dtype=jnp.float32)
    )


def _draw_plane(model: Model, places: np.ndarray) -> "Figure":
    """Draw the decoded grid over the embedding, without a label: its points may be far from any head."""
    low, high = np.quantile(places, [0.005, 0.995], axis=0)
    first, second = np.meshgrid(*(np.linspace(low[i], high[i], GRID) for i in range(2)))
    z = np.stack([first.ravel(), second[::-1].ravel()], axis=1)
    made = np.asarray(model.decode(z, np.zeros((len(z), model.num_classes))))
    title = f"Decoded grid, from {low[0]:.1f} to {high[0]:.1f} and from {low[1]:.1f} to {high[1]:.1f}"
    return figures.image_grid(made.reshape(GRID, GRID, *model.image_shape), title=title)


def _draw_label_code(rows: Sequence[Mapping[str, Any]], model: Model, shown: Shown, key: PRNGKey) -> Drawings:
    updates, prior = np.asarray([row["update"] for row in rows]), model.prior
    outputs = functools.cache(lambda: model.encode_stored(jnp.asarray(shown.images)))
    some = some_of(len(shown.images), CODES)
    score = next((name for name in ("validation_cluster_error", "validation_error") if name in rows[0]), None)
    drawn: dict[str, Callable[[], Figure]] = {
        "learning_curves": lambda: figures.learning_curves(updates, losses_of(rows)),
        "health": lambda: draw_health(updates, rows),
    }
    if score is not None:  # data without labels have no such score
        drawn["validation_error"] = lambda: figures.validation_error(
            updates, column(rows, score), baseline_error=np.nan, test_error=[]
        )
    if prior is not None and prior.is_gaussian:
        drawn["code_histograms"] = lambda: figures.code_histograms(
            np.asarray(outputs().mean)[some],
            prior_std=prior.std,
            class_probabilities=np.asarray(jax.nn.softmax(outputs().logits)),
            label="cluster" if model.clusters else "class",
        )
    if is_drawable(model.image_shape):
        drawn |= _draw_pictures(model, shown, lambda: np.asarray(outputs().logits), key)
    return drawn


def _draw_pictures(model: Model, shown: Shown, logits: Callable[[], np.ndarray], key: PRNGKey) -> Drawings:
    first = min(len(shown.images), IMAGES)
    images = functools.cache(lambda: unit_images(shown.images))
    drawn: dict[str, Callable[[], Figure]] = {
        "reconstructions": lambda: figures.reconstructions(
            images()[:first], np.asarray(model.reconstruct_stored(shown.images[:first]))
        ),
        "first_layer_features": lambda: first_layer(model),
        "style_class_grid": lambda: draw_styles_by_class(model, key),
        "cluster_heads": lambda: draw_heads_and_members(model, images(), logits()),
    }
    if first > 1:
        drawn["latent_interpolation"] = lambda: figures.latent_interpolation(
            *interpolate(model, shown.images, images())
        )
    if model.mode_decoder:
        drawn["learned_modes"] = lambda: draw_modes(model)
    return drawn


def draw_heads_and_members(model: Model, images: np.ndarray, logits: np.ndarray) -> "Figure":
    """Draw the head of each cluster, decoded with zero style, and images assigned to the cluster (figure 9).

    A cluster without images is marked as empty.
    """
    shown = min(model.num_classes, MAX_CLUSTERS)
    z = jnp.zeros((shown, model.network.latent_dim), jnp.float32)
    heads = np.asarray(model.decode(z, jnp.eye(shown, model.num_classes, dtype=jnp.float32)))
    clusters = logits.argmax(axis=1)
    blank = np.ones(model.image_shape)
    tiles, names = [], []
    for cluster in range(shown):
        members = images[clusters == cluster][:MEMBERS]
        tiles.append(np.stack([heads[cluster], *members, *[blank] * (MEMBERS - len(members))]))
        names.append(model.class_names[cluster] + ("" if len(members) else " (empty)"))
    title, kind = "Heads and the images assigned to them", "cluster" if model.clusters else "class"
    across = f"decoded head, then images of the {kind}"
    return figures.image_grid(np.stack(tiles), title=title, row_names=names, down=kind, across=across)


def draw_modes(model: Model) -> "Figure":
    """Draw the output of the mode decoder for each label."""
    labels = model.num_classes
    made = np.asarray(model.decode_mode(jnp.eye(labels, dtype=jnp.float32)))
    columns = min(labels, MEMBERS)
    blank = np.ones((-labels % columns, *model.image_shape))
    tiles = np.concatenate([made, blank]).reshape(-1, columns, *model.image_shape)
    firsts = range(0, labels, columns)
    names = [f"{first} to {min(first + columns, labels) - 1}" for first in firsts]
    title = "Learned modes, from the label alone"
    return figures.image_grid(tiles, title=title, row_names=names, down="cluster" if model.clusters else "class")
