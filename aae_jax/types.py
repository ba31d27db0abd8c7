"""Types shared by signatures: arrays, keys, pytrees of parameters, metrics, batches, samplers and schedules."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
from jaxtyping import Float, Int, Key, UInt8

from aae_jax.text import brief_fields

__all__ = [
    "Array",
    "Batch",
    "ClassShares",
    "Images",
    "LabelledSampler",
    "Labels",
    "Logits",
    "Metrics",
    "PRNGKey",
    "Params",
    "Pixels",
    "Sampler",
    "Schedule",
    "Stats",
]

Array = jax.Array
PRNGKey = Key[Array, ""]
Params = Mapping[str, Any]
"""Weights by network name, e.g. `{"encoder": ..., "decoder": ...}`; each value is a pytree of arrays."""
Stats = Mapping[str, Any]
"""Running batch-norm statistics by network name; empty without batch norm."""
Metrics = dict[str, Array]
"""Scalars by flat name `"phase/metric"` (stacked over steps by `lax.scan`)."""

Images = Float[Array, "batch *image"]
Labels = Int[Array, " batch"]
Logits = Float[Array, "batch classes"]
Pixels = UInt8[Array, "count *image"] | Float[Array, "count *image"]
"""Stored images: bytes, or numbers in [0, 1]. `*image` is `height width`, `height width channels`, or `features` for
plain vectors."""

Sampler = Callable[[PRNGKey, int], Float[Array, "count latent"]]
"""`(key, n) -> samples` of the prior that a latent code matches."""
LabelledSampler = Callable[[PRNGKey, Labels], Float[Array, "batch latent"]]
"""`(key, labels) -> samples`, each from its label's part of the prior."""
Schedule = Callable[[Array, Array], Array]
"""`(step, num_steps) -> factor` on a learning rate."""


class ClassShares(NamedTuple):
    """Class frequencies, if they are taken into account; each array sums to 1.

    Attributes:
        pool: `[classes]`, frequencies assumed for the unlabelled images: the categorical prior p(y).
        labelled: `[classes]`, frequencies of the labelled images.
    """

    pool: Float[Array, " classes"]
    labelled: Float[Array, " classes"]


class Batch(NamedTuple):
    """Data of one update: a batch of unlabelled pool images, and a labelled batch.

    Attributes:
        images: `[batch, *image]`, clean, scaled to the decoder's output range.
        labelled_images: `[labelled, *image]`, clean, scaled likewise.
        labels: `[labelled]`, integer classes of `labelled_images`.
        targets: `[batch, classes]`, propagated labels of `images`, weighted by certainty (`aae_jax.graph`).
        neighbours: `[batch, *image]`, for each of `images` a similar image from the pool.
        class_shares: Class frequencies; None: all classes are assumed to be equally frequent in pool and labels.
    """

    images: Float[Array, "batch *image"]
    labelled_images: Float[Array, "labelled *image"]
    labels: Int[Array, " labelled"]
    targets: Float[Array, "batch classes"] | None = None
    neighbours: Float[Array, "batch *image"] | None = None
    class_shares: ClassShares | None = None

    def __repr__(self) -> str:
        """Return dtypes and shapes instead of values."""
        return brief_fields(self)
