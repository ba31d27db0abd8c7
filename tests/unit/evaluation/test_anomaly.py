"""Anomaly scores: what is expected of ordinary images, and the area under the ROC curve."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from aae_jax.errors import InputError
from aae_jax.evaluation.anomaly import auroc, excess_error, fit_expected

GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize("digits", [3, 0])
def test_the_area_is_scikit_learns(digits):
    marked = GENERATOR.random(300) < 0.2
    scores = np.round(GENERATOR.normal(size=300) + marked, digits)  # with ties
    assert auroc(scores, marked) == pytest.approx(roc_auc_score(marked, scores))


def test_the_area_of_perfect_and_of_useless_scores():
    marked = np.asarray([False, False, True])
    assert auroc(np.asarray([0.0, 1.0, 2.0]), marked) == 1.0
    assert auroc(np.asarray([2.0, 1.0, 0.0]), marked) == 0.0
    assert auroc(np.zeros(3), marked) == 0.5


@pytest.mark.parametrize("marked", [[True, True], [False, False]])
def test_an_area_needs_both_kinds(marked):
    with pytest.raises(InputError, match="needs anomalies and ordinary images"):
        auroc(np.zeros(2), np.asarray(marked))


def test_brightness_and_code_explain_away_their_share_of_the_error():
    """Errors that grow with brightness and with one coordinate of the code are no anomalies."""
    brightness, codes = GENERATOR.uniform(0.05, 0.3, 2000), GENERATOR.normal(size=(2000, 3))
    noise = 0.1 * GENERATOR.normal(size=2000)
    errors = np.exp(noise - 4) * brightness**1.5 * np.exp(0.3 * codes[:, 0] ** 2)
    expected = fit_expected(errors[:1000], brightness[:1000], codes[:1000])
    assert expected.spread == pytest.approx(0.1, rel=0.25)
    residuals = excess_error(expected, errors[1000:], brightness[1000:], codes[1000:])
    assert abs(residuals.mean()) < 0.2
    assert residuals.std() == pytest.approx(1, abs=0.2)
    worse = excess_error(expected, 2 * errors[1000:], brightness[1000:], codes[1000:])
    np.testing.assert_allclose(worse - residuals, np.log(2) / expected.spread, rtol=0.01)


def test_few_images_are_not_enough():
    with pytest.raises(InputError, match="There are 19 reference images; give at least 20"):
        fit_expected(np.ones(19), np.ones(19), np.ones((19, 2)))


def test_black_images_have_a_finite_score():
    codes = GENERATOR.normal(size=(50, 2))
    expected = fit_expected(np.zeros(50), np.zeros(50), codes)
    assert np.isfinite(excess_error(expected, np.zeros(5), np.zeros(5), codes[:5])).all()


def test_the_area_of_unknown_scores_is_unknown():
    assert np.isnan(auroc(np.asarray([np.nan, 1.0, 2.0]), np.asarray([False, False, True])))
