"""Outlier detection by an adversarial autoencoder with scikit-learn's interface and signs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import OutlierMixin  # type: ignore[import-untyped, unused-ignore]

from aae_jax.estimators.base import with_callbacks
from aae_jax.estimators.transformer import AAE

__all__ = ["AAEOutlierDetector"]


class AAEOutlierDetector(OutlierMixin, AAE):  # type: ignore[misc, unused-ignore]
    """Outliers by the reconstruction error and the codes of an adversarial autoencoder.

    As in scikit-learn, scores are lower for stranger rows: `decision_function` is below 0, and `predict` is -1, for
    outliers. PyOD has the opposite signs: `-detector.decision_function(X)`.

    Args:
        contamination: Share of outliers among the rows of `fit`, above 0 and at most 0.5, which sets the threshold.
        latent_dim: Length of the code.
        hidden: Units of the hidden layers of encoder and decoder.
        preset: Preset of `unsupervised` that the other settings come from.
        epochs: Passes over the rows; None: as many as show 72,000 rows, at least 32.
        batch_size: Rows per update.
        image_shape: Shape of one image, `(height, width)` or `(height, width, channels)`; None: rows of a table.
        settings: Further settings of the model by dotted names.
        early_stopping: See `AAE`.
        n_iter_no_change: See `AAE`.
        warm_start: Whether `fit` starts from the weights of the last one.
        random_state: Seed, or a `numpy.random.RandomState`.
        verbose: Whether progress is printed.

    Attributes:
        offset_: Score of the threshold: `decision_function` is `score_samples` minus it.
        model_: The trained `aae_jax.Model`, of rows in [0, 1].
        n_features_in_: Number of features; `feature_names_in_` has their names, if they have any.
        n_iter_: Number of epochs of the last `fit`.
    """

    def __init__(
        self,
        contamination: float = 0.1,
        *,
        latent_dim: int = 8,
        hidden: Sequence[int] = (500, 500),
        preset: str = "anomaly",
        epochs: int | None = None,
        batch_size: int = 100,
        image_shape: Sequence[int] | None = None,
        settings: Mapping[str, Any] | None = None,
        early_stopping: bool = False,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        """Store the settings."""
        super().__init__(
            latent_dim=latent_dim,
            hidden=hidden,
            preset=preset,
            epochs=epochs,
            batch_size=batch_size,
            image_shape=image_shape,
            settings=settings,
            early_stopping=early_stopping,
            n_iter_no_change=n_iter_no_change,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
        )
        self.contamination = contamination

    @with_callbacks  # type: ignore[untyped-decorator, unused-ignore]
    def fit(self, X: Any, y: Any = None) -> "AAEOutlierDetector":
        """Train on rows `X` `[rows, features]`, of which most are ordinary; `y` is ignored.

        Raises:
            ValueError: Rows or settings are unsuitable.
        """
        if not 0 < self.contamination <= 0.5:
            raise ValueError(f"contamination is {self.contamination}; give a number above 0 and at most 0.5.")
        self._fit(X)
        self.offset_ = float(np.percentile(self.score_samples(X), 100 * self.contamination))
        return self

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return scores `[rows]` relative to the threshold: below 0 for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Return 1 for ordinary rows and -1 for outliers, `[rows]`."""
        return np.where(self.decision_function(X) < 0, -1, 1)
