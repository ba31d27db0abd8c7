"""Images that stay in their file: the same data as in memory, and one sentence where that cannot be."""

import gzip
import struct

import chex
import numpy as np
import pytest
from PIL import Image

from aae_jax.data import load_dataset, split_indices, stored, training_arrays
from aae_jax.data.known import KNOWN
from aae_jax.data.readers import idx, image_folder, npz
from aae_jax.data.stored import StoredImages, blocks_of, extremes, is_mapped, map_array, read_rows
from aae_jax.errors import InputError
from tests.unit.data.conftest import small_arrays, write_files

GENERATOR = np.random.default_rng(0)


@pytest.fixture(params=["bytes", "floats that are not aligned"])
def pair(request, tmp_path):
    """An array, and the same in a mapped file."""
    array = GENERATOR.integers(0, 256, (300, 3, 2)).astype(np.uint8)
    if request.param != "bytes":
        array = array.astype(np.float32)
    path = tmp_path / "images"
    path.write_bytes(b"odd" + array.tobytes())
    with path.open("rb") as file:
        return array, map_array(file, array.dtype, array.shape, 3)


def test_a_mapped_array_is_read_where_it_is_indexed(pair, monkeypatch):
    array, mapped = pair
    monkeypatch.setattr(stored, "BLOCK_BYTES", 100)
    assert is_mapped(mapped)
    assert is_mapped(mapped[2:])
    assert not is_mapped(array)
    rows = GENERATOR.integers(0, 300, 291)  # more than are read at once
    np.testing.assert_array_equal(read_rows(mapped, rows), array[rows])
    assert read_rows(mapped, rows[:0]).shape == (0, 3, 2)
    assert extremes(mapped) == (array.min(), array.max())
    blocks = list(blocks_of(mapped))
    assert len(blocks) > 1
    np.testing.assert_array_equal(np.concatenate(blocks), array)
    with pytest.raises(IndexError, match="300"):
        read_rows(mapped, np.asarray([0, 300]))
    with pytest.raises(IndexError, match="-1"):
        read_rows(mapped, np.asarray([-1]))
    with pytest.raises(ValueError, match="read-only"):
        mapped[0] = 0


def test_what_is_no_number_is_found_in_any_part(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "BLOCK_BYTES", 4)
    path = tmp_path / "images"
    path.write_bytes(np.float32([0.5, np.nan, 0.25]).tobytes())
    with path.open("rb") as file:
        assert np.isnan(extremes(map_array(file, np.float32, (3, 1), 0))).all()
        with pytest.raises(ValueError, match="does not hold"):
            map_array(file, np.float32, (4, 1), 0)


def test_stored_images_are_an_array_but_for_being_read_as_a_whole(pair, monkeypatch):
    array, mapped = pair
    monkeypatch.setattr(stored, "PART_BYTES", 100)
    rows = np.int32([5, 299, 0, 17])
    for source, where in ((array, "memory"), (mapped, "its file")):
        images = StoredImages(source, rows)
        assert (images.shape, images.dtype, len(images), images.source) == ((4, 3, 2), array.dtype, 4, where)
        assert images.image_bytes == array[0].nbytes
        np.testing.assert_array_equal(images[np.asarray([3, 1])], array[[17, 299]])
        np.testing.assert_array_equal(images[1:3], array[[299, 0]])
        np.testing.assert_array_equal(np.concatenate(list(images.blocks())), array[rows])
        with pytest.raises(TypeError, match="may not fit"):
            np.asarray(images)


def assert_same(one, other):
    """Check that two data sets are equal, the first with training images in a file."""
    assert is_mapped(one.train_images)
    assert not is_mapped(one.test_images)
    assert one.sha256 == other.sha256
    assert one.class_names == other.class_names
    chex.assert_trees_all_equal(*((d.train_images, d.train_labels, d.test_images) for d in (one, other)))


def save_npz(path, save=np.savez, **changes):
    train, train_labels, test, test_labels = small_arrays()
    arrays = {"x_train": train, "y_train": train_labels, "x_test": test, "y_test": test_labels, **changes}
    save(path, **{name: array for name, array in arrays.items() if array is not None})
    return f"npz:{path}"


@pytest.mark.parametrize("kind", ["bytes", "floats", "one channel", "rows"])
def test_arrays_stay_in_an_npz_file(tmp_path, kind):
    change = {
        "bytes": lambda images: images,
        "floats": lambda images: (images / 255).astype(np.float32),
        "one channel": lambda images: images[..., None],
        "rows": lambda images: images.reshape(len(images), -1),
    }[kind]
    train, _, test, _ = small_arrays()
    name = save_npz(tmp_path / "d.npz", x_train=change(train), x_test=change(test))
    assert_same(load_dataset(name, mapped=True), load_dataset(name))


