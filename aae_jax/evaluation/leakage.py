"""Label leakage into the style: accuracy of classifiers that are fitted on the codes of other images."""

import warnings
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from aae_jax.evaluation.probes import require_labelled_codes

__all__ = ["Leakage", "measure_leakage"]

HIDDEN = (100, 100)
MAX_ROUNDS = 200
ENOUGH = 500
"""Minimum number of fitted codes for early stopping of the perceptron on a held-out tenth."""


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
    from sklearn.exceptions import ConvergenceWarning  # slow to import
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    require_labelled_codes(fitted, scored)
    classifiers = (
        LogisticRegression(max_iter=1000),
        MLPClassifier(HIDDEN, early_stopping=_may_hold_out(fitted[1]), max_iter=MAX_ROUNDS, random_state=0),
    )
    accuracies: list[float] = []
    for classifier in classifiers:
        pipeline = make_pipeline(StandardScaler(), classifier)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # expected for few codes
            pipeline.fit(fitted[0], fitted[1])
        accuracies.append(float(np.mean(pipeline.predict(scored[0]) == scored[1])))
    chance = float(np.bincount(scored[1]).max() / len(scored[1]))
    return Leakage(logistic_regression=accuracies[0], perceptron=accuracies[1], chance=chance)


def _may_hold_out(labels: Int[np.ndarray, " count"]) -> bool:
    """Return whether a tenth of the labels can be held out with every class in it, as scikit-learn requires."""
    counts = np.unique(labels, return_counts=True)[1]
    return len(labels) >= ENOUGH and counts.min() >= 2 and len(labels) // 10 >= len(counts)
