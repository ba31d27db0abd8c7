"""What a finished run reports of generated images and codes."""

import dataclasses
import shutil

import numpy as np
import pytest

from aae_jax.cli import main
from aae_jax.data import Quiet, load_digits
from aae_jax.models.semi_supervised.experiment import SPEC
from aae_jax.models.shared import generation, judging
from aae_jax.models.spec import Trained
from aae_jax.run.arguments import parse
from aae_jax.run.setup import build_setup, settle
from aae_jax.saved.storage import load
from tests.runs.running import SMALL, status, summary, train

JUDGED = ("--judge-updates", "150", "--epochs", "1", "--baseline-share", "0")
OF_THE_DEFAULT = (
    *("--conditional", "--weights.style-mmd", "30", "--weights.generated-label", "1"),
    *("--views.style-of", "clean", "--optimizers.encoder-share", "0.1"),
)
"""What the preset `default` has and `smoke` has not."""


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
    monkeypatch.setattr(
        judging, "train_judge", lambda *given, **more: trainings.append(1) or original(*given, **more)
    )
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


def test_a_long_training_of_the_judge_says_how_far_it_is(monkeypatch):
    lines, clock = [], iter([0.0, 20.0, 21.0, 60.0, 100.0])
    monkeypatch.setattr(judging.time, "monotonic", lambda: next(clock))
    progress = judging.progress_lines(2000, lines.append)
    for finished in (500, 1000, 1500, 2000):
        progress(finished)
    assert lines == ["  500 of 2000 updates, 1:00 left", "  1500 of 2000 updates, 0:20 left"]


def trained_of(judged, *flags):
    """Return the setup of the judged run, with other flags, and its model as the result of a training."""
    setup = build_setup(SPEC, parse(SPEC, [*SMALL, *JUDGED, *flags]).config, Quiet())
    model = load(judged / "run")
    return setup, Trained(model.params, model.stats, model.params, model.stats, (True,), (model,))


def test_a_measure_that_fails_does_not_cost_the_others(judged, monkeypatch):
    monkeypatch.setenv("AAE_CACHE_DIR", str(judged / "cache"))

    def fail(*given):
        raise MemoryError("too large\nindeed")

    monkeypatch.setattr(generation, "two_sample_accuracy", fail)
    notices = []
    setup, trained = trained_of(judged)
    found = generation.measure_generation(setup, trained, lambda line: None, notices.append)["generation"]
    assert notices == ["codes and prior could not be measured (MemoryError: too large)."]
    expected = summary(judged / "run")["generation"]
    assert found == {name: value for name, value in expected.items() if name != "codes_and_prior"}


def test_a_failed_seed_has_no_measures(judged, monkeypatch):
    monkeypatch.setenv("AAE_CACHE_DIR", str(judged / "cache"))
    setup, trained = trained_of(judged, "--num-seeds", "2")
    trained = trained._replace(survivors=(False, True))
    found = generation.measure_generation(setup, trained, lambda line: None, print)["generation"]
    accuracies = found["conditional_accuracy"]["per_seed"]
    assert accuracies[0] is None
    assert accuracies[1] > 0


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


@pytest.mark.parametrize(("updates", "expected"), [("", 1_980), ("0", 0), ("7", 7)])
def test_a_judge_is_trained_for_passes_over_the_training_images(updates, expected, monkeypatch):
    monkeypatch.setattr("aae_jax.config.run.MIN_JUDGE_UPDATES", 100)
    monkeypatch.setattr("aae_jax.config.run.MAX_JUDGE_UPDATES", 1_980)
    config = dataclasses.replace(parse(SPEC, [*SMALL]).config, judge_updates=int(updates) if updates else None)
    data = load_digits()
    many = dataclasses.replace(data, train_images=np.repeat(data.train_images, 10, axis=0))
    assert settle(SPEC, config, many, data.train_images).judge_updates == expected


EVERYTHING = {"judge", "codes_and_prior", "samples", "representation"}
OF_CLASS = {"conditional_accuracy", "label_leakage"}
DEFINED = {
    "autoencoder": {"representation"},
    "unsupervised": EVERYTHING,
    "likelihood": EVERYTHING,
    "label_regularized": EVERYTHING,
    "supervised": {*EVERYTHING, "conditional_accuracy"},
    "dim_reduction": {*EVERYTHING, *OF_CLASS},
    "clustering": EVERYTHING,
}


@pytest.mark.slow
@pytest.mark.parametrize("model", DEFINED)
def test_other_models_have_the_measures_that_are_defined(model, tmp_path, capsys):
    small = ("--preset", "smoke", "--dataset", "digits", *JUDGED, "--no-test", "--out-dir", str(tmp_path / "run"))
    assert status(*small, model=model) == 0
    found = summary(tmp_path / "run")["generation"]
    assert found.pop("measured_on") == "validation"
    assert set(found) == DEFINED[model]
    assert "could not be measured" not in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [("--network.output", "tanh"), ("--network.posterior", "universal"), OF_THE_DEFAULT],
    ids=lambda one: one[0],
)
def test_other_networks_have_them_too(flags, tmp_path):
    assert train(tmp_path / "run", *JUDGED, *flags) == 0
    assert summary(tmp_path / "run")["generation"]["judge"]["accuracy"] > 0.8
