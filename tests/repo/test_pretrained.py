"""The models that come with the library: they load, are small, and are what their record and docs/models.md say."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import aae_jax
from aae_jax.cli import main as command
from aae_jax.saved.storage import PRETRAINED_FOLDER
from reproduce.pretrained import HIDDEN, RECORD, ROWS
from reproduce.pretrained import main as reproduce

NAMES = [row.name for row in ROWS]
RECORDED = json.loads(RECORD.read_text(encoding="utf-8"))
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
MAX_BYTES = 8 * 10**6


def test_there_are_as_many_as_are_recorded():
    assert [path.name for path in sorted(PRETRAINED_FOLDER.iterdir())] == sorted(NAMES)
    assert list(RECORDED) == NAMES
    assert len(NAMES) == 8


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_a_model_is_small_and_generates(row, tmp_path):
    folder = PRETRAINED_FOLDER / row.name
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors", "README.md"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < MAX_BYTES
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert (config["weights"], config["format_version"]) == ("float16", 7)
    model = aae_jax.load(f"pretrained:{row.name}")
    assert (model.experiment, model.image_shape) == (row.experiment, (28, 28))
    assert model.data["sha256"] == RECORDED[row.name]["data_sha256"]
    images = np.asarray(model.sample(6, seed=1))
    assert images.shape == (6, 28, 28)
    assert images.std() > 0.1
    assert command(["generate", f"pretrained:{row.name}", "--count", "2", "--out", str(tmp_path / "x.npz")]) == 0
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert RECORDED[row.name]["data_sha256"] in card
    assert not re.search(r"(^|[\s`'])(/|\.\./)\w", card, flags=re.MULTILINE), "no path of a machine"


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_rounding_costs_nothing_and_the_record_is_of_these_settings(row):
    record = RECORDED[row.name]
    assert record["flags"] == [*row.flags, *HIDDEN]
    wide, narrow = record["float32"], record["float16"]
    assert abs(narrow["reconstruction_error"] - wide["reconstruction_error"]) < 2e-5
    assert narrow.get("error", 0) - wide.get("error", 0) <= 2e-4
    assert narrow.get("same_class", 1) >= 0.999


def test_the_page_lists_them_with_what_is_recorded():
    rows = dict(re.findall(r"^\| `pretrained:([a-z-]+)` \| (.*) \|$", PAGE, flags=re.MULTILINE))
    assert list(rows) == NAMES
    for row in ROWS:
        shows, error, conditional = rows[row.name].split(" | ")
        record = RECORDED[row.name]
        assert shows == row.shows
        measured = {key: value for key, value in record["test"].items() if key.endswith("error")}
        name = next((key for key in measured if key != "reconstruction_error"), "reconstruction_error")
        shown = f"{measured[name]:.3f}" if name == "reconstruction_error" else f"{100 * measured[name]:.2f} %"
        assert error == f"{name.replace('_', ' ')} {shown}"
        expected = record["conditional_accuracy"]
        assert conditional == ("–" if expected is None else f"{100 * expected:.1f} %")


def test_an_unknown_model_is_refused_with_the_names(capsys):
    assert command(["generate", "pretrained:nothing"]) == 2
    assert "There is no model 'pretrained:nothing'" in capsys.readouterr().err


def test_a_row_that_is_unknown_is_refused(tmp_path):
    with pytest.raises(aae_jax.InputError, match="There is no row 'nothing'"):
        reproduce(["--runs", str(tmp_path), "--rows", "nothing"])
