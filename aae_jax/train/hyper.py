"""The numbers a sweep may vary: a pytree of scalars, traced, never baked into the compiled program."""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Float, Int

from aae_jax.text import brief_fields
from aae_jax.types import Array

__all__ = ["Hyper", "Scalar"]

Scalar = Float[Array, ""] | float


class Hyper(NamedTuple):
    """Traced numbers; give a leading axis to every leaf and `jax.vmap` over settings.

    Attributes:
        learning_rates: Peak rate by phase name; the schedule multiplies it.
        num_steps: Updates planned: what the schedule runs over.
        noise_std: Standard deviation of the noise on the encoder's input, in scaled pixels.
        prior_std: Scales the samples of z's prior (its standard deviation, for a prior of unit variance).
        weight_reconstruction: Factor of the reconstruction loss.
        weight_z: Factor of the generator's loss against the discriminator of z.
        weight_y: The same for y.
        weight_kl: Factor of a variational autoencoder's divergence from its prior.
        label_warmup: Updates over which the weight of y's adversary rises from 0 to its value; 0: none.
        weight_certainty: Factor of the entropy of each image's label.
        weight_balance: Factor of the term that keeps clusters equally frequent.
        balance_slack: What that term leaves free, in nats.
        weight_cyclic: Factor of the phase in which codes of reconstructions shall be those they were made from.
        weight_cyclic_style: Factor of the style's part in it.
        weight_mode: Factor of the phase in which images are rebuilt from labels alone.
        weight_mode_separation: Factor of the phase that moves clusters' images apart.
        weight_style_penalty: Factor of the penalty on large styles.
        weight_head_distance: Factor of the cost of heads that are too near each other.
        least_distance: Of two heads without that cost.
        weight_consistency: Factor of the cross-entropy between two predictions for an image.
        sharpness: Factor on the logits of the consistency term's target; 1 leaves them as they are.
        confidence: Images whose target gives no class this probability count as 0 in that term's mean.
        adversarial_norm: Euclidean norm per image of the step of the second view in the direction that
            changes its prediction most, in scaled pixels.
        average_decay: Decay per update of the averaged weights.
        weight_propagation: Factor of the cross-entropy of pool images with their propagated labels.
        propagation_fade: Updates over which that factor falls to 0; 0: it does not fall.
        consistency_warmup: Updates over which the consistency weight rises from 0 to its value; 0: none.
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
        """Return the numbers in force at an update.

        The weights of consistency and of y's adversary rise linearly over their warm-ups, that of propagated labels
        falls over its fade.
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
        """Return types and shapes instead of numbers."""
        return brief_fields(self)
