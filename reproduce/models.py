"""Rows of the table of all models, the runs behind the gallery: at most twenty minutes each on two cores."""

from dataclasses import dataclass
from typing import ClassVar

__all__ = ["MODELS", "ModelRow"]


@dataclass(frozen=True)
class ModelRow:
    """One run of an experiment: a preset with `flags`, of `epochs` passes over the pool, or as a budget allows."""

    name: str
    experiment: str
    """Name of its model (`aae_jax.models.MODELS`)."""
    preset: str
    epochs: int
    title: str
    """What it shows, in a few words."""
    figures: tuple[str, ...]
    """Those of its figures that the gallery shows."""
    seeds: int = 1
    flags: tuple[str, ...] = ()
    visualized: tuple[str, ...] = ()
    """Figures that `aae-jax visualize` makes of its saved model, and the gallery shows."""
    dataset: ClassVar[None] = None
    recipe: ClassVar[None] = None

    def arguments(self, epochs: int) -> list[str]:
        """Return the command line of the row when it makes so many passes."""
        return ["--preset", self.preset, "--epochs", str(epochs), *self.flags]


CURVES = ("first_layer_features", "learning_curves", "health")
MODELS = (
    ModelRow(
        "autoencoder",
        "autoencoder",
        "default",
        10,
        "A plain autoencoder: its code is unconstrained",
        ("code_scatter", "reconstructions"),
    ),
    ModelRow(
        "autoencoder-denoising", "autoencoder", "denoising", 10, "A denoising autoencoder", ("reconstructions",)
    ),
    ModelRow(
        "vae",
        "autoencoder",
        "vae",
        10,
        "The variational autoencoder, a Gaussian prior (figure 2c of the paper)",
        ("code_scatter",),
    ),
    ModelRow(
        "vae-mixture",
        "autoencoder",
        "vae_mixture",
        10,
        "The variational autoencoder, ten Gaussians (figure 2d)",
        ("code_scatter",),
    ),
    ModelRow(
        "unsupervised",
        "unsupervised",
        "default",
        20,
        "The adversarial autoencoder, a Gaussian prior (figures 1 and 2a)",
        ("code_scatter", "samples", "manifold", "manifold_percentiles", "latent_interpolation", *CURVES),
    ),
    ModelRow(
        "unsupervised-mixture",
        "unsupervised",
        "mixture",
        10,
        "The adversarial autoencoder, ten Gaussians (figure 2b)",
        ("code_scatter", "walks", "part_manifolds"),
    ),
    ModelRow(
        "unsupervised-umbrella",
        "unsupervised",
        "umbrella",
        10,
        "hrenski's ring of Gaussians, the paper's losses alone",
        ("code_scatter",),
    ),
    ModelRow(
        "unsupervised-uniform",
        "unsupervised",
        "uniform",
        10,
        "A uniform prior, the paper's losses alone",
        ("code_scatter", "samples_beside_nearest"),
    ),
    ModelRow(
        "unsupervised-gaussian-posterior",
        "unsupervised",
        "gaussian_posterior",
        10,
        "A Gaussian posterior for each image; a Gaussian prior",
        ("code_scatter",),
    ),
    ModelRow(
        "unsupervised-universal",
        "unsupervised",
        "universal",
        10,
        "A posterior of any shape: noise is a further input of the encoder",
        ("code_scatter",),
    ),
    ModelRow(
        "unsupervised-hrenski",
        "unsupervised",
        "hrenski",
        54,
        "One step for reconstruction and a tenth of the generator's loss, as in hrenski's implementation",
        ("code_scatter",),
    ),
    ModelRow(
        "unsupervised-roll",
        "unsupervised",
        "swiss_roll",
        10,
        "The adversarial autoencoder, a swiss roll (the prior of figure 4c, d, without labels)",
        ("code_scatter", "walks", "samples_beside_nearest"),
    ),
    ModelRow(
        "unsupervised-own",
        "unsupervised",
        "default",
        10,
        "A custom prior, given by a function in a file: a heart",
        ("code_scatter", "manifold"),
        flags=("--prior.kind", "samples", "--prior.file", "docs/examples/heart.py:heart"),
    ),
    ModelRow(
        "label-regularized",
        "label_regularized",
        "default",
        10,
        "Ten Gaussians, one per digit, from 10,000 labels (figures 3 and 4a, b)",
        ("code_scatter", "manifold", "walks"),
        seeds=3,
    ),
    ModelRow(
        "label-regularized-roll",
        "label_regularized",
        "swiss_roll",
        10,
        "A swiss roll, a tenth of it per digit, from 10,000 labels (figure 4c, d)",
        ("code_scatter", "walks"),
    ),
    ModelRow(
        "supervised",
        "supervised",
        "default",
        20,
        "The decoder takes the label: a style of 15 dimensions (figures 6 and 7); the adversary sees the label too",
        ("style_class_grid", "style_transfer", "code_histograms"),
    ),
    ModelRow("supervised-10", "supervised", "ten", 30, "The same with 10 dimensions", ("style_class_grid",)),
    ModelRow(
        "supervised-10-plain",
        "supervised",
        "plain_ten",
        30,
        "The same with an adversary of the style alone, as in the paper: how much of the label remains in it",
        ("style_class_grid",),
    ),
    ModelRow(
        "semi-supervised",
        "semi_supervised",
        "few_labels",
        8,
        "A hundred labels (figure 8)",
        (
            "style_class_grid",
            "train_and_validation_error",
            "confusion_matrix",
            "reliability_diagram",
            "predicted_classes",
        ),
        flags=("--labels", "100"),
    ),
    ModelRow(
        "clustering-30",
        "clustering",
        "default",
        10,
        "Thirty clusters, no labels (figure 9)",
        ("cluster_heads", "style_class_grid", "validation_error", "health"),
        seeds=3,
    ),
    ModelRow(
        "clustering-16",
        "clustering",
        "sixteen",
        10,
        "Sixteen clusters, no labels",
        ("cluster_heads", "style_class_grid"),
        seeds=3,
        visualized=(
            "latent_features_tsne",
            "predicted_label_distribution",
            "y_distribution",
            "z_distribution",
            "modes_and_samples_from_each_label",
            "learned_latent_features",
            "reconstruction_example",
        ),
    ),
    ModelRow(
        "clustering-30-no-graph",
        "clustering",
        "no_graph",
        32,
        "Thirty clusters by the discriminators and consistency alone",
        ("cluster_heads", "style_class_grid", "validation_error", "health"),
        seeds=3,
    ),
    ModelRow(
        "clustering-16-no-graph",
        "clustering",
        "no_graph_sixteen",
        24,
        "Sixteen clusters by the discriminators and consistency alone",
        ("cluster_heads",),
        seeds=3,
    ),
    ModelRow(
        "clustering-16-graph",
        "clustering",
        "graph",
        10,
        "Sixteen clusters, initialised from those of a graph of nearest neighbours",
        ("cluster_heads",),
        seeds=3,
        flags=("--num-clusters", "16"),
    ),
    ModelRow(
        "clustering-16-graph-shifts",
        "clustering",
        "graph_shifts",
        10,
        "The same with random shifts of up to two pixels",
        ("cluster_heads",),
        seeds=3,
        flags=("--num-clusters", "16"),
    ),
    ModelRow(
        "clustering-30-graph",
        "clustering",
        "graph",
        10,
        "Thirty clusters, initialised from those of the graph",
        ("cluster_heads",),
        seeds=3,
    ),
    ModelRow(
        "clustering-modes",
        "clustering",
        "modes",
        8,
        "Thirty clusters with shaharazulay's further phases: the learned modes",
        ("learned_modes",),
    ),
    ModelRow(
        "dim-reduction-1000",
        "dim_reduction",
        "default",
        10,
        "Two dimensions, 1,000 labels (figure 11)",
        ("embedding", "manifold"),
        seeds=3,
    ),
    ModelRow(
        "dim-reduction-100", "dim_reduction", "labels_100", 10, "Two dimensions, 100 labels", ("embedding",), seeds=3
    ),
    ModelRow(
        "dim-reduction-clusters",
        "dim_reduction",
        "clusters",
        10,
        "Two dimensions, 20 clusters, no labels",
        ("embedding", "cluster_heads"),
    ),
    ModelRow(
        "dim-reduction-clusters-graph",
        "dim_reduction",
        "clusters_graph",
        10,
        "The same, initialised from the clusters of a graph of nearest neighbours",
        ("embedding",),
    ),
    ModelRow(
        "dim-reduction-10d",
        "dim_reduction",
        "ten_dimensions",
        10,
        "Ten dimensions, 100 labels, projected so that the heads form a circle",
        ("circle_projection",),
    ),
    ModelRow(
        "likelihood",
        "likelihood",
        "default",
        24,
        "The log-likelihood by Parzen windows, 10,000 samples (table 1; figure 5: samples next to training images)",
        ("samples_beside_nearest", "reconstructions"),
        seeds=3,
    ),
)
"""In the order of the gallery."""
