"""`experiments/anomaly.py`: each class held out in turn as the anomaly, compared with other detectors."""

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.commands.data_options import DataOptions
from aae_jax.commands.result import parse
from aae_jax.config import resolve
from aae_jax.data import Dataset
from aae_jax.data.seeds import seeded_generator
from aae_jax.errors import InputError
from aae_jax.evaluation.anomaly import MIN_REFERENCE, AnomalyScores, auroc
from aae_jax.files import write_whole
from aae_jax.models import find_model
from aae_jax.plotting_backend import neutral_backend
from aae_jax.run.arguments import Request, run_guarded
from aae_jax.run.arguments import parse as parse_run
from aae_jax.run.callbacks import EpochEnd
from aae_jax.run.run import run
from aae_jax.saved.anomaly import AnomalyScorer
from aae_jax.saved.storage import load
from aae_jax.streams import say
from aae_jax.text import printable
from aae_jax.train.compile_cache import keep_compiled_programs
from aae_jax.types import Params

__all__ = ["DETECTORS", "main"]

DETECTORS = {
    "combined": "combined",
    "reconstruction": "error",
    "prior": "prior",
    "discriminator": "discrim.",
    "neighbours": "codes",
    "autoencoder": "autoenc.",
    "PCA": "PCA",
    "IsolationForest": "forest",
}
"""Scores of the adversarial autoencoder, then those of the other detectors, and their headings in the table."""
REFERENCE = 5000
HELD_OUT = 0.1
FIT_TO = 10_000
"""Maximum number of images that PCA and IsolationForest are fitted to."""
RESULT, TABLE, BEGUN, OTHERS = "result.json", "anomaly.json", "settings.json", "others.npz"


@dataclass(frozen=True, kw_only=True)
class _Anomaly(DataOptions):
    classes: tuple[str, ...] = ()
    """Names of the classes to hold out. Default: each in turn."""
    preset: str = "anomaly"
    """Preset of the model unsupervised."""
    epochs: int | None = None
    """Passes over the images of the other classes. Default: the preset's."""
    seed: int = 0
    """Seed of the models."""
    out_dir: str = "runs/anomaly"
    """Folder for the results; classes that are finished there are not trained again."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 2 for input that cannot be used."""
    arguments = sys.argv[1:] if argv is None else list(argv)

    def command() -> int:
        keep_compiled_programs()
        try:
            return _run(arguments)
        except _Stopped as stopped:
            return int(stopped.args[0])

    with neutral_backend():
        return run_guarded(command)


def _run(argv: Sequence[str]) -> int:
    """Hold out each class in turn, train on the images of the others, and rank the test images.

    Printed, and kept in anomaly.json: the area under the ROC curve of each class and detector, where the test images
    of the held-out class are the anomalies. Neither they nor their class are seen in training.
    """
    flags = parse(_Anomaly, argv, "anomaly", _run.__doc__)
    dataset = flags.load()
    wanted = _wanted(dataset, flags.classes)
    seeded_generator(flags.seed, "seed")
    for model, more in _models(flags):
        _request(model, more, "none.npz", Path(flags.out_dir) / "none", flags)  # refuses bad settings at once
    folder = Path(flags.out_dir)
    settings = {"preset": flags.preset, "epochs": flags.epochs, "seed": flags.seed, "data_sha256": dataset.sha256}
    results: dict[str, dict[str, float]] = {}
    for label in wanted:
        name = dataset.class_names[label]
        results[name] = _of_class(dataset, label, folder / f"without-{label}", flags, settings)
    means = {detector: float(np.mean([result[detector] for result in results.values()])) for detector in DETECTORS}
    table = {**settings, "data": dataset.name, "auroc": results, "mean": means}
    write_whole(folder / TABLE, (json.dumps(table, indent=1) + "\n").encode())
    say("", "area under the ROC curve, held-out class against the others", _line("class", DETECTORS.values()))
    for name, result in results.items():
        say(_line(printable(name), [f"{result[detector]:.3f}" for detector in DETECTORS]))
    say(_line("mean", [f"{means[detector]:.3f}" for detector in DETECTORS]), f"in {folder / TABLE}")
    return 0


