"""Probes of representations: how well simple classifiers predict the class from codes."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from aae_jax.evaluation.classifiers import (
    fit_classifier,
    logistic_regression,
    nearest_neighbours,
    require_labelled_codes,
)

__all__ = ["Probes", "mean_area", "probe_codes"]


class Probes(NamedTuple):
    """Quality of codes as features, on images that the probes were not fitted on."""

    linear: float
    """Accuracy of logistic regression."""
    neighbours: float
    """Accuracy of the majority of the five nearest neighbours."""
    auroc: float
    """Area under the ROC curve of logistic regression, one class against the rest, mean over the classes."""


def probe_codes(
    fitted: tuple[Float[np.ndarray, "count latent"], Int[np.ndarray, " count"]],
    scored: tuple[Float[np.ndarray, "others latent"], Int[np.ndarray, " others"]],
) -> Probes:
    """Return the accuracies of simple classifiers of codes.

    Codes are standardised by the fitted ones. Classes that are missing from the fitted or the scored codes are left
    out of the mean area; it is NaN if fewer than two remain.

    Args:
        fitted: Codes and classes on which the classifiers are fitted.
        scored: Codes and classes of other images.

    Raises:
        InputError: There are no codes, some are not finite, or the fitted ones have only one class.
    """
    require_labelled_codes(fitted, scored)
    linear = fit_classifier(logistic_regression(), *fitted)
    nearest = fit_classifier(nearest_neighbours(len(fitted[1])), *fitted)
    return Probes(
        linear=float(np.mean(linear.predict(scored[0]) == scored[1])),
        neighbours=float(np.mean(nearest.predict(scored[0]) == scored[1])),
        auroc=mean_area(linear.predict_proba(scored[0]), linear.classes_, scored[1]),
    )


def mean_area(
    scores: Float[np.ndarray, "count classes"],
    classes: Int[np.ndarray, " classes"],
    labels: Int[np.ndarray, " count"],
) -> float:
    """Return the area under the ROC curve of each class against the rest, mean over the classes (macro AUROC).

    Classes without labels are left out; the mean of fewer than two is NaN.

    Args:
        scores: Scores of each image by class, such as probabilities.
        classes: The class of each column.
        labels: True classes.
    """
    from sklearn.metrics import roc_auc_score  # slow to import

    areas = [
        roc_auc_score(labels == each, scores[:, place])
        for place, each in enumerate(classes)
        if 0 < np.sum(labels == each) < len(labels)
    ]
    return float(np.mean(areas)) if len(areas) > 1 else float("nan")
