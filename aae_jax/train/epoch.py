"""Epochs as compiled programs: `lax.scan` over updates, many seeds at once."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int, Key, UInt8

from aae_jax.augment import OutputKind, scale_pixels
from aae_jax.config import UpdateOrder
from aae_jax.data import TrainingArrays
from aae_jax.text import brief_fields
from aae_jax.train.hyper import Numbers
from aae_jax.train.phases import Phase, StepFn, build_train_step
from aae_jax.train.state import AAEState
from aae_jax.types import Array, Batch, ClassShares, Metrics, PRNGKey, Schedule

__all__ = [
    "EpochFn",
    "EpochOrder",
    "TrainData",
    "build_train_epoch",
    "build_update",
    "draw_order",
    "over_seeds",
    "to_device",
]

NEIGHBOURS = 2**20
"""Number folded into a step's key to draw neighbours; phases fold in small numbers."""


class TrainData(NamedTuple):
    """Training data, on the device; the pool has no labels.

    Attributes:
        pool: `[pool, *image]`, the unlabelled images, as bytes or numbers in [0, 1]. Of a streamed training, a
            `data.stored.StoredImages`, from which the images of a few updates at a time are put onto the device.
        labelled_images: `[labelled, *image]`, of the same type.
        labels: `[labelled]`, classes of the labelled images.
        num_labelled: Number of labelled images, which come first; the others are padding. None: all.
        targets: `[pool, classes]`, propagated labels (`graph.propagated_targets`); None: no targets.
        neighbours: `[pool, k]`, indices into the pool of each image's nearest neighbours
            (`graph.neighbours.neighbours_of`), one of which is drawn at every update; None: no neighbours.
        class_shares: Class frequencies of the pool and of the labelled images; None: all classes are assumed to be
            equally frequent.
    """

    pool: UInt8[Array, "pool *image"] | Float[Array, "pool *image"]
    labelled_images: UInt8[Array, "labelled *image"] | Float[Array, "labelled *image"]
    labels: Int[Array, " labelled"]
    num_labelled: Int[Array, ""] | None = None
    targets: Float[Array, "pool classes"] | None = None
    neighbours: Int[Array, "pool k"] | None = None
    class_shares: ClassShares | None = None

    def __repr__(self) -> str:
        """Return dtypes and shapes instead of values."""
        return brief_fields(self)


def to_device(arrays: TrainingArrays) -> TrainData:
    """Copy the training part of a split to the device."""
    return TrainData(
        jnp.asarray(arrays.pool), jnp.asarray(arrays.labelled_images), jnp.asarray(arrays.labelled_labels)
    )


SeedKeys = Key[Array, " seeds"]
EpochFn = Callable[[AAEState, TrainData, Numbers, PRNGKey, Array], tuple[AAEState, Metrics]]
"""`(state, data, hyper, root key, epoch) -> (state, metrics stacked over the epoch's updates)`."""


class EpochOrder(NamedTuple):
    """Rows and key of the updates of an epoch; the leading axis is that of the updates.

    Attributes:
        pool_rows: int32 `[updates, batch]`, indices into the pool.
        labelled_rows: int32 `[updates, labelled]`, indices into the labelled images.
        keys: `[updates]`.
    """

    pool_rows: Int[Array, "updates batch"]
    labelled_rows: Int[Array, "updates labelled"]
    keys: Key[Array, " updates"]


UpdateFn = Callable[[AAEState, EpochOrder], tuple[AAEState, Metrics]]


def cycled_order(key: PRNGKey, count: int | Array, total: int, *, most: int | None = None) -> Int[Array, " total"]:
    """Return `total` indices into `count` items: consecutive permutations, so that all items are equally frequent.

    A traced `count` requires `most`, an upper bound, which does not affect the order.
    """
    if most is None:
        assert isinstance(count, int), "a traced count needs `most`"
        most = count
    # Every position of a cycle draws a number, and sorting these gives the cycle's permutation. A number depends only
    # on its position; the last cycle is drawn in full before it is truncated.
    positions = jnp.arange(total + most, dtype=jnp.int32)
    numbers = jax.random.bits(key, (total + most,), jnp.uint32)
    cycles = positions // count
    _, _, order = jax.lax.sort((cycles, numbers, positions), num_keys=2)
    return (order - cycles * count)[:total]


def build_train_epoch(
    phases: Mapping[str, Phase],
    *,
    batch_size: int,
    labelled_batch_size: int,
    output: OutputKind,
    schedule: Schedule,
    order: UpdateOrder = "sequential",
) -> EpochFn:
    """Return a pure function that makes one pass over the pool; jit it (or use `compile_epoch`).

    The pool is visited in a new random order, without its last incomplete batch; the labelled images cycle
    independently. The epoch's keys are `fold_in(root, epoch)`, split by name: random draws depend only on the root
    key and the epoch's number.

    Args:
        phases: Phases by name, e.g. from `models.semi_supervised.build_phases`.
        batch_size: Pool images per update, at most the size of the pool.
        labelled_batch_size: Labelled images per update; all of them if there are fewer.
        output: Output non-linearity, which determines the range that pixels are scaled to.
        schedule: Factor on the learning rates.
        order: Whether a phase sees the updates of the phases before it (see `phases.build_train_step`).
    """

    def train_epoch(
        state: AAEState, data: TrainData, hyper: Numbers, key: PRNGKey, epoch: Array
    ) -> tuple[AAEState, Metrics]:
        drawn = draw_order(
            jax.random.fold_in(key, epoch),
            num_pool=data.pool.shape[0],
            most=data.labels.shape[0],
            num_labelled=data.num_labelled,
            batch_size=batch_size,
            labelled_batch_size=labelled_batch_size,
        )
        update = build_update(build_train_step(phases, hyper, schedule, order=order), data, output)
        return jax.lax.scan(update, state, drawn)

    return train_epoch


