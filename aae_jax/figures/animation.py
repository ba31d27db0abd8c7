"""Animated images: frames in four columns, played forwards and backwards."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aae_jax.files import write_whole

__all__ = ["Animation", "pack_animation", "save_animation"]

COLUMNS, SCALE, MILLISECONDS = 4, 3, 100
LARGE = 96
"""Side in pixels up to which a tile is enlarged."""


class Animation(NamedTuple):
    """Images in [0, 1], `[tiles, steps, height, width]` or `[tiles, steps, height, width, 3]`."""

    images: NDArray[np.floating]


def pack_animation(animation: Animation) -> bytes:
    """Return a GIF that shows all tiles at once, four in a row, and repeats their steps forwards and backwards.

    Every pixel is shown up to three by three pixels large, so that a tile has no more than 96.
    """
    from PIL import Image

    steps = np.moveaxis(animation.images, 1, 0)
    scale = max(1, min(SCALE, LARGE // max(steps.shape[2:4])))
    frames = [_arranged(frame) for frame in (*steps, *steps[-2:0:-1])]
    pictures = [
        Image.fromarray(np.round(255 * np.clip(frame, 0, 1)).astype(np.uint8)).resize(
            (scale * frame.shape[1], scale * frame.shape[0]), Image.Resampling.NEAREST
        )
        for frame in frames
    ]
    packed = io.BytesIO()
    pictures[0].save(packed, format="GIF", save_all=True, append_images=pictures[1:], duration=MILLISECONDS, loop=0)
    return packed.getvalue()


def save_animation(animation: Animation, path_stem: Path) -> None:
    """Write an animation to `<path_stem>.gif`, atomically, creating the folder.

    Raises:
        OSError: The file cannot be written; an earlier one is kept.
    """
    packed = pack_animation(animation)
    path_stem.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path_stem.with_name(f"{path_stem.name}.gif"), packed)


def _arranged(images: NDArray[np.floating]) -> NDArray[np.floating]:
    """Arrange the images of a frame in rows of four, the last filled up with black."""
    columns = min(len(images), COLUMNS)
    padded = np.concatenate([images, np.zeros((-len(images) % columns, *images.shape[1:]))])
    rows = padded.reshape(-1, columns, *images.shape[1:])
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
