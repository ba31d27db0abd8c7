"""Arithmetic of convolutions: both forms against NumPy and each other, gradients, rounding, the order of pixels."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax.networks import convolve
from aae_jax.networks.convolve import Window, by_device, by_products, fold, unfold
from tests.conftest import uniform

KERNELS = [(3, 1), (3, 2), (4, 1), (4, 2), (5, 2), (1, 1), (1, 2), (2, 3)]
"""Size and stride."""


@pytest.fixture(autouse=True)
def _quick(quick_compile):
    """Compile quickly; nothing here is timed."""


def maps_first(compute):
    """Return a convolution of `[batch, h, w, maps]` by one of `[maps, h, w, batch]`."""
    return lambda x, *others: compute(x.transpose(3, 1, 2, 0), *others).transpose(3, 1, 2, 0)


FORMS = {
    "products": jax.jit(maps_first(by_products), static_argnums=(2, 3)),
    "device": jax.jit(by_device, static_argnums=(2, 3)),
}
"""`(x, kernel, stride, precision) -> made`: one program each, where every operation would otherwise be one."""


def by_hand(x, kernel, stride):
    """Return the convolution with zero padding as TensorFlow and JAX define it, in NumPy and float64."""
    size = kernel.shape[0]
    sides = [-(-side // stride) for side in x.shape[1:3]]
    missing = [max((out - 1) * stride + size - side, 0) for out, side in zip(sides, x.shape[1:3], strict=True)]
    padded = np.pad(x, ((0, 0), *((gap // 2, gap - gap // 2) for gap in missing), (0, 0))).astype(np.float64)
    made = np.zeros((len(x), *sides, kernel.shape[3]))
    for i, j in np.ndindex(*sides):
        seen = padded[:, i * stride : i * stride + size, j * stride : j * stride + size]
        made[:, i, j] = np.tensordot(seen, kernel, axes=3)
    return made


def gradients(compute, x, kernel, stride, precision):
    """Return those of a function of the convolution that is not linear, and whose terms differ."""
    weights = uniform(2, *jax.eval_shape(lambda: compute(x, kernel, stride, precision)).shape)

    def loss(x, kernel):
        return jnp.sum(weights * jnp.sin(compute(x, kernel, stride, precision)))

    return jax.jit(jax.grad(loss, argnums=(0, 1)))(x, kernel)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("maps", [(3, 4), (4, 3)])
@pytest.mark.parametrize(("size", "stride"), KERNELS)
def test_a_convolution_is_what_it_is_by_hand(form, maps, size, stride):
    x, kernel = np.asarray(uniform(0, 2, 9, 6, maps[0])), np.asarray(uniform(1, size, size, *maps))
    made = FORMS[form](jnp.asarray(x), jnp.asarray(kernel), stride, "float32")
    np.testing.assert_allclose(made, by_hand(x, kernel, stride), rtol=1e-5)


@pytest.mark.parametrize("precision", ["float32", pytest.param("bfloat16", marks=pytest.mark.slow)])
@pytest.mark.parametrize("maps", [(3, 4), pytest.param((4, 3), marks=pytest.mark.slow)])
@pytest.mark.parametrize(("size", "stride"), KERNELS)
@pytest.mark.parametrize("sides", [(7, 6), (1, 3)])
def test_gradients_are_those_of_xlas_own_convolution(sides, size, stride, maps, precision):
    x, kernel = uniform(0, 2, *sides, maps[0]), uniform(1, size, size, *maps) - 0.5
    ours = gradients(FORMS["products"], x, kernel, stride, precision)
    theirs = gradients(FORMS["device"], x, kernel, stride, precision)
    atol = 1e-5 if precision == "float32" else 0.02 * max(float(jnp.max(jnp.abs(g))) for g in theirs)
    chex.assert_trees_all_close(ours, theirs, rtol=1e-4, atol=atol)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("maps", [(3, 4), (4, 3)])
def test_bfloat16_rounds_operands_and_returns_float32(form, maps):
    x, kernel = uniform(0, 2, 8, 8, maps[0]), uniform(1, 3, 3, *maps)
    for stride in (1, 2):
        made = FORMS[form](x, kernel, stride, "bfloat16")
        assert made.dtype == jnp.float32
        exact = FORMS[form](x, kernel, stride, "float32")
        assert 0 < float(jnp.max(jnp.abs(made / exact - 1))) < 0.02


def test_sums_of_bfloat16_operands_are_float32():
    """Rounded operands multiplied in float32 give the same to float32's rounding, which rounded sums would not."""
    x, kernel = uniform(0, 2, 8, 8, 3), uniform(1, 3, 3, 3, 4)
    rounded = [operand.astype(jnp.bfloat16).astype(jnp.float32) for operand in (x, kernel)]
    for stride in (1, 2):
        made = FORMS["products"](x, kernel, stride, "bfloat16")
        np.testing.assert_allclose(made, FORMS["products"](*rounded, stride, "float32"), rtol=1e-6)


def test_bits_are_rounded_as_a_conversion_rounds():
    numbers = [0.0, -0.0, 1.0, 1.00390625, 1.01171875, -3.14159, 1e-40, 3.4e38, np.inf, -np.inf]
    x = jnp.concatenate([jnp.asarray(numbers, jnp.float32), jax.random.normal(jax.random.key(0), (999,))])
    bits = jax.lax.bitcast_convert_type(x.astype(jnp.bfloat16), jnp.uint16)
    np.testing.assert_array_equal(jax.jit(convolve._rounded_bits)(x), bits)
    rounded = jax.lax.bitcast_convert_type(convolve._rounded_bits(jnp.asarray([np.nan, -np.nan])), jnp.bfloat16)
    assert bool(jnp.all(jnp.isnan(rounded)))


@pytest.mark.parametrize(("size", "stride"), KERNELS)
@pytest.mark.parametrize("before", [(0, 0), (1, 0), (1, 1)])
def test_folding_is_the_transpose_of_unfolding(size, stride, before):
    if max(before) >= size:
        pytest.skip("a kernel that sees nothing but zeros")
    window = Window((7, 4), size, stride, before)
    x = uniform(0, 3, 7, 4, 2)
    columns = uniform(1, *jax.eval_shape(lambda: unfold(x, window)).shape)

    @jax.jit
    def both(columns):
        return fold(columns, window, 2), jax.linear_transpose(lambda x: unfold(x, window), x)(columns)[0]

    np.testing.assert_allclose(*both(columns), rtol=1e-5)


def test_pixels_of_blocks_and_biases_have_the_order_of_the_device_and_jaxs_gradients(monkeypatch):
    x, bias = uniform(0, 2, 3, 4, 8), uniform(1, 8)
    weights = uniform(2, 2, 6, 8, 2)

    def loss(x, bias):
        made = convolve.depth_to_space(convolve.add_bias(convolve.maps_of(x), bias))
        return jnp.sum(weights * jnp.sin(convolve.images_of(convolve.crop(made, (6, 8))))), made

    found = {}
    for axis in (0, 3):
        monkeypatch.setattr(convolve, "maps_axis", lambda axis=axis: axis)
        (value, made), slopes = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))(x, bias)
        found[axis] = value, convolve.features_of(made), slopes
    assert float(jnp.std(found[0][2][1])) > 0
    chex.assert_trees_all_close(found[0], found[3], rtol=1e-4)
