"""The names that signatures share: arrays, keys, pytrees of parameters, metrics and the step."""

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
"""Running batch-norm statistics by network name; empty where nothing is normalised."""
Metrics = dict[str, Array]
"""Flat `"phase/metric"` names to scalars (stacked over steps by `lax.scan`)."""

Images = Float[Array, "batch *image"]
Labels = Int[Array, " batch"]
Logits = Float[Array, "batch classes"]
Pixels = UInt8[Array, "count *image"] | Float[Array, "count *image"]
"""Images as they are stored: bytes, or numbers in [0, 1]. `*image` is `height width`, `height width channels`, or
`features` where the data are plain vectors."""

Sampler = Callable[[PRNGKey, int], Float[Array, "count latent"]]
"""`(key, n) -> samples`: what an adversary's code is shaped like."""
LabelledSampler = Callable[[PRNGKey, Labels], Float[Array, "batch latent"]]
"""`(key, labels) -> samples`: each from the part of the prior that belongs to its label."""
Schedule = Callable[[Array, Array], Array]
"""`(step, num_steps) -> factor` on a learning rate."""


class ClassShares(NamedTuple):
    """Class frequencies where they are taken into account; each sums to 1.

    Attributes:
        pool: `[classes]`, those assumed of the unlabelled images: the categorical prior p(y).
        labelled: `[classes]`, those of the labelled images.
    """

    pool: Float[Array, " classes"]
    labelled: Float[Array, " classes"]


class Batch(NamedTuple):
    """One update's data: pool images without labels, and a labelled batch.

    Attributes:
        images: `[batch, *image]`, scaled to the output's range, clean.
        labelled_images: `[labelled, *image]`, scaled alike, clean.
        labels: `[labelled]` integer classes of `labelled_images`.
        targets: `[batch, classes]` propagated labels of `images`, times how certain they are (`propagation.py`).
        neighbours: `[batch, *image]`, for each of `images` another of the pool that is like it.
        class_shares: Class frequencies; None: those of the pool are taken to be equal and those of the labels.
    """

    images: Float[Array, "batch *image"]
    labelled_images: Float[Array, "labelled *image"]
    labels: Int[Array, " labelled"]
    targets: Float[Array, "batch classes"] | None = None
    neighbours: Float[Array, "batch *image"] | None = None
    class_shares: ClassShares | None = None

    def __repr__(self) -> str:
        """Return types and shapes instead of numbers."""
        return brief_fields(self)
