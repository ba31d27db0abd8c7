"""`experiments/transfer.py`: codes of one data set by a model trained on another, as features of classifiers."""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aae_jax.commands.data_options import DataOptions
from aae_jax.commands.result import ModelPath, load_model, parse
from aae_jax.commands.transfer_features import Features, Specialist, sha256_of
from aae_jax.commands.transfer_table import Row, lines_of, write_figures
from aae_jax.data import Dataset
from aae_jax.data.resizing import require_fitting
from aae_jax.data.seeds import seeded_generator
from aae_jax.errors import InputError
from aae_jax.evaluation.classifiers import has_lightgbm
from aae_jax.evaluation.transfer import CLASSIFIERS
from aae_jax.files import write_whole
from aae_jax.plotting_backend import neutral_backend
from aae_jax.run.arguments import INTERRUPTED, run_guarded
from aae_jax.saved.model import Model
from aae_jax.streams import complain, say
from aae_jax.text import duration, printable
from aae_jax.train.compile_cache import keep_compiled_programs

__all__ = ["PLAN", "main"]

PLAN = (
    ("images", "CNN"),
    *(("codes", classifier) for classifier in CLASSIFIERS),
    *(("components", classifier) for classifier in CLASSIFIERS),
    ("pixels", "LightGBM"),
)
"""Features and classifiers, in the order of the table."""
RESULT, UNFINISHED = "transfer.json", "unfinished.json"
KEYS = {"task", "features", "size", "classifier", "train", "test", "confusion", "seconds"}
"""Keys of a row."""
WITHOUT_LIGHTGBM = (
    "LightGBM is not installed, so its rows are left out; `uv run --extra transfer python experiments/transfer.py …` "
    "(or `pip install 'aae-jax[transfer]'`) adds them."
)


@dataclass(frozen=True, kw_only=True)
class _Transfer(DataOptions):
    model: ModelPath
    """Folder of a run, or of a saved model, trained on other images."""
    dataset: str = "cifar10"
    """Labelled data set to encode, as for training. Its images are brought to the model's size and colours."""
    image_size: tuple[int, ...] = ()
    """Height and width that image files are scaled to for the specialist and the baselines. Default: their own."""
    pair: tuple[str, ...] = ()
    """Two classes, by name or number, that are also classified without the others, such as automobile ship."""
    specialist_epochs: int = 30
    """Passes over the training images of the convolutional classifier that is compared; 0 leaves it out."""
    flip: float = 0.5
    """Probability of mirroring its training images; 0 where mirrored images mean something else, such as digits."""
    seed: int = 0
    """Seed of the specialist, of LightGBM and of the principal components."""
    out_dir: str = "runs/transfer"
    """Folder for the results; rows that are finished there are not computed again."""


