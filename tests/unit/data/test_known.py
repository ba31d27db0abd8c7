"""Sets that share their file names, lie on their side, count from one, or come in one archive."""

import gzip
import zipfile

import numpy as np
import pytest

from aae_jax.data import Quiet, load_dataset
from aae_jax.data.known import KNOWN
from aae_jax.errors import InputError
from tests.unit.data.conftest import idx_bytes, small_arrays, write_files


def load(name, folder, cache):
    return load_dataset(name, data_dir=folder, cache_dir=cache, reporter=Quiet())


@pytest.mark.parametrize("name", ["fashion_mnist", "kmnist"])
def test_files_of_another_set_in_the_same_form(name, tmp_path):
    write_files(tmp_path / KNOWN[name].folders[0], small_arrays())
    dataset = load(name, tmp_path, tmp_path / "cache")
    assert dataset.name == name
    assert dataset.class_names == KNOWN[name].class_names
    assert "no known checksum" in dataset.source
    np.testing.assert_array_equal(dataset.train_images, small_arrays()[0])
    again = load(name, tmp_path, tmp_path / "cache")
    assert (again.source, again.class_names, again.sha256) == (dataset.source, dataset.class_names, dataset.sha256)


def test_files_that_could_be_of_several_sets_are_not_guessed(tmp_path):
    write_files(tmp_path / "data", small_arrays())
    with pytest.raises(InputError, match="could belong to several sets, and no checksum identifies them"):
        load("kmnist", tmp_path / "data", tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_files_as_published_are_recognised(tmp_path, monkeypatch):
    from aae_jax.data.download import Remote, file_sha256
    from aae_jax.data.readers import tfds_copy

    write_files(tmp_path, small_arrays())
    published = [Remote(f"http://x/{path.name}", 0, file_sha256(path)) for path in tmp_path.iterdir()]
    monkeypatch.setattr(tfds_copy, "catalogue", lambda name: published if name == "kmnist" else [])
    assert "checksum" not in load("kmnist", tmp_path, tmp_path / "cache").source
    with pytest.raises(InputError, match="no checksum identifies them"):
        load("fashion_mnist", tmp_path, tmp_path / "cache")


def test_mnist_is_not_taken_for_fashion(small_mnist, tmp_path):
    with pytest.raises(
        InputError, match="Fashion-MNIST is not available locally"
    ):  # those in the folder itself are left alone
        load("fashion_mnist", small_mnist, tmp_path / "cache")
    small_mnist.rename(tmp_path / "fashion_mnist")
    with pytest.raises(InputError, match=r"is a file of MNIST, not of Fashion-MNIST; give --dataset mnist"):
        load("fashion_mnist", tmp_path, tmp_path / "cache")


def emnist_arrays(classes, first=0):
    train_images, _, test_images, _ = small_arrays()
    labels = np.arange(50) % classes + first
    return train_images, labels[:30].astype(np.uint8), test_images, labels[30:].astype(np.uint8)


@pytest.mark.parametrize(
    ("split", "classes", "first"),
    [
        ("balanced", 47, 0),
        ("bymerge", 47, 0),
        ("byclass", 62, 0),
        ("letters", 26, 1),
        ("digits", 10, 0),
        ("mnist", 10, 0),
    ],
)
@pytest.mark.parametrize("packed", ["files", "archive"])
def test_emnist(split, classes, first, packed, tmp_path):
    known = KNOWN[f"emnist/{split}"]
    arrays = emnist_arrays(classes, first)
    if packed == "files":
        write_files(tmp_path / "emnist", arrays, stems=known.files)
    else:
        with zipfile.ZipFile(tmp_path / "gzip.zip", "w") as archive:
            for stem, array in zip(known.files, arrays, strict=True):
                archive.writestr(f"gzip/{stem}.gz", gzip.compress(idx_bytes(array)))
    dataset = load(f"emnist/{split}", tmp_path, tmp_path / "cache")
    assert dataset.num_classes == len(dataset.class_names) == classes
    np.testing.assert_array_equal(dataset.train_images, arrays[0].transpose(0, 2, 1))
    np.testing.assert_array_equal(dataset.train_labels, arrays[1].astype(int) - first)
    assert dataset.image_shape == (4, 5)


def test_the_classes_of_emnist():
    names = {split: "".join(KNOWN[f"emnist/{split}"].class_names) for split in ("balanced", "byclass", "letters")}
    assert names["balanced"] == "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"
    assert names["byclass"] == "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    assert names["letters"] == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.parametrize("harm", ["cut", "lacking", "no zip"])
def test_a_damaged_archive(harm, tmp_path):
    path = tmp_path / "gzip.zip"
    known = KNOWN["emnist/digits"]
    with zipfile.ZipFile(path, "w") as archive:
        for stem, array in zip(known.files[harm == "lacking" :], emnist_arrays(10), strict=False):
            archive.writestr(f"gzip/{stem}.gz", gzip.compress(idx_bytes(array)))
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    if harm == "no zip":
        path.write_bytes(b"<html>")
    words = f"holds no {known.files[0]}" if harm == "lacking" else "damaged or truncated zip"
    with pytest.raises(InputError, match=words):
        load("emnist/digits", tmp_path, tmp_path / "cache")


@pytest.mark.parametrize("name", [name for name in KNOWN if name != "mnist"])
def test_without_files_the_error_says_what_to_do(name, tmp_path):
    with pytest.raises(
        InputError, match=rf"{KNOWN[name].title} is not available locally and AAE_OFFLINE.*--data-dir"
    ):
        load_dataset(name, cache_dir=tmp_path, reporter=Quiet())


def test_idx_folders(tmp_path):
    write_files(tmp_path / "mine", small_arrays(), gzipped=False)
    dataset = load_dataset(f"idx:{tmp_path / 'mine'}")
    assert (dataset.name, dataset.num_classes, dataset.image_shape) == ("idx:mine", 10, (5, 4))
    np.testing.assert_array_equal(dataset.test_images, small_arrays()[2])
    (tmp_path / "mine" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(InputError, match="lacks t10k-labels-idx1-ubyte"):
        load_dataset(f"idx:{tmp_path / 'mine'}")
    with pytest.raises(InputError, match="does not exist"):
        load_dataset(f"idx:{tmp_path / 'none'}")
