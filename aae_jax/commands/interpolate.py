"""`aae-jax interpolate`: interpolation between images in latent space."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import tyro

from aae_jax import figures
from aae_jax.commands.model import ImageFlags, read_model_pictures, save_result
from aae_jax.commands.result import load_model, parse, refuse_overwriting, write
from aae_jax.data.readers.pictures import Pictures
from aae_jax.errors import InputError
from aae_jax.figures.animation import Animation, pack_animation
from aae_jax.figures.of_models.parts import is_drawable
from aae_jax.figures.of_models.paths import consecutive_pairs, decode_paths, nearest_pairs
from aae_jax.saved.model import Model
from aae_jax.streams import note

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["run_interpolate"]

MAX_STEPS = 1000


@dataclass(frozen=True, kw_only=True)
class _Interpolate(ImageFlags):
    other: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE")] = None
    """A second picture: the path from the first to this one."""
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
    refuse_overwriting(out, flags.model, flags.images, flags.other)
    model = load_model(flags.model)
    if not 2 <= flags.steps <= MAX_STEPS:
        raise InputError(f"--steps is {flags.steps}; give a number from 2 to {MAX_STEPS}.")
    if model.decoded_label != model.num_classes:
        raise InputError("The decoder takes the class of each image, which is unknown here; use generate.")
    pictures = read_model_pictures(model, flags)
    if flags.other is not None:
        pictures = _with_other(model, pictures, flags)
    if len(pictures.images) < 2:
        raise InputError(f"{flags.images} has only one image; give at least two, or a second picture after it.")
    codes = model.encode(pictures.images)
    z, y = codes.mean, model.label_codes(codes)
    first, second = nearest_pairs(np.asarray(z)) if flags.nearest else consecutive_pairs(len(z))
    made = decode_paths(model, z, y, (first, second), flags.steps, smooth=flags.smooth)
    if out.endswith(".gif"):
        return _write_gif(out, made, model)

    def draw() -> "Figure":
        scale = 255.0 if pictures.images.dtype.kind in "iu" and model.pixels == "bytes" else 1.0
        ends = np.stack([pictures.images[first], pictures.images[second]], axis=1) / scale
        return figures.latent_interpolation(made, ends)

    return save_result(out, {"images": made, "first": first, "second": second}, draw, model)


def _with_other(model: Model, pictures: Pictures, flags: _Interpolate) -> Pictures:
    """Return the first picture and the one named after it."""
    assert flags.other is not None, "checked by the caller"
    others = read_model_pictures(model, dataclasses.replace(flags, images=flags.other))
    if len(pictures.images) != 1 or len(others.images) != 1:
        raise InputError(
            f"{flags.images} and {flags.other} hold {len(pictures.images)} and {len(others.images)} images; give two "
            "pictures, or one folder or array."
        )
    if pictures.images.dtype != others.images.dtype or pictures.images.shape != others.images.shape:
        raise InputError(
            f"{flags.images} and {flags.other} hold images of different types or shapes; give two alike."
        )
    return Pictures(np.concatenate([pictures.images, others.images]), (*pictures.names, *others.names))


def _write_gif(out: str, made: np.ndarray, model: Model) -> int:
    if not is_drawable(model.image_shape):
        raise InputError(f"Images of shape {list(model.image_shape)} cannot be drawn; give --out a .npz file.")
    write(out, pack_animation(Animation(made)))
    note(f"{made.shape[0]} pairs in {2 * made.shape[1] - 2} frames: {out}")
    return 0
