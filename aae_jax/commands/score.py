"""`aae-jax score`: anomaly scores of images."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aae_jax.commands.evaluate import DataFlags, dataset_of, refuse_other_data, validation_of
from aae_jax.commands.model import ImageFlags, read_model_pictures
from aae_jax.commands.result import load_model, parse, refuse_overwriting, write
from aae_jax.saved.anomaly import AnomalyScorer
from aae_jax.saved.model import Model
from aae_jax.saved.preprocessing import to_stored
from aae_jax.streams import note, write_result
from aae_jax.text import printable

__all__ = ["ordinary_images", "run_score"]

MAX_REFERENCE = 5000


@dataclass(frozen=True, kw_only=True)
class _Score(ImageFlags, DataFlags):
    pass


def run_score(argv: Sequence[str]) -> int:
    """Score how strange images are: one CSV line per image, larger numbers for stranger ones.

    reconstruction: squared error per pixel. prior: minus the log-density of the code under the prior (its distance
    to the nearest sample, for a prior without a density). neighbours: distance of the code to the five nearest codes
    of ordinary images, held-out ones of the training data (--dataset). combined: of errors, also relative to what is
    ordinary for such images, and neighbours, in standard deviations of ordinary images; rank images by it.
    """
    flags = parse(_Score, argv, "score", run_score.__doc__)
    refuse_overwriting(flags.out, flags.model, flags.images, flags.data_dir)
    model = load_model(flags.model)
    pictures = read_model_pictures(model, flags)
    images = np.asarray(to_stored(pictures.images, model.image_shape, model.pixels, model.scaling))
    scores = AnomalyScorer(model, ordinary_images(model, flags, flags.out))(images)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    names = ["reconstruction", *(["prior"] if model.prior is not None else []), "neighbours", "combined"]
    table.writerow(["image", *names])
    for row, name in enumerate(pictures.names):
        table.writerow([printable(name), *(f"{getattr(scores, kind)[row]:.6g}" for kind in names)])
    if flags.out is None:
        write_result(text.getvalue())
    else:
        write(flags.out, text.getvalue().encode())
        note(f"{len(pictures.names)} lines in {flags.out}")
    return 0


def ordinary_images(model: Model, flags: DataFlags, out: str | None = None) -> np.ndarray:
    """Return held-out images of the data that a model was trained on, at most 5,000.

    Raises:
        InputError: There are no such data, they do not suit the model, or the output file `out` is one of them.
    """
    dataset = dataset_of(model, flags, out)
    refuse_other_data(model, dataset)
    chosen = np.random.default_rng(0).permutation(validation_of(dataset, flags.model))[:MAX_REFERENCE]
    return np.asarray(dataset.train_images[chosen])
