"""Confusion matrix, images by predicted class, first-layer features, and walks between codes."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from aae_jax import figures
from aae_jax.figures.style import COLOURS

GENERATOR = np.random.default_rng(0)


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def canvas(figure):
    (image,) = figure.axes[0].get_images()
    return np.asarray(image.get_array())


def test_the_confusion_matrix_shows_counts_and_shares_of_the_true_class():
    counts = np.array([[8, 2, 0], [0, 0, 0], [1, 0, 3]])
    figure = figures.confusion_matrix(counts, label_names=["a", "b", "a long one"])
    assert texts(figure) == ["8", "2", "1", "3"]
    np.testing.assert_allclose(canvas(figure), [[0.8, 0.2, 0], [0, 0, 0], [0.25, 0, 0.75]])
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "a long one"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("true class", "predicted class")


def test_many_classes_are_drawn_without_numbers():
    assert texts(figures.confusion_matrix(np.ones((40, 40), int))) == []


@pytest.mark.parametrize(
    ("counts", "names"),
    [(np.ones((2, 3)), None), (np.ones(4), None), (np.ones((0, 0)), None), (np.ones((2, 2)), ["a"])],
)
def test_counts_that_make_no_matrix_are_refused(counts, names):
    with pytest.raises(ValueError, match="Expected"):
        figures.confusion_matrix(counts, label_names=names)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_mistakes_are_framed_and_come_first(channels):
    images = np.full((6, 14, 14, *channels), 0.25)
    predicted, labels = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 0, 1, 1, 1])
    drawn = canvas(figures.predicted_classes(images, predicted, labels))
    frame, tall = 1, 16
    first, second, third = (drawn[0, column * (tall + 1)] for column in range(3))
    np.testing.assert_allclose(first, to_rgb(COLOURS["vermillion"]))
    np.testing.assert_allclose([second, third], 1.0)
    np.testing.assert_allclose(drawn[frame, frame], 0.25)
    np.testing.assert_allclose(drawn[tall + 1, 0], 1.0)  # the second row has no mistakes
    np.testing.assert_allclose(drawn[0, 3 * (tall + 1) + frame], 1.0)  # and the first no fourth image


def test_at_most_half_are_mistakes_where_there_are_right_ones():
    labels = np.array([1] * 30 + [0] * 30)
    drawn = canvas(
        figures.predicted_classes(np.zeros((60, 14, 14)), np.zeros(60, int), labels, label_names=["a", "b"])
    )
    framed = [not np.allclose(drawn[0, column * 17], 1.0) for column in range(12)]
    assert framed == [True] * 6 + [False] * 6
    drawn = canvas(figures.predicted_classes(np.zeros((60, 14, 14)), np.zeros(60, int), np.ones(60, int)))
    assert all(not np.allclose(drawn[0, column * 17], 1.0) for column in range(12))


def test_images_without_a_label_are_no_mistakes():
    labels = np.array([-1] * 10 + [1] * 2)
    drawn = canvas(figures.predicted_classes(np.zeros((12, 14, 14)), np.zeros(12, int), labels))
    framed = [not np.allclose(drawn[0, column * 17], 1.0) for column in range(12)]
    assert framed == [True] * 2 + [False] * 10


def test_pictures_without_a_label_each_are_refused():
    with pytest.raises(ValueError, match="a prediction and a label"):
        figures.predicted_classes(np.zeros((3, 4, 4)), np.zeros(3, int), np.zeros(2, int))


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)])
def test_features_are_scaled_one_by_one_and_sorted(shape):
    pixels = int(np.prod(shape))
    kernel = GENERATOR.normal(size=(pixels + 7, 3)) * [1, 10, 0]
    drawn = canvas(figures.first_layer_features(kernel, shape))
    first = drawn[:4, :5]
    unit = kernel[:pixels, 1].reshape(shape)
    expected = 0.5 + 0.5 * unit / np.abs(unit).max()
    np.testing.assert_allclose(first, expected if len(shape) == 3 else np.repeat(expected[..., None], 3, axis=-1))
    np.testing.assert_allclose(drawn[:4, 2 * 6 : 2 * 6 + 5], 0.5)  # a unit without weights is grey


@pytest.mark.parametrize(
    ("kernel", "shape"), [((10, 3), (4, 5)), ((20, 0), (4, 5)), ((20,), (4, 5)), ((20, 3), (20,))]
)
def test_kernels_that_are_no_pictures_are_refused(kernel, shape):
    with pytest.raises(ValueError, match="Expected a kernel"):
        figures.first_layer_features(np.ones(kernel), shape)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_walk_stands_between_its_ends(channels):
    steps, ends = GENERATOR.uniform(size=(2, 3, 4, 4, *channels)), GENERATOR.uniform(size=(2, 2, 4, 4, *channels))
    drawn = canvas(figures.latent_interpolation(steps, ends))
    tiles = [drawn[5 : 5 + 4, column * 5 : column * 5 + 4, 0] for column in range(5)]
    second = [ends[1, 0], *steps[1], ends[1, 1]]
    np.testing.assert_allclose(tiles, [tile if tile.ndim == 2 else tile[..., 0] for tile in second])
    with pytest.raises(ValueError, match="Expected images"):
        figures.latent_interpolation(steps, ends[:1])


def test_train_and_validation_error_are_percent():
    figure = figures.train_and_validation_error([10, 20], [0.5, 0.25], [[0.4, 0.6], [0.2, 0.4]])
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].get_lines()}
    np.testing.assert_allclose(lines["validation"], [50, 30])
    np.testing.assert_allclose(lines["labelled batches in training (noisy views)"], [50, 25])
    assert figure.axes[0].get_ylim()[0] == 0
