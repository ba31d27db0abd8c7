"""Quality of generated images in a feature space: Fréchet distance, precision and recall.

The features are those of a classifier of the data at hand, or, without classes, principal components of its images,
not those of Inception: numbers are comparable between models of one data set and one feature space only.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from aae_jax.errors import InputError
from aae_jax.types import Array

__all__ = ["COMPONENTS", "PrecisionRecall", "frechet_distance", "precision_recall", "principal_components"]

NEIGHBOURS = 3
"""Number of nearest neighbours whose distance is the radius of a sphere, as in the source."""


COMPONENTS = 64
"""Number of principal components that stand for images without classes."""


def principal_components(
    fitted: Float[np.ndarray, "count width"], *others: Float[np.ndarray, "_ width"]
) -> tuple[NDArray[np.float64], ...]:
    """Return the coordinates of the rows of each of `others` on the principal components of `fitted`.

    Their number is 64, or less for fewer rows or columns. The axes of the largest variance are found by a randomised
    decomposition with a fixed seed (Halko et al. 2011); coordinates have the units of the rows.
    """
    from sklearn.decomposition import PCA  # type: ignore[import-untyped, unused-ignore]

    count = min(COMPONENTS, *fitted.shape)
    axes = PCA(n_components=count, svd_solver="randomized", random_state=0).fit(np.asarray(fitted, np.float64))
    return tuple(np.asarray(axes.transform(np.asarray(rows, np.float64))) for rows in others)


def frechet_distance(real: Float[np.ndarray, "count width"], generated: Float[np.ndarray, "others width"]) -> float:
    """Return the Fréchet distance between Gaussians fitted to features of real and of generated images.

    |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½) (Heusel et al. 2017, §2), 0 for equal moments. It is biased upwards for few
    images; compare equal numbers.

    Raises:
        InputError: There are fewer than two rows of either, or some are not finite.
    """
    rows = [np.asarray(each, np.float64) for each in (real, generated)]
    _require(rows, 2)
    means, roots = [each.mean(axis=0) for each in rows], [_centred(each) for each in rows]
    # The eigenvalues of Σ₁ Σ₂ are the squared singular values of A₁ A₂ᵀ, where Σ = Aᵀ A.
    crossed = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    spreads = sum(float(np.sum(root**2)) for root in roots)
    return float(max(0.0, np.sum((means[0] - means[1]) ** 2) + spreads - 2 * crossed))


def _centred(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a square root A of the covariance, with as many rows as there are columns at most: Σ = Aᵀ A."""
    centred = (rows - rows.mean(axis=0)) / np.sqrt(len(rows) - 1)
    root: NDArray[np.float64] = np.asarray(np.linalg.qr(centred, mode="r"))
    return root


class PrecisionRecall(NamedTuple):
    """Shares of images within the estimated manifold of the others."""

    precision: float
    """Share of generated images among the real ones: fidelity."""
    recall: float
    """Share of real images among the generated ones: variety."""


def precision_recall(
    real: Float[np.ndarray, "count width"], generated: Float[np.ndarray, "others width"]
) -> PrecisionRecall:
    """Return improved precision and recall of generated images (Kynkäänniemi et al. 2019, §2).

    The manifold of a set of images is the union of spheres around its features, each as large as the distance to the
    third nearest other feature of the set.

    Raises:
        InputError: There are fewer than four rows of either, or some are not finite.
    """
    rows = [np.asarray(each, np.float32) for each in (real, generated)]
    _require(rows, NEIGHBOURS + 1)
    ours, theirs = (jnp.asarray(each) for each in rows)
    return PrecisionRecall(
        precision=float(_share_within(theirs, ours)),
        recall=float(_share_within(ours, theirs)),
    )


def _require(rows: list[NDArray[np.float64]] | list[NDArray[np.float32]], least: int) -> None:
    if min(len(each) for each in rows) < least or not all(np.isfinite(each).all() for each in rows):
        counts = " and ".join(str(len(each)) for each in rows)
        raise InputError(f"There are features of {counts} images; give at least {least} finite ones of each kind.")


@jax.jit
def _share_within(points: Float[Array, "points width"], others: Float[Array, "others width"]) -> Float[Array, ""]:
    """Return the share of points within the manifold of the others."""
    own = _squared(others, others)
    radii = -jax.lax.top_k(-own, NEIGHBOURS + 1)[0][:, -1]  # the nearest of all is the point itself
    return jnp.mean(jnp.any(_squared(points, others) <= radii[None], axis=1), dtype=jnp.float32)


def _squared(a: Array, b: Array) -> Array:
    products = jnp.matmul(a, b.T, precision=jax.lax.Precision.HIGHEST)
    return jnp.maximum(jnp.sum(a**2, axis=1)[:, None] + jnp.sum(b**2, axis=1)[None] - 2 * products, 0.0)
