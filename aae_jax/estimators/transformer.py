"""Unsupervised adversarial autoencoder as a transformer and density model with scikit-learn's interface."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from sklearn.base import (  # type: ignore[import-untyped, unused-ignore]
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted  # type: ignore[import-untyped, unused-ignore]

from aae_jax.estimators.base import TrainedEstimator, with_callbacks
from aae_jax.estimators.blocks import in_blocks
from aae_jax.estimators.scoring import ImageScorer, TableScorer, reference_of

__all__ = ["AAE"]


class AAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, TrainedEstimator):  # type: ignore[misc, unused-ignore]
    """Adversarial autoencoder (Makhzani et al. 2016, section 2): codes that match a Gaussian prior.

    Args:
        latent_dim: Length of the code.
        hidden: Units of the hidden layers of encoder and decoder.
        preset: Preset of `unsupervised` that the other settings come from.
        epochs: Passes over the rows; None: as many as show 72,000 rows, at least 32.
        batch_size: Rows per update.
        image_shape: Shape of one image, `(height, width)` or `(height, width, channels)`; None: rows of a table.
        settings: Further settings of the model by dotted names, such as `{"prior.kind": "uniform"}`.
        early_stopping: Whether a tenth of the rows is held out, to end training once their reconstruction error has
            not improved for `n_iter_no_change` validations, and to keep the best weights.
        n_iter_no_change: See `early_stopping`.
        warm_start: Whether `fit` starts from the weights of the last one.
        random_state: Seed, or a `numpy.random.RandomState`.
        verbose: Whether progress is printed.

    Attributes:
        model_: The trained `aae_jax.Model`, of rows in [0, 1].
        n_features_in_: Number of features; `feature_names_in_` has their names, if they have any.
        n_iter_: Number of epochs of the last `fit`.
    """

    _experiment = "unsupervised"

    def __init__(
        self,
        *,
        latent_dim: int = 8,
        hidden: Sequence[int] = (500, 500),
        preset: str = "default",
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
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.preset = preset
        self.epochs = epochs
        self.batch_size = batch_size
        self.image_shape = image_shape
        self.settings = settings
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks  # type: ignore[untyped-decorator, unused-ignore]
    def fit(self, X: Any, y: Any = None) -> "AAE":
        """Train on rows `X` `[rows, features]`; `y` is ignored.

        Raises:
            ValueError: Rows or settings are unsuitable.
        """
        self._fit(X)
        return self

    def _fit(self, X: Any) -> None:
        rows = self._read(X, reset=True)
        self.model_ = self._train(rows, None, 0)
        whole = self._read(X, reset=False, clip=False)
        self._reference = whole[reference_of(len(whole))]
        self.__dict__.pop("_scorer", None)

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.network.latent_dim)

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Return the codes of rows, `[rows, latent_dim]`."""
        images = self._images(X)
        return in_blocks(lambda block: self.model_.encode_stored(jnp.asarray(block)).mean, images)

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: codes are float32."""
        tags = super().__sklearn_tags__()
        if tags.transformer_tags is not None:
            tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def inverse_transform(self, X: Any) -> NDArray[Any]:
        """Return the decoded rows of codes `X` `[rows, latent_dim]`, in the units of the data."""
        check_is_fitted(self)
        decoded = np.asarray(self.model_.decode(np.asarray(X, np.float32)))
        return self._columns.invert(decoded.reshape(len(decoded), -1))

    def sample(self, count: int = 1, seed: int = 0) -> NDArray[Any]:
        """Return rows in the units of the data, decoded from samples of the prior."""
        check_is_fitted(self)
        decoded = np.asarray(self.model_.sample(count, seed=seed))
        return self._columns.invert(decoded.reshape(count, -1))

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Return how ordinary rows are, `[rows]`: higher for rows like those of `fit`.

        The score combines reconstruction error and distance to the codes of the rows of `fit`
        (`aae_jax.estimators.scoring`); it is no log-likelihood.
        """
        check_is_fitted(self)
        tables = self.image_shape is None
        rows = self._shaped(self._read(X, reset=False, clip=not tables))
        if not hasattr(self, "_scorer"):
            kind = TableScorer if tables else ImageScorer
            self._scorer = kind(self.model_, self._shaped(self._reference))
        scores: NDArray[np.float64] = -self._scorer(rows)
        return scores

    def __getstate__(self) -> Any:
        """Return the state without the scorer, which is built again on use."""
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_scorer"}
