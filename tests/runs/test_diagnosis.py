"""What the doctor says of metrics: each trouble by its numbers, and nothing of a healthy run."""

import json
import math

import pytest

from aae_jax import cli
from aae_jax.evaluation.diagnosis import STUCK, diagnose
from tests.runs.running import train_plain

HEALTHY = {
    "reconstruction/loss": 20.0,
    "reconstruction/error": 20.0,
    "discriminator_z/accuracy": 0.55,
    "discriminator_y/accuracy": 0.6,
    "generator/z": 0.72,
    "generator/y": 1.1,
    "validation_code_mmd": 0.001,
    "validation_code_mean_gap/z1": 0.05,
    "validation_code_mean_gap/z2": -0.1,
    "validation_code_std_ratio/z1": 0.95,
    "validation_code_std_ratio/z2": 1.05,
    "validation_labels_used": 10.0,
    "validation_label_entropy": 0.1,
}


def rows(count=12, **late):
    """Return a run whose reconstruction settles; `late` holds from the second half on."""
    made = []
    for i in range(count):
        row = {**HEALTHY, **(late if i >= count // 2 else {})}
        if i < count // 2 or "reconstruction/error" not in late:
            row["reconstruction/error"] = 20.0 + 30.0 * math.exp(-i)
        made.append({"epoch": i, "update": 100 * (i + 1), **{name: [value] for name, value in row.items()}})
    return made


def named(**late):
    return [finding.name for finding in diagnose(rows(**late), classes=10)]


def test_a_healthy_run_has_nothing():
    assert named() == []
    assert diagnose(rows()) == []


def std(ratio):
    return {f"validation_code_std_ratio/z{i}": ratio for i in (1, 2)}


@pytest.mark.parametrize(
    ("late", "names"),
    [
        ({"discriminator_z/accuracy": 0.8, "generator/z": 1.5}, ["discriminator too strong"]),
        ({"discriminator_z/accuracy": 0.8, "generator/z": 1.5, **std(0.5)}, ["discriminator too strong"]),
        (std(0.02), ["collapsed codes"]),
        (std(0.4), ["codes narrower than the prior"]),
        ({**std(0.4), "reconstruction/error": 60.0}, ["prior too wide", STUCK]),
        (std(2.0), ["codes wider than the prior"]),
        ({"validation_code_mean_gap/z2": -0.5}, ["codes off the prior's centre"]),
        ({"validation_code_mmd": 0.1}, ["codes shaped unlike the prior"]),
        ({"validation_labels_used": 5.0}, ["unused classes"]),
        ({"validation_label_entropy": 2.0}, ["undecided labels"]),
        ({"reconstruction/error": 60.0}, [STUCK]),
    ],
)
def test_each_trouble_is_named(late, names):
    assert named(**late) == names


def test_a_strong_adversary_that_the_encoder_withstands_is_none():
    assert named(**{"discriminator_z/accuracy": 0.97, "generator/z": 0.8}) == []


def test_a_run_that_is_cut_short_is_told_to_go_on():
    made = rows()
    for i, row in enumerate(made):
        row["reconstruction/error"] = [50.0 * 0.9**i]
    assert [finding.name for finding in diagnose(made)] == ["unfinished training"]


def test_a_failed_seed_is_told_by_its_last_finite_update():
    made = rows()
    for row in made[7:]:
        row["reconstruction/loss"] = [None]
    (finding,) = diagnose(made)
    assert finding.name == "not finite"
    assert "after update 700" in finding.seen


def test_the_command_reads_a_runs_folder(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text("num_clusters: 30\n")
    text = "".join(json.dumps(row) + "\n" for row in rows())
    (tmp_path / "metrics.jsonl").write_text(text)
    assert cli.main(["doctor", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "unused classes: only 10 of 30" in said
    (tmp_path / "config.yaml").write_text("labels: 100\n")
    assert cli.main(["doctor", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("healthy: ")


def test_a_run_that_is_not_evaluated_yet_is_waited_for(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text("labels: 100\n")
    assert cli.main(["doctor", str(tmp_path)]) == 2
    assert "wait for an evaluation" in capsys.readouterr().err


def test_a_run_that_diverged_leaves_what_the_doctor_sees(tmp_path, capsys):
    assert train_plain(tmp_path / "run", "--optimizers.reconstruction.learning-rate", "1e30") == 1
    capsys.readouterr()
    assert cli.main(["doctor", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out.startswith("not finite: ")


def test_seeds_are_called_by_their_numbers(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text("seed: 5\n")
    two = [{name: value * 2 if isinstance(value, list) else value for name, value in row.items()} for row in rows()]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in two))
    assert cli.main(["doctor", str(tmp_path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said[:2]] == ["seed 5", "seed 6"]
