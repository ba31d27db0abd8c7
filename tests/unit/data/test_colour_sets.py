"""Sets of colour images in their published forms, small: SVHN, CIFAR-10, Labeled Faces in the Wild."""

import gzip
import hashlib
import io
import os
import pickle
import tarfile

import chex
import numpy as np
import pytest
import scipy.io
from PIL import Image

from aae_jax.data import MissingDataError, load_dataset
from aae_jax.data.colour_sets import COLOUR_SETS
from aae_jax.data.download import Remote
from aae_jax.data.readers import cifar, svhn, tfds_copy
from aae_jax.errors import InputError
from tests.unit.data.server import serve

GENERATOR = np.random.default_rng(0)
BATCHES = [
    (GENERATOR.integers(0, 256, (4, 3072)).astype(np.uint8), GENERATOR.integers(0, 10, 4).tolist()) for _ in range(6)
]


@pytest.fixture
def load(tmp_path):
    def load_from(name, **options):
        return load_dataset(name, data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", **options)

    (tmp_path / "data").mkdir()
    return load_from


def binary(rows, labels):
    return b"".join(bytes([label]) + row.tobytes() for row, label in zip(rows, labels, strict=True))


def pickled(rows, labels, protocol=2):
    """Return a batch as its authors' programs wrote it: a dictionary of bytes, lists and one array."""
    names = [f"{i}.png".encode() for i in range(len(labels))]
    batch = {b"batch_label": b"one", b"labels": labels, b"data": rows, b"filenames": names}
    return pickle.dumps(batch, protocol=protocol)


def put(folder, names, contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in zip(names, contents, strict=True):
        (folder / name).write_bytes(content)


def archive(path, inside, names, contents):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as opened:
        for name, content in zip(names, contents, strict=True):
            info = tarfile.TarInfo(f"{inside}/{name}")
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))


BINARIES = [binary(*batch) for batch in BATCHES]
PICKLES = [pickled(*batch) for batch in BATCHES]
FORMS = {
    "binary": lambda data: put(data / "cifar-10-batches-bin", cifar.BINARY, BINARIES),
    "python": lambda data: put(data / "CIFAR10" / "cifar-10-batches-py", cifar.PYTHON, PICKLES),
    "binary archive": lambda data: archive(
        data / "cifar10" / "cifar-10-binary.tar.gz", "cifar-10-batches-bin", cifar.BINARY, BINARIES
    ),
    "python archive": lambda data: archive(
        data / "cifar-10-python.tar.gz", "cifar-10-batches-py", cifar.PYTHON, PICKLES
    ),
}


@pytest.mark.parametrize("write", FORMS.values(), ids=FORMS)
def test_cifar_10_is_read_in_each_of_its_forms(load, tmp_path, write):
    write(tmp_path / "data")
    dataset = load("cifar10")
    chex.assert_shape(dataset.train_images, (20, 32, 32, 3))
    chex.assert_shape(dataset.test_images, (4, 32, 32, 3))
    rows = np.concatenate([rows for rows, _ in BATCHES[:5]])
    for channel in range(3):  # planes of red, green and blue
        np.testing.assert_array_equal(
            dataset.train_images[..., channel].reshape(20, -1), rows[:, 1024 * channel :][:, :1024]
        )
    assert dataset.test_labels.tolist() == BATCHES[5][1]
    assert dataset.class_names[3] == "cat"
    assert load("cifar10").sha256 == dataset.sha256


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_every_protocol(protocol):
    images, labels = cifar.read_batch(pickled(*BATCHES[0], protocol), "it", binary=False)
    np.testing.assert_array_equal(images.transpose(0, 3, 1, 2).reshape(4, -1), BATCHES[0][0])
    assert labels.tolist() == BATCHES[0][1]


class Planted:
    def __reduce__(self):
        return os.mkdir, ("planted",)


