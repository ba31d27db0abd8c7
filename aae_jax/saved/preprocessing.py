"""Images as users hold them, brought into the form in which the networks were trained; and decoded rows back."""

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

    Whatever training refuses is refused. Of arrays that JAX traces (jit, vmap, grad) type and shape alone are
    checked.

    Args:
        images: `[count, *image_shape]`.
        image_shape: Shape of one image.
        pixels: See `Model.pixels`.
        scaling: Of rows of plain vectors, or None.

    Raises:
        InputError: They are not of the type and shape that the model was trained on, or hold numbers that training
            refuses.
    """
    traced = isinstance(images, jax.core.Tracer)
    given: Any = images if traced else np.asarray(images)
    if pixels == "bytes":
        given = _as_bytes(given, traced)
        right_type = given.dtype == np.uint8
    else:  # traced whole numbers could be bytes
        right_type = given.dtype.kind in ("f" if traced and scaling is None else "iuf")
    if given.ndim != 1 + len(image_shape) or given.shape[1:] != image_shape or not right_type:
        raise InputError(_mismatch(given, image_shape, pixels, scaling))
    if traced:
        if scaling is not None:
            return _scale_traced(given, scaling)
        return jnp.asarray(given, None if pixels == "bytes" else jnp.float32)
    if scaling is not None:
        return scaling.apply(given, "The rows of numbers")
    if pixels == "unit":
        return _as_unit(given)
    refuse_darkness(given, "The images", black=True)
    return images if isinstance(images, jax.Array) and images.dtype == np.uint8 else np.asarray(given)


def _as_bytes(given: Any, traced: bool) -> Any:
    """Return booleans and whole numbers from 0 to 255 as the bytes that they mean, anything else as it is."""
    if given.dtype == np.bool_:
        return given.astype(np.uint8) * np.uint8(255)
    if traced or given.dtype == np.uint8 or given.dtype.kind not in "iu" or given.size == 0:
        return given
    return given.astype(np.uint8) if given.min() >= 0 and given.max() <= 255 else given


def _as_unit(given: np.ndarray) -> np.ndarray:
    """Return float32 images in [0, 1], narrowed before they are compared, as in training."""
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
    elif isinstance(given, jax.core.Tracer) and pixels == "bytes" and given.dtype.kind == "f":
        advice = "for derivatives give floats in [0, 1] to encode_stored"
    shape = ", ".join(map(str, image_shape))
    return f"The model takes {kind} of shape [n, {shape}], not {given.dtype} of shape {list(given.shape)}; {advice}."


def _scale_traced(rows: Array, scaling: Scaling) -> Array:
    """Return rows in [0, 1], as `Scaling.apply` does; at the ends of the range the derivative is that of its inside.

    Raises:
        InputError: The type of the rows is too coarse for a feature's range.
    """
    kind = np.dtype(jnp.result_type(rows.dtype, jnp.float32))
    if rows.dtype.kind in "iu" and rows.dtype.itemsize == 8:  # of which JAX would make float32 too
        kind = np.dtype(np.float64)
    scaling.check_precision(np.dtype(rows.dtype) if rows.dtype.kind == "f" else kind, "Rows that JAX traces")
    low, constant = np.asarray(scaling.low, np.float64), scaling.span <= 0
    coarse = low.astype(kind)
    rest = (low - coarse.astype(np.float64)).astype(kind)
    divisor = np.where(constant, 1.0, scaling.span).astype(kind)
    shares = ((rows.astype(kind) - coarse) - rest) / divisor
    clipped = jnp.where(shares > 1, 1, jnp.where(shares < 0, 0, shares))  # NaN stays NaN
    return jnp.where(constant, 0, clipped).astype(jnp.float32)


def to_units(unit: Array, scaling: Scaling | None) -> Array | np.ndarray:
    """Return decoded images `[count, *image]`, scaled rows in the units of the data.

    Such rows are float64 in a NumPy array, as float32 may be too coarse for them; where JAX traces them they have its
    widest type.

    Raises:
        InputError: JAX traces them in a type too coarse for a feature's range.
    """
    if scaling is None:
        return unit
    if not isinstance(unit, jax.core.Tracer):
        return scaling.invert(np.asarray(unit))
    unit = unit.astype(jax.dtypes.canonicalize_dtype(np.float64))  # float32 without JAX_ENABLE_X64
    scaling.check_precision(np.dtype(unit.dtype), "Rows that JAX traces")
    return jnp.asarray(scaling.low, unit.dtype) + unit * jnp.asarray(scaling.span, unit.dtype)
