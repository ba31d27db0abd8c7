"""Everything a run computes with, made from its configuration and data before the first update."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Key
from numpy.typing import NDArray

from aae_jax.config import SemiSupervisedConfig, resolve, validate
from aae_jax.data import Dataset, Reporter, Splits, TrainingArrays, load_dataset, split_indices, training_arrays
from aae_jax.errors import InputError
from aae_jax.hyper import Hyper
from aae_jax.models.semi_supervised import build_baseline_phases, build_hyper, build_phases, build_schedule
from aae_jax.networks import Networks, build_mlp_networks, fastest_precision, require_precision
from aae_jax.phases import Phase
from aae_jax.state import AAEState, init_state
from aae_jax.training import EpochFn, TrainData, build_train_epoch, over_seeds
from aae_jax.types import PRNGKey

__all__ = [
    "Keys",
    "Problem",
    "Shown",
    "Task",
    "assemble",
    "baseline_task",
    "build_problem",
    "images_of",
    "indices_for_seed",
    "load_data",
    "main_task",
    "propagated_labels",
    "settle",
    "split_for_seed",
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

    In a sweep, members with their numbers stand where a run has its seeds; they are `called` so.
    """

    config: SemiSupervisedConfig
    dataset: Dataset
    seeds: tuple[int, ...]
    networks: Networks
    keys: Keys
    data: TrainData
    validation_images: jax.Array
    validation_labels: jax.Array
    called: str = "Seed"

    @property
    def steps_per_epoch(self) -> int:
        """Updates in a pass over the pool."""
        return int(self.data.pool.shape[0]) // self.config.batch_size

    @property
    def epochs(self) -> int:
        """Passes planned."""
        assert self.config.epochs is not None
        return self.config.epochs


class Shown(NamedTuple):
    """The images that a run's figures show, as they are stored, with their classes."""

    images: np.ndarray
    labels: np.ndarray


def images_of(problem: Problem, *, test: bool) -> Shown:
    """Return the images that figures show: the test set, at the end of a run that may look at it, or validation."""
    if test:
        return Shown(np.asarray(problem.dataset.test_images), np.asarray(problem.dataset.test_labels))
    return Shown(np.asarray(problem.validation_images), np.asarray(problem.validation_labels))


class Task(NamedTuple):
    """One training: its phases, its first state, what an epoch of it is, its numbers, keys and length."""

    phases: dict[str, Phase]
    build_state: Callable[[], AAEState]
    train_epoch: EpochFn
    hyper: Hyper
    keys: SeedKeys
    epochs: int


def load_data(config: SemiSupervisedConfig, reporter: Reporter) -> Dataset:
    """Load the data set that a configuration names."""
    return load_dataset(config.dataset, data_dir=config.data_dir, split_seed=config.split_seed, reporter=reporter)


def indices_for_seed(config: SemiSupervisedConfig, dataset: Dataset, seed: int) -> Splits:
    """Return which images a seed trains and is validated on; this is where bad numbers of labels end."""
    return split_indices(
        dataset.train_labels,
        num_classes=dataset.num_classes,
        num_labels=config.labels,
        label_seed=seed if config.label_seed is None else config.label_seed,
    )


def split_for_seed(config: SemiSupervisedConfig, dataset: Dataset, seed: int) -> TrainingArrays:
    """Return what a seed trains and is validated on."""
    return training_arrays(dataset, indices_for_seed(config, dataset, seed))


def build_problem(config: SemiSupervisedConfig, reporter: Reporter) -> Problem:
    """Return the problem of a configuration, whose open values are settled by the data and the device.

    Raises:
        InputError: Data or values that cannot be trained with.
    """
    dataset = load_data(config, reporter)
    seeds = tuple(range(config.seed, config.seed + config.num_seeds))
    arrays = [split_for_seed(config, dataset, seed) for seed in seeds]
    config = settle(config, dataset, arrays[0].pool)
    labelled = np.stack([a.labelled_images for a in arrays]), np.stack([a.labelled_labels for a in arrays])
    targets = propagated_labels(dataset, [(config, seed) for seed in seeds], config.views.max_shift or 0)
    return assemble(config, dataset, arrays[0], seeds, labelled, targets)


