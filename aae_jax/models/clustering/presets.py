"""Presets of clustering."""

import dataclasses

from aae_jax.config import NetworkConfig, ViewConfig
from aae_jax.models.clustering.config import ClusteringConfig, ClusteringOptimizers, ClusteringWeights
from aae_jax.models.shared.preset_parts import NOISY, adam, sgd

__all__ = ["PRESETS"]

CLUSTERS = ClusteringConfig(
    network=NetworkConfig(
        latent_dim=5, batch_norm=True, batch_norm_heads=True, discriminator_hidden=(500, 500), precision="auto"
    ),
    views=NOISY,
    optimizers=ClusteringOptimizers(reconstruction=adam(1e-4)),
    weights=ClusteringWeights(
        consistency=3.0, adversarial_norm=1.5, certainty=0.3, balance=10.0, generator_y_warmup=1.0
    ),
)
PAPER = ClusteringConfig(
    epochs=1500,
    network=NetworkConfig(
        hidden=(3000, 3000), latent_dim=5, batch_norm=True, batch_norm_heads=True, weight_init="paper"
    ),
    views=ViewConfig(noise_std=0.0, max_shift=0, dropout=0.2),
    optimizers=ClusteringOptimizers(
        reconstruction=sgd(0.01, 0.9),
        discriminator=sgd(0.1, 0.1),
        generator=sgd(0.1, 0.1),
        schedule="steps",
        drops=(50 / 1500,),
    ),
)
"""Makhzani et al. 2016, appendix A.3, as in later implementations: two layers of 3,000 units, batch norm in the
encoder and its heads, a style of five dimensions, dropout of a fifth of the input pixels, learning rates divided by
ten after 50 of 1,500 epochs."""
SHAHARAZULAY = ClusteringConfig(
    epochs=35,
    num_clusters=30,
    network=NetworkConfig(
        hidden=(3000, 3000),
        discriminator_hidden=(3000, 3000),
        latent_dim=5,
        batch_norm=True,
        batch_norm_heads=True,
        dropout=0.2,
    ),
    views=ViewConfig(noise_std=0.3, max_shift=0, noise_in="reconstruction"),
    optimizers=ClusteringOptimizers(
        reconstruction=adam(8e-4),
        discriminator=adam(2e-4),
        generator=adam(2e-3),
        schedule="constant",
    ),
    weights=ClusteringWeights(
        reconstruction_loss="bernoulli", style_penalty=0.15, style_penalty_kind="frobenius", mode_separation=1.0
    ),
)
"""shaharazulay/adversarial-autoencoder-classifier, unsupervised, with its published YAML file: style penalty and mode
separation are on, mutual information and mode decoder off. Differences: its loss is the mean over pixels, ours the
sum (equivalent under Adam). Its dropout is in the encoder's first layer only, ours in every hidden layer of encoder
and decoder. It updates the generator before the discriminators, which see codes normalised by running moments; ours
follow the paper's order and use batch moments."""


SIXTEEN = dataclasses.replace(
    CLUSTERS,
    num_clusters=16,
    views=dataclasses.replace(NOISY, noise_std=0.1),
    weights=dataclasses.replace(CLUSTERS.weights, balance_slack=0.1),
)
GRAPH = dataclasses.replace(
    CLUSTERS,
    views=dataclasses.replace(NOISY, noise_std=0.1),
    weights=dataclasses.replace(CLUSTERS.weights, balance=0.0, propagation=3.0, propagation_fade=1.0),
)
GRAPH_SHIFTS = dataclasses.replace(GRAPH, views=dataclasses.replace(GRAPH.views, max_shift=None))
SEPARATE = dataclasses.replace(
    GRAPH_SHIFTS,
    conditional=True,
    views=dataclasses.replace(GRAPH_SHIFTS.views, style_of="clean"),
    optimizers=dataclasses.replace(GRAPH_SHIFTS.optimizers, reconstruction=adam(1e-3), encoder_share=0.1),
    weights=dataclasses.replace(GRAPH_SHIFTS.weights, style_mmd=30.0, generated_label=1.0),
)
"""Style and cluster separated as in the default of `semi_supervised` (ADR 0022), with its rate of reconstruction: an
image's cluster decides its digit, its style how the digit is drawn."""
PRESETS: dict[str, tuple[ClusteringConfig, str]] = {
    "default": (SEPARATE, "30 clusters, begun with those of a graph of nearest neighbours, and styles without them"),
    "twenty": (dataclasses.replace(SEPARATE, num_clusters=20), "the same with 20 clusters"),
    "sixteen": (dataclasses.replace(SEPARATE, num_clusters=16), "the same with 16 clusters"),
    "ten": (dataclasses.replace(SEPARATE, num_clusters=10), "the same with 10 clusters"),
    "graph_shifts": (GRAPH_SHIFTS, "the default without the terms that separate style and cluster"),
    "graph": (GRAPH, "the same without random shifts"),
    "no_graph": (CLUSTERS, "30 clusters, consistent under noise and adversarial directions, without a graph"),
    "no_graph_sixteen": (SIXTEEN, "16 clusters, which ten classes cannot fill equally, less noise"),
    "plain": (
        dataclasses.replace(CLUSTERS, weights=ClusteringWeights()),
        "no_graph without consistency: the paper's losses alone",
    ),
    "shifts": (
        dataclasses.replace(CLUSTERS, views=dataclasses.replace(NOISY, max_shift=None)),
        "no_graph with random shifts",
    ),
    "modes": (
        dataclasses.replace(
            CLUSTERS, weights=dataclasses.replace(CLUSTERS.weights, cyclic=1.0, mode=1.0, mode_separation=1.0)
        ),
        "no_graph with all of shaharazulay's further phases",
    ),
    "paper": (PAPER, "the paper's settings as far as they are known"),
    "shaharazulay": (SHAHARAZULAY, "shaharazulay's settings by its YAML file"),
    "shaharazulay_all": (
        dataclasses.replace(
            SHAHARAZULAY,
            inverse_frequency=True,
            weights=dataclasses.replace(SHAHARAZULAY.weights, cyclic=1.0, mode=1.0),
        ),
        "the same with mutual information, mode decoder and sampling by inverse frequency",
    ),
    "smoke": (
        dataclasses.replace(
            CLUSTERS,
            epochs=2,
            batch_size=50,
            evaluate_every=1,
            judge_updates=0,
            num_clusters=12,
            neighbours=2,
            network=dataclasses.replace(CLUSTERS.network, latent_dim=2, hidden=(32, 32), discriminator_hidden=(16,)),
            weights=dataclasses.replace(
                CLUSTERS.weights, cyclic=1.0, mode=1.0, mode_separation=1.0, style_penalty=0.1
            ),
        ),
        "tiny networks and every phase for a few seconds: does everything run?",
    ),
}
