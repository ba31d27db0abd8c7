"""What the compiler is told: options by device, measured to be faster, and left out where it does not know them."""

import functools

import jax
import jax.numpy as jnp

from aae_jax.errors import InputError

__all__ = ["compiler_options", "quick_compiler_options", "require_device"]

_CPU_OPTIONS: dict[str, str | bool] = {
    # XLA hands products to YNNPACK. By default it hands over chains of them in one piece, which is up to ten times
    # slower at batches of a thousand than each product by itself (ADR 0008).
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
    # Without it eight weights and moments are copied in each update, because another operation reads them before
    # they are moved in place: a twelfth of an update in bfloat16 (ADR 0008).
    "xla_cpu_copy_insertion_use_region_analysis": True,
}


def require_device() -> None:
    """Refuse to go on where JAX finds no device, as with `JAX_PLATFORMS=cuda` on a machine without a GPU.

    Raises:
        InputError: Names the platforms that were asked for.
    """
    try:
        jax.devices()
    except Exception as error:  # RuntimeError, or an AssertionError without a word
        asked: str | None = getattr(jax.config, "jax_platforms", None)
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"JAX finds no device of JAX_PLATFORMS={asked or 'unset'} ({reason}); unset JAX_PLATFORMS to train on "
            "what there is, or install the extra for that device (cuda12, cuda13 or tpu)."
        ) from error


@functools.cache
def compiler_options() -> dict[str, str | bool] | None:
    """Return what to give `jax.jit` or `Lowered.compile` as `compiler_options` on this process's device."""
    if jax.default_backend() != "cpu":
        return None
    return {name: value for name, value in _CPU_OPTIONS.items() if _is_known({name: value})} or None


@functools.cache
def quick_compiler_options() -> dict[str, str | bool] | None:
    """Return the same for programs that run seldom: compiled in half the time, with fewer optimisations.

    Their work is in products of matrices, which do not get slower.
    """
    if jax.default_backend() != "cpu":
        return None
    quick: dict[str, str | bool] = {"xla_backend_optimization_level": "1"}
    return {**(compiler_options() or {}), **(quick if _is_known(quick) else {})} or None


def _is_known(option: dict[str, str | bool]) -> bool:
    """Return whether this release of jaxlib has an option."""
    try:
        jax.jit(lambda x: x + 1.0).lower(jnp.zeros(1)).compile(compiler_options=option)
    except (jax.errors.JaxRuntimeError, ValueError):
        return False
    return True
