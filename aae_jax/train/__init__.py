"""Training: phases, state, traced hyperparameters, compiled epochs, training loop, checkpoints.

`aae_jax.train(experiment, data, …)` trains a model: the package is callable, because a function of `aae_jax.api` has
the same name (ADR 0026).
"""

import importlib
import inspect
import sys
from types import ModuleType
from typing import Any

__all__: list[str] = []


class _CallablePackage(ModuleType):
    """This package and the function `aae_jax.api.train` in one."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call `aae_jax.api.train`."""
        return self._function(*args, **options)

    @property
    def _function(self) -> Any:
        return importlib.import_module("aae_jax.api").train

    @property
    def __signature__(self) -> inspect.Signature:
        """Signature of the function, for help and completion."""
        return inspect.signature(self._function)


sys.modules[__name__].__class__ = _CallablePackage
