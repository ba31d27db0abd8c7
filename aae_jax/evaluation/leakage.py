"""What of the label is left in a style: how often classifiers find it, fitted on the codes of other images."""

import warnings
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from aae_jax.errors import InputError

__all__ = ["Leakage", "measure_leakage"]

HIDDEN = (100, 100)
MOST_ROUNDS = 200
ENOUGH = 500
"""Fitted codes of which a tenth is held back to stop the perceptron early."""


class Leakage(NamedTuple):
    """Shares of the scored images whose class was found from the code alone; 1 / classes where nothing is left."""

    logistic_regression: float
    perceptron: float
    """Two hidden layers of 100 units: what a non-linear map finds."""
    chance: float
    """The share of the most frequent class among the scored images."""


def measure_leakage(
    fitted: tuple[Float[np.ndarray, "count latent"], Int[np.ndarray, " count"]],
    scored: tuple[Float[np.ndarray, "others latent"], Int[np.ndarray, " others"]],
) -> Leakage:
    """Return how much of the label classifiers find in codes.

    Codes are standardised by the fitted ones. The perceptron stops early by a tenth of the fitted codes, where there
    are 500 at least.

    Args:
        fitted: Codes and classes on which the classifiers are fitted.
        scored: Those of other images, on which they are judged.

    Raises:
        InputError: There are no codes, some are not finite, or those fitted have one class alone.
    """
    from sklearn.exceptions import ConvergenceWarning  # slow to import
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    for codes, labels in (fitted, scored):
        if not len(codes) or len(codes) != len(labels) or not np.isfinite(codes).all():
            raise InputError("Labels cannot be looked for in these codes: none, not all finite, or not one a label.")
    if len(np.unique(fitted[1])) < 2:
        raise InputError("Labels cannot be looked for: the fitted codes have one class alone; give codes of more.")
    classifiers = (
        LogisticRegression(max_iter=1000),
        MLPClassifier(HIDDEN, early_stopping=len(fitted[1]) >= ENOUGH, max_iter=MOST_ROUNDS, random_state=0),
    )
    found: list[float] = []
    for classifier in classifiers:
        pipeline = make_pipeline(StandardScaler(), classifier)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of few codes: then it is what it is
            pipeline.fit(fitted[0], fitted[1])
        found.append(float(np.mean(pipeline.predict(scored[0]) == scored[1])))
    chance = float(np.bincount(scored[1]).max() / len(scored[1]))
    return Leakage(logistic_regression=found[0], perceptron=found[1], chance=chance)
