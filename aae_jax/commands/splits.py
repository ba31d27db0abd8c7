"""`aae-jax init-datasets`: files of the labelled, unlabelled, validation and test images."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aae_jax.commands.data_options import DataOptions
from aae_jax.commands.result import parse, refuse_overwriting, source_of
from aae_jax.config import LabelCount
from aae_jax.data import Dataset, split_indices
from aae_jax.data.labels import NO_LABEL
from aae_jax.errors import InputError
from aae_jax.files import write_whole
from aae_jax.streams import note

__all__ = ["run_init_datasets"]

FILES = ("train_labeled", "train_unlabeled", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class _InitDatasets(DataOptions):
    dir_path: str = "splits"
    """Folder for the files, created if missing. Files of the same names are overwritten."""
    labels: LabelCount = 3000
    """Number of labelled training images, balanced over the classes; all; or given, for those that have a label, as
    for training. None for data without labels."""
    label_seed: int = 0
    """Seed of the labelled images, as in a run of this seed."""
    pool_size: int | None = None
    """Size of the pool, as for training: a random subset that includes the labelled images. None: all but the
    validation images."""
    validation_size: int | None = None
    """Number of validation images, as for training. None: 10,000 of 50,000 training images or more, a tenth of
    fewer."""


def run_init_datasets(argv: Sequence[str]) -> int:
    """Write the training, validation and test images of a run with these settings, with their labels.

    train_labeled.npz, train_unlabeled.npz (labels of -1), validation.npz and test.npz contain x and y; the first
    three also the indices of their images in the training set. Runs do not need these files: they draw the same
    splits, and accept any file as npz:FILE. For data without labels, all labels are -1, and there is no
    train_labeled.npz.
    """
    flags = parse(_InitDatasets, argv, "init-datasets", run_init_datasets.__doc__)
    dataset = flags.load()
    folder = Path(flags.dir_path)
    for name in FILES:
        refuse_overwriting(str(folder / f"{name}.npz"), source_of(flags.dataset), flags.data_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, arrays in _files(dataset, flags).items():
            packed = io.BytesIO()
            np.savez_compressed(packed, allow_pickle=False, **arrays)
            write_whole(folder / f"{name}.npz", packed.getvalue())
            note(f"{folder / name}.npz: {len(arrays['y'])} images")
    except OSError as error:
        raise InputError(
            f"--dir-path {folder} cannot be written ({error.strerror or error}); give another."
        ) from error
    return 0


def _files(dataset: Dataset, flags: _InitDatasets) -> dict[str, dict[str, np.ndarray]]:
    splits = split_indices(
        dataset.train_labels,
        num_classes=dataset.num_classes,
        num_labels=flags.labels if dataset.num_classes else None,
        label_seed=flags.label_seed,
        validation_size=flags.validation_size,
        pool_size=flags.pool_size,
        class_names=dataset.class_names,
    )
    unlabelled = np.setdiff1d(splits.unlabelled, splits.labelled)
    none = np.full(len(unlabelled), NO_LABEL, np.int32)
    images, classes = dataset.train_images, dataset.train_labels

    def of(places: np.ndarray, known: np.ndarray) -> dict[str, np.ndarray]:
        return {"x": images[places], "y": known, "index": places}

    labelled = {"train_labeled": of(splits.labelled, classes[splits.labelled])} if dataset.num_classes else {}
    return {
        **labelled,
        "train_unlabeled": of(unlabelled, none),
        "validation": of(splits.validation, classes[splits.validation]),
        "test": {"x": dataset.test_images, "y": dataset.test_labels},
    }
