"""StableHLO for CPUs, CUDA GPUs and TPUs, in the serialisation of `jax.export`."""

import importlib.util
from collections.abc import Sequence

from jax import export

from aae_jax.errors import missing_extra
from aae_jax.export.parts import Part, traced_part

__all__ = ["PLATFORMS", "require_stablehlo", "to_stablehlo"]

PLATFORMS = ("cpu", "cuda", "tpu")


def require_stablehlo() -> None:
    """Refuse to start where flatbuffers, which `jax.export` writes its files with, is missing.

    Raises:
        InputError: flatbuffers is not installed.
    """
    if importlib.util.find_spec("flatbuffers") is None:
        raise missing_extra("flatbuffers, which StableHLO is written with,", "export")


def to_stablehlo(part: Part, platforms: Sequence[str] = PLATFORMS) -> bytes:
    """Return a part as a file of `jax.export`, for batches of any length: `jax.export.deserialize(file).call(...)`.

    It can be read by the JAX that wrote it and, JAX promises, by those of the following six months.
    """
    with traced_part(part) as (function, rows):
        exported = export.export(function, platforms=platforms)(*rows)
    return bytes(exported.serialize())
