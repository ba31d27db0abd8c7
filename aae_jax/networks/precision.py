"""Precision of matrix products: float32, or operands rounded to bfloat16 or TF32 with float32 sums."""

import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from aae_jax.config import Precision
from aae_jax.errors import InputError
from aae_jax.types import Array

__all__ = [
    "bfloat16_dot_general",
    "fastest_precision",
    "has_tf32",
    "product_options",
    "require_precision",
    "transposed",
]

CPU_FLAGS = Path("/proc/cpuinfo")
TF32_CAPABILITY = (8, 0)


def fastest_precision() -> Precision:
    """Return the fastest precision of matrix products on this process's device.

    TF32 on NVIDIA GPUs that support it; bfloat16 on TPUs, where one float32 product takes six bfloat16 products, and
    on x86 CPUs with AVX-512 BF16 or AMX (twice as fast there); float32 on other devices, which may emulate the
    others.
    """
    if has_tf32():
        return "tf32"
    if jax.default_backend() == "tpu":
        return "bfloat16"
    if jax.default_backend() != "cpu" or not CPU_FLAGS.exists():
        return "float32"
    flags = CPU_FLAGS.read_text(errors="replace")
    return "bfloat16" if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"


def has_tf32() -> bool:
    """Return whether all devices support TF32: NVIDIA GPUs of compute capability 8.0 (Ampere) or higher."""
    return jax.default_backend() == "gpu" and all(_capability(device) >= TF32_CAPABILITY for device in jax.devices())


def _capability(device: Any) -> tuple[int, ...]:
    """Return the compute capability of an NVIDIA GPU, such as (9, 0); () for any other device.

    AMD GPUs, also of the backend "gpu", have none, or the name of their architecture instead.
    """
    numbers = re.fullmatch(r"(\d+)\.(\d+)", str(getattr(device, "compute_capability", "")))
    return tuple(int(number) for number in numbers.groups()) if numbers else ()


def require_precision(precision: str) -> None:
    """Check that this process's device supports a precision.

    Raises:
        InputError: TF32 without an NVIDIA GPU of compute capability 8.0 or higher.
    """
    device = jax.devices()[0]
    if precision == "tf32" and not has_tf32():
        capability = ".".join(map(str, _capability(device)))
        raise InputError(
            "network.precision is tf32, which needs an NVIDIA GPU of compute capability 8.0 or more, but the device "
            f"is {device.device_kind} ({device.platform}{f', {capability}' if capability else ''}); "
            "give float32 or bfloat16."
        )


def product_options(precision: str) -> dict[str, Any]:
    """Return the arguments of a dense layer that set the precision of its products, including gradients.

    `"float32"` requests full precision, because GPUs otherwise round operands to TF32; CPUs never do.
    """
    if precision == "bfloat16":
        return {"dot_general": bfloat16_dot_general}
    if precision == "tf32":
        return {"precision": jax.lax.DotAlgorithmPreset.TF32_TF32_F32}
    return {"precision": jax.lax.Precision.HIGHEST}


@jax.custom_vjp
def _product(x: Array, w: Array) -> Array:
    return _forward(x, w)[0]


def _contract(left: Array, right: Array, left_axis: int, right_axis: int) -> Array:
    """Contract one axis of each operand, with sums in float32.

    The axes are specified instead of transposing an operand, because XLA's CPU compiler multiplies a transposed
    bfloat16 operand in float32, at a quarter of the speed (ADR 0008).
    """
    axes = (((left_axis,), (right_axis,)), ((), ()))
    return jax.lax.dot_general(left, right, axes, preferred_element_type=jnp.float32)


def transposed(x: Array) -> Array:
    """Transpose `[batch, features]` to `[features, batch]` in memory.

    A detour through three axes keeps XLA from fusing the transposition into the product, which it would then compute
    in float32 again. If no small factor divides the number of features, the transposition is left to XLA.
    """
    batch, features = x.shape
    part = next((part for part in (8, 4, 2, 5, 3, 7) if features % part == 0), None)
    if part is None or part == features:
        return x.T
    return x.reshape(batch, features // part, part).transpose(1, 2, 0).reshape(features, batch)


def _forward(x: Array, w: Array) -> tuple[Array, tuple[Array, Array]]:
    x, w = x.astype(jnp.bfloat16), w.astype(jnp.bfloat16)
    return _contract(x, w, 1, 0), (x, w)


def _backward(operands: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, w = operands
    gradient = gradient.astype(jnp.bfloat16)
    return _contract(gradient, w, 1, 1), _contract(transposed(x), gradient, 1, 0)


_product.defvjp(_forward, _backward)


def bfloat16_dot_general(x: Array, w: Array, dimension_numbers: Any, **_: Any) -> Array:
    """Multiply `[batch, in]` by `[in, out]`, as in a dense layer, with operands rounded to bfloat16 and float32 sums.

    Gradients are products of the same kind, with float32 results.
    """
    if dimension_numbers != (((1,), (0,)), ((), ())):
        raise ValueError(f"A product of two matrices is expected, not dimension numbers {dimension_numbers}.")
    return _product(x, w)
