"""Figures of runs and models: arrays in, a `matplotlib.figure.Figure` out, without pyplot or global state."""

from aae_jax.figures.codes import code_histograms
from aae_jax.figures.comparison import ablation
from aae_jax.figures.curves import learning_curves, validation_error
from aae_jax.figures.images import reconstructions, style_class_grid
from aae_jax.figures.style import save_figure

__all__ = [
    "ablation",
    "code_histograms",
    "learning_curves",
    "reconstructions",
    "save_figure",
    "style_class_grid",
    "validation_error",
]
