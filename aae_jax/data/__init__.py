"""Data: sources, validation and caching of images, and splits with the labels that training may use.

Names are imported on first access, so that a model loads without the readers of data.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aae_jax.data.cache import default_cache_dir
    from aae_jax.data.class_counts import are_unequal, count_classes, estimate_frequencies
    from aae_jax.data.dataset import Dataset, build_dataset, content_sha256
    from aae_jax.data.digits import load_digits
    from aae_jax.data.download import DownloadError
    from aae_jax.data.readers.idx import read_idx
    from aae_jax.data.readers.idx_sets import MissingDataError, load_idx_folder
    from aae_jax.data.readers.npz import load_npz
    from aae_jax.data.scaling import Scaling
    from aae_jax.data.sources import DATASET_NAMES, Quiet, Reporter, load_dataset
    from aae_jax.data.splits import Splits, TrainingArrays, split_indices, training_arrays

__all__ = [
    "DATASET_NAMES",
    "Dataset",
    "DownloadError",
    "MissingDataError",
    "Quiet",
    "Reporter",
    "Scaling",
    "Splits",
    "TrainingArrays",
    "are_unequal",
    "build_dataset",
    "content_sha256",
    "count_classes",
    "default_cache_dir",
    "estimate_frequencies",
    "load_dataset",
    "load_digits",
    "load_idx_folder",
    "load_npz",
    "read_idx",
    "split_indices",
    "training_arrays",
]

_HOMES = {
    "cache": ("default_cache_dir",),
    "class_counts": (
        "are_unequal",
        "count_classes",
        "estimate_frequencies",
    ),
    "dataset": (
        "Dataset",
        "build_dataset",
        "content_sha256",
    ),
    "digits": ("load_digits",),
    "download": ("DownloadError",),
    "readers.idx": ("read_idx",),
    "readers.idx_sets": (
        "MissingDataError",
        "load_idx_folder",
    ),
    "readers.npz": ("load_npz",),
    "scaling": ("Scaling",),
    "sources": (
        "DATASET_NAMES",
        "Quiet",
        "Reporter",
        "load_dataset",
    ),
    "splits": (
        "Splits",
        "TrainingArrays",
        "split_indices",
        "training_arrays",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name's module, and cache the name in this one."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'aae_jax.data' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"aae_jax.data.{_HOME_OF[name]}"), name)
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted({*globals(), *__all__})