NONE = {
    "a far place": (b"\x80\x02]r" + (2**27).to_bytes(4, "little") + b".", "it names place 134217728 after 2 steps"),
    "a type of objects": (pickled(np.zeros((4, 3072), object), [0] * 4), "an array of type 'O8'"),
    "a call": (pickle.dumps({b"data": Planted()}), r"asks for (posix|nt)\.mkdir, which is not called"),
    "a call behind an array": (
        pickle.dumps([np.asarray([Planted()], dtype=object)]),
        "is not a batch of CIFAR-10",
    ),
    "a list": (pickle.dumps([1, 2]), "is not a batch of CIFAR-10"),
    "no pickle": (b"hello", "is not a batch of CIFAR-10"),
    "nothing": (b"", "is not a batch of CIFAR-10"),
    "other rows": (pickled(np.zeros((4, 3071), np.uint8), [0] * 4), r"holds data of shape \(4, 3071\)"),
    "other numbers": (pickled(np.zeros((4, 3072), np.int16), [0] * 4), "an array of type 'i2'"),
    "too few labels": (pickled(np.zeros((4, 3072), np.uint8), [0] * 3), r"labels of shape \(3,\)"),
    "labels of 100 classes": (pickled(BATCHES[0][0], [0, 1, 2, 99]), "labels from 0 to 9"),
}


@pytest.mark.parametrize(("content", "complaint"), NONE.values(), ids=NONE)
def test_pickles_that_are_no_batches(monkeypatch, tmp_path, content, complaint):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=complaint):
        cifar.read_batch(content, "it", binary=False)
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "has 0 bytes, no multiple of the 3,073"),
        (BINARIES[0][:-1], "has 12,291 bytes, no multiple"),
        (b"\xff" + BINARIES[0][1:], "labels from 0 to 9"),
    ],
)
def test_binary_files_that_are_no_batches(content, complaint):
    with pytest.raises(InputError, match=complaint):
        cifar.read_batch(content, "it", binary=True)


def test_archives_that_are_incomplete(load, tmp_path):
    path = tmp_path / "data" / "cifar-10-binary.tar.gz"
    archive(path, "x", cifar.BINARY[:-1], BINARIES[:-1])
    with pytest.raises(InputError, match=r"holds no test_batch\.bin; give the original archive"):
        load("cifar10")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="is not a complete tar archive"):
        load("cifar10")
    path.write_bytes(b"hello")
    with pytest.raises(InputError, match="is not a complete tar archive"):
        load("cifar10")
    path.unlink()
    put(tmp_path / "data" / "cifar-10-batches-bin", cifar.BINARY[1:], BINARIES[1:])
    with pytest.raises(InputError, match=r"data_batch_1\.bin cannot be read"):
        load("cifar10")


def write_svhn(folder, *, extra=False, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for part, count in (("train", 20), ("test", 10), *((("extra", 30),) if extra else ())):
        generator = np.random.default_rng(count)
        images = generator.integers(0, 256, (32, 32, 3, count)).astype(np.uint8)
        labels = (np.arange(count) % 10 + 1).astype(np.uint8)[:, None]
        written[part] = {"X": images, "y": labels, **(changes if part == "train" else {})}
        scipy.io.savemat(folder / f"{part}_32x32.mat", written[part], do_compression=True)
    return written


def test_svhn(load, tmp_path):
    written = write_svhn(tmp_path / "data" / "svhn")
    dataset = load("svhn")
    np.testing.assert_array_equal(dataset.train_images[3], written["train"]["X"][..., 3])
    assert dataset.train_labels.tolist() == [*range(1, 10), 0] * 2
    assert dataset.class_names == tuple("0123456789")
    with pytest.raises(MissingDataError, match=r"extra training images.* test_32x32\.mat and ext"):
        load("svhn/extra")
    write_svhn(tmp_path / "data" / "svhn", extra=True)
    assert len(load("svhn/extra").train_images) == 50


WRONG = {
    "no images": ({"X": np.zeros(3)}, "holds X of shape"),
    "floats": ({"X": np.zeros((32, 32, 3, 20))}, "type float64"),
    "too few labels": ({"y": np.ones((19, 1))}, r"and y of shape \(19, 1\)"),
    "other labels": ({"y": np.full((20, 1), 11)}, "labels y other than 1 to 10"),
    "texts": ({"y": np.asarray(["a"] * 20)}, "holds"),
}


@pytest.mark.parametrize(("changes", "complaint"), WRONG.values(), ids=WRONG)
def test_matlab_files_of_other_content(load, tmp_path, changes, complaint):
    write_svhn(tmp_path / "data", **changes)
    with pytest.raises(InputError, match=complaint):
        load("svhn")


def test_matlab_files_that_are_none(tmp_path):
    write_svhn(tmp_path)
    path = tmp_path / "train_32x32.mat"
    whole = path.read_bytes()
    other = tmp_path / "other.mat"
    scipy.io.savemat(other, {"Z": np.zeros(3)})
    with pytest.raises(InputError, match="holds no images X with labels y"):
        svhn.read_matlab(other)
    for content in (b"", b"hello", whole[:200], whole[:-50], b"\x89HDF\r\n\x1a\n" + bytes(600)):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"train_32x32\.mat is not a complete MATLAB file"):
            svhn.read_matlab(path)
    with pytest.raises(InputError, match="cannot be read"):
        svhn.read_matlab(tmp_path / "none.mat")


