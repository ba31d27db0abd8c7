"""Label leakage into the style: accuracy of classifiers that are fitted on the codes of other images."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from aae_jax.evaluation.classifiers import (
    fit_classifier,
    logistic_regression,
    perceptron,
    require_labelled_codes,
)

__all__ = ["Leakage", "measure_leakage"]


class Leakage(NamedTuple):
    """Accuracies on the scored images from the code alone; 1 / classes without leakage."""

    logistic_regression: float
    perceptron: float
    """Accuracy of a non-linear classifier, with two hidden layers of 100 units."""
    chance: float
    """Share of the most frequent class among the scored images."""


def measure_leakage(
    fitted: tuple[Float[np.ndarray, "count latent"], Int[np.ndarray, " count"]],
    scored: tuple[Float[np.ndarray, "others latent"], Int[np.ndarray, " others"]],
) -> Leakage:
    """Measure the accuracy of classifiers that predict the label from codes.

    Codes are standardised by the fitted ones. The perceptron uses early stopping on a tenth of the fitted codes if
    there are at least 500, and enough of every class.

    Args:
        fitted: Codes and classes on which the classifiers are fitted.
        scored: Codes and classes of other images, on which they are evaluated.

    Raises:
        InputError: There are no codes, some are not finite, or the fitted ones have only one class.
    """
    require_labelled_codes(fitted, scored)
    linear, nonlinear = (
        float(np.mean(fit_classifier(classifier, *fitted).predict(scored[0]) == scored[1]))
        for classifier in (logistic_regression(), perceptron(fitted[1]))
    )
    return Leakage(linear, nonlinear, chance=float(np.bincount(scored[1]).max() / len(scored[1])))
