"""Classifiers of features, their quality, and what is compared with them."""

import sys

import jax
import numpy as np
import pytest

from aae_jax.errors import InputError
from aae_jax.evaluation import transfer
from aae_jax.evaluation.classifiers import gradient_boosting, has_lightgbm
from aae_jax.evaluation.probes import mean_area
from aae_jax.evaluation.transfer import Labelled


def test_areas_are_those_of_ranks():
    # Class 0: both images of it rank above two of the three others, one above all: 5 of 6 pairs in order.
    scores = np.asarray([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9]])
    assert mean_area(scores, np.arange(2), np.asarray([0, 0, 1, 1, 1])) == pytest.approx(5 / 6)


def test_classes_without_images_are_left_out_of_the_mean():
    scores = np.asarray([[0.8, 0.2, 0.0], [0.3, 0.7, 0.0], [0.6, 0.4, 0.0]])
    assert mean_area(scores, np.arange(3), np.asarray([0, 1, 1])) == pytest.approx(1.0)
    assert np.isnan(mean_area(scores, np.arange(3), np.asarray([1, 1, 1])))


def test_quality_and_confusions_are_counted():
    probabilities = np.asarray([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.1, 0.4], [0.2, 0.2, 0.6]])
    quality, confusion = transfer.measure(probabilities, np.asarray([0, 1, 2, 2]))
    assert quality.accuracy == 0.75
    assert quality.auroc == 1.0
    assert confusion.tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 1]]
    with pytest.raises(InputError, match="not finite"):
        transfer.measure(probabilities * np.nan, np.asarray([0, 1, 2, 2]))


def clouds(count, seed, classes=3):
    """Return clouds of points in two dimensions, and the class of each."""
    generator, labels = np.random.default_rng(seed), np.arange(count) % classes
    return Labelled(generator.normal(size=(count, 2)) + 4.0 * np.eye(classes, 2)[labels], labels.astype(np.int32))


@pytest.mark.parametrize("kind", [kind for kind in transfer.CLASSIFIERS if kind != "LightGBM" or has_lightgbm()])
def test_every_classifier_tells_clouds_apart(kind):
    train, test = clouds(300, 0), clouds(90, 1)
    found = transfer.classify_features(kind, train, test, 3)
    assert found.test.accuracy > 0.9
    assert found.test.auroc > 0.95
    assert found.confusion.sum(axis=1).tolist() == [30, 30, 30]
    again = transfer.classify_features(kind, train, test, 3)
    assert again.train == found.train
    assert again.test == found.test
    np.testing.assert_array_equal(again.confusion, found.confusion)


def test_the_gap_is_that_of_images_it_was_fitted_to():
    generator = np.random.default_rng(0)
    noise = [
        Labelled(generator.normal(size=(60, 100)), generator.integers(0, 2, 60).astype(np.int32)) for _ in range(2)
    ]
    found = transfer.classify_features("linear", *noise, 2)
    assert found.train.accuracy == 1.0
    assert found.train.auroc == 1.0
    assert 0.2 < found.test.accuracy < 0.8


def test_a_class_without_training_images_is_never_predicted():
    train, test = clouds(60, 0, classes=2), clouds(90, 1)
    found = transfer.classify_features("linear", train, test, 4)
    assert found.confusion.shape == (4, 4)
    assert found.confusion[:, 2:].sum() == 0
    assert found.confusion[2].sum() == 30


@pytest.mark.skipif(not has_lightgbm(), reason="LightGBM, the extra transfer, is not installed")
def test_trees_see_at_most_400_features():
    assert gradient_boosting(400).get_params()["colsample_bytree"] == 1.0
    assert gradient_boosting(3200).get_params()["colsample_bytree"] == 0.125


def test_without_lightgbm_one_sentence_tells_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(InputError, match=r"LightGBM is not installed; install the extra transfer "):
        gradient_boosting(2)


def test_components_are_of_training_images_and_no_more_than_they_allow():
    generator = np.random.default_rng(0)
    axes = np.linalg.qr(generator.normal(size=(20, 3)))[0]
    train, test = (generator.normal(size=(count, 3)) * [9, 3, 1] @ axes.T for count in (400, 50))
    fitted, other = transfer.principal_features(train, test, 3)
    assert fitted.shape == (400, 3)
    np.testing.assert_allclose(np.linalg.norm(other - other[:1], axis=1), np.linalg.norm(test - test[:1], axis=1))
    assert np.all(np.diff(fitted.std(axis=0)) < 0)
    assert transfer.principal_features(train[:5], test, 400)[1].shape == (50, 5)


def striped(count, seed):
    """Return noisy images of 12 × 12 pixels, with horizontal or vertical stripes."""
    generator, labels = np.random.default_rng(seed), np.arange(count) % 2
    stripes = 200 * (np.indices((12, 12)) // 2 % 2)[labels]
    images = np.clip(stripes + generator.integers(0, 50, stripes.shape), 0, 255).astype(np.uint8)
    return Labelled(images, labels.astype(np.int32))


@pytest.mark.slow
@pytest.mark.usefixtures("quick_compile")
def test_the_specialist_learns_from_images():
    train, test, finished = striped(200, 0), striped(60, 1), []

    def build_progress(updates):
        return lambda done: finished.append((done, updates))

    def fit():
        return transfer.fit_specialist(train, 2, 40, jax.random.key(0), flip=0.5, build_progress=build_progress)

    predict = fit()
    found = transfer.outcome(predict, train, test)
    assert found.test.accuracy > 0.9
    assert finished == [(80, 80)]
    np.testing.assert_allclose(predict(test.features).sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(fit()(test.features), predict(test.features))
