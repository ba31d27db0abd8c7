"""Estimators on small data: what they learn, scikit-learn's tools around them, copies, callbacks."""

import pickle

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_digits, make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import normalized_mutual_info_score, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from aae_jax import TrainingFailed
from aae_jax.estimators import AAE, AAEClassifier, AAEClusterer, AAEOutlierDetector, GraphLabelSpreading
from aae_jax.run.callbacks import AllSeedsFailed

TINY = {"hidden": (32,), "random_state": 0}
ALL = {
    "AAE": lambda **settings: AAE(**settings),
    "AAEClassifier": lambda **settings: AAEClassifier(**settings),
    "AAEClusterer": lambda **settings: AAEClusterer(3, **settings),
    "AAEOutlierDetector": lambda **settings: AAEOutlierDetector(**settings),
}


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(200, 4, centers=3, cluster_std=0.8, random_state=0)


@pytest.fixture(scope="module")
def classifier(digits):
    X, y = digits
    labels = np.where(np.arange(400) < 200, y[:400], -1)
    return AAEClassifier(image_shape=(8, 8), epochs=30, hidden=(64,), random_state=0).fit(X[:400], labels)


def test_a_classifier_learns_from_few_labels(classifier, digits):
    X, y = digits
    assert classifier.score(X[1200:], y[1200:]) > 0.75
    chances = classifier.predict_proba(X[1200:])
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-6)
    assert classifier.styles(X[:5]).shape == (5, 10)
    drawn = classifier.sample(4, label=3)
    assert drawn.shape == (4, 64)
    assert drawn.max() <= 16
    with pytest.raises(ValueError, match="There is no class 'three'"):
        classifier.sample(label="three")


def test_images_may_be_rows_or_images(classifier, digits):
    X = digits[0][:7]
    np.testing.assert_array_equal(classifier.predict_proba(X.reshape(7, 8, 8)), classifier.predict_proba(X))


def test_a_row_does_not_depend_on_the_others(classifier, digits):
    X = digits[0]
    np.testing.assert_array_equal(classifier.predict_proba(X[:1]), classifier.predict_proba(X[:300])[:1])


@pytest.mark.parametrize("how", ["pickle", "joblib", "clone"])
def test_copies_answer_the_same(how, classifier, digits, tmp_path):
    X = digits[0][:9]
    expected = classifier.predict_proba(X)
    if how == "clone":
        assert clone(classifier).get_params() == classifier.get_params()
        with pytest.raises(NotFittedError):
            clone(classifier).predict(X)
        return
    if how == "joblib":
        joblib.dump(classifier, tmp_path / "model")
    again = joblib.load(tmp_path / "model") if how == "joblib" else pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict_proba(X), expected)


