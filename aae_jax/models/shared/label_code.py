"""What models with a label code y beside the style do alike: rebuild from both, judge y, agree with themselves.

The encoder gives a style z and a label y (Makhzani et al. 2016, §5 to §7); an adversary pulls y to one-hot vectors.
Whether y is taught by labels, finds clusters, or moves between heads is for the model's own file.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from aae_jax import losses, priors
from aae_jax.errors import InputError
from aae_jax.models.clustering.config import ClusteringConfig
from aae_jax.models.dim_reduction.config import DimReductionConfig
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig
from aae_jax.models.shared.adversary import DrawPrior, build_style_discriminator
from aae_jax.models.shared.label_code_config import FoundClusterWeights, LabelCodeWeights, PropagationWeights
from aae_jax.models.shared.terms import (
    DRAW_ADVERSARIES,
    DRAW_JUDGED,
    DRAW_LABELLED,
    DRAW_PRIOR_Y,
    DRAW_RECONSTRUCTION,
    DRAW_SECOND_VIEW,
    Auxiliary,
    adversary_loss,
    draw_seen,
    encode_view,
    rebuild,
)
from aae_jax.networks import EncoderOutput, Networks
from aae_jax.train.hyper import Hyper, Scalar
from aae_jax.train.optimizers import build_optimizer
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
    "cluster_numbers",
    "cluster_terms",
    "label_code_numbers",
    "labels_of",
    "propagation_numbers",
    "propagation_terms",
]

DrawLabels = Callable[[PRNGKey, Array], Array]
"""`(key, labels of a batch) -> one-hot labels`, as many: what the adversary of y is shown as real beside them."""
Term = Callable[[EncoderOutput, Array, Batch, Hyper], tuple[str, Array, Array]]
"""`(encoder's output, style, batch, numbers) -> (name, factor, value)` of a further term of the generator's loss."""


class LabelCode(NamedTuple):
    """What the losses of these models are built from."""

    networks: Networks
    config: SemiSupervisedConfig | ClusteringConfig | DimReductionConfig
    draw_labels: DrawLabels


def labels_of(prior: Sampler) -> DrawLabels:
    """Return the sampler of labels that go by a prior alone."""
    return lambda key, fake: prior(key, fake.shape[0])


def build_common_phases(
    model: LabelCode, draw_style: DrawPrior, *, rebuilt_by: tuple[str, ...], terms: Sequence[Term] = ()
) -> dict[str, Phase]:
    """Return the phases that all these models have: reconstruction, both discriminators, generator.

    Args:
        model: Networks, configuration, and what the adversary of y is shown.
        draw_style: What the styles shall be like.
        rebuilt_by: The networks that the reconstruction trains; its batch statistics are those that are kept.
        terms: Further terms of the generator's loss.
    """
    optimizers = model.config.optimizers
    judge_style = build_style_discriminator(model.networks, model.config, draw_style)
    discriminate = build_optimizer(optimizers.discriminator)
    return {
        "reconstruction": Phase(
            rebuilt_by,
            build_label_reconstruction(model),
            build_optimizer(optimizers.reconstruction),
            updates_stats=True,
        ),
        "discriminator_z": Phase(("discriminator_z",), judge_style, discriminate),
        "discriminator_y": Phase(("discriminator_y",), build_label_discriminator(model), discriminate),
        "generator": Phase(("encoder",), build_label_generator(model, terms), build_optimizer(optimizers.generator)),
    }


def build_label_reconstruction(model: LabelCode) -> LossFn:
    """Return the loss of the decoder's image of a style and the encoder's label."""
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


def build_label_discriminator(model: LabelCode) -> LossFn:
    """Return the loss by which the adversary of y tells the encoder's labels from one-hot ones."""

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey) -> Auxiliary:
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


def build_label_generator(model: LabelCode, terms: Sequence[Term] = ()) -> LossFn:
    """Return the encoder's loss against both adversaries; with consistency, where it has a weight; and `terms`."""
    networks, consistent = model.networks, model.config.weights.consistency > 0

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey) -> Auxiliary:
        draw = jax.random.fold_in(key, DRAW_ADVERSARIES)
        output, style, _, _ = encode_view(model.networks, model.config, params, stats, batch.images, hyper, draw)
        label, judging = jax.nn.softmax(output.logits), jax.random.fold_in(key, DRAW_JUDGED)
        loss_z = losses.generator_loss(networks.discriminate_z(params, style, judging))
        loss_y = losses.generator_loss(networks.discriminate_y(params, label, judging))
        value = hyper.weight_z * loss_z + _weight_y(batch, hyper) * loss_y
        metrics = {"z": loss_z, "y": loss_y}
        if consistent:
            second = jax.random.fold_in(key, DRAW_SECOND_VIEW)
            metrics["consistency"] = _consistency(model, params, stats, batch, hyper, second, output)
            value += hyper.weight_consistency * metrics["consistency"]
        for term in terms:
            name, factor, metrics[name] = term(output, style, batch, hyper)
            value += factor * metrics[name]
        return value, (stats, metrics)

    return loss


