"""Preprocessing of users' images to the form of the training data, and the inverse for decoded rows."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.data.brightness import refuse_darkness
from aae_jax.data.scaling import Scaling
from aae_jax.errors import InputError
from aae_jax.saved.format import PixelKind
from aae_jax.types import Array

__all__ = ["to_stored", "to_units"]


def to_stored(
    images: Any, image_shape: tuple[int, ...], pixels: PixelKind, scaling: Scaling | None
) -> Array | np.ndarray:
    """Return images as training saw them: bytes, or floats in [0, 1]; JAX arrays of bytes stay on their device.

    Images that training refuses are refused. For arrays traced by JAX (jit, vmap, grad) only type and shape are
    checked.

    Args:
        images: Images, `[count, *image_shape]`.
        image_shape: Shape of one image.
        pixels: See `Model.pixels`.
        scaling: Scaling of plain vectors, or None.

    Raises:
        InputError: Type or shape differ from those of the training data, or there are numbers that training refuses.
    """
    traced = isinstance(images, jax.core.Tracer)
    given: Any = images if traced else np.asarray(images)
    if given.ndim == 2 and len(image_shape) > 1 and given.shape[1] == math.prod(image_shape):
        given = given.reshape(given.shape[0], *image_shape)
    if given.ndim == 2 + len(image_shape) and len(image_shape) == 2 and given.shape[-1] == 1:
        given = given[..., 0]
    if pixels == "bytes":
        given = _as_bytes(given, traced)
        right_type = given.dtype == np.uint8 or (given.dtype == np.float32 and len(image_shape) > 1)
    else:  # traced integers could be bytes
        right_type = given.dtype.kind in ("f" if traced and scaling is None else "iuf")
    if given.ndim != 1 + len(image_shape) or given.shape[1:] != image_shape or not right_type:
        raise InputError(_mismatch(given, image_shape, pixels, scaling))
    if traced:
        if scaling is not None:
            return _scale_traced(given, scaling)
        return jnp.asarray(given, None if pixels == "bytes" else jnp.float32)
    if scaling is not None:
        return scaling.apply(given, "The rows of numbers")
    if pixels == "unit" or given.dtype != np.uint8:
        return _as_unit(given)
    refuse_darkness(given, "The images", black=True)
    as_given = isinstance(images, jax.Array) and images.dtype == np.uint8 and images.ndim == given.ndim
    return images if as_given else np.asarray(given)


def _as_bytes(given: Any, traced: bool) -> Any:
    """Convert booleans and whole numbers from 0 to 255 to bytes, other floats to float32; the rest is unchanged.

    Floats of which none is above 1 are images in [0, 1].
    """
    if given.dtype == np.bool_:
        return given.astype(np.uint8) * np.uint8(255)
    if given.dtype.kind == "f":
        if traced or given.size == 0 or not given.max() > 1:
            return given.astype(np.float32)
        with np.errstate(invalid="ignore"):
            whole = given.min() >= 0 and given.max() <= 255 and bool((given == np.rint(given)).all())
        return given.astype(np.uint8) if whole else given.astype(np.float32)
    if traced or given.dtype == np.uint8 or given.dtype.kind not in "iu" or given.size == 0:
        return given
    return given.astype(np.uint8) if given.min() >= 0 and given.max() <= 255 else given


def _as_unit(given: np.ndarray) -> np.ndarray:
    """Convert images to float32 in [0, 1]; the range is checked after the conversion, as in training."""
    with np.errstate(over="ignore"):
        narrow = given.astype(np.float32)
    if given.dtype.kind in "iu":
        refuse_darkness(given, "The images", black=True)
        valid = not given.any()
    else:
        valid = narrow.size == 0 or bool(narrow.min() >= 0 and narrow.max() <= 1)
    if not valid:
        raise InputError(
            "The images in [0, 1] are not all finite, or not all from 0 to 1; correct them, or divide bytes by 255."
        )
    if narrow.ndim > 2:
        refuse_darkness(narrow, "The images", black=True)
    return narrow


def _mismatch(given: Any, image_shape: tuple[int, ...], pixels: PixelKind, scaling: Scaling | None) -> str:
    kind = "uint8 images" if pixels == "bytes" else "rows of numbers" if scaling else "images in [0, 1]"
    advice = "convert them first"
    if given.shape == image_shape:
        advice += " (images[None] is a batch of one)"
    shape = ", ".join(map(str, image_shape))
    return f"The model takes {kind} of shape [n, {shape}], not {given.dtype} of shape {list(given.shape)}; {advice}."


def _scale_traced(rows: Array, scaling: Scaling) -> Array:
    """Scale rows to [0, 1], as `Scaling.apply` does; the derivative at the ends of the range is that inside.

    Raises:
        InputError: The type of the rows is too coarse for a feature's range.
    """
    kind = np.dtype(jnp.result_type(rows.dtype, jnp.float32))
    if rows.dtype.kind in "iu" and rows.dtype.itemsize == 8:  # JAX would convert these to float32 too
        kind = np.dtype(np.float64)
    scaling.check_precision(np.dtype(rows.dtype) if rows.dtype.kind == "f" else kind, "Rows that JAX traces")
    low, constant = np.asarray(scaling.low, np.float64), scaling.span <= 0
    coarse = low.astype(kind)
    rest = (low - coarse.astype(np.float64)).astype(kind)
    divisor = np.where(constant, 1.0, scaling.span).astype(kind)
    shares = ((rows.astype(kind) - coarse[None]) - rest[None]) / divisor[None]
    clipped = jnp.where(shares > 1, 1, jnp.where(shares < 0, 0, shares))  # NaN stays NaN
    return jnp.where(constant[None], 0, clipped).astype(jnp.float32)


def to_units(unit: Array, scaling: Scaling | None) -> Array | np.ndarray:
    """Return decoded images `[count, *image]`, scaled rows in the units of the data.

    Such rows are float64 in a NumPy array, since float32 may be too coarse for them; traced by JAX, they have its
    widest type.

    Raises:
        InputError: The rows are traced by JAX in a type too coarse for a feature's range.
    """
    if scaling is None:
        return unit
    if not isinstance(unit, jax.core.Tracer):
        return scaling.invert(np.asarray(unit))
    unit = unit.astype(jax.dtypes.canonicalize_dtype(np.float64))  # float32 without JAX_ENABLE_X64
    scaling.check_precision(np.dtype(unit.dtype), "Rows that JAX traces")
    low, span = (jnp.asarray(each, unit.dtype)[None] for each in (scaling.low, scaling.span))
    return low + unit * span
