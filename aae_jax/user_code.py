"""Functions of a user's own, named in the configuration as `FILE.py:FUNCTION` or `package.module:FUNCTION`."""

import contextlib
import functools
import importlib
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.errors import InputError
from aae_jax.text import quoted
from aae_jax.types import Array, PRNGKey

__all__ = ["Transform", "check_transform", "importing_from", "load_function", "load_transform"]

Transform = Callable[[PRNGKey, Array], Array]
"""`(key, images) -> images`, both float32 `[batch, *image]` in [0, 1]; pure, as it is compiled with the phases."""


@contextlib.contextmanager
def importing_from(folder: Path) -> Iterator[None]:
    """Look for modules in a folder first, so that a user's file imports its neighbours, when run or when called."""
    before = list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = before


def load_function(name: str, option: str, signature: str) -> Callable[..., Any]:
    """Return the function that an option names; its module is run.

    Args:
        name: `FILE.py:FUNCTION` or `package.module:FUNCTION`.
        option: The option, for messages.
        signature: Arguments of the function, for messages.

    Raises:
        InputError: There is no such file, module or function, or its module fails.
    """
    module, colon, function = name.rpartition(":")
    if not colon or not module or not function:
        raise InputError(f"{option} is {quoted(name)}; give FILE.py:FUNCTION or package.module:FUNCTION.")
    is_file, path = module.endswith(".py"), Path(module).resolve()
    if is_file and not Path(module).is_file():
        raise InputError(f"{option} names {module}, which is not a file; give FILE.py:FUNCTION.")
    try:
        with importing_from(path.parent) if is_file else contextlib.nullcontext():
            names = runpy.run_path(str(path)) if is_file else vars(importlib.import_module(module))
    except (Exception, SystemExit) as error:  # user code may raise anything
        raise InputError(
            f"{option} {name} cannot be loaded ({type(error).__name__}: {error}); correct the module."
        ) from error
    found = names.get(function)
    if not callable(found):
        raise InputError(f"{option} {name} has no function {function!r}; name one that takes {signature}.")
    if not is_file:
        return found  # type: ignore[no-any-return]

    @functools.wraps(found)
    def call(*arguments: Any) -> Any:
        with importing_from(path.parent):
            return found(*arguments)

    return call


@functools.lru_cache(maxsize=16)
def load_transform(name: str) -> Transform:
    """Return the function that `views.transform` names; a process loads it once.

    Raises:
        InputError: See `load_function`.
    """
    return load_function(name, "views.transform", "(key, images)")


def _trace(transform: Transform, images: Any) -> tuple[str, list[bytes]]:
    """Return a traced transform as text, with the bytes of its constants."""

    def call(key: PRNGKey, batch: Array) -> Any:  # a function of its own: JAX keeps the traces of known ones
        return transform(key, batch)

    traced = jax.make_jaxpr(call)(jax.random.key(0), images)
    return str(traced), [np.asarray(constant).tobytes() for constant in traced.consts]


def check_transform(name: str, image_shape: tuple[int, ...]) -> None:
    """Check that a transform returns images of the shape and type that it takes, without computing anything.

    Raises:
        InputError: It cannot be loaded or traced, or returns something else.
    """
    transform = load_transform(name)
    images = jax.eval_shape(lambda: jnp.zeros((2, *image_shape), jnp.float32))
    try:
        made = jax.eval_shape(transform, jax.random.key(0), images)
        first, second = (_trace(transform, images) for _ in range(2))
    except (Exception, SystemExit) as error:  # user code may raise anything
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"views.transform {name} cannot be compiled for images {images.shape} "
            f"({type(error).__name__}: {reason}); write a function (key, images) -> images with jax.numpy."
        ) from error
    if isinstance(made, tuple | list):
        raise InputError(f"views.transform {name} returns {len(made)} values; return the images alone.")
    if first != second:
        raise InputError(
            f"views.transform {name} does something else at each call, with random numbers of its own, which would "
            "be the same in every update; draw them with jax.random from its key."
        )
    shape, kind = getattr(made, "shape", None), getattr(made, "dtype", None)
    if shape != images.shape or kind != images.dtype:
        raise InputError(
            f"views.transform {name} returns {kind} of shape {shape} for float32 images {images.shape}; return "
            "images of the same type and shape."
        )
