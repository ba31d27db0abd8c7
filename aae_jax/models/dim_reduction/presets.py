"""Presets of dimensionality reduction."""

import dataclasses

from aae_jax.config import NetworkConfig, ViewConfig
from aae_jax.models.clustering.presets import GRAPH
from aae_jax.models.dim_reduction.config import DimReductionConfig, DimReductionOptimizers, DimReductionWeights
from aae_jax.models.shared.preset_parts import NOISY, adam, sgd

__all__ = ["PRESETS"]

HEADS = DimReductionConfig(
    labels=1000,
    class_prior="auto",
    network=NetworkConfig(latent_dim=2, batch_norm=True, discriminator_hidden=(500, 500), precision="auto"),
    views=NOISY,
    optimizers=DimReductionOptimizers(reconstruction=adam(1e-4)),
    weights=DimReductionWeights(consistency=3.0, consistency_target="clean", confidence=0.9, propagation=3.0),
)
MUSYOKU = DimReductionConfig(
    labels=100,
    epochs=500,
    least_distance=1.0,
    network=NetworkConfig(latent_dim=2, weight_init="paper", discriminator_noise=0.3),
    views=ViewConfig(noise_std=0.0, max_shift=0),
    optimizers=DimReductionOptimizers(
        reconstruction=sgd(0.01, 0.9, clip_norm=5.0),
        discriminator=sgd(0.1, 0.1, clip_norm=5.0),
        generator=sgd(0.1, 0.1, clip_norm=5.0),
        classification=sgd(0.1, 0.9, clip_norm=5.0),
        head_distance=sgd(0.01, 0.9, clip_norm=5.0),
        schedule="steps",
        drops=(0.1,),
    ),
    weights=DimReductionWeights(),
)
"""musyoku/adversarial-autoencoder, semi-supervised dimensionality reduction. Corrected: its learning-rate drops,
which wrong indentation disabled, take effect. It clips encoder, decoder and heads separately, and its loss is a mean
over pixels; ours is the sum, and its gradient is clipped as a whole, so reconstruction updates are smaller."""
SEPARATE = dataclasses.replace(
    HEADS,
    conditional=True,
    least_distance=6.0,  # in standard deviations of the style: classes do not overlap
    views=dataclasses.replace(HEADS.views, style_of="clean"),
    optimizers=dataclasses.replace(
        HEADS.optimizers, reconstruction=adam(1e-3), head_distance=adam(1e-2), encoder_share=0.1
    ),
    weights=dataclasses.replace(HEADS.weights, style_mmd=30.0, generated_label=1.0),
)
"""Style and class separated as in the default of `semi_supervised` (ADR 0022), and heads so far apart that the styles
of one class do not reach another's."""
PRESETS: dict[str, tuple[DimReductionConfig, str]] = {
    "default": (HEADS, "two dimensions, 1,000 labels, as in figure 11a of the paper"),
    "separate": (SEPARATE, "the same with classes that do not overlap and styles without the class"),
    "labels_100": (dataclasses.replace(HEADS, labels=100), "the default with 100 labels, as in figure 11b"),
    "clusters": (
        dataclasses.replace(
            HEADS,
            num_clusters=20,
            weights=DimReductionWeights(
                consistency=3.0, adversarial_norm=1.5, certainty=0.3, balance=10.0, generator_y_warmup=1.0
            ),
        ),
        "two dimensions, 20 clusters, no labels, as in figure 11c",
    ),
    "clusters_graph": (
        dataclasses.replace(
            HEADS,
            num_clusters=20,
            views=GRAPH.views,
            weights=DimReductionWeights(
                consistency=3.0,
                adversarial_norm=1.5,
                certainty=0.3,
                generator_y_warmup=1.0,
                propagation=3.0,
                propagation_fade=1.0,
            ),
        ),
        "the same, begun with the clusters of a graph of nearest neighbours",
    ),
    "ten_dimensions": (
        dataclasses.replace(
            HEADS,
            labels=100,
            least_distance=20.0,  # with closer heads the circle is so small that styles hide it
            network=dataclasses.replace(HEADS.network, latent_dim=10),
            optimizers=dataclasses.replace(HEADS.optimizers, head_distance=adam(3e-2)),
        ),
        "ten dimensions, 100 labels, brought to a circle, as in figure 11d",
    ),
    "plain": (
        dataclasses.replace(HEADS, class_prior="uniform", weights=DimReductionWeights()),
        "the default by the paper's losses alone",
    ),
    "musyoku": (MUSYOKU, "musyoku's settings with 100 labels"),
    "smoke": (
        dataclasses.replace(
            HEADS,
            epochs=2,
            batch_size=50,
            evaluate_every=1,
            judge_updates=0,
            network=dataclasses.replace(HEADS.network, hidden=(32, 32), discriminator_hidden=(16,)),
        ),
        "tiny networks for a few seconds: does everything run?",
    ),
}
