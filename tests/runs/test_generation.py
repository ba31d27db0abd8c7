"""What a finished run reports of generated images and codes."""

import json
import shutil

import numpy as np
import pytest

from aae_jax.cli import main
from aae_jax.data import Quiet
from aae_jax.models.semi_supervised.experiment import SPEC
from aae_jax.models.shared import judging
from aae_jax.run import report
from aae_jax.run.arguments import parse
from aae_jax.run.setup import build_setup
from tests.runs.running import SMALL, status, summary, train, train_plain

JUDGED = ("--judge-updates", "150", "--epochs", "1")


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A run of a semi-supervised model with a judge, its cache, and what it printed."""
    folder = tmp_path_factory.mktemp("judged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AAE_CACHE_DIR", str(folder / "cache"))
        assert train(folder / "run", *JUDGED) == 0
    return folder


def test_the_summary_has_every_measure(judged):
    found = summary(judged / "run")["generation"]
    assert found["measured_on"] == "test"
    assert found["judge"]["updates"] == 150
    assert found["judge"]["accuracy"] > 0.8  # of real test images, after a second of training
    assert 0 < found["conditional_accuracy"]["mean"] < 0.7  # hardly trained
    groups = {
        "label_leakage": {"logistic_regression", "perceptron", "chance"},
        "codes_and_prior": {"two_sample_accuracy", "sliced_wasserstein"},
        "samples": {"frechet_distance", "precision", "recall"},
        "representation": {"linear", "neighbours", "auroc"},
    }
    for group, names in groups.items():
        assert set(found[group]) == names
        assert all(np.isfinite(result["mean"]) for result in found[group].values())
    assert found["codes_and_prior"]["two_sample_accuracy"]["mean"] > 0.55
    assert found["samples"]["frechet_distance"]["mean"] > 1


def test_the_doctor_names_generated_images_of_other_classes(judged, capsys):
    assert main(["doctor", str(judged / "run")]) == 0
    assert "generated images of other classes" in capsys.readouterr().out


@pytest.mark.parametrize(
    "damaged",
    ["{", "[1]", '{"generation": 3}', '{"generation": {"judge": [], "conditional_accuracy": {"per_seed": 1}}}'],
)
def test_the_doctor_takes_any_summary(judged, tmp_path, capsys, damaged):
    for name in ("config.yaml", "metrics.jsonl"):
        (tmp_path / name).write_bytes((judged / "run" / name).read_bytes())
    (tmp_path / "summary.json").write_text(damaged)
    assert main(["doctor", str(tmp_path)]) == 0
    assert "generated images" not in capsys.readouterr().out


def test_a_judge_is_read_from_the_cache_unless_it_is_damaged(judged, monkeypatch):
    monkeypatch.setenv("AAE_CACHE_DIR", str(judged / "cache"))
    (file,) = (judged / "cache" / "judges").iterdir()
    trainings = []
    original = judging.train_judge
    monkeypatch.setattr(judging, "train_judge", lambda *given: trainings.append(1) or original(*given))
    setup = build_setup(SPEC, parse(SPEC, [*SMALL, *JUDGED]).config, Quiet())
    logits = [np.asarray(judging.judge_of(setup)(setup.dataset.test_images).logits)]
    assert not trainings
    before = file.read_bytes()
    file.write_bytes(before[: len(before) // 2])
    logits += [np.asarray(judging.judge_of(setup)(setup.dataset.test_images).logits) for _ in range(2)]
    assert len(trainings) == 1
    assert file.read_bytes() == before
    np.testing.assert_array_equal(logits[1], logits[0])
    np.testing.assert_array_equal(logits[2], logits[0])


def test_a_fault_of_these_measures_does_not_cost_the_run(tmp_path, monkeypatch, capsys):
    def fail(*given):
        raise MemoryError("too large")

    monkeypatch.setattr(report, "measure_generation", fail)
    assert train_plain(tmp_path / "run", *JUDGED) == 0
    found = summary(tmp_path / "run")
    assert "generation" not in found
    assert found["test"]["reconstruction_error"]["mean"] > 0
    assert "what the model generates could not be measured (too large)" in capsys.readouterr().out


def test_a_run_resumes_with_another_judge(judged, tmp_path, capsys):
    """Earlier versions recorded none, and it has no effect on training."""
    folder = tmp_path / "run"
    shutil.copytree(judged / "run", folder)
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("judge_updates: 150\n", "judge_updates: 0\n"))
    (folder / "summary.json").unlink()
    assert status("--resume", folder) == 0
    found = summary(folder)
    assert "generation" not in found
    assert found["test"]["error"] == summary(judged / "run")["test"]["error"]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["unsupervised", "supervised", "label_regularized", "clustering", "dim_reduction"])
def test_other_models_have_the_measures_that_are_defined(model, tmp_path):
    small = ("--preset", "smoke", "--dataset", "digits", *JUDGED, "--no-test", "--out-dir", str(tmp_path / "run"))
    assert status(*small, model=model) == 0
    found = json.loads((tmp_path / "run" / "summary.json").read_text())["generation"]
    assert found["measured_on"] == "validation"
    of_class = model in ("supervised", "dim_reduction")
    assert ("conditional_accuracy" in found) == of_class
    assert ("label_leakage" in found) == of_class
    assert set(found) >= {"judge", "codes_and_prior", "samples", "representation"}
