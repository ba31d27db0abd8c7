import gzip
import os

import numpy as np
import pytest

from aae_jax.data import MissingDataError, Quiet, load_dataset, load_idx_folder, read_idx, split_indices
from aae_jax.data.known import KNOWN
from aae_jax.errors import InputError
from tests.unit.data.conftest import MNIST, idx_bytes, load_mnist, small_arrays, write_files

IMAGES = small_arrays()[0]
TRAIN_IMAGES = "train-images-idx3-ubyte"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("name", ["images", "images.gz"])
@pytest.mark.parametrize("array", [IMAGES, IMAGES[:, 0, 0]])
def test_round_trip_goes_by_content_not_by_name(tmp_path, pack, name, array):
    (tmp_path / name).write_bytes(pack(idx_bytes(array)))
    read = read_idx(tmp_path / name)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, array)


RAW = idx_bytes(IMAGES)
PACKED = gzip.compress(RAW, mtime=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "truncated"),
        (RAW[:3], "truncated"),
        (RAW[:9], "truncated"),
        (RAW[:-1], "truncated"),
        (RAW + b"\0", "has more than"),
        (gzip.compress(RAW[:-1], mtime=0), "truncated"),
        (gzip.compress(RAW + b"\0", mtime=0), "has more than"),
        (PACKED[:-1], "damaged or truncated gzip"),
        (PACKED[:5], "damaged or truncated gzip"),
        (PACKED[: len(PACKED) // 2], "damaged or truncated gzip"),
        (PACKED[:20] + bytes(20) + PACKED[40:], "damaged or truncated gzip|has more than"),
        (PACKED + b"more", "damaged or truncated gzip"),
        (b"<html>not found</html>", "not an IDX file"),
        (b"\0\0\x0d" + RAW[3:], "not an IDX file"),
        (b"\0\0\x08\0", "rank 0"),
        (idx_bytes(IMAGES[:, 0, 0]), "rank 1, not 3"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, content, message):
    path = tmp_path / "some-images"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_idx(path, rank=3)
    assert str(path) in str(caught.value)


def test_a_missing_file_or_a_folder_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_idx(tmp_path / "none")
    with pytest.raises(InputError, match="cannot be read"):
        read_idx(tmp_path)


@pytest.mark.parametrize("below", [".", "mnist", "MNIST/raw"])
@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize("gzipped", [False, True])
def test_the_files_are_found_under_their_usual_names(small_mnist, tmp_path, below, dotted, gzipped):
    data_dir = tmp_path / "data"
    write_files(data_dir / below, small_arrays(), dotted=dotted, gzipped=gzipped)
    dataset = load_mnist(data_dir, cache_dir=tmp_path / "cache")
    assert (dataset.name, dataset.num_classes) == ("mnist", 10)
    assert dataset.source == f"IDX files in {data_dir / below}"
    for read, written in zip(
        (dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels),
        small_arrays(),
        strict=True,
    ):
        np.testing.assert_array_equal(read, written)


def test_other_content_under_mnists_name_is_refused(small_mnist, tmp_path):
    write_files(small_mnist, small_arrays(seed=1))
    with pytest.raises(InputError, match=f"{TRAIN_IMAGES}.gz is not MNIST's") as caught:
        load_mnist(small_mnist, cache_dir=tmp_path / "cache")
    assert not isinstance(caught.value, MissingDataError)
    assert not (tmp_path / "cache").exists()


def test_swapped_files_are_refused(small_mnist, tmp_path):
    path = small_mnist / f"{TRAIN_IMAGES}.gz"
    path.write_bytes((small_mnist / "train-labels-idx1-ubyte.gz").read_bytes())
    with pytest.raises(InputError, match="rank 1, not 3"):
        load_mnist(small_mnist, cache_dir=tmp_path / "cache")


def test_missing_files_are_listed(small_mnist, tmp_path):
    (small_mnist / f"{TRAIN_IMAGES}.gz").unlink()
    with pytest.raises(MissingDataError, match=rf"no MNIST: {TRAIN_IMAGES} \(.*missing"):
        load_mnist(small_mnist, cache_dir=tmp_path / "cache")


def test_the_cache_serves_where_files_are_missing(small_mnist, tmp_path):
    whole = load_mnist(small_mnist, cache_dir=tmp_path / "cache")
    (small_mnist / f"{TRAIN_IMAGES}.gz").unlink()
    assert load_mnist(small_mnist, cache_dir=tmp_path / "cache").sha256 == whole.sha256


def test_a_folder_that_does_not_exist_is_said_even_with_a_cache(small_mnist, tmp_path):
    load_mnist(small_mnist, cache_dir=tmp_path / "cache")
    with pytest.raises(MissingDataError, match="does not exist"):
        load_mnist(tmp_path / "none", cache_dir=tmp_path / "cache")


def test_without_folder_and_cache_the_error_says_what_to_do(tmp_path):
    with pytest.raises(MissingDataError, match="--data-dir FOLDER"):
        load_mnist(cache_dir=tmp_path)


def test_a_home_relative_folder_is_expanded(small_mnist, tmp_path):
    write_files(tmp_path / "home" / "digits", small_arrays())
    assert load_mnist("~/digits").train_images.shape == (30, 5, 4)
    assert (tmp_path / "home" / ".cache" / "aae_jax" / "mnist.npz").is_file()


def test_a_file_cut_short_after_caching_is_noticed(small_mnist, tmp_path):
    load_mnist(small_mnist, cache_dir=tmp_path / "cache")
    path = small_mnist / f"{TRAIN_IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="truncated"):
        load_mnist(small_mnist, cache_dir=tmp_path / "cache")


def test_a_file_of_the_same_size_with_other_content_is_noticed_after_caching(small_mnist, tmp_path):
    load_mnist(small_mnist, cache_dir=tmp_path / "cache")
    path = small_mnist / f"{TRAIN_IMAGES}.gz"
    path.write_bytes(bytes(path.stat().st_size))
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    with pytest.raises(InputError, match="not an IDX file"):
        load_mnist(small_mnist, cache_dir=tmp_path / "cache")


def test_the_real_mnist(real_mnist, tmp_path):
    dataset = load_mnist(real_mnist, cache_dir=tmp_path)
    assert dataset.train_images.shape == (60_000, 28, 28)
    assert dataset.test_images.shape == (10_000, 28, 28)
    np.testing.assert_array_equal(dataset.train_labels[:8], [5, 0, 4, 1, 9, 2, 1, 3])
    np.testing.assert_array_equal(dataset.test_labels[:8], [7, 2, 1, 0, 4, 1, 4, 9])
    assert dataset.train_images.mean() / 255 == pytest.approx(0.1307, abs=1e-4)
    assert load_mnist(cache_dir=tmp_path).sha256 == dataset.sha256


def idx_folder(folder, labels, *, count=30, seed=0):
    """Write images with these labels, the first `count` for training; without labels where they are None."""
    images = np.random.default_rng(seed).integers(0, 256, (50, 5, 4)).astype(np.uint8)
    arrays = [images[:count], None, images[count:], None]
    if labels is not None:
        arrays[1], arrays[3] = np.asarray(labels)[:count], np.asarray(labels)[count:]
    folder.mkdir(exist_ok=True)
    for name, array in zip(MNIST.files, arrays, strict=True):
        if array is not None:
            (folder / name).write_bytes(idx_bytes(array))
    return images


def test_the_classes_are_the_labels_that_occur(tmp_path):
    idx_folder(tmp_path, np.arange(50) % 5 * 2 + 1)
    dataset = load_idx_folder(tmp_path)
    assert dataset.class_names == ("1", "3", "5", "7", "9")
    np.testing.assert_array_equal(dataset.train_labels, np.arange(30) % 5)
    splits = split_indices(dataset.train_labels, num_classes=5, num_labels=10, label_seed=0)
    np.testing.assert_array_equal(np.bincount(dataset.train_labels[splits.labelled]), [2] * 5)


def test_255_is_no_label(tmp_path):
    images = idx_folder(tmp_path, np.where(np.arange(50) % 3 == 0, np.arange(50) % 5 + 1, 255))
    dataset = load_idx_folder(tmp_path)
    assert dataset.class_names == ("1", "2", "3", "4", "5")
    has_label = np.arange(50) % 3 == 0
    np.testing.assert_array_equal(dataset.test_images, images[30:][has_label[30:]])
    assert dataset.num_unlabelled == 33
    assert [notice.split(" images")[0] for notice in dataset.notices] == ["33", "13 of the 20 test"]
    assert "label 255, which is read as no label" in dataset.notices[0]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (np.where(np.arange(50) % 2, 255, 0), ("0", "255")),
        (253 + np.arange(50) % 3, ("253", "254", "255")),
    ],
)
def test_255_may_be_a_class(tmp_path, labels, names):
    idx_folder(tmp_path, labels)
    dataset = load_idx_folder(tmp_path)
    assert (dataset.class_names, dataset.notices) == (names, ())