class _Task(NamedTuple):
    """Classes between which to decide: a name for the table, and their numbers in the data set."""

    name: str
    classes: tuple[int, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 2 for input that cannot be used."""
    arguments = sys.argv[1:] if argv is None else list(argv)

    def command() -> int:
        keep_compiled_programs()
        try:
            return _run(arguments)
        except KeyboardInterrupt:
            complain("\nstopped; the same command goes on after the rows that are finished")
            return INTERRUPTED

    with neutral_backend():
        return run_guarded(command)


def _run(argv: Sequence[str]) -> int:
    """Encode a data set with a model that was trained on another, and classify the codes.

    LightGBM, a linear and a nearest-neighbour classifier are fitted to the codes of the training images and, for
    comparison, to as many principal components; LightGBM to the pixels too. A small convolutional network is trained
    on the images themselves. Printed, and kept in transfer.json: accuracy and macro AUROC on training and on test
    images, and the confusions of the latter. Nothing is chosen by test images.
    """
    flags = parse(_Transfer, argv, "transfer", _run.__doc__)
    seeded_generator(flags.seed, "seed")
    _check(flags)
    model = load_model(flags.model)
    dataset = flags.load()
    tasks = _tasks(dataset, flags.pair)
    require_fitting(dataset.image_shape, model.image_shape)
    if len(dataset.image_shape) == 1:
        raise InputError(f"{dataset.name} has rows of {dataset.image_shape[0]} numbers; give data of images.")
    folder = Path(flags.out_dir)
    settings = _settings(flags, tasks, dataset, model)
    rows = _earlier(folder, settings)
    specialist = Specialist(flags.specialist_epochs, flags.flip, flags.seed)
    if model.data.get("sha256") == dataset.sha256:
        say("! The model was trained on these data: its codes are no transfer.")
    if not has_lightgbm():
        say(f"! {WITHOUT_LIGHTGBM}")
    for task in tasks:
        _fill(rows, task, Features(model, dataset, task.classes, specialist), folder, settings)
    return _report(rows, tasks, dataset, folder, settings)


def _settings(flags: _Transfer, tasks: Sequence[_Task], dataset: Dataset, model: Model) -> dict[str, Any]:
    """Return what the results depend on."""
    return {
        "data": dataset.name,
        "data_sha256": dataset.sha256,
        "model_data": model.data.get("name"),
        "model_sha256": sha256_of(model),
        "pair": list(tasks[1].classes) if len(tasks) > 1 else [],
        "specialist_epochs": flags.specialist_epochs,
        "flip": flags.flip,
        "seed": flags.seed,
    }


def _check(flags: _Transfer) -> None:
    if not 0 <= flags.specialist_epochs <= 10_000:
        raise InputError(f"--specialist-epochs is {flags.specialist_epochs}; give a number from 0 to 10000.")
    if not 0 <= flags.flip <= 1:
        raise InputError(f"--flip is {flags.flip}, a probability; give a number from 0 to 1.")


def _tasks(dataset: Dataset, pair: Sequence[str]) -> list[_Task]:
    """Return the classification of all classes, and that of the pair if there is one.

    Raises:
        InputError: The data have no classes or only one, or the pair is not of two of them.
    """
    names = dataset.class_names
    for part, labels in (("training", dataset.train_labels), ("test", dataset.test_labels)):
        present = set(labels[labels >= 0].tolist())
        if len(present) < 2:
            found = f"only the class {names[next(iter(present))]!r}" if present else "no classes"
            raise InputError(f"The {part} images of {dataset.name} have {found}; give --dataset data of several.")
    tasks = [_Task(f"{len(names)} classes", tuple(range(len(names))))]
    if not pair:
        return tasks
    chosen = tuple(_class_number(dataset, name) for name in pair)
    if len(chosen) != 2 or chosen[0] == chosen[1]:
        raise InputError(f"--pair is {' '.join(pair)}; give two different classes, such as {names[0]} {names[1]}.")
    for label in chosen:
        if not (np.any(dataset.train_labels == label) and np.any(dataset.test_labels == label)):
            raise InputError(f"--pair: {dataset.name} has no training or no test images of {names[label]!r}.")
    return [*tasks, _Task(" or ".join(names[label] for label in chosen), chosen)]


def _class_number(dataset: Dataset, name: str) -> int:
    if name in dataset.class_names:
        return dataset.class_names.index(name)
    if name.isascii() and name.isdigit() and int(name) < dataset.num_classes:
        return int(name)
    some = ", ".join(dataset.class_names[:10]) + (", …" if dataset.num_classes > 10 else "")
    raise InputError(f"--pair: {dataset.name} has no class {name!r}; give two of {some}.")


def _fill(rows: list[Row], task: _Task, features: Features, folder: Path, settings: Mapping[str, Any]) -> None:
    """Append the rows of a task that are missing, and keep each as soon as it is known."""
    known = {(row["task"], row["features"], row["classifier"]) for row in rows}
    for kind, classifier in _planned(features.specialist.epochs):
        if (task.name, kind, classifier) in known:
            continue
        say(f"{printable(task.name)}: {classifier} on {kind} …")
        begun = time.monotonic()
        found = features.classify(kind, classifier)
        seconds = round(time.monotonic() - begun, 1)
        rows.append(
            {
                **{"task": task.name, "features": kind, "classifier": classifier, "seconds": seconds},
                **{"train": found.train._asdict(), "test": found.test._asdict()},
                **{"size": features.size_of(kind), "confusion": found.confusion.tolist()},
            }
        )
        _write(folder / UNFINISHED, {**settings, "rows": rows})
        say(f"  AUROC {100 * found.test.auroc:.1f}, accuracy {100 * found.test.accuracy:.1f} %, {duration(seconds)}")


def _planned(epochs: int) -> Iterator[tuple[str, str]]:
    for kind, classifier in PLAN:
        missing = classifier == "LightGBM" and not has_lightgbm()
        if not missing and (kind != "images" or epochs):
            yield kind, classifier


def _earlier(folder: Path, settings: Mapping[str, Any]) -> list[Row]:
    """Return the finished rows of an earlier run with these settings.

    Raises:
        InputError: The folder is of a run with other settings, or holds other things.
    """
    for name in (UNFINISHED, RESULT):
        stored = _read(folder / name)
        if stored is None:
            continue
        if any(stored.get(key) != value for key, value in settings.items()):
            raise InputError(f"{folder} is of a run with other settings; give another --out-dir, or remove it.")
        return list(stored["rows"])
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out-dir {folder} is a file; name a folder.")
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty and not of this experiment; give another --out-dir.")
    return []


def _read(path: Path) -> dict[str, Any] | None:
    """Return the content of a file of results, or None."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        whole = all(row.keys() >= KEYS for row in stored["rows"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return stored if whole else None


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(content, indent=1) + "\n").encode())


def _report(
    rows: list[Row], tasks: Sequence[_Task], dataset: Dataset, folder: Path, settings: Mapping[str, Any]
) -> int:
    """Write and print the table of all rows, and draw them."""
    order = [(task.name, *plan) for task in tasks for plan in PLAN]
    rows = sorted(rows, key=lambda row: order.index((row["task"], row["features"], row["classifier"])))
    of_tasks = {task.name: [dataset.class_names[label] for label in task.classes] for task in tasks}
    images = {part: int(np.sum(labels >= 0)) for part, labels in _labels(dataset).items()}
    _write(folder / RESULT, {**settings, "images": images, "tasks": of_tasks, "rows": rows})
    (folder / UNFINISHED).unlink(missing_ok=True)
    say("", f"{dataset.name}: {images['train']:,} training and {images['test']:,} test images")
    say(*lines_of(rows), f"in {folder / RESULT}")
    for path in write_figures(rows, of_tasks, folder):
        say(f"figure {path}")
    return 0


def _labels(dataset: Dataset) -> dict[str, np.ndarray]:
    return {"train": dataset.train_labels, "test": dataset.test_labels}
