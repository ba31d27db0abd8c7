"""`aae-jax visualize`: figures of shaharazulay's classifier, with its file names, from a saved model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax import figures
from aae_jax.commands.evaluate import DataFlags, dataset_of, refuse_other_data, validation_of
from aae_jax.commands.result import load_model, parse
from aae_jax.errors import InputError
from aae_jax.figures.of_models.clusters import draw_modes
from aae_jax.figures.of_models.drawing import Drawings, drawing_fault
from aae_jax.figures.of_models.parts import is_drawable, unit_images
from aae_jax.figures.style import draw_bytes
from aae_jax.files import write_whole
from aae_jax.saved.model import Model
from aae_jax.streams import complain, note

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_model", "run_visualize"]

IMAGES, MAX_IMAGES = 1000, 5000
STYLES, MEMBERS, MAX_LABELS, MIN_CODES = 10, 8, 40, 4
INCOMPLETE = 1
"""Exit status if a figure could not be drawn or written."""
ALIASES = {"latent_features_tsne": "latent_features_tnse"}
"""That project's name of the figure, which scripts may rely on."""


@dataclass(frozen=True, kw_only=True)
class _Visualize(DataFlags):
    out_dir: str = "visualization"
    """Folder for the figures; files of the same names are overwritten."""
    images: int = IMAGES
    """Number of validation images to encode, at most 5,000, for t-SNE."""


def run_visualize(argv: Sequence[str]) -> int:
    """Draw figures of a model on validation images: codes by t-SNE, labels, styles, modes, a reconstruction."""
    flags = parse(_Visualize, argv, "visualize", run_visualize.__doc__)
    model = load_model(flags.model)
    if not 20 <= flags.images <= MAX_IMAGES:
        raise InputError(f"--images is {flags.images}; give a number from 20 to {MAX_IMAGES}.")
    dataset = dataset_of(model, flags)
    refuse_other_data(model, dataset)
    chosen = np.random.default_rng(0).permutation(validation_of(dataset, flags.model))[
        : flags.images
    ]  # data may be sorted by class
    images, labels = dataset.train_images[chosen], dataset.train_labels[chosen]
    folder = Path(flags.out_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out-dir {folder} cannot be created ({error.strerror}); give another.") from error
    status = 0
    for name, draw in draw_model(model, images, labels, dataset.class_names).items():
        try:
            content = draw_bytes(draw, "png")
            for stem in (name, *([ALIASES[name]] if name in ALIASES else [])):
                write_whole(folder / f"{stem}.png", content)
        except Exception as error:
            complain(f"error: {drawing_fault(name, error)}")
            status = INCOMPLETE
            continue
        note(f"{name}: {folder / name}.png")
    return status


def draw_model(model: Model, images: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> Drawings:
    """Return the drawing functions of all figures that apply to a model, by file name.

    Args:
        model: Any saved model.
        images: Images to encode, as stored in the data set.
        labels: Classes of the images.
        class_names: Names of the classes.
    """
    outputs = model.encode_stored(jnp.asarray(images))
    z, y = np.asarray(outputs.mean), np.asarray(jax.nn.softmax(outputs.logits)) if model.num_classes else None
    codes = z if y is None else np.concatenate([y, z], axis=1)
    drawn: dict[str, Callable[[], Figure]] = {}
    if len(codes) >= MIN_CODES and codes.std() > 0:  # t-SNE fails for collapsed codes
        drawn["latent_features_tsne"] = lambda: figures.code_map(codes, labels, label_names=class_names)
    drawn |= {
        "z_distribution": lambda: figures.histogram(z[:, 0], title="First dimension of the style", xlabel="$z_1$"),
    }
    if y is not None:
        predicted = y.argmax(axis=1)
        counts = np.bincount(predicted, minlength=model.num_classes)
        drawn["predicted_label_distribution"] = lambda: figures.label_frequencies(
            counts, label_names=model.class_names
        )
        drawn["y_distribution"] = lambda: figures.histogram(
            y.max(axis=1), title="Confidence of the predicted labels", xlabel="largest probability"
        )
    if not is_drawable(model.image_shape):
        return drawn
    drawn["reconstruction_example"] = lambda: _draw_example(model, images, labels, y)
    if model.decoded_label:
        drawn["learned_latent_features"] = lambda: _draw_first_style(model)
    if y is not None:
        drawn["modes_and_samples_from_each_label"] = lambda: _draw_members(model, unit_images(images), y)
    if model.mode_decoder:
        drawn["learned_modes"] = lambda: draw_modes(model)
    return drawn


def _draw_example(model: Model, images: np.ndarray, labels: np.ndarray, y: np.ndarray | None) -> "Figure":
    given = labels[:1] if model.decoded_label and not model.num_classes else None
    outputs = model.encode_stored(jnp.asarray(images[:1]))
    made = model.decode(outputs.mean, model.label_codes(outputs, given))
    said = "reconstructed" if y is None else f"predicted: {model.class_names[int(y[0].argmax())]}"
    return figures.reconstructions(unit_images(images[:1]), np.asarray(made), names=("original", said))


def _draw_first_style(model: Model) -> "Figure":
    """Draw each label decoded at ten values of the first dimension of the style, the others being 0."""
    shown, length = min(model.decoded_label or 0, MAX_LABELS), model.decoded_label or 0
    z = np.zeros((shown, STYLES, model.network.latent_dim))
    z[:, :, 0] = np.linspace(-1, 1, STYLES)
    y = np.repeat(np.eye(shown, length), STYLES, axis=0)
    made = np.asarray(model.decode(z.reshape(shown * STYLES, -1), y))
    tiles = made.reshape(shown, STYLES, *model.image_shape)
    names = model.class_names[:shown]
    return figures.image_grid(tiles, title="Each label", across="$z_1$ from -1 to 1", row_names=names)


def _draw_members(model: Model, images: np.ndarray, y: np.ndarray) -> "Figure":
    """Draw each label's mode, decoded with zero style, and images predicted as that label."""
    shown = min(model.num_classes, MAX_LABELS)
    modes = np.asarray(model.decode(np.zeros((shown, model.network.latent_dim)), np.eye(shown, model.num_classes)))
    blank, tiles = np.ones(model.image_shape), []
    for label in range(shown):
        members = images[y.argmax(axis=1) == label][:MEMBERS]
        tiles.append(np.stack([modes[label], *members, *[blank] * (MEMBERS - len(members))]))
    names = model.class_names[:shown]
    return figures.image_grid(np.stack(tiles), title="Mode and images of each label", row_names=names)
