"""Padded batches of a model's methods: few programs, the same results, nothing padded within a user's program."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import aae_jax
from aae_jax import InputError, Model, NetworkConfig, PriorConfig
from aae_jax.data.scaling import fit_scaling
from aae_jax.priors.configured import configured_prior
from aae_jax.saved.batching import BATCH_SIZE, batch_length, build_batched, draw_rows, is_traced
from aae_jax.train.compile import compiler_options
from tests.conftest import quick_init

pytestmark = pytest.mark.usefixtures("quick_compile")
SHAPE, CLASSES, LATENT = (6, 5), 4, 3
GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (2500, *SHAPE)).astype(np.uint8)
STYLES = GENERATOR.normal(size=(2500, LATENT)).astype(np.float32)
LABELS = GENERATOR.dirichlet(np.ones(CLASSES), 2500).astype(np.float32)


def build(hidden=(9,), shape=SHAPE, *, classes=CLASSES, network=None, **fields):
    network = network or NetworkConfig(hidden=hidden, latent_dim=LATENT, batch_norm=True)
    kept = {"data": {"name": "made up", "sha256": "0"}, "prior": PriorConfig(), **fields}
    empty = Model(network=network, image_shape=shape, num_classes=classes, params={}, stats={}, **kept)
    params, stats = quick_init(empty.networks).init(jax.random.key(3))
    stats = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf) + np.float32(0.25)), stats)
    return dataclasses.replace(empty, params=params, stats=stats)


METHODS = {
    "encode": lambda model, n: model.encode(IMAGES[:n]),
    "encode_stored": lambda model, n: model.encode_stored(jax.device_put(IMAGES[:n])),
    "predict": lambda model, n: model.predict(IMAGES[:n]),
    "predict_proba": lambda model, n: model.predict_proba(IMAGES[:n]),
    "calibrated": lambda model, n: model.predict_proba(IMAGES[:n], calibrated=True),
    "decode": lambda model, n: model.decode(STYLES[:n], LABELS[:n]),
    "decode float64": lambda model, n: model.decode(
        STYLES[:n].astype(np.float64), list(LABELS[:n].astype(np.float64)) or LABELS[:0]
    ),
    "decode_mode": lambda model, n: model.decode_mode(LABELS[:n]),
    "reconstruct": lambda model, n: model.reconstruct(IMAGES[:n]),
    "reconstruct_stored": lambda model, n: model.reconstruct_stored(IMAGES[:n]),
    "with classes": lambda model, n: model.reconstruct(IMAGES[:n], np.arange(n) % CLASSES),
    "draw_styles": lambda model, n: model.draw_styles(jax.random.key(1), n),
}
FIELDS = {"mode_decoder": True, "temperature": 1.7}


@pytest.fixture
def compiled():
    """Return a list that gets an entry for each program that XLA compiles."""
    is_traced(np.zeros(1))
    compiler_options()
    events = []

    def listen(event, *_, **__):
        if event == "/jax/core/compile/backend_compile_duration":
            events.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield events
    jax.monitoring.unregister_event_duration_listener(listen)


QUICKLY = {"encode", "predict_proba", "decode", "reconstruct", "draw_styles"}


@pytest.mark.parametrize(
    "number",
    [pytest.param(i, marks=() if name in QUICKLY else pytest.mark.slow) for i, name in enumerate(METHODS)],
    ids=METHODS,
)
def test_a_hundred_lengths_compile_eight_programs(number, compiled):
    """Each method of a model of another width, whose programs nobody has compiled yet."""
    model, method = build((20 + number,), **FIELDS), list(METHODS.values())[number]
    compiled.clear()
    jax.block_until_ready(method(model, 1))
    at_once = len(compiled)
    assert at_once >= 1 or method is METHODS["draw_styles"]
    for count in range(1, 101):
        jax.block_until_ready(method(model, count))
    if method is METHODS["draw_styles"]:  # each step of the sampler is a small program
        assert len(compiled) <= 8 * 12
    else:
        assert len(compiled) <= 8
    compiled.clear()
    for count in (77, 3, 100):
        method(model, count)
    assert compiled == []


def test_more_lengths_than_batches_compile_eleven_programs(compiled):
    model = build((41,))
    compiled.clear()
    for count in (*range(1, 1100, 37), 2, 3, 5, 16, 2000, 2001, 2500):
        model.predict(IMAGES[:count])
    assert len(compiled) <= 11


def test_models_of_one_structure_share_their_programs(compiled):
    model = build((42,))
    model.predict(IMAGES[:3])
    other = dataclasses.replace(model, params=jax.tree.map(lambda leaf: leaf * 0.5, model.params))
    compiled.clear()
    assert not np.array_equal(other.predict_proba(IMAGES[:4]), model.predict_proba(IMAGES[:4]))
    assert len(compiled) == 1
    compiled.clear()
    other.predict(IMAGES[:4])
    assert compiled == []


@pytest.mark.parametrize("count", [3, pytest.param(100, marks=pytest.mark.slow), 1001])
@pytest.mark.parametrize(
    "name", ["encode", "predict", "calibrated", "decode", "decode_mode", "reconstruct", "with classes"]
)
def test_padding_changes_rounding_at_most(name, count):
    """Against the same method in a user's own program, which has the very length."""
    model = build(**FIELDS)
    padded, plain = METHODS[name](model, count), jax.jit(lambda: METHODS[name](model, count))()
    if name == "predict":
        np.testing.assert_array_equal(padded, plain)
    else:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6), padded, plain)
    assert jax.tree.structure(padded) == jax.tree.structure(plain)
    assert [leaf.dtype for leaf in jax.tree.leaves(padded)] == [leaf.dtype for leaf in jax.tree.leaves(plain)]


