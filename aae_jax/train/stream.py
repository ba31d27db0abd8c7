"""Epochs over images that are not on the device: chunks of updates, whose images are read while it computes."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Key
from numpy.typing import NDArray

from aae_jax.augment import OutputKind
from aae_jax.config import UpdateOrder
from aae_jax.data.prefetch import prefetched
from aae_jax.data.stored import StoredImages, trim_heap
from aae_jax.train.epoch import EpochOrder, TrainData, build_update, draw_order, over_seeds
from aae_jax.train.hyper import Numbers
from aae_jax.train.phases import Phase, build_train_step
from aae_jax.train.state import AAEState
from aae_jax.types import Array, Metrics, PRNGKey, Schedule

__all__ = ["CHUNK_BYTES", "LoweredStream", "PartialEpoch", "StreamedEpoch", "StreamedTraining", "updates_per_chunk"]

CHUNK_BYTES = 2**23
"""Size of the images of a chunk, if its number of updates is not given; three chunks are in memory at once."""
SeedKeys = Key[Array, " seeds"]
Place = Callable[[np.ndarray], Array]


def updates_per_chunk(given: int | None, *, pool_size: int, batch_size: int, image_bytes: int, seeds: int) -> int:
    """Return the number of updates in a chunk: the given one, or as many as read 8 MiB; at most an epoch's."""
    chosen = CHUNK_BYTES // (batch_size * image_bytes * seeds) if given is None else given
    return max(1, min(chosen, pool_size // batch_size))


class PartialEpoch(NamedTuple):
    """Updates of an epoch that are done: the position at which a run is saved and resumed within an epoch.

    Attributes:
        updates: Number of the updates.
        metrics: Metrics of each, `[seeds, updates]`.
    """

    updates: int
    metrics: Mapping[str, np.ndarray]


OnChunk = Callable[[int, AAEState, Callable[[], PartialEpoch]], None]
"""`(epoch, state, position) -> None`, called between two chunks: the state is donated to the next one, and
`position()` waits for the device."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamedTraining:
    """Epochs in chunks, before compilation; `lower` and `compile` are called as those of a jitted epoch function.

    The same keys give the same updates as `epoch.build_train_epoch`: an epoch's order is drawn as there, the images
    of a chunk are read in this order, and its program is the same update over them.

    Attributes:
        phases: Phases by name.
        batch_size: Pool images per update.
        labelled_batch_size: Labelled images per update; all of them if there are fewer.
        output: Output non-linearity.
        schedule: Factor on the learning rates.
        order: Whether a phase sees the updates of the phases before it.
        own_hyper: Whether each seed has hyperparameters of its own.
        updates: Number of updates in a chunk.
        place: Puts images `[seeds, updates · batch, *image]` onto the device.
    """

    phases: Mapping[str, Phase]
    batch_size: int
    labelled_batch_size: int
    output: OutputKind
    schedule: Schedule
    order: UpdateOrder = "sequential"
    own_hyper: bool = False
    updates: int
    place: Place = jax.device_put

    def lower(self, state: AAEState, data: TrainData, hyper: Numbers, keys: SeedKeys) -> "LoweredStream":
        """Trace the programs of an epoch for these shapes; of the state, only the shapes are used."""
        assert isinstance(data.pool, StoredImages), "the pool is not on the device"
        trim_heap()  # what the splits of many images took
        order = jax.jit(self._draw_orders(data)).lower(data.num_labelled, keys, jnp.asarray(0))
        seeds, images = len(keys), self.updates * self.batch_size
        pool = jax.ShapeDtypeStruct((seeds, images, *data.pool.shape[1:]), data.pool.dtype)
        drawn = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((seeds, self.updates, *leaf.shape[2:]), leaf.dtype), order.out_info
        )
        epoch = over_seeds(self._train_chunk, own_hyper=self.own_hyper, own_pool=True)
        on_device: Any = data._replace(pool=pool)
        chunk = jax.jit(epoch, donate_argnums=0).lower(state, on_device, hyper, drawn, jnp.asarray(0))
        return LoweredStream(self, order, chunk)

    def _draw_orders(self, data: TrainData) -> Callable[[Array | None, SeedKeys, Array], EpochOrder]:
        num_pool, most = data.pool.shape[0], data.labels.shape[1]

        def draw(num_labelled: Array | None, key: PRNGKey, epoch: Array) -> EpochOrder:
            drawn = draw_order(
                jax.random.fold_in(key, epoch),
                num_pool=num_pool,
                most=most,
                num_labelled=num_labelled,
                batch_size=self.batch_size,
                labelled_batch_size=self.labelled_batch_size,
            )
            return drawn._replace(keys=jax.random.key_data(drawn.keys))

        def draw_all(num_labelled: Array | None, keys: SeedKeys, epoch: Array) -> EpochOrder:
            # In turn, so that the memory for sorting does not grow with the number of seeds.
            drawn: EpochOrder = jax.lax.map(lambda own: draw(own[0], own[1], epoch), (num_labelled, keys))
            return drawn

        return draw_all

    def _train_chunk(
        self, state: AAEState, data: TrainData, hyper: Numbers, chosen: EpochOrder, count: Array
    ) -> tuple[AAEState, Metrics]:
        """Make the first `count` updates of a chunk, an `EpochFn` of one seed; metrics of the others are 0."""
        train_step = build_train_step(self.phases, hyper, self.schedule, order=self.order)
        update = build_update(train_step, data, self.output)
        chosen = chosen._replace(keys=jax.random.wrap_key_data(chosen.keys))

        def advance(i: Array, carried: tuple[AAEState, Metrics]) -> tuple[AAEState, Metrics]:
            state, metrics = carried
            state, measured = update(state, jax.tree.map(lambda leaf: leaf[i], chosen))
            return state, {name: metrics[name].at[i].set(value) for name, value in measured.items()}

        first = jax.tree.map(lambda leaf: leaf[0], chosen)
        shapes = jax.eval_shape(update, state, first)[1]
        empty = {name: jnp.zeros((self.updates, *leaf.shape), leaf.dtype) for name, leaf in shapes.items()}
        trained: tuple[AAEState, Metrics] = jax.lax.fori_loop(0, count, advance, (state, empty))
        return trained


class LoweredStream(NamedTuple):
    """Traced programs of a streamed epoch: that of its order, and that of a chunk."""

    training: StreamedTraining
    order: jax.stages.Lowered
    chunk: jax.stages.Lowered

    @property
    def metrics(self) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes of the metrics of an epoch, `[seeds, updates]`."""
        seeds, steps = self.order.out_info.keys.shape[:2]
        metrics = self.chunk.out_info[1]
        shape_of: Any = jax.ShapeDtypeStruct
        return {name: shape_of((seeds, steps, *leaf.shape[2:]), leaf.dtype) for name, leaf in metrics.items()}

    def compile(self, compiler_options: Any = None) -> "StreamedEpoch":
        """Compile both programs."""
        order, chunk = (part.compile(compiler_options=compiler_options) for part in (self.order, self.chunk))
        return StreamedEpoch(training=self.training, order=order, chunk=chunk)


class _Chunk(NamedTuple):
    """Images, rows and keys of some updates, and their number without padding."""

    pool: Array
    order: EpochOrder
    updates: int


class _HostOrder(NamedTuple):
    """Order of an epoch in the host's memory, `[seeds, updates, …]`; see `EpochOrder`."""

    pool_rows: NDArray[np.int32]
    labelled_rows: NDArray[np.int32]
    keys: NDArray[np.uint32]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamedEpoch:
    """A compiled epoch in chunks, called as an `EpochFn` of many seeds whose `data.pool` is a `StoredImages`.

    A thread reads the images of the next chunk while the device computes the present one.

    Attributes:
        training: Its description.
        order: Program of an epoch's order.
        chunk: Program of a chunk.
        begin: Epoch, and its updates, after which the first call continues; None: at the first update.
        on_chunk: Called after each chunk but an epoch's last; None: nothing.
    """

    training: StreamedTraining
    order: Callable[[Array | None, SeedKeys, Array], EpochOrder]
    chunk: Callable[[AAEState, TrainData, Numbers, EpochOrder, Array], tuple[AAEState, Metrics]]
    begin: tuple[int, PartialEpoch] | None = None
    on_chunk: OnChunk | None = None

    def __call__(
        self, state: AAEState, data: TrainData, hyper: Numbers, keys: SeedKeys, epoch: Array
    ) -> tuple[AAEState, Metrics]:
        """Make one pass over the pool, or the rest of one."""
        assert isinstance(data.pool, StoredImages), "the pool is not on the device"
        drawn = _HostOrder(*(np.asarray(leaf) for leaf in self.order(data.num_labelled, keys, epoch)))
        trim_heap()  # what sorting took
        number, steps = int(epoch), drawn.keys.shape[1]
        measured = _Measured(steps)
        if self.begin is not None and self.begin[0] == number:
            measured.take(self.begin[1].metrics, self.begin[1].updates)
        with closing(prefetched(self._chunks(data.pool, drawn, measured.updates))) as chunks:
            for pool, order, updates in chunks:
                state, metrics = self.chunk(state, data._replace(pool=pool), hyper, order, jnp.asarray(updates))
                measured.take(metrics, updates)
                if self.on_chunk is not None and measured.updates < steps:
                    self.on_chunk(number, state, measured.so_far)
        return state, {name: jnp.asarray(values) for name, values in measured.so_far().metrics.items()}

    def _chunks(self, pool: StoredImages, drawn: _HostOrder, first: int) -> Iterator[_Chunk]:
        """Yield the chunks of the updates from `first` on; the last is padded to the size of the others."""
        updates, batch = self.training.updates, self.training.batch_size
        seeds, steps = drawn.keys.shape[:2]
        rows = np.arange(updates * batch, dtype=np.int32).reshape(updates, batch)
        places = np.broadcast_to(rows, (seeds, updates, batch))
        for start in range(first, steps, updates):
            count = min(updates, steps - start)
            images = np.zeros((seeds, updates * batch, *pool.shape[1:]), pool.dtype)
            for seed in range(seeds):
                images[seed, : count * batch] = pool[drawn.pool_rows[seed, start : start + count].reshape(-1)]
            labelled, keys = (_padded(leaf[:, start : start + count], updates) for leaf in drawn[1:])
            order = EpochOrder(*map(jnp.asarray, (places, labelled, keys)))
            yield _Chunk(self.training.place(images), order, count)


def _padded(rows: NDArray[Any], updates: int) -> NDArray[Any]:
    """Return `[seeds, count, …]` padded with zeros to `[seeds, updates, …]`."""
    return np.pad(rows, [(0, 0), (0, updates - rows.shape[1]), *[(0, 0)] * (rows.ndim - 2)])


class _Measured:
    """Metrics of an epoch's chunks so far; those of the last chunk may still be computed."""

    def __init__(self, steps: int) -> None:
        self.steps, self.updates = steps, 0
        self.metrics: dict[str, np.ndarray] = {}
        self.waiting: tuple[Mapping[str, Any], int] | None = None

    def take(self, metrics: Mapping[str, Any], count: int) -> None:
        """Add the metrics of `count` updates; wait for those before, so that only two chunks are queued."""
        self._collect()
        self.waiting = metrics, count
        self.updates += count

    def _collect(self) -> None:
        if self.waiting is None:
            return
        metrics, count = self.waiting
        first = self.updates - count
        for name, value in metrics.items():
            values = np.asarray(value)[:, :count]
            if name not in self.metrics:
                self.metrics[name] = np.zeros((len(values), self.steps, *values.shape[2:]), values.dtype)
            self.metrics[name][:, first : self.updates] = values
        self.waiting = None

    def so_far(self) -> PartialEpoch:
        """Return the metrics of all updates so far, `[seeds, updates]`."""
        self._collect()
        return PartialEpoch(self.updates, {name: value[:, : self.updates] for name, value in self.metrics.items()})
