"""Checkpoints: at once or not at all, and damage is noticed."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax import InputError, checkpoint


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
    (folder / "11.unfinished" / "tree").mkdir(parents=True)
    assert restore(folder)[0].number == 10
    checkpoint.save(folder, 11, tree_of(11), {})
    assert {path.name for path in folder.iterdir()} == {"10", "11"}


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


KILLED = """
import os, pathlib, shutil, signal, sys
import jax
from aae_jax import checkpoint
from tests.test_checkpoint import tree_of

def die(*arguments, **keywords):
    os.kill(os.getpid(), signal.SIGKILL)

folder, moment = pathlib.Path(sys.argv[1]), sys.argv[2]
if moment == "notes":
    checkpoint.json.dumps = die
elif moment == "rename":
    pathlib.Path.rename = die
elif moment == "prune":
    shutil.rmtree = die
else:
    save = checkpoint.save_file
    def begin(*arguments):
        save(*arguments)
        die()
    checkpoint.save_file = begin
checkpoint.save(folder, 11, tree_of(11), {"epoch": 11})
"""


@pytest.mark.slow
@pytest.mark.parametrize(("moment", "newest"), [("tree", 10), ("notes", 10), ("rename", 10), ("prune", 11)])
def test_a_kill_in_the_middle_of_a_save(moment, newest, folder):
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-c", KILLED, str(folder), moment]
    assert subprocess.run(command, cwd=root, check=False).returncode == -signal.SIGKILL
    restored, said = restore(folder)
    assert (restored.number, said) == (newest, [])
    assert same(restored.tree, tree_of(newest))
    checkpoint.save(folder, 12, tree_of(12), {"epoch": 12})
    assert {path.name for path in folder.iterdir()} == {str(newest), "12"}
