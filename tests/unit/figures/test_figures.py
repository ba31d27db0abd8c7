"""Each figure has the panels, labels and data it should."""

import math

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from aae_jax import figures
from aae_jax.figures.style import COLOURS

UPDATES = np.arange(5) * 100
LOSSES = {
    "reconstruction/loss": np.array([5.0, 4.0, np.nan, 2.0, 1.0]),
    "discriminator_z/loss": np.linspace(0.5, 1.3, 5),
    "discriminator_y/loss": np.linspace(0.4, 1.2, 5),
    "generator/loss": np.linspace(3.0, 1.4, 5),
    "classification/loss": np.linspace(2.0, 1.0, 5),
    "classification/error": np.linspace(0.9, 0.1, 5),
}


def labelled(axes):
    """Return the lines of `axes` by their labels."""
    return {line.get_label(): line for line in axes.get_lines()}


def legend_texts(axes):
    """Return the texts of the legend of `axes`."""
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_learning_curves_has_a_panel_for_each_kind_of_phase():
    figure = figures.learning_curves(UPDATES, LOSSES)
    assert isinstance(figure, Figure)
    assert [axes.get_title("left") for axes in figure.axes] == [
        "Reconstruction",
        "Adversaries",
        "Classification",
    ]
    drawn = labelled(figure.axes[0])["reconstruction"].get_ydata()
    np.testing.assert_array_equal(drawn, LOSSES["reconstruction/loss"])
    assert len(figure.axes[2].get_lines()) == 1
    np.testing.assert_array_equal(
        labelled(figure.axes[2])["classification"].get_ydata(), LOSSES["classification/loss"]
    )


def test_learning_curves_of_two_discriminators_share_the_equilibrium_with_the_summed_generator():
    adversaries = figures.learning_curves(UPDATES, LOSSES).axes[1]
    texts = legend_texts(adversaries)
    assert texts == ["discriminator z", "discriminator y", "generator", "equilibrium: 2 ln 2 ≈ 1.386"]
    line = labelled(adversaries)[texts[-1]]
    assert line.get_linestyle() == "--"
    np.testing.assert_allclose(line.get_ydata(), 2 * math.log(2))


def test_learning_curves_of_one_discriminator_give_the_generator_half_the_equilibrium():
    losses = {name: LOSSES[name] for name in ("discriminator_z/loss", "generator/loss")}
    (adversaries,) = figures.learning_curves(UPDATES, losses).axes
    line = labelled(adversaries)["generator equilibrium: ln 2 ≈ 0.693"]
    np.testing.assert_allclose(line.get_ydata(), math.log(2))


def test_learning_curves_takes_given_equilibria():
    (adversaries,) = figures.learning_curves(
        UPDATES,
        {name: LOSSES[name] for name in ("discriminator_z/loss", "generator/loss")},
        equilibrium=1.5,
        generator_equilibrium=0.8,
    ).axes
    assert {"discriminator equilibrium: 1.500", "generator equilibrium: 0.800"} <= labelled(adversaries).keys()


def test_learning_curves_draws_seeds_as_mean_and_range_with_gaps():
    loss = np.array([[1.0, 3.0], [2.0, 4.0], [np.inf, 1.0], [1.0, 2.0], [1.0, 1.0]])
    (axes,) = figures.learning_curves(UPDATES, {"reconstruction/loss": loss}).axes
    np.testing.assert_array_equal(axes.get_lines()[0].get_ydata(), [2, 3, np.nan, 1.5, 1])
    (band,) = axes.collections
    heights = np.concatenate([path.vertices[:, 1] for path in band.get_paths()])
    assert (heights.min(), heights.max()) == (1, 4)


def test_learning_curves_marks_a_value_between_two_gaps():
    loss = np.array([1.0, np.nan, 2.0, np.nan, np.nan])
    (axes,) = figures.learning_curves(UPDATES, {"reconstruction/loss": loss}).axes
    assert axes.get_lines()[0].get_markevery() == [0, 2]


def test_learning_curves_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="No loss to draw"):
        figures.learning_curves(UPDATES, {"other/loss": UPDATES})
    with pytest.raises(ValueError, match="reconstruction/loss: expected updates"):
        figures.learning_curves(UPDATES, {"reconstruction/loss": np.ones(4)})


