"""What the estimators of trained models share: settings, data, training."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator  # type: ignore[import-untyped, unused-ignore]
from sklearn.utils import check_random_state  # type: ignore[import-untyped, unused-ignore]
from sklearn.utils.validation import check_is_fitted  # type: ignore[import-untyped, unused-ignore]

from aae_jax.api import TrainingFailed, with_settings
from aae_jax.data import Dataset, Quiet
from aae_jax.data.dataset import ARRAYS, IN_MEMORY, build_dataset
from aae_jax.data.splits import default_validation_size
from aae_jax.errors import InputError
from aae_jax.estimators.blocks import in_blocks
from aae_jax.estimators.columns import Columns, fit_columns, read_rows
from aae_jax.models import find_model, preset
from aae_jax.models.shared.plan import main_plan
from aae_jax.run.callbacks import AllSeedsFailed, Callback, EpochEnd, Stop
from aae_jax.run.console import Console, ReporterConsole
from aae_jax.run.setup import build_setup
from aae_jax.run.training import train_models
from aae_jax.run.user_callbacks import EarlyStopping
from aae_jax.run.warm_start import warm_started
from aae_jax.saved.model import Model

try:
    from sklearn.callback import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
        CallbackSupportMixin,
        with_callbacks,
    )
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: this scikit-learn has no callbacks."""

    def with_callbacks(method: Any) -> Any:
        """Return the method as it is."""
        return method


__all__ = ["TrainedEstimator", "with_callbacks"]


