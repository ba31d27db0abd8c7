"""What the compiler is told: options by device, measured to be faster, and left out where it does not know them."""

import functools

import jax
import jax.numpy as jnp

__all__ = ["compiler_options"]

_CPU_OPTIONS: dict[str, str | bool] = {
    # XLA hands products to YNNPACK. By default it hands over chains of them in one piece, which is up to ten times
    # slower at batches of a thousand than each product by itself (ADR 0008).
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
}


@functools.cache
def compiler_options() -> dict[str, str | bool] | None:
    """Return what to give `jax.jit` or `Lowered.compile` as `compiler_options` on this process's device."""
    if jax.default_backend() != "cpu":
        return None
    try:
        jax.jit(lambda x: x + 1.0).lower(jnp.zeros(1)).compile(compiler_options=dict(_CPU_OPTIONS))
    except (jax.errors.JaxRuntimeError, ValueError):  # a release of jaxlib without the option
        return None
    return dict(_CPU_OPTIONS)
