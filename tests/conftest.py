"""Types and shapes in the package's signatures are checked at run time, in every test; and what tests share."""

import importlib.metadata
import importlib.util
import os
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import install_import_hook

os.environ["AAE_OFFLINE"] = "1"  # the tests of downloads bring their own server
if importlib.metadata.version("jaxlib").startswith("0.10."):  # the next one stops at a flag that it does not know
    # XLA compiles in a third of the time, for processes that tests start too; `XLA_FLAGS= pytest` does without.
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1")

jax.config.update("jax_numpy_rank_promotion", "raise")  # a missing axis is an error, not a table of all pairs
jax.config.update("jax_num_cpu_devices", 2)  # where an array lies is never left to there being one device only

# What users give is checked there by hand; the tests of it pass values of wrong types on purpose.
EDGE = ("aae_jax.data.splits",)

if importlib.util.find_spec("beartype") is not None:
    import beartype

    NUMBERS = beartype.BeartypeConf(is_pep484_tower=True)  # as for every type checker, an int is a float

    def check(function):
        if function.__module__ in EDGE:
            return function
        return beartype.beartype(function, conf=NUMBERS)

    # A string with the name of this module, which is still being imported; nothing of ours is imported yet.
    install_import_hook(["aae_jax", "reproduce"], f"sys.modules[{__name__!r}].check")

from aae_jax import losses  # noqa: E402
from aae_jax.networks import Networks  # noqa: E402
from aae_jax.train import optimizers  # noqa: E402
from aae_jax.train.epoch import TrainData  # noqa: E402
from aae_jax.train.hyper import traced  # noqa: E402
from aae_jax.train.phases import Phase  # noqa: E402


def pytest_configure(config):
    """Keep compiled programs in pytest's cache folder, for the other worker, later modules and later sessions."""
    jax.config.update("jax_compilation_cache_dir", str(config.cache.mkdir("compiled")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@pytest.fixture(scope="module")
def quick_compile():
    """Compile three times as fast; what is compiled runs slower, which small arrays do not notice."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


NUMPYS = {"kernel": "normal", "scale": "ones", "var": "ones", "bias": "zeros", "mean": "zeros"}


def quick_init(networks):
    """Return the networks with an `init` of the same shapes whose numbers are NumPy's, which compiles nothing."""

    def init(key):
        if isinstance(key, jax.core.Tracer):
            return networks.init(key)
        generator = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel())

        def draw(path, leaf):
            kind = NUMPYS[path[-1].key]
            if kind == "normal":
                values = generator.normal(0.0, (2 / np.prod(leaf.shape[:-1])) ** 0.5, leaf.shape)
            else:
                values = getattr(np, kind)(leaf.shape)
            return jnp.asarray(values.astype(leaf.dtype))

        return jax.tree_util.tree_map_with_path(draw, jax.eval_shape(networks.init, key))

    return networks._replace(init=init)


def jitted_networks(networks):
    """Return the networks with functions that compile as a whole, not an operation at a time; `init` is left."""
    names = [name for name, value in networks._asdict().items() if callable(value) and name != "init"]
    static = {"encode": "train"}
    return networks._replace(
        **{name: jax.jit(getattr(networks, name), static_argnames=static.get(name)) for name in names}
    )


def uniform(seed, *shape):
    """Return images of uniform noise."""
    return jnp.asarray(np.random.default_rng(seed).uniform(size=shape).astype(np.float32))


PIXELS, CODES = 16, 3


def toy_networks():
    """Return matrices for an encoder and a decoder of 4×4 images, and one number as batch statistic."""

    def init(key):
        key_encoder, key_decoder = jax.random.split(key)
        params = {
            "encoder": {"kernel": 0.3 * jax.random.normal(key_encoder, (PIXELS, CODES))},
            "decoder": {"kernel": 0.3 * jax.random.normal(key_decoder, (CODES, PIXELS))},
        }
        return params, {"encoder": {"mean": jnp.zeros(())}}

    def unused(*_):
        raise AssertionError("The toy's losses multiply the matrices themselves.")

    return Networks(init, unused, unused, unused, unused)


def flat(images):
    return images.reshape(images.shape[0], -1)


def rebuild_loss(params, stats, batch, hyper, key):
    """A linear denoising autoencoder."""
    seen = batch.images + hyper.views.noise_std * jax.random.normal(key, batch.images.shape)
    output = flat(seen) @ params["encoder"]["kernel"] @ params["decoder"]["kernel"]
    stats = {"encoder": {"mean": 0.9 * stats["encoder"]["mean"] + 0.1 * jnp.mean(batch.images)}}
    return losses.half_squared_error(output, flat(batch.images)), (stats, {"ids": batch.images[:, 0, 0]})


def pull_loss(params, stats, batch, hyper, key):
    """Codes of labelled images are pulled to their label; its statistics are to be thrown away."""
    del key
    codes = flat(batch.labelled_images) @ params["encoder"]["kernel"]
    value = hyper.weights.generator_z * jnp.mean((codes - batch.labels[:, None]) ** 2)
    metrics = {"images": batch.labelled_images[:, 0, 0], "labels": batch.labels}
    return value, (jax.tree.map(lambda x: x + 1.0, stats), metrics)


def toy_phases(*, rebuild=None, pull=None, every=1):
    return {
        "rebuild": Phase(("encoder", "decoder"), rebuild_loss, rebuild or optimizers.adam(), updates_stats=True),
        "pull": Phase(("encoder",), pull_loss, pull or optimizers.sgd(), every=every),
    }


def random_data(*, pool=50, labelled=7, size=4, classes=3, seed=0):
    """Return noise as images; each has its own number as its first byte, and labelled ones that one's label."""
    generator = np.random.default_rng(seed)
    pool_images = generator.integers(0, 256, (pool, size, size)).astype(np.uint8)
    labelled_images = generator.integers(0, 256, (labelled, size, size)).astype(np.uint8)
    pool_images[:, 0, 0], labelled_images[:, 0, 0] = np.arange(pool), np.arange(labelled)
    labels = np.arange(labelled, dtype=np.int32) % classes
    return TrainData(jnp.asarray(pool_images), jnp.asarray(labelled_images), jnp.asarray(labels))


def toy_hyper(*, rebuild=0.1, pull=0.1, weight=1.0, noise_std=0.0, decay=0.0, num_steps=10.0):
    """Return the traced numbers of the toy phases."""
    numbers = {
        "optimizers": {"rebuild": {"learning_rate": rebuild}, "pull": {"learning_rate": pull}},
        "weights": {"generator_z": weight},
        "views": {"noise_std": noise_std},
        "averaging": {"decay": decay},
    }
    return traced(numbers, num_steps)


def changed(before, after):
    """Return the top-level names of those entries that are not the same bits any more."""

    def same(left, right):
        pairs = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
        return all(np.array_equal(x, y) for x, y in pairs)

    assert before.keys() == after.keys()
    return {name for name in before if not same(before[name], after[name])}


@pytest.fixture
def counted():
    """Return a wrapper of functions, and in `.traces` how often what it wrapped was called."""
    count = SimpleNamespace(traces=0)

    def wrap(function):
        def wrapped(*arguments):
            count.traces += 1
            return function(*arguments)

        return wrapped

    count.wrap = wrap
    return count
