"""Matrix products with bfloat16 operands and float32 sums, forwards and backwards."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from aae_jax.config import Precision
from aae_jax.types import Array

__all__ = ["bfloat16_dot_general", "fastest_precision"]

CPU_FLAGS = Path("/proc/cpuinfo")


def fastest_precision() -> Precision:
    """Return the precision of matrix products that this process's device is fast in.

    bfloat16 on an x86 CPU with AVX-512 BF16 or AMX (twice as fast there), float32 on every other device:
    there it is either slower (emulated) or not yet measured.
    """
    if jax.default_backend() != "cpu" or not CPU_FLAGS.exists():
        return "float32"
    flags = CPU_FLAGS.read_text(errors="replace")
    return "bfloat16" if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"


@jax.custom_vjp
def _product(x: Array, w: Array) -> Array:
    return _forward(x, w)[0]


def _matmul(left: Array, right: Array) -> Array:
    return jnp.matmul(left, right, preferred_element_type=jnp.float32)


def _forward(x: Array, w: Array) -> tuple[Array, tuple[Array, Array]]:
    x, w = x.astype(jnp.bfloat16), w.astype(jnp.bfloat16)
    return _matmul(x, w), (x, w)


def _backward(operands: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, w = operands
    gradient = gradient.astype(jnp.bfloat16)
    return _matmul(gradient, w.T), _matmul(x.T, gradient)


_product.defvjp(_forward, _backward)


def bfloat16_dot_general(x: Array, w: Array, dimension_numbers: Any, **_: Any) -> Array:
    """Multiply `[batch, in]` by `[in, out]` as a dense layer does; operands are rounded, sums are float32.

    Gradients are products of the same kind, and float32 again.
    """
    if dimension_numbers != (((1,), (0,)), ((), ())):
        raise ValueError(f"A product of two matrices is expected, not dimension numbers {dimension_numbers}.")
    return _product(x, w)
