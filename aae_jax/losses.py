"""Losses, one pure scalar function per equation. All are means over the batch; sums are stated.

Discriminators output logits; "real" is a sample of the prior, "fake" a code from the encoder. Cross-entropies are
computed from logits, never from the logarithm of a sigmoid or softmax.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from aae_jax.errors import InputError
from aae_jax.types import Array

__all__ = [
    "DISCRIMINATOR_EQUILIBRIUM",
    "GENERATOR_EQUILIBRIUM",
    "balance_loss",
    "bernoulli_cross_entropy",
    "certainty_loss",
    "classification_loss",
    "consistency_loss",
    "cyclic_label_loss",
    "cyclic_style_loss",
    "discriminator_loss",
    "frobenius_penalty",
    "generator_loss",
    "half_squared_error",
    "head_distance_cost",
    "kl_by_samples",
    "kl_to_gaussian",
    "mean_square_penalty",
    "mean_squared_error",
    "pairwise_mode_loss",
    "propagation_loss",
    "style_mmd",
]

DISCRIMINATOR_EQUILIBRIUM = 1.3862943611198906
"""2 ln 2: `discriminator_loss` if real and fake are indistinguishable."""
GENERATOR_EQUILIBRIUM = 0.6931471805599453
"""ln 2: `generator_loss` if real and fake are indistinguishable."""
TINY = 1e-12
MMD_SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Scales of the kernels of a maximum mean discrepancy, in mean squared distances between two samples of the prior."""


def half_squared_error(
    output: Float[Array, "batch *pixels"], target: Float[Array, "batch *pixels"]
) -> Float[Array, ""]:
    """Return ½ Σ over pixels of (output − target)², mean over the batch.

    Makhzani et al. 2016, appendix A (Euclidean cost). Learning rates do not transfer between this sum and the mean
    over pixels, which is 392 times smaller on 28×28 images.
    """
    return 0.5 * jnp.sum((output - target) ** 2) / output.shape[0]


def mean_squared_error(
    output: Float[Array, "batch *pixels"], target: Float[Array, "batch *pixels"]
) -> Float[Array, ""]:
    """Return (output − target)², mean over batch and pixels, as in most implementations."""
    return jnp.mean((output - target) ** 2)


def bernoulli_cross_entropy(
    logits: Float[Array, "batch *pixels"], target: Float[Array, "batch *pixels"]
) -> Float[Array, ""]:
    """Return Σ over pixels of the cross-entropy of `sigmoid(logits)` with `target` in [0, 1], batch mean."""
    return jnp.sum(jax.nn.softplus(logits) - target * logits) / logits.shape[0]


def discriminator_loss(real_logits: Float[Array, " real"], fake_logits: Float[Array, " fake"]) -> Float[Array, ""]:
    """Return −mean log D(real) − mean log(1 − D(fake)), with D the sigmoid of the logits.

    Makhzani et al. 2016, §2, equation (1), maximised by the discriminator; 2 ln 2 at equilibrium.
    """
    return jnp.mean(jax.nn.softplus(-real_logits)) + jnp.mean(jax.nn.softplus(fake_logits))


def generator_loss(fake_logits: Float[Array, " fake"]) -> Float[Array, ""]:
    """Return −mean log D(fake), the non-saturating form of equation (1) (Goodfellow et al. 2014, §3)."""
    return jnp.mean(jax.nn.softplus(-fake_logits))


def classification_loss(
    logits: Float[Array, "batch classes"],
    labels: Int[Array, " batch"],
    shift: Float[Array, " classes"] | None = None,
) -> Float[Array, ""]:
    """Return the cross-entropy of `softmax(logits + shift)` with integer `labels`, batch mean (§5, third phase).

    With a shift of log q(y) − log p(y), where q are the labels' class frequencies, softmax(logits) becomes the
    posterior for the frequencies p (Ren et al. 2020, §3.2; Menon et al. 2021, §4).
    """
    log_probabilities = jax.nn.log_softmax(logits if shift is None else logits + shift[None])
    return -jnp.mean(jnp.take_along_axis(log_probabilities, labels[:, None], axis=1))


def propagation_loss(
    logits: Float[Array, "batch classes"], targets: Float[Array, "batch classes"]
) -> Float[Array, ""]:
    """Return −Σ over classes of targets · log softmax(logits), batch mean.

    The rows of the targets sum to their certainty (as in Iscen et al. 2019, without class weights).
    """
    return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(logits), axis=1))