def test_validation_error_is_in_percent_with_baseline_and_one_test_point():
    error = np.array([0.10, 0.08, np.nan, 0.06, 0.05])
    figure = figures.validation_error(UPDATES, error, baseline_error=0.09, test_error=0.055, best_update=300)
    (axes,) = figure.axes
    lines = labelled(axes)
    np.testing.assert_allclose(lines["validation"].get_ydata(), 100 * error)
    np.testing.assert_allclose(lines["supervised baseline, validation: 9.00 %"].get_ydata(), 9)
    np.testing.assert_allclose(lines["best update: 300"].get_xdata(), 300)
    assert "final test error: 5.50 %" in legend_texts(axes)
    (point,) = [line for line in axes.get_lines() if line.get_marker() == "D"]
    np.testing.assert_allclose(point.get_xydata(), [[400, 5.5]])
    assert axes.get_yscale() == "linear"


def test_validation_error_of_seeds_has_band_bar_and_a_logarithmic_axis():
    error = np.geomspace(0.9, 0.02, 5)[:, np.newaxis] * np.array([0.9, 1.1])
    figure = figures.validation_error(UPDATES, error, baseline_error=[0.1, 0.2], test_error=[0.02, 0.04])
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    assert "final test error: 3.00 ± 1.41 %" in legend_texts(axes)
    np.testing.assert_allclose(labelled(axes)["supervised baseline, validation: 15.00 %"].get_ydata(), 15, rtol=1e-6)
    np.testing.assert_allclose(axes.get_lines()[0].get_ydata(), 100 * error.mean(axis=1))


def test_validation_error_of_nothing_finite_is_drawn_empty(tmp_path):
    nothing = np.full(5, np.nan)
    figure = figures.validation_error(UPDATES, nothing, baseline_error=math.nan, test_error=math.nan)
    assert legend_texts(figure.axes[0]) == ["validation"]
    figures.save_figure(figure, tmp_path / "empty")


@pytest.mark.parametrize(("count", "blocks"), [(1, 1), (10, 1), (13, 2), (25, 2)])
def test_reconstructions_puts_outputs_below_originals(count, blocks):
    images = np.linspace(0, 0.4, count)[:, None, None] * np.ones((count, 14, 14))
    figure = figures.reconstructions(images, images + 0.5)
    assert len(figure.axes) == blocks
    canvas = figure.axes[0].get_images()[0].get_array()
    columns = min(count, 10)
    assert canvas.shape == (2 * 14 + 1, columns * 15 - 1, 3)
    np.testing.assert_allclose(canvas[0, ::15, 0], images[:columns, 0, 0])
    np.testing.assert_allclose(canvas[15, ::15, 0], images[:columns, 0, 0] + 0.5)
    labels = [label.get_text() for label in figure.axes[-1].get_yticklabels()]
    assert labels == ["original", "reconstructed"]


def test_reconstructions_shows_pixels_that_are_not_finite():
    images = np.zeros((1, 14, 14))
    outputs = images.copy()
    outputs[0, 3, 4] = np.nan
    canvas = figures.reconstructions(images, outputs).axes[0].get_images()[0].get_array()
    np.testing.assert_allclose(canvas[15 + 3, 4], to_rgb(COLOURS["vermillion"]))


def test_reconstructions_refuses_unequal_shapes():
    with pytest.raises(ValueError, match="one shape"):
        figures.reconstructions(np.zeros((2, 4, 4)), np.zeros((3, 4, 4)))


def test_style_class_grid_has_styles_down_and_classes_across():
    images = np.arange(6).reshape(2, 3, 1, 1) / 10 * np.ones((2, 3, 14, 14))
    (axes,) = figures.style_class_grid(images, label_names=["zero", "one", "two"]).axes
    canvas = axes.get_images()[0].get_array()
    np.testing.assert_allclose(canvas[::15, ::15, 0], np.arange(6).reshape(2, 3) / 10)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["zero", "one", "two"]
    assert "style z" in axes.get_ylabel()
    with pytest.raises(ValueError, match="3 label names"):
        figures.style_class_grid(images, label_names=["zero"])


