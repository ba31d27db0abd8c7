"""Data: where images come from, how they are checked and cached, and which labels training may see."""

from aae_jax.data.cache import default_cache_dir
from aae_jax.data.dataset import Dataset, build_dataset, content_sha256
from aae_jax.data.digits import load_digits
from aae_jax.data.idx import MnistMissingError, load_mnist, read_idx
from aae_jax.data.sources import DATASET_NAMES, load_dataset
from aae_jax.data.splits import Splits, TrainingArrays, split_indices, training_arrays

__all__ = [
    "DATASET_NAMES",
    "Dataset",
    "MnistMissingError",
    "Splits",
    "TrainingArrays",
    "build_dataset",
    "content_sha256",
    "default_cache_dir",
    "load_dataset",
    "load_digits",
    "load_mnist",
    "read_idx",
    "split_indices",
    "training_arrays",
]
