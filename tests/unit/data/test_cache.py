import os
import tempfile
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from aae_jax.data import cache, default_cache_dir
from aae_jax.data.readers import idx
from tests.unit.data.conftest import load_mnist, small_arrays, write_files


@pytest.fixture
def reads(monkeypatch):
    """Count the IDX files that are read."""
    read, paths = idx.read_bytes, []
    monkeypatch.setattr(idx, "read_bytes", lambda path: paths.append(path) or read(path))
    return paths


def test_the_second_load_reads_no_idx_file(small_mnist, tmp_path, reads):
    first = load_mnist(small_mnist, cache_dir=tmp_path / "cache")
    assert len(reads) == 4
    second = load_mnist(small_mnist, cache_dir=tmp_path / "cache")
    assert len(reads) == 4
    assert (second.sha256, second.source) == (first.sha256, first.source)
    np.testing.assert_array_equal(second.train_images, first.train_images)
    assert not second.train_images.flags.writeable


def test_the_cache_serves_when_the_files_are_gone(small_mnist, tmp_path, reads):
    first = load_mnist(small_mnist, cache_dir=tmp_path / "cache")
    for path in small_mnist.iterdir():
        path.unlink()
    assert load_mnist(cache_dir=tmp_path / "cache").sha256 == first.sha256
    assert len(reads) == 4


def test_touched_files_are_read_and_verified_again(small_mnist, tmp_path, reads):
    load_mnist(small_mnist, cache_dir=tmp_path / "cache")
    os.utime(next(small_mnist.iterdir()), ns=(1, 1))
    for _ in range(2):
        load_mnist(small_mnist, cache_dir=tmp_path / "cache")
    assert len(reads) == 8


def test_another_folder_is_verified_and_named_as_the_source(small_mnist, tmp_path, reads):
    load_mnist(small_mnist, cache_dir=tmp_path / "cache")
    write_files(tmp_path / "raw", small_arrays(), gzipped=False)
    dataset = load_mnist(tmp_path / "raw", cache_dir=tmp_path / "cache")
    assert dataset.source == f"IDX files in {tmp_path / 'raw'}"
    assert len(reads) == 8


def flip_a_pixel(path):
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["train_images"] = arrays["train_images"] ^ 1
    np.savez(path, **arrays)


def save_one_array(path):
    with path.open("wb") as stream:
        np.save(stream, np.zeros(3))


DAMAGE = {
    "flipped bytes": lambda path: path.write_bytes(path.read_bytes()[:2000] + bytes(50) + path.read_bytes()[2050:]),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-500]),
    "empty": lambda path: path.write_bytes(b""),
    "no npz": lambda path: path.write_bytes(b"not an archive"),
    "foreign npz": lambda path: np.savez(path, x_train=np.zeros(3)),
    "one array": save_one_array,
    "consistent zip, other content": flip_a_pixel,
    "a folder": lambda path: path.unlink() or path.mkdir(),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_cache_is_passed_over_and_rewritten(small_mnist, tmp_path, reads, damage):
    path = tmp_path / "cache" / "mnist.npz"
    first = load_mnist(small_mnist, cache_dir=path.parent)
    damage(path)
    assert cache.read_cache(path) is None
    assert load_mnist(small_mnist, cache_dir=path.parent).sha256 == first.sha256
    assert len(reads) == 8
    if path.is_file():
        assert cache.read_cache(path).dataset.sha256 == first.sha256
    assert [entry.name for entry in path.parent.iterdir()] == ["mnist.npz"]


def test_pickled_content_is_never_loaded(tmp_path):
    path = tmp_path / "mnist.npz"
    np.savez(path, name=np.array([{"an": "object"}], dtype=object))
    assert cache.read_cache(path) is None


def test_a_cache_folder_that_cannot_be_made_is_no_error(small_mnist, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert load_mnist(small_mnist, cache_dir=tmp_path / "file" / "cache").name == "mnist"


def test_a_write_that_fails_leaves_the_old_file_whole(small_mnist, tmp_path, monkeypatch):
    path = tmp_path / "cache" / "mnist.npz"
    dataset = load_mnist(small_mnist, cache_dir=path.parent)
    before = path.read_bytes()

    def fill_the_disk(stream, arrays):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_write_npz", fill_the_disk)
    assert not cache.write_cache(path, dataset, "other")
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["mnist.npz"]


def test_the_default_folder_follows_the_environment(monkeypatch, tmp_path):
    assert default_cache_dir() == tmp_path / "home" / ".cache" / "aae_jax"
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert default_cache_dir() == Path("/xdg/aae_jax")
    monkeypatch.setenv("AAE_CACHE_DIR", "/chosen")
    assert default_cache_dir() == Path("/chosen")


def test_the_default_folder_is_the_systems_place_for_caches(monkeypatch, tmp_path):
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name, appauthor: tmp_path / "Caches" / name)
    assert default_cache_dir() == tmp_path / "Caches" / "aae_jax"
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert default_cache_dir() == Path("/xdg/aae_jax")


def test_a_user_without_a_home_has_a_folder_below_the_temporary_one(monkeypatch):
    def refuse(name, appauthor):
        raise RuntimeError("could not determine the home directory")

    own = Path(tempfile.gettempdir()) / f"aae_jax-{os.geteuid()}"
    monkeypatch.setattr(platformdirs, "user_cache_path", refuse)
    assert default_cache_dir() == own
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name, appauthor: Path("~/.cache") / name)
    assert default_cache_dir() == own
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_cache_dir() == own
