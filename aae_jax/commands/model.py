"""`aae-jax evaluate|predict|reconstruct|generate`: what a trained model says, and what it makes."""

import csv
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from matplotlib.figure import Figure

from aae_jax import figures, priors
from aae_jax.bundle import Model, load
from aae_jax.config import SemiSupervisedConfig
from aae_jax.config_text import from_mapping, read_yaml
from aae_jax.data import Dataset, load_dataset
from aae_jax.data.known import KNOWN
from aae_jax.data.pictures import Pictures, read_pictures
from aae_jax.data.scaling import Scaling
from aae_jax.errors import InputError
from aae_jax.evaluation import confusion_counts, describe_calibration, evaluate
from aae_jax.experiments.console import Console, DataReporter
from aae_jax.experiments.flags import parse_flags
from aae_jax.experiments.run_folder import CONFIG_FILE
from aae_jax.files import write_whole

__all__ = ["COMMANDS"]

Flags = TypeVar("Flags")
ModelPath = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]


@dataclass(frozen=True, kw_only=True)
class _Evaluate:
    model: ModelPath
    """Folder of a run, or of a saved model."""
    dataset: str | None = None
    """Data whose test images are classified, as training takes it. Default: those that the model was trained on."""
    data_dir: str | None = None
    """Folder for data. Also from $AAE_DATA_DIR."""
    split_seed: int = 0
    """Draws the test set of data that come without one; a run's own is taken where it is known."""
    out: str | None = None
    """JSON file for the numbers; they are printed in any case."""


@dataclass(frozen=True, kw_only=True)
class _Images:
    model: ModelPath
    """Folder of a run, or of a saved model."""
    images: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="IMAGES")]
    """A picture, a folder of pictures, or an .npy, .npz (its x, else its x_test) or IDX file."""
    resize: bool = False
    """Bring pictures of another size and shape to that of the model; arrays are taken as they are."""
    invert: bool = False
    """Turn dark on light into light on dark, as MNIST has it."""
    out: str | None = None
    """Where the result goes. predict: a CSV file (default: printed). reconstruct: a .png, .svg or .npz file
    (default: reconstructions.png)."""


@dataclass(frozen=True, kw_only=True)
class _Predict(_Images):
    calibrated: bool = False
    """Probabilities that are about as often right as they say: logits divided by the temperature that the run fitted
    on its validation images."""


@dataclass(frozen=True, kw_only=True)
class _Generate:
    model: ModelPath
    """Folder of a run, or of a saved model."""
    count: int = 8
    """Styles to draw from the prior; each is shown in every class."""
    label: str | None = None
    """Make this class alone, by its name."""
    seed: int = 0
    """Draws the styles."""
    out: str = "samples.png"
    """A .png or .svg file with a grid, or an .npz file with the arrays images, styles and labels."""


