"""The judge of a run's generated images, kept in the cache: runs on the same data share it."""

import contextlib
import hashlib
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save

from aae_jax.data.cache import default_cache_dir, user_folder
from aae_jax.data.stored import StoredImages
from aae_jax.errors import InputError
from aae_jax.evaluation import Judge, JudgeTraining, build_judge, judge_network, train_judge
from aae_jax.files import write_whole
from aae_jax.models.shared.splits import indices_for_seed
from aae_jax.models.spec import RunSetup
from aae_jax.saved.format import name_of, named, read_tensors
from aae_jax.text import duration

__all__ = ["judge_of", "progress_lines"]

VERSION = 1
"""Number to raise when a judge is trained otherwise, so that none is read that an earlier version cached."""
SECONDS_BETWEEN_LINES = 15.0
MAX_WEIGHTS = 4_000_000
"""Maximum number of weights of the first layer, as far as its width allows."""


def judge_of(setup: RunSetup, say: Callable[[str], None] = lambda line: None) -> Judge:
    """Return the judge of a run's data, trained on every labelled training image with the run's augmentation.

    A transform of the user's own is left out: what it draws need not be what a class looks like.

    If the test images must not be used, measures are of the validation images, which the judge is then not trained
    on. It depends on the data and these settings, never on the model, and is read from the cache if it is there.

    Args:
        setup: Setup of the run.
        say: Prints a line, now and then during a long training.
    """
    config, dataset = setup.config, setup.dataset
    views, scale = config.views, 0.5 if config.network.output == "tanh" else 1.0  # the judge sees [0, 1], not [−1, 1]
    training = JudgeTraining(
        hidden=(min(1000, max(100, MAX_WEIGHTS // math.prod(dataset.image_shape))), 500),
        updates=config.judge_updates,
        max_shift=views.max_shift,
        noise_std=scale * views.noise_std,
        flip=views.flip,
        border=views.border,
        jitter=(views.brightness, views.contrast, views.saturation) if views.has_jitter else None,
    )
    known = dataset.train_labels >= 0
    if not config.test:
        known[indices_for_seed(config, dataset, setup.seeds[0]).validation] = False
    held_out = "" if config.test else hashlib.sha256(known.tobytes()).hexdigest()
    path = _cached_at(dataset.sha256, training, held_out)
    network = judge_network(dataset.image_shape, dataset.num_classes, training)
    shapes = dict(zip(("params", "stats"), jax.eval_shape(network.init, jax.random.key(0)), strict=True))
    if path is not None:
        with contextlib.suppress(InputError, OSError):  # absent or damaged: it is trained again
            tensors = read_tensors(path, dict(named(shapes)))
            tree = jax.tree_util.tree_map_with_path(lambda place, _: jnp.asarray(tensors[name_of(place)]), shapes)
            return build_judge(network, tree["params"], tree["stats"])
    images, labels = dataset.train_images, dataset.train_labels
    rows = np.flatnonzero(known).astype(np.int32)
    pool = StoredImages(images, rows) if config.stream else images if known.all() else images[known]
    judge = train_judge(
        pool,
        labels[rows],
        dataset.num_classes,
        training,
        jax.random.key(0),
        on_progress=progress_lines(training.updates, say),
    )
    if path is not None:
        tensors = {name: np.asarray(leaf) for name, leaf in named({"params": judge.params, "stats": judge.stats})}
        with contextlib.suppress(OSError):
            write_whole(path, save(tensors))
    return judge


def progress_lines(updates: int, say: Callable[[str], None], *, training: str = "") -> Callable[[int], None]:
    """Return `number of finished updates -> None`, which prints progress and the time left now and then.

    `training`: What is trained, after "updates", or nothing.
    """
    begun = said = time.monotonic()

    def progress(finished: int) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= SECONDS_BETWEEN_LINES and finished < updates:
            said = now
            left = (now - begun) * (updates - finished) / finished
            say(f"  {finished} of {updates} updates{training}, {duration(left)} left")

    return progress


def _cached_at(data: str, training: JudgeTraining, held_out: str) -> Path | None:
    """Return the file of a judge in the cache, or None if the cache is not this user's alone.

    `held_out` identifies the images that it is not trained on.
    """
    described = json.dumps([VERSION, data, training._asdict(), held_out, jax.__version__, jax.default_backend()])
    folder = user_folder(default_cache_dir(), "judges")
    return None if folder is None else folder / f"{hashlib.sha256(described.encode()).hexdigest()[:32]}.safetensors"
