"""Images in the size and colours of a model of other data."""

import numpy as np
import pytest
from PIL import Image

from aae_jax.data.readers.picture_files import read_picture
from aae_jax.data.resizing import fit_images
from aae_jax.errors import InputError


def images(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def test_images_of_the_right_shape_are_unchanged():
    given = images(3, 5, 4, 3)
    assert fit_images(given, (5, 4, 3)) is given
    rows = np.random.default_rng(0).uniform(size=(3, 7)).astype(np.float32)
    assert fit_images(rows, (7,)) is rows


@pytest.mark.parametrize("wanted", [(16, 16, 3), (9, 14, 3), (20, 7), (6, 8)])
@pytest.mark.parametrize("colours", [(), (3,)])
def test_images_become_what_their_files_would(tmp_path, wanted, colours):
    given = images(2, 10, 8, *colours)
    fitted = fit_images(given, wanted)
    assert fitted.shape == (2, *wanted)
    assert fitted.dtype == np.uint8
    for image, made in zip(given, fitted, strict=True):
        Image.fromarray(image).save(tmp_path / "image.png")
        np.testing.assert_array_equal(made, read_picture(tmp_path / "image.png", wanted, resize=True))


def test_grey_images_get_three_equal_colours():
    given = images(2, 6, 6)
    np.testing.assert_array_equal(fit_images(given, (6, 6, 3)), np.repeat(given[..., None], 3, axis=-1))


def test_numbers_are_rounded_to_bytes():
    given = images(2, 6, 6)
    unit = (given / 255).astype(np.float32)
    np.testing.assert_array_equal(fit_images(unit, (6, 6, 3)), fit_images(given, (6, 6, 3)))


def test_no_images_stay_none():
    assert fit_images(images(0, 4, 4), (8, 8, 3)).shape == (0, 8, 8, 3)


@pytest.mark.parametrize(
    ("shape", "wanted", "complaint"),
    [
        ((2, 64), (8, 8), "The images have the shape [64], rows of numbers"),
        ((2, 8, 8), (64,), "The model takes the shape [64], rows of numbers"),
        ((2, 8, 8, 2), (8, 8, 3), "The images have the shape [8, 8, 2], images that are neither greyscale nor RGB"),
        ((2, 8, 8, 3), (8, 8, 4), "The model takes the shape [8, 8, 4]"),
    ],
)
def test_what_has_no_colours_is_refused(shape, wanted, complaint):
    with pytest.raises(InputError) as caught:
        fit_images(images(*shape), wanted)
    assert complaint in str(caught.value)
