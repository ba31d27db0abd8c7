"""Model specifications, and the data passed to a model's functions.

Neither this module nor any model depends on the console, a run's folder or the training loop.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Key

from aae_jax.config import PriorConfig
from aae_jax.data import Dataset, Reporter
from aae_jax.figures.of_models.drawing import Drawings, Shown
from aae_jax.networks import NO_MODULES, Codes, Modules, Networks, build_networks
from aae_jax.priors.prior import Prior
from aae_jax.train.epoch import TrainData
from aae_jax.train.hyper import Numbers
from aae_jax.train.phases import Phase
from aae_jax.types import Array, Metrics, Params, Pixels, PRNGKey, Stats

if TYPE_CHECKING:
    from aae_jax.saved.model import Model

__all__ = [
    "DataShape",
    "Keys",
    "MeasureFn",
    "ModelSpec",
    "RunSetup",
    "SavedCodes",
    "SeedKeys",
    "Trained",
    "no_lines",
    "no_results",
]

SeedKeys = Key[jax.Array, " seeds"]
MeasureFn = Callable[[Params, Stats, Pixels, Array, PRNGKey, Numbers], Metrics]
"""`(params, stats, images, labels, key, hyper) -> metrics` of one seed's weights; a pure function."""


class DataShape(NamedTuple):
    """Image shape and classes of the data, as needed by networks and phases.

    Attributes:
        image_shape: `height width`, `height width channels`, or `features` for plain vectors.
        num_classes: Number of classes; 0 if the data have no labels.
        class_names: One name per class.
    """

    image_shape: tuple[int, ...]
    num_classes: int
    class_names: tuple[str, ...] = ()


class SavedCodes(NamedTuple):
    """Description of the latent codes stored with a saved model; see `aae_jax.Model`."""

    prior: PriorConfig | None
    num_classes: int
    decoded_label: int
    class_names: tuple[str, ...] = ()
    heads: bool = False
    mode_decoder: bool = False
    clusters: bool = False


class Keys(NamedTuple):
    """Root PRNG keys of a run by purpose, each with a leading seed axis (ADR 0003)."""

    init: SeedKeys
    train: SeedKeys
    baseline: SeedKeys
    samples: SeedKeys


class RunSetup(NamedTuple):
    """Data, splits and networks of a run; arrays that differ by seed have a leading seed axis.

    Attributes:
        spec: Specification of the model.
        config: Resolved configuration, of the model's configuration class.
        dataset: The data.
        seeds: One per training; in a sweep, the indices of its members.
        networks: Networks of the model.
        prior: Prior of the style code; None if the configuration has none.
        keys: Root PRNG keys.
        data: Training data.
        validation_images: Held-out images, as stored.
        validation_labels: Classes of the held-out images.
        called: Name of one training in messages: a seed, or a member of a sweep.
        members: Setting and seed of each member of a sweep; None outside a sweep.
        frequencies: Class frequencies assumed for the pool; None: equal frequencies.
    """

    spec: "ModelSpec"
    config: Any
    dataset: Dataset
    seeds: tuple[int, ...]
    networks: Networks
    prior: Prior | None
    keys: Keys
    data: TrainData
    validation_images: jax.Array
    validation_labels: jax.Array
    called: str = "Seed"
    members: tuple[tuple[Mapping[str, float], int], ...] | None = None
    frequencies: np.ndarray | None = None

    @property
    def shape(self) -> DataShape:
        """Image shape and classes of the data."""
        return DataShape(self.dataset.image_shape, self.dataset.num_classes, self.dataset.class_names)

    @property
    def validates_labels(self) -> bool:
        """Whether validation images have labels."""
        return bool((np.asarray(self.validation_labels) >= 0).any())

    @property
    def steps_per_epoch(self) -> int:
        """Number of updates in one pass over the pool."""
        return int(self.data.pool.shape[0]) // int(self.config.batch_size)

    @property
    def epochs(self) -> int:
        """Number of planned passes over the pool."""
        assert self.config.epochs is not None
        return int(self.config.epochs)