class TrainedEstimator(CallbackSupportMixin, BaseEstimator):  # type: ignore[misc, unused-ignore]
    """Base of estimators that train a model on the rows of `fit`; see its subclasses for settings."""

    _experiment: str
    image_shape: Sequence[int] | None
    preset: str
    latent_dim: int
    hidden: Sequence[int]
    epochs: int | None
    batch_size: int
    settings: Mapping[str, Any] | None
    random_state: Any
    warm_start: bool
    early_stopping: bool
    n_iter_no_change: int
    verbose: bool
    model_: Model
    _columns: Columns

    def _read(self, X: Any, *, reset: bool, clip: bool = True) -> NDArray[np.float32]:
        """Return rows in [0, 1], or beyond without `clip`.

        The scaling is fitted in `fit` (`reset`), unless this is a warm start.
        """
        rows = read_rows(self, X, image_shape=self.image_shape, reset=reset)
        if reset and not (self.warm_start and hasattr(self, "model_") and self._columns.is_for(rows)):
            self._columns = fit_columns(rows, images=self.image_shape is not None)
        return self._columns.transform(rows, clip=clip)

    def _images(self, X: Any) -> NDArray[np.float32]:
        """Return rows for the methods of the model, as it was trained on."""
        check_is_fitted(self)
        return self._shaped(self._read(X, reset=False))

    def _chances(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probabilities of the model's classes, of images as it was trained on, however dark they are."""

        def of_block(block: NDArray[np.float32]) -> Any:
            return jax.nn.softmax(self.model_.encode_stored(jnp.asarray(block)).logits)

        return in_blocks(of_block, images).astype(np.float64)

    def _shaped(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.image_shape is None:
            return rows
        shape = tuple(self.image_shape)
        return rows.reshape(len(rows), *(shape[:2] if shape[2:] == (1,) else shape))

    def _config(self, rows: int, **fixed: Any) -> Any:
        """Return the configuration: the preset's, the estimator's settings, those of `settings`."""
        config = preset(self.preset, self._experiment)
        chosen = {
            "network.latent_dim": self.latent_dim,
            "network.hidden": [self.hidden] if np.ndim(self.hidden) == 0 else list(self.hidden),
            "epochs": self.epochs,
            "batch_size": min(self.batch_size, rows),
            "seed": int(check_random_state(self.random_state).randint(2**31 - 1)),
            "test": False,
            "judge_updates": 0,
        }
        config = with_settings(config, {**chosen, **fixed, **(self.settings or {})})
        return dataclasses.replace(config, dataset=ARRAYS)

    def _train(
        self, rows: NDArray[np.float32], indices: NDArray[np.int32] | None, classes: int, **fixed: Any
    ) -> Model:
        """Train on rows in [0, 1] and classes `[rows]`, -1 for none; `fixed`: further settings of the model."""
        if len(rows) < 2:
            raise ValueError(f"Found array with {len(rows)} sample(s) while a minimum of 2 is required.")
        labelled = len(rows) if indices is None else int(np.count_nonzero(indices >= 0))
        if self.early_stopping and default_validation_size(labelled) < 1:
            raise ValueError(
                f"early_stopping holds out a tenth of the rows (with a label), but there are {labelled}. Give at "
                "least 6, or early_stopping=False."
            )
        decided = next((name for name in ("labels", "validation_size") if name in (self.settings or {})), None)
        if decided is not None:
            raise ValueError(
                f"settings has {decided}, which the labels of fit and early_stopping decide; leave it out."
            )
        held_out = default_validation_size(labelled) if self.early_stopping else 0
        dataset = _dataset(self._shaped(rows), indices, classes)
        config = self._config(len(rows) - held_out, validation_size=held_out, **fixed)
        spec = find_model(self._experiment).spec
        spec.validate(config)
        console = Console() if self.verbose else ReporterConsole(Quiet())
        try:
            setup = build_setup(spec, config, Quiet(), None, dataset, validate=self.early_stopping)
        except InputError as error:
            if self.early_stopping and "is held out for validation" in str(error):
                raise ValueError(
                    "early_stopping holds out a tenth of the rows, which are all rows of a class; give more rows of "
                    "every class, or early_stopping=False."
                ) from error
            raise
        plan = main_plan(setup)
        if self.warm_start and hasattr(self, "model_"):
            with contextlib.suppress(InputError):  # other sizes: training starts anew
                plan = warm_started(plan, self.model_)
        stopping = [EarlyStopping(self.n_iter_no_change)] if self.early_stopping else []
        try:
            with self._progress(plan.epochs) as callbacks:
                trained = train_models(setup, plan, console, [*callbacks, *stopping], validate=self.early_stopping)
        except AllSeedsFailed:
            raise TrainingFailed("The losses became non-finite; give lower learning rates in settings.") from None
        self.n_iter_ = trained.epochs
        return trained.best_models[0] if self.early_stopping else trained.models[0]

    @contextlib.contextmanager
    def _progress(self, epochs: int) -> Iterator[Sequence[Callback]]:
        """Pass epochs on to scikit-learn's callbacks, where this scikit-learn has them."""
        if not hasattr(self, "_init_callback_context"):
            yield ()
            return
        context = self._init_callback_context(max_subtasks=epochs)
        context.call_on_fit_task_begin(estimator=self)
        try:
            yield [_Subtasks(self, context)]
        finally:
            context.call_on_fit_task_end(estimator=self)


class _Subtasks:
    """Callback that passes each epoch on to scikit-learn's callbacks as a subtask of `fit`."""

    def __init__(self, estimator: Any, context: Any) -> None:
        self.estimator, self.context = estimator, context

    def after_epoch(self, epoch: EpochEnd) -> Stop | None:
        inner = self.context.subcontext(task_name="epoch")
        inner.call_on_fit_task_begin(estimator=self.estimator)
        wants_end = inner.call_on_fit_task_end(estimator=self.estimator)
        return Stop("a callback of scikit-learn requested it") if wants_end else None


def _dataset(images: NDArray[np.float32], labels: NDArray[np.int32] | None, classes: int) -> Dataset:
    """Return the rows as data for training alone."""
    if labels is None:
        labels = np.full(len(images), -1, np.int32)
    return build_dataset(
        name=ARRAYS,
        source=IN_MEMORY,
        train_images=images,
        train_labels=labels,
        test_images=images[:0],
        test_labels=labels[:0],
        num_classes=classes,
        without_test_set=True,
    )
