"""`aae-jax interpolate`: interpolation between images in latent space."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from aae_jax import figures
from aae_jax.commands.model import ImageFlags, read_model_pictures, save_result
from aae_jax.commands.result import load_model, parse, refuse_overwriting, write
from aae_jax.errors import InputError
from aae_jax.figures.of_models.parts import is_drawable
from aae_jax.saved.model import Model
from aae_jax.streams import note
from aae_jax.types import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["run_interpolate"]

MAX_STEPS, MAX_PAIRS, SCALE = 1000, 100, 3
MILLISECONDS, COLUMNS = 100, 4


@dataclass(frozen=True, kw_only=True)
class _Interpolate(ImageFlags):
    steps: int = 9
    """Images from one end to the other, including the reconstructed ends."""
    nearest: bool = False
    """Interpolate from each image to the one with the nearest code, instead of between consecutive pairs."""
    smooth: bool = False
    """Start and end slowly: steps by a squared cosine instead of equal steps."""


def run_interpolate(argv: Sequence[str]) -> int:
    """Decode linear interpolations between the codes of images.

    --out takes .png, .svg, .npz, or .gif, which plays forwards and backwards.
    """
    flags = parse(_Interpolate, argv, "interpolate", run_interpolate.__doc__)
    out = flags.out or "interpolation.png"
    refuse_overwriting(out, flags.model, flags.images)
    model = load_model(flags.model)
    if not 2 <= flags.steps <= MAX_STEPS:
        raise InputError(f"--steps is {flags.steps}; give a number from 2 to {MAX_STEPS}.")
    if model.decoded_label != model.num_classes:
        raise InputError("The decoder takes the class of each image, which is unknown here; use generate.")
    pictures = read_model_pictures(model, flags)
    if len(pictures.images) < 2:
        raise InputError(f"{flags.images} has only one image; give at least two.")
    codes = model.encode(pictures.images)
    z, y = codes.mean, model.label_codes(codes)
    first, second = _ends(np.asarray(z), nearest=flags.nearest)
    share = np.linspace(0.0, 1.0, flags.steps)
    if flags.smooth:
        share = 1.0 - np.cos(0.5 * np.pi * share) ** 2
    between = [_between(part, first, second, share) for part in (z, y)]
    made = np.asarray(model.decode(*between)).reshape(len(first), flags.steps, *model.image_shape)
    if out.endswith(".gif"):
        return _write_gif(out, made, model)

    def draw() -> "Figure":
        scale = 255.0 if pictures.images.dtype.kind in "iu" and model.pixels == "bytes" else 1.0
        ends = np.stack([pictures.images[first], pictures.images[second]], axis=1) / scale
        return figures.latent_interpolation(made, ends)

    return save_result(out, {"images": made, "first": first, "second": second}, draw, model)


def _ends(z: np.ndarray, *, nearest: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the first and the last image of each interpolation."""
    if not nearest:
        pairs = min(len(z) // 2, MAX_PAIRS)
        return np.arange(0, 2 * pairs, 2), np.arange(1, 2 * pairs, 2)
    from sklearn.neighbors import NearestNeighbors  # slow to import

    first = np.arange(min(len(z), MAX_PAIRS))
    neighbours = NearestNeighbors(n_neighbors=2).fit(z).kneighbors(z[first], return_distance=False)
    return first, np.where(neighbours[:, 0] == first, neighbours[:, 1], neighbours[:, 0])


def _between(values: Array, first: np.ndarray, second: np.ndarray, share: np.ndarray) -> Array:
    weights = jnp.asarray(share, jnp.float32)[None, :, None]
    codes = (1 - weights) * values[first][:, None] + weights * values[second][:, None]
    return codes.reshape(len(first) * len(share), values.shape[1])


def _arranged(images: np.ndarray) -> np.ndarray:
    """Arrange the images of a frame in rows of four, the last filled up with black."""
    columns = min(len(images), COLUMNS)
    padded = np.concatenate([images, np.zeros((-len(images) % columns, *images.shape[1:]))])
    rows = padded.reshape(-1, columns, *images.shape[1:])
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)


def _write_gif(out: str, made: np.ndarray, model: Model) -> int:
    from PIL import Image

    if not is_drawable(model.image_shape):
        raise InputError(f"Images of shape {list(model.image_shape)} cannot be drawn; give --out a .npz file.")
    there = np.concatenate(list(np.moveaxis(made, 1, 0)[None]), axis=0)
    frames = [_arranged(frame) for frame in (*there, *there[-2:0:-1])]
    pictures = [
        Image.fromarray(np.round(255 * frame).astype(np.uint8)).resize(
            (SCALE * frame.shape[1], SCALE * frame.shape[0]), Image.Resampling.NEAREST
        )
        for frame in frames
    ]
    packed = io.BytesIO()
    pictures[0].save(packed, format="GIF", save_all=True, append_images=pictures[1:], duration=MILLISECONDS, loop=0)
    write(out, packed.getvalue())
    note(f"{len(made)} pairs in {len(frames)} frames: {out}")
    return 0
