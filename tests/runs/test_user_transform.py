"""Transforms of a user's own: compiled with the training step, named by the command line alone, checked before."""

import signal
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aae_jax.errors import InputError
from aae_jax.user_code import check_transform, load_transform
from tests.runs.conftest import interrupt_after
from tests.runs.running import evidence, plain_status, train_plain

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "erase.py"
FLAG = ("--views.transform", f"{EXAMPLE}:erase")


def test_a_transform_changes_training_and_is_resumed_only_by_its_name(plain, tmp_path, capsys):
    whole, half = tmp_path / "whole", tmp_path / "half"
    assert train_plain(whole, *FLAG) == 0
    assert evidence(whole) != evidence(plain)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 0, signal.SIGTERM)
        assert train_plain(half, *FLAG) == 128 + signal.SIGTERM
    assert f"--resume {half} --views.transform {EXAMPLE}:erase" in capsys.readouterr().out
    assert plain_status("--resume", half) == 2
    assert "views.transform is" in (said := capsys.readouterr().err)
    assert "give --views.transform too if you trust that file" in said
    assert plain_status("--resume", half, *FLAG) == 0
    assert evidence(half) == evidence(whole)


@pytest.mark.parametrize("shape", [(8, 8), (9, 13), (12, 10, 3)])
def test_the_example_erases_a_square_of_each_image(shape):
    images = jnp.ones((50, *shape), jnp.float32)
    check_transform(FLAG[1], shape)
    erased = np.asarray(load_transform(FLAG[1])(jax.random.key(0), images)).reshape(50, shape[0], shape[1], -1) == 0
    side = min(shape[:2]) // 4
    assert (erased.sum(axis=(1, 2)) == side**2).all()
    rows = [tuple(np.flatnonzero(each[:, :, 0].any(axis=1))) for each in erased]
    assert all(row == tuple(range(row[0], row[0] + side)) for row in rows)
    assert {row[0] for row in rows} == set(range(shape[0] - side + 1))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("flip", "give FILE.py:FUNCTION or package.module:FUNCTION"),
        ("nowhere.py:flip", "names nowhere.py, which is not a file"),
        ("no_such_package.views:flip", "cannot be loaded .ModuleNotFoundError"),
        ("own.py:missing", "has no function 'missing'; name one that takes .key, images."),
        ("own.py:NUMBER", "has no function 'NUMBER'"),
        ("own.py:cropped", r"returns float32 of shape \(2, 7, 8\) for float32 images \(2, 8, 8\)"),
        ("own.py:nothing", "returns None of shape None"),
        ("own.py:eager", "cannot be compiled for images .* with jax.numpy"),
        ("own.py:random", "does something else at each call, with random numbers of its own"),
        ("own.py:several", "returns 2 values; return the images alone"),
        ("own.py:alone", r"cannot be compiled .*write a function \(key, images\) -> images"),
        ("own.py:leaving", "cannot be compiled .*SystemExit"),
        ("broken.py:flip", "cannot be loaded .ZeroDivisionError: division by zero.; correct the module"),
    ],
)
def test_a_transform_that_cannot_be_used_is_named(name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(
        "import numpy as np\nNUMBER = 3\n"
        "def cropped(key, images):\n    return images[:, 1:]\n"
        "def nothing(key, images):\n    pass\n"
        "def random(key, images):\n    return images + np.random.rand(*images.shape).astype('float32')\n"
        "def several(key, images):\n    return images, key\n"
        "def alone(images):\n    return images\n"
        "def leaving(key, images):\n    raise SystemExit(3)\n"
        "def eager(key, images):\n    return np.asarray(images)\n"
    )
    Path("broken.py").write_text("1 / 0\n")
    with pytest.raises(InputError, match=message):
        check_transform(name, (8, 8))


def test_the_command_refuses_it_before_a_folder_is_made(tmp_path, capsys):
    assert train_plain(tmp_path / "run", "--views.transform", "nowhere.py:flip") == 2
    assert "nowhere.py, which is not a file" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
