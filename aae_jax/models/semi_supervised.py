"""The semi-supervised adversarial autoencoder (Makhzani et al. 2016, §5, figure 8).

One encoder gives a style z and a label y; two adversaries pull them to a Gaussian and to one-hot vectors;
the decoder rebuilds the image from both; and on the few labelled images y is trained to be the label.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from aae_jax import losses, priors
from aae_jax.config import OptimizerConfig, SemiSupervisedConfig, require_resolved
from aae_jax.errors import InputError
from aae_jax.hyper import Hyper
from aae_jax.models.parts import (
    DRAW_ADVERSARIES,
    DRAW_LABELLED,
    DRAW_PRIOR_Y,
    DRAW_PRIOR_Z,
    DRAW_RECONSTRUCTION,
    DRAW_SECOND_VIEW,
    Auxiliary,
    adversary_loss,
    draw_seen,
    encode_view,
    rebuild,
    schedule_of,
    traced_hyper,
)
from aae_jax.networks import EncoderOutput, Networks
from aae_jax.optimizers import build_optimizer
from aae_jax.phases import LossFn, Phase
from aae_jax.types import Array, Batch, Params, Prior, PRNGKey, Schedule, Stats

__all__ = [
    "PHASES",
    "build_baseline_phases",
    "build_hyper",
    "build_phases",
    "build_schedule",
]

PHASES = ("reconstruction", "discriminator_z", "discriminator_y", "generator", "classification")


class _Model(NamedTuple):
    networks: Networks
    config: SemiSupervisedConfig
    prior_z: Prior
    prior_y: Prior


def build_phases(
    networks: Networks,
    config: SemiSupervisedConfig,
    *,
    prior_z: Prior | None = None,
    num_classes: int,
) -> dict[str, Phase]:
    """Return the table of the five phases, in the order in which they run.

    Args:
        networks: Encoder, decoder and two discriminators.
        config: Decides optimizers, views and reconstruction loss; a consistency weight of 0 leaves that
            term out of the program.
        prior_z: Sampler of the style's prior, scaled by `hyper.prior_std`; standard normal by default.
        num_classes: Size of the categorical prior.

    Returns:
        Phases by name; the reconstruction phase is the one whose batch statistics are kept.
    """
    require_resolved(config)
    prior_z = prior_z or priors.build_gaussian(config.network.latent_dim)
    model = _Model(networks, config, prior_z, priors.build_categorical(num_classes))
    optimizers = config.optimizers

    def phase(
        trained: tuple[str, ...],
        build_loss: Callable[[_Model], LossFn],
        optimizer: OptimizerConfig,
        **options: Any,
    ) -> Phase:
        return Phase(trained, build_loss(model), build_optimizer(optimizer), **options)

    return {
        "reconstruction": phase(
            ("encoder", "decoder"), _build_reconstruction, optimizers.reconstruction, updates_stats=True
        ),
        "discriminator_z": phase(("discriminator_z",), _build_discriminator_z, optimizers.discriminator),
        "discriminator_y": phase(("discriminator_y",), _build_discriminator_y, optimizers.discriminator),
        "generator": phase(("encoder",), _build_generator, optimizers.generator),
        "classification": phase(
            ("encoder",), _build_classification, optimizers.classification, every=config.classification_every
        ),
    }


def build_baseline_phases(networks: Networks, config: SemiSupervisedConfig) -> dict[str, Phase]:
    """Return the table of the supervised baseline: the same encoder, trained on the labelled images alone."""
    require_resolved(config)
    model = _Model(networks, config, priors.build_gaussian(1), priors.build_categorical(1))
    optimizer: optax.GradientTransformation = build_optimizer(config.optimizers.classification)
    return {"classification": Phase(("encoder",), _build_classification(model), optimizer, updates_stats=True)}


def build_hyper(config: SemiSupervisedConfig, num_steps: int) -> Hyper:
    """Return the traced numbers of a configuration for `num_steps` planned updates."""
    require_resolved(config)
    optimizers, weights = config.optimizers, config.weights

    rates = {
        "reconstruction": optimizers.reconstruction.learning_rate,
        "discriminator_z": optimizers.discriminator.learning_rate,
        "discriminator_y": optimizers.discriminator.learning_rate,
        "generator": optimizers.generator.learning_rate,
        "classification": optimizers.classification.learning_rate,
    }
    return traced_hyper(
        rates,
        num_steps,
        noise_std=config.views.noise_std,
        prior_std=weights.prior_std,
        weight_reconstruction=weights.reconstruction,
        weight_z=weights.generator_z,
        weight_y=weights.generator_y,
        weight_consistency=weights.consistency,
        sharpness=weights.sharpness,
        confidence=weights.confidence,
        adversarial_norm=weights.adversarial_norm,
        weight_propagation=weights.propagation,
        propagation_fade=weights.propagation_fade * num_steps,
        consistency_warmup=weights.consistency_warmup * num_steps,
        average_decay=config.averaging.decay,
    )


def build_schedule(config: SemiSupervisedConfig) -> Schedule:
    """Return the factor on all learning rates over the planned updates."""
    return schedule_of(config.optimizers)


def _build_reconstruction(model: _Model) -> LossFn:
    shared = model.config.update_order == "simultaneous"  # one view: one pass through the encoder for all

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES if shared else DRAW_RECONSTRUCTION)
        encoded = encode_view(
            model.networks, model.config, params, stats, batch.images, hyper, draw, reconstructed=True
        )
        label = jax.nn.softmax(encoded.output.logits)
        error = rebuild(model.networks, model.config, model.config.weights, params, encoded, label, key)
        return hyper.weight_reconstruction * error, (encoded.stats, {"error": error})

    return loss


def _build_discriminator_z(model: _Model) -> LossFn:
    def loss(params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES)
        _, fake, _, _ = encode_view(model.networks, model.config, params, stats, batch.images, hyper, draw)
        key_prior = jax.random.fold_in(key, DRAW_PRIOR_Z)
        real = hyper.prior_std * model.prior_z(key_prior, fake.shape[0])
        return adversary_loss(model.networks.discriminate_z, params, stats, real, fake, key)

    return loss


def _build_discriminator_y(model: _Model) -> LossFn:
    def loss(params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES)
        output, _, _, _ = encode_view(model.networks, model.config, params, stats, batch.images, hyper, draw)
        fake = jax.nn.softmax(output.logits)
        real = model.prior_y(jax.random.fold_in(key, DRAW_PRIOR_Y), fake.shape[0])
        return adversary_loss(model.networks.discriminate_y, params, stats, real, fake, key)

    return loss


def _build_generator(model: _Model) -> LossFn:
    networks, weights = model.networks, model.config.weights
    consistent, propagated = weights.consistency > 0, weights.propagation > 0

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES)
        output, style, _, _ = encode_view(model.networks, model.config, params, stats, batch.images, hyper, draw)
        label = jax.nn.softmax(output.logits)
        loss_z = losses.generator_loss(networks.discriminate_z(params, style, key))
        loss_y = losses.generator_loss(networks.discriminate_y(params, label, key))
        value = hyper.weight_z * loss_z + hyper.weight_y * loss_y
        metrics = {"z": loss_z, "y": loss_y}
        if consistent:
            second = jax.random.fold_in(key, DRAW_SECOND_VIEW)
            metrics["consistency"] = _consistency(model, params, stats, batch, hyper, second, output)
            value += hyper.weight_consistency * metrics["consistency"]
        if propagated:
            metrics["propagation"] = losses.propagation_loss(output.logits, _targets(batch))
            value += hyper.weight_propagation * metrics["propagation"]
        return value, (stats, metrics)

    return loss


def _targets(batch: Batch) -> Array:
    if batch.targets is None:
        raise InputError(
            "weights.propagation is above 0, but the data have no propagated labels; "
            "give TrainData its targets (aae_jax.propagation.targets_of), or the weight 0."
        )
    return batch.targets


def _consistency(
    model: _Model, params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey, first: EncoderOutput
) -> Array:
    """Return the cross-entropy between a target and the prediction for a view; no gradient enters the target.

    The target is the prediction for the adversaries' view, `first`, and the other that for a second view; or
    the target is what evaluation would say of the clean image, and `first` the other, at no second view's cost.

    With an adversarial norm each image of the second view is first moved along the gradient of that very
    cross-entropy (virtual adversarial training, Miyato et al. 2016, with two views instead of a random
    start). Under batch norm the gradient of an image is also that of the others through the moments.
    """
    weights, target = model.config.weights, first.logits
    if weights.consistency_target == "clean":
        clean, _ = model.networks.encode(jax.lax.stop_gradient(params), stats, batch.images, None)
        target = clean.logits
        if not weights.adversarial_norm:
            return losses.consistency_loss(target, first.logits, hyper.sharpness, hyper.confidence)
    view, key_encode = draw_seen(model.config, batch.images, hyper, key)

    def cross_entropy(params: Params, seen: Array) -> Array:
        output, _ = model.networks.encode(params, stats, seen, key_encode)
        return losses.consistency_loss(target, output.logits, hyper.sharpness, hyper.confidence)

    seen = view.seen
    if weights.adversarial_norm:
        direction = jax.grad(cross_entropy, argnums=1)(jax.lax.stop_gradient(params), seen)
        seen = seen + jax.lax.stop_gradient(hyper.adversarial_norm * _unit(direction))
    return cross_entropy(params, seen)


def _unit(directions: Array) -> Array:
    """Return each image's direction at Euclidean norm 1; one of zeros, or too small for a float, stays zero.

    It is divided by its largest entry first: the squares of a sure prediction's gradients underflow.
    """
    pixels = tuple(range(1, directions.ndim))
    largest = jnp.max(jnp.abs(directions), axis=pixels, keepdims=True)
    scaled = jnp.where(largest > 0, directions / jnp.where(largest > 0, largest, 1.0), 0.0)
    norm = jnp.sqrt(jnp.sum(scaled**2, axis=pixels, keepdims=True))
    return scaled / jnp.where(norm > 0, norm, 1.0)


def _build_classification(model: _Model) -> LossFn:
    twice = model.config.weights.softmax_twice

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_LABELLED)
        output, _, _, stats = encode_view(
            model.networks, model.config, params, stats, batch.labelled_images, hyper, draw
        )
        error = jnp.mean(jnp.argmax(output.logits, axis=1) != batch.labels)
        logits = jax.nn.softmax(output.logits) if twice else output.logits
        return losses.classification_loss(logits, batch.labels), (stats, {"error": error})

    return loss