@pytest.mark.parametrize("name", ["AAE", pytest.param("AAEClusterer", marks=pytest.mark.slow)])
def test_the_same_seed_gives_the_same_bits(name, blobs):
    X, y = blobs
    method = "predict_proba" if "Cl" in name else "score_samples"
    first, second, other = (
        getattr(ALL[name](**{**TINY, "epochs": 2, "random_state": seed}).fit(X, y), method)(X) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_labels_of_any_type_and_without_a_missing_one(blobs):
    X, y = blobs
    names = np.asarray(["red", "green", "blue"])[y]
    model = AAEClassifier(**TINY, epochs=70).fit(X, names)
    assert model.classes_.tolist() == ["blue", "green", "red"]
    assert model.score(X, names) > 0.8
    assert model.n_iter_ == 70


@pytest.mark.parametrize("labelled", [200, 20, 0])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_every_row_is_trained_on_but_those_held_out_to_stop_early(labelled, early_stopping, blobs, monkeypatch):
    seen = []

    def untrained(setup, *_, **__):
        seen.append(setup)
        raise AllSeedsFailed

    monkeypatch.setattr("aae_jax.estimators.base.train_models", untrained)
    X, y = blobs
    own = {**TINY, "epochs": 1, "early_stopping": early_stopping}
    with pytest.raises(TrainingFailed):
        AAEClassifier(**own).fit(X, np.where(np.arange(200) < labelled, y, -1)) if labelled else AAE(**own).fit(X)
    (setup,) = seen
    held_out = (labelled or 200) // 10 if early_stopping else 0
    assert len(setup.validation_images) == held_out
    assert len(setup.data.pool) == 200 - held_out
    if labelled:
        assert setup.data.labels.shape == (1, labelled - held_out)


def test_a_transformer_stops_early_and_starts_warm(blobs):
    X, _ = blobs
    own = {**TINY, "early_stopping": True, "n_iter_no_change": 1}
    still = {"optimizers.reconstruction.learning_rate": 1e-12, "optimizers.generator.learning_rate": 1e-12}
    assert AAE(**own, epochs=40, settings=still).fit(X).n_iter_ < 40
    model = AAE(**own, epochs=40, warm_start=True).fit(X)
    stopped = model.transform(X)
    near = np.linalg.norm(model.set_params(epochs=1).fit(X).transform(X) - stopped)
    afresh = AAE(**own, epochs=1).fit(X).transform(X)
    assert near < 0.5 * np.linalg.norm(afresh - stopped), "it began where it had stopped"


@pytest.mark.slow
def test_early_stopping_and_a_warm_start(blobs):
    X, y = blobs
    model = AAEClassifier(
        **TINY, epochs=300, early_stopping=True, n_iter_no_change=20, warm_start=True, settings={"evaluate_every": 1}
    )
    model.fit(X, y)
    assert model.n_iter_ < 300
    assert model.score(X, y) > 0.9
    model.set_params(epochs=1, early_stopping=False).fit(X, y)
    assert model.score(X, y) > 0.9, "it began where it had stopped"
    assert AAEClassifier(**TINY, epochs=1).fit(X, y).score(X, y) < 0.9


def test_codes_of_a_transformer_and_rows_of_codes(blobs):
    X, y = blobs
    model = AAE(latent_dim=3, **TINY, epochs=60).fit(X)
    codes = model.transform(X)
    assert codes.shape == (200, 3)
    assert codes.dtype == np.float32
    error = np.mean((model.inverse_transform(codes) - X) ** 2)
    assert error < 0.5 * X.var(axis=0).mean()
    assert model.sample(5).shape == (5, 4)
    assert model.get_feature_names_out().tolist() == ["aae0", "aae1", "aae2"]
    linear = make_pipeline(AAE(latent_dim=3, **TINY, epochs=20), LogisticRegression()).fit(X, y)
    assert linear.score(X, y) > 0.8


def test_clusters_of_blobs(blobs):
    X, y = blobs
    model = AAEClusterer(3, **TINY, epochs=60)
    labels = model.fit_predict(X)
    assert normalized_mutual_info_score(y, labels) > 0.8
    np.testing.assert_array_equal(model.predict(X), labels)


def test_outliers_have_scikit_learns_signs(blobs):
    X, _ = blobs
    far = np.random.default_rng(0).uniform(-40, 40, size=(60, 4))
    model = AAEOutlierDetector(contamination=0.05, **TINY, epochs=20).fit(X)
    scores = model.score_samples(np.concatenate([X, far]))
    assert roc_auc_score(np.arange(260) < 200, scores) > 0.95
    assert np.mean(model.predict(X) == -1) == pytest.approx(0.05, abs=0.01)
    assert np.mean(model.predict(far) == -1) > 0.9
    np.testing.assert_array_equal(model.decision_function(far) < 0, model.predict(far) == -1)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.score_samples(far), model.score_samples(far))
    with pytest.raises(ValueError, match=r"contamination is 0.6; give a number above 0"):
        AAEOutlierDetector(contamination=0.6).fit(X)


class Recorder:
    """A callback of scikit-learn that notes what it hears."""

    def __init__(self, stop_after=None):
        self.heard, self.stop_after = [], stop_after

    def setup(self, estimator, context):
        self.heard.append("setup")

    def on_fit_task_begin(self, estimator, context, **given):
        self.heard.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, **given):
        self.heard.append(f"end {context.task_name}")
        return self.stop_after is not None and self.heard.count("end epoch") >= self.stop_after

    def teardown(self, estimator, context):
        self.heard.append("teardown")


@pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 9), reason="scikit-learn has callbacks from 1.9 on"
)
@pytest.mark.parametrize(("stop_after", "epochs"), [(None, 3), (2, 2)])
def test_callbacks_of_scikit_learn(stop_after, epochs, blobs):
    recorder = Recorder(stop_after)
    model = AAE(**TINY, epochs=3).set_callbacks(recorder).fit(blobs[0])
    inner = ["begin epoch", "end epoch"] * epochs
    assert recorder.heard == ["setup", "begin fit", *inner, "end fit", "teardown"]
    assert model.n_iter_ == epochs


