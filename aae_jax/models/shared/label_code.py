"""Losses shared by models with a label code y: reconstruction, adversarial losses of y, classification, consistency.

The encoder outputs a style z and a label y (Makhzani et al. 2016, §5 to §7); a discriminator makes y match one-hot
vectors. The use of y (predicting labels, finding clusters, selecting a cluster head) is defined by each model.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from aae_jax import losses, priors
from aae_jax.augment import activate
from aae_jax.errors import InputError
from aae_jax.models.clustering.config import ClusteringConfig
from aae_jax.models.dim_reduction.config import DimReductionConfig
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig
from aae_jax.models.shared.adversary import DrawPrior, build_style_discriminator, style_discrepancy
from aae_jax.models.shared.consistency import consistency
from aae_jax.models.shared.label_code_config import FoundClusterWeights, PropagationWeights
from aae_jax.models.shared.terms import (
    DRAW_ADVERSARIES,
    DRAW_DECODER,
    DRAW_GENERATED,
    DRAW_JUDGED,
    DRAW_LABELLED,
    DRAW_PRIOR_Y,
    DRAW_PRIOR_Z,
    DRAW_RECONSTRUCTION,
    DRAW_SECOND_VIEW,
    Auxiliary,
    adversary_loss,
    draw_seen,
    encode_clean,
    encode_matched,
    encode_view,
    rebuild,
)
from aae_jax.networks import Codes, EncoderOutput, Networks
from aae_jax.train.hyper import Numbers, faded, warmed_up
from aae_jax.train.optimizers import build_optimizer, build_reconstruction_optimizer
from aae_jax.train.phases import LossFn, Phase
from aae_jax.types import Array, Batch, Params, PRNGKey, Sampler, Stats

__all__ = [
    "DrawLabels",
    "LabelCode",
    "Term",
    "build_classification",
    "build_common_phases",
    "build_label_discriminator",
    "build_label_generator",
    "build_label_reconstruction",
    "cluster_terms",
    "label_codes",
    "labels_of",
    "propagation_terms",
]

DrawLabels = Callable[[PRNGKey, Array], Array]
"""`(key, labels of a batch) -> one-hot labels`, equally many: the real labels for the discriminator of y."""
Term = Callable[[EncoderOutput, Array, Batch, Numbers], tuple[str, Array, Array]]
"""`(encoder's output, style, batch, hyper) -> (name, weight, value)` of an additional term of the generator loss."""


class LabelCode(NamedTuple):
    """Networks, configuration and label sampler from which these losses are built."""

    networks: Networks
    config: SemiSupervisedConfig | ClusteringConfig | DimReductionConfig
    draw_labels: DrawLabels


def labels_of(prior: Sampler) -> DrawLabels:
    """Return a sampler of labels that depends only on a prior."""
    return lambda key, fake: prior(key, fake.shape[0])


def label_codes(config: SemiSupervisedConfig | ClusteringConfig | DimReductionConfig, num_classes: int) -> Codes:
    """Return the codes of a model with a label; a conditional discriminator of z takes the label as well."""
    judged = config.network.latent_dim + (num_classes if config.conditional else 0)
    return Codes(num_classes, num_classes, {"discriminator_z": judged, "discriminator_y": num_classes})


def build_common_phases(
    model: LabelCode, draw_style: DrawPrior, *, rebuilt_by: tuple[str, ...], terms: Sequence[Term] = ()
) -> dict[str, Phase]:
    """Return the phases common to these models: reconstruction, both discriminators, generator.

    Args:
        model: Networks, configuration, and sampler of real labels.
        draw_style: Sampler of the prior that the styles match.
        rebuilt_by: Networks trained by the reconstruction phase, whose batch-norm statistics are kept.
        terms: Additional terms of the generator loss.
    """
    optimizers = model.config.optimizers
    judge_style = build_label_style_discriminator(model, draw_style)
    discriminate = build_optimizer(optimizers.discriminator)
    return {
        "reconstruction": Phase(
            rebuilt_by,
            build_label_reconstruction(model, draw_style),
            build_reconstruction_optimizer(optimizers.reconstruction, encoder_share=optimizers.encoder_share),
            updates_stats=True,
        ),
        "discriminator_z": Phase(("discriminator_z",), judge_style, discriminate, rate="discriminator"),
        "discriminator_y": Phase(
            ("discriminator_y",), build_label_discriminator(model), discriminate, rate="discriminator"
        ),
        "generator": Phase(
            ("encoder",), build_label_generator(model, draw_style, terms), build_optimizer(optimizers.generator)
        ),
    }


def build_label_reconstruction(model: LabelCode, draw_style: DrawPrior) -> LossFn:
    """Return the reconstruction loss of images decoded from the encoder's style and label.

    If it has a weight, the loss of images decoded from the prior is added (`weights.generated_label`).
    """
    generate = _build_generated_label(model, draw_style)
    shared = model.config.update_order == "simultaneous"  # one view, so one encoder pass serves all phases

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES if shared else DRAW_RECONSTRUCTION)
        encoded = encode_view(
            model.networks, model.config, params, stats, batch.images, hyper, draw, reconstructed=True
        )
        label = jax.nn.softmax(encoded.output.logits)
        error, stats_after = rebuild(model.networks, model.config, model.config.weights, params, encoded, label, key)
        value, metrics = hyper.weights.reconstruction * error, {"error": error}
        if generate is not None:
            metrics["generated_label"] = generate(params, stats, batch, hyper, key, label)
            value += hyper.weights.generated_label * metrics["generated_label"]
        return value, (stats_after, metrics)

    return loss


def _build_generated_label(model: LabelCode, draw_style: DrawPrior) -> Callable[..., Array] | None:
    """Return the cross-entropy of images decoded from the prior with their class, or None without a weight.

    The encoder, held constant, is the judge: the bound on the mutual information of class and image of InfoGAN (Chen
    et al. 2016, §5) with respect to the generator. It sees a view of the image, which no single pixel can sway.
    """
    if not model.config.weights.generated_label:
        return None
    networks, output = model.networks, model.config.network.output

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey, encoded: Array) -> Array:
        key_style, key_label, key_view = jax.random.split(jax.random.fold_in(key, DRAW_GENERATED), 3)
        styles = draw_style(key_style, encoded.shape[0], hyper)
        labels = _draw_real(model, batch, key_label, jax.lax.stop_gradient(encoded))
        decoded, _ = networks.decode(params, stats, styles, labels, jax.random.fold_in(key, DRAW_DECODER))
        image = activate(decoded, output)
        view, key_encode = draw_seen(model.config, image, hyper, key_view)
        judged, _ = networks.encode(jax.lax.stop_gradient(params), stats, view.seen, key_encode, train=False)
        return losses.propagation_loss(judged.logits, labels)

    return loss


def build_label_discriminator(model: LabelCode) -> LossFn:
    """Return the loss of the discriminator of y between the encoder's labels and one-hot labels."""

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES)
        output, _, _, _ = encode_view(model.networks, model.config, params, stats, batch.images, hyper, draw)
        fake = jax.nn.softmax(output.logits)
        real = _draw_real(model, batch, jax.random.fold_in(key, DRAW_PRIOR_Y), fake)
        return adversary_loss(model.networks.discriminate_y, params, stats, real, fake, key)

    return loss


