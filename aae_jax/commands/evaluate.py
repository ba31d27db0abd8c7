"""`aae-jax evaluate`: evaluation of a trained model on test images."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.commands.result import ModelPath, load_model, parse, refuse_overwriting, source_of, write
from aae_jax.config import LabelCount, RunConfig
from aae_jax.config.text import from_mapping, read_yaml
from aae_jax.data import Dataset, are_unequal, load_dataset, split_indices
from aae_jax.data.colour_sets import COLOUR_SETS, FACES
from aae_jax.data.image_sources import are_image_files
from aae_jax.data.known import KNOWN
from aae_jax.data.labelled_list import read_labelled_list
from aae_jax.data.scaling import Scaling
from aae_jax.errors import InputError
from aae_jax.evaluation import (
    build_draw_codes,
    build_health,
    build_reconstruction_error,
    confusion_counts,
    describe_calibration,
    evaluate,
)
from aae_jax.models.shared.class_frequencies import balanced_error, majority_error
from aae_jax.models.shared.clusters import CLUSTER_ERRORS, cluster_lines, clusters_of, describe_clusters
from aae_jax.priors.configured import configured_prior
from aae_jax.run.console import Console, DataReporter
from aae_jax.run.run_dir import CONFIG_FILE
from aae_jax.saved.model import Model
from aae_jax.streams import say

__all__ = ["DataFlags", "dataset_of", "refuse_other_data", "run_evaluate", "validation_of"]


@dataclass(frozen=True, kw_only=True)
class DataFlags:
    """A saved model and its data."""

    model: ModelPath
    """Folder of a run, or of a saved model."""
    dataset: str | None = None
    """Data set of the images, as for training. Default: the data set that the model was trained on."""
    data_dir: str | None = None
    """Folder for data. Also from $AAE_DATA_DIR."""
    split_seed: int = 0
    """Seed of the test set of data without one; the run's split seed is used where it is known."""
    skip_bad_images: bool = False
    """Leave out image files that cannot be read; they are scaled to the size of the model's images."""


@dataclass(frozen=True, kw_only=True)
class _Evaluate(DataFlags):
    out: str | None = None
    """JSON file for the results, which are also printed."""


def run_evaluate(argv: Sequence[str]) -> int:
    """Evaluate a model on test images: error, cross-entropy, calibration, and the most frequent confusions.

    For clusters: their majority classes, and all measures of clusters against classes. Without a label code, and for
    clusters on data without labels: reconstruction error, and the match of codes and prior; from images without shift
    and noise, whereas a run measures the codes that its training matches to the prior.
    """
    flags = parse(_Evaluate, argv, "evaluate", run_evaluate.__doc__)
    refuse_overwriting(flags.out, flags.model, source_of(flags.dataset), flags.data_dir)
    model = load_model(flags.model)
    dataset = dataset_of(model, flags, flags.out)
    refuse_other_data(model, dataset)
    if model.clusters and dataset.num_classes:
        result, show = _measure_clusters(model, dataset, validation_of(dataset, flags.model))
    elif model.num_classes and not model.clusters:
        result, show = _classify(model, dataset)
    else:
        result, show = _measure_codes(model, dataset)
    if flags.out is not None:
        write(flags.out, (json.dumps(result, indent=2) + "\n").encode())
    show()
    return 0


def refuse_other_data(model: Model, dataset: Dataset) -> None:
    """Refuse data that do not suit a model.

    Raises:
        InputError: The images have another shape, the rows another scaling, or the labels that it needs are missing.
    """
    if not dataset.num_classes and model.decoded_label and not model.num_classes:
        raise InputError(
            f"{dataset.name} has no labels, which the model's decoder takes as well as the style; "
            "give --dataset data with labels."
        )
    if dataset.image_shape != model.image_shape:
        raise InputError(
            f"{dataset.name} has images of shape {dataset.image_shape}, but the model takes {model.image_shape}; "
            "give the --dataset that it was trained on."
        )
    if not _same_scaling(dataset.scaling, model.scaling):
        raise InputError(
            f"The rows of {dataset.name} were scaled with other training rows than the model's; "
            "give the --dataset that it was trained on, or use predict."
        )


def _measure_clusters(
    model: Model, dataset: Dataset, validation: np.ndarray
) -> tuple[dict[str, Any], Callable[[], None]]:
    """Evaluate clusters, mapped to classes on validation images; return the results and a function to print them."""
    named = dataset.train_images[validation], dataset.train_labels[validation]
    clusters = clusters_of(model, named, (dataset.test_images, dataset.test_labels), dataset.num_classes)
    numbers = {name: value for name, value in clusters._asdict().items() if np.ndim(value) == 0}
    result = {
        "data": _source(dataset),
        "images": len(dataset.test_labels),
        **numbers,
        **describe_clusters(clusters, dataset.class_names),
    }

    def show() -> None:
        say(f"data    {dataset.name} from {dataset.source}")
        say(*cluster_lines(result))
        for name, how in CLUSTER_ERRORS.items():
            say(f"error   {100 * result[name]:.2f} % {how}")
        information, index = result["normalised_mutual_information"], result["adjusted_rand_index"]
        say(f"NMI     {information:.3f}, ARI {index:.3f}, {result['used']} of {model.num_classes} clusters used")

    return result, show


