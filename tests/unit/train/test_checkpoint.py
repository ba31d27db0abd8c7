"""Checkpoints: at once or not at all, and damage is noticed."""

import fcntl
import json
import os
import shutil
import stat
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax import InputError
from aae_jax.train import checkpoint
from tests.killing import count_calls, kill_before_call


def tree_of(number):
    return {
        "weights": jax.random.normal(jax.random.key(number), (60, 50)),
        "step": jnp.asarray(number, jnp.int32),
        "half": (jnp.full(3, number, jnp.bfloat16), jnp.zeros((1, 2))),
    }


LIKE = jax.eval_shape(lambda: tree_of(0))


def same(ours, theirs):
    pairs = zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True)
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original") / "last"
    for number in (1, 2, 10):
        checkpoint.save(folder, number, tree_of(number), {"epoch": number})
    return folder


@pytest.fixture
def folder(original, tmp_path):
    shutil.copytree(original, tmp_path / "last")
    return tmp_path / "last"


def restore(folder):
    said = []
    return checkpoint.restore_latest(folder, LIKE, said.append), said


def test_the_newest_comes_back_bit_for_bit(folder):
    restored, said = restore(folder)
    assert (restored.number, restored.notes, said) == (10, {"epoch": 10}, [])
    assert same(restored.tree, tree_of(10))
    assert jax.tree.structure(restored.tree) == jax.tree.structure(LIKE)


def test_the_two_latest_are_kept(folder):
    assert {path.name for path in folder.iterdir()} == {"2", "10"}


def test_fewer_are_kept_when_asked(folder):
    checkpoint.save(folder, 11, tree_of(11), {}, keep=1)
    assert {path.name for path in folder.iterdir()} == {"11"}


def test_the_same_number_is_replaced(folder):
    checkpoint.save(folder, 10, tree_of(3), {"epoch": 3})
    restored, _ = restore(folder)
    assert restored.notes == {"epoch": 3}
    assert same(restored.tree, tree_of(3))


def test_what_a_kill_left_is_ignored_and_cleared(folder):
    for name in ("11.unfinished", "11.0123456789abcdef.unfinished", "3.0123456789abcdef.replaced"):
        shutil.copytree(folder / "2", folder / name)
    assert restore(folder)[0].number == 10
    checkpoint.save(folder, 11, tree_of(11), {})
    assert {path.name for path in folder.iterdir()} == {"10", "11"}


