"""Everything a run computes with, made from its configuration and data before the first update."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Key

from aae_jax.config import LabelledConfig, RunConfig, default_shift, resolve
from aae_jax.data import Dataset, Reporter, Splits, TrainingArrays, load_dataset, split_indices, training_arrays
from aae_jax.errors import InputError
from aae_jax.figures.of_models.drawing import Shown
from aae_jax.models.shared.class_frequencies import announce_frequencies, assumed_frequencies, class_shares
from aae_jax.models.spec import ModelSpec
from aae_jax.networks import Networks, fastest_precision, require_precision
from aae_jax.train.epoch import EpochFn, TrainData, build_train_epoch, over_seeds
from aae_jax.train.hyper import Hyper
from aae_jax.train.phases import Phase
from aae_jax.train.state import AAEState, init_state
from aae_jax.types import PRNGKey

__all__ = [
    "Keys",
    "Problem",
    "Task",
    "assemble",
    "build_problem",
    "images_of",
    "indices_for_seed",
    "load_data",
    "main_task",
    "settle",
    "split_for_seed",
    "task_of",
]


SeedKeys = Key[jax.Array, " seeds"]


class Keys(NamedTuple):
    """A run's root keys by purpose, each with a leading seed axis (ADR 0003)."""

    init: SeedKeys
    train: SeedKeys
    baseline: SeedKeys
    samples: SeedKeys


