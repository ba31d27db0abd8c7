"""Figures of codes, of their health, and of what is decoded from chosen ones."""

import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax import figures
from aae_jax.data import stored
from aae_jax.data.stored import StoredImages
from aae_jax.figures.of_models.codes import _nearest


def test_codes_and_samples_share_a_scale():
    draw = np.random.default_rng(0)
    codes, labels = draw.normal(size=(90, 3)), np.repeat(np.arange(3), 30)
    codes[0] = np.nan
    figure = figures.code_scatter(codes, labels, samples=5 * draw.normal(size=(50, 3)), label_names=list("abc"))
    left, right = figure.axes
    assert left.get_xlim() == right.get_xlim() == right.get_ylim()
    assert left.get_xlim()[1] > 10
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["a", "b", "c"]
    assert [len(points.get_offsets()) for points in left.collections] == [30, 30, 30]
    assert "2 of 3 dimensions" in left.get_title("left")
    assert len(right.collections[0].get_offsets()) == 50


def test_codes_alone_have_one_panel_and_many_classes_no_legend():
    figure = figures.code_scatter(np.random.default_rng(0).normal(size=(40, 2)), np.arange(40))
    (axes,) = figure.axes
    assert axes.get_legend() is None
    assert len(axes.collections) == 40


def test_a_scatter_of_nothing_finite_can_be_drawn(tmp_path):
    figures.save_figure(figures.code_scatter(np.full((3, 2), np.nan), np.zeros(3, int)), tmp_path / "nothing")
    assert (tmp_path / "nothing.png").stat().st_size > 0


@pytest.mark.parametrize(
    ("codes", "labels", "samples", "words"),
    [
        (np.zeros((3, 1)), np.zeros(3, int), None, "2 or more"),
        (np.zeros((0, 2)), np.zeros(0, int), None, "n > 0"),
        (np.zeros((3, 2)), np.zeros(4, int), None, "labels"),
        (np.zeros((3, 2)), np.zeros(3, int), np.zeros((5, 3)), r"samples \[m, 2\]"),
    ],
)
def test_a_scatter_refuses_wrong_shapes(codes, labels, samples, words):
    with pytest.raises(ValueError, match=words):
        figures.code_scatter(codes, labels, samples=samples)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_grid_has_its_rows_and_columns(channels):
    shades = np.arange(6).reshape(2, 3, 1, 1, *(1 for _ in channels)) / 10
    figure = figures.image_grid(
        shades * np.ones((2, 3, 14, 14, *channels)), title="Walks", across="step", down="part"
    )
    (axes,) = figure.axes
    canvas = axes.get_images()[0].get_array()
    np.testing.assert_allclose(canvas[::15, ::15, 0], np.arange(6).reshape(2, 3) / 10)
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.figure.get_suptitle()) == ("step", "part", "Walks")
    with pytest.raises(ValueError, match="rows, columns"):
        figures.image_grid(np.zeros((2, 14, 14)), title="Walks")


@pytest.mark.parametrize("count", [1, 7])
def test_several_grids_stand_under_their_names(count):
    shades = np.arange(count).reshape(count, 1, 1, 1, 1) / 10 * np.ones((count, 2, 3, 14, 14))
    figure = figures.image_grids(shades, title="Parts", names=[f"part {i}" for i in range(count)], across="along")
    shown = [axes for axes in figure.axes if axes.get_images()]
    assert [axes.get_title("left") for axes in shown] == [f"part {i}" for i in range(count)]
    for place, axes in enumerate(shown):
        np.testing.assert_allclose(axes.get_images()[0].get_array()[::15, ::15, 0], np.full((2, 3), place / 10))
    assert figure.get_size_inches()[0] <= 9
    with pytest.raises(ValueError, match="a name for each"):
        figures.image_grids(shades, title="", names=[])
    with pytest.raises(ValueError, match="grids, rows, columns"):
        figures.image_grids(shades[0], title="", names=["a"])


@pytest.mark.parametrize("size", [(1, 1), (40, 2), (2, 40)])
def test_a_grid_stays_within_a_page(size):
    figure = figures.image_grid(np.zeros((*size, 28, 28)), title="")
    width, height = figure.get_size_inches()
    assert width <= 9
    assert height <= 10


def test_health_shows_discrepancy_deviations_and_accuracies():
    updates, draw = np.arange(4) * 10, np.random.default_rng(0)
    accuracies = {"discriminator of z": draw.random((4, 2)), "discriminator of y": draw.random(4)}
    figure = figures.health_curves(
        updates, discrepancy=draw.random((4, 2)), std_ratios=draw.random((4, 3)), accuracies=accuracies
    )
    nearness, deviations, told = figure.axes
    assert "discrepancy" in nearness.get_title("left")
    assert len(deviations.get_lines()) == 3 + 1
    assert {text.get_text() for text in told.get_legend().get_texts()} == {*accuracies, "fooled: 0.5"}
    alone = figures.health_curves(updates, discrepancy=draw.random(4), std_ratios=draw.random((4, 1)), accuracies={})
    assert len(alone.axes) == 2
    with pytest.raises(ValueError, match="std_ratios"):
        figures.health_curves(updates, discrepancy=draw.random(4), std_ratios=draw.random((3, 1)), accuracies={})


def test_pairs_are_named():
    figure = figures.reconstructions(np.zeros((3, 4, 4)), np.zeros((3, 4, 4)), names=("sample", "nearest"))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["sample", "nearest"]


def test_the_nearest_of_streamed_images_is_found_part_by_part(monkeypatch):
    monkeypatch.setattr(stored, "PART_BYTES", 100)
    images = np.random.default_rng(0).integers(0, 256, (90, 4, 4)).astype(np.uint8)
    rows = np.random.default_rng(1).permutation(90).astype(np.int32)[:70]
    made = images[rows[[60, 3, 41]]] / np.float32(255) + np.float32(0.01)
    wanted = _nearest(made, jnp.asarray(images[rows]))
    np.testing.assert_array_equal(wanted, [60, 3, 41])
    np.testing.assert_array_equal(_nearest(made, StoredImages(images, rows)), wanted)