def draw_order(
    key: PRNGKey,
    *,
    num_pool: int,
    most: int,
    num_labelled: Array | None,
    batch_size: int,
    labelled_batch_size: int,
) -> EpochOrder:
    """Draw the order of an epoch; see `build_train_epoch`.

    Args:
        key: Key of the epoch.
        num_pool: Number of images in the pool.
        most: Number of labelled images, including padding.
        num_labelled: Number of labelled images without padding; None: all.
        batch_size: Pool images per update.
        labelled_batch_size: Labelled images per update, if there are as many.
    """
    key_pool, key_labelled, key_steps = jax.random.split(key, 3)
    steps, labelled = num_pool // batch_size, min(labelled_batch_size, most)
    pool_order = jax.random.permutation(key_pool, jnp.arange(num_pool, dtype=jnp.int32))[: steps * batch_size]
    count = most if num_labelled is None else num_labelled
    labelled_order = cycled_order(key_labelled, count, steps * labelled, most=most)
    return EpochOrder(
        pool_order.reshape(steps, batch_size),
        labelled_order.reshape(steps, labelled),
        jax.random.split(key_steps, steps),
    )


def build_update(train_step: StepFn, data: TrainData, output: OutputKind) -> UpdateFn:
    """Return `(state, rows and key of one update) -> (state, metrics)`, which reads its images from `data`.

    Args:
        train_step: Update of the weights on a batch.
        data: Training data; the pool rows of an update are indices into its pool.
        output: Output non-linearity, which determines the range that pixels are scaled to.
    """

    def update(state: AAEState, chosen: EpochOrder) -> tuple[AAEState, Metrics]:
        pool_rows, labelled_rows, key_step = chosen
        batch = Batch(
            scale_pixels(data.pool[pool_rows], output),
            scale_pixels(data.labelled_images[labelled_rows], output),
            data.labels[labelled_rows],
            None if data.targets is None else data.targets[pool_rows].astype(jnp.float32),
            None if data.neighbours is None else _draw_neighbours(data, pool_rows, key_step, output),
            data.class_shares,
        )
        return train_step(state, batch, key_step)

    return update


def _draw_neighbours(data: TrainData, rows: Int[Array, " batch"], key: PRNGKey, output: OutputKind) -> Array:
    """Return a random neighbour of each of the pool's `rows`, with scaled pixels."""
    assert data.neighbours is not None, "as the caller asked"
    key = jax.random.fold_in(key, NEIGHBOURS)
    column = jax.random.randint(key, rows.shape, 0, data.neighbours.shape[1], jnp.int32)
    return scale_pixels(data.pool[data.neighbours[rows, column]], output)


def over_seeds(
    train_epoch: EpochFn, *, at_once: bool | None = None, own_hyper: bool = False, own_pool: bool = False
) -> EpochFn:
    """Return the epoch of many seeds in one program: states, labelled images and keys get a leading seed axis.

    The pool may be shared. Seeds trained at once must have made the same number of updates, as in one run.

    Args:
        train_epoch: Epoch function of one seed.
        at_once: Whether to update all seeds together, which is faster on a device with spare capacity, or to train
            their epochs one after another, which is bit-identical to training each seed alone. None: together on an
            accelerator, in turn on a CPU, where batched products are slower.
        own_hyper: Whether every leaf of the hyperparameters has the seed axis too, for different settings per seed
            (see `aae_jax.run.sweep.settings`). Otherwise they are shared.
        own_pool: Whether the pool has the seed axis too: the part that each seed visits next. Otherwise it is shared.
    """
    if at_once is None:
        at_once = jax.default_backend() != "cpu"

    def train_epochs(
        state: AAEState, data: TrainData, hyper: Numbers, keys: SeedKeys | EpochOrder, epoch: Array
    ) -> tuple[AAEState, Metrics]:
        def one(seed: tuple[AAEState, TrainData, Numbers | None, Any]) -> tuple[AAEState, Metrics]:
            state, own, numbers, key = seed
            numbers = hyper if numbers is None else numbers
            shared = own._replace(pool=own.pool if own_pool else data.pool, neighbours=data.neighbours)
            return train_epoch(state, shared, numbers, key, epoch)

        own: Any = data._replace(pool=data.pool if own_pool else None, neighbours=None)  # type: ignore[arg-type]
        seeds = state, own, hyper if own_hyper else None, keys
        together = at_once and len(data.labels) > 1
        result: tuple[AAEState, Metrics] = _together(one, seeds) if together else jax.lax.map(one, seeds)
        return result

    return train_epochs


def _together(
    train_epoch: Callable[..., tuple[AAEState, Metrics]], seeds: tuple[AAEState, Any, Numbers | None, Any]
) -> tuple[AAEState, Metrics]:
    """Return `jax.vmap(train_epoch)(seeds)` with one step count for all seeds.

    With a seed axis on the count, `vmap` would turn the condition that skips a phase (`Phase.every`) into a select,
    and the phase would be computed at every update.
    """
    state, *others = seeds
    axes: Any = AAEState(0, 0, 0, 0, 0, None)  # type: ignore[arg-type]
    mapped = jax.vmap(train_epoch, in_axes=((axes, 0, 0, 0),), out_axes=(axes, 0))
    trained, metrics = mapped((state._replace(step=state.step[0]), *others))
    return trained._replace(step=jnp.broadcast_to(trained.step, state.step.shape)), metrics
