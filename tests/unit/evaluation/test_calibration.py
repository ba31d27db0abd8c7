"""Calibration by hand, and against scikit-learn."""

import json

import numpy as np
import pytest
from sklearn.metrics import log_loss

from aae_jax.evaluation import (
    calibration_error,
    cross_entropy,
    describe_calibration,
    fit_temperature,
    probabilities,
    reliability,
)
from aae_jax.figures import reliability_diagram

RNG = np.random.default_rng(0)


def drawn(count: int = 20_000, classes: int = 5, temperature: float = 1.0):
    """Logits, and labels drawn from the probabilities that they have at a temperature."""
    logits = 3.0 * RNG.normal(size=(count, classes))
    chances = probabilities(logits, temperature).cumsum(axis=1)
    return logits, np.minimum((RNG.random((count, 1)) > chances).sum(axis=1), classes - 1)


def test_reliability_by_hand():
    # Sure by 0.9 three times (two right), by 0.6 once (wrong).
    chances = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.6, 0.4]])
    found = reliability(np.log(chances), [0, 0, 0, 1], bins=5)
    assert found.counts.tolist() == [0, 0, 1, 0, 3]
    np.testing.assert_allclose(found.confidence, [np.nan, np.nan, 0.6, np.nan, 0.9])
    np.testing.assert_allclose(found.accuracy, [np.nan, np.nan, 0.0, np.nan, 2 / 3])
    assert calibration_error(found) == pytest.approx(0.25 * 0.6 + 0.75 * (0.9 - 2 / 3))


def test_certainty_of_exactly_one_has_a_bin():
    found = reliability(np.array([[1000.0, 0.0], [-1000.0, 0.0]]), [0, 1])
    assert found.counts[-1] == 2
    assert calibration_error(found) == 0.0


def test_rows_that_are_not_finite_give_no_answer():
    logits = np.array([[2.0, 0.0], [np.nan, 0.0], [0.0, np.inf]])
    found = reliability(logits, [0, 0, 1])
    assert found.counts.sum() == 1
    assert np.isnan(calibration_error(reliability(logits[1:], [0, 1]))), "no answer is not a calibrated one"


def test_cross_entropy_is_that_of_scikit_learn_and_does_not_overflow():
    logits, labels = drawn(500)
    expected = log_loss(labels, probabilities(logits, 2.0))
    assert cross_entropy(logits, labels, 2.0) == pytest.approx(expected, rel=1e-9)
    assert cross_entropy([[10_000.0, 0.0]], [1]) == 10_000.0


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_of_which_labels_were_drawn_is_found(temperature):
    logits, labels = drawn(temperature=temperature)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(temperature, rel=0.05)
    nearby = [cross_entropy(logits, labels, found * factor) for factor in (0.98, 1.0, 1.02)]
    assert nearby[1] == min(nearby)
    assert calibration_error(reliability(logits, labels, temperature=found)) < 0.015


def test_a_temperature_changes_no_answer_and_stays_in_bounds():
    logits, labels = drawn(300)
    assert (probabilities(logits, 7.0).argmax(axis=1) == logits.argmax(axis=1)).all()
    assert fit_temperature(logits, logits.argmax(axis=1)) == 1.0, "all right: nothing to learn from"
    assert fit_temperature(logits, logits.argmin(axis=1)) == pytest.approx(20, rel=1e-2)  # all wrong
    assert np.isfinite(fit_temperature(1e4 * logits, labels))


def test_a_report_of_calibration_is_json():
    logits, labels = drawn(1000, temperature=2.0)
    found = json.loads(json.dumps(describe_calibration(logits, labels, 2.0), allow_nan=False))
    assert found["calibrated"]["expected_calibration_error"] < found["expected_calibration_error"]
    assert found["calibrated"]["cross_entropy"] < found["cross_entropy"]
    assert sum(one["images"] for one in found["bins"]) == 1000
    assert describe_calibration(logits, labels, None)["calibrated"] is None


def test_the_diagram_shows_each_reliability_and_its_error():
    logits, labels = drawn(1000, temperature=2.0)
    found = {"as trained": reliability(logits, labels), "mended": reliability(logits, labels, temperature=2.0)}
    upper, lower = reliability_diagram(found).axes
    shown = [line for line in upper.lines if str(line.get_label()).startswith(("as", "mended"))]
    for line, own in zip(shown, found.values(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), own.confidence[own.counts > 0])
        np.testing.assert_array_equal(line.get_ydata(), own.accuracy[own.counts > 0])
        assert f"{100 * calibration_error(own):.2f} %" in line.get_label()
    assert [bar.get_height() for bar in lower.patches] == [*found["as trained"].counts, *found["mended"].counts]
    with pytest.raises(ValueError, match="at least one"):
        reliability_diagram({})
