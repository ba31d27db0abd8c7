"""Compiler options by device, measured to be faster, and omitted if the compiler does not support them."""

import functools

import jax
import jax.numpy as jnp

from aae_jax.errors import InputError

__all__ = ["compiler_options", "quick_compiler_options", "require_device"]

_CPU_OPTIONS: dict[str, str | bool] = {
    # XLA offloads matrix products to YNNPACK. By default it offloads fused chains of them, which are up to ten times
    # slower at batches of a thousand than individual products (ADR 0008).
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
    # Without this, each update copies eight weights and moments, because another operation reads them before they are
    # updated in place: a twelfth of an update's time in bfloat16 (ADR 0008).
    "xla_cpu_copy_insertion_use_region_analysis": True,
}


def require_device() -> None:
    """Check that JAX finds a device; it finds none e.g. with `JAX_PLATFORMS=cuda` on a machine without a GPU.

    Raises:
        InputError: There is no device; the message names the requested platforms.
    """
    try:
        jax.devices()
    except Exception as error:  # RuntimeError, or an AssertionError without a message
        asked: str | None = getattr(jax.config, "jax_platforms", None)
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"JAX finds no device of JAX_PLATFORMS={asked or 'unset'} ({reason}); unset JAX_PLATFORMS to train on "
            "any available device, or install the extra for that device (cuda12, cuda13 or tpu)."
        ) from error


@functools.cache
def compiler_options() -> dict[str, str | bool] | None:
    """Return the `compiler_options` of `jax.jit` or `Lowered.compile` for this process's device."""
    if jax.default_backend() != "cpu":
        return None
    return {name: value for name, value in _CPU_OPTIONS.items() if _is_known(name, value)} or None


def quick_compiler_options() -> dict[str, str | bool] | None:
    """Return options for programs that run rarely: compiled in half the time, with fewer optimisations.

    Such programs spend their time in matrix products, which do not become slower. Where JAX is told to omit most
    optimisations (`jax_disable_most_optimizations`), it omits more than these options would.
    """
    options = compiler_options()
    hardly_optimised = jax.config.read("jax_disable_most_optimizations")  # type: ignore[no-untyped-call]
    if jax.default_backend() != "cpu" or hardly_optimised:
        return options
    quick: dict[str, str | bool] = {"xla_backend_optimization_level": "1"}
    return {**(options or {}), **(quick if _is_known("xla_backend_optimization_level", "1") else {})} or None


@functools.cache
def _is_known(name: str, value: str | bool) -> bool:
    """Return whether this release of jaxlib supports an option."""
    try:
        jax.jit(lambda x: x + 1.0).lower(jnp.zeros(1)).compile(compiler_options={name: value})
    except (jax.errors.JaxRuntimeError, ValueError):
        return False
    return True
