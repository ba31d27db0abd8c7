"""What the encoder and the decoder get of an image: scale, shift, noise."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax.augment import (
    Jitter,
    draw_view,
    jitter_colours,
    random_mirror,
    random_shift,
    scale_pixels,
    unscale_pixels,
)
from tests.conftest import uniform

pytestmark = pytest.mark.usefixtures("quick_compile")

RANGES = {"sigmoid": (0.0, 1.0), "linear": (0.0, 1.0), "tanh": (-1.0, 1.0)}
SIZE = 5
DISTINCT = np.arange(1, SIZE**2 + 1, dtype=np.float32).reshape(SIZE, SIZE)


def moved(image, rows, columns, background):
    """Move an image by hand: pixel (i, j) goes to (i + rows, j + columns)."""
    result = np.full_like(image, background)
    for i, j in itertools.product(range(image.shape[0]), range(image.shape[1])):
        if 0 <= i + rows < image.shape[0] and 0 <= j + columns < image.shape[1]:
            result[i + rows, j + columns] = image[i, j]
    return result


def offsets_of(images, original, max_shift, background):
    """Return each image's offset; fails where one is not the original moved by whole pixels in range."""
    reach = range(-max_shift, max_shift + 1)
    known = {moved(original, *o, background).tobytes(): o for o in itertools.product(reach, reach)}
    assert len(known) == (2 * max_shift + 1) ** 2
    return [known[np.asarray(image).tobytes()] for image in images]


@pytest.mark.parametrize("output", RANGES)
def test_bytes_are_scaled_to_the_output_and_back(output):
    images = jnp.arange(256, dtype=jnp.uint8).reshape(1, 16, 16)
    scaled = scale_pixels(images, output)
    assert scaled.dtype == jnp.float32
    low, high = RANGES[output]
    assert (scaled.min(), scaled.max()) == (low, high)
    np.testing.assert_allclose(np.diff(scaled.ravel()), (high - low) / 255, rtol=1e-4)
    np.testing.assert_allclose(unscale_pixels(scaled, output), images / 255.0, atol=1e-6)


@pytest.mark.parametrize("output", RANGES)
def test_unscaling_clips_what_overshoots(output):
    low, high = RANGES[output]
    overshot = jnp.full((1, 1, 2), jnp.array([low - 0.5, high + 0.5]))
    np.testing.assert_array_equal(unscale_pixels(overshot, output).ravel(), [0.0, 1.0])


def test_no_shift_is_the_identity():
    images = uniform(0, 4, SIZE, SIZE)
    np.testing.assert_array_equal(random_shift(jax.random.key(1), images, 0), images)


@pytest.mark.parametrize("background", [0.0, -1.0])
@pytest.mark.parametrize("max_shift", [1, 2])
def test_each_image_moves_by_its_own_whole_number_of_pixels(max_shift, background):
    images = jnp.broadcast_to(DISTINCT, (1000, SIZE, SIZE))
    shifted = random_shift(jax.random.key(0), images, max_shift, background)
    offsets = offsets_of(shifted, DISTINCT, max_shift, background)
    count = (2 * max_shift + 1) ** 2
    assert len(set(offsets)) == count, "every offset occurs"
    frequencies = np.unique(offsets, axis=0, return_counts=True)[1] / len(offsets)
    np.testing.assert_allclose(frequencies, 1 / count, atol=5 / (count * len(offsets)) ** 0.5)


def test_images_that_are_not_square_keep_their_shape():
    image = np.arange(1, 22, dtype=np.float32).reshape(3, 7)
    shifted = random_shift(jax.random.key(0), jnp.broadcast_to(image, (50, 3, 7)), 1)
    assert len(set(offsets_of(shifted, image, 1, 0.0))) == 9


@pytest.mark.parametrize("output", RANGES)
def test_the_noise_is_on_what_is_seen_and_never_on_the_target(output):
    images = jnp.broadcast_to(DISTINCT, (400, SIZE, SIZE))
    view = draw_view(jax.random.key(0), images, noise_std=0.3, max_shift=1, output=output)
    background = -1.0 if output == "tanh" else 0.0
    assert len(set(offsets_of(view.target, DISTINCT, 1, background))) == 9
    noise = np.asarray(view.seen - view.target)
    np.testing.assert_allclose(noise.std(), 0.3, rtol=0.05)
    np.testing.assert_allclose(noise.mean(), 0.0, atol=0.02)
    np.testing.assert_allclose(noise.std(axis=0), 0.3, rtol=0.2)  # alike at every pixel
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.8  # and its own for each image


def test_without_noise_the_encoder_sees_the_target():
    images = uniform(0, 4, SIZE, SIZE)
    view = draw_view(jax.random.key(0), images, noise_std=0.0, max_shift=2, output="linear")
    np.testing.assert_array_equal(view.seen, view.target)


def test_the_key_alone_decides():
    images = uniform(0, 4, SIZE, SIZE)
    first, again, other = (
        draw_view(jax.random.key(seed), images, noise_std=0.3, max_shift=2, output="linear") for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.seen, again.seen)
    assert not np.array_equal(first.seen, other.seen)


def test_dropped_pixels_are_zero_and_the_others_make_up_for_them():
    images = jnp.broadcast_to(DISTINCT, (1000, SIZE, SIZE))
    view = draw_view(jax.random.key(0), images, noise_std=0.0, max_shift=0, output="sigmoid", dropout=0.2)
    np.testing.assert_array_equal(view.target, images)
    seen = np.asarray(view.seen)
    assert pytest.approx((seen == 0.0).mean(axis=0), abs=0.08) == np.full((SIZE, SIZE), 0.2)
    np.testing.assert_allclose(seen[seen != 0], np.asarray(images)[seen != 0] / 0.8, rtol=1e-6)
    np.testing.assert_allclose(seen.mean(axis=0), DISTINCT, rtol=0.1)


