"""Programs of every preset for GPUs and TPUs: lowered here, without the device, as `jax.export` does."""

import re

import jax
import jax.numpy as jnp
import pytest

from aae_jax.train.epoch import over_seeds
from tests.unit.models.toy_presets import ALL, SMOKE, build_toy

PLATFORMS = {"float32": ("cuda", "tpu"), "bfloat16": ("cuda", "tpu"), "tf32": ("cuda",)}
"""TF32 is lowered for TPUs too, where it cannot run: `require_precision` refuses it there."""

pytestmark = pytest.mark.slow

SOLVERS = r"cusolver_|cu_lu_|LuDecomposition"


def lowered(name: str, precision: str, *, seeds: int = 1) -> str:
    """Return the text of a preset's epoch, lowered for all platforms that have a precision."""
    toy = build_toy(name, precision)
    state, data, keys, epoch = jax.eval_shape(toy.init, toy.key), toy.data, toy.key, toy.epoch
    if seeds > 1:
        epoch, keys = over_seeds(toy.epoch, at_once=True), jax.random.split(toy.key, seeds)
        state = jax.eval_shape(jax.vmap(toy.init), keys)
        own = jax.tree.map(lambda leaf: jnp.stack([leaf] * seeds), data._replace(pool=None, neighbours=None))
        data = own._replace(pool=data.pool, neighbours=data.neighbours)
    traced = jax.jit(epoch, donate_argnums=0).trace(state, data, toy.hyper, keys, jnp.asarray(0))
    return traced.lower(lowering_platforms=PLATFORMS[precision]).as_text()


def assert_native(text: str) -> None:
    """Refuse calls out of XLA but for its own solvers (a mixture's inverse), and 64-bit floats."""
    calls = set(re.findall(r"stablehlo\.custom_call @(\w+)", text))
    assert not {call for call in calls if not re.match(SOLVERS, call)}
    assert "f64" not in text


@pytest.mark.parametrize("precision", ["bfloat16", "tf32"])
@pytest.mark.parametrize("name", SMOKE)
def test_every_model_lowers_in_every_precision(name: str, precision: str) -> None:
    text = lowered(name, precision)
    assert_native(text)
    assert ("tensor<20x16xbf16>" in text) == (precision == "bfloat16")
    assert ("tf32" in text) == (precision == "tf32")


@pytest.mark.parametrize("name", ALL)
def test_every_preset_lowers(name: str) -> None:
    assert_native(lowered(name, "float32"))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bfloat16", "tf32"])
@pytest.mark.parametrize("name", sorted({*ALL} - {*SMOKE}))
def test_every_preset_lowers_in_every_precision(name: str, precision: str) -> None:
    assert_native(lowered(name, precision))


@pytest.mark.parametrize("name", ["semi_supervised/fducau"])
def test_seeds_at_once_lower(name: str) -> None:
    assert_native(lowered(name, "tf32", seeds=3))