def _weight_y(batch: Batch, hyper: Hyper) -> Scalar:
    """Return the weight of y's adversary, less where a class is rare: it would pull all labels to the frequent ones.

    The factor is the smallest frequency in that of equal classes.
    """
    if batch.class_shares is None:
        return hyper.weight_y
    frequencies = batch.class_shares.pool
    return hyper.weight_y * frequencies.shape[0] * jnp.min(frequencies)


def label_code_numbers(weights: LabelCodeWeights, num_steps: int) -> dict[str, float]:
    """Return the fields of `Hyper` that every model with a label code has."""
    return {
        "weight_reconstruction": weights.reconstruction,
        "weight_z": weights.generator_z,
        "weight_y": weights.generator_y,
        "weight_consistency": weights.consistency,
        "consistency_warmup": weights.consistency_warmup * num_steps,
        "sharpness": weights.sharpness,
        "confidence": weights.confidence,
        "adversarial_norm": weights.adversarial_norm,
    }


def cluster_terms(weights: FoundClusterWeights) -> list[Term]:
    """Return the terms of the generator's loss that keep clusters sure and in use, where they have a weight."""
    known = ((weights.certainty, _certainty), (weights.balance, _balance))
    return [term for weight, term in known if weight > 0]


def cluster_numbers(weights: FoundClusterWeights, num_steps: int) -> dict[str, float]:
    """Return the fields of `Hyper` that these terms and the warm-up of y's adversary have."""
    return {
        "label_warmup": weights.generator_y_warmup * num_steps,
        "weight_certainty": weights.certainty,
        "weight_balance": weights.balance,
        "balance_slack": weights.balance_slack,
    }


def _certainty(output: EncoderOutput, style: Array, batch: Batch, hyper: Hyper) -> tuple[str, Array, Array]:
    return "certainty", jnp.asarray(hyper.weight_certainty), losses.certainty_loss(output.logits)


def _balance(output: EncoderOutput, style: Array, batch: Batch, hyper: Hyper) -> tuple[str, Array, Array]:
    value = losses.balance_loss(output.logits, hyper.balance_slack)
    return "balance", jnp.asarray(hyper.weight_balance), value


def propagation_terms(weights: PropagationWeights) -> list[Term]:
    """Return the term of what the graph says, where it has a weight."""
    return [_propagation] if weights.propagation > 0 else []


def propagation_numbers(weights: PropagationWeights, num_steps: int) -> dict[str, float]:
    """Return the fields of `Hyper` that this term has."""
    return {
        "weight_propagation": weights.propagation,
        "propagation_fade": weights.propagation_fade * num_steps,
    }


def _propagation(output: EncoderOutput, style: Array, batch: Batch, hyper: Hyper) -> tuple[str, Array, Array]:
    if batch.targets is None:
        raise InputError(
            "weights.propagation is above 0, but the data have no propagated labels; give TrainData its targets "
            "(aae_jax.graph: targets_of, or without labels cluster_targets_of), or the weight 0."
        )
    value = losses.propagation_loss(output.logits, batch.targets)
    return "propagation", jnp.asarray(hyper.weight_propagation), value


def build_classification(model: LabelCode, *, softmax_twice: bool = False, alone: bool = False) -> LossFn:
    """Return the cross-entropy of the labelled images' logits with their labels.

    Where the class frequencies of pool and labels are given, the logits are fitted to those of the pool (see
    `losses.classification_loss`), and the labelled images are normalised by the running moments: those of their own
    batch belong to other class frequencies than the encoder meets elsewhere.

    Args:
        model: Networks and configuration.
        softmax_twice: Whether the softmax is taken of probabilities.
        alone: Whether there is no other phase, so that the running moments are of labelled images too.
    """
    config = model.config

    def loss(params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey) -> Auxiliary:
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


def _consistency(
    model: LabelCode, params: Params, stats: Stats, batch: Batch, hyper: Hyper, key: PRNGKey, first: EncoderOutput
) -> Array:
    """Return the cross-entropy between a target and the prediction for a view; no gradient enters the target.

    The target is the prediction for the adversaries' view, `first`, and the other that for a second view; or
    the target is what evaluation would say of the clean image, and `first` the other, at no second view's cost.

    Where the batch has neighbours, the second view is of each image's neighbour.

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
    others = batch.images if batch.neighbours is None else batch.neighbours
    view, key_encode = draw_seen(model.config, others, hyper, key)

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
