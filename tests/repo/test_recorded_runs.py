"""Files of recorded runs: nothing is lost, what runs share is written once, and a run is recorded once."""

import json
from pathlib import Path

import pytest

from reproduce import recorded_runs
from reproduce.recorded_runs import read_rows, record, write_rows

CONFIG = "labels: 100\nnetwork:\n  hidden:\n  - 500\n  - {last}\n  batch_norm: true\n"


def finished(folder: Path, seed: int, error: float, last: int = 500) -> Path:
    folder.mkdir()
    summary = {"seeds": [seed], "failed_seeds": {}, "validation_error": {"per_seed": [error], "std": None}}
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    (folder / "config.yaml").write_text(CONFIG.format(last=last), encoding="utf-8")
    return folder


def test_recorded_runs_come_back_whole_and_share_what_is_common(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    record(path, "narrow", finished(tmp_path / "a", 1, 0.2, last=250), "--last 250")
    record(path, "default", finished(tmp_path / "b", 0, 0.1))
    record(path, "narrow", finished(tmp_path / "c", 0, 0.3, last=250), "--last 250")
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["common"]["config"] == {"labels": 100, "network": {"batch_norm": True}}
    assert content["common"]["validation_error"] == {"std": None}
    narrow, default = read_rows(path)
    assert (narrow["row"], narrow["flags"], default["row"], default["flags"]) == (
        "narrow",
        "--last 250",
        "default",
        "",
    )
    assert [run["seeds"] for run in narrow["runs"]] == [[0], [1]]
    (run,) = default["runs"]
    assert run == {
        "seeds": [0],
        "failed_seeds": {},
        "validation_error": {"per_seed": [0.1], "std": None},
        "config": {"labels": 100, "network": {"hidden": [500, 500], "batch_norm": True}},
    }


def test_a_run_takes_the_place_of_the_one_with_its_seeds(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    for folder, seed, error in (("a", 0, 0.1), ("b", 1, 0.2), ("c", 0, 0.3)):
        record(path, "row", finished(tmp_path / folder, seed, error))
    (row,) = read_rows(path)
    assert [run["validation_error"]["per_seed"] for run in row["runs"]] == [[0.3], [0.2]]


def test_the_sentence_on_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_rows(path, "what is compared", [])
    record(path, "row", finished(tmp_path / "a", 0, 0.1))
    assert json.loads(path.read_text(encoding="utf-8"))["about"] == "what is compared"


def test_runs_are_recorded_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, run = tmp_path / "file.json", finished(tmp_path / "a", 0, 0.1)
    assert recorded_runs.main([str(path), "row", str(run)]) == 0
    assert [row["row"] for row in read_rows(path)] == ["row"]
    assert recorded_runs.main([str(path), "row"]) == 2
    assert "Give a file of results, the name of a row, and the folders of its runs." in capsys.readouterr().err
    assert recorded_runs.main([str(path), "row", str(tmp_path / "none")]) == 2
    assert "is not the folder of a finished run (summary.json is missing)" in capsys.readouterr().err
