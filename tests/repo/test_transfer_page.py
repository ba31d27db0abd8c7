"""The numbers of docs/transfer.md are those of the recorded run."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "transfer.md").read_text(encoding="utf-8")
ROWS = json.loads((ROOT / "results" / "transfer.json").read_text(encoding="utf-8"))["rows"]


def test_the_table_is_that_of_the_recorded_run() -> None:
    lines = re.findall(r"^\| (.*), (.*) \| (.* / .*) \| (.*) \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)
    assert len(lines) == len(ROWS) / 2
    for (features, classifier, *shown), ten, two in zip(lines, ROWS, ROWS[len(lines) :], strict=False):
        assert (classifier, classifier) == (ten["classifier"], two["classifier"])
        assert ten["features"] in features
        assert two["features"] in features
        numbers = [
            f"{100 * row['train'][name]:.1f} / {100 * row['test'][name]:.1f}"
            for row in (ten, two)
            for name in ("auroc", "accuracy")
        ]
        assert shown == numbers


def test_the_text_agrees_with_the_recorded_areas() -> None:
    areas = {(row["features"], row["classifier"]): row["test"]["auroc"] for row in ROWS[: len(ROWS) // 2]}
    ours = areas["codes", "LightGBM"]
    assert 0.82 < ours < areas["components", "LightGBM"] < areas["pixels", "LightGBM"] < areas["images", "CNN"]
    assert areas["codes", "linear"] > areas["components", "linear"]
    text = re.sub(r"\s+", " ", PAGE)
    for first, second in (
        (("codes", "linear"), ("components", "linear")),
        (("codes", "k-NN"), ("components", "k-NN")),
    ):
        assert f"{100 * areas[first]:.1f} and {100 * areas[second]:.1f} %" in text
    for key in (("codes", "LightGBM"), ("components", "LightGBM"), ("pixels", "LightGBM"), ("images", "CNN")):
        assert f"{100 * areas[key]:.1f} %" in text
