"""Small copies of figures, for pages."""

import io
from pathlib import Path

import numpy as np

from aae_jax.files import write_whole

__all__ = ["write_small"]

MAX_WIDTH = 830
"""Pixels; a page shows no more. Figures of 150 dots per inch have 100 then."""
COLOURS, GREYS = 128, 16
"""Of the palette: with fewer colours, similar ones of classes become one; digits need no more greys."""
GREY = 8
"""Largest difference between the channels of a pixel that counts as grey."""


def write_small(picture: Path, target: Path) -> None:
    """Write an image file as a PNG of at most `MAX_WIDTH` pixels and few colours, creating the folder."""
    from PIL import Image  # matplotlib's reader of images too

    packed = io.BytesIO()
    with Image.open(picture) as image:
        small = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")
    if small.width > MAX_WIDTH:
        small = small.resize((MAX_WIDTH, round(small.height * MAX_WIDTH / small.width)), Image.Resampling.BOX)
    grey = np.ptp(np.asarray(small, np.int16), axis=-1).max() <= GREY
    small.quantize(GREYS if grey else COLOURS, dither=Image.Dither.NONE).save(packed, "png", optimize=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, packed.getvalue())
