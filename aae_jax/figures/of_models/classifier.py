"""Figures of a classifier of images with few labels."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax import figures
from aae_jax.evaluation import confusion_counts, reliability
from aae_jax.figures.of_models.drawing import Drawings, Shown
from aae_jax.figures.of_models.parts import (
    column,
    draw_health,
    draw_styles_by_class,
    first_layer,
    interpolate,
    is_drawable,
    losses_of,
    short_names,
    some_of,
    unit_images,
)
from aae_jax.networks import EncoderOutput
from aae_jax.saved.model import Model
from aae_jax.types import PRNGKey

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_classifier_figures"]

IMAGES, CODES = 20, 2000


def draw_classifier_figures(
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
    }
    if "validation_error" in rows[0]:
        drawn |= _draw_errors(rows, baseline_error, test_errors)
    if (shown.labels >= 0).all():
        drawn |= _draw_predictions(model, codes, predicted, shown.labels)
    prior = model.prior
    if prior is not None and prior.is_gaussian:
        drawn["code_histograms"] = lambda: figures.code_histograms(
            np.asarray(codes().mean)[some],
            prior_std=prior.std,
            class_probabilities=np.asarray(jax.nn.softmax(codes().logits)),
        )
    if "validation_code_mmd" in rows[0]:  # runs started by an earlier version have none
        drawn["health"] = lambda: draw_health(updates, rows)
    if is_drawable(model.image_shape):
        drawn |= _draw_pictures(model, shown, predicted, key)
    return drawn


def _draw_errors(
    rows: Sequence[Mapping[str, Any]], baseline_error: float | None, test_errors: Sequence[float]
) -> Drawings:
    updates = np.asarray([row["update"] for row in rows])
    errors = column(rows, "validation_error")
    return {
        "validation_error": lambda: figures.validation_error(
            updates,
            errors,
            baseline_error=np.nan if baseline_error is None else baseline_error,
            test_error=np.asarray(test_errors, dtype=np.float64),
        ),
        "train_and_validation_error": lambda: figures.train_and_validation_error(
            updates, column(rows, "classification/error"), errors
        ),
    }


def _draw_predictions(
    model: Model, codes: Callable[[], EncoderOutput], predicted: Callable[[], np.ndarray], labels: np.ndarray
) -> Drawings:
    return {
        "confusion_matrix": lambda: figures.confusion_matrix(
            confusion_counts(labels, predicted(), model.num_classes), label_names=short_names(model)
        ),
        "reliability_diagram": lambda: _draw_reliability(model, np.asarray(codes().logits), labels),
    }


def _draw_reliability(model: Model, logits: np.ndarray, labels: np.ndarray) -> "Figure":
    reliabilities = {"as trained": reliability(logits, labels)}
    if model.temperature is not None:
        name = f"at temperature {model.temperature:.2f}"
        reliabilities[name] = reliability(logits, labels, temperature=model.temperature)
    return figures.reliability_diagram(reliabilities)


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
