"""Parts of the figures of several kinds of model."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax import figures
from aae_jax.evaluation import build_draw_codes
from aae_jax.saved.model import Model
from aae_jax.types import Array, PRNGKey

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "CLASSES",
    "column",
    "draw_health",
    "draw_posterior",
    "draw_styles_by_class",
    "first_layer",
    "interpolate",
    "is_drawable",
    "losses_of",
    "short_names",
    "some_of",
    "unit_images",
]

STYLES = 8
CLASSES, LONGEST_NAME = 30, 12
PAIRS, STEPS = 6, 9


def some_of(count: int, most: int) -> np.ndarray:
    """Return the indices of up to `most` images, in a fixed random order: data may be sorted by class."""
    return np.random.default_rng(0).permutation(count)[:most]


def is_drawable(image_shape: Sequence[int]) -> bool:
    """Return whether `image_shape` is that of greyscale or RGB images."""
    return len(image_shape) > 1 and tuple(image_shape[2:]) in ((), (3,))


def unit_images(stored: np.ndarray) -> np.ndarray:
    """Convert stored images to [0, 1]."""
    return stored if stored.dtype == np.float32 else stored / 255.0


def first_layer(model: Model) -> "Figure":
    """Draw the features of the encoder's first layer, or the kernels of its first convolution."""
    if model.network.kind == "conv":
        kernels = np.asarray(model.params["encoder"]["convolutions"]["Convolution_0"]["kernel"])
        shape = kernels.shape[:2] if kernels.shape[2] == 1 else kernels.shape[:3]
        return figures.first_layer_features(kernels.reshape(-1, kernels.shape[-1]), shape)
    kernel = jax.tree.leaves(model.params["encoder"]["trunk"]["Dense_0"]["kernel"])[0]
    return figures.first_layer_features(np.asarray(kernel), model.image_shape)


def draw_health(updates: np.ndarray, rows: Sequence[Mapping[str, Any]]) -> "Figure":
    """Draw the health of the adversaries over all seeds, but std ratios of the first seed that did not fail only."""
    names = [name for name in rows[-1] if name.startswith("validation_code_std_ratio/")]
    ratios = np.stack([column(rows, name) for name in names], axis=2)
    alive = int(np.argmax(np.isfinite(ratios[-1]).all(axis=1)))
    accuracies = {name: f"validation_{name}_accuracy" for name in ("discriminator_z", "discriminator_y")}
    return figures.health_curves(
        updates,
        discrepancy=column(rows, "validation_code_mmd"),
        std_ratios=ratios[:, alive],
        accuracies={
            name.replace("_", " of "): column(rows, measure)
            for name, measure in accuracies.items()
            if measure in rows[0]
        },
    )


def short_names(model: Model) -> list[str]:
    """Return the names of the classes, long ones truncated."""
    return [name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…" for name in model.class_names]


def losses_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Return the losses of the phases, the generator's by adversary: its sum has terms without an equilibrium."""
    names = {name: name for name in rows[0] if name.endswith("/loss") and name != "generator/loss"}
    parts = {"generator_z/loss": ("generator/z", "reconstruction/generator_z"), "generator_y/loss": ("generator/y",)}
    names |= {shown: name for shown, known in parts.items() for name in known if name in rows[0]}
    return {shown: column(rows, name) for shown, name in names.items()}


def column(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """Return a metric as `[rows, seeds]`, NaN where a seed had no finite value."""
    return np.asarray([[np.nan if v is None else v for v in row[name]] for row in rows], dtype=np.float64)


def draw_posterior(model: Model, images: Array, key: PRNGKey) -> np.ndarray:
    """Sample the posterior of each image, unshifted and without noise: `[images, latent]`."""
    draw_codes = build_draw_codes(model.networks, model.network.output)
    return np.asarray(draw_codes(model.params, model.stats, images, jax.random.fold_in(key, 1)))


def draw_styles_by_class(model: Model, key: PRNGKey) -> "Figure":
    """Draw styles sampled from the prior, one per row, decoded with every class."""
    length = model.decoded_label or 0
    classes = min(length, CLASSES)
    z = jnp.repeat(model.draw_styles(key, STYLES), classes, axis=0)
    y = jnp.tile(jnp.eye(classes, length, dtype=jnp.float32), (STYLES, 1))
    made = np.asarray(model.decode(z, y)).reshape(STYLES, classes, *model.image_shape)
    names, label = short_names(model)[:classes], "cluster" if model.clusters else "class"
    return figures.style_class_grid(made, label_names=names, label=label)


def interpolate(
    model: Model, stored: np.ndarray, images: np.ndarray, labels: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Decode interpolations `[pairs, steps, *image]` between the codes of pairs of images; return the pairs too.

    The images' `labels` are required if the decoder takes labels that the encoder does not predict.
    """
    pairs = min(PAIRS, len(stored) // 2)
    codes = model.encode_stored(jnp.asarray(stored[: 2 * pairs]))
    share = jnp.linspace(0.0, 1.0, STEPS, dtype=jnp.float32)[None, :, None]

    def between(values: jax.Array) -> jax.Array:
        ends = values.reshape(pairs, 2, 1, values.shape[1])
        return ((1 - share) * ends[:, 0] + share * ends[:, 1]).reshape(pairs * STEPS, values.shape[1])

    y = model.label_codes(codes, None if labels is None else labels[: 2 * pairs])
    decoded = np.asarray(model.decode(between(codes.mean), between(y)))
    ends = images[: 2 * pairs].reshape(pairs, 2, *model.image_shape)
    return decoded.reshape(pairs, STEPS, *model.image_shape), ends
