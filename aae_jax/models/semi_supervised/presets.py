"""Presets of the semi-supervised model: ours, the paper's, and those of five earlier implementations.

A preset of an earlier implementation has its published settings, with two general corrections. An epoch is a pass
over the unlabelled images: most implementations counted the few batches of labelled ones, so their epochs are
converted to passes with the same number of updates. And the classification loss is the cross-entropy of logits, where
two of them applied softmax twice. Further corrections are documented with each preset.
"""

import dataclasses

from aae_jax.config import NetworkConfig, PriorConfig, ViewConfig
from aae_jax.models.semi_supervised.config import OptimizersConfig, SemiSupervisedConfig, WeightsConfig
from aae_jax.models.shared.preset_parts import adam, sgd

__all__ = ["PRESETS"]


PLAIN = SemiSupervisedConfig()
DEFAULT = SemiSupervisedConfig(
    class_prior="auto",
    conditional=True,
    network=NetworkConfig(batch_norm=True, discriminator_hidden=(500, 500), precision="auto"),
    optimizers=OptimizersConfig(encoder_share=0.1),
    views=ViewConfig(noise_std=0.3, max_shift=None, style_of="clean"),
    weights=WeightsConfig(
        consistency=3.0, consistency_target="clean", confidence=0.9, style_mmd=30.0, generated_label=1.0
    ),
)
MARGINAL = dataclasses.replace(
    DEFAULT,
    conditional=False,
    optimizers=OptimizersConfig(),
    views=dataclasses.replace(DEFAULT.views, style_of="view"),
    weights=dataclasses.replace(DEFAULT.weights, style_mmd=0.0, generated_label=0.0),
)
"""The default of earlier versions: as in the paper, the discriminator of z sees the style alone."""
FEW_LABELS_SHIFTS = dataclasses.replace(
    MARGINAL,
    epochs=200,
    network=dataclasses.replace(MARGINAL.network, hidden=(1000, 500, 250)),
    optimizers=dataclasses.replace(MARGINAL.optimizers, reconstruction=adam(1e-4)),
    weights=dataclasses.replace(MARGINAL.weights, adversarial_norm=1.5, propagation=3.0, propagation_fade=1.0),
)
FEW_LABELS = dataclasses.replace(FEW_LABELS_SHIFTS, views=dataclasses.replace(MARGINAL.views, max_shift=0))
FEW_LABELS_CONV = dataclasses.replace(
    FEW_LABELS_SHIFTS,
    epochs=24,
    network=dataclasses.replace(FEW_LABELS_SHIFTS.network, kind="conv", channels=(32, 64), hidden=(256,)),
)
SMOKE = dataclasses.replace(
    MARGINAL,  # compiles in half the time
    epochs=2,
    batch_size=50,
    evaluate_every=1,
    judge_updates=0,
    network=dataclasses.replace(MARGINAL.network, hidden=(32, 32), discriminator_hidden=(16,)),
)

PAPER = SemiSupervisedConfig(
    epochs=5000,
    network=NetworkConfig(weight_init="paper"),
    optimizers=OptimizersConfig(
        reconstruction=sgd(0.01, 0.9),
        discriminator=sgd(0.1, 0.1),
        generator=sgd(0.1, 0.1),
        classification=sgd(0.1, 0.9),
        schedule="steps",
        drops=(50 / 5000, 1000 / 5000),
    ),
)
"""Makhzani et al. 2016, appendix A.2.1: momentum 0.9 for reconstruction and classification, 0.1 for the adversarial
phases, learning rates divided by ten after 50 and 1,000 of 5,000 epochs, input noise 0.3, weights from N(0, 0.01^2),
a style of ten dimensions with std 1. Rates and number of epochs are those of later implementations that claim to
follow it."""

PAPER_SVHN = SemiSupervisedConfig(
    dataset="svhn",
    epochs=1000,
    network=NetworkConfig(
        latent_dim=20,
        output="linear",
        batch_norm=True,
        batch_norm_heads=True,
        batch_norm_decoder=True,
        batch_norm_output=True,
        weight_init="paper",
    ),
    optimizers=OptimizersConfig(
        reconstruction=sgd(1e-4, 0.9),
        discriminator=sgd(0.01, 0.1),
        generator=sgd(0.01, 0.1),
        classification=sgd(0.1, 0.9),
        schedule="steps",
        drops=(250 / 1000,),
    ),
    views=ViewConfig(noise_std=0.0, dropout=0.2),
)
"""Makhzani et al. 2016, appendix A.2.2, as recalled: 1,000 labels of SVHN, a style of 20 dimensions, batch norm in
every layer of the autoencoder with the softmax, the style and the output, dropout of a fifth of the input, momentum
0.9 for reconstruction and classification and 0.1 for the adversarial phases, rates divided by ten after 250 of 1,000
epochs. The hidden layers are those of MNIST, two of 1,000."""

