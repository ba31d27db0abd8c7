"""Runs on classes of unequal frequency: announced, taken into account, reported, and the same on resume."""

import json
import re
import signal

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

from aae_jax import cli
from aae_jax.data import load_npz
from aae_jax.models.semi_supervised.experiment import SPEC
from aae_jax.models.shared.class_frequencies import assumed_frequencies, build_class_measures, class_shares
from aae_jax.run.arguments import parse
from aae_jax.run.run import main as run_model
from aae_jax.run.sweep import command as sweep
from tests.runs.conftest import interrupt_after
from tests.runs.running import evidence, rows, status, summary

FLAGS = (
    *("--preset", "smoke", "--labels", "20", "--epochs", "3", "--checkpoint-seconds", "0"),
    *("--network.precision", "float32"),
)


@pytest.fixture(scope="module")
def data_file(tmp_path_factory):
    digits = load_digits()
    path = tmp_path_factory.mktemp("own") / "own.npz"
    np.savez(path, x=(digits.images * 15.9375).astype(np.uint8), y=np.where(digits.target == 8, "ei$ght", "rest"))
    return path


@pytest.fixture(scope="module")
def unequal(tmp_path_factory, figures_on_demand, data_file):
    folder = tmp_path_factory.mktemp("unequal") / "run"
    assert status(*FLAGS, "--dataset", f"npz:{data_file}", "--out-dir", folder) == 0
    return folder


@pytest.mark.slow
def test_a_run_says_so_before_it_compiles(data_file, tmp_path, capsys):
    assert status(*FLAGS, "--dataset", f"npz:{data_file}", "--out-dir", tmp_path / "run", "--no-test") == 0
    before, after = capsys.readouterr().out.split("compiling", 1)
    (notice,) = [line for line in before.splitlines() if "not equally frequent" in line]
    assert "90 % of 135 validation images are 'rest', 10 % 'ei$ght'" in notice
    assert "wrong for 10.4 %" in notice
    assert "assumed of the pool" in notice
    assert re.search(r"always the most frequent class: 10\.37 %; mean error of a class \d", after)


@pytest.mark.slow
def test_equal_frequencies_can_be_asked_for(data_file, tmp_path, capsys):
    flags = (*FLAGS, "--class-prior", "uniform", "--epochs", "1", "--no-test")
    assert status(*flags, "--dataset", f"npz:{data_file}", "--out-dir", tmp_path / "run") == 0
    assert "give --class-prior auto" in capsys.readouterr().out
    assert summary(tmp_path / "run")["classes"]["assumed"] is None


def test_the_summary_has_frequencies_and_what_one_constant_answer_costs(unequal):
    found = summary(unequal)
    classes = found["classes"]
    assert classes["unequal"]
    assert classes["counts"] == {"validation": [14, 121], "test": [44, 406]}
    assert classes["assumed"] == pytest.approx([14.5 / 136, 121.5 / 136])
    assert classes["majority_error"] == pytest.approx({"validation": 14 / 135, "test": 44 / 450})
    baseline = {kind: found["baseline"][kind]["balanced_error"] for kind in ("validation", "test")}
    for balanced in (classes["balanced_error"], baseline):
        assert {kind: len(each["per_seed"]) for kind, each in balanced.items()} == {"validation": 1, "test": 1}
        assert 0 <= balanced["test"]["mean"] <= 1
    assert found["validation"]["majority_error"]["per_seed"] == [14 / 135]
    assert rows(unequal)[-1]["validation_majority_error"] == [14 / 135]


def test_balanced_data_train_and_report_as_before(finished):
    assert not summary(finished)["classes"]["unequal"]
    assert "validation_majority_error" not in rows(finished)[0]
    assert (finished / "config.yaml").read_text().count("class_prior: auto") == 1


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_bits(unequal, data_file, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 1, signal.SIGTERM)
        flags = (*FLAGS, "--dataset", f"npz:{data_file}", "--out-dir", tmp_path / "run")
        assert status(*flags) == 128 + signal.SIGTERM
    assert status("--resume", tmp_path / "run") == 0
    assert evidence(tmp_path / "run") == evidence(unequal)


def test_an_older_configuration_assumes_equal_classes_as_it_did(unequal, tmp_path):
    lines = (unequal / "config.yaml").read_text().splitlines(keepends=True)
    (tmp_path / "old.yaml").write_text("".join(line for line in lines if not line.startswith("class_prior")))
    assert parse(SPEC, ["--config-path", str(tmp_path / "old.yaml")]).config.class_prior == "uniform"
    assert parse(SPEC, []).config.class_prior == "auto"


