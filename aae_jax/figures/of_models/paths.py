"""Straight paths between the codes of images, decoded."""

import jax.numpy as jnp
import numpy as np

from aae_jax.saved.model import Model
from aae_jax.types import Array

__all__ = ["consecutive_pairs", "decode_paths", "nearest_pairs"]

MAX_PAIRS = 100


def consecutive_pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the first and the second of each pair of images, at most 100 pairs."""
    pairs = min(count // 2, MAX_PAIRS)
    return np.arange(0, 2 * pairs, 2), np.arange(1, 2 * pairs, 2)


def nearest_pairs(z: np.ndarray, most: int = MAX_PAIRS) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the first images, at most `most`, and of the image with the nearest code to each.

    Args:
        z: Codes `[count, latent]`; two rows at least.
        most: Maximum number of pairs.
    """
    from sklearn.neighbors import NearestNeighbors  # slow to import

    first = np.arange(min(len(z), most))
    neighbours = NearestNeighbors(n_neighbors=2).fit(z).kneighbors(z[first], return_distance=False)
    return first, np.where(neighbours[:, 0] == first, neighbours[:, 1], neighbours[:, 0])


def decode_paths(
    model: Model, z: Array, y: Array, pairs: tuple[np.ndarray, np.ndarray], steps: int, *, smooth: bool = False
) -> np.ndarray:
    """Decode points on the straight line between the codes of each pair, `[pairs, steps, *image]` in [0, 1].

    Args:
        model: Model with a decoder.
        z: Styles of all images, `[count, latent]`.
        y: Labels of all images as the decoder takes them, `[count, classes]`.
        pairs: Indices of the first and the second images, from `consecutive_pairs` or `nearest_pairs`.
        steps: Number of points, both ends included.
        smooth: Start and end slowly, by a squared cosine, instead of in equal steps.
    """
    share = np.linspace(0.0, 1.0, steps)
    if smooth:
        share = 1.0 - np.cos(0.5 * np.pi * share) ** 2
    made = np.asarray(model.decode(*(_between(part, *pairs, share) for part in (z, y))))
    return made.reshape(len(pairs[0]), steps, *model.image_shape)


def _between(values: Array, first: np.ndarray, second: np.ndarray, share: np.ndarray) -> Array:
    weights = jnp.asarray(share, jnp.float32)[None, :, None]
    codes = (1 - weights) * values[first][:, None] + weights * values[second][:, None]
    return codes.reshape(len(first) * len(share), values.shape[1])