def _measure_codes(model: Model, dataset: Dataset) -> tuple[dict[str, Any], Callable[[], None]]:
    """Evaluate reconstructions and codes, without labels; return the results and a function to print them."""
    images, output = jnp.asarray(dataset.test_images), model.network.output
    outputs = model.encode_stored(images)
    given = None
    if model.decoded_label and not model.num_classes:
        given = jax.nn.one_hot(dataset.test_labels, model.decoded_label, dtype=jnp.float32)
    measure = build_reconstruction_error(model.networks, output)
    error = float(measure(model.params, model.stats, images, outputs, given))
    result: dict[str, Any] = {"data": _source(dataset), "images": len(images), "reconstruction_error": error}
    if model.prior is not None:
        key_codes, key_prior = jax.random.split(jax.random.key(0))
        codes = build_draw_codes(model.networks, output)(model.params, model.stats, images, key_codes)
        health = build_health(model.networks, model.draw_styles)
        if model.experiment == "label_regularized" and dataset.num_classes == model.prior.parts:
            part_of = configured_prior(model.prior, model.network.latent_dim).part_of
            assert part_of is not None, "the model was trained with parts"
            result["component_error"] = float(np.mean(np.asarray(part_of(outputs.mean)) != dataset.test_labels))
        measures = health(model.params, codes, outputs.logits, key_prior, jnp.asarray(1.0, jnp.float32))
        result |= {name: np.asarray(value).tolist() for name, value in measures.items()}

    def show() -> None:
        say(f"data                  {dataset.name} from {dataset.source}")
        say(f"reconstruction error  {error:.5f} per pixel of {len(images)} images")
        if "component_error" in result:
            say(f"component error       {100 * result['component_error']:.2f} % of codes outside their class's part")
        if model.prior is not None:
            say(
                f"codes and prior       squared discrepancy {result['code_mmd']:.4f} (images unshifted, without "
                "noise)"
            )
            for i, (gap, ratio) in enumerate(zip(result["code_mean_gap"], result["code_std_ratio"], strict=True)):
                say(f"  z{i + 1}: mean offset {gap:+.2f} σ, std ratio {ratio:.2f}")

    return result, show


def _source(dataset: Dataset) -> dict[str, str]:
    return {"name": dataset.name, "source": dataset.source, "sha256": dataset.sha256}


def _classify(model: Model, dataset: Dataset) -> tuple[dict[str, Any], Callable[[], None]]:
    """Evaluate a classifier on the test images; return the results and a function to print them."""
    if not dataset.num_classes:
        raise InputError(
            f"{dataset.name} has no labels to compare predictions with; give --dataset data with labels."
        )
    if dataset.class_names != model.class_names:
        raise InputError(
            f"{dataset.name} has the classes {_some(dataset.class_names)}, but the model {_some(model.class_names)}; "
            "give the --dataset that it was trained on."
        )
    images, labels = dataset.test_images, dataset.test_labels
    metrics = evaluate(model.networks, model.params, model.stats, images, labels, output=model.network.output)
    logits = np.asarray(model.encode_stored(jnp.asarray(images)).logits)
    counts = confusion_counts(labels, np.argmax(logits, axis=1), model.num_classes)
    result = {
        "data": _source(dataset),
        "images": len(labels),
        "error": round(metrics["error"] * len(labels)) / len(labels),
        "cross_entropy": metrics["cross_entropy"],
        "calibration": describe_calibration(logits, labels, model.temperature),
        "balanced_error": balanced_error(np.argmax(logits, axis=1), labels, model.num_classes),
        "majority_error": majority_error(counts.sum(axis=1)),
        "class_names": list(model.class_names),
        "confusion": counts.tolist(),
    }
    return result, lambda: _say_evaluation(model, dataset, result, counts)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def _same_scaling(ours: Scaling | None, theirs: Scaling | None) -> bool:
    """Return whether rows have the same scaling; models before format 5 store the range rounded to float32."""
    if ours is None or theirs is None:
        return ours is theirs
    if all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True)):
        return True
    rounded = all(np.array_equal(part, np.float32(part)) for part in theirs)
    largest = np.maximum(np.abs(ours.low), np.abs(ours.low + ours.span))
    slack = np.minimum(2.0 * np.spacing(np.float32(largest)), 1e-3 * ours.span)
    return rounded and all(bool((np.abs(a - b) <= slack).all()) for a, b in zip(ours, theirs, strict=True))


