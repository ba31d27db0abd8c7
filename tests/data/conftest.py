"""Small IDX files written by hand, and the real MNIST where it is at hand."""

import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from aae_jax.data import idx

REPOSITORY = Path(__file__).resolve().parents[2]


def idx_bytes(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + array.astype(np.uint8).tobytes()


def small_arrays(seed=0):
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (50, 5, 4)).astype(np.uint8)
    labels = (np.arange(50) % 10).astype(np.uint8)
    return images[:30], labels[:30], images[30:], labels[30:]


def write_files(folder, arrays, *, dotted=False, gzipped=True):
    folder.mkdir(parents=True, exist_ok=True)
    for file, array in zip(idx.MNIST_FILES, arrays, strict=True):
        name = file.name.replace("-idx", ".idx") if dotted else file.name
        raw = idx_bytes(array)
        (folder / (f"{name}.gz" if gzipped else name)).write_bytes(gzip.compress(raw) if gzipped else raw)


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    """Keep the tests away from the real home folder and environment."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("AAE_DATA_DIR", "AAE_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def small_mnist(monkeypatch, tmp_path):
    """A folder of small gzipped files that pass for MNIST during one test."""
    arrays = small_arrays()
    known = tuple(
        file._replace(sha256=hashlib.sha256(idx_bytes(array)).hexdigest())
        for file, array in zip(idx.MNIST_FILES, arrays, strict=True)
    )
    monkeypatch.setattr(idx, "MNIST_FILES", known)
    folder = tmp_path / "small_mnist"
    write_files(folder, arrays)
    return folder


REAL_MNIST = os.environ.get("AAE_DATA_DIR") or REPOSITORY.parent / "shared" / "data" / "mnist"


@pytest.fixture
def real_mnist():
    try:
        idx._find_files(Path(REAL_MNIST))
    except idx.MnistMissingError as missing:
        pytest.skip(f"needs the real MNIST: {missing}")
    return Path(REAL_MNIST)