def test_code_histograms_compares_z_and_y_with_their_priors():
    z = np.random.default_rng(0).normal(size=(1000, 12)) * 5
    z[0, 0] = np.nan
    y = np.eye(4)[[0, 0, 1, 2]] * 0.7 + 0.075
    y[3] = np.nan
    figure = figures.code_histograms(z, prior_std=5, class_probabilities=y)
    assert len(figure.axes) == 10 + 2
    first, often, sure = figure.axes[0], *figure.axes[-2:]
    assert first.get_title().startswith("$z_{1}$, std ")
    prior = first.get_lines()[0]
    np.testing.assert_allclose(prior.get_ydata().max(), 1 / (5 * math.sqrt(2 * math.pi)))
    (steps,) = first.patches
    np.testing.assert_allclose(np.sum(steps.get_data().values * np.diff(steps.get_data().edges)), 1, atol=0.01)
    np.testing.assert_allclose([bar.get_height() for bar in often.patches], [2 / 3, 1 / 3, 0, 0])
    np.testing.assert_allclose(labelled(often)["prior, 1/4"].get_ydata(), 0.25)
    np.testing.assert_allclose(labelled(sure)["prior, one-hot: 1"].get_xdata(), 1)
    np.testing.assert_allclose(sure.patches[0].get_data().values.sum(), 1)
    assert sure.get_title("left").endswith("mean 0.775")


def test_code_histograms_without_y_and_with_nothing_finite(tmp_path):
    figure = figures.code_histograms(np.full((3, 7), np.nan), prior_std=1)
    assert len(figure.axes) == 7
    figures.save_figure(figure, tmp_path / "z")
    y = np.full((3, 10), np.nan)
    figures.save_figure(figures.code_histograms(np.ones((3, 2)), prior_std=1, class_probabilities=y), tmp_path / "y")


def test_code_histograms_refuses_wrong_input():
    with pytest.raises(ValueError, match="codes"):
        figures.code_histograms(np.zeros(3), prior_std=1)
    with pytest.raises(ValueError, match="prior_std"):
        figures.code_histograms(np.zeros((3, 2)), prior_std=0)
    with pytest.raises(ValueError, match="class_probabilities"):
        figures.code_histograms(np.zeros((3, 2)), prior_std=1, class_probabilities=np.zeros(3))


def test_ablation_draws_percent_in_the_given_order():
    rows = [("full", 0.02, 0.002), ("single run", 0.05, math.nan), ("diverged", math.nan, 0.1)]
    (axes,) = figures.ablation(rows).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["full", "single run", "diverged"]
    assert [text.get_text() for text in axes.texts] == ["2.00 ± 0.20", "5.00", "not finite"]
    dots = [line.get_xydata() for line in axes.get_lines() if line.get_marker() == "o"]
    np.testing.assert_allclose(np.concatenate(dots), [[2, 0], [5, 1]])
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    with pytest.raises(ValueError, match="at least one row"):
        figures.ablation([])


def test_errors_against_labels_are_dots_by_seed_and_a_line_through_their_means():
    found = {"ours": [(1000, [0.02, 0.04]), (100, [0.05, math.nan])], "alone": [(100, [0.3])]}
    (axes,) = figures.error_against_labels(found).axes
    lines = {line.get_label(): line.get_xydata() for line in axes.get_lines() if line.get_linestyle() == "-"}
    np.testing.assert_allclose(lines["ours"], [[100, 5], [1000, 3]])
    np.testing.assert_allclose(lines["alone"], [[100, 30]])
    dots = [line.get_xydata() for line in axes.get_lines() if line.get_marker() == "o"]
    np.testing.assert_allclose(np.concatenate(dots), [[100, 5], [1000, 2], [1000, 4], [100, 30]])
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    with pytest.raises(ValueError, match="at least one number of labels"):
        figures.error_against_labels({"ours": []})


def test_error_curves_stand_beside_what_others_reported():
    curves = {"ours": ([500, 1000], [[0.1, 0.2], [0.05, 0.07]]), "theirs": ([500], [0.3])}
    (axes,) = figures.error_curves(curves, milestones=[(500, 0.16), (2500, 0.03)], milestones_label="reported").axes
    lines = {line.get_label(): line.get_xydata() for line in axes.get_lines()}
    np.testing.assert_allclose(lines["ours"], [[500, 15], [1000, 6]])
    np.testing.assert_allclose(lines["theirs"], [[500, 30]])
    np.testing.assert_allclose(lines["reported"], [[500, 16], [2500, 3]])
    with pytest.raises(ValueError, match="at least one curve"):
        figures.error_curves({})