def _line(first: str, others: Iterable[str]) -> str:
    return " ".join([f"{first[:7]:7}", *(f"{other:>8}" for other in others)])  # 79 columns


def _wanted(dataset: Dataset, names: Sequence[str]) -> list[int]:
    """Return the numbers of the classes to hold out."""
    if dataset.num_classes < 2:
        raise InputError(f"{dataset.name} has no classes to hold out; give --dataset data with labels.")
    unknown = [name for name in names if name not in dataset.class_names]
    if unknown:
        raise InputError(
            f"{dataset.name} has no class {unknown[0]!r}; give some of {', '.join(dataset.class_names[:10])}."
        )
    wanted = [dataset.class_names.index(name) for name in dict.fromkeys(names)] or list(range(dataset.num_classes))
    counts = np.bincount(dataset.train_labels[dataset.train_labels >= 0], minlength=dataset.num_classes)
    tested = np.bincount(dataset.test_labels, minlength=dataset.num_classes)
    for label in wanted:
        others, name = int(counts.sum() - counts[label]), dataset.class_names[label]
        if not tested[label] or tested[label] == tested.sum():
            raise InputError(f"The test images of {dataset.name} are none, or all, of class {name!r}; give others.")
        if round(HELD_OUT * others) < MIN_REFERENCE:
            raise InputError(
                f"Without class {name!r} there are {others} training images of {dataset.name}; at least "
                f"{round(MIN_REFERENCE / HELD_OUT)} are needed."
            )
    return wanted


def _of_class(
    dataset: Dataset, label: int, folder: Path, flags: _Anomaly, settings: dict[str, Any]
) -> dict[str, float]:
    """Return the areas of a held-out class by detector, from an earlier result if there is one."""
    found = _earlier(folder, settings)
    if found is not None:
        say(f"class {printable(dataset.class_names[label])}: from {folder / RESULT}")
        return found
    say("", f"class {printable(dataset.class_names[label])} held out")
    known = np.flatnonzero((dataset.train_labels != label) & (dataset.train_labels >= 0))
    order = np.random.default_rng(flags.seed).permutation(known)
    ordinary, trained = np.split(order, [max(1, round(HELD_OUT * len(order)))])
    images = dataset.train_images[np.sort(trained)]
    reference = dataset.train_images[ordinary[:REFERENCE]]
    _begin(folder, settings)
    data = folder / OTHERS
    try:
        np.savez(data, x_train=images, x_test=reference)
        ours, plain = (
            _by_model(model, argv, data, folder, flags, reference, dataset.test_images)
            for model, argv in _models(flags)
        )
    finally:
        data.unlink(missing_ok=True)
    scores = {**ours._asdict(), "autoencoder": plain.reconstruction}
    scores |= _by_baselines(images, dataset.test_images, flags.seed)
    is_anomaly = dataset.test_labels == label
    result = {detector: auroc(scores[detector], is_anomaly) for detector in DETECTORS}
    write_whole(folder / RESULT, (json.dumps({"auroc": result}, indent=1) + "\n").encode())
    return result


def _earlier(folder: Path, settings: dict[str, Any]) -> dict[str, float] | None:
    """Return the result of an earlier run, or None.

    Raises:
        InputError: The folder is of a run with other settings.
    """
    begun = _read(folder / BEGUN)
    if begun is not None and begun != settings:
        raise InputError(f"{folder} is of a run with other settings; give another --out-dir, or remove that folder.")
    stored = None if begun is None else _read(folder / RESULT)
    try:
        return None if stored is None else {detector: float(stored["auroc"][detector]) for detector in DETECTORS}
    except (KeyError, TypeError, ValueError):
        return None


def _read(path: Path) -> Any:
    """Return the content of a JSON file, or None."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _begin(folder: Path, settings: dict[str, Any]) -> None:
    """Make the folder of a class, or take one that an earlier run with these settings left unfinished.

    Raises:
        InputError: It holds other things.
    """
    if folder.exists() and any(folder.iterdir()) and _read(folder / BEGUN) is None:
        raise InputError(f"{folder} is not empty and not of this experiment; give another --out-dir.")
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / BEGUN, (json.dumps(settings, indent=1) + "\n").encode())


def _models(flags: _Anomaly) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the model to be judged and the one that it is compared with, and their flags."""
    return ("unsupervised", ("--preset", flags.preset)), ("autoencoder", _plain(flags))


