"""Label spreading over a sparse graph of nearest neighbours, as a scikit-learn estimator."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin  # type: ignore[import-untyped, unused-ignore]
from sklearn.neighbors import NearestNeighbors  # type: ignore[import-untyped, unused-ignore]
from sklearn.utils.validation import check_is_fitted, validate_data  # type: ignore[import-untyped, unused-ignore]

from aae_jax.errors import InputError
from aae_jax.estimators.targets import read_targets
from aae_jax.graph.neighbours import Neighbours, neighbours_of
from aae_jax.graph.propagation import BANDWIDTH, propagate_labels, similarity_graph

__all__ = ["GraphLabelSpreading"]

MAX_EXACT = 200_000
"""Largest number of rows whose neighbours are searched for exhaustively."""


class GraphLabelSpreading(ClassifierMixin, BaseEstimator):  # type: ignore[misc, unused-ignore]
    """Label spreading (Zhou et al. 2004) over the nearest neighbours of each row: sparse, for many rows.

    Neighbours are found in the space of the first principal components, exactly up to 200,000 rows; beyond, by
    PyNNDescent (extra `graph`). Labels spread along edges weighted by exp(−d² / (0.3 median d²)), and class
    probabilities are scaled to the class frequencies. Rows should be on one scale: put a scaler before it in a
    pipeline, but for images.

    Args:
        n_neighbors: Neighbours of each row, before edges are made symmetric.
        alpha: Share of a row's label that comes from its neighbours, above 0 and below 1.
        n_components: Largest number of principal components.
        class_frequencies: Frequencies of the classes among all rows, in the order of `classes_`; None: equal.

    Attributes:
        classes_: The classes, sorted.
        label_distributions_: Class probabilities of the rows of `fit`, `[rows, classes]`.
        transduction_: Their most probable classes, `[rows]`.
        n_features_in_: Number of features.
    """

    def __init__(
        self,
        n_neighbors: int = 10,
        *,
        alpha: float = 0.99,
        n_components: int = 50,
        class_frequencies: Any = None,
    ) -> None:
        """Store the settings."""
        self.n_neighbors = n_neighbors
        self.alpha = alpha
        self.n_components = n_components
        self.class_frequencies = class_frequencies

    def fit(self, X: Any, y: Any) -> "GraphLabelSpreading":
        """Spread the labels `y` `[rows]`, -1 (or NaN, None, "") for none, over the rows of `X` `[rows, features]`.

        Raises:
            ValueError: Rows or labels are unsuitable.
        """
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        targets = read_targets(y, len(X))
        if self.n_neighbors < 1 or not 0 < self.alpha < 1 or self.n_components < 1:
            raise InputError(
                f"n_neighbors is {self.n_neighbors}, n_components {self.n_components}, alpha {self.alpha}; give at "
                "least 1, at least 1, and a number between 0 and 1."
            )
        self.classes_ = targets.classes
        self._centre, self._axes = _axes_of(X, self.n_components)
        points = self._project(X)
        neighbours = _neighbours(points, min(self.n_neighbors, len(X) - 1))
        distances = np.asarray(neighbours.distances, np.float64)
        apart = distances[distances > 0]
        self._width = BANDWIDTH * float(np.median(apart)) if apart.size else 1.0
        labelled = np.flatnonzero(targets.indices >= 0)
        shares = None if self.class_frequencies is None else np.asarray(self.class_frequencies, np.float64)
        if shares is not None and (shares.shape != self.classes_.shape or not (shares > 0).all()):
            raise InputError(
                f"class_frequencies is {self.class_frequencies}; give one number above 0 for each of the "
                f"{len(self.classes_)} classes."
            )
        self.label_distributions_ = propagate_labels(
            similarity_graph(neighbours),
            labelled,
            targets.indices[labelled],
            len(self.classes_),
            shares,
            alpha=self.alpha,
        )
        self.transduction_ = self.classes_[self.label_distributions_.argmax(axis=1)]
        self._search = NearestNeighbors(n_neighbors=min(self.n_neighbors, len(X))).fit(points)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return class probabilities `[rows, classes]`: those of the nearest rows of `fit`, by their similarity."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        distances, indices = self._search.kneighbors(self._project(X))
        squared = distances**2
        weights = np.exp(-(squared - squared[:, :1]) / self._width)  # relative to the nearest, which has weight 1
        weights /= weights.sum(axis=1, keepdims=True)
        return np.asarray(np.einsum("nk,nkc->nc", weights, self.label_distributions_[indices].astype(np.float64)))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each row."""
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def _project(self, X: NDArray[np.float64]) -> NDArray[np.float32]:
        return np.asarray((X - self._centre) @ self._axes, np.float32)


def _axes_of(X: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean and the first principal axes `[features, count]` of rows, exactly."""
    centre = X.mean(axis=0)
    if X.shape[1] <= count:
        return centre, np.eye(X.shape[1])
    centred = X - centre
    _, axes = np.linalg.eigh(centred.T @ centred)
    return centre, np.ascontiguousarray(axes[:, ::-1][:, :count])


def _neighbours(points: NDArray[np.float32], k: int) -> Neighbours:
    if len(points) <= MAX_EXACT:
        return neighbours_of(points, k)
    try:
        from pynndescent import NNDescent  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as error:
        raise ImportError(
            f"{len(points):,} rows need an approximate search for neighbours; install the extra graph (pynndescent), "
            f"or give at most {MAX_EXACT:,}."
        ) from error
    indices, distances = NNDescent(points, n_neighbors=k + 1, random_state=0).neighbor_graph
    itself = indices == np.arange(len(points))[:, None]
    itself[:, -1] |= ~itself.any(axis=1)  # of more duplicates than neighbours, the last is dropped
    shape = len(points), k
    kept = indices[~itself].reshape(shape), distances[~itself].reshape(shape)
    return Neighbours(kept[0].astype(np.int32), kept[1].astype(np.float32) ** 2)