REFUSED = {
    "one class": ({}, lambda X, y: (X, y * 0), "y has one class, 0"),
    "no labels": ({}, lambda X, y: (X, y * 0 - 1), "y has no labels"),
    "NaN": ({}, lambda X, y: (np.where(X > 2, np.nan, X), y), "contains NaN"),
    "lengths": ({}, lambda X, y: (X, y[:5]), "X has 200 rows, but y has 5 labels"),
    "image_shape": ({"image_shape": (3, 3)}, lambda X, y: (X, y), "X has 4 features, but image_shape is"),
    "preset": ({"preset": "fast"}, lambda X, y: (X, y), "There is no preset 'fast'"),
    "setting": ({"settings": {"weights.consistent": 1}}, lambda X, y: (X, y), "no configuration key"),
    "value": ({"latent_dim": 0}, lambda X, y: (X, y), "latent_dim is 0"),
    "text": ({}, lambda X, y: (X.astype(str), y * 0 + np.nan), "could not convert|y has no labels"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_of_a_classifier(case, blobs):
    settings, change, words = REFUSED[case]
    with pytest.raises(ValueError, match=words):
        AAEClassifier(**{**TINY, "epochs": 1, **settings}).fit(*change(*blobs))


def test_other_features_are_refused_in_predict(classifier):
    with pytest.raises(ValueError, match="X has 63 features, but AAEClassifier is expecting 64"):
        classifier.predict(np.zeros((3, 63)))
    with pytest.raises(ValueError, match="contains NaN"):
        classifier.predict(np.full((3, 64), np.nan))


def test_a_few_rows_stop_no_training_early(blobs):
    X, _ = blobs
    with pytest.raises(ValueError, match="early_stopping holds out a tenth of the rows"):
        AAE(**TINY, epochs=1, early_stopping=True).fit(X[:4])
    few = np.where(np.arange(60) < 2, np.arange(60), -1)
    with pytest.raises(ValueError, match="early_stopping holds out a tenth of the rows"):
        AAEClassifier(**TINY, epochs=1, early_stopping=True).fit(X[:60], few)


def test_what_early_stopping_decides_is_not_set(blobs):
    X, _ = blobs
    with pytest.raises(ValueError, match="settings has validation_size, which the labels of fit and early_stopping"):
        AAE(**TINY, settings={"validation_size": 50}).fit(X)
    with pytest.raises(
        ValueError, match="early_stopping holds out a tenth of the rows, which are all rows of a class"
    ):
        AAEClassifier(**TINY, early_stopping=True).fit(X[:10], np.arange(10))


def test_divergence_of_an_estimator(blobs):
    rate = {"optimizers.reconstruction.learning_rate": 1e30}
    with pytest.raises(TrainingFailed, match="give lower learning rates"):
        AAE(**TINY, epochs=1, settings=rate).fit(blobs[0])


def test_dark_rows_and_other_ranges(classifier, digits):
    dark = np.zeros((3, 64))
    dark[:, 5] = 1
    assert classifier.predict(dark).shape == (3,)
    unit = AAE(image_shape=(8, 8), **TINY, epochs=1).fit(digits[0][:100] / 16)
    with pytest.raises(ValueError, match="the images of fit were in"):
        unit.transform((digits[0][:5] * 15).astype(np.uint8))
    whole = AAE(image_shape=(8, 8), **TINY, epochs=1).fit((digits[0][:100] * 15).astype(np.uint8))
    with pytest.raises(ValueError, match="the images of fit were bytes"):
        whole.transform(digits[0][:5] / 16)


@pytest.mark.slow
def test_a_search_in_two_processes(blobs):
    X, y = blobs
    search = GridSearchCV(AAEClassifier(**TINY, epochs=3), {"latent_dim": [2, 3]}, cv=2, n_jobs=2).fit(X, y)
    assert search.best_params_["latent_dim"] in (2, 3)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", [*ALL, "GraphLabelSpreading"])
def test_scikit_learns_own_checks(name):
    sizes = {"hidden": (32,), "epochs": 100} if name == "AAEClassifier" else {"hidden": (8,), "epochs": 2}
    model = GraphLabelSpreading() if name not in ALL else ALL[name](**sizes, random_state=0)
    minus_one = "-1 means no label, and this check's classes are -1 and 1"
    classifies = name in ("AAEClassifier", "GraphLabelSpreading")
    expected = {"check_classifiers_classes": minus_one} if classifies else {}
    check_estimator(model, expected_failed_checks=expected, on_skip=None)
