"""What a compiled update is made of, as its time cannot be tested: work, products, no way out of the device."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import pytest

import aae_jax
from aae_jax.networks import fastest_precision
from aae_jax.train.compile import compiler_options, quick_compiler_options
from aae_jax.train.fit import lower_epoch
from aae_jax.train.phases import build_train_step, constant_schedule

BATCH, SHAPE = 100, (28, 28)
# Compiled on a CPU in float32, with the versions in pyproject.toml: GFLOP and megabytes of an update at batch 100.
RECORDED = {"plain": (7.226, 609.7), "marginal": (5.372, 555.1), "default": (7.758, 682.5)}
CLOSE = 0.04
PRODUCTS = 6.9e9
"""FLOP of the plain update's products alone (benchmarks/floor.py): an update cannot have fewer."""


def lowered_step(preset: str, precision: str, order: str = "sequential") -> jax.stages.Lowered:
    config = aae_jax.resolve(aae_jax.preset(preset), SHAPE)
    network = dataclasses.replace(config.network, precision=precision)
    config = dataclasses.replace(config, network=network, update_order=order)
    networks = aae_jax.build_mlp_networks(network, SHAPE, 10, conditional=config.conditional)
    phases = aae_jax.build_phases(networks, config, num_classes=10)
    averaging = config.averaging.decay > 0

    def init(key: jax.Array) -> aae_jax.AAEState:
        return aae_jax.init_state(networks, phases, key, averaging=averaging)

    images = jax.ShapeDtypeStruct((BATCH, *SHAPE), jnp.float32)
    batch = aae_jax.Batch(images, images, jax.ShapeDtypeStruct((BATCH,), jnp.int32))
    hyper = aae_jax.traced(config, 1000)
    step = build_train_step(phases, hyper, aae_jax.build_schedule(config), order=order)
    state = jax.eval_shape(init, jax.random.key(0))
    return jax.jit(step, donate_argnums=0).lower(state, batch, jax.random.key(0))


def compiled_step(preset: str, precision: str, order: str = "sequential") -> jax.stages.Compiled:
    return lowered_step(preset, precision, order).compile(compiler_options=compiler_options())


@pytest.fixture(scope="module")
def plain() -> jax.stages.Compiled:
    return compiled_step("plain", "float32")


@pytest.mark.parametrize(
    "preset", ["plain", *(pytest.param(name, marks=pytest.mark.slow) for name in ("marginal", "default"))]
)
def test_the_work_of_an_update_is_what_was_recorded(preset: str, plain: jax.stages.Compiled) -> None:
    cost = (plain if preset == "plain" else compiled_step(preset, "float32")).cost_analysis()
    flops, megabytes = RECORDED[preset]
    assert cost["flops"] / 1e9 == pytest.approx(flops, rel=CLOSE)
    assert cost["bytes accessed"] / 1e6 == pytest.approx(megabytes, rel=CLOSE)


def test_codes_are_computed_once_for_both_adversaries_and_the_generator(plain: jax.stages.Compiled) -> None:
    """Two further passes through the encoder would be a tenth more."""
    assert PRODUCTS < plain.cost_analysis()["flops"] < 1.06 * PRODUCTS


@pytest.mark.slow
def test_a_simultaneous_update_passes_through_the_encoder_once_less(plain: jax.stages.Compiled) -> None:
    encoder = 2 * BATCH * (784 * 1000 + 1000 * 1000 + 2 * 10 * 1000)
    saved = (
        plain.cost_analysis()["flops"] - compiled_step("plain", "float32", "simultaneous").cost_analysis()["flops"]
    )
    assert saved == pytest.approx(encoder, rel=0.1)


def test_the_state_is_updated_in_place(plain: jax.stages.Compiled) -> None:
    memory = plain.memory_analysis()
    assert memory.alias_size_in_bytes > 0.99 * memory.output_size_in_bytes