def consistency_loss(
    target_logits: Float[Array, "batch classes"],
    logits: Float[Array, "batch classes"],
    sharpness: Float[Array, ""] | float = 1.0,
    confidence: Float[Array, ""] | float = 0.0,
) -> Float[Array, ""]:
    """Return the cross-entropy of `softmax(logits)` with `softmax(sharpness · target_logits)`, batch mean.

    The target is held constant (no gradient), as in virtual adversarial training (Miyato et al. 2016, §3.1); a
    sharpness above 1 moves targets towards one-hot vectors. Rows in which every probability of
    `softmax(target_logits)` is below `confidence` count as 0 in the mean (Sohn et al. 2020, FixMatch, whose targets
    are one-hot).
    """
    target_logits = jax.lax.stop_gradient(target_logits)
    cross_entropy = -jnp.sum(jax.nn.softmax(sharpness * target_logits) * jax.nn.log_softmax(logits), axis=1)
    unsure = jnp.max(jax.nn.softmax(target_logits), axis=1) < confidence  # False for NaN, which must propagate
    return jnp.mean(jnp.where(unsure, 0.0, cross_entropy))


def kl_to_gaussian(
    mean: Float[Array, "batch latent"],
    log_std: Float[Array, "batch latent"],
    prior_std: Float[Array, ""] | float = 1.0,
) -> Float[Array, ""]:
    """Return KL(N(mean, exp(log_std)²) ‖ N(0, prior_std² I)) in closed form, in nats, batch mean.

    Kingma and Welling 2014, appendix B, including its constant and generalised to any std of the prior.
    """
    ratio = log_std - jnp.log(jnp.asarray(prior_std, jnp.float32))
    return jnp.mean(jnp.sum(0.5 * ((mean / prior_std) ** 2 + jnp.exp(2 * ratio) - 1.0) - ratio, axis=1))


def kl_by_samples(
    z: Float[Array, "batch latent"],
    mean: Float[Array, "batch latent"],
    log_std: Float[Array, "batch latent"],
    prior_log_density: Float[Array, " batch"],
) -> Float[Array, ""]:
    """Return an unbiased estimate of KL(N(mean, exp(log_std)²) ‖ prior): log q(z|x) − log p(z), batch mean, in nats.

    For priors without a closed form, such as a mixture.

    Args:
        z: One reparametrised sample per row from its posterior; gradients flow through it.
        mean: Means of the posteriors.
        log_std: Logarithms of their standard deviations.
        prior_log_density: log p(z) of each row.
    """
    within = (z - mean) * jnp.exp(-log_std)
    log_density = -jnp.sum(0.5 * within**2 + log_std + 0.5 * jnp.log(jnp.float32(2 * jnp.pi)), axis=1)
    return jnp.mean(log_density - prior_log_density)


def certainty_loss(logits: Float[Array, "batch classes"]) -> Float[Array, ""]:
    """Return the entropy of softmax(logits), batch mean, in nats: 0 if each image's class is certain."""
    log_probabilities = jax.nn.log_softmax(logits)
    return -jnp.mean(jnp.sum(jnp.exp(log_probabilities) * log_probabilities, axis=1))


def balance_loss(logits: Float[Array, "batch classes"], slack: Float[Array, ""] | float = 0.0) -> Float[Array, ""]:
    """Return log(classes) − H(mean over the batch of softmax(logits)), in nats: 0 if classes are equally frequent.

    The term of the mutual information between image and label that keeps every class in use (Hu et al. 2017, §3.1).

    Args:
        logits: Label logits of a batch.
        slack: Deviation from equal frequencies without cost, in nats. By chance alone, a batch of n certain labels
            deviates by about (classes − 1) / 2n.
    """
    mean = jax.nn.logsumexp(jax.nn.log_softmax(logits), axis=0) - jnp.log(jnp.float32(logits.shape[0]))
    lacking = jnp.log(jnp.float32(logits.shape[1])) + jnp.sum(jnp.exp(mean) * mean)
    return jax.nn.relu(lacking - slack)


def cyclic_label_loss(
    logits_again: Float[Array, "batch classes"], label: Float[Array, "batch classes"]
) -> Float[Array, ""]:
    """Return the binary cross-entropy of softmax(logits_again) with `label`, mean over batch and classes.

    shaharazulay's mutual-information loss: `logits_again` are the encoder's label logits for an image decoded from
    `label`. No gradient flows into `label`, the decoded probabilities.

    Raises:
        InputError: There are fewer than two classes.
    """
    if label.shape[1] < 2:
        raise InputError(f"{label.shape[1]} class has no other; give at least two classes.")
    target = jax.lax.stop_gradient(label)
    log_yes = jax.nn.log_softmax(logits_again)
    itself = jnp.eye(label.shape[1], dtype=bool)
    others = jnp.where(itself, -jnp.inf, logits_again[:, None, :])
    log_no = jax.nn.logsumexp(others, axis=2) - jax.nn.logsumexp(logits_again, axis=1, keepdims=True)
    return -jnp.mean(target * log_yes + (1.0 - target) * log_no)


