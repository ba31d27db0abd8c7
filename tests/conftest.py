"""Check types and shapes in the package's signatures at run time, in every test."""

import importlib.util
import typing

from jaxtyping import install_import_hook

if importlib.util.find_spec("beartype") is not None:
    install_import_hook("aae_jax", "beartype.beartype")  # before anything of the package is imported

    from aae_jax import phases

    # beartype asks whether a value is a LossFn; without this it refuses the annotation itself.
    typing.runtime_checkable(phases.LossFn)
