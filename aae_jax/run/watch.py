"""What is shown of a run while it trains: TensorBoard events, and figures every so many epochs."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.figures.of_models.drawing import Drawings, Shown, draw_and_save
from aae_jax.priors.custom import own_samples
from aae_jax.run.event_log import EventLog
from aae_jax.run.run_dir import RunFolder
from aae_jax.run.setup import Problem, images_of
from aae_jax.saved.model import Model, save_model
from aae_jax.train.state import evaluation_variables, used_networks
from aae_jax.types import Params, Stats

if TYPE_CHECKING:
    from aae_jax.run.trainer import Outcome

__all__ = ["Watch", "model_of", "save_models"]

HISTOGRAM_IMAGES, TILES = 1000, 10


def model_of(
    problem: Problem, params: Params, stats: Stats, index: int, *, temperature: float | None = None
) -> Model:
    """Return the model of one seed out of weights with a leading seed axis."""
    dataset = problem.dataset
    codes = problem.experiment.saved_codes(problem.config, dataset)
    prior, samples = codes.prior, None
    if prior is not None and prior.kind == "samples":  # which the model has itself, and needs no file
        samples = own_samples(prior, problem.config.network.latent_dim)
        codes = codes._replace(prior=dataclasses.replace(prior, file=None))
    params, stats = jax.tree.map(lambda leaf: leaf[index], (dict(params), dict(stats)))
    return Model(
        network=problem.config.network,
        prior_samples=None if samples is None else jnp.asarray(samples),
        image_shape=dataset.image_shape,
        params=params,
        stats=stats,
        **codes._asdict(),
        experiment=problem.experiment.name,
        data={"name": dataset.name, "sha256": dataset.sha256},
        seed=problem.seeds[index],
        pixels="bytes" if dataset.train_images.dtype == np.uint8 else "unit",
        scaling=dataset.scaling,
        temperature=temperature,
    )


def save_models(
    problem: Problem, outcome: "Outcome", folder: RunFolder, temperatures: Sequence[float | None] | None = None
) -> list[Model]:
    """Save the model of every seed that did not fail, with its last weights, and return them."""
    params, stats = evaluation_variables(outcome.state)
    kept = used_networks(params)
    survivors = [(i, seed) for i, seed in enumerate(problem.seeds) if seed not in outcome.failed]
    models = []
    for index, seed in survivors:
        model = model_of(
            problem, kept, stats, index, temperature=None if temperatures is None else temperatures[index]
        )
        save_model(model, folder.model(seed, survivors[0][1]))
        models.append(model)
    return models


class Watch:
    """Follows a run's evaluations; shows validation images alone, of the first seed."""

    def __init__(
        self, problem: Problem, folder: RunFolder, *, first_epoch: int, notice: Callable[[str], None]
    ) -> None:
        """Open the log of events, if there shall be one; `notice` gets a sentence for a figure that is missing."""
        self.problem, self.folder, self.notice = problem, folder, notice
        self.drawn = first_epoch
        self.events: EventLog | None = None
        if problem.config.tensorboard:
            next_update = first_epoch * problem.steps_per_epoch + 1
            self.events = EventLog(folder.path / "tensorboard", problem.seeds, next_update=next_update)

    def evaluated(self, epoch: int, row: Mapping[str, Any], params: Params, stats: Stats) -> None:
        """Show the row of metrics of an epoch, and what weights with a leading seed axis make of images."""
        every = self.problem.config.figures_every
        due = every is not None and (epoch + 1) // every > self.drawn // every
        if self.events is None and not due:
            return
        if self.events is not None:
            self._log(self.events, row, model_of(self.problem, params, stats, 0), images_of(self.problem, test=False))
        if due:
            self.drawn = epoch + 1
            folder = self.folder.figures / f"epoch-{epoch + 1:05d}"
            draw_and_save(lambda: self._drawings(params, stats), folder, self.notice)

    def _drawings(self, params: Params, stats: Stats) -> Drawings:
        model, shown = model_of(self.problem, params, stats, 0), images_of(self.problem, test=False)
        return self.problem.experiment.draw(self.folder.read_metrics(), model, shown, self.problem.keys.samples[0])

    def _log(self, events: EventLog, row: Mapping[str, Any], model: Model, shown: Shown) -> None:
        update = int(row["update"])
        codes = model.encode_stored(jnp.asarray(shown.images[:HISTOGRAM_IMAGES]))
        styles = np.asarray(codes.mean)
        histograms = {"style_z": styles}
        if model.prior is not None:
            histograms["prior_of_z"] = np.asarray(model.draw_styles(self.problem.keys.samples[0], len(styles)))
        if model.num_classes:
            histograms["largest_y"] = np.asarray(jax.nn.softmax(codes.logits)).max(axis=1)
        events.scalars(row)
        events.histograms(update, histograms)
        if len(model.image_shape) > 1 and model.image_shape[2:] in ((), (3,)):
            images = shown.images[:TILES]
            unit = images / 255.0 if images.dtype == np.uint8 else images
            given = shown.labels[:TILES] if model.decoded_label != model.num_classes else None
            events.reconstructions(update, unit, np.asarray(model.reconstruct_stored(images, given)))

    def close(self) -> None:
        """Bring the events to the disk."""
        if self.events is not None:
            self.events.close()