def test_nothing_leaves_the_device_within_an_update(plain: jax.stages.Compiled) -> None:
    ways_out = r"callback|outfeed|infeed|\bsend\(|\brecv\("
    assert not re.search(ways_out, plain.as_text())
    assert re.search(ways_out, jax.jit(lambda x: jax.debug.print("{}", x)).lower(1.0).as_text()), "the pattern finds"


def operands_of_products(text: str) -> list[tuple[str, str]]:
    """Return the element types of each large product's operands, by the definitions of what it is made of."""
    kinds, found = {}, []
    for name, kind, size, what in re.findall(r"%([\w.\-]+) = (\w+)\[([\d,]*)\]\S* (.*)", text):
        kinds[name] = kind
        product = re.match(r"dot\(%([\w.\-]+), %([\w.\-]+)\)", what)
        if product and min(int(part) for part in size.split(",")) >= BATCH:
            found.append((kinds[product[1]], kinds[product[2]]))
    return found


@pytest.mark.slow
def test_every_large_product_in_bfloat16_has_bfloat16_operands() -> None:
    """XLA's CPU compiler multiplies in float32 what reaches it as the product of a transposed operand (ADR 0008)."""
    if jax.default_backend() != "cpu" or fastest_precision() != "bfloat16":
        pytest.skip("only some CPUs have bfloat16 products, and only they are asked for them")
    kinds = operands_of_products(compiled_step("plain", "bfloat16").as_text())
    assert len(kinds) >= 25
    assert set(kinds) == {("bf16", "bf16")}


def test_the_check_of_products_sees_float32(plain: jax.stages.Compiled) -> None:
    kinds = operands_of_products(plain.as_text())
    assert len(kinds) >= 25
    assert set(kinds) == {("f32", "f32")}


def copies_of_weights(options: dict[str, str | bool] | None) -> int:
    """Return how many matrices of weights or moments are copied in a program of many updates."""
    wide, deep = 48, 40
    config = aae_jax.resolve(aae_jax.preset("plain"), SHAPE)
    network = dataclasses.replace(config.network, hidden=(wide, deep), discriminator_hidden=(wide, deep))
    networks = aae_jax.build_mlp_networks(network, SHAPE, 10)
    phases = aae_jax.build_phases(networks, config, num_classes=10)
    epoch = aae_jax.build_train_epoch(
        phases, batch_size=20, labelled_batch_size=20, output="sigmoid", schedule=constant_schedule
    )
    state = jax.eval_shape(lambda key: aae_jax.init_state(networks, phases, key), jax.random.key(0))
    data = aae_jax.TrainData(jnp.zeros((60, *SHAPE)), jnp.zeros((20, *SHAPE)), jnp.zeros(20, int))
    lowered = lower_epoch(epoch, state, data, aae_jax.traced(config, 100), jax.random.key(0))
    text = lowered.compile(compiler_options=options).as_text()
    return len(re.findall(rf"f32\[(?:{wide},{deep}|{deep},{wide}|784,{wide}|{deep},784)\]\S* copy\(", text))


@pytest.mark.slow
@pytest.mark.skipif(jax.default_backend() != "cpu", reason="the option is the CPU compiler's")
def test_no_weights_are_copied_within_an_epoch() -> None:
    options = compiler_options()
    assert options is not None
    assert copies_of_weights(options) == 0
    without = {name: value for name, value in options.items() if "copy_insertion" not in name}
    assert copies_of_weights(without) > 0, "the check sees copies"


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="these are options of the CPU")
def test_programs_that_run_rarely_are_never_optimised_more_than_jax_is_told_to() -> None:
    before = jax.config.read("jax_disable_most_optimizations")
    try:
        for disabled, level in ((False, "1"), (True, None)):
            jax.config.update("jax_disable_most_optimizations", disabled)
            options = quick_compiler_options() or {}
            assert options.get("xla_backend_optimization_level") == level
            assert (compiler_options() or {}).items() <= options.items()
    finally:
        jax.config.update("jax_disable_most_optimizations", before)
