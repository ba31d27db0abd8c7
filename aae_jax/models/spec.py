"""The record by which the shell knows a model, and the data that a model's functions are given.

Nothing here, and nothing that a model defines, takes a console, a run's folder or its loop.
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
from aae_jax.networks import Networks
from aae_jax.priors.prior import Prior
from aae_jax.train.epoch import TrainData
from aae_jax.train.hyper import Hyper
from aae_jax.train.phases import Phase
from aae_jax.types import Array, Metrics, Params, Pixels, PRNGKey, Schedule, Stats

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
MeasureFn = Callable[[Params, Stats, Pixels, Array, PRNGKey, Hyper], Metrics]
"""`(params, stats, images, labels, key, traced numbers) -> measures` of one seed's weights; pure."""


class DataShape(NamedTuple):
    """What networks and phases need to know of the data.

    Attributes:
        image_shape: `height width`, `height width channels`, or `features` of plain vectors.
        num_classes: 0 where the data have no labels.
        class_names: One for each class.
    """

    image_shape: tuple[int, ...]
    num_classes: int
    class_names: tuple[str, ...] = ()


class SavedCodes(NamedTuple):
    """What a saved model has to know of its codes: see `aae_jax.Model`."""

    prior: PriorConfig | None
    num_classes: int
    decoded_label: int
    class_names: tuple[str, ...] = ()
    heads: bool = False
    mode_decoder: bool = False
    clusters: bool = False


class Keys(NamedTuple):
    """A run's root keys by purpose, each with a leading seed axis (ADR 0003)."""

    init: SeedKeys
    train: SeedKeys
    baseline: SeedKeys
    samples: SeedKeys


class RunSetup(NamedTuple):
    """Data, splits and networks of a run; arrays that differ by seed have a leading seed axis.

    Attributes:
        spec: The model.
        config: The resolved configuration, of the model's class.
        dataset: The data.
        seeds: One for each training; in a sweep, numbers of its members.
        networks: Of the model.
        prior: Of the style code; None where the configuration has none.
        keys: Root keys of random numbers.
        data: What training sees.
        validation_images: Held out, as they are stored.
        validation_labels: Their classes.
        called: What a training is called in messages: a seed, or a sweep's member.
        members: Setting and seed of each member of a sweep; None outside one.
        frequencies: Class frequencies assumed of the pool; None: equal ones.
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
        """Shape and classes of the data."""
        return DataShape(self.dataset.image_shape, self.dataset.num_classes, self.dataset.class_names)

    @property
    def steps_per_epoch(self) -> int:
        """Updates in a pass over the pool."""
        return int(self.data.pool.shape[0]) // int(self.config.batch_size)

    @property
    def epochs(self) -> int:
        """Passes planned."""
        assert self.config.epochs is not None
        return int(self.config.epochs)


class Trained(NamedTuple):
    """Weights that a run ends with, each with a leading seed axis.

    Attributes:
        params: The last weights (their averages, where these are kept).
        stats: Their batch statistics.
        best_params: The weights that did best on the validation images.
        best_stats: Their batch statistics.
        survivors: Whether each seed's losses stayed finite.
        models: The model of each surviving seed, with its last weights.
    """

    params: Params
    stats: Stats
    best_params: Params
    best_stats: Stats
    survivors: tuple[bool, ...]
    models: tuple["Model", ...]

    def places(self) -> list[int]:
        """Return the place among the seeds of each model."""
        return [index for index, alive in enumerate(self.survivors) if alive]


def no_results(setup: RunSetup, trained: Trained, say: Callable[[str], None]) -> dict[str, Any]:
    """Return no results beyond the measures of every model."""
    return {}


def no_lines(summary: Mapping[str, Any]) -> list[str]:
    """Return no lines beyond those of every model."""
    return []


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """A model as the shell sees it; configurations are of its own class throughout.

    Attributes:
        name: Of its folder, its script, and the folder of its runs.
        description: First paragraph of --help.
        presets: Configuration and one line of text by name; "default" is among them.
        validate: Refuses a configuration that the model cannot be trained with.
        build_networks: `(config, image_shape, num_classes) -> networks`.
        build_phases: `(networks, config, *, num_classes, prior) -> table of phases`.
        build_hyper: `(config, updates planned) -> traced numbers`.
        build_schedule: `config -> factor on the learning rates`.
        build_measure: `setup ->` the measures taken at every validation, and of the last weights on the test set.
        score: The measure by which the best weights are chosen: lower is better.
        shares: Measures that are shares of the images: exact fractions, where float32 is only near.
        show_score: Text of the score, an array over seeds of which failed ones are NaN.
        saved_codes: `(config, shape) ->` what a saved model has to know of its codes.
        draw: `(rows of metrics, model, images, key, summary) -> drawings by file name`; the summary is None while
            training goes on. Imports matplotlib when called.
        results: `(setup, trained, say) ->` what the summary has beyond the measures; `say` prints a line before
            something that takes long.
        lines: `summary ->` lines that a run ends with, before those of every model.
        find_targets: `(dataset, configurations with their seeds, largest shift, reporter) -> labels of the pool`,
            where the model learns from any; of all members at once.
        find_neighbours: `(configuration, pool, reporter) -> [pool, k]`, the places in the pool of each image's
            nearest ones; None where the model sees none.
        without_classes: Attributes that differ where the data have no labels.
    """

    name: str
    description: str
    presets: Mapping[str, tuple[Any, str]]
    validate: Callable[[Any], None]
    build_networks: Callable[[Any, tuple[int, ...], int], Networks]
    build_phases: Callable[..., dict[str, Phase]]
    build_hyper: Callable[[Any, int], Hyper]
    build_schedule: Callable[[Any], Schedule]
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
    find_neighbours: Callable[[Any, np.ndarray, Reporter], np.ndarray | None] | None = None
    without_classes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def config_class(self) -> type[Any]:
        """The class of its configurations."""
        return type(self.presets["default"][0])
