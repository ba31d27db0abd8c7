"""Programs that `gpu_ten.py` times: epochs of presets by precision and number of seeds, and the rates of the card."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import aae_jax
from aae_jax.train.fit import lower_epoch

SHAPE, CLASSES, LABELLED = (28, 28), 10, 1000
POOL, TOY_POOL = 50_000, 200
WARM_UP, ROUNDS = 2, 3
"""A program's first call runs kernel by kernel, its second records CUDA graphs."""


class Plan(NamedTuple):
    """One epoch to time.

    Attributes:
        preset: Of the semi-supervised experiment.
        precision: Of matrix products; TF32 is float32 where the device has none (at toy size).
        batch: Pool images an update.
        seeds: Trained at once; 0: one, without a seed axis.
        wide: Hidden layers of 1000 and 1000 in place of the preset's own.
        order: Of the phases of an update.
        options: Of XLA's compiler.
    """

    preset: str
    precision: str
    batch: int = 100
    seeds: int = 0
    wide: bool = True
    order: str = "sequential"
    options: dict[str, str | bool] | None = None


SHIFTS = "shifts tf32, 10 seeds"
"""The program by which the length of the row's training is planned."""
PLANS = {  # by their worth: the first are measured first
    "plain float32": Plan("plain", "float32"),
    "plain tf32": Plan("plain", "tf32"),
    SHIFTS: Plan("few_labels_shifts", "tf32", seeds=10, wide=False),
    "plain bfloat16": Plan("plain", "bfloat16"),
    "shifts bfloat16, 10 seeds": Plan("few_labels_shifts", "bfloat16", seeds=10, wide=False),
    "plain tf32, 8 seeds": Plan("plain", "tf32", seeds=8),
    "plain tf32, 64 seeds": Plan("plain", "tf32", seeds=64),
    "plain tf32, batch 8000": Plan("plain", "tf32", batch=8000),
    "plain float32, simultaneous": Plan("plain", "float32", order="simultaneous"),
    "plain tf32 without graphs": Plan("plain", "tf32", options={"xla_gpu_enable_command_buffer": ""}),
    "plain tf32 deterministic": Plan("plain", "tf32", options={"xla_gpu_deterministic_ops": True}),
    "plain tf32 cuBLAS only": Plan("plain", "tf32", options={"xla_gpu_enable_triton_gemm": False}),
}


class Program(NamedTuple):
    """A compiled epoch, and what it is called with."""

    compiled: Any
    build_state: Callable[[Any], Any]
    data: Any
    hyper: Any
    keys: Any
    updates: int
    seeds: int
    seconds: float

    def measure(self) -> dict[str, Any]:
        """Return the least time of an update, all times, compile time and memory.

        Raises:
            FloatingPointError: A loss or a weight is not finite: what is timed would be wrong.
        """
        state, times = self.build_state(self.keys), []
        for number in range(WARM_UP + ROUNDS):
            begun = time.perf_counter()
            state, metrics = self.compiled(state, self.data, self.hyper, self.keys, jnp.asarray(number))
            jax.block_until_ready((state, metrics))
            times.append(1e6 * (time.perf_counter() - begun) / self.updates)
        if not all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves((state.params, metrics))):
            raise FloatingPointError("a loss or weight is not finite")
        least = min(times[WARM_UP:])
        return {
            "us an update": least,
            "us an update and seed": least / max(1, self.seeds),
            "all": times,
            "compile s": self.seconds,
            "temporary MB": self.compiled.memory_analysis().temp_size_in_bytes / 1e6,
        }

    def weights(self) -> list[np.ndarray]:
        """Return the weights after one epoch from the start."""
        state, _ = self.compiled(self.build_state(self.keys), self.data, self.hyper, self.keys, jnp.asarray(0))
        return [np.asarray(leaf) for leaf in jax.tree.leaves(state.params)]


def configured(plan: Plan, *, pool: int = POOL, toy: bool = False) -> Any:
    """Return a plan's configuration for so many pool images; at toy size narrow layers."""
    config = aae_jax.resolve(aae_jax.preset(plan.preset), SHAPE, pool_size=pool)
    precision = "float32" if plan.precision == "tf32" and jax.default_backend() != "gpu" else plan.precision
    network = dataclasses.replace(config.network, precision=precision)
    if toy:
        network = dataclasses.replace(network, hidden=(16,) * len(network.hidden), discriminator_hidden=(16,))
    elif plan.wide:
        network = dataclasses.replace(network, hidden=(1000, 1000), discriminator_hidden=(1000, 1000))
    return dataclasses.replace(config, network=network, update_order=plan.order)


