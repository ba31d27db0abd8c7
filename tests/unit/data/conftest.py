"""Small IDX files written by hand, and the real MNIST where it is available."""

import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from aae_jax.data import Quiet, known, load_dataset
from aae_jax.data.known import pairs_sha256
from aae_jax.data.readers import idx_sets

REPOSITORY = Path(__file__).resolve().parents[3]


MNIST = known.KNOWN["mnist"]


def load_mnist(data_dir=None, *, cache_dir=None):
    return load_dataset("mnist", data_dir=data_dir, cache_dir=cache_dir, reporter=Quiet())


def idx_bytes(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + array.astype(np.uint8).tobytes()


def small_arrays(seed=0):
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (50, 5, 4)).astype(np.uint8)
    labels = (np.arange(50) % 10).astype(np.uint8)
    return images[:30], labels[:30], images[30:], labels[30:]


def write_files(folder, arrays, *, dotted=False, gzipped=True, stems=MNIST.files):
    folder.mkdir(parents=True, exist_ok=True)
    for stem, array in zip(stems, arrays, strict=True):
        name = stem.replace("-idx", ".idx") if dotted else stem
        raw = idx_bytes(array)
        (folder / (f"{name}.gz" if gzipped else name)).write_bytes(gzip.compress(raw) if gzipped else raw)


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    """Keep the tests away from the real home folder and environment."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("AAE_DATA_DIR", "AAE_CACHE_DIR", "XDG_CACHE_HOME", "TFDS_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def small_mnist(monkeypatch, tmp_path):
    """A folder of small gzipped files that pass for MNIST during one test."""
    arrays = small_arrays()
    sha256 = tuple(hashlib.sha256(idx_bytes(array)).hexdigest() for array in arrays)
    train_images, train_labels, test_images, test_labels = arrays
    content = pairs_sha256(train_images, train_labels), pairs_sha256(test_images, test_labels)
    small = MNIST._replace(sha256=sha256, content=content, dataset_sha256=None)
    monkeypatch.setitem(known.KNOWN, "mnist", small)
    folder = tmp_path / "small_mnist"
    write_files(folder, arrays)
    return folder


REAL_MNIST = os.environ.get("AAE_DATA_DIR") or REPOSITORY.parent / "shared" / "data" / "mnist"


@pytest.fixture
def real_mnist():
    if idx_sets.find_files(MNIST, Path(REAL_MNIST)) is None:
        pytest.skip(f"needs the real MNIST: {REAL_MNIST} does not hold its four IDX files")
    return Path(REAL_MNIST)