@pytest.fixture
def faces(tmp_path):
    """Thirty people, each with one to three images."""
    for person in range(30):
        folder = tmp_path / "data" / "lfw" / f"Person_{person:02}"
        folder.mkdir(parents=True)
        for i in range(1 + person % 3):
            pixels = np.random.default_rng(100 * person + i).integers(0, 256, (8, 8, 3)).astype(np.uint8)
            pixels[0, 0] = person
            Image.fromarray(pixels).save(folder / f"{folder.name}_{i:04}.png")


def test_people_are_in_one_part_only(load, faces):
    dataset = load("lfw")
    assert len(dataset.train_images) + len(dataset.test_images) == 60
    people = [{int(image[0, 0, 0]) for image in part} for part in (dataset.train_images, dataset.test_images)]
    assert len(people[1]) == 3
    assert not people[0] & people[1]
    assert dataset.num_classes == 0
    assert "3 of 30 people in the test set alone" in dataset.source
    assert load("lfw", split_seed=1).sha256 != dataset.sha256


def test_the_first_image_of_each_person(load, faces):
    dataset = load("lfw/first", image_size=4)
    assert dataset.image_shape == (4, 4, 3)
    assert (len(dataset.train_images), len(dataset.test_images)) == (27, 3)


def test_absent_sets_say_what_to_do(load):
    for name in (*COLOUR_SETS, "lfw"):
        with pytest.raises(MissingDataError, match=r"is not available locally \(not in .*; put .* --data-dir"):
            load(name)


def test_they_are_fetched_from_the_catalogue(load, tmp_path, monkeypatch):
    archive(tmp_path / "served.tar.gz", "cifar-10-batches-bin", cifar.BINARY, BINARIES)
    content = (tmp_path / "served.tar.gz").read_bytes()
    monkeypatch.delenv("AAE_OFFLINE")
    with serve({"/cifar-10-binary.tar.gz": content}) as server:
        remote = Remote(f"{server.url}/cifar-10-binary.tar.gz", len(content), hashlib.sha256(content).hexdigest())
        monkeypatch.setattr(tfds_copy, "catalogue", lambda name: [remote])
        assert len(load("cifar10").train_images) == 20
    assert (tmp_path / "data" / "cifar10" / "cifar-10-binary.tar.gz").is_file()


@pytest.mark.parametrize("name", COLOUR_SETS)
def test_the_real_catalogue_has_their_files(name):
    known = COLOUR_SETS[name]
    assert set(known.downloads) <= {remote.name for remote in tfds_copy.catalogue(known.tfds)}


def test_an_archive_cannot_ask_for_gigabytes(load, tmp_path):
    path = tmp_path / "data" / "cifar-10-binary.tar.gz"
    archive(path, "x", cifar.BINARY, BINARIES)
    header = bytearray(gzip.decompress(path.read_bytes())[:512])
    header[124:136] = b"77777777777\x00"  # eight gigabytes for one of the files
    header[156:157] = b"L"  # which is a long name, read at once
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\x00 " % sum(header)
    path.write_bytes(gzip.compress(bytes(header)))
    with pytest.raises(InputError, match=r"is not a complete tar archive|holds no data_batch_1\.bin"):
        load("cifar10")


def test_matlab_files_cannot_expand_without_bound(tmp_path):
    path = tmp_path / "train_32x32.mat"
    scipy.io.savemat(path, {"X": np.zeros((2000, 10, 3, 2), np.uint8), "y": np.ones((2, 1))}, do_compression=True)
    with pytest.raises(InputError, match=r"holds X of shape \(2000, 10, 3, 2\)"):
        svhn.read_matlab(path)
    scipy.io.savemat(path, {"X": np.zeros((32, 32, 3, 2), np.uint8), "y": np.ones((9, 9))})
    with pytest.raises(InputError, match=r"y of shape \(9, 9\)"):
        svhn.read_matlab(path)