def run_evaluate(argv: Sequence[str]) -> int:
    """Classify test images: error, cross-entropy, calibration, and which class is taken for which."""
    flags = _parse(_Evaluate, argv, "evaluate", run_evaluate.__doc__)
    model = load(flags.model)
    dataset = _dataset_of(model, flags)
    if dataset.image_shape != model.image_shape or dataset.num_classes != model.num_classes:
        raise InputError(
            f"{dataset.name} has images of shape {dataset.image_shape} in {dataset.num_classes} classes, the model "
            f"takes {model.image_shape} in {model.num_classes}; give the --dataset that it was trained on."
        )
    if dataset.class_names != model.class_names:
        raise InputError(
            f"{dataset.name} has the classes {_some(dataset.class_names)}, the model {_some(model.class_names)}; "
            "give the --dataset that it was trained on."
        )
    if not _same_scaling(dataset.scaling, model.scaling):
        raise InputError(
            f"The rows of {dataset.name} were scaled by other training rows than the model's; "
            "give the --dataset that it was trained on, or use predict."
        )
    images, labels = dataset.test_images, dataset.test_labels
    found = evaluate(model.networks, model.params, model.stats, images, labels, output=model.network.output)
    logits = np.asarray(model.encode_stored(jnp.asarray(images)).logits)
    counts = confusion_counts(labels, np.argmax(logits, axis=1), model.num_classes)
    result = {
        "data": {"name": dataset.name, "source": dataset.source, "sha256": dataset.sha256},
        "images": len(labels),
        "error": round(found["error"] * len(labels)) / len(labels),
        "cross_entropy": found["cross_entropy"],
        "calibration": describe_calibration(logits, labels, model.temperature),
        "class_names": list(model.class_names),
        "confusion": counts.tolist(),
    }
    if flags.out is not None:
        _write(flags.out, (json.dumps(result, indent=2) + "\n").encode())
    _say_evaluation(model, dataset, result, counts)
    return 0


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def _same_scaling(ours: Scaling | None, theirs: Scaling | None) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def _say_evaluation(model: Model, dataset: Dataset, result: dict[str, Any], counts: np.ndarray) -> None:
    print(f"data           {dataset.name} from {dataset.source}")
    print(f"test error     {100 * result['error']:.2f} % of {result['images']} images")
    print(f"cross-entropy  {result['cross_entropy']:.4f} nats")
    _say_calibration(result["calibration"])
    wrong = counts * (1 - np.eye(len(counts), dtype=np.int64))
    for flat in np.argsort(-wrong, axis=None, kind="stable")[:5]:
        true, taken = divmod(int(flat), len(counts))
        if wrong[true, taken]:
            print(f"  {model.class_names[true]} taken for {model.class_names[taken]}: {wrong[true, taken]}")


def _say_calibration(found: Mapping[str, Any]) -> None:
    text = f"calibration    expected calibration error {100 * found['expected_calibration_error']:.2f} %"
    if found["temperature"] is not None:
        calibrated = 100 * found["calibrated"]["expected_calibration_error"]
        text += f", {calibrated:.2f} % at temperature {found['temperature']:.2f}"
    print(text)


def _dataset_of(model: Model, flags: _Evaluate) -> Dataset:
    """Return the data to evaluate on: those named, those of the run's configuration, or those of the same name."""
    reporter = DataReporter(Console())
    name, data_dir, split_seed = flags.dataset, flags.data_dir, flags.split_seed
    folder = Path(flags.model)
    own = (folder / CONFIG_FILE).is_file() or not folder.resolve().name.startswith("model")
    config_file = (folder if own else folder.resolve().parent) / CONFIG_FILE
    if name is None and config_file.is_file():
        config = from_mapping(SemiSupervisedConfig, read_yaml(config_file))
        name, data_dir, split_seed = config.dataset, data_dir or config.data_dir, config.split_seed
    if name is None:
        name = model.data.get("name", "")
        if name not in (*KNOWN, "digits"):
            raise InputError(
                f"The model was trained on {name!r}, which is no data set known by name; give --dataset."
            )
    dataset = load_dataset(name, data_dir=data_dir, split_seed=split_seed, reporter=reporter)
    if dataset.sha256 != model.data.get("sha256"):
        reporter.notice(
            "These are not, bit for bit, the data that the model was trained on; drawn with another --split-seed, "
            "test images may be among those it was trained on."
        )
    return dataset


def run_predict(argv: Sequence[str]) -> int:
    """Classify images: a line of CSV for each, with the probability of every class."""
    flags = _parse(_Predict, argv, "predict", run_predict.__doc__)
    model = load(flags.model)
    pictures = _read_pictures(model, flags)
    chances = np.asarray(model.predict_proba(pictures.images, calibrated=flags.calibrated))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["image", "class", *(f"p({name})" for name in model.class_names)])
    for name, row in zip(pictures.names, chances, strict=True):
        table.writerow([name, model.class_names[int(row.argmax())], *(f"{chance:.6f}" for chance in row)])
    if flags.out is None:
        sys.stdout.write(text.getvalue())
    else:
        _write(flags.out, text.getvalue().encode())
        print(f"{len(pictures.names)} lines in {flags.out}")
    return 0


def _read_pictures(model: Model, flags: _Images) -> Pictures:
    """Return the images that the flags name, as the model takes them."""
    pictures = read_pictures(flags.images, model.image_shape, resize=flags.resize, invert=flags.invert)
    if model.pixels == "unit" and model.scaling is None and pictures.images.dtype == np.uint8:
        return pictures._replace(images=(pictures.images / 255.0).astype(np.float32))
    return pictures


