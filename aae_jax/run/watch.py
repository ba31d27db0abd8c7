"""Monitoring of a run during training: TensorBoard events, and figures at an interval of epochs."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.figures.of_models.drawing import Drawings, Shown, draw_and_save
from aae_jax.files import write_whole
from aae_jax.models.spec import RunSetup
from aae_jax.run.callbacks import EpochEnd, kept_variables
from aae_jax.run.event_log import EventLog
from aae_jax.run.run_dir import RunFolder
from aae_jax.run.setup import images_of
from aae_jax.saved.card import CARD_FILE, model_card
from aae_jax.saved.model import Model
from aae_jax.saved.storage import save_model
from aae_jax.types import Params, Stats

__all__ = ["Watch", "model_of", "save_models", "write_cards"]

HISTOGRAM_IMAGES, TILES = 1000, 10


def model_of(setup: RunSetup, params: Params, stats: Stats, index: int, *, temperature: float | None = None) -> Model:
    """Return the model of seed `index` from weights with a leading seed axis."""
    dataset = setup.dataset
    codes = setup.spec.saved_codes(setup.config, setup.shape)
    prior, samples = codes.prior, None
    if prior is not None and prior.file is not None:  # the model stores the samples, and needs no file
        samples = None if setup.prior is None else setup.prior.samples
        codes = codes._replace(prior=dataclasses.replace(prior, file=None))
    params, stats = jax.tree.map(lambda leaf: leaf[index], (dict(params), dict(stats)))
    return Model(
        network=setup.config.network,
        prior_samples=None if samples is None else jnp.asarray(samples),
        image_shape=dataset.image_shape,
        params=params,
        stats=stats,
        **codes._asdict(),
        experiment=setup.spec.name,
        data={"name": dataset.name, "sha256": dataset.sha256},
        seed=setup.seeds[index],
        pixels="bytes" if dataset.train_images.dtype == np.uint8 else "unit",
        scaling=dataset.scaling,
        temperature=temperature,
        modules=setup.networks.modules,
    )


def save_models(models: Sequence[Model], folder: RunFolder) -> None:
    """Save the models of a run, each of which has a seed."""
    for model, place in _places(models, folder):
        save_model(model, place)


def write_cards(models: Sequence[Model], folder: RunFolder, summary: Mapping[str, Any]) -> None:
    """Write the cards of the saved models of a run, with what its summary says."""
    for model, place in _places(models, folder):
        write_whole(place / CARD_FILE, model_card(model, summary).encode())


def _places(models: Sequence[Model], folder: RunFolder) -> list[tuple[Model, Path]]:
    seeds = [model.seed for model in models if model.seed is not None]
    return [(model, folder.model(seed, seeds[0])) for model, seed in zip(models, seeds, strict=True)]


class Watch:
    """Monitor of a run's evaluations, on validation images and the first seed only."""

    def __init__(
        self, setup: RunSetup, folder: RunFolder, *, first_epoch: int, notice: Callable[[str], None]
    ) -> None:
        """Open the event log if TensorBoard is on; `notice` gets a sentence for a figure that is missing."""
        self.setup, self.folder, self.notice = setup, folder, notice
        self.drawn = first_epoch
        self.events: EventLog | None = None
        if setup.config.tensorboard:
            next_update = first_epoch * setup.steps_per_epoch + 1
            self.events = EventLog(folder.path / "tensorboard", setup.seeds, next_update=next_update)

    def after_epoch(self, epoch: EpochEnd) -> None:
        """Log the row of a validated epoch, and codes and reconstructions of its weights."""
        if epoch.row is None:
            return
        every, done = self.setup.config.figures_every, epoch.number + 1
        due = every is not None and done // every > self.drawn // every
        if self.events is None and not due:
            return
        params, stats = kept_variables(epoch.state)
        if self.events is not None:
            model = model_of(self.setup, params, stats, 0)
            self._log(self.events, epoch.row, model, images_of(self.setup, test=False))
        if due:
            self.drawn = done
            folder = self.folder.figures / f"epoch-{done:05d}"
            draw_and_save(lambda: self._drawings(params, stats), folder, self.notice)

    def _drawings(self, params: Params, stats: Stats) -> Drawings:
        model, shown = model_of(self.setup, params, stats, 0), images_of(self.setup, test=False)
        return self.setup.spec.draw(self.folder.read_metrics(), model, shown, self.setup.keys.samples[0], None)

    def _log(self, events: EventLog, row: Mapping[str, Any], model: Model, shown: Shown) -> None:
        update = int(row["update"])
        codes = model.encode_stored(jnp.asarray(shown.images[:HISTOGRAM_IMAGES]))
        styles = np.asarray(codes.mean)
        histograms = {"style_z": styles}
        if model.prior is not None:
            histograms["prior_of_z"] = np.asarray(model.draw_styles(self.setup.keys.samples[0], len(styles)))
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
        """Write pending events to disk and close the log."""
        if self.events is not None:
            self.events.close()
