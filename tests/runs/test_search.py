"""The search for settings: many trials in one program, scores as of runs, and bad input in one sentence."""

import sys

import jax
import numpy as np
import optuna
import pytest

import aae_jax
from aae_jax import InputError
from aae_jax.data import Quiet
from aae_jax.run.sweep.settings import Range
from aae_jax.train import fit
from aae_jax.tuning import search

OPTIONS = {"preset": "smoke", "labels": 100, "epochs": 1, "reporter": Quiet()}
SPACE = {"views.noise_std": (0.05, 0.5), "weights.consistency": (0.1, 10, "log")}


@pytest.fixture
def compiled(monkeypatch):
    """Return the epochs that are compiled from now on."""
    monkeypatch.setattr(fit, "_compiled", type(fit._compiled)())
    found, compile_one = [], jax.stages.Lowered.compile

    def counted(self, *args, **kwargs):
        if len(self.as_text()) > 10_000:  # not a probe of the compiler's options
            found.append(self)
        return compile_one(self, *args, **kwargs)

    monkeypatch.setattr(jax.stages.Lowered, "compile", counted)
    return found


@pytest.mark.parametrize(
    ("model", "score", "most"),
    [
        ("autoencoder", "validation_reconstruction_error", 1e-3),
        pytest.param("semi_supervised", "validation_error", 0.03, marks=pytest.mark.slow),
    ],
)
def test_trials_share_one_program_and_score_as_runs_do(model, score, most, compiled):
    labelled = model == "semi_supervised"
    space = SPACE if labelled else {"views.noise_std": (0.05, 0.5)}
    options = {name: value for name, value in OPTIONS.items() if labelled or name != "labels"}
    study = search(model, "digits", space, trials=5, at_once=2, **options)
    assert len(compiled) == 1
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 5
    for trial in study.trials:
        assert set(trial.params) == set(space)
        assert 0.05 <= trial.params["views.noise_std"] <= 0.5
    assert study.best_value == min(trial.value for trial in study.trials)
    worst = max(study.trials, key=lambda trial: trial.value)
    run = aae_jax.train(model, "digits", **options, **worst.params)
    assert run.history[-1][score][0] == pytest.approx(worst.value, abs=most)  # summed in another order
    again = search(model, "digits", space, trials=5, at_once=2, **options)
    assert [trial.params for trial in again.trials] == [trial.params for trial in study.trials]
    assert [trial.value for trial in again.trials] == [trial.value for trial in study.trials]


def test_a_score_is_the_mean_over_seeds_of_any_model():
    study = search(
        "unsupervised",
        "digits",
        {"weights.generator_z": [0.5]},
        trials=1,
        preset="smoke",
        epochs=1,
        num_seeds=2,
        reporter=Quiet(),
    )
    run = aae_jax.train(
        "unsupervised", "digits", preset="smoke", epochs=1, num_seeds=2, reporter=Quiet(), **study.best_params
    )
    expected = np.mean(run.history[-1]["validation_reconstruction_error"])
    assert study.best_value == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
def test_values_may_be_lists_texts_ranges_and_zero():
    space = {
        "weights.consistency": [0, 1.0],
        "views.noise_std": "0.1..0.2",
        "optimizers.generator.learning_rate": Range(1e-4, 1e-3, log=True),
        "labels": (50, 100),
    }
    options = {name: value for name, value in OPTIONS.items() if name != "labels"}
    study = search("semi_supervised", "digits", space, trials=4, **options)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 4
    assert {trial.params["weights.consistency"] for trial in study.trials} <= {0, 1.0}
    assert all(isinstance(trial.params["labels"], int) for trial in study.trials)


def test_a_study_is_continued_and_failures_are_told(tmp_path, monkeypatch):
    storage = f"sqlite:///{tmp_path}/study.db"
    study = optuna.create_study(storage=storage, study_name="mine")
    space = {"optimizers.reconstruction.learning_rate": [1e-3, 1e30]}
    search("autoencoder", "digits", space, trials=4, study=study, preset="smoke", epochs=1, reporter=Quiet())
    states = {trial.params["optimizers.reconstruction.learning_rate"]: trial.state.name for trial in study.trials}
    assert states.get(1e30, "FAIL") == "FAIL"
    assert states.get(1e-3, "COMPLETE") == "COMPLETE"
    again = optuna.load_study(storage=storage, study_name="mine")
    assert len(again.trials) == 4

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("aae_jax.tuning.try_settings", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search("autoencoder", "digits", space, trials=3, study=again, preset="smoke", epochs=1, reporter=Quiet())
    assert [trial.state.name for trial in again.trials[4:]] == ["FAIL"] * 3


class Lines(Quiet):
    """A reporter that keeps what it is told."""

    def __init__(self):
        self.lines = []

    def working(self, message):
        self.lines.append(message)


def test_an_enqueued_trial_out_of_range_fails_alone():
    study, reporter = optuna.create_study(), Lines()
    study.enqueue_trial({"views.noise_std": -1.0})
    options = {"preset": "smoke", "epochs": 1, "study": study, "reporter": reporter}
    with pytest.warns(UserWarning, match="out of range"):
        search("autoencoder", "digits", {"views.noise_std": (0.1, 0.3)}, trials=2, **options)
    assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE"]
    assert any("trial 0 failed: views.noise_std is -1" in line for line in reporter.lines)


def test_a_study_of_another_space_is_refused_and_leaves_no_trial_open():
    study = optuna.create_study()
    study.tell(study.ask({"views.noise_std": optuna.distributions.FloatDistribution(0.1, 0.2)}), 1.0)
    with pytest.raises(InputError, match="The study does not fit the space"):
        search("semi_supervised", "digits", {"views.noise_std": [0.1, 0.3]}, trials=2, study=study, **OPTIONS)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "FAIL"]


@pytest.mark.parametrize(
    ("space", "options", "words"),
    [
        (None, {}, "Nothing varies; give a space"),
        ({}, {}, "Nothing varies; give a space"),
        ({"epochs": (1, 2)}, {}, "'epochs' cannot be swept in one program"),
        ({"views.noise_sd": (0.1, 0.2)}, {}, "did you mean 'views.noise_std'"),
        ({"views.noise_std": (0.2, 0.1)}, {}, "is no range"),
        ({"views.noise_std": (0.1, 0.2, "lin")}, {}, r"give \(low, high\), \(low, high, 'log'\), or a list"),
        ({"views.noise_std": 0.1}, {}, "or a list of numbers"),
        ({"views.noise_std": [True]}, {}, "or a list of numbers"),
        ({"views.noise_std": ["much"]}, {}, "or a list of numbers"),
        ({"views.noise_std": (-1.0, 0.1)}, {}, "noise_std is -1"),
        ({"labels": (10, 5000)}, {}, "5000"),
        (SPACE, {"trials": 0}, "trials is 0; give a whole number from 1"),
        (SPACE, {"at_once": -1}, "at_once is -1; give a whole number from 1"),
        (SPACE, {"study": optuna.create_study(direction="maximize")}, "The study has the directions MAXIMIZE"),
        (SPACE, {"tensorboard": True}, "tensorboard is True, but the run has no folder"),
        (SPACE, {"nonsense": 1}, "nonsense"),
    ],
)
def test_searches_that_are_refused(space, options, words):
    with pytest.raises(InputError, match=words):
        search("semi_supervised", "digits", space, **{**OPTIONS, **options})


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match="Optuna is not installed; install the extra optuna"):
        aae_jax.search("semi_supervised", "digits", SPACE, **OPTIONS)
