"""Classifiers of codes by scikit-learn and LightGBM, shared by leakage, probes, transfer and two-sample tests."""

import importlib.util
import warnings
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from aae_jax.errors import InputError, missing_extra

__all__ = [
    "fit_classifier",
    "gradient_boosting",
    "has_lightgbm",
    "logistic_regression",
    "nearest_neighbours",
    "perceptron",
    "require_labelled_codes",
]

HIDDEN = (100, 100)
MAX_ROUNDS = 200
NEIGHBOURS = 5
FEATURES_PER_TREE = 400
ENOUGH = 500
"""Minimum number of fitted codes for early stopping of the perceptron on a held-out tenth."""


def fit_classifier(
    classifier: Any, codes: Float[np.ndarray, "count latent"], labels: Int[np.ndarray, " count"]
) -> Any:
    """Fit a classifier to standardised codes, without warnings that it has not converged: expected for few codes."""
    from sklearn.exceptions import ConvergenceWarning  # slow to import
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(StandardScaler(), classifier)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return pipeline.fit(codes, labels)


def logistic_regression() -> Any:
    """Return the linear classifier."""
    from sklearn.linear_model import LogisticRegression  # slow to import

    return LogisticRegression(max_iter=1000)


def nearest_neighbours(count: int) -> Any:
    """Return the classifier by the majority of the five nearest of `count` codes."""
    from sklearn.neighbors import KNeighborsClassifier  # slow to import

    return KNeighborsClassifier(min(NEIGHBOURS, count))


def has_lightgbm() -> bool:
    """Return whether LightGBM, the extra `transfer`, is installed."""
    return importlib.util.find_spec("lightgbm") is not None


def gradient_boosting(num_features: int, seed: int = 0) -> Any:
    """Return LightGBM's classifier (Ke et al. 2017) with its defaults, apart from two that make it faster.

    Features have 63 bins, and of more than 400 features each tree sees a random 400.

    Raises:
        InputError: LightGBM is not installed.
    """
    try:
        from lightgbm import LGBMClassifier  # an extra
    except ImportError as error:
        raise missing_extra("LightGBM", "transfer") from error
    return LGBMClassifier(
        max_bin=63,
        colsample_bytree=min(1.0, FEATURES_PER_TREE / num_features),
        random_state=seed,
        deterministic=True,
        force_col_wise=True,
        verbose=-1,
    )


def perceptron(labels: Int[np.ndarray, " count"], seed: int = 0) -> Any:
    """Return a classifier with two hidden layers of 100 units for these labels.

    It stops early by a held-out tenth if there are at least 500 labels, and enough of every class for scikit-learn.
    """
    from sklearn.neural_network import MLPClassifier  # slow to import

    counts = np.unique(labels, return_counts=True)[1]
    early = len(labels) >= ENOUGH and counts.min() >= 2 and len(labels) // 10 >= len(counts)
    return MLPClassifier(HIDDEN, early_stopping=bool(early), max_iter=MAX_ROUNDS, random_state=seed)


def require_labelled_codes(*parts: tuple[np.ndarray, np.ndarray]) -> None:
    """Check codes with their labels, of which the first are fitted.

    Raises:
        InputError: There are no codes, some are not finite, or the first have only one class.
    """
    for codes, labels in parts:
        if not len(codes) or len(codes) != len(labels) or not np.isfinite(codes).all():
            raise InputError(
                "Labels cannot be predicted from these codes: there are none, not all finite, or not one per label."
            )
    if len(np.unique(parts[0][1])) < 2:
        raise InputError(
            "Labels cannot be predicted: the fitted codes have one class alone; give codes of at least two."
        )
