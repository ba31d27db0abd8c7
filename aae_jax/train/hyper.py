"""Traced hyperparameters, which a sweep may vary: a pytree of scalars that are not compiled into the program."""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Float, Int

from aae_jax.text import brief_fields
from aae_jax.types import Array

__all__ = ["Hyper", "Scalar"]

Scalar = Float[Array, ""] | float


class Hyper(NamedTuple):
    """Traced hyperparameters; give every leaf a leading axis to `jax.vmap` over settings.

    Attributes:
        learning_rates: Peak learning rate by phase name, multiplied by the schedule.
        num_steps: Number of planned updates, the length of the schedule.
        noise_std: Standard deviation of the noise on the encoder's input, in scaled pixels.
        prior_std: Factor on the samples of z's prior (its standard deviation, for a prior of unit variance).
        weight_reconstruction: Weight of the reconstruction loss.
        weight_z: Weight of the generator loss against the discriminator of z.
        weight_y: Weight of the generator loss against the discriminator of y.
        weight_kl: Weight of a variational autoencoder's divergence from its prior.
        label_warmup: Updates over which `weight_y` rises from 0 to its value; 0: no warm-up.
        weight_certainty: Weight of the entropy of each image's label.
        weight_balance: Weight of the term that keeps clusters equally frequent.
        balance_slack: Imbalance tolerated by that term, in nats.
        weight_cyclic: Weight of the phase that makes codes of reconstructions match those they were decoded from.
        weight_cyclic_style: Weight of the style term in that phase.
        weight_mode: Weight of the phase that reconstructs images from labels alone.
        weight_mode_separation: Weight of the phase that pushes the clusters' images apart.
        weight_style_penalty: Weight of the penalty on large styles.
        weight_head_distance: Weight of the cost of cluster heads that are too close to each other.
        least_distance: Minimum distance of two heads without that cost.
        weight_consistency: Weight of the cross-entropy between two predictions for an image.
        sharpness: Factor on the logits of the consistency term's target; 1 leaves them unchanged.
        confidence: Minimum probability of the target's most likely class; other images count as 0 in that term's
            mean.
        adversarial_norm: Euclidean norm per image, in scaled pixels, of the step of the second view in the direction
            that changes its prediction most.
        average_decay: Decay per update of the averaged weights.
        weight_propagation: Weight of the cross-entropy of pool images with their propagated labels.
        propagation_fade: Updates over which `weight_propagation` falls to 0; 0: constant weight.
        consistency_warmup: Updates over which `weight_consistency` rises from 0 to its value; 0: no warm-up.
    """

    learning_rates: Mapping[str, Scalar]
    num_steps: Scalar
    noise_std: Scalar = 0.0
    prior_std: Scalar = 1.0
    weight_reconstruction: Scalar = 1.0
    weight_z: Scalar = 1.0
    weight_y: Scalar = 1.0
    weight_kl: Scalar = 0.0
    label_warmup: Scalar = 0.0
    weight_certainty: Scalar = 0.0
    weight_balance: Scalar = 0.0
    balance_slack: Scalar = 0.0
    weight_cyclic: Scalar = 0.0
    weight_cyclic_style: Scalar = 0.0
    weight_mode: Scalar = 0.0
    weight_mode_separation: Scalar = 0.0
    weight_style_penalty: Scalar = 0.0
    weight_head_distance: Scalar = 0.0
    least_distance: Scalar = 0.0
    weight_consistency: Scalar = 0.0
    sharpness: Scalar = 1.0
    confidence: Scalar = 0.0
    adversarial_norm: Scalar = 0.0
    average_decay: Scalar = 0.0
    consistency_warmup: Scalar = 0.0
    weight_propagation: Scalar = 0.0
    propagation_fade: Scalar = 0.0

    def at(self, step: Int[Array, ""]) -> "Hyper":
        """Return the hyperparameters in effect at an update.

        `weight_consistency` and `weight_y` rise linearly over their warm-ups, `weight_propagation` falls linearly
        over its fade.
        """

        def warmed(updates: Scalar) -> Array:
            share = jnp.minimum(1.0, step / jnp.maximum(updates, 1.0))
            return jnp.where(jnp.asarray(updates) > 0, share, 1.0)

        left = jnp.maximum(0.0, 1.0 - step / jnp.maximum(self.propagation_fade, 1.0))
        left = jnp.where(jnp.asarray(self.propagation_fade) > 0, left, 1.0)
        return self._replace(
            weight_y=warmed(self.label_warmup) * self.weight_y,
            weight_consistency=warmed(self.consistency_warmup) * self.weight_consistency,
            weight_propagation=left * self.weight_propagation,
        )

    def __repr__(self) -> str:
        """Return dtypes and shapes instead of values."""
        return brief_fields(self)