def _draw_real(model: LabelCode, batch: Batch, key: PRNGKey, fake: Array) -> Array:
    if batch.class_shares is None:
        return model.draw_labels(key, fake)
    return priors.draw_classes(key, batch.class_shares.pool, fake.shape[0])


def build_label_style_discriminator(model: LabelCode, draw_style: DrawPrior) -> LossFn:
    """Return the loss of the discriminator of z, which sees the encoder's label as well if it is conditional.

    Samples of the prior are then shown with the labels of the same batch, so that the pairs differ only where styles
    depend on labels, or do not match the prior.
    """
    if not model.config.conditional:
        return build_style_discriminator(model.networks, model.config, draw_style)

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES)
        output, style = encode_matched(model.networks, model.config, params, stats, batch.images, hyper, draw)
        samples = draw_style(jax.random.fold_in(key, DRAW_PRIOR_Z), style.shape[0], hyper)
        label = jax.nn.softmax(output.logits)
        real, fake = (jnp.concatenate([codes, label], axis=1) for codes in (samples, style))
        return adversary_loss(model.networks.discriminate_z, params, stats, real, fake, key)

    return loss


def _judged(model: LabelCode, style: Array, label: Array) -> Array:
    """Return what the discriminator of z sees of codes: it trains styles to match, not labels."""
    if not model.config.conditional:
        return style
    return jnp.concatenate([style, label], axis=1)


