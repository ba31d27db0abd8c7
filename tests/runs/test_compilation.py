"""The cache of compiled programs: whole entries, of this user, within a gigabyte."""

import os
import zlib

import pytest

from aae_jax.data.cache import user_folder
from aae_jax.train import compile_cache as compilation
from aae_jax.train.compile_cache import INDEX, sweep_programs


def entry(folder, name, content=b"program" * 500):
    path = folder / f"{name}-cache"
    path.write_bytes(zlib.compress(content))
    return path


def names(folder):
    return {path.name for path in folder.iterdir() if path.is_file() or path.is_symlink()} - {INDEX}


def truncate(path):
    path.write_bytes(path.read_bytes()[:20])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("harm", [truncate, empty, flip, zero])
@pytest.mark.parametrize("known", [False, True], ids=["a new entry", "one that was whole before"])
def test_damaged_entries_are_removed(harm, known, tmp_path):
    good, bad = entry(tmp_path, "good"), entry(tmp_path, "bad")
    (tmp_path / "bad-atime").write_bytes(b"12345678")
    if known:
        sweep_programs(tmp_path)
        assert names(tmp_path) == {good.name, bad.name, "bad-atime"}
        os.utime(bad, ns=(0, 0))
    harm(bad)
    sweep_programs(tmp_path)
    assert names(tmp_path) == {good.name}


def test_whole_entries_are_decompressed_once(tmp_path, monkeypatch):
    entry(tmp_path, "one")
    sweep_programs(tmp_path)
    monkeypatch.setattr(compilation, "_is_whole", lambda path: pytest.fail("it was known"))
    sweep_programs(tmp_path)
    assert names(tmp_path) == {"one-cache"}


@pytest.mark.parametrize("index", [b"", b"[]", b"{", b'{"one-cache": 3}', b"[" * 10**5])
def test_a_damaged_index_is_written_anew(index, tmp_path):
    entry(tmp_path, "one")
    (tmp_path / INDEX).write_bytes(index)
    sweep_programs(tmp_path)
    assert names(tmp_path) == {"one-cache"}
    assert (tmp_path / INDEX).read_bytes() != index


def test_the_oldest_give_way(tmp_path, monkeypatch):
    paths = [entry(tmp_path, str(age), os.urandom(2000)) for age in range(4)]
    for age, path in enumerate(paths):
        os.utime(path, (age, age))
    monkeypatch.setattr(compilation, "MAX_BYTES", 5000)
    sweep_programs(tmp_path)
    assert names(tmp_path) == {"2-cache", "3-cache"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to give files away")
def test_entries_of_others_are_removed(tmp_path):
    planted, writable, linked = entry(tmp_path, "planted"), entry(tmp_path, "writable"), tmp_path / "linked-cache"
    os.chown(planted, 65534, 65534)
    writable.chmod(0o666)
    linked.symlink_to(entry(tmp_path, "good"))
    sweep_programs(tmp_path)
    assert names(tmp_path) == {"good-cache"}


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_folder_that_others_can_write_to_is_not_used(mode, tmp_path):
    root = tmp_path / "cache"
    root.mkdir()
    root.chmod(mode)
    assert user_folder(root, "compiled") is None
    root.chmod(0o755)
    below = user_folder(root, "compiled", "machine")
    assert below == root / "compiled" / "machine"
    assert below.stat().st_mode & 0o777 == 0o700
    (root / "compiled").chmod(mode)
    assert user_folder(root, "compiled", "machine") is None


def test_a_linked_folder_below_the_cache_is_not_used(tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "cache").mkdir(mode=0o700)
    (tmp_path / "cache" / "compiled").symlink_to(tmp_path / "elsewhere")
    assert user_folder(tmp_path / "cache", "compiled") is None