@pytest.mark.parametrize("name", [name for name in METHODS if name != "draw_styles"])
def test_the_first_rows_are_those_of_a_longer_batch_of_that_length(name):
    """Eight rows are the first of a batch of eight, bit for bit, whatever the rest of the batch."""
    model = build(**FIELDS)
    whole, part = METHODS[name](model, 8), METHODS[name](model, 5)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(np.asarray(a)[:5], b), whole, part)


@pytest.mark.parametrize("name", METHODS)
def test_no_rows_give_no_rows(name):
    model = build(**FIELDS)
    empty, one = METHODS[name](model, 0), METHODS[name](model, 1)
    shapes = [leaf.shape[1:] for leaf in jax.tree.leaves(one)]
    assert [leaf.shape for leaf in jax.tree.leaves(empty)] == [(0, *shape) for shape in shapes]


def test_reconstructions_are_the_decoded_codes_bit_for_bit():
    for fields in ({}, {"classes": 0, "decoded_label": CLASSES}, {"heads": True}):
        model = build(**fields)
        given = None if model.num_classes else np.arange(7) % CLASSES
        codes = model.encode(IMAGES[:7])
        expected = model.decode(codes.mean, model.label_codes(codes, given))
        np.testing.assert_array_equal(model.reconstruct(IMAGES[:7], given), expected)


def test_rows_in_the_units_of_the_data_stay_exact():
    rows = GENERATOR.normal(size=(11, 3)) * [1, 1000, 0] + [0, 5000, 2]
    model = build(shape=(3,), pixels="unit", scaling=fit_scaling(rows))
    rebuilt = model.reconstruct(rows)
    assert isinstance(rebuilt, np.ndarray)
    assert (rebuilt.dtype, rebuilt.shape) == (np.float64, rows.shape)
    np.testing.assert_allclose(model.reconstruct(rows[:1]), rebuilt[:1], rtol=1e-5)


def sizes_in(jaxpr):
    """Return the first dimension of everything that a program computes."""
    sizes = set()
    for equation in jaxpr.eqns:
        sizes |= {variable.aval.shape[0] for variable in equation.outvars if variable.aval.shape}
        for inner in jax.tree.leaves(equation.params, is_leaf=lambda x: hasattr(x, "eqns") or hasattr(x, "jaxpr")):
            if hasattr(inner, "jaxpr"):
                sizes |= sizes_in(inner.jaxpr)
            elif hasattr(inner, "eqns"):
                sizes |= sizes_in(inner)
    return sizes


@pytest.mark.parametrize("name", METHODS)
def test_nothing_is_padded_in_a_users_program(name):
    """Neither arrays that JAX traces nor the program's constants."""
    model = build(**FIELDS)
    program = jax.make_jaxpr(lambda: METHODS[name](model, 5))()
    assert 5 in sizes_in(program.jaxpr)
    assert 8 not in sizes_in(program.jaxpr)


