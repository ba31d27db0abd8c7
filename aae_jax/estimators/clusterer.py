"""Clustering by an adversarial autoencoder with scikit-learn's interface."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClusterMixin  # type: ignore[import-untyped, unused-ignore]

from aae_jax.estimators.base import TrainedEstimator, with_callbacks

__all__ = ["AAEClusterer"]


class AAEClusterer(ClusterMixin, TrainedEstimator):  # type: ignore[misc, unused-ignore]
    """Clustering adversarial autoencoder (Makhzani et al. 2016, section 6): a label code without labels.

    Clusters begin as those of a graph of nearest neighbours (preset `graph`). A cluster may stay empty.

    Args:
        n_clusters: Number of clusters; more than the classes that are expected, as in the paper, works best.
        latent_dim: Length of the style.
        hidden: Units of the hidden layers of encoder and decoder.
        preset: Preset of `clustering` that the other settings come from.
        epochs: Passes over the rows; None: as many as show 72,000 rows, at least 32.
        batch_size: Rows per update.
        image_shape: Shape of one image, `(height, width)` or `(height, width, channels)`; None: rows of a table.
        settings: Further settings of the model by dotted names, such as `{"weights.consistency": 1.0}`.
        warm_start: Whether `fit` starts from the weights of the last one.
        random_state: Seed, or a `numpy.random.RandomState`.
        verbose: Whether progress is printed.

    Attributes:
        labels_: Cluster of each row of `fit`, `[rows]`.
        model_: The trained `aae_jax.Model`, of rows in [0, 1].
        n_features_in_: Number of features; `feature_names_in_` has their names, if they have any.
        n_iter_: Number of epochs of the last `fit`.
    """

    _experiment = "clustering"
    early_stopping = False
    n_iter_no_change = 10

    def __init__(
        self,
        n_clusters: int = 10,
        *,
        latent_dim: int = 5,
        hidden: Sequence[int] = (500, 500),
        preset: str = "graph",
        epochs: int | None = None,
        batch_size: int = 100,
        image_shape: Sequence[int] | None = None,
        settings: Mapping[str, Any] | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        """Store the settings."""
        self.n_clusters = n_clusters
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.preset = preset
        self.epochs = epochs
        self.batch_size = batch_size
        self.image_shape = image_shape
        self.settings = settings
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks  # type: ignore[untyped-decorator, unused-ignore]
    def fit(self, X: Any, y: Any = None) -> "AAEClusterer":
        """Cluster rows `X` `[rows, features]`; `y` is ignored.

        Raises:
            ValueError: Rows or settings are unsuitable.
        """
        rows = self._read(X, reset=True)
        self.model_ = self._train(rows, None, 0, num_clusters=self.n_clusters)
        self.labels_ = self._chances(self._shaped(rows)).argmax(axis=1)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the cluster of each row, `[rows]`."""
        images = self._images(X)
        return np.asarray(self._chances(images).argmax(axis=1))

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each cluster, `[rows, n_clusters]`."""
        images = self._images(X)
        return self._chances(images)