def propagated_labels(
    dataset: Dataset, members: Sequence[tuple[SemiSupervisedConfig, int]], max_shift: int
) -> NDArray[np.float32] | None:
    """Return propagated labels of the pool for each configuration with its seed, `[members, pool, classes]`.

    None where no configuration has a weight for them. Where views are shifted, by `max_shift` at the most, so are
    images to find their neighbours, by `graph_shift` of it.
    """
    if not any(config.weights.propagation > 0 for config, _ in members):
        return None
    from aae_jax.propagation import graph_of, graph_shift, targets_of  # SciPy takes a third of a second

    graph, found, made = None, [], {}
    for config, seed in members:
        splits = indices_for_seed(config, dataset, seed)
        subset = splits.labelled.tobytes()
        if graph is None:  # the pool is the same for all
            graph = graph_of(dataset.train_images[splits.unlabelled], graph_shift(max_shift))
        if subset not in made:
            places = np.searchsorted(splits.unlabelled, splits.labelled)
            made[subset] = targets_of(graph, places, dataset.train_labels[splits.labelled], dataset.num_classes)
        found.append(made[subset])
    return np.stack(found)


def settle(config: SemiSupervisedConfig, dataset: Dataset, pool: np.ndarray) -> SemiSupervisedConfig:
    """Return the configuration with its open values settled by the data and the device.

    Raises:
        InputError: It cannot be trained with these data, or on this device.
    """
    config = resolve(config, dataset.image_shape, pool_size=len(pool), precision=fastest_precision())
    config = dataclasses.replace(config, dataset=dataset.name if config.dataset == "auto" else config.dataset)
    validate(config)
    require_precision(config.network.precision)
    if len(pool) < config.batch_size:
        raise InputError(
            f"batch_size is {config.batch_size}, but the unlabelled pool has {len(pool)} images; give less."
        )
    _check_shift(config.views.max_shift or 0, dataset.image_shape)
    return config


def assemble(
    config: SemiSupervisedConfig,
    dataset: Dataset,
    shared: TrainingArrays,
    seeds: Sequence[int],
    labelled: Sequence[np.ndarray],
    targets: np.ndarray | None = None,
) -> Problem:
    """Return the problem of settled parts.

    Args:
        config: What the networks are built by.
        dataset: Where everything is from.
        shared: Pool and validation images, which all seeds have in common.
        seeds: From which the root keys are drawn; one may come several times.
        labelled: Images, labels, and where they are padded their numbers, each with a leading seed axis.
        targets: What `propagated_labels` returns.
    """
    data = TrainData(jnp.asarray(shared.pool), *(jnp.asarray(array) for array in labelled))
    return Problem(
        config=config,
        dataset=dataset,
        seeds=tuple(seeds),
        networks=build_mlp_networks(config.network, dataset.image_shape, dataset.num_classes),
        keys=_root_keys(seeds),
        data=data if targets is None else data._replace(targets=jnp.asarray(targets)),
        validation_images=jnp.asarray(shared.validation_images),
        validation_labels=jnp.asarray(shared.validation_labels),
    )


def _check_shift(max_shift: int, image_shape: tuple[int, ...]) -> None:
    if max_shift and len(image_shape) == 1:
        raise InputError(f"views.max_shift is {max_shift}, but plain vectors cannot be shifted; give 0.")
    pixels = min(image_shape[:2])
    if max_shift >= pixels:
        raise InputError(f"views.max_shift is {max_shift}, but the images have {pixels} pixels; give less.")


def _root_keys(seeds: Sequence[int]) -> Keys:
    @jax.jit  # one program: each of its operations alone would be one to compile
    def draw(seeds: jax.Array) -> Keys:
        keys = jax.vmap(lambda seed: jax.random.split(jax.random.key(seed), len(Keys._fields)))(seeds)
        return Keys(*(keys[:, i] for i in range(len(Keys._fields))))

    keys: Keys = draw(jnp.asarray(seeds))
    return keys


def main_task(problem: Problem, hypers: Hyper | None = None) -> Task:
    """Return the adversarial autoencoder's training; `hypers`: each seed's own traced numbers, leaves `[seeds]`."""
    phases = build_phases(problem.networks, problem.config, num_classes=problem.dataset.num_classes)
    return _task(problem, phases, problem.keys.train, problem.epochs, hypers)


def baseline_task(problem: Problem) -> Task:
    """Return the supervised baseline's training: the same encoder, its labelled images alone."""
    phases = build_baseline_phases(problem.networks, problem.config)
    epochs = max(1, round(problem.epochs * problem.config.baseline_share))
    return _task(problem, phases, problem.keys.baseline, epochs)


def _task(
    problem: Problem, phases: dict[str, Phase], keys: SeedKeys, epochs: int, hypers: Hyper | None = None
) -> Task:
    config = problem.config
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
        labelled_batch_size=config.labelled_batch_size,
        output=config.network.output,
        schedule=build_schedule(config),
        order=config.update_order,
    )
    hyper = build_hyper(config, epochs * problem.steps_per_epoch) if hypers is None else hypers
    return Task(phases, build_state, over_seeds(epoch, own_hyper=hypers is not None), hyper, keys, epochs)
