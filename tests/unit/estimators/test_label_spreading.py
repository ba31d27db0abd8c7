"""Sparse label spreading: what it finds, its probabilities, its refusals."""

import pickle
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits, make_moons
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from aae_jax.errors import InputError
from aae_jax.estimators import GraphLabelSpreading, label_spreading


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    labels = np.full(len(y), -1)
    rng = np.random.default_rng(0)
    kept = np.concatenate([rng.permutation(np.flatnonzero(y[:1200] == c))[:10] for c in range(10)])
    labels[kept] = y[kept]
    return X, y, labels


def test_labels_spread_over_the_digits(digits):
    X, y, labels = digits
    spread = GraphLabelSpreading().fit(X[:1200], labels[:1200])
    assert np.mean(spread.transduction_ == y[:1200]) > 0.93
    assert spread.score(X[1200:], y[1200:]) > 0.9
    assert spread.label_distributions_.shape == (1200, 10)
    chances = spread.predict_proba(X[1200:])
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-6)
    again = pickle.loads(pickle.dumps(spread))
    np.testing.assert_array_equal(again.predict_proba(X[1200:]), chances)


def test_moons_are_told_apart_by_two_labels_in_a_pipeline():
    X, y = make_moons(400, noise=0.05, random_state=0)
    labels = np.where(np.arange(400) < 20, np.asarray(["up", "down"])[y], "").astype(object)
    model = make_pipeline(StandardScaler(), GraphLabelSpreading(8)).fit(X * [1, 1000], labels)
    assert model.classes_.tolist() == ["down", "up"]
    assert np.mean(model.predict(X * [1, 1000]) == np.asarray(["up", "down"])[y]) == 1.0


def test_principal_axes_are_exact():
    X = np.random.default_rng(1).normal(size=(50, 6)) * [5, 1, 1, 3, 1, 1]
    centre, axes = label_spreading._axes_of(X, 2)
    _, _, directions = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(axes.T @ directions[:2].T), np.eye(2), atol=1e-8)
    np.testing.assert_allclose(centre, X.mean(axis=0))


def test_class_frequencies_shift_the_answer():
    X, y = make_moons(300, noise=0.4, random_state=0)
    labels = np.where(np.arange(300) < 30, y, -1)
    counts = [
        np.bincount(GraphLabelSpreading(class_frequencies=shares).fit(X, labels).transduction_, minlength=2)
        for shares in ([0.5, 0.5], [0.9, 0.1])
    ]
    assert counts[1][0] > counts[0][0]


@pytest.mark.parametrize("settings", [{"n_neighbors": 0}, {"alpha": 1.0}, {"alpha": 0.0}, {"n_components": 0}])
def test_settings_out_of_range(settings, digits):
    with pytest.raises(InputError, match="give at least 1"):
        GraphLabelSpreading(**settings).fit(digits[0][:50], digits[1][:50])


def test_many_rows_need_the_extra(monkeypatch, digits):
    monkeypatch.setattr(label_spreading, "MAX_EXACT", 100)
    monkeypatch.setitem(sys.modules, "pynndescent", None)
    with pytest.raises(ImportError, match="install the extra graph"):
        GraphLabelSpreading().fit(digits[0], digits[2])