class Problem(NamedTuple):
    """Data, splits and networks of a run; arrays that differ by seed have a leading seed axis.

    `config` is of the experiment's own class. In a sweep, members with their numbers stand where a run has its seeds;
    they are `called` so, and `members` has the setting and the seed of each.
    `frequencies` are those of the classes that are assumed of the pool; None: equal ones.
    """

    experiment: ModelSpec
    config: Any
    dataset: Dataset
    seeds: tuple[int, ...]
    networks: Networks
    keys: Keys
    data: TrainData
    validation_images: jax.Array
    validation_labels: jax.Array
    called: str = "Seed"
    members: tuple[tuple[Mapping[str, float], int], ...] | None = None
    frequencies: np.ndarray | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Updates in a pass over the pool."""
        return int(self.data.pool.shape[0]) // int(self.config.batch_size)

    @property
    def epochs(self) -> int:
        """Passes planned."""
        assert self.config.epochs is not None
        return int(self.config.epochs)


def images_of(problem: Problem, *, test: bool) -> Shown:
    """Return the images that figures show: the test set, at the end of a run that may look at it, or validation.

    They come in a random order that is always the same: figures show the first, and data may be stored by class.
    """
    dataset = problem.dataset
    validation = problem.validation_images, problem.validation_labels
    images, labels = (dataset.test_images, dataset.test_labels) if test else validation
    order = np.random.default_rng(0).permutation(len(labels))
    return Shown(np.asarray(images)[order], np.asarray(labels)[order], dataset.class_names, problem.data.pool)


class Task(NamedTuple):
    """One training: its phases, its first state, what an epoch of it is, its numbers, keys and length."""

    phases: dict[str, Phase]
    build_state: Callable[[], AAEState]
    train_epoch: EpochFn
    hyper: Hyper
    keys: SeedKeys
    epochs: int


def load_data(config: RunConfig, reporter: Reporter) -> Dataset:
    """Load the data set that a configuration names."""
    return load_dataset(config.dataset, data_dir=config.data_dir, split_seed=config.split_seed, reporter=reporter)


def indices_for_seed(config: RunConfig, dataset: Dataset, seed: int) -> Splits:
    """Return which images a seed trains and is validated on; this is where bad numbers of labels end.

    A model that learns from no labels has no labelled images.

    Raises:
        InputError: The labels that the model learns from are not there, or not so many.
    """
    own = config if isinstance(config, LabelledConfig) else None
    if own is not None and own.drawn_labels is not None and not dataset.num_classes:
        raise InputError(
            f"{dataset.name} has no labels, and this model learns from labels; give data with labels, or train "
            "unsupervised, autoencoder, likelihood, clustering, or dim_reduction with --num-clusters."
        )
    return split_indices(
        dataset.train_labels,
        num_classes=dataset.num_classes,
        num_labels=None if own is None else own.drawn_labels,
        label_seed=seed if own is None or own.label_seed is None else own.label_seed,
        pool_size=config.pool_size,
        class_names=dataset.class_names,
    )


def split_for_seed(config: RunConfig, dataset: Dataset, seed: int) -> TrainingArrays:
    """Return what a seed trains and is validated on."""
    return training_arrays(dataset, indices_for_seed(config, dataset, seed))


def build_problem(experiment: ModelSpec, config: Any, reporter: Reporter) -> Problem:
    """Return the problem of a configuration, whose open values are settled by the data and the device.

    Raises:
        InputError: Data or values that cannot be trained with.
    """
    dataset = load_data(config, reporter)
    if not dataset.num_classes:
        experiment = dataclasses.replace(experiment, **experiment.without_classes)
    seeds = tuple(range(config.seed, config.seed + config.num_seeds))
    arrays = [split_for_seed(config, dataset, seed) for seed in seeds]
    config = settle(experiment, config, dataset, arrays[0].pool)
    frequencies = assumed_frequencies(config, dataset, arrays[0].validation_labels)
    announce_frequencies(config, dataset, arrays[0].validation_labels, frequencies, reporter)
    labelled = np.stack([a.labelled_images for a in arrays]), np.stack([a.labelled_labels for a in arrays])
    targets = None
    if experiment.find_targets is not None:
        members, shift = [(config, seed) for seed in seeds], config.views.max_shift or 0
        targets = experiment.find_targets(dataset, members, shift, reporter)
    problem = assemble(experiment, config, dataset, arrays[0], seeds, labelled, targets)
    shares = class_shares([frequencies] * len(seeds), labelled[1], None)
    problem = problem._replace(data=problem.data._replace(class_shares=shares), frequencies=frequencies)
    if experiment.find_neighbours is None:
        return problem
    found = experiment.find_neighbours(config, arrays[0].pool, reporter)
    neighbours = None if found is None else jnp.asarray(found)
    return problem._replace(data=problem.data._replace(neighbours=neighbours))


def settle(experiment: ModelSpec, config: Any, dataset: Dataset, pool: np.ndarray) -> Any:
    """Return the configuration with its open values settled by the data and the device.

    Raises:
        InputError: It cannot be trained with these data, or on this device.
    """
    config = resolve(config, dataset.image_shape, pool_size=len(pool), precision=fastest_precision())
    config = dataclasses.replace(config, dataset=dataset.name if config.dataset == "auto" else config.dataset)
    experiment.validate(config)
    require_precision(config.network.precision)
    if len(pool) < config.batch_size:
        raise InputError(
            f"batch_size is {config.batch_size}, but the unlabelled pool has {len(pool)} images; give less."
        )
    _check_shift(config.views.max_shift or 0, dataset.image_shape)
    return config


def assemble(
    experiment: ModelSpec,
    config: Any,
    dataset: Dataset,
    shared: TrainingArrays,
    seeds: Sequence[int],
    labelled: Sequence[np.ndarray],
    targets: np.ndarray | None = None,
) -> Problem:
    """Return the problem of settled parts.

    Args:
        experiment: Of which model the run is.
        config: What the networks are built by.
        dataset: Where everything is from.
        shared: Pool and validation images, which all seeds have in common.
        seeds: From which the root keys are drawn; one may come several times.
        labelled: Images, labels, and where they are padded their numbers, each with a leading seed axis.
        targets: What the experiment's `find_targets` returns.
    """
    own: list[Any] = [jnp.asarray(array) for array in labelled]
    data = TrainData(jnp.asarray(shared.pool), *own)
    return Problem(
        experiment=experiment,
        config=config,
        dataset=dataset,
        seeds=tuple(seeds),
        networks=experiment.build_networks(config, dataset),
        keys=_root_keys(seeds),
        data=data if targets is None else data._replace(targets=jnp.asarray(targets)),
        validation_images=jnp.asarray(shared.validation_images),
        validation_labels=jnp.asarray(shared.validation_labels),
    )


def _check_shift(max_shift: int, image_shape: tuple[int, ...]) -> None:
    if max_shift and len(image_shape) == 1:
        raise InputError(f"views.max_shift is {max_shift}, but plain vectors cannot be shifted; give 0, the default.")
    height, width = (*image_shape, 1)[:2]
    if max_shift >= min(height, width):
        raise InputError(
            f"views.max_shift is {max_shift}, but the images have {height} × {width} pixels; give less than "
            f"{min(height, width)} (the default is {default_shift(image_shape)})."
        )


def _root_keys(seeds: Sequence[int]) -> Keys:
    @jax.jit  # one program: each of its operations alone would be one to compile
    def draw(seeds: jax.Array) -> Keys:
        keys = jax.vmap(lambda seed: jax.random.split(jax.random.key(seed), len(Keys._fields)))(seeds)
        return Keys(*(keys[:, i] for i in range(len(Keys._fields))))

    keys: Keys = draw(jnp.asarray(seeds, jnp.int32))
    return keys


def main_task(problem: Problem, hypers: Hyper | None = None) -> Task:
    """Return the adversarial autoencoder's training; `hypers`: each seed's own traced numbers, leaves `[seeds]`."""
    phases = problem.experiment.build_phases(problem.networks, problem.config, problem.dataset)
    return task_of(problem, phases, problem.keys.train, problem.epochs, hypers)


def task_of(
    problem: Problem, phases: dict[str, Phase], keys: SeedKeys, epochs: int, hypers: Hyper | None = None
) -> Task:
    """Return the training of a table of phases by `epochs` passes, on a problem's data."""
    config, experiment = problem.config, problem.experiment
    averaging = config.averaging.decay > 0

    @jax.jit
    @jax.vmap
    def init(key: PRNGKey) -> AAEState:
        return init_state(problem.networks, phases, key, averaging=averaging)

    def build_state() -> AAEState:
        state: AAEState = init(problem.keys.init)
        return state

    epoch = build_train_epoch(
        phases,
        batch_size=config.batch_size,
        labelled_batch_size=config.labelled_batch_size if isinstance(config, LabelledConfig) else 1,
        output=config.network.output,
        schedule=experiment.build_schedule(config),
        order=config.update_order,
    )
    hyper = experiment.build_hyper(config, epochs * problem.steps_per_epoch) if hypers is None else hypers
    return Task(phases, build_state, over_seeds(epoch, own_hyper=hypers is not None), hyper, keys, epochs)
