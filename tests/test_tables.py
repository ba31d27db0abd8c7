"""The tables of pages, made from small files: what a row says, and in which order rows stand."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

import few_labels_tables


def write_row(folder: Path, name: str, **changed: object) -> None:
    row = {
        "row": name,
        "data": {"name": "mnist"},
        "tested": True,
        "precision": "bfloat16",
        "recipe": "best",
        "shifts": False,
        "labels": 100,
        "splits": {"labelled": 100},
        "seeds": [0, 1],
        "updates": 25_000,
        "device": "cpu (cpu)",
        "baseline": {"test_error": {"per_seed": [0.2, 0.22]}},
        "validation_error": {"per_seed": [0.03, 0.03]},
        "test_error": {"per_seed": [0.02, 0.03]},
        **changed,
    }
    (folder / f"{name}.json").write_text(json.dumps(row), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(few_labels_tables, "FOLDER", tmp_path)
    return tmp_path


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_has_errors_of_its_seeds_beside_the_papers_and_its_goal(folder: Path) -> None:
    write_row(folder, "best-100")
    titles, _, line = few_labels_tables.few_labels_table().splitlines()
    row = dict(zip(cells(titles), cells(line), strict=True))
    assert row["**test, %**"] == "**2.50 ± 0.71**"
    assert row["validation, %"] == "3.00 ± 0.00"
    assert row["supervised, %"] == "21.00 ± 1.41"
    assert row["where, precision, updates"] == "CPU, bfloat16, 25,000"
    assert (row["labels"], row["settings"], row["subsets"]) == ("100", "ours", "2")
    assert (row["paper†, %"], row["goal, %"]) == ("1.90 ± 0.10", "≤ 1.5")


def test_rows_stand_by_shifts_then_labels_then_recipe(folder: Path) -> None:
    write_row(folder, "a", shifts=True)
    write_row(folder, "b", labels="all", splits={"labelled": 50_000})
    write_row(folder, "c", recipe="faithful")
    write_row(folder, "d", device="NVIDIA H200 (gpu)")
    rows = [cells(line) for line in few_labels_tables.few_labels_table().splitlines()[2:]]
    assert [(row[0], row[1]) for row in rows] == [
        ("100", "the paper's"),
        ("100", "ours"),
        ("all", "ours"),
        ("100", "ours, shifts"),
    ]
    assert rows[1][2] == "NVIDIA H200, bfloat16, 25,000"
    assert rows[0][-1] == ""
    assert rows[3][-1] == "≤ 1.2"


def test_a_failed_seed_is_left_out_and_no_row_is_no_error(folder: Path) -> None:
    assert len(few_labels_tables.few_labels_table().splitlines()) == 2
    write_row(folder, "a", test_error={"per_seed": [0.02, None]})
    assert "| 1 of 2 |" in few_labels_tables.few_labels_table()
    assert "**2.00**" in few_labels_tables.few_labels_table()


@pytest.mark.parametrize("changed", [{"data": {"name": "digits"}}, {"tested": False}])
def test_rows_of_other_images_are_refused(folder: Path, changed: dict[str, object]) -> None:
    write_row(folder, "best-100", **changed)
    with pytest.raises(SystemExit, match=r"the row best-100 .* is not of MNIST's test images"):
        few_labels_tables.few_labels_table()
