"""Real data frames, of pandas and polars: in training, in estimators, and out of them."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import aae_jax
from aae_jax import InputError
from aae_jax.data import Quiet
from aae_jax.estimators import AAE, AAEClassifier, AAEClusterer, AAEOutlierDetector, GraphLabelSpreading
from aae_jax.estimators.targets import read_targets

WINE = load_wine(as_frame=True)
NUMBERS = WINE.data.set_index(np.arange(len(WINE.data)) + 1000)
MIXED = NUMBERS.assign(
    colour=pd.Categorical(np.where(NUMBERS["hue"] > 1, "red", "white")),
    strong=NUMBERS["alcohol"] > 13,
    region=[f"region {i % 3}" for i in range(len(NUMBERS))],
)
NAMES = np.array(["barolo", "grignolino", "barbera"], object)[WINE.target]
SOME = np.where(np.arange(len(NAMES)) % 2, NAMES, -1)
TINY = {"epochs": 1, "hidden": (8,), "random_state": 0}
KINDS = {"pandas": lambda frame: frame, "polars": lambda frame: pl.from_pandas(frame)}


@pytest.mark.parametrize("kind", ["pandas", pytest.param("polars", marks=pytest.mark.slow)])
def test_estimators_take_frames_and_give_them(kind):
    frame = KINDS[kind](MIXED)
    for wanted, class_ in (("pandas", pd.DataFrame), ("polars", pl.DataFrame)):
        codes = AAE(latent_dim=2, **TINY).set_output(transform=wanted).fit(frame).transform(frame)
        assert isinstance(codes, class_)
        assert codes.shape == (178, 2)
        assert list(codes.columns) == ["aae0", "aae1"]
        if wanted == kind == "pandas":
            assert codes.index.equals(MIXED.index)
    detector = AAEOutlierDetector(**TINY).fit(frame)
    assert detector.feature_names_in_.tolist() == list(MIXED.columns)
    assert set(detector.predict(frame)) <= {-1, 1}
    with pytest.raises(ValueError, match="same order as they were in fit"):
        detector.predict(frame[list(MIXED.columns)[::-1]])
    with pytest.raises(ValueError, match="feature names should match"):
        detector.predict(KINDS[kind](MIXED.rename(columns={"hue": "tint"})))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_classes_and_clusters_of_frames(kind):
    frame = KINDS[kind](MIXED)
    assert set(AAEClassifier(**TINY).fit(frame, SOME).predict(frame)) <= set(NAMES)
    assert len(AAEClusterer(3, **TINY).fit(frame).labels_) == 178


@pytest.mark.parametrize("kind", KINDS)
def test_labels_are_series_of_names_numbers_or_categories(kind):
    series = pd.Series if kind == "pandas" else pl.Series
    frame = KINDS[kind](NUMBERS)
    given = [series([None if label == -1 else label for label in SOME]), np.array([str(label) for label in SOME])]
    if kind == "pandas":
        given += [SOME.tolist(), pd.Series(SOME).where(SOME != -1).astype("category")]
    names = ["barbera", "barolo", "grignolino"]
    for labels in given:
        assert read_targets(labels, 178).classes.tolist() == names
        dataset = aae_jax.Dataset.from_arrays(frame, labels, hold_out=False)
        assert list(dataset.class_names) == names
        np.testing.assert_array_equal(dataset.train_labels >= 0, SOME != -1)
    options = {"preset": "smoke", "epochs": 1, "reporter": Quiet(), "prior.parts": 3}
    run = aae_jax.train("label_regularized", (frame, given[0]), **options)
    assert run.summary["splits"]["labelled"] == 89
    assert run.summary["labels"] == "given"
    numbers = np.where(np.arange(178) % 2, WINE.target, -1)
    spread = GraphLabelSpreading().fit(frame, series(numbers))
    assert np.mean(spread.transduction_ == WINE.target) > 0.6
    nullable = pd.Series(numbers).astype("Int64").mask(numbers < 0)
    np.testing.assert_array_equal(GraphLabelSpreading().fit(frame, nullable).transduction_, spread.transduction_)


def test_frames_go_through_pipelines():
    scaled = StandardScaler().set_output(transform="pandas")
    codes = make_pipeline(scaled, AAE(latent_dim=2, **TINY)).set_output(transform="pandas").fit_transform(NUMBERS)
    assert codes.index.equals(NUMBERS.index)
    nullable = NUMBERS.convert_dtypes()
    np.testing.assert_array_equal(
        AAE(latent_dim=2, **TINY).fit(nullable).transform(nullable),
        AAE(latent_dim=2, **TINY).fit(NUMBERS).transform(NUMBERS),
    )


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pd.array([1, None] * 89, dtype="Int64"), "NaN"),
        (["a", None] * 89, "Column 'new' of X has missing values"),
        ([pd.NA, "a"] * 89, "Column 'new' of X has missing values"),
        (pd.Timestamp("2020-01-01"), "Column 'new' of X has type datetime64"),
        ([{}] * 178, "Column 'new' of X holds a dict. Give numbers, texts or booleans."),
        ([[1], [2]] * 89, "Column 'new' of X holds a list"),
        ([1 + 2j] * 178, "Column 'new' of X has type complex128"),
        ([np.inf] * 178, "infinity"),
    ],
    ids=["nullable", "None", "NA", "dates", "dict", "list", "complex", "infinite"],
)
def test_columns_that_are_refused(column, words):
    with pytest.raises(ValueError, match=words):
        AAE(latent_dim=2, **TINY).fit(NUMBERS.reset_index(drop=True).assign(new=column))


def test_labels_that_are_refused():
    with pytest.raises(InputError, match="hold values of type int and str"):
        aae_jax.train("semi_supervised", (NUMBERS, ["a", 1] * 89), preset="smoke")
    with pytest.raises(ValueError, match="mix of texts and values of type int"):
        AAEClassifier(**TINY).fit(NUMBERS, np.array(["a", 1] * 89, object))
