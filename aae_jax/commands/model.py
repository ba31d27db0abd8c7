"""`aae-jax predict|reconstruct|generate`: predictions, reconstructions and samples of a trained model."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from aae_jax.commands.evaluate import DataFlags, dataset_of, refuse_other_data
from aae_jax.commands.result import ModelPath, load_model, parse, refuse_overwriting, source_of, write
from aae_jax.data.readers.pictures import Pictures, read_pictures
from aae_jax.errors import InputError
from aae_jax.evaluation import build_draw_codes, fit_mixture
from aae_jax.figures.of_models.drawing import reason_of
from aae_jax.saved.model import Model
from aae_jax.streams import note, write_result
from aae_jax.text import printable
from aae_jax.types import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "ImageFlags",
    "read_model_pictures",
    "run_generate",
    "run_predict",
    "run_reconstruct",
    "save_result",
]

SAMPLES_PER_ROW = 10


@dataclass(frozen=True, kw_only=True)
class ImageFlags:
    """A saved model and its input images."""

    model: ModelPath
    """Folder of a run, or of a saved model."""
    images: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="IMAGES")]
    """An image file, a folder of image files, or an .npy, .npz (its x, else its x_test) or IDX file."""
    resize: bool = False
    """Scale image files of another size until they cover the model's, and crop them; arrays are not resized."""
    invert: bool = False
    """Invert dark on light to light on dark, as in MNIST."""
    out: str | None = None
    """Output file. predict: a CSV file (default: printed). reconstruct: a .png, .svg or .npz file
    (default: reconstructions.png)."""


@dataclass(frozen=True, kw_only=True)
class _Predict(ImageFlags):
    calibrated: bool = False
    """Calibrated probabilities: logits are divided by the temperature that the run fitted on its validation
    images."""


@dataclass(frozen=True, kw_only=True)
class _Generate(DataFlags):
    sampler: Literal["prior", "mixture"] = "prior"
    """prior: styles of the model's prior. mixture: styles of a Gaussian mixture fitted to the codes of the training
    images (--dataset), also for a model without a prior."""
    mixture_components: int | None = None
    """Number of Gaussians of the fitted mixture. Default: 10."""
    count: int = 8
    """Number of styles to sample; each is decoded with every class, if the model has classes."""
    label: str | None = None
    """Decode only this class, by its name."""
    component: int | None = None
    """Sample styles only from this component of the prior, counted from 0: a Gaussian of a mixture, a part of a swiss
    roll; for a model with labels in its prior (label_regularized), the class of that number."""
    seed: int = 0
    """Random seed of the styles."""
    out: str = "samples.png"
    """A .png or .svg file with a grid, or an .npz file with the arrays images, styles and labels."""


def run_predict(argv: Sequence[str]) -> int:
    """Classify images: one CSV line per image, with the probability of every class."""
    flags = parse(_Predict, argv, "predict", run_predict.__doc__)
    refuse_overwriting(flags.out, flags.model, flags.images)
    model = load_model(flags.model)
    pictures = read_model_pictures(model, flags)
    chances = np.asarray(model.predict_proba(pictures.images, calibrated=flags.calibrated))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    names = [printable(name) for name in model.class_names]
    table.writerow(["image", "class", *(f"p({name})" for name in names)])
    for name, row in zip(pictures.names, chances, strict=True):
        table.writerow([printable(name), names[int(row.argmax())], *(f"{chance:.6f}" for chance in row)])
    if flags.out is None:
        write_result(text.getvalue())
    else:
        write(flags.out, text.getvalue().encode())
        note(f"{len(pictures.names)} lines in {flags.out}")
    return 0


def read_model_pictures(model: Model, flags: ImageFlags) -> Pictures:
    """Read the images given by the flags, in the model's form."""
    pictures = read_pictures(flags.images, model.image_shape, resize=flags.resize, invert=flags.invert)
    if model.pixels == "unit" and model.scaling is None and pictures.images.dtype == np.uint8:
        return pictures._replace(images=(pictures.images / 255.0).astype(np.float32))
    return pictures


def run_reconstruct(argv: Sequence[str]) -> int:
    """Draw the first 20 images above their reconstructions; an .npz file gets all."""
    from aae_jax import figures  # importing matplotlib takes a second

    flags = parse(ImageFlags, argv, "reconstruct", run_reconstruct.__doc__)
    out = flags.out or "reconstructions.png"
    refuse_overwriting(out, flags.model, flags.images)
    model = load_model(flags.model)
    pictures = read_model_pictures(model, flags)
    made = np.asarray(model.reconstruct(pictures.images))

    def draw() -> "Figure":
        scale = 255.0 if pictures.images.dtype == np.uint8 else 1.0
        return figures.reconstructions(pictures.images / scale, made)

    arrays = {"images": pictures.images, "reconstructions": made}
    return save_result(out, arrays, draw, model, most=figures.MAX_IMAGES)