def test_bad_numbers_of_a_mapped_file_are_found(tmp_path):
    train, _, test, _ = small_arrays()
    images = (train / 255).astype(np.float32)
    images[7, 0, 0] = np.nan
    name = save_npz(tmp_path / "d.npz", x_train=images, x_test=(test / 255).astype(np.float32))
    with pytest.raises(InputError, match="hold NaN; leave those rows out or correct them"):
        load_dataset(name, mapped=True)
    dark = save_npz(tmp_path / "dark.npz", x_train=train // 32)
    with pytest.raises(InputError, match="nearly black"):
        load_dataset(dark, mapped=True)


ALONE = {
    **dict.fromkeys(("x_train", "y_train", "x_test", "y_test")),
    **dict(zip("xy", small_arrays()[:2], strict=True)),
}


@pytest.mark.parametrize(
    ("save", "changes", "complaint"),
    [
        (np.savez_compressed, {}, "save it by numpy.savez"),
        (np.savez, {"x_train": np.asfortranarray(small_arrays()[0])}, "save it by numpy.savez"),
        (np.savez, ALONE, "no test images of its own; give training and test images"),
        (np.savez, {"x_train": small_arrays()[0].astype(np.int64)}, "type int64; save bytes"),
        (np.savez, {"y_test": np.full(20, -1)}, "test images without a label; label them"),
    ],
    ids=["compressed", "by column", "no test set", "wide numbers", "unlabelled test images"],
)
def test_an_npz_file_that_cannot_stay_there(tmp_path, monkeypatch, save, changes, complaint):
    name = save_npz(tmp_path / "d.npz", save, **changes)
    small = load_dataset(name, mapped=True)
    assert not is_mapped(small.train_images)
    assert small.sha256 == load_dataset(name).sha256
    monkeypatch.setattr(npz, "MAX_READ_BYTES", 10)
    monkeypatch.setattr(stored, "MAX_READ_BYTES", 10)
    with pytest.raises(InputError, match=complaint):
        load_dataset(name, mapped=True)


def test_a_test_set_larger_than_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("aae_jax.data.dataset.MAX_TEST_BYTES", 100)
    name = save_npz(tmp_path / "d.npz")
    with pytest.raises(InputError, match=r"20 test images of .* evaluated in memory"):
        load_dataset(name, mapped=True)
    load_dataset(name)


def test_a_header_that_points_elsewhere_is_damage(tmp_path):
    path = tmp_path / "d.npz"
    name = save_npz(path)
    content = path.read_bytes()
    at = content.index(b"x_train.npy") - 2
    path.write_bytes(content[:at] + struct.pack("<H", 60_000) + content[at + 2 :])
    with pytest.raises(InputError, match="not a complete npz file"):
        load_dataset(name, mapped=True)


def test_images_stay_in_an_idx_file(tmp_path, monkeypatch):
    arrays = small_arrays()
    write_files(tmp_path / "raw", arrays, gzipped=False)
    write_files(tmp_path / "packed", arrays, gzipped=True)
    assert_same(load_dataset(f"idx:{tmp_path / 'raw'}", mapped=True), load_dataset(f"idx:{tmp_path / 'raw'}"))
    packed = load_dataset(f"idx:{tmp_path / 'packed'}", mapped=True)
    assert not is_mapped(packed.train_images)
    monkeypatch.setattr(idx, "MAX_READ_BYTES", 10)
    with pytest.raises(InputError, match="give it uncompressed"):
        load_dataset(f"idx:{tmp_path / 'packed'}", mapped=True)
    path = tmp_path / "raw" / KNOWN["mnist"].files[0]
    path.write_bytes(path.read_bytes()[:-1])
    monkeypatch.undo()
    with pytest.raises(InputError, match="truncated"):
        load_dataset(f"idx:{tmp_path / 'raw'}", mapped=True)
    path.write_bytes(gzip.compress(b"x")[:5])
    with pytest.raises(InputError, match="damaged or truncated"):
        load_dataset(f"idx:{tmp_path / 'raw'}", mapped=True)


@pytest.fixture
def folder(tmp_path):
    """A function that writes a folder of classes, in colour or grey, with or without a test folder."""

    def write(*, colour, parts):
        root = tmp_path / "pictures"
        for part in parts:
            for name in ("a", "b"):
                (root / part / name).mkdir(parents=True)
                for i in range(8):
                    pixels = GENERATOR.integers(0, 256, (6, 5, 3)).astype(np.uint8)
                    picture = Image.fromarray(pixels if colour else pixels[..., 0])
                    picture.save(root / part / name / f"{i}.png")
        (root / parts[0] / "a" / "bad.png").write_bytes(b"no picture")
        return root

    return write


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("parts", [("train", "test"), (".",)])
def test_image_files_are_decoded_into_a_file(folder, tmp_path, monkeypatch, colour, parts):
    name = f"folder:{folder(colour=colour, parts=parts)}"
    options = {"mapped": True, "skip_bad_images": True}
    wanted = load_dataset(name, cache_dir=tmp_path / "other", skip_bad_images=True)
    first = load_dataset(name, cache_dir=tmp_path / "cache", **options)
    assert_same(first, wanted)
    assert len(first.image_shape) == 2 + colour
    assert len(list((tmp_path / "cache").iterdir())) == 1  # nothing but the copy of the data is left
    monkeypatch.setattr(image_folder, "decode_all", None)
    again = load_dataset(name, cache_dir=tmp_path / "cache", **options)
    assert_same(again, wanted)
    assert again.notices == wanted.notices


def test_a_disk_that_is_too_small_for_decoded_images(folder, tmp_path, monkeypatch):
    root = folder(colour=True, parts=("train", "test"))
    (root / "train" / "a" / "bad.png").unlink()
    monkeypatch.setattr(image_folder.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    with pytest.raises(InputError, match=r"on disk, of which .* left; give a smaller --image-size"):
        load_dataset(f"folder:{root}", cache_dir=tmp_path / "cache", mapped=True)


@pytest.mark.parametrize("mapped", [True, False])
def test_a_streamed_pool_is_the_pool(tmp_path, mapped):
    data = load_dataset(save_npz(tmp_path / "d.npz"), mapped=mapped)
    splits = split_indices(data.train_labels, num_classes=10, num_labels=10, label_seed=0)
    held, streamed = training_arrays(data, splits), training_arrays(data, splits, stream=True)
    assert isinstance(streamed.pool, StoredImages)
    chex.assert_trees_all_equal(held, streamed._replace(pool=streamed.pool[:]))
