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
from aae_jax.networks import EncoderOutput, Networks, sample_style
from aae_jax.optimizers import build_optimizer, build_step_schedule, cosine_schedule
from aae_jax.phases import LossFn, Phase, constant_schedule
from aae_jax.types import Array, Batch, Metrics, Params, Prior, PRNGKey, Schedule, Stats
from aae_jax.views import View, draw_view

__all__ = [
    "PHASES",
    "build_baseline_phases",
    "build_hyper",
    "build_phases",
    "build_schedule",
]

PHASES = ("reconstruction", "discriminator_z", "discriminator_y", "generator", "classification")
Auxiliary = tuple[Array, tuple[Stats, Metrics]]

# Phases share the step's key: what draws from the same number is the same in every phase (ADR 0003).
# The discriminators and the generator read one view, so its codes are computed once for the three.
# A key is either folded or split, never both: split(key)[1] is fold_in(key, 1).
DRAW_RECONSTRUCTION, DRAW_ADVERSARIES, DRAW_SECOND_VIEW, DRAW_LABELLED = range(4)
DRAW_PRIOR_Z, DRAW_PRIOR_Y, DRAW_DECODER = range(4, 7)


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

    def traced(value: float) -> Array:
        return jnp.asarray(value, jnp.float32)

    rates = {
        "reconstruction": optimizers.reconstruction.learning_rate,
        "discriminator_z": optimizers.discriminator.learning_rate,
        "discriminator_y": optimizers.discriminator.learning_rate,
        "generator": optimizers.generator.learning_rate,
        "classification": optimizers.classification.learning_rate,
    }
    return Hyper(
        learning_rates={name: traced(rate) for name, rate in rates.items()},
        num_steps=traced(num_steps),
        noise_std=traced(config.views.noise_std),
        prior_std=traced(weights.prior_std),
        weight_reconstruction=traced(weights.reconstruction),
        weight_z=traced(weights.generator_z),
        weight_y=traced(weights.generator_y),
        weight_consistency=traced(weights.consistency),
        sharpness=traced(weights.sharpness),
        confidence=traced(weights.confidence),
        adversarial_norm=traced(weights.adversarial_norm),
        weight_propagation=traced(weights.propagation),
        propagation_fade=traced(weights.propagation_fade * num_steps),
        consistency_warmup=traced(weights.consistency_warmup * num_steps),
        average_decay=traced(config.averaging.decay),
    )


def build_schedule(config: SemiSupervisedConfig) -> Schedule:
    """Return the factor on all learning rates over the planned updates."""
    if config.optimizers.schedule == "steps":
        return build_step_schedule(config.optimizers.drops)
    return cosine_schedule if config.optimizers.schedule == "cosine" else constant_schedule


def _view(
    model: _Model, images: Array, hyper: Hyper, key: PRNGKey, *, reconstructed: bool = False
) -> tuple[View, PRNGKey]:
    key_view, key_encode = jax.random.split(key)
    config = model.config
    noisy = reconstructed or config.views.noise_in == "all"
    view = draw_view(
        key_view,
        images,
        noise_std=hyper.noise_std if noisy else 0.0,
        max_shift=config.views.max_shift,
        output=config.network.output,
    )
    return view, key_encode


def _encode_view(
    model: _Model,
    params: Params,
    stats: Stats,
    images: Array,
    hyper: Hyper,
    key: PRNGKey,
    *,
    reconstructed: bool = False,
) -> tuple[EncoderOutput, Array, View, Stats]:
    """Return the encoder's output for a fresh view, a style drawn from it, the view, and the statistics."""
    view, key_encode = _view(model, images, hyper, key, reconstructed=reconstructed)
    output, stats = model.networks.encode(params, stats, view.seen, key_encode)
    return output, sample_style(output, jax.random.fold_in(key_encode, 2)), view, stats


def _build_reconstruction(model: _Model) -> LossFn:
    weights, output_kind = model.config.weights, model.config.network.output
    shared = model.config.update_order == "simultaneous"  # one view: one pass through the encoder for all

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES if shared else DRAW_RECONSTRUCTION)
        output, style, view, stats = _encode_view(model, params, stats, batch.images, hyper, draw, reconstructed=True)
        label = jax.nn.softmax(output.logits)
        decoded = model.networks.decode(params, style, label, jax.random.fold_in(key, DRAW_DECODER))
        error = reconstruction_error(decoded, view.target, weights.reconstruction_loss, output_kind)
        return hyper.weight_reconstruction * error, (stats, {"error": error})

    return loss


def reconstruction_error(decoded: Array, target: Array, kind: str, output_kind: str) -> Array:
    """Return the chosen reconstruction loss of decoder outputs before their non-linearity, `[batch, h, w]`."""
    if kind == "bernoulli":
        return losses.bernoulli_cross_entropy(decoded, target)
    return losses.half_squared_error(activate(decoded, output_kind), target)


def activate(decoded: Array, output_kind: str) -> Array:
    """Apply the decoder's last non-linearity."""
    if output_kind == "sigmoid":
        return jax.nn.sigmoid(decoded)
    return jnp.tanh(decoded) if output_kind == "tanh" else decoded


def _discriminator_metrics(real: Array, fake: Array) -> Metrics:
    return {"accuracy": 0.5 * (jnp.mean(real > 0) + jnp.mean(fake < 0))}


def _build_discriminator_z(model: _Model) -> LossFn:
    def loss(params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES)
        _, fake, _, _ = _encode_view(model, params, stats, batch.images, hyper, draw)
        key_prior = jax.random.fold_in(key, DRAW_PRIOR_Z)
        real = hyper.prior_std * model.prior_z(key_prior, fake.shape[0])
        return _adversary(model.networks.discriminate_z, params, stats, real, fake, key)

    return loss


def _build_discriminator_y(model: _Model) -> LossFn:
    def loss(params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES)
        output, _, _, _ = _encode_view(model, params, stats, batch.images, hyper, draw)
        fake = jax.nn.softmax(output.logits)
        real = model.prior_y(jax.random.fold_in(key, DRAW_PRIOR_Y), fake.shape[0])
        return _adversary(model.networks.discriminate_y, params, stats, real, fake, key)

    return loss


def _adversary(
    discriminate: Callable[[Params, Array, PRNGKey | None], Array],
    params: Params,
    stats: Stats,
    real: Array,
    fake: Array,
    key: PRNGKey,
) -> Auxiliary:
    logits = discriminate(params, jnp.concatenate([real, fake]), key)
    real_logits, fake_logits = jnp.split(logits, [real.shape[0]])
    value = losses.discriminator_loss(real_logits, fake_logits)
    return value, (stats, _discriminator_metrics(real_logits, fake_logits))


def _build_generator(model: _Model) -> LossFn:
    networks, weights = model.networks, model.config.weights
    consistent, propagated = weights.consistency > 0, weights.propagation > 0

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES)
        output, style, _, _ = _encode_view(model, params, stats, batch.images, hyper, draw)
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
    view, key_encode = _view(model, batch.images, hyper, key)

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
        output, _, _, stats = _encode_view(model, params, stats, batch.labelled_images, hyper, draw)
        error = jnp.mean(jnp.argmax(output.logits, axis=1) != batch.labels)
        logits = jax.nn.softmax(output.logits) if twice else output.logits
        return losses.classification_loss(logits, batch.labels), (stats, {"error": error})

    return loss