def run_generate(argv: Sequence[str]) -> int:
    """Sample styles from the prior, or from a mixture fitted to codes, and decode each, with every class if any."""
    flags = parse(_Generate, argv, "generate", run_generate.__doc__)
    refuse_overwriting(flags.out, flags.model, source_of(flags.dataset), flags.data_dir)
    model = load_model(flags.model)
    if not 1 <= flags.count <= 100_000:
        raise InputError(f"--count is {flags.count}; give a number from 1 to 100000.")
    if not 0 <= flags.seed < 2**31:
        raise InputError(f"--seed is {flags.seed}; give a number from 0 to {2**31 - 1}.")
    if flags.label is not None and flags.label not in model.class_names:
        known = f"the model has {', '.join(model.class_names)}" if model.class_names else "the model has no labels"
        raise InputError(f"There is no class {flags.label!r}; {known}.")
    styles = _draw_styles(model, flags)
    if not model.decoded_label:
        return _generate_without_labels(model, flags, styles)
    classes = list(range(model.decoded_label)) if flags.label is None else [model.class_names.index(flags.label)]
    z = jnp.repeat(styles, len(classes), axis=0)
    labels = jnp.tile(jnp.asarray(classes), flags.count)
    made = np.asarray(model.decode(z, jax.nn.one_hot(labels, model.decoded_label, dtype=jnp.float32)))

    def draw() -> "Figure":
        from aae_jax import figures  # importing matplotlib takes a second

        grid = made.reshape(flags.count, len(classes), *model.image_shape)
        names, label = [model.class_names[i] for i in classes], "cluster" if model.clusters else "class"
        return figures.style_class_grid(grid, label_names=names, label=label)

    arrays = {"images": made, "styles": np.asarray(z), "labels": np.asarray(labels)}
    return save_result(flags.out, arrays, draw, model)


def _draw_styles(model: Model, flags: _Generate) -> Array:
    """Return the styles to decode, of the prior or of a mixture fitted to codes.

    Raises:
        InputError: The prior lacks the component, or there are no data to fit a mixture to.
    """
    key = jax.random.key(flags.seed)
    if flags.sampler == "prior":
        if flags.dataset is not None or flags.mixture_components is not None:
            raise InputError(
                "--dataset and --mixture-components are of a fitted mixture; give --sampler mixture too."
            )
        return model.draw_styles(key, flags.count, flags.component)
    if flags.component is not None:
        raise InputError(
            f"--component is {flags.component}, a part of the prior; leave it out with --sampler mixture."
        )
    dataset = dataset_of(model, flags, flags.out)
    refuse_other_data(model, dataset)
    draw_codes = jax.jit(build_draw_codes(model.networks, model.network.output))
    codes = draw_codes(model.params, model.stats, jnp.asarray(dataset.train_images), jax.random.fold_in(key, 1))
    components = 10 if flags.mixture_components is None else flags.mixture_components
    return fit_mixture(np.asarray(codes), components)(key, flags.count)


def _generate_without_labels(model: Model, flags: _Generate, styles: Array) -> int:
    made = np.asarray(model.decode(styles))

    drawn_from = "the prior" if flags.component is None else f"component {flags.component} of the prior"
    if flags.sampler == "mixture":
        drawn_from = "a mixture fitted to the codes"

    def draw() -> "Figure":
        from aae_jax import figures  # importing matplotlib takes a second

        columns = min(flags.count, SAMPLES_PER_ROW)
        blank = np.ones((-flags.count % columns, *model.image_shape))
        grid = np.concatenate([made, blank]).reshape(-1, columns, *model.image_shape)
        return figures.image_grid(grid, title=f"Decoded samples of {drawn_from}")

    return save_result(flags.out, {"images": made, "styles": np.asarray(styles)}, draw, model)


def save_result(
    out: str, arrays: dict[str, np.ndarray], draw: Callable[[], "Figure"], model: Model, most: int | None = None
) -> int:
    """Write arrays or a figure of at most `most` images (None: all), depending on the suffix of the file."""
    path = Path(out)
    if path.suffix == ".npz":
        packed = io.BytesIO()
        np.savez(packed, **arrays)  # type: ignore[arg-type]
        write(out, packed.getvalue())
    elif path.suffix in (".png", ".svg"):
        if len(model.image_shape) == 1 or model.image_shape[2:] not in ((), (3,)):
            shape = list(model.image_shape)
            raise InputError(f"Images of shape {shape} cannot be drawn; give --out a name that ends in .npz.")
        write(out, _drawn(draw, path.suffix[1:]))
    else:
        raise InputError(f"--out is {out}; give a name that ends in .png, .svg or .npz.")
    count = len(next(iter(arrays.values())))
    part = f"the first {most} of " if path.suffix != ".npz" and most is not None and count > most else ""
    note(f"{part}{count} images: {path}")
    return 0


def _drawn(draw: Callable[[], "Figure"], kind: str) -> bytes:
    try:
        from aae_jax.figures.style import draw_bytes

        return draw_bytes(draw, kind)
    except Exception as error:
        raise InputError(
            f"The figure could not be drawn ({reason_of(error)}); give fewer images, or --out an .npz file."
        ) from error