def _say_evaluation(model: Model, dataset: Dataset, result: dict[str, Any], counts: np.ndarray) -> None:
    say(f"data           {dataset.name} from {dataset.source}")
    say(f"test error     {100 * result['error']:.2f} % of {result['images']} images")
    say(f"cross-entropy  {result['cross_entropy']:.4f} nats")
    if are_unequal(counts.sum(axis=1)):
        majority, balanced = 100 * result["majority_error"], 100 * result["balanced_error"]
        say(f"majority class {majority:.2f} % error if always predicted; mean error per class {balanced:.2f} %")
    _say_calibration(result["calibration"])
    wrong = counts * (1 - np.eye(len(counts), dtype=np.int64))
    for flat in np.argsort(-wrong, axis=None, kind="stable")[:5]:
        true, taken = divmod(int(flat), len(counts))
        if wrong[true, taken]:
            say(f"  {model.class_names[true]} predicted as {model.class_names[taken]}: {wrong[true, taken]}")


def _say_calibration(calibration: Mapping[str, Any]) -> None:
    text = f"calibration    expected calibration error {100 * calibration['expected_calibration_error']:.2f} %"
    if calibration["temperature"] is not None:
        calibrated = 100 * calibration["calibrated"]["expected_calibration_error"]
        text += f", {calibrated:.2f} % at temperature {calibration['temperature']:.2f}"
    say(text)


def _config_file(model: str) -> Path:
    """Return the configuration of the run that a model belongs to, which may not exist."""
    folder = Path(model)
    is_run_folder = (folder / CONFIG_FILE).is_file() or not folder.resolve().name.startswith("model")
    return (folder if is_run_folder else folder.resolve().parent) / CONFIG_FILE


def validation_of(dataset: Dataset, model: str) -> np.ndarray:
    """Return the indices of the training images that the run of a model held out.

    Raises:
        InputError: The run's list of labelled images is missing, or has changed.
    """
    file = _config_file(model)
    values = read_yaml(file) if file.is_file() else {}
    path, sha256 = values.get("labelled_list"), values.get("labelled_list_sha256")
    listed = None if path is None else read_labelled_list(str(path), expected=sha256).indices
    given = values.get("labels") == "given" and values.get("num_clusters") is None and listed is None
    if given and (dataset.train_labels >= 0).all():
        raise InputError(
            f"The run of {model} was trained with the labels given, but every training image of {dataset.name} has a "
            "label; give the --dataset that it was trained on."
        )
    count: LabelCount | None = "given" if given else None if listed is None else "all"
    held_out = values.get("validation_size")
    known = int(np.count_nonzero(dataset.train_labels >= 0)) or len(dataset.train_labels)
    if not isinstance(held_out, int) or not 0 < held_out < known:  # of other data
        held_out = None
    return split_indices(
        dataset.train_labels,
        num_classes=dataset.num_classes,
        num_labels=count,
        label_seed=0,
        validation_size=held_out,
        class_names=dataset.class_names,
        listed=listed,
    ).validation


def dataset_of(model: Model, flags: DataFlags, out: str | None = None) -> Dataset:
    """Load the data for evaluation: those given, else those of the run's configuration, else those of the model.

    Raises:
        InputError: There are none, or the output file `out` is one of them.
    """
    reporter = DataReporter(Console())
    name, data_dir, split_seed, skip_bad = flags.dataset, flags.data_dir, flags.split_seed, flags.skip_bad_images
    config_file = _config_file(flags.model)
    if name is None and config_file.is_file():
        shared = {field.name for field in dataclasses.fields(RunConfig)}
        values = {key: value for key, value in read_yaml(config_file).items() if key in shared}
        config = from_mapping(RunConfig, values)
        name, data_dir, split_seed = config.dataset, data_dir or config.data_dir, config.split_seed
        skip_bad = skip_bad or config.skip_bad_images
    if name is None:
        name = model.data.get("name", "")
        if name not in (*KNOWN, *COLOUR_SETS, *FACES, "digits"):
            raise InputError(f"The model was trained on {name!r}, which is not a known data set; give --dataset.")
    refuse_overwriting(out, source_of(name), data_dir)
    dataset = load_dataset(
        name,
        data_dir=data_dir,
        split_seed=split_seed,
        image_size=model.image_shape[:2] if are_image_files(name) else None,
        skip_bad_images=skip_bad,
        reporter=reporter,
    )
    if dataset.sha256 != model.data.get("sha256"):
        reporter.notice(
            "These are not, bit for bit, the data that the model was trained on; with another --split-seed, test "
            "images may be among those it was trained on."
        )
    return dataset
