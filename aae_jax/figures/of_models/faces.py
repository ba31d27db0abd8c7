"""Figures of faces: people seen in training beside their reconstructions, and paths between neighbours."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from aae_jax import figures
from aae_jax.data.stored import rows_of
from aae_jax.figures.animation import Animation
from aae_jax.figures.of_models.drawing import Shown
from aae_jax.figures.of_models.parts import is_drawable, some_of, unit_images
from aae_jax.figures.of_models.paths import decode_paths, nearest_pairs
from aae_jax.saved.model import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_faces"]

SEEN, SEARCHED, PATHS, STEPS = 20, 2000, 16, 32


def draw_faces(model: Model, shown: Shown) -> Mapping[str, Callable[[], Any]]:
    """Return the drawing functions of reconstructed training images, and of animated paths from each of 16 held-out
    images to the one with the nearest code.
    """
    if not is_drawable(model.image_shape):
        return {}

    def seen() -> "Figure":
        images = rows_of(shown.pool, some_of(len(shown.pool), SEEN))
        made = np.asarray(model.reconstruct_stored(jnp.asarray(images)))
        return figures.reconstructions(unit_images(images), made, names=("seen in training", "reconstruction"))

    def paths() -> Animation:
        codes = model.encode_stored(jnp.asarray(shown.images[:SEARCHED]))
        pairs = nearest_pairs(np.asarray(codes.mean), PATHS)
        return Animation(decode_paths(model, codes.mean, model.label_codes(codes), pairs, STEPS, smooth=True))

    return {"reconstructions_seen": seen, **({"neighbours": paths} if len(shown.images) > 1 else {})}