def build_label_generator(model: LabelCode, draw_style: DrawPrior, terms: Sequence[Term] = ()) -> LossFn:
    """Return the generator loss against both discriminators, with consistency (if it has a weight) and `terms`."""
    networks, weights = model.networks, model.config.weights

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES)
        output, style, _, _ = encode_view(networks, model.config, params, stats, batch.images, hyper, draw)
        label, judging = jax.nn.softmax(output.logits), jax.random.fold_in(key, DRAW_JUDGED)
        matched = output
        if model.config.views.style_of == "clean":
            matched, style = encode_clean(networks, params, stats, batch.images, draw)
        known = jax.lax.stop_gradient(jax.nn.softmax(matched.logits))
        loss_z = losses.generator_loss(networks.discriminate_z(params, _judged(model, style, known), judging))
        loss_y = losses.generator_loss(networks.discriminate_y(params, label, judging))
        value = hyper.weights.generator_z * loss_z + _weight_y(batch, hyper) * loss_y
        metrics = {"z": loss_z, "y": loss_y}
        key_prior = jax.random.fold_in(key, DRAW_PRIOR_Z)
        discrepancy, measured = style_discrepancy(
            model.config,
            hyper,
            style,
            lambda: draw_style(key_prior, style.shape[0], hyper),
            known if model.config.conditional else None,
        )
        value, metrics = value + discrepancy, {**metrics, **measured}
        if weights.consistency:
            second = jax.random.fold_in(key, DRAW_SECOND_VIEW)
            metrics["consistency"] = consistency(networks, model.config, params, stats, batch, hyper, second, output)
            weight = warmed_up(hyper.weights.consistency, hyper.weights.consistency_warmup, hyper)
            value += weight * metrics["consistency"]
        for term in terms:
            name, factor, metrics[name] = term(output, style, batch, hyper)
            value += factor * metrics[name]
        return value, (stats, metrics)

    return loss


def _weight_y(batch: Batch, hyper: Numbers) -> Array:
    """Return the weight of the generator loss of y, lowered for rare classes: it would favour the frequent ones.

    The factor is the smallest class frequency relative to that of equal classes.
    """
    weight = warmed_up(hyper.weights.generator_y, hyper.weights.get("generator_y_warmup", 0.0), hyper)
    if batch.class_shares is None:
        return weight
    frequencies = batch.class_shares.pool
    return weight * frequencies.shape[0] * jnp.min(frequencies)


def cluster_terms(weights: FoundClusterWeights) -> list[Term]:
    """Return the generator loss terms, of weight above 0, that keep cluster assignments certain and balanced."""
    known = ((weights.certainty, _certainty), (weights.balance, _balance))
    return [term for weight, term in known if weight > 0]


def _certainty(output: EncoderOutput, style: Array, batch: Batch, hyper: Numbers) -> tuple[str, Array, Array]:
    return "certainty", jnp.asarray(hyper.weights.certainty), losses.certainty_loss(output.logits)


def _balance(output: EncoderOutput, style: Array, batch: Batch, hyper: Numbers) -> tuple[str, Array, Array]:
    value = losses.balance_loss(output.logits, hyper.weights.balance_slack)
    return "balance", jnp.asarray(hyper.weights.balance), value


def propagation_terms(weights: PropagationWeights) -> list[Term]:
    """Return the term of propagated labels, if its weight is above 0."""
    return [_propagation] if weights.propagation > 0 else []


def _propagation(output: EncoderOutput, style: Array, batch: Batch, hyper: Numbers) -> tuple[str, Array, Array]:
    if batch.targets is None:
        raise InputError(
            "weights.propagation is above 0, but the data have no propagated labels; give TrainData its targets "
            "(aae_jax.graph: targets_of, or without labels cluster_targets_of), or the weight 0."
        )
    value = losses.propagation_loss(output.logits, batch.targets)
    return "propagation", faded(hyper.weights.propagation, hyper.weights.propagation_fade, hyper), value


def build_classification(model: LabelCode, *, softmax_twice: bool = False, alone: bool = False) -> LossFn:
    """Return the classification loss: cross-entropy of the labelled images' logits with their labels.

    If class frequencies of pool and labels are given, the logits are adjusted to those of the pool (see
    `losses.classification_loss`), and labelled images are normalised by the running moments: the moments of the
    labelled batch reflect other class frequencies than those of the encoder's other batches.

    Args:
        model: Networks and configuration.
        softmax_twice: Whether to apply softmax to probabilities.
        alone: Whether this is the only phase, so that the running moments are of labelled images too.
    """
    config = model.config

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Numbers, key: PRNGKey) -> Auxiliary:
        draw, shares = jax.random.fold_in(key, DRAW_LABELLED), batch.class_shares
        normalised = config.network.batch_norm or config.network.batch_norm_heads
        view, key_encode = draw_seen(config, batch.labelled_images, hyper, draw)
        by_running = {"train": False} if shares is not None and normalised and not alone else {}
        output, stats = model.networks.encode(params, stats, view.seen, key_encode, **by_running)
        error = jnp.mean(jnp.argmax(output.logits, axis=1) != batch.labels, dtype=jnp.float32)
        logits = jax.nn.softmax(output.logits) if softmax_twice else output.logits
        shift = None if shares is None else jnp.log(shares.labelled) - jnp.log(shares.pool)
        return losses.classification_loss(logits, batch.labels, shift), (stats, {"error": error})

    return loss
