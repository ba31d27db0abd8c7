"""Runs whose labelled images are listed in a file."""

import numpy as np
import pytest

from aae_jax import cli, load
from aae_jax.commands.evaluate import DataFlags
from aae_jax.commands.score import ordinary_images
from aae_jax.run.sweep import command as sweep
from tests.runs.running import SMALL, status, summary

MODEL = "label_regularized"
"""Of the models that learn from labels, one that compiles quickly."""


@pytest.fixture
def listed(tmp_path):
    """The list that init-datasets writes of 40 labelled digits."""
    folder = tmp_path / "splits"
    assert cli.main(["init-datasets", "--dataset", "digits", "--labels", "40", "--dir-path", str(folder)]) == 0
    return folder / "train_labeled.npz"


def test_a_run_learns_from_the_listed_images_in_any_form(listed, tmp_path):
    with np.load(listed) as stored:
        (tmp_path / "list.txt").write_text("\n".join(map(str, stored["index"])))
    assert status(*SMALL, "--labelled-list", listed, "--out-dir", tmp_path / "a", model=MODEL) == 0
    found = summary(tmp_path / "a")
    assert found["splits"]["labelled"] == 40
    again = ("--config-path", tmp_path / "a" / "config.yaml", "--out-dir", tmp_path / "b")
    text = ("--labelled-list", tmp_path / "list.txt", "--labelled-list-sha256", "None")
    assert status(*again, *text, model=MODEL) == 0
    assert summary(tmp_path / "b")["test"] == found["test"]


def test_a_list_that_has_changed_is_refused(listed, tmp_path, capsys):
    path = tmp_path / "list.npy"
    with np.load(listed) as stored:
        np.save(path, stored["index"])
        fewer = stored["index"][1:]
    assert status(*SMALL, "--labelled-list", path, "--out-dir", tmp_path / "a", model=MODEL) == 0
    np.save(path, fewer)
    assert status("--config-path", tmp_path / "a" / "config.yaml", "--out-dir", tmp_path / "b", model=MODEL) == 2
    assert "has changed since the run was configured" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_a_list_is_not_swept_over_and_not_given_to_clusters(listed, tmp_path, capsys):
    flags = ("--preset", "smoke", "--dataset", "digits", "--labelled-list", str(listed))
    assert sweep.main([*flags, "--vary", "labels=10,20", "--out-dir", str(tmp_path / "s")]) == 2
    assert "labels varies, but labelled_list says which images are labelled" in capsys.readouterr().err
    argv = (*flags, "--num-clusters", "4", "--out-dir", tmp_path / "d")
    assert status(*argv, model="dim_reduction") == 2
    assert "labelled_list is given, but clusters are found without labels" in capsys.readouterr().err


@pytest.mark.slow
def test_ordinary_images_of_a_score_are_not_listed_ones(listed, tmp_path):
    assert status(*SMALL, "--labelled-list", listed, "--out-dir", tmp_path / "a") == 0
    model = load(tmp_path / "a" / "model")
    images = ordinary_images(model, DataFlags(model=str(tmp_path / "a")))
    with np.load(listed) as stored:
        known = {image.tobytes() for image in stored["x"]}
    assert len(images) == 135  # a tenth of the training images, as without a list
    assert not known & {image.tobytes() for image in images}
