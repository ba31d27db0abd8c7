"""Brightness check of training and prediction against images that are black by mistake."""

from typing import Any

from numpy.typing import NDArray

from aae_jax.data.stored import extremes
from aae_jax.errors import InputError

__all__ = ["DARKEST", "refuse_darkness"]

DARKEST = 16
"""Of 255: a smaller maximum indicates a scaling error (values 0 and 1, 4 bits, or divided by 255 twice)."""


def refuse_darkness(
    images: NDArray[Any], what: str, *, brightest: float = 255, black: bool = False, advice: str | None = None
) -> None:
    """Refuse images whose largest value is at most 16 of 255.

    Args:
        images: Integers from 0 to `brightest`, or floats from 0 to 1; one or several images.
        what: Name of the images in messages.
        brightest: Integer value of white.
        black: Accept images that are entirely black, as single ones may be.
        advice: Advice in the message; None: depends on the type.

    Raises:
        InputError: The images are nearly black, or entirely black.
    """
    if images.size == 0 or images.dtype.kind not in "iuf":
        return
    whole = images.dtype.kind in "iu"
    white = brightest if whole else 1.0
    largest = extremes(images)[1]
    if largest == 0 and not black:
        raise InputError(f"{what} are entirely black; check how they were produced.")
    if 0 < largest <= DARKEST / 255 * white:
        kind = "whole numbers" if whole else "floats"
        scale = "bytes" if whole and white == 255 else f"numbers up to {white:g}"
        if advice is None:
            advice = "scale them to 0 to 255, or give floats from 0 to 1" if whole else "divide by 255 once only"
        raise InputError(f"{what} are {kind} up to {largest:g}, nearly black as {scale}; {advice}.")