FDUCAU = SemiSupervisedConfig(
    labels=3000,
    epochs=30,
    network=NetworkConfig(latent_dim=2, dropout=0.25, discriminator_dropout=0.2),
    optimizers=OptimizersConfig(
        reconstruction=adam(6e-4),
        discriminator=adam(8e-4),
        generator=adam(8e-4),
        classification=adam(1e-3),
        schedule="constant",
    ),
    views=ViewConfig(noise_std=0.0),
    weights=WeightsConfig(reconstruction_loss="bernoulli"),
)
"""fducau/AAE_pytorch, `aae_semisupervised.py`: 500 "epochs" of 30 updates are 15,000 updates. Corrected: the
decoder's second layer has a ReLU. Its label discriminator has dropout in the first layer only, ours in both; and
PyTorch's initialiser is replaced by He's."""

NARESH = SemiSupervisedConfig(
    labels=1000,
    epochs=20,
    network=NetworkConfig(weight_init="paper"),
    optimizers=OptimizersConfig(
        discriminator=adam(1e-3),
        generator=adam(1e-3),
        schedule="constant",
    ),
    views=ViewConfig(noise_std=0.0),
    prior=PriorConfig(std=5.0),
)
"""Naresh1318/Adversarial_Autoencoder, `semi_supervised_adversarial_autoencoder.py`: 1,000 "epochs" of 10 updates are
10,000 updates. Corrected: the labelled images are training images; the original takes test images."""

CONAN7882 = SemiSupervisedConfig(
    labels=1280,
    epochs=300,
    batch_size=128,
    labelled_batch_size=128,
    classification_every=10,
    network=NetworkConfig(posterior="gaussian", output="tanh", discriminator_activation="leaky_relu"),
    optimizers=OptimizersConfig(
        reconstruction=adam(2e-4, 0.5),
        discriminator=adam(2e-4, 0.5),
        generator=adam(2e-4, 0.5),
        classification=adam(2e-4, 0.5),
        schedule="steps",
        drops=(150 / 250, 200 / 250),
    ),
    views=ViewConfig(noise_std=0.0),
)
"""conan7882/adversarial-autoencoders, `aae_mnist.py --train_semisupervised`: the learning rates of its command, 128
labels per class; 250 passes over its 60,000 images are 300 over our pool of 50,000. Its loss weights of 6 are left
out: with Adam and one loss per optimizer, a factor changes nothing. Its initialiser and its parametrisation of the
Gaussian (softplus for the std) are replaced by ours."""

SHAHARAZULAY = SemiSupervisedConfig(
    labels=3000,
    epochs=2,
    network=NetworkConfig(latent_dim=2, batch_norm=True, batch_norm_heads=True),
    optimizers=OptimizersConfig(
        reconstruction=adam(8e-4),
        discriminator=adam(2e-4),
        generator=adam(1e-3),
        classification=adam(1e-3),
        schedule="constant",
    ),
    views=ViewConfig(noise_std=0.3, noise_in="reconstruction"),
    weights=WeightsConfig(reconstruction_loss="bernoulli"),
)
"""shaharazulay/adversarial-autoencoder-classifier, `train_semi_supervised` with its YAML file: the 35 "epochs" of 30
updates in its example, with a style of two dimensions, are two passes. PyTorch's initialiser is replaced by He's.
Corrected: the last, incomplete batch is left out. Its learning rates fall to a tenth at epoch 50, which its example
does not reach."""

PRESETS: dict[str, tuple[SemiSupervisedConfig, str]] = {
    "default": (
        DEFAULT,
        "the recommended recipe: random shifts, consistency with the clean image, style apart from class",
    ),
    "few_labels": (
        FEW_LABELS,
        "propagated labels, adversarial view, 200 epochs, blind to which pixels are neighbours: for few labels",
    ),
    "few_labels_shifts": (FEW_LABELS_SHIFTS, "the same with random shifts"),
    "few_labels_conv": (FEW_LABELS_CONV, "the same with convolutions, 24 epochs"),
    "plain": (PLAIN, "the paper's five phases alone, with Adam"),
    "marginal": (MARGINAL, "the default of earlier versions: the discriminator of z does not see the label"),
    "smoke": (SMOKE, "marginal with tiny networks for a few seconds: does everything run?"),
    "paper": (PAPER, "the paper's own optimizer and length, 5,000 epochs: days on a CPU"),
    "paper_svhn": (PAPER_SVHN, "the paper's SVHN: batch norm everywhere, 1,000 labels, 1,000 epochs: days on a CPU"),
    "fducau": (FDUCAU, "AAE_pytorch (Paperspace blog): dropout, 2-D style, 3,000 labels"),
    "naresh": (NARESH, "A wizard's guide to AAEs, part 4: Adam, prior std 5, 1,000 labels"),
    "conan7882": (CONAN7882, "TensorFlow AAEs: Gaussian posterior, tanh, 1,280 labels, 300 epochs"),
    "shaharazulay": (SHAHARAZULAY, "adversarial-autoencoder-classifier: batch norm in the heads, 3,000 labels"),
}
"""Configuration and one-line description by name."""
