"""Our side of a benchmark: the five-part step as `aae_jax` trains it, and the pieces of its floor."""

import dataclasses
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from layers import layers_of
from serving import serve

import aae_jax
import aae_jax.train.fit
import aae_jax.train.optimizers
from aae_jax import priors
from aae_jax.models.shared.terms import DRAW_PRIOR_Y
from aae_jax.networks.precision import product_options
from aae_jax.train.phases import build_train_step, constant_schedule

LABELLED = 1000
NETWORKS = ("encoder", "decoder", "discriminator_z", "discriminator_y")


class Ours:
    """One training, compiled for a number of updates a call."""

    def setup(
        self,
        *,
        batch: int,
        precision: str = "float32",
        preset: str = "plain",
        width: int = 1000,
        latent_dim: int = 10,
        classes: int = 10,
        seeds: int = 1,
        at_once: bool | None = None,
        pool: int = 10_000,
        updates: int = 50,
        order: str = "sequential",
        shape: Sequence[int] = (28, 28),
        channels: Sequence[int] = (),
    ) -> dict[str, Any]:
        """Draw data and weights, and compile `updates` updates as one program.

        With `channels` the networks are convolutional, with one hidden layer.
        """
        self.updates, self.seeds, self.shape, self.batch = updates, seeds, tuple(shape), batch
        config = aae_jax.resolve(aae_jax.preset(preset), self.shape)
        sizes = {"latent_dim": latent_dim, "discriminator_hidden": (width, width), "precision": precision}
        if channels:
            sizes |= {"kind": "conv", "channels": tuple(channels), "hidden": (width,)}
        else:
            sizes["hidden"] = (width, width)
        network = dataclasses.replace(config.network, **sizes)
        self.config = config = dataclasses.replace(config, network=network, update_order=order)
        self.networks = aae_jax.build_mlp_networks(network, self.shape, classes, conditional=config.conditional)
        self.phases = aae_jax.build_phases(self.networks, config, num_classes=classes)
        self._draw_data(pool, classes)
        self.hyper = aae_jax.traced(config, 10**6)
        self.epoch = aae_jax.over_seeds(
            _updates(self.phases, config, batch=batch, updates=updates, order=order), at_once=at_once
        )
        self.keys = jax.random.split(jax.random.key(1), seeds)
        return self._compile()

    def _draw_data(self, pool: int, classes: int) -> None:
        draw = np.random.default_rng(0)
        images = draw.integers(0, 256, (pool, *self.shape), dtype=np.uint8)
        labelled = draw.integers(0, 256, (self.seeds, LABELLED, *self.shape), dtype=np.uint8)
        labels = draw.integers(0, classes, (self.seeds, LABELLED), dtype=np.int32)
        self.data = jax.tree.map(jnp.asarray, aae_jax.TrainData(images, labelled, labels))

    def _compile(self) -> dict[str, Any]:
        """Draw the weights and compile the updates; return what is known of the program."""
        begun = time.perf_counter()
        averaging = self.config.averaging.decay > 0

        def init(key: Any) -> Any:
            return aae_jax.init_state(self.networks, self.phases, key, averaging=averaging)

        self.state = jax.jit(jax.vmap(init))(self.keys)
        self.compiled, seconds = aae_jax.compile_epoch(self.epoch, self.state, self.data, self.hyper, self.keys)
        cost = self.compiled.cost_analysis() or {}
        self.calls = 0
        params = self.state.params

        def size_of(networks: Any) -> int:
            return sum(leaf.size for leaf in jax.tree.leaves(networks)) // self.seeds

        return {
            "jax": jax.__version__,
            "device": jax.devices()[0].device_kind,
            "compile_seconds": seconds,
            "setup_seconds": time.perf_counter() - begun,
            "parameters": size_of(params),
            "state_bytes": sum(leaf.nbytes for leaf in jax.tree.leaves(self.state)),
            "temporary_bytes": self.compiled.memory_analysis().temp_size_in_bytes,
            "flops": cost.get("flops"),
            "trained_parameters": {
                name: size_of([params[network] for network in phase.trained]) for name, phase in self.phases.items()
            },
        }

    def run(self) -> float:
        """Make the updates of every seed once and return the seconds they took."""
        jax.block_until_ready(self.state)
        begun = time.perf_counter()
        self.state, metrics = self.compiled(self.state, self.data, self.hyper, self.keys, jnp.asarray(self.calls))
        jax.block_until_ready((self.state, metrics))
        self.calls += 1
        return time.perf_counter() - begun

    def peak_bytes(self) -> int:
        """Return the most memory this process has held, in bytes."""
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    def bandwidth(self, *, width: int = 1000, leaves: int = 9, repeats: int = 10) -> float:
        """Return the bytes a second of Adam alone, in place, over as many weights as an update moves.

        Four arrays are read and three written.
        """
        optimizer = aae_jax.train.optimizers.adam()
        weights = [jnp.full((width, width), 0.5) for _ in range(leaves)]
        gradients = [jnp.full((width, width), 0.1 + i) for i in range(leaves)]

        def update(weights: Any, state: Any, gradients: Any) -> Any:
            updates, state = optimizer.update(gradients, state, weights, learning_rate=jnp.asarray(1e-3))
            return optax.apply_updates(weights, updates), state

        step = jax.jit(update, donate_argnums=(0, 1))
        state, best = optimizer.init(weights), float("inf")
        for _ in range(1 + repeats):
            jax.block_until_ready((weights, state))
            begun = time.perf_counter()
            weights, state = jax.block_until_ready(step(weights, state, gradients))
            best = min(best, time.perf_counter() - begun)
        return 7 * 4 * leaves * width**2 / best

    def product(self, *, left: list[int], right: list[int], precision: str, repeats: int) -> float:
        """Return the least seconds of a product `[rows, inner] @ [inner, columns]`, one of several over other arrays.

        Operands lie as the library multiplies best, and results go where earlier ones were: no memory is new.
        """
        several = 8
        keys = jax.random.split(jax.random.key(0), 2 * several)
        lefts = [jax.random.normal(key, left) for key in keys[:several]]
        rights = [jax.random.normal(key, right) for key in keys[several:]]
        dims, options = (((1,), (0,)), ((), ())), product_options(precision)
        if precision == "bfloat16":
            lefts, rights = ([a.astype(jnp.bfloat16) for a in arrays] for arrays in (lefts, rights))

        def one(x: Any, w: Any) -> Any:
            return jax.lax.dot_general(
                x, w, dims, precision=options.get("precision"), preferred_element_type=jnp.float32
            )

        def all_of(results: Any, xs: Any, ws: Any) -> Any:
            del results
            return [one(x, w) for x, w in zip(xs, ws, strict=True)]

        results = [jnp.zeros((left[0], right[1])) for _ in range(several)]
        lowered = jax.jit(all_of, donate_argnums=0, keep_unused=True).lower(results, lefts, rights)
        program, best = aae_jax.train.fit.compile_lowered(lowered), float("inf")
        for _ in range(1 + repeats):
            jax.block_until_ready(results)
            begun = time.perf_counter()
            results = jax.block_until_ready(program(results, lefts, rights))
            best = min(best, time.perf_counter() - begun)
        return best / several

    def prepare_comparison(self, *, path: str, updates: int, optimizer: str) -> None:
        """Train on fixed batches without noise, and write what the rival needs to do the same.

        `optimizer` is adam, or sgd at the rate 0.03 without momentum.
        """
        config = dataclasses.replace(self.config, views=dataclasses.replace(self.config.views, noise_std=0.0))
        if optimizer == "sgd":
            plain = aae_jax.OptimizerConfig(kind="sgd", learning_rate=0.03, momentum=0.0)
            every = dataclasses.replace(
                config.optimizers, reconstruction=plain, discriminator=plain, generator=plain, classification=plain
            )
            config = dataclasses.replace(config, optimizers=every)
        draw = np.random.default_rng(1)
        real_z = draw.normal(size=(updates, self.batch, config.network.latent_dim)).astype(np.float32)
        phases = aae_jax.build_phases(self.networks, config, num_classes=10)
        state = aae_jax.init_state(self.networks, phases, jax.random.key(3))
        key = jax.random.key(7)
        real_y = priors.build_categorical(10)(jax.random.fold_in(key, DRAW_PRIOR_Y), self.batch)
        images = draw.random((updates, self.batch, *self.shape), dtype=np.float32)
        labelled = draw.random((updates, self.batch, *self.shape), dtype=np.float32)
        labels = draw.integers(0, 10, (updates, self.batch))
        arrays = {f"before/{n}/{i}": a for n in NETWORKS for i, a in enumerate(layers_of(n, state.params))}
        for i in range(updates):
            phases = aae_jax.build_phases(
                self.networks, config, num_classes=10, prior=lambda _key, _n, i=i: jnp.asarray(real_z[i])
            )
            step = build_train_step(phases, aae_jax.traced(config, 10**6), constant_schedule)
            batch = aae_jax.Batch(jnp.asarray(images[i]), jnp.asarray(labelled[i]), jnp.asarray(labels[i]))
            state, _ = jax.jit(step)(state, batch, key)
        arrays |= {f"after/{n}/{i}": a for n in NETWORKS for i, a in enumerate(layers_of(n, state.params))}
        seen = {"images": images, "labelled": labelled}
        if self.config.network.kind == "mlp":
            seen = {name: values.reshape(updates, self.batch, -1) for name, values in seen.items()}
        else:  # as the rival wants them: [updates, batch, colours, height, width]
            values_of = {name: v if v.ndim == 5 else v[..., None] for name, v in seen.items()}
            seen = {name: np.moveaxis(values, -1, 2) for name, values in values_of.items()}
        same = np.broadcast_to(np.asarray(real_y), (updates, *real_y.shape))
        np.savez(path, **arrays, **seen, labels=labels, real_z=real_z, real_y=same)

    def classify(self, *, count: int, repeats: int) -> float:
        """Return the least seconds of the classification error of `count` images, by the current weights."""
        draw = np.random.default_rng(2)
        images, labels = draw.integers(0, 256, (count, 28, 28), dtype=np.uint8), draw.integers(0, 10, count)
        weights = jax.tree.map(lambda leaf: leaf[0], aae_jax.evaluation_variables(self.state))

        def error() -> Any:
            return aae_jax.evaluate(self.networks, *weights, images, labels, output=self.config.network.output)

        return _least_seconds(error, repeats)


def _updates(phases: Any, config: Any, *, batch: int, updates: int, order: str) -> Callable[..., Any]:
    """Return the library's epoch, made `updates` updates long by giving it as many rows of the pool as they take."""
    epoch = aae_jax.build_train_epoch(
        phases,
        batch_size=batch,
        labelled_batch_size=batch,
        output=config.network.output,
        schedule=constant_schedule,
        order=order,
    )

    def run(state: Any, data: Any, hyper: Any, key: Any, number: Any) -> Any:
        rows = jnp.arange(updates * batch) % data.pool.shape[0]
        return epoch(state, data._replace(pool=data.pool[rows]), hyper, key, number)

    return run


def _least_seconds(function: Callable[[], Any], repeats: int) -> float:
    best = float("inf")
    jax.block_until_ready(function())
    for _ in range(repeats):
        begun = time.perf_counter()
        jax.block_until_ready(function())
        best = min(best, time.perf_counter() - begun)
    return best


if __name__ == "__main__":
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    ours = Ours()
    names = ("setup", "run", "peak_bytes", "bandwidth", "product", "prepare_comparison", "classify")
    sys.exit(serve({name: getattr(ours, name) for name in names}))
