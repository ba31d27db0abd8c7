"""`--no-test`: a run for choosing settings, which never looks at the test images or their labels."""

import contextlib
import copy

import pytest

from aae_jax.run import setup as problem
from tests.runs.running import drawing, rows, summary, train

FIGURES = ("learning_curves", "validation_error", "reconstructions", "style_class_grid", "code_histograms")


class Sealed:
    """Stands for an array that may be counted, and nothing else."""

    def __init__(self, array):
        self.count = len(array)

    def __len__(self):
        return self.count

    def __getattr__(self, name):
        raise AssertionError(f"the test set was looked at: {name}")

    def __getitem__(self, index):
        raise AssertionError(f"the test set was looked at: {index}")


@pytest.fixture
def sealed_test_set(monkeypatch):
    load = problem.load_dataset

    def load_sealed(*args, **settings):
        dataset = copy.copy(load(*args, **settings))
        for name in ("test_images", "test_labels"):
            object.__setattr__(dataset, name, Sealed(getattr(dataset, name)))
        return dataset

    monkeypatch.setattr(problem, "load_dataset", load_sealed)


@pytest.mark.slow
def test_the_seal_breaks_under_an_ordinary_run(sealed_test_set, tmp_path):
    with pytest.raises(AssertionError, match="looked at"):
        train(tmp_path / "run")


@pytest.mark.parametrize("figures", [(), pytest.param(FIGURES, marks=pytest.mark.slow)], ids=["numbers", "figures"])
def test_no_test_measures_on_validation_images_alone(figures, sealed_test_set, finished, tmp_path, capsys):
    with drawing() if figures else contextlib.nullcontext():
        assert train(tmp_path / "run", "--no-test") == 0
    found = summary(tmp_path / "run")
    assert not found["tested"]
    assert found["calibration"]["measured_on"] == "validation"
    assert found["test"] is found["baseline"]["test"] is found["best_by_validation"]["test"] is None
    assert found["validation"]["error"] == summary(finished)["validation"]["error"]
    assert found["baseline"]["validation"]["error"] == summary(finished)["baseline"]["validation"]["error"]
    assert rows(tmp_path / "run") == rows(finished)
    assert all((tmp_path / "run" / "figures" / f"{name}.png").stat().st_size > 1000 for name in figures)
    said = capsys.readouterr().out
    assert "the test images were not evaluated" in said
    assert "test error" not in said


def test_an_ordinary_run_says_that_it_was_tested(finished):
    assert summary(finished)["tested"]
