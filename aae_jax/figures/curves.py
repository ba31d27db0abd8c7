"""Learning curves: losses and errors of a run over its updates."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from aae_jax.figures.series import as_series, draw_series, finite_mean_std, log_y_if_wide, update_axis
from aae_jax.figures.style import COLOURS, colour, legend_above, legend_name, new_figure, tidy

__all__ = ["learning_curves", "train_and_validation_error", "validation_error"]

_PANELS = {
    "Reconstruction": ("reconstruction",),
    "Adversaries": ("discriminator", "generator"),
    "Classification": ("classification",),
}


def learning_curves(
    updates: ArrayLike,
    losses: Mapping[str, ArrayLike],
    *,
    equilibrium: float = 2 * math.log(2),
    generator_equilibrium: float | None = None,
) -> Figure:
    """Draw the losses of each phase over updates, those of the adversaries with their equilibria.

    Reconstruction, adversaries and classification have one panel each, if present in `losses`. Only
    names whose metric starts with "loss" are drawn. Non-finite values leave gaps.

    Args:
        updates: Update numbers, [n].
        losses: Losses [n], or [n, seeds] for a mean line within the seeds' range, by "phase/metric" such as
            "reconstruction/loss", "discriminator_z/loss", "generator/loss", "classification/loss".
        equilibrium: Value of a discriminator's summed cross-entropy when it cannot tell codes from samples.
        generator_equilibrium: The same for a generator's loss; by default half of `equilibrium` for each
            discriminator that the loss sums over ("generator/loss" over all, "generator_z/loss" over one).

    Raises:
        ValueError: No name can be drawn, or the shapes do not match.
    """
    panels = {title: _members(losses, phases) for title, phases in _PANELS.items()}
    panels = {title: names for title, names in panels.items() if names}
    if not panels:
        raise ValueError(f"No loss to draw among {sorted(losses)}; name them such as 'reconstruction/loss'.")
    figure = new_figure(height=0.6 + 1.9 * len(panels))
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)
    for axes, (title, names) in zip(grid[:, 0], panels.items(), strict=True):
        for index, name in enumerate(names):
            x, y = as_series(updates, losses[name], name=name)
            draw_series(axes, x, y, colour=colour(index), label=_spoken(name))
        if title == "Adversaries":
            _draw_equilibria(axes, names, equilibrium, generator_equilibrium)
        else:
            log_y_if_wide(axes, *(losses[name] for name in names))
        axes.set_ylabel("loss")
        tidy(axes, title=title)
        if len(names) > 1 or title == "Adversaries":
            legend_above(axes, columns=2)
    update_axis(grid[-1, 0])
    figure.align_ylabels()
    return figure


def _members(losses: Mapping[str, ArrayLike], phases: tuple[str, ...]) -> list[str]:
    chosen = []
    for phase in phases:
        names = [name for name in losses if name.split("/")[0].split("_")[0] == phase]
        chosen += [name for name in names if name.partition("/")[2].startswith("loss")]
    return chosen


def _spoken(name: str) -> str:
    phase, _, metric = name.partition("/")
    return legend_name(f"{phase}{metric.removeprefix('loss')}".replace("_", " "))


def _draw_equilibria(axes: Axes, names: list[str], discriminator: float, generator: float | None) -> None:
    discriminators = [name for name in names if name.startswith("discriminator")]
    lines: dict[float, list[str]] = {}
    if discriminators:
        lines[discriminator] = ["discriminator"]
    for name in names:
        if name.startswith("generator"):
            summed = max(len(discriminators), 1) if name == "generator/loss" else 1
            value = summed * discriminator / 2 if generator is None else generator
            owners = lines.setdefault(value, [])
            if "generator" not in owners:
                owners.append("generator")
    for style, (value, owners) in zip(("--", ":", "-."), sorted(lines.items(), reverse=True), strict=False):
        owner = "equilibrium" if len(lines) == 1 else f"{owners[0]} equilibrium"
        label = f"{owner}: {_as_logarithm(value)}"
        axes.axhline(value, color=COLOURS["black"], linestyle=style, linewidth=1.2, label=label, zorder=1.5)


def _as_logarithm(value: float) -> str:
    multiple = value / math.log(2)
    if multiple < 0.5 or not math.isclose(multiple, round(multiple), rel_tol=1e-6):
        return f"{value:.3f}"
    return f"{'' if round(multiple) == 1 else f'{round(multiple)} '}ln 2 ≈ {value:.3f}"


def validation_error(
    updates: ArrayLike,
    error: ArrayLike,
    *,
    baseline_error: ArrayLike,
    test_error: ArrayLike,
    best_update: float | None = None,
) -> Figure:
    """Draw the validation error in percent over updates, the supervised baseline and the final test error.

    The y axis is logarithmic if the values span more than a decade. The deviation is the sample standard deviation.

    Args:
        updates: Update numbers, [n].
        error: Validation error as a fraction, [n], or [n, seeds] for a mean line within the seeds' range.
        baseline_error: Validation error of the supervised baseline as a fraction, one or [k] for their mean.
        test_error: Final test error as a fraction, one or [k] for their mean and standard deviation; drawn
            as one point at the last update, or omitted if there is none ([0], or NaN).
        best_update: Update of the best weights, marked by a vertical line if given.

    Raises:
        ValueError: The shapes do not match.
    """
    x, fractions = as_series(updates, error, name="error")
    percent = 100 * fractions
    baseline, _ = finite_mean_std(100 * np.asarray(baseline_error, dtype=np.float64))
    test, deviation = finite_mean_std(100 * np.asarray(test_error, dtype=np.float64))
    figure = new_figure(height=4.2)
    axes = figure.subplots()
    seeds = f" (mean and range of {percent.shape[1]} seeds)" if percent.shape[1] > 1 else ""
    draw_series(axes, x, percent, colour=COLOURS["blue"], label=f"validation{seeds}")
    if math.isfinite(baseline):
        label = f"supervised baseline, validation: {baseline:.2f} %"
        axes.axhline(baseline, color=COLOURS["black"], linestyle="--", linewidth=1.2, label=label)
    if best_update is not None:
        label = f"best update: {best_update:,.0f}"
        axes.axvline(best_update, color=COLOURS["green"], linestyle=":", linewidth=1.5, label=label)
    log_y_if_wide(axes, percent, baseline, test)
    if math.isfinite(test):
        _draw_test_point(axes, float(x[-1]), test, deviation)
    axes.set_ylabel("error (%)")
    update_axis(axes)
    tidy(axes)
    legend_above(axes, columns=2)
    return figure


def train_and_validation_error(updates: ArrayLike, train: ArrayLike, validation: ArrayLike) -> Figure:
    """Draw the error in percent on the labelled batches (augmented views) and on the validation images.

    Args:
        updates: Update numbers, [n].
        train: Training error as a fraction, [n] or [n, seeds].
        validation: Validation error as a fraction, of the same shape.

    Raises:
        ValueError: The shapes do not match.
    """
    x, fractions = as_series(updates, validation, name="validation")
    _, trained = as_series(updates, train, name="train")
    figure = new_figure(height=3.6)
    axes = figure.subplots()
    draw_series(axes, x, 100 * fractions, colour=COLOURS["blue"], label="validation")
    draw_series(axes, x, 100 * trained, colour=COLOURS["orange"], label="labelled batches in training (noisy views)")
    axes.set_ylabel("error (%)")
    axes.set_ylim(bottom=0)
    update_axis(axes)
    tidy(axes)
    legend_above(axes, columns=2)
    return figure


def _draw_test_point(axes: Axes, update: float, mean: float, deviation: float) -> None:
    spread = f" ± {deviation:.2f}" if deviation > 0 else ""
    axes.errorbar(
        [update],
        [mean],
        yerr=[deviation] if deviation > 0 else None,
        color=COLOURS["vermillion"],
        marker="D",
        markersize=6,
        capsize=4,
        linestyle="none",
        label=f"final test error: {mean:.2f}{spread} %",
        zorder=5,
    )