@pytest.mark.parametrize("labels", [None, np.full(50, 255)])
def test_a_folder_without_labels(tmp_path, labels):
    images = idx_folder(tmp_path, labels)
    dataset = load_idx_folder(tmp_path)
    assert (dataset.num_classes, set(dataset.train_labels), set(dataset.test_labels)) == (0, {-1}, {-1})
    np.testing.assert_array_equal(dataset.test_images, images[30:])


def test_a_test_set_without_labels_is_drawn_by_the_split_seed(tmp_path):
    idx_folder(tmp_path, np.where(np.arange(50) < 30, np.arange(50) % 3, 255))
    dataset, other = load_idx_folder(tmp_path), load_dataset(f"idx:{tmp_path}", split_seed=1, reporter=Quiet())
    assert (len(dataset.train_images), len(dataset.test_images), dataset.num_unlabelled) == (44, 6, 20)
    assert dataset.sha256 != other.sha256


def test_labels_of_another_number_than_images_are_refused(tmp_path):
    idx_folder(tmp_path, np.where(np.arange(49) % 2, 255, np.arange(49) % 3))
    with pytest.raises(InputError, match="one label per image"):
        load_idx_folder(tmp_path)
    idx_folder(tmp_path, np.arange(50) % 3)
    (tmp_path / MNIST.files[1]).unlink()
    with pytest.raises(InputError, match=r"lacks train-labels-idx1-ubyte .* or leave out both label files"):
        load_idx_folder(tmp_path)


def test_a_label_below_the_first_of_a_known_set_is_refused(tmp_path):
    known = KNOWN["emnist/letters"]
    images, labels = small_arrays()[0], (np.arange(30) % 26).astype(np.uint8)
    write_files(tmp_path / "emnist", (images, labels, images, labels), stems=known.files)
    with pytest.raises(InputError, match="start at 0, but the classes are numbered from 1"):
        load_dataset("emnist/letters", data_dir=tmp_path, cache_dir=tmp_path / "cache", reporter=Quiet())