def test_weights_may_be_traced():
    model = build()

    def total(params):
        return jnp.sum(dataclasses.replace(model, params=params).decode(STYLES[:3], LABELS[:3]))

    gradient = jax.grad(total)(model.params)
    assert max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(gradient["decoder"])) > 0
    stacked = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), model.params)
    both = jax.vmap(lambda params: dataclasses.replace(model, params=params).predict_proba(IMAGES[:3]))(stacked)
    np.testing.assert_allclose(both[0], model.predict_proba(IMAGES[:3]), rtol=1e-5)


PRIORS = {
    "gaussian": PriorConfig(std=2.5),
    "uniform": PriorConfig(kind="uniform"),
    "swiss_roll": PriorConfig(kind="swiss_roll"),
    "mixture": PriorConfig(kind="mixture"),
    "umbrella": PriorConfig(kind="umbrella"),
}


@pytest.mark.parametrize("count", [1, 5, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", PRIORS)
def test_styles_do_not_depend_on_the_length_that_is_drawn(name, count):
    network = NetworkConfig(hidden=(9,), latent_dim=2)
    model = build(network=network, prior=PRIORS[name])
    key = jax.random.key(7)
    # The random bits are the same; sines and cosines of arrays of other lengths may differ in the last bit.
    expected = configured_prior(PRIORS[name], 2)(key, count)
    np.testing.assert_allclose(model.draw_styles(key, count), expected, rtol=1e-6, atol=1e-7)
    if name in ("swiss_roll", "mixture", "umbrella"):
        assert model.draw_styles(key, count, component=1).shape == (count, 2)


def test_styles_of_a_table_of_samples_do_not_depend_on_the_length_either():
    model = build(prior=PriorConfig(kind="samples"), prior_samples=jnp.asarray(STYLES[:50]))
    key = jax.random.key(1)
    expected = aae_jax.priors.build_empirical(STYLES[:50])(key, 9)
    np.testing.assert_array_equal(model.draw_styles(key, 9), expected)


def test_a_generator_whose_bits_depend_on_the_count_draws_exactly_that_many():
    asked = []

    def sample(key, n):
        asked.append(n)
        return jax.random.normal(key, (n, 2), jnp.float32)

    draw_rows(sample, jax.random.key(0, impl="rbg"), 5)
    draw_rows(sample, jax.random.key(0), 5)
    with jax.threefry_partitionable(False):
        draw_rows(sample, jax.random.key(0), 5)
    assert asked == [5, 8, 5]


@pytest.mark.parametrize(
    ("count", "length"), [(0, 1), (1, 1), (2, 2), (3, 4), (100, 128), (512, 512), (513, 1000), (10**6, BATCH_SIZE)]
)
def test_batch_lengths_are_powers_of_two_up_to_the_largest(count, length):
    assert batch_length(count) == length


def test_many_rows_go_through_in_batches():
    lengths = []

    def double(weights, rows):
        lengths.append(rows.shape[0])
        return weights * rows

    doubled = build_batched(double)(2.0, np.arange(2500, dtype=np.float32))
    np.testing.assert_array_equal(doubled, 2 * np.arange(2500))
    assert lengths == [BATCH_SIZE]  # traced once, called three times


@pytest.mark.skipif(jax.device_count() < 2, reason="needs two devices")
@pytest.mark.parametrize("count", [4, 5])
def test_results_are_where_the_images_or_weights_are(count):
    second, model = jax.devices()[1], build()
    images = jax.device_put(jnp.asarray(IMAGES[:count]), second)
    assert model.predict(images).devices() == {second}
    there = dataclasses.replace(model, **jax.device_put({"params": model.params, "stats": model.stats}, second))
    assert there.predict(IMAGES[:count]).devices() == {second}


def test_styles_and_labels_of_different_lengths_are_refused():
    model = build(heads=True)
    for method in (model.decode, model.represent):
        with pytest.raises(InputError, match=rf"{method.__name__} takes styles \[n, 3\] and labels \[n, 4\], not"):
            method(STYLES[:3], LABELS[:2])
