"""Figures of classes and clusters: t-SNE map of codes, label frequencies, histograms."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from aae_jax.figures.scatter import code_scatter
from aae_jax.figures.style import COLOURS, caption, letters, literals, new_figure, room, tidy

__all__ = ["code_map", "histogram", "label_frequencies"]


def code_map(codes: ArrayLike, labels: ArrayLike, *, label_names: Sequence[str] | None = None) -> Figure:
    """Draw codes of any dimension in the plane by t-SNE (van der Maaten and Hinton 2008), coloured by class.

    Args:
        codes: Codes, [n, d]; t-SNE is slower than linear in n, so pass one or two thousand.
        labels: Classes, [n].
        label_names: Names of the classes; defaults to their numbers.

    Raises:
        ValueError: A shape is not as above, there are fewer than 4 codes, all are equal, or some are not finite.
    """
    points = np.asarray(codes, dtype=np.float64)
    if points.ndim != 2 or len(points) < 4 or not np.isfinite(points).all() or not points.std():
        raise ValueError(f"Expected finite codes [4 or more, d] that are not all the same; got {points.shape}.")
    from sklearn.manifold import TSNE  # slow to import

    perplexity = min(30.0, (len(points) - 1) / 3)
    placed = TSNE(2, random_state=0, init="pca" if points.shape[1] > 1 else "random", perplexity=perplexity)
    return code_scatter(
        placed.fit_transform(points),
        labels,
        label_names=label_names,
        title="Codes by t-SNE",
        coordinates=("t-SNE 1", "t-SNE 2"),
    )


def label_frequencies(counts: ArrayLike, *, label_names: Sequence[str] | None = None) -> Figure:
    """Draw the number of images of each label, with a line at the uniform frequency.

    Args:
        counts: Numbers of images, [labels].
        label_names: Names of the labels; defaults to their numbers.

    Raises:
        ValueError: `counts` is empty, or there is not one name per label.
    """
    numbers = np.asarray(counts)
    names = literals(map(str, range(len(numbers))) if label_names is None else label_names)
    if numbers.ndim != 1 or not len(numbers) or len(names) != len(numbers):
        raise ValueError(f"Expected counts [labels] and a name for each; got {numbers.shape} and {len(names)}.")
    figure = new_figure(height=3.2 + room(names))
    axes = figure.subplots()
    axes.bar(np.arange(len(numbers)), numbers, color=COLOURS["blue"])
    axes.axhline(numbers.mean(), color=COLOURS["black"], linestyle="--", linewidth=1.0)
    axes.set_xticks(np.arange(len(numbers)), names, rotation=90 if max(map(letters, names)) > 3 else 0)
    axes.set(xlabel="label", ylabel="images")
    tidy(axes, title="Images by their most probable label")
    return figure


def histogram(values: ArrayLike, *, title: str, xlabel: str, bins: int = 15) -> Figure:
    """Draw a histogram of the finite values.

    Raises:
        ValueError: No value is finite.
    """
    numbers = np.asarray(values, dtype=np.float64).ravel()
    numbers = numbers[np.isfinite(numbers)]
    if not numbers.size:
        raise ValueError("Expected finite values; got none.")
    figure = new_figure(width=4.9, height=3.2)
    axes = figure.subplots()
    axes.hist(numbers, bins=bins, color=COLOURS["blue"])
    axes.set(xlabel=caption(xlabel), ylabel="images")
    tidy(axes, title=title)
    return figure