def test_nothing_is_removed_that_no_save_wrote(folder):
    """Folders and files of the user's in every place where a save removes something."""
    foreign = ("thesis/a", "2019/a", "notes.json", "11.unfinished/a", "x.unfinished/notes.json", "99/notes.txt")
    for name in (*foreign, "2/mine"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("precious")
    for number in (11, 12, 13):
        checkpoint.save(folder, number, tree_of(number), {}, keep=1)
    assert all((folder / name).read_text() == "precious" for name in (*foreign, "2/mine"))
    assert restore(folder)[0].number == 13


def test_links_are_refused_and_never_followed(folder, tmp_path):
    victim = tmp_path / "victim"
    shutil.copytree(folder, victim)
    linked = tmp_path / "linked"
    linked.symlink_to(victim)
    with pytest.raises(checkpoint.StorageError, match="it is a symbolic link"):
        checkpoint.save(linked, 11, tree_of(11), {}, keep=1)
    assert checkpoint.any_saved(linked) is False
    with pytest.raises(InputError, match="nothing to resume"):
        restore(linked)
    (folder / "1").symlink_to(victim / "2")
    (folder / "11.0123456789abcdef.unfinished").symlink_to(victim / "2")
    checkpoint.save(folder, 11, tree_of(11), {}, keep=1)
    assert files_of(victim / "2") == ["checksums.json", "notes.json", "tree.safetensors"]
    (folder / "12").symlink_to(victim / "2")
    with pytest.raises(checkpoint.StorageError, match="12 is not a checkpoint that was saved here"):
        checkpoint.save(folder, 12, tree_of(12), {})
    assert files_of(victim / "2") == ["checksums.json", "notes.json", "tree.safetensors"]


def files_of(path):
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


def flip(path):
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0x55
    path.write_bytes(raw)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garble(path):
    path.write_bytes(b"garbage" * 30)


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("harm", [flip, truncate, empty, garble, Path.unlink])
def test_damage_to_any_file_falls_back_to_the_one_before(harm, original, tmp_path):
    names = files_of(original / "10")
    assert names == ["checksums.json", "notes.json", "tree.safetensors"]
    for index, name in enumerate(names):
        folder = tmp_path / str(index)
        shutil.copytree(original, folder)
        harm(folder / "10" / name)
        restored, said = restore(folder)
        assert (restored.number, same(restored.tree, tree_of(2))) == (2, True), name
        assert len(said) == 1
        assert said[0].startswith("Checkpoint 10 cannot be read and is dropped")
        assert {path.name for path in folder.iterdir()} == {"2"}


def test_a_foreign_file_in_it_is_damage(folder):
    (folder / "10" / "more").write_text("")
    restored, said = restore(folder)
    assert restored.number == 2
    assert "more is unknown" in said[0]


def test_nothing_is_removed_when_none_can_be_read(folder):
    for number in ("2", "10"):
        (folder / number / "notes.json").unlink()
    with pytest.raises(InputError, match="nothing to resume"):
        restore(folder)
    assert {path.name for path in folder.iterdir()} == {"2", "10"}


@pytest.mark.parametrize("make", [False, True])
def test_no_checkpoint_at_all(make, tmp_path):
    if make:
        (tmp_path / "last").mkdir()
    with pytest.raises(InputError, match="nothing to resume"):
        restore(tmp_path / "last")


def test_notes_are_json(folder):
    assert json.loads((folder / "10" / "notes.json").read_text()) == {"epoch": 10}


@pytest.mark.parametrize("number", [10, 11], ids=["replacing one", "a new one"])
@pytest.mark.parametrize("keep", [1, 2])
def test_killed_at_any_system_call_the_old_or_the_new_one_is_whole(number, keep, original, tmp_path):
    """A save is cut off before each of its calls in turn; nothing that Python would clean up happens."""
    new, count = tree_of(20), count_calls(lambda: checkpoint.save(fresh(original, tmp_path), number, new, {"n": 20}))
    assert count > 15
    for moment in range(count):
        folder = fresh(original, tmp_path)
        kill_before_call(moment, lambda folder=folder: checkpoint.save(folder, number, new, {"n": 20}, keep=keep))
        assert checkpoint.any_saved(folder)
        restored, said = restore(folder)
        is_new = restored.notes == {"n": 20}
        assert said == [], moment
        assert same(restored.tree, new if is_new else tree_of(10)), moment
        checkpoint.save(folder, 12, tree_of(12), {"epoch": 12}, keep=1)
        assert {path.name for path in folder.iterdir()} == {"12"}, moment


def fresh(original, tmp_path):
    shutil.rmtree(tmp_path / "copy", ignore_errors=True)
    return Path(shutil.copytree(original, tmp_path / "copy"))


def test_files_are_flushed_through_handles_that_can_write(tmp_path, monkeypatch):
    """Windows refuses to flush any other; folders can be opened for reading only."""
    flushed = []

    def flush(descriptor):
        mode = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
        flushed.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), mode))

    monkeypatch.setattr(os, "fsync", flush)
    checkpoint.save(tmp_path, 1, tree_of(1), {})
    assert {mode for is_folder, mode in flushed if not is_folder} == {os.O_RDWR}
    assert sum(not is_folder for is_folder, _ in flushed) == 3
    assert {mode for is_folder, mode in flushed if is_folder} == {os.O_RDONLY}


def test_a_folder_that_cannot_be_opened_is_not_flushed(tmp_path, monkeypatch):
    """As on Windows; a file that cannot be is an error."""
    opened = os.open

    def refuse(path, flags, *mode, **given):
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, flags, *mode, **given)

    monkeypatch.setattr(checkpoint.os, "open", refuse)
    checkpoint.save(tmp_path, 1, tree_of(1), {})
    monkeypatch.undo()
    assert restore(tmp_path)[0].number == 1