class Trained(NamedTuple):
    """Weights at the end of a run, each with a leading seed axis.

    Attributes:
        params: Last weights (their moving averages, if these are kept).
        stats: Batch-norm statistics of the last weights.
        best_params: Weights with the best score on the validation images.
        best_stats: Batch-norm statistics of the best weights.
        survivors: Whether each seed's losses stayed finite.
        models: Model of each surviving seed, with its last weights.
    """

    params: Params
    stats: Stats
    best_params: Params
    best_stats: Stats
    survivors: tuple[bool, ...]
    models: tuple["Model", ...]

    def places(self) -> list[int]:
        """Return the index among the seeds of each model."""
        return [index for index, alive in enumerate(self.survivors) if alive]


def no_results(setup: RunSetup, trained: Trained, say: Callable[[str], None]) -> dict[str, Any]:
    """Return no results beyond the metrics common to all models."""
    return {}


def no_lines(summary: Mapping[str, Any]) -> list[str]:
    """Return no lines beyond those common to all models."""
    return []


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """Specification of a model; all configurations are instances of the model's configuration class.

    Attributes:
        name: Name of the model's folder, of its script, and of the folder of its runs.
        description: First paragraph of --help.
        presets: Configuration and one-line description by preset name, including "default".
        validate: Raises `InputError` for an invalid configuration.
        build_codes: `(config, num_classes) -> latent codes`, from which the networks follow.
        build_phases: `(networks, config, *, num_classes, prior) -> phases by name`.
        build_measure: `setup -> metrics function`, called at every validation, and at the end on the test set.
        score: Metric that selects the best weights; lower is better.
        shares: Metrics that are shares of the images: reported as exact fractions, which float32 only approximates.
        show_score: Formats the score, an array over seeds with NaN for failed ones.
        saved_codes: `(config, shape) -> description of the codes of a saved model`.
        draw: `(rows of metrics, model, images, key, summary) -> drawings by file name`; the summary is None during
            training. Imports matplotlib when called.
        results: `(setup, trained, say) -> entries of the summary beyond the metrics`; `say` prints a line before a
            long computation. Temperatures by seed in `["calibration"]["temperature"]` are saved with the models.
        lines: `summary -> lines` printed at the end of a run, before those common to all models.
        find_targets: `(dataset, configurations with seeds, largest shift, reporter) -> target labels of the pool`,
            for all members at once; None if the model does not use them.
        find_neighbours: `(configuration, pool, reporter) -> [pool, k]`, indices into the pool of each image's nearest
            neighbours; None if the model does not use them.
        without_classes: Attributes that change if the data have no labels.
        without_validation_labels: Attributes that change if no validation image has a label, where training images
            have; None for a model that cannot do without.
        unmeasured: Metrics that are not measured on the validation images, for lack of labels.
        modules: Encoder and decoder of a user's own.
    """

    name: str
    description: str
    presets: Mapping[str, tuple[Any, str]]
    validate: Callable[[Any], None]
    build_codes: Callable[[Any, int], Codes]
    build_phases: Callable[..., dict[str, Phase]]
    build_measure: Callable[[RunSetup], MeasureFn]
    score: str
    shares: tuple[str, ...]
    show_score: Callable[[np.ndarray], str]
    saved_codes: Callable[[Any, DataShape], SavedCodes]
    draw: Callable[
        [Sequence[Mapping[str, Any]], "Model", Shown, PRNGKey, Mapping[str, Any] | None],
        Drawings,
    ]
    results: Callable[[RunSetup, Trained, Callable[[str], None]], dict[str, Any]] = no_results
    lines: Callable[[Mapping[str, Any]], list[str]] = no_lines
    find_targets: Callable[[Dataset, Sequence[tuple[Any, int]], int, Reporter], np.ndarray | None] | None = None
    find_neighbours: Callable[[Any, Any, Reporter], np.ndarray | None] | None = None
    without_classes: Mapping[str, Any] = field(default_factory=dict)
    without_validation_labels: Mapping[str, Any] | None = None
    unmeasured: tuple[str, ...] = ()
    modules: Modules = NO_MODULES

    @property
    def config_class(self) -> type[Any]:
        """Configuration class of the model."""
        return type(self.presets["default"][0])

    def build_networks(self, config: Any, image_shape: tuple[int, ...], num_classes: int) -> Networks:
        """Return the networks of a resolved configuration for images of `image_shape`.

        Raises:
            InputError: Configuration, modules and data do not match.
        """
        return build_networks(config.network, image_shape, self.build_codes(config, num_classes), self.modules)
