"""Small copies of figures: their size, their colours, and what transparency becomes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reproduce.pictures import COLOURS, GREYS, MAX_WIDTH, write_small


def written(array: np.ndarray, folder: Path) -> Image.Image:
    Image.fromarray(array).save(folder / "large.png")
    write_small(folder / "large.png", folder / "new" / "small.png")
    return Image.open(folder / "new" / "small.png")


def test_a_wide_picture_is_as_wide_as_a_page_and_keeps_its_shape(tmp_path: Path) -> None:
    with written(np.zeros((50, 2 * MAX_WIDTH, 3), np.uint8), tmp_path) as image:
        assert image.size == (MAX_WIDTH, 25)


@pytest.mark.parametrize(("grey", "most"), [(True, GREYS), (False, COLOURS)])
def test_colours_are_few_and_near(tmp_path: Path, grey: bool, most: int) -> None:
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8), (8, 256))
    original = np.stack([ramp, ramp if grey else ramp[:, ::-1], ramp], axis=-1)
    with written(original, tmp_path) as image:
        colours = np.asarray(image.convert("RGB"))
    assert 8 <= len(np.unique(colours.reshape(-1, 3), axis=0)) <= most
    assert np.abs(colours.astype(int) - original).max() <= 256 // most + 2


def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    with written(np.zeros((4, 4, 4), np.uint8), tmp_path) as image:
        assert (np.asarray(image.convert("RGB")) == 255).all()