def cyclic_style_loss(
    style_again: Float[Array, "batch latent"], style: Float[Array, "batch latent"]
) -> Float[Array, ""]:
    """Return (style_again − style)², mean over batch and dimensions, without a gradient into `style`.

    The second term of shaharazulay's mutual-information loss, where its weight is 0.1.
    """
    return jnp.mean((style_again - jax.lax.stop_gradient(style)) ** 2)


def frobenius_penalty(style: Float[Array, "batch latent"]) -> Float[Array, ""]:
    """Return the Frobenius norm of a batch of styles (shaharazulay), which grows as the square root of batch size."""
    squared = jnp.sum(style**2)
    return jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1.0)), 0.0)


def mean_square_penalty(style: Float[Array, "batch latent"]) -> Float[Array, ""]:
    """Return Σ over dimensions of style², batch mean: a penalty independent of the batch size."""
    return jnp.mean(jnp.sum(style**2, axis=1))


def pairwise_mode_loss(mode_logits: Float[Array, "classes *pixels"]) -> Float[Array, ""]:
    """Return minus the mean cross-entropy of each class's mode with each later one's, mean over pixels.

    Minimising it pushes the modes apart. shaharazulay's disentanglement loss: −2 / (K (K − 1)) Σ over a < b of
    BCE(P(e_a, 0), P(e_b, 0)), without a gradient into the second. All pairs take one batched call of the decoder and
    one matrix product.

    Args:
        mode_logits: Decoder logits for each class's one-hot label and a style of zeros.

    Raises:
        InputError: There are fewer than two classes.
    """
    if mode_logits.shape[0] < 2:
        raise InputError(f"{mode_logits.shape[0]} mode has no other to differ from; give at least two classes.")
    logits = mode_logits.reshape(mode_logits.shape[0], -1)
    classes, pixels = logits.shape
    target = jax.lax.stop_gradient(jax.nn.sigmoid(logits))
    entropies = jnp.sum(jax.nn.softplus(logits), axis=1)[:, None] - logits @ target.T
    later = jnp.triu(jnp.ones((classes, classes), jnp.float32), 1)
    return -2.0 / (classes * (classes - 1)) * jnp.sum(later * entropies) / pixels


def style_mmd(
    style: Float[Array, "batch latent"],
    samples: Float[Array, "batch latent"],
    labels: Float[Array, "batch classes"] | None = None,
) -> Float[Array, ""]:
    """Return an unbiased estimate of the squared maximum mean discrepancy between styles and samples of the prior.

    Gretton et al. 2012, lemma 6, with the mean of inverse multiquadratic kernels c / (c + d²) at several scales
    (Tolstikhin et al. 2018, appendix C). With labels, the kernel is multiplied by the inner product of the labels:
    the pairs (style, label) are compared with (sample, label), so that styles of each class match the prior. 0 for a
    single style.

    Args:
        style: Styles of a batch.
        samples: As many samples of the prior.
        labels: Class probabilities of the styles, with which the samples are paired too.
    """
    count = style.shape[0]
    alike = jnp.ones((count, count), jnp.float32) if labels is None else labels @ labels.T
    weights = alike * (1.0 - jnp.eye(count, dtype=jnp.float32))
    squared = [_squared_distances(a, b) for a, b in ((style, style), (samples, samples), (style, samples))]
    pairs = max(1, count * (count - 1))  # a single style has no pair, and no discrepancy
    unit = jnp.maximum(jax.lax.stop_gradient(jnp.sum(squared[1]) / pairs), TINY)
    value = jnp.zeros((), jnp.float32)
    for scale in MMD_SCALES:
        within, of_prior, between = (scale * unit / (scale * unit + distances) for distances in squared)
        value += jnp.sum(weights * (within + of_prior - 2.0 * between))
    return value / (len(MMD_SCALES) * pairs)


def _squared_distances(a: Array, b: Array) -> Array:
    return jnp.sum((a[:, None] - b[None]) ** 2, axis=2)


def head_distance_cost(heads: Float[Array, "classes latent"], least: Float[Array, ""] | float) -> Float[Array, ""]:
    """Return Σ over pairs of cluster heads of max(0, least − distance) (Makhzani et al. 2016, figure 10).

    Heads at a distance of `least` or more cost nothing; identical heads have no gradient, because no direction
    separates them.
    """
    squared = jnp.sum((heads[:, None] - heads[None]) ** 2, axis=2)
    distances = jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1.0)), 0.0)
    pairs = jnp.triu(jnp.ones_like(squared), 1)
    return jnp.sum(pairs * jnp.maximum(0.0, least - distances))