def run_reconstruct(argv: Sequence[str]) -> int:
    """Draw images, the first 20 of them, above what the autoencoder makes of them; an .npz file gets all."""
    flags = _parse(_Images, argv, "reconstruct", run_reconstruct.__doc__)
    model = load(flags.model)
    pictures = _read_pictures(model, flags)
    made = np.asarray(model.reconstruct(pictures.images))

    def draw() -> Figure:
        scale = 255.0 if pictures.images.dtype == np.uint8 else 1.0
        return figures.reconstructions(pictures.images / scale, made)

    arrays = {"images": pictures.images, "reconstructions": made}
    return _save(flags.out or "reconstructions.png", arrays, draw, model, most=figures.MOST_IMAGES)


def run_generate(argv: Sequence[str]) -> int:
    """Draw styles from the prior, and what the decoder makes of each in every class."""
    flags = _parse(_Generate, argv, "generate", run_generate.__doc__)
    model = load(flags.model)
    if not 1 <= flags.count <= 100_000:
        raise InputError(f"--count is {flags.count}; give a number from 1 to 100000.")
    if not 0 <= flags.seed < 2**31:
        raise InputError(f"--seed is {flags.seed}; give a number from 0 to {2**31 - 1}.")
    if flags.label is not None and flags.label not in model.class_names:
        raise InputError(f"There is no class {flags.label!r}; the model has {', '.join(model.class_names)}.")
    classes = list(range(model.num_classes)) if flags.label is None else [model.class_names.index(flags.label)]
    prior = priors.build_gaussian(model.network.latent_dim, model.prior_std)
    styles = prior(jax.random.key(flags.seed), flags.count)
    z = jnp.repeat(styles, len(classes), axis=0)
    labels = jnp.tile(jnp.asarray(classes), flags.count)
    made = np.asarray(model.decode(z, jax.nn.one_hot(labels, model.num_classes)))

    def draw() -> Figure:
        grid = made.reshape(flags.count, len(classes), *model.image_shape)
        return figures.style_class_grid(grid, label_names=[model.class_names[i] for i in classes])

    arrays = {"images": made, "styles": np.asarray(z), "labels": np.asarray(labels)}
    return _save(flags.out, arrays, draw, model)


def _save(
    out: str, arrays: dict[str, np.ndarray], draw: Callable[[], Figure], model: Model, most: int | None = None
) -> int:
    """Write arrays or a figure, of `most` images where that is bounded, by the ending of the file's name."""
    path = Path(out)
    if path.suffix == ".npz":
        packed = io.BytesIO()
        np.savez(packed, **arrays)  # type: ignore[arg-type]
        _write(out, packed.getvalue())
    elif path.suffix in (".png", ".svg"):
        if len(model.image_shape) == 1 or model.image_shape[2:] not in ((), (3,)):
            shape = list(model.image_shape)
            raise InputError(f"Images of shape {shape} cannot be drawn; give --out a name that ends in .npz.")
        drawn = io.BytesIO()
        draw().savefig(drawn, format=path.suffix[1:], dpi=150)
        _write(out, drawn.getvalue())
    else:
        raise InputError(f"--out is {out}; give a name that ends in .png, .svg or .npz.")
    count = len(next(iter(arrays.values())))
    part = f"the first {most} of " if path.suffix != ".npz" and most is not None and count > most else ""
    print(f"{part}{count} images: {path}")
    return 0


def _parse(kind: type[Flags], argv: Sequence[str], name: str, description: str | None) -> Flags:
    return parse_flags(kind, argv, prog=f"aae-jax {name}", description=description or "", default=None)


def _write(out: str, content: bytes) -> None:
    if Path(out).name in ("", "..") or Path(out).is_dir():
        raise InputError(f"--out is {out}, which is a folder; give the name of a file.")
    try:
        write_whole(Path(out), content)
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror or error}); give --out another name.") from error


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "evaluate": run_evaluate,
    "predict": run_predict,
    "reconstruct": run_reconstruct,
    "generate": run_generate,
}
