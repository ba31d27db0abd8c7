"""Drawing and saving of a run's figures, independently of each other so that the failure of one affects no other."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from aae_jax.data.stored import StoredImages
from aae_jax.text import printable, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Drawings", "Shown", "draw_and_save", "drawing_fault", "reason_of"]

Drawings = Mapping[str, Callable[[], "Figure"]]
"""Drawing functions of figures, by file name. All steps that can fail, such as encoding, happen in them."""

MAX_REASON = 200


class Shown(NamedTuple):
    """Images for the figures of a run as stored, their classes, and the training pool."""

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    pool: jax.Array | StoredImages


def draw_and_save(
    prepare: Callable[[], Drawings], folder: Path, notice: Callable[[str], None]
) -> tuple[list[str], list[str]]:
    """Draw figures one by one and save each in two formats, an animation as GIF.

    An exception in one (including exhausted memory or a full disk) affects that figure only.

    Args:
        prepare: Returns the drawing functions, some of which may return an `Animation`; imports matplotlib.
        folder: Folder for the files.
        notice: Gets a sentence for each figure that could not be drawn or written, naming it and the reason.

    Returns:
        The names of the saved figures, and of the missing ones.
    """
    saved: list[str] = []
    missing: list[str] = []
    try:
        drawings = prepare()
        from aae_jax.figures import save_figure
        from aae_jax.figures.animation import Animation, save_animation
        from aae_jax.figures.style import drawing
    except Exception as error:
        notice(f"No figure could be drawn ({reason_of(error)}).")
        return saved, missing
    for name, draw in drawings.items():
        try:
            with drawing():
                drawn: Any = draw()
                if isinstance(drawn, Animation):
                    save_animation(drawn, folder / name)
                else:
                    save_figure(drawn, folder / name)
        except Exception as error:
            missing.append(name)
            notice(drawing_fault(name, error))
        else:
            saved.append(name)
    return saved, missing


def drawing_fault(name: str, error: Exception) -> str:
    """Return a sentence on a figure that could not be drawn or written."""
    return f"The figure {name} could not be drawn ({reason_of(error)})."


def reason_of(error: Exception) -> str:
    """Return the type of an exception and the first line of its text, printable and shortened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return shortened(printable(text), MAX_REASON).rstrip(".")
