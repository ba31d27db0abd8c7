"""Figures shared by models, and those of a classifier, from the metrics of a run and a model."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax import figures
from aae_jax.evaluation import build_draw_codes, confusion_counts, reliability
from aae_jax.figures.of_models.drawing import Drawings, Shown
from aae_jax.saved.model import Model
from aae_jax.types import Array, PRNGKey

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "CLASSES",
    "column",
    "draw_figures",
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

IMAGES, STYLES, CODES = 20, 8, 2000
CLASSES, LONGEST_NAME = 30, 12
PAIRS, STEPS = 6, 9


def draw_figures(
    rows: Sequence[Mapping[str, Any]],
    model: Model,
    shown: Shown,
    key: PRNGKey,
    *,
    baseline_error: float | None = None,
    test_errors: Sequence[float] = (),
) -> Drawings:
    """Return the drawing functions of the figures, by file name.

    Args:
        rows: Metrics of the run.
        model: Model of the first seed.
        shown: Images to reconstruct and classify.
        key: PRNG key of the sampled styles.
        baseline_error: Validation error of the supervised baseline as a fraction, if known.
        test_errors: Test errors by seed as fractions, if known.
    """
    updates = np.asarray([row["update"] for row in rows])
    codes = functools.cache(lambda: model.encode_stored(jnp.asarray(shown.images)))
    predicted = functools.cache(lambda: np.argmax(np.asarray(codes().logits), axis=1))
    some = some_of(len(shown.images), CODES)
    drawn: dict[str, Callable[[], Figure]] = {
        "learning_curves": lambda: figures.learning_curves(updates, losses_of(rows)),
        "validation_error": lambda: figures.validation_error(
            updates,
            column(rows, "validation_error"),
            baseline_error=np.nan if baseline_error is None else baseline_error,
            test_error=np.asarray(test_errors, dtype=np.float64),
        ),
        "train_and_validation_error": lambda: figures.train_and_validation_error(
            updates, column(rows, "classification/error"), column(rows, "validation_error")
        ),
        "confusion_matrix": lambda: figures.confusion_matrix(
            confusion_counts(shown.labels, predicted(), model.num_classes), label_names=short_names(model)
        ),
        "reliability_diagram": lambda: _draw_reliability(model, np.asarray(codes().logits), shown.labels),
    }
    prior = model.prior
    if prior is not None and prior.is_gaussian:
        drawn["code_histograms"] = lambda: figures.code_histograms(
            np.asarray(codes().mean)[some],
            prior_std=prior.std,
            class_probabilities=np.asarray(jax.nn.softmax(codes().logits))[some],
        )
    if "validation_code_mmd" in rows[0]:  # runs started by an earlier version have none
        drawn["health"] = lambda: draw_health(updates, rows)
    if is_drawable(model.image_shape):
        drawn |= _draw_pictures(model, shown, predicted, key)
    return drawn


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
    """Draw the features of the encoder's first layer."""
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


def _draw_reliability(model: Model, logits: np.ndarray, labels: np.ndarray) -> "Figure":
    found = {"as trained": reliability(logits, labels)}
    if model.temperature is not None:
        name = f"at temperature {model.temperature:.2f}"
        found[name] = reliability(logits, labels, temperature=model.temperature)
    return figures.reliability_diagram(found)


def _draw_pictures(model: Model, shown: Shown, predicted: Callable[[], np.ndarray], key: PRNGKey) -> Drawings:
    images = functools.cache(lambda: unit_images(shown.images))
    first = min(len(shown.images), IMAGES)
    return {
        "reconstructions": lambda: figures.reconstructions(
            images()[:first], np.asarray(model.reconstruct_stored(shown.images[:first]))
        ),
        "style_class_grid": lambda: draw_styles_by_class(model, key),
        "predicted_classes": lambda: figures.predicted_classes(
            images()[:CODES], predicted()[:CODES], shown.labels[:CODES], label_names=short_names(model)
        ),
        "first_layer_features": lambda: first_layer(model),
        "latent_interpolation": lambda: figures.latent_interpolation(*interpolate(model, shown.images, images())),
    }


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
    return figures.style_class_grid(made, label_names=short_names(model)[:classes])


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