def _request(name: str, argv: Sequence[str], data: str, out: Path, flags: _Anomaly) -> Request:
    """Return the parsed command line of a training.

    Raises:
        InputError: The settings are bad.
    """
    epochs = () if flags.epochs is None else ("--epochs", str(flags.epochs))
    more = ("--seed", str(flags.seed), "--judge-updates", "0", "--dataset", f"npz:{data}", "--out-dir", str(out))
    return parse_run(find_model(name).spec, [*argv, *epochs, *more])


def _plain(flags: _Anomaly) -> tuple[str, ...]:
    """Return the flags of an autoencoder with the same code, without noise and without a prior."""
    from aae_jax.models.unsupervised.presets import PRESETS

    if flags.preset not in PRESETS:
        return ("--network.latent-dim", "8")
    config = PRESETS[flags.preset][0]
    epochs = () if config.epochs is None else ("--epochs", str(config.epochs))
    hidden = [str(width) for width in config.network.hidden]
    return ("--network.latent-dim", str(config.network.latent_dim), "--network.hidden", *hidden, *epochs)


class _KeepsDiscriminator:
    """Callback that copies the weights of the discriminator of z, which saved models do not have."""

    def __init__(self) -> None:
        self.weights: Params = {}

    def after_epoch(self, epoch: EpochEnd) -> None:
        if epoch.last and "discriminator_z" in epoch.state.params:
            of_first_seed = jax.tree.map(lambda leaf: jnp.array(leaf[0]), epoch.state.params["discriminator_z"])
            self.weights = {"discriminator_z": of_first_seed}


def _by_model(
    name: str,
    argv: Sequence[str],
    data: Path,
    folder: Path,
    flags: _Anomaly,
    reference: np.ndarray,
    tested: np.ndarray,
) -> AnomalyScores:
    """Train a model on images of the known classes, and return its scores of the test images."""
    out = folder / name
    shutil.rmtree(out, ignore_errors=True)  # of a run that was stopped
    request, kept, spec = _request(name, argv, str(data), out, flags), _KeepsDiscriminator(), find_model(name).spec
    status = run(spec, request, [kept])
    if status:
        raise _Stopped(status)
    discriminator = None
    if kept.weights:
        shape = tuple(tested.shape[1:])
        networks = spec.build_networks(resolve(request.config, shape), shape, 0)
        discriminator = lambda z: networks.discriminate_z(kept.weights, z, None)  # noqa: E731
    model = load(out / "model")

    def stored(images: np.ndarray) -> np.ndarray:  # rows are scaled once more, by those that were trained on
        return images if model.scaling is None else model.scaling.apply(images, "The rows")

    return AnomalyScorer(model, stored(reference), discriminator=discriminator)(stored(tested))


class _Stopped(Exception):  # noqa: N818 - the name is the sentence
    """Training stopped, with this exit status."""


def _by_baselines(images: np.ndarray, tested: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Return the scores of a linear reconstruction with 32 components, and of an isolation forest on pixels."""
    from sklearn.decomposition import PCA  # type: ignore[import-untyped, unused-ignore]
    from sklearn.ensemble import IsolationForest  # type: ignore[import-untyped, unused-ignore]

    chosen = np.random.default_rng(seed).permutation(len(images))[:FIT_TO]
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    rows, others = (each.reshape(len(each), -1) / scale for each in (images[chosen], tested))
    axes = PCA(n_components=min(32, *rows.shape), random_state=seed).fit(rows)
    errors = np.mean((axes.inverse_transform(axes.transform(others)) - others) ** 2, axis=1)
    forest = IsolationForest(n_estimators=200, random_state=seed).fit(rows)
    return {"PCA": errors, "IsolationForest": -np.asarray(forest.score_samples(others))}