@pytest.mark.slow
def test_given_frequencies_are_used(data_file, tmp_path, capsys):
    flags = (*FLAGS, "--epochs", "1", "--no-test", "--dataset", f"npz:{data_file}")
    assert status(*flags, "--class-prior", "0.25", "0.75", "--out-dir", tmp_path / "run") == 0
    assert summary(tmp_path / "run")["classes"]["assumed"] == [0.25, 0.75]
    assert "The frequencies given are assumed" in capsys.readouterr().out
    assert status(*flags, "--class-prior", "0.2", "0.3", "0.5", "--out-dir", tmp_path / "other") == 2
    assert "has 3 frequencies for 2 classes; give one per class" in capsys.readouterr().err


@pytest.mark.slow
def test_a_sweep_says_so_and_its_members_train_as_runs_do(unequal, data_file, tmp_path, capsys):
    flags = (*FLAGS, "--dataset", f"npz:{data_file}", "--out-dir", str(tmp_path / "sweep"))
    assert sweep.main([*flags, "--vary", "weights.generator_z=1,0.5"]) == 0
    assert capsys.readouterr().out.count("not equally frequent") == 1
    (first, _) = json.loads((tmp_path / "sweep" / "summary.json").read_text())["members"]
    assert first["validation_error"] == rows(unequal)[-1]["validation_error"][0]


@pytest.mark.slow
def test_heads_of_unequal_classes_are_judged_alike(data_file, tmp_path, capsys):
    flags = [
        *FLAGS,
        "--dataset",
        f"npz:{data_file}",
        "--out-dir",
        str(tmp_path / "run"),
        "--weights.propagation",
        "0",
    ]
    assert run_model("dim_reduction", flags) == 0
    assert "always the most frequent class: 9.78 %" in capsys.readouterr().out
    found = summary(tmp_path / "run")
    assert found["test"]["majority_error"]["mean"] == pytest.approx(44 / 450)
    assert found["classes"]["assumed"] is not None


def test_evaluate_says_what_one_constant_answer_costs(unequal, data_file, tmp_path, capsys):
    out = tmp_path / "found.json"
    assert cli.main(["evaluate", str(unequal), "--dataset", f"npz:{data_file}", "--out", str(out)]) == 0
    assert "majority class 9.78 % error if always predicted; mean error per class" in capsys.readouterr().out
    found = json.loads(out.read_text())
    counts = np.asarray(found["confusion"])
    assert found["balanced_error"] == pytest.approx(np.mean(1 - np.diag(counts) / counts.sum(axis=1)))
    assert found["majority_error"] == pytest.approx(44 / 450)


@pytest.mark.parametrize(("error", "healthy"), [(0.05, True), (14 / 135, False), (0.3, False)])
def test_the_doctor_compares_with_one_constant_answer(error, healthy, unequal, tmp_path, capsys):
    changed = [{**row, "validation_error": [error]} for row in rows(unequal)]
    (tmp_path / "config.yaml").write_bytes((unequal / "config.yaml").read_bytes())
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in changed))
    assert cli.main(["doctor", str(tmp_path)]) == 0
    assert ("above that of the most frequent class" not in capsys.readouterr().out) is healthy


def test_measures_of_classes():
    measure = build_class_measures(2, np.repeat([0, 1], [14, 121]))
    logits = jnp.asarray([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [jnp.nan, 1.0]])
    found = measure(logits, jnp.asarray([0, 1, 1, 1]))
    assert float(found["balanced_error"]) == pytest.approx((0 + 2 / 3) / 2)
    assert float(found["majority_error"]) == pytest.approx(1 / 4)
    assert build_class_measures(2, np.repeat([0, 1], 70))(logits, jnp.zeros(4, int)) == {}


@pytest.mark.slow
def test_all_labels_tell_more_of_their_frequencies_than_some(data_file):
    dataset = load_npz(data_file)
    held_out = dataset.train_labels[:135]
    few, every = (parse(SPEC, ["--labels", number]).config for number in ("20", "all"))
    assert assumed_frequencies(few, dataset, held_out)[0] == pytest.approx((np.sum(held_out == 0) + 0.5) / 136)
    known = np.sum(dataset.train_labels == 0) + 0.5
    assert assumed_frequencies(every, dataset, held_out)[0] == pytest.approx(known / (len(dataset.train_labels) + 1))


def test_shares_of_labels_leave_out_padding_and_are_above_zero():
    pool = np.asarray([0.2, 0.8])
    labels = np.asarray([[0, 0, 0, 1], [1, 1, 0, 0]], np.int32)
    shares = class_shares([pool, pool], labels, np.asarray([4, 2]))
    np.testing.assert_allclose(shares.pool, [pool, pool])
    np.testing.assert_allclose(shares.labelled, [[0.75, 0.25], [0.5 / 3, 2.5 / 3]])
    assert class_shares([None, None], labels, None) is None
