"""Figures of runs and models: functions of arrays that return a `Figure`, without pyplot or global state."""

from aae_jax.plotting_backend import neutral_backend

with neutral_backend():
    from aae_jax.figures.classification import confusion_matrix, predicted_classes, reliability_diagram
    from aae_jax.figures.clusters import code_map, histogram, label_frequencies
    from aae_jax.figures.codes import code_histograms
    from aae_jax.figures.comparison import ablation, error_against_labels, error_curves, sweep_figure
    from aae_jax.figures.curves import learning_curves, train_and_validation_error, validation_error
    from aae_jax.figures.health import health_curves
    from aae_jax.figures.images import (
        MAX_IMAGES,
        first_layer_features,
        latent_interpolation,
        reconstructions,
        style_class_grid,
    )
    from aae_jax.figures.manifold import image_grid
    from aae_jax.figures.scatter import code_scatter
    from aae_jax.figures.style import save_figure

__all__ = [
    "MAX_IMAGES",
    "ablation",
    "code_histograms",
    "code_map",
    "code_scatter",
    "confusion_matrix",
    "error_against_labels",
    "error_curves",
    "first_layer_features",
    "health_curves",
    "histogram",
    "image_grid",
    "label_frequencies",
    "latent_interpolation",
    "learning_curves",
    "predicted_classes",
    "reconstructions",
    "reliability_diagram",
    "save_figure",
    "style_class_grid",
    "sweep_figure",
    "train_and_validation_error",
    "validation_error",
]
