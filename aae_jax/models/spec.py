"""What a run needs to know of its model: the record by which all experiments share a command, a loop, a folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from aae_jax.config import PriorConfig
from aae_jax.data import Dataset, Reporter
from aae_jax.figures.of_models.drawing import Drawings
from aae_jax.networks import Networks
from aae_jax.train.hyper import Hyper
from aae_jax.train.phases import Phase
from aae_jax.types import Array, Metrics, Params, Pixels, PRNGKey, Schedule, Stats

if TYPE_CHECKING:
    from aae_jax.figures.of_models.drawing import Shown
    from aae_jax.run.console import Console
    from aae_jax.run.run_dir import RunFolder
    from aae_jax.run.setup import Problem
    from aae_jax.run.trainer import Outcome
    from aae_jax.saved.model import Model

__all__ = ["MeasureFn", "ModelSpec", "SavedCodes"]

MeasureFn = Callable[[Params, Stats, Pixels, Array, PRNGKey, Hyper], Metrics]
"""`(params, stats, images, labels, key, traced numbers) -> measures` of one seed's weights; pure."""


class SavedCodes(NamedTuple):
    """What a saved model has to know of its codes: see `aae_jax.Model`."""

    prior: PriorConfig | None
    num_classes: int
    decoded_label: int
    class_names: tuple[str, ...] = ()
    heads: bool = False
    mode_decoder: bool = False
    clusters: bool = False


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """A model as the shell sees it; configurations are of its own class throughout.

    Attributes:
        name: Of its script, and of the folder of its runs.
        description: What --help begins with.
        presets: Configuration and one line of text by name; "default" is among them.
        validate: Refuses a configuration that the model cannot be trained with.
        build_networks: `(config, dataset) -> networks`.
        build_phases: `(networks, config, dataset) -> table of phases`.
        build_hyper: `(config, updates planned) -> traced numbers`.
        build_schedule: `config -> factor on the learning rates`.
        build_measure: `problem ->` what is measured of weights at every validation, and of the last on the test set.
        score: The measure by which the best weights are chosen: the less, the better.
        shares: Measures that are shares of the images: exact fractions, where float32 is only near.
        show_score: Says it of all seeds, those that failed being NaN.
        saved_codes: `(config, dataset) ->` what a saved model has to know.
        draw: `(rows of metrics, model, images, key) -> what draws each figure, by file name`; imports matplotlib when
            called.
        report: What is done with what training ends with: summary, models, figures, words.
        find_targets: `(dataset, configurations with their seeds, largest shift, reporter) -> labels of the pool`,
            where the model learns from any; of all members at once.
        find_neighbours: `(configuration, pool, reporter) -> [pool, k]`, where in the pool the images are that are
            nearest to each; None where the model is shown none.
        without_classes: What is otherwise where the data have no labels, by attribute: the score, and the report.
    """

    name: str
    description: str
    presets: Mapping[str, tuple[Any, str]]
    validate: Callable[[Any], None]
    build_networks: Callable[[Any, Dataset], Networks]
    build_phases: Callable[[Networks, Any, Dataset], dict[str, Phase]]
    build_hyper: Callable[[Any, int], Hyper]
    build_schedule: Callable[[Any], Schedule]
    build_measure: Callable[["Problem"], MeasureFn]
    score: str
    shares: tuple[str, ...]
    show_score: Callable[[np.ndarray], str]
    saved_codes: Callable[[Any, Dataset], SavedCodes]
    draw: Callable[[Sequence[Mapping[str, Any]], "Model", "Shown", PRNGKey], Drawings]
    report: Callable[["Problem", "Outcome", "RunFolder", "Console"], None]
    find_targets: Callable[[Dataset, Sequence[tuple[Any, int]], int, Reporter], np.ndarray | None] | None = None
    find_neighbours: Callable[[Any, np.ndarray, Reporter], np.ndarray | None] | None = None
    without_classes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def config_class(self) -> type[Any]:
        """The class of its configurations."""
        return type(self.presets["default"][0])
