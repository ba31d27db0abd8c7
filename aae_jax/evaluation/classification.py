"""Classification error and confusion counts, with running statistics: predictions do not depend on the batch."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from aae_jax.augment import OutputKind
from aae_jax.evaluation.encoding import build_encode
from aae_jax.networks import Networks
from aae_jax.train.compile import compiler_options
from aae_jax.types import Array, Params, Pixels, Stats

__all__ = ["confusion_counts", "error_rate", "evaluate", "exact_share"]


def error_rate(logits: Float[Array, "*seeds count classes"], labels: Int[Array, " count"]) -> Float[Array, "*seeds"]:
    """Return the share of rows whose largest logit is not at `labels`; non-finite rows count as errors.

    Rows without a label, -1, are left out; NaN if no row has one.
    """
    finite: Bool[Array, "*seeds count"] = jnp.all(jnp.isfinite(logits), axis=-1)
    labels = jnp.expand_dims(labels, tuple(range(logits.ndim - 2)))
    wrong = ((jnp.argmax(logits, axis=-1) != labels) | ~finite) & (labels >= 0)
    return jnp.sum(wrong, axis=-1, dtype=jnp.float32) / jnp.sum(labels >= 0, dtype=jnp.float32)


def confusion_counts(
    labels: np.ndarray, predicted: np.ndarray, num_classes: int, num_answers: int | None = None
) -> np.ndarray:
    """Count images by true class (rows) and predicted answer (columns), `[classes, answers]`.

    There are as many answers as classes unless `num_answers` is given.
    """
    counts = np.zeros((num_classes, num_classes if num_answers is None else num_answers), dtype=np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def exact_share(errors: Array | np.ndarray | list[float], count: int) -> np.ndarray:
    """Round float32 shares of `count` items to the exact fractions that they represent; NaN stays NaN."""
    return np.rint(np.asarray(errors, dtype=np.float64) * count) / count


def evaluate(
    networks: Networks,
    params: Params,
    stats: Stats,
    images: Pixels | np.ndarray,
    labels: Int[Array, " count"] | np.ndarray,
    *,
    output: OutputKind,
) -> dict[str, float]:
    """Evaluate a classifier on stored images: `{"error": share misclassified, "cross_entropy": mean in nats}`."""
    error, cross_entropy = _evaluation(networks, output)(params, stats, jnp.asarray(images), jnp.asarray(labels))
    return {"error": float(error), "cross_entropy": float(cross_entropy)}


@functools.lru_cache(maxsize=16)
def _evaluation(
    networks: Networks, output: OutputKind
) -> Callable[[Params, Stats, Array, Array], tuple[Array, Array]]:
    """Return `(params, stats, images, labels) -> (error, mean cross-entropy)`, compiled once per network."""
    encode = build_encode(networks, output)

    @functools.partial(jax.jit, compiler_options=compiler_options())
    def measured(params: Params, stats: Stats, images: Array, labels: Array) -> tuple[Array, Array]:
        logits = encode(params, stats, images).logits
        picked = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
        return error_rate(logits, labels), -jnp.mean(picked)

    return measured
