"""Small programs of every preset: its phases with narrow networks, on a few random images."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax import init_state
from aae_jax.config import resolve
from aae_jax.data import build_dataset
from aae_jax.models import MODELS, find_model
from aae_jax.train.epoch import TrainData, build_train_epoch
from aae_jax.train.hyper import traced
from aae_jax.train.optimizers import build_schedule

SHAPE, CLASSES, POOL, LABELLED, WIDTH = (8, 8), 10, 40, 20, 16
ALL = [f"{entry.name}/{name}" for entry in MODELS for name in entry.presets]
SMOKE = [f"{entry.name}/smoke" for entry in MODELS]
IMAGES = np.random.default_rng(0).integers(0, 256, (POOL + LABELLED, *SHAPE), dtype=np.uint8)
LABELS = np.arange(POOL + LABELLED) % CLASSES
DATASET = build_dataset(
    name="toy",
    source="random numbers",
    train_images=IMAGES,
    train_labels=LABELS,
    test_images=IMAGES,
    test_labels=LABELS,
    num_classes=CLASSES,
)


class Toy(NamedTuple):
    """What an epoch of two updates is called with."""

    init: Any
    epoch: Any
    data: TrainData
    hyper: Any
    key: jax.Array


def narrow(config: Any, precision: str) -> Any:
    """Return a configuration with one hidden layer of a few units, settled for the toy's images."""
    network = dataclasses.replace(
        config.network,
        precision=precision,
        hidden=(WIDTH,),
        discriminator_hidden=(WIDTH,),
    )
    return dataclasses.replace(resolve(config, SHAPE, pool_size=POOL), network=network)


def build_toy(name: str, precision: str = "float32") -> Toy:
    """Return the program of a preset, by `experiment/preset`."""
    experiment_name, preset = name.split("/")
    experiment = find_model(experiment_name).spec
    config = narrow(find_model(experiment_name).presets[preset][0], precision)
    networks = experiment.build_networks(config, DATASET.image_shape, DATASET.num_classes)
    phases = experiment.build_phases(networks, config, num_classes=DATASET.num_classes)
    averaging = config.averaging.decay > 0
    return Toy(
        lambda key: init_state(networks, phases, key, averaging=averaging),
        build_train_epoch(
            phases,
            batch_size=POOL // 2,
            labelled_batch_size=LABELLED // 2,
            output=config.network.output,
            schedule=build_schedule(config),
            order=config.update_order,
        ),
        build_data(config),
        traced(config, 10),
        jax.random.key(1),
    )


def build_data(config: Any) -> TrainData:
    """Return random images, with propagated labels and neighbours where the configuration asks for them."""
    generator = np.random.default_rng(1)
    targets = neighbours = None
    if getattr(getattr(config, "weights", None), "propagation", 0) > 0:
        classes = getattr(config, "num_clusters", None) or CLASSES
        targets = jnp.asarray(generator.dirichlet(np.ones(classes), POOL).astype(np.float32))
    if getattr(config, "neighbours", 0):
        neighbours = jnp.asarray(generator.integers(0, POOL, (POOL, config.neighbours), dtype=np.int32))
    labels = jnp.asarray(DATASET.train_labels[POOL:])
    return TrainData(jnp.asarray(IMAGES[:POOL]), jnp.asarray(IMAGES[POOL:]), labels, None, targets, neighbours)
