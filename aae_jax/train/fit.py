"""Training loop: compilation of an epoch function, and its iteration."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Key

from aae_jax.train.compile import compiler_options
from aae_jax.train.epoch import EpochFn, TrainData
from aae_jax.train.hyper import Numbers
from aae_jax.train.state import AAEState
from aae_jax.train.stream import LoweredStream, StreamedEpoch, StreamedTraining
from aae_jax.types import Array, Metrics

__all__ = ["compile_epoch", "compile_lowered", "fit", "lower_epoch"]

MAX_COMPILED = 8


def lower_epoch(
    train_epoch: EpochFn | StreamedTraining,
    state: AAEState,
    data: TrainData,
    hyper: Numbers,
    key: Key[Array, "..."],
) -> jax.stages.Lowered | LoweredStream:
    """Trace an epoch for these shapes, with the state donated; of the state, only the shapes are used.

    Compile the result with `compile_lowered`. Donation invalidates a state that is passed in; continue with the
    returned one.
    """
    if isinstance(train_epoch, StreamedTraining):
        return train_epoch.lower(state, data, hyper, key)
    return jax.jit(train_epoch, donate_argnums=0).lower(state, data, hyper, key, jnp.asarray(0))


_compiled: OrderedDict[tuple[Any, ...], EpochFn] = OrderedDict()
_lock = threading.Lock()


def compile_lowered(lowered: jax.stages.Lowered | LoweredStream, kept_as: Hashable | None = None) -> EpochFn:
    """Compile an epoch with the fastest options for this device.

    Args:
        lowered: The traced epoch.
        kept_as: All settings that the program depends on, so that the same one is compiled once in a process: such as
            in fits of an estimator to as many rows. None: it is not kept. The program's text alone is no key: it has
            neither arguments that are not used nor functions of the host.
    """
    if kept_as is None or not isinstance(lowered, jax.stages.Lowered):
        compiled: EpochFn = lowered.compile(compiler_options=compiler_options())
        return compiled
    digest = hashlib.sha256(lowered.as_text().encode()).hexdigest()
    device: Any = getattr(jax.config, "jax_default_device", None)
    key = digest, lowered.in_tree, lowered.out_tree, str(device), jax.default_backend(), kept_as
    with _lock:
        if key in _compiled:
            _compiled.move_to_end(key)
            return _compiled[key]
    compiled = lowered.compile(compiler_options=compiler_options())
    with _lock:
        _compiled[key] = compiled
        while len(_compiled) > MAX_COMPILED:
            _compiled.popitem(last=False)
    return compiled


def compile_epoch(
    train_epoch: EpochFn | StreamedTraining,
    state: AAEState,
    data: TrainData,
    hyper: Numbers,
    key: Key[Array, "..."],
) -> tuple[EpochFn, float]:
    """Compile an epoch for these shapes, with the state donated (see `lower_epoch`); return the seconds it took."""
    start = time.perf_counter()
    compiled = compile_lowered(lower_epoch(train_epoch, state, data, hyper, key))
    return compiled, time.perf_counter() - start


def fit(
    state: AAEState,
    data: TrainData,
    *,
    train_epoch: EpochFn | StreamedTraining,
    hyper: Numbers,
    key: Key[Array, "..."],
    epochs: int,
    first_epoch: int = 0,
    on_epoch: Callable[[int, AAEState, Metrics], bool | None] | None = None,
) -> tuple[AAEState, list[Metrics]]:
    """Run epochs `first_epoch` … `epochs` − 1; return the state and each epoch's mean metrics.

    Args:
        state: Initial state, which is donated if `train_epoch` comes from `compile_epoch`.
        data: Pool and labelled images; a streamed epoch reads the images of the pool chunk by chunk.
        train_epoch: A compiled epoch, or one from `build_train_epoch` or a `StreamedTraining`, which is then compiled
            here; the state is copied first, so that the caller's remains valid.
        hyper: Traced hyperparameters.
        key: Root key of the run (or one per seed), the same in every call of one run.
        epochs: Number of the epoch to stop before.
        first_epoch: Number of the first epoch, above 0 when resuming.
        on_epoch: Called after each epoch with its number, the state and its metrics stacked over updates; a true
            return value ends the run.
    """
    if not isinstance(train_epoch, (jax.stages.Compiled, StreamedEpoch)):
        state = jax.tree.map(jnp.copy, state)
        train_epoch, _ = compile_epoch(train_epoch, state, data, hyper, key)
    history = []
    for epoch in range(first_epoch, epochs):
        state, metrics = train_epoch(state, data, hyper, key, jnp.asarray(epoch))
        history.append({name: jnp.mean(value, axis=-1) for name, value in metrics.items()})
        if on_epoch is not None and on_epoch(epoch, state, metrics):
            break
    return state, history
