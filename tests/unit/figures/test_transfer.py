"""The figure of transfer: bars of test images, rings of training images."""

import numpy as np
import pytest

from aae_jax import figures


def row(name, train, test):
    return name, {"auroc": train, "accuracy": train}, {"auroc": test, "accuracy": test}


def test_bars_are_of_test_images_and_rings_of_training_images():
    tasks = {"ten": [row("codes", 1.0, 0.8), row("pixels", 0.9, 0.75)], "cars or ships": [row("codes", 0.95, 0.9)]}
    figure = figures.transfer_results(tasks, highlighted=["codes"])
    area, accuracy = figure.axes[:2]
    assert [bar.get_x() for bar in area.patches] == [50, 50]
    np.testing.assert_allclose([bar.get_width() for bar in area.patches], [30, 25])
    np.testing.assert_allclose([bar.get_width() for bar in accuracy.patches], [80, 75])
    assert area.patches[0].get_facecolor() != area.patches[1].get_facecolor()
    (rings,) = (line for line in accuracy.lines if len(line.get_xdata()) == 2)
    np.testing.assert_allclose(rings.get_xdata(), [100, 90])
    assert [text.get_text() for text in accuracy.texts] == ["80.0", "75.0"]
    assert [label.get_text() for label in area.get_yticklabels()] == ["codes", "pixels"]
    assert len(figure.axes) == 4


def test_an_area_below_chance_is_drawn_from_zero():
    area = figures.transfer_results({"two": [row("codes", 0.9, 0.4)]}).axes[0]
    assert [bar.get_x() for bar in area.patches] == [0]


@pytest.mark.parametrize("tasks", [{}, {"ten": []}])
def test_nothing_cannot_be_drawn(tasks):
    with pytest.raises(ValueError, match="at least one row"):
        figures.transfer_results(tasks)
