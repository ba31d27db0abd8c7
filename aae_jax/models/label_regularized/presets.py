"""Presets of the adversarial autoencoder whose discriminator sees labels."""

import dataclasses

from aae_jax.config import NetworkConfig, OptimizerConfig, PriorConfig, ViewConfig
from aae_jax.models.label_regularized.config import LabelRegularizedConfig
from aae_jax.models.shared import earlier_presets as earlier
from aae_jax.models.shared.preset_parts import CLEAN
from aae_jax.models.supervised.presets import NETWORK
from aae_jax.models.unsupervised.config import UnsupervisedOptimizers, UnsupervisedWeights

__all__ = ["PRESETS"]

ROLL = PriorConfig(kind="swiss_roll")
MIXTURE = LabelRegularizedConfig(network=NETWORK, views=ViewConfig(noise_std=0.3, max_shift=0))
"""Without noise, 11.4 % of validation codes are outside their class's part after 10,000 updates: the encoder overfits
the ten thousand labelled images. With noise, 6.2 % after 5,000, and no class is lost in any epoch (validation)."""
HRENSKI = LabelRegularizedConfig(
    labels=10_000,
    epochs=54,
    batch_size=128,
    labelled_batch_size=26,
    network=NetworkConfig(hidden=(256, 64), discriminator_hidden=(128, 128), latent_dim=2, precision="auto"),
    views=CLEAN,
    prior=PriorConfig(kind="umbrella"),
    optimizers=UnsupervisedOptimizers(
        discriminator=OptimizerConfig(), generator=OptimizerConfig(learning_rate=1e-4), schedule="constant"
    ),
    weights=UnsupervisedWeights(reconstruction_loss="mean_squared_error"),
)
"""hrenski/Adversarial-Autoencoder-Experimients, notebook with labels: a fifth of each batch is labelled. Here 26
labelled images, from a fixed fifth of all images, join 128 of the pool; the original draws them anew for every batch,
so that all labels are used eventually. Its joint step, with a tenth of the generator loss, becomes a separate
generator phase at a tenth of the learning rate."""
PRESETS: dict[str, tuple[LabelRegularizedConfig, str]] = {
    "default": (MIXTURE, "ten Gaussians on a ring, one a digit; 10,000 labels, as in figure 4a of the paper"),
    "swiss_roll": (
        dataclasses.replace(MIXTURE, prior=ROLL),
        "a swiss roll, a tenth of it a digit; 10,000 labels, as in figure 4c",
    ),
    "all_labels": (dataclasses.replace(MIXTURE, labels="all"), "the default with all labels"),
    "swiss_roll_all_labels": (
        dataclasses.replace(MIXTURE, prior=ROLL, labels="all"),
        "the swiss roll with all labels",
    ),
    "umbrella": (
        dataclasses.replace(MIXTURE, prior=PriorConfig(kind="umbrella")),
        "hrenski's ten Gaussians: stds 0.53 and 0.18 at radius 2",
    ),
    "hrenski": (HRENSKI, "the same with small networks and a fifth of each batch labelled"),
    "conan7882": (earlier.CONAN7882_LABELS, "TensorFlow AAEs': Gaussian posterior, tanh, 480 epochs"),
    "musyoku": (earlier.MUSYOKU_LABELS, "musyoku's: the narrow mixture, noise on the discriminator's input"),
    "smoke": (
        dataclasses.replace(
            MIXTURE,
            labels=1000,
            epochs=2,
            batch_size=50,
            evaluate_every=1,
            judge_updates=0,
            network=dataclasses.replace(NETWORK, hidden=(32, 32), discriminator_hidden=(16,)),
        ),
        "tiny networks for a few seconds: does everything run?",
    ),
}