def random_data(seeds: int, pool: int, *, targets: bool) -> Any:
    """Return random images, with a leading seed axis on what differs by seed, and targets where they are needed."""
    draw, lead = np.random.default_rng(0), (seeds,) if seeds else ()
    spread = draw.dirichlet(np.ones(CLASSES), (*lead, pool)).astype(np.float32) if targets else None
    return aae_jax.TrainData(
        jnp.asarray(draw.integers(0, 256, (pool, *SHAPE), dtype=np.uint8)),
        jnp.asarray(draw.integers(0, 256, (*lead, LABELLED, *SHAPE), dtype=np.uint8)),
        jnp.asarray(draw.integers(0, CLASSES, (*lead, LABELLED), dtype=np.int32)),
        None,
        None if spread is None else jnp.asarray(spread),
    )


class Training(NamedTuple):
    """Functions of a configuration: `init(key) -> state`, and the epoch."""

    init: Callable[[Any], Any]
    epoch: Callable[..., Any]


def build_training(config: Any, batch: int) -> Training:
    """Return the functions of a resolved configuration; an update has as many labelled images as others."""
    networks = aae_jax.build_mlp_networks(config.network, SHAPE, CLASSES, conditional=config.conditional)
    phases = aae_jax.build_phases(networks, config, num_classes=CLASSES)
    averaging = config.averaging.decay > 0
    epoch = aae_jax.build_train_epoch(
        phases,
        batch_size=batch,
        labelled_batch_size=batch,
        output=config.network.output,
        schedule=aae_jax.build_schedule(config),
        order=config.update_order,
    )
    return Training(lambda key: aae_jax.init_state(networks, phases, key, averaging=averaging), epoch)


def build_program(plan: Plan, *, toy: bool = False) -> Program:
    """Lower and compile a plan's epoch."""
    seeds = min(plan.seeds, 2) if toy else plan.seeds
    batch = min(plan.batch, 20) if toy else plan.batch
    pool = TOY_POOL if toy else POOL
    config = configured(plan, pool=pool, toy=toy)
    init, epoch = build_training(config, batch)
    keys = jax.random.split(jax.random.key(1), seeds) if seeds else jax.random.key(1)
    build_state = jax.jit(jax.vmap(init) if seeds else init)
    data = random_data(seeds, pool, targets=config.weights.propagation > 0)
    hyper = aae_jax.traced(config, 10**6)
    many = aae_jax.over_seeds(epoch, at_once=True) if seeds else epoch
    lowered = lower_epoch(many, jax.eval_shape(build_state, keys), data, hyper, keys)
    options = plan.options if jax.default_backend() == "gpu" else None
    begun = time.perf_counter()
    compiled = lowered.compile(compiler_options=options)
    return Program(compiled, build_state, data, hyper, keys, pool // batch, seeds, time.perf_counter() - begun)


def card_rates(*, toy: bool = False) -> Iterator[tuple[str, Callable[[], float]]]:
    """Yield the names and measurements of the bandwidth of a copy and the rates of chained products."""
    count = 2**14 if toy else 2**28
    yield "copy GB/s", lambda: _copy_rate(count)
    sizes = ((64, 64, 64),) if toy else ((100, 1000, 1000), (128, 1024, 1024), (8192, 8192, 8192))
    for size in sizes:
        for name, dtype, precision in (
            ("float32", jnp.float32, "highest"),
            ("tf32", jnp.float32, "default"),
            ("bfloat16", jnp.bfloat16, "default"),
        ):
            rows, inner, columns = size
            yield (
                f"{name} {rows}x{inner}x{columns} TFLOP/s",
                lambda size=size, dtype=dtype, precision=precision: _product_rate(size, dtype, precision),
            )


def _least(run: Callable[[], Any], times: int = 4) -> float:
    jax.block_until_ready(run())
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        jax.block_until_ready(run())
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def _copy_rate(count: int) -> float:
    x = jnp.arange(count, dtype=jnp.float32)
    add = jax.jit(lambda x: x + 1.0)
    return 8 * count / _least(lambda: add(x)) / 1e9


def _product_rate(size: tuple[int, int, int], dtype: Any, precision: str) -> float:
    """Return TFLOP/s of products one after the other in one program, so that launches overlap as in an update."""
    rows, inner, columns = size
    many = 4 if rows >= 8192 else 64
    a = jax.random.normal(jax.random.key(0), (rows, inner), jnp.float32).astype(dtype)
    factors = jax.random.normal(jax.random.key(1), (many, inner, columns), jnp.float32).astype(dtype)

    def products(a: Any, factors: Any) -> Any:
        return jax.lax.map(lambda factor: jnp.matmul(a, factor, precision=precision), factors).sum(0)

    run = jax.jit(products)
    return 2 * rows * inner * columns * many / _least(lambda: run(a, factors)) / 1e12
