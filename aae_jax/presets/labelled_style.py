"""Named configurations of the models in which labels shape the style code, and of the likelihood's."""

import dataclasses

from aae_jax.config import (
    LabelRegularizedConfig,
    NetworkConfig,
    OptimizerConfig,
    PriorConfig,
    SupervisedConfig,
    UnsupervisedOptimizers,
    UnsupervisedWeights,
    ViewConfig,
)
from aae_jax.presets import earlier
from aae_jax.presets.common import CLEAN

__all__ = ["LABEL_REGULARIZED_PRESETS", "SUPERVISED_PRESETS"]

NETWORK = NetworkConfig(latent_dim=2, discriminator_hidden=(500, 500), precision="auto")
ROLL = PriorConfig(kind="swiss_roll")

MIXTURE = LabelRegularizedConfig(network=NETWORK, views=ViewConfig(noise_std=0.3, max_shift=0))
"""Without noise 11.4 % of validation codes are not in their class's part after 10,000 updates: ten thousand labelled
images are learned by heart. With it 6.2 % after 5,000, and in no epoch a class is lost (validation images)."""
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
"""hrenski/Adversarial-Autoencoder-Experimients, its notebook with labels: a fifth of each batch labelled, here 26
labelled images of a fixed fifth of all beside 128 of the pool; there they were drawn anew for every batch, so that in
the end all labels were used. Its
joint step, with a tenth of the generator's loss, is a phase of the generator's own at a tenth of the rate."""

LABEL_REGULARIZED_PRESETS: dict[str, tuple[LabelRegularizedConfig, str]] = {
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
            network=dataclasses.replace(NETWORK, hidden=(32, 32), discriminator_hidden=(16,)),
        ),
        "tiny networks for a few seconds: does everything run?",
    ),
}


def _of_dimensions(count: int, *, conditional: bool = True) -> SupervisedConfig:
    network = dataclasses.replace(NETWORK, latent_dim=count)
    return SupervisedConfig(network=network, views=CLEAN, prior=PriorConfig(std=1.0), conditional=conditional)


SUPERVISED_PRESETS: dict[str, tuple[SupervisedConfig, str]] = {
    "default": (
        _of_dimensions(15),
        "a style of 15 dimensions, as in figure 7 of the paper; the adversary sees the label too",
    ),
    "ten": (_of_dimensions(10), "the same with 10 dimensions"),
    "two": (_of_dimensions(2), "the same with 2 dimensions, which can be drawn"),
    "plain": (
        _of_dimensions(15, conditional=False),
        "the default with an adversary of the style alone, as in the paper",
    ),
    "plain_ten": (_of_dimensions(10, conditional=False), "the same with 10 dimensions"),
    "naresh": (
        earlier.NARESH_SUPERVISED,
        "Naresh1318's: prior std 5, weights from N(0, 0.01^2), mean squared error",
    ),
    "fducau": (earlier.FDUCAU_SUPERVISED, "AAE_pytorch's: two dimensions, prior std 5, dropout"),
    "conan7882": (earlier.CONAN7882_SUPERVISED, "TensorFlow AAEs': ten dimensions, Gaussian posterior, tanh"),
    "smoke": (
        dataclasses.replace(
            _of_dimensions(2),
            epochs=2,
            batch_size=50,
            evaluate_every=1,
            network=dataclasses.replace(NETWORK, hidden=(32, 32), discriminator_hidden=(16,)),
        ),
        "tiny networks for a few seconds: does everything run?",
    ),
}