def test_an_image_is_changed_with_its_probability_and_wholly():
    images = jnp.broadcast_to(DISTINCT, (1000, SIZE, SIZE))
    settings = {"noise_std": 0.3, "max_shift": 1, "output": "sigmoid"}
    always = draw_view(jax.random.key(0), images, **settings)
    view = draw_view(jax.random.key(0), images, probability=0.25, **settings)
    changed = np.any(np.asarray(view.seen != images), axis=(1, 2))
    assert pytest.approx(changed.mean(), abs=5 * (0.25 * 0.75 / 1000) ** 0.5) == 0.25
    for part in ("seen", "target"):
        found = np.asarray(getattr(view, part))
        np.testing.assert_array_equal(found[~changed], np.asarray(images)[~changed])
        np.testing.assert_array_equal(found[changed], np.asarray(getattr(always, part))[changed])


@pytest.mark.parametrize(("border", "mode"), [("edge", "edge"), ("reflect", "reflect")])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_padded_crop_shows_what_is_at_the_border(border, mode, channels):
    image = np.asarray(uniform(1, 1, SIZE, SIZE, *channels))[0]
    images = jnp.asarray(np.repeat(image[None], 40, axis=0))
    shifted = random_shift(jax.random.key(2), images, 2, border=border)
    padded = np.pad(image, ((2, 2), (2, 2), *((0, 0) for _ in channels)), mode=mode)
    crops = {padded[i : i + SIZE, j : j + SIZE].tobytes() for i, j in itertools.product(range(5), range(5))}
    found = {np.asarray(each).tobytes() for each in shifted}
    assert found <= crops
    assert len(found) > 10


def test_half_of_the_images_are_mirrored():
    images = uniform(2, 400, SIZE, SIZE, 3)
    mirrored = np.asarray(random_mirror(jax.random.key(0), images, 0.5))
    turned = (mirrored == np.asarray(images)[:, :, ::-1]).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(mirrored[~turned], np.asarray(images)[~turned])
    assert 150 < turned.sum() < 250
    np.testing.assert_array_equal(random_mirror(jax.random.key(0), images, 1.0), images[:, :, ::-1])


def test_each_jitter_changes_its_own_property():
    images = 0.3 + 0.3 * uniform(3, 200, SIZE, SIZE, 3)  # far from 0 and 1, where nothing is clipped
    key, weights = jax.random.key(1), np.asarray([0.299, 0.587, 0.114])
    before = np.asarray(images)

    def made(**most):
        return np.asarray(jitter_colours(key, images, Jitter(**most)))

    factors = (made(brightness=0.2) / before).reshape(200, -1)
    np.testing.assert_allclose(factors, factors[:, :1] * np.ones_like(factors), rtol=1e-4)
    assert 0.8 <= factors.min() < 0.85
    assert 1.15 < factors.max() <= 1.2
    contrasted = made(contrast=0.5)
    np.testing.assert_allclose(contrasted.mean(axis=(1, 2, 3)), before.mean(axis=(1, 2, 3)), rtol=1e-4)
    spread = contrasted.std(axis=(1, 2, 3)) / before.std(axis=(1, 2, 3))
    assert spread.min() < 0.6
    assert spread.max() > 1.4
    saturated = made(saturation=0.5)
    np.testing.assert_allclose(saturated @ weights, before @ weights, rtol=1e-4)
    assert np.abs(saturated - before).max() > 0.01
    np.testing.assert_allclose(made(), before, atol=1e-6)


def test_jitter_stays_in_the_range_and_leaves_grey_images_grey():
    images = uniform(4, 50, SIZE, SIZE)
    made = jitter_colours(jax.random.key(0), images, Jitter(1.0, 1.0, 1.0))
    assert (float(made.min()), float(made.max())) == (0.0, 1.0)


def _inverted(key, images):
    return 1.0 - images


@pytest.mark.parametrize("output", RANGES)
def test_target_and_input_have_the_same_colours_and_sides(output):
    low, high = RANGES[output]
    images = low + (high - low) * uniform(5, 30, SIZE, SIZE, 3)
    view = draw_view(
        jax.random.key(3),
        images,
        noise_std=0.0,
        max_shift=1,
        output=output,
        border="edge",
        flip=0.5,
        jitter=Jitter(0.3, 0.3, 0.3),
    )
    np.testing.assert_array_equal(view.seen, view.target)
    assert low <= float(view.target.min()) < float(view.target.max()) <= high
    assert float(jnp.abs(view.target - images).mean()) > 0.01
    plain = draw_view(jax.random.key(3), images, noise_std=0.0, max_shift=1, output=output, border="edge")
    turned = draw_view(
        jax.random.key(3), images, noise_std=0.0, max_shift=1, output=output, border="edge", transform=_inverted
    )
    np.testing.assert_allclose(turned.target, low + high - plain.target, atol=1e-6)
    np.testing.assert_array_equal(turned.seen, turned.target)
    tinted = draw_view(
        jax.random.key(3), images, noise_std=0.0, max_shift=1, output=output, border="edge", jitter=Jitter()
    )
    np.testing.assert_allclose(tinted.target, plain.target, atol=1e-6)
