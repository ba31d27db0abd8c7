"""Codes of one data set by a model trained on another, as features of classifiers."""

import importlib.machinery
import json
import sys
import types

import numpy as np
import pytest
from PIL import Image
from sklearn.tree import DecisionTreeClassifier

from aae_jax import load, load_dataset
from aae_jax.commands import transfer
from aae_jax.commands.transfer_features import encode, images_of
from aae_jax.data.resizing import fit_images
from aae_jax.evaluation.classifiers import has_lightgbm
from tests.runs.running import status

SMALL = ("--preset", "smoke", "--epochs", "3", "--network.precision", "float32", "--network.latent-dim", "4")
CLASSES = ("bricks", "sky", "water")
PLAN = transfer.PLAN[1:]
"""Without the specialist, which takes seconds to compile."""
PLAIN = [plan for plan in PLAN if "LightGBM" not in plan]


class _StandIn(DecisionTreeClassifier):
    """A classifier with the name and the flags of LightGBM's, where that is not installed."""

    def __init__(self, random_state=None, **settings):
        super().__init__(max_depth=4, random_state=random_state)
        assert set(settings) == {"max_bin", "colsample_bytree", "deterministic", "force_col_wise", "verbose"}


@pytest.fixture
def boosting(monkeypatch):
    """Let there be LightGBM, or a tree in its place."""
    if not has_lightgbm():
        module = types.ModuleType("lightgbm")
        module.__spec__ = importlib.machinery.ModuleSpec("lightgbm", None)
        module.LGBMClassifier = _StandIn
        monkeypatch.setitem(sys.modules, "lightgbm", module)


@pytest.fixture
def without_boosting(monkeypatch):
    monkeypatch.setattr(transfer, "has_lightgbm", lambda: False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run on grey images of 8 × 8 pixels."""
    out = tmp_path_factory.mktemp("transfer") / "run"
    assert status(*SMALL, "--dataset", "digits", "--out-dir", out, model="unsupervised") == 0
    return out


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of colour images of 12 × 10 pixels: three classes, a part without labels."""
    root, generator = tmp_path_factory.mktemp("pictures") / "set", np.random.default_rng(0)
    patterns = np.stack([np.indices((12, 10)).sum(axis=0) % 2, np.zeros((12, 10)), np.indices((12, 10))[0] // 3 % 2])
    for part, count in (("train", 30), ("test", 10), ("train/unlabelled", 2)):
        for label, name in enumerate(CLASSES):
            folder = root / part / ("" if "unlabelled" in part else name)
            folder.mkdir(parents=True, exist_ok=True)
            for i in range(count):
                pixels = 150 * patterns[label][..., None] + generator.integers(0, 100, (12, 10, 3))
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{name}{i}.png")
    return root


def run(trained, pictures, out, *more):
    flags = ("--dataset", f"folder:{pictures}", "--specialist-epochs", "0", "--out-dir", str(out))
    return transfer.main([str(trained), *flags, *map(str, more)])


def table(out):
    return json.loads((out / "transfer.json").read_text())


@pytest.mark.usefixtures("boosting")
def test_codes_of_other_images_are_classified_and_compared(trained, pictures, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(trained, pictures, out, "--pair", "sky", "water", "--specialist-epochs", "2") == 0
    found = table(out)
    tasks = {"3 classes": list(CLASSES), "sky or water": ["sky", "water"]}
    assert found["tasks"] == tasks
    assert found["images"] == {"train": 90, "test": 30}
    assert [(row["task"], row["features"], row["classifier"]) for row in found["rows"]] == [
        (task, *plan) for task in tasks for plan in transfer.PLAN
    ]
    for row in found["rows"]:
        assert row["size"] == {"codes": 4, "components": 4}.get(row["features"], 12 * 10 * 3)
        assert all(0 <= row[part][name] <= 1 for part in ("train", "test") for name in ("accuracy", "auroc"))
        confusion = np.asarray(row["confusion"])
        assert confusion.sum(axis=1).tolist() == [10] * len(tasks[row["task"]])
        assert np.trace(confusion) / confusion.sum() == pytest.approx(row["test"]["accuracy"])
    best = next(row for row in found["rows"] if row["features"] == "components" and row["classifier"] == "linear")
    assert best["test"]["accuracy"] > 0.9
    assert all((out / f"{name}.{kind}").is_file() for name in ("transfer", "confusion") for kind in ("png", "svg"))
    assert not (out / "unfinished.json").exists()
    shown = capsys.readouterr().out
    lines = shown[shown.index("3 classes   ") :].splitlines()
    assert max(map(len, lines[: lines.index(f"in {out / 'transfer.json'}")])) <= 80
    assert "the most frequent class                                50.0                33.3" in shown


def test_codes_are_those_of_the_model(trained, pictures):
    model, dataset = load(trained), load_dataset(f"folder:{pictures}")
    chosen = images_of(dataset.test_images, dataset.test_labels, (2, 0))
    assert chosen.labels.tolist() == [1] * 10 + [0] * 10
    codes = encode(model, chosen.features)
    expected = model.encode(fit_images(chosen.features, (8, 8))).mean
    np.testing.assert_allclose(codes, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_model_with_classes_gives_their_probabilities_too(tmp_path):
    flags = ("--preset", "smoke", "--dataset", "digits", "--labels", "100", "--epochs", "2")
    assert status(*flags, "--out-dir", tmp_path / "run") == 0
    model, images = load(tmp_path / "run"), load_dataset("digits").test_images[:20]
    codes = encode(model, images)
    assert codes.shape == (20, model.network.latent_dim + 10)
    np.testing.assert_allclose(codes[:, model.network.latent_dim :], model.predict_proba(images), atol=1e-5)


@pytest.mark.usefixtures("without_boosting")
def test_without_lightgbm_its_rows_are_left_out_and_added_later(trained, pictures, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    assert run(trained, pictures, out) == 0
    assert "uv run --extra transfer python experiments/transfer.py" in capsys.readouterr().out
    first = table(out)["rows"]
    assert [(row["features"], row["classifier"]) for row in first] == PLAIN
    monkeypatch.setattr(transfer, "has_lightgbm", lambda: True)
    chosen = []
    classify = transfer.Features.classify

    def record(self, kind, classifier):
        chosen.append((kind, classifier))
        return classify(self, kind, "linear")

    monkeypatch.setattr(transfer.Features, "classify", record)
    assert run(trained, pictures, out) == 0
    assert chosen == [plan for plan in PLAN if "LightGBM" in plan]
    assert [(row["features"], row["classifier"]) for row in table(out)["rows"]] == list(PLAN)
    assert [row for row in table(out)["rows"] if row["classifier"] != "LightGBM"] == first


@pytest.mark.usefixtures("without_boosting")
def test_a_run_that_was_stopped_goes_on_and_ends_as_if_it_had_not(trained, pictures, tmp_path, monkeypatch, capsys):
    assert run(trained, pictures, tmp_path / "whole") == 0
    classify, done = transfer.Features.classify, []

    def stop(self, kind, classifier):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(kind)
        return classify(self, kind, classifier)

    with monkeypatch.context() as patched:
        patched.setattr(transfer.Features, "classify", stop)
        assert run(trained, pictures, tmp_path / "out") == 130
    assert not (tmp_path / "out" / "transfer.json").exists()
    assert "the same command goes on after the rows that are finished" in capsys.readouterr().err
    assert run(trained, pictures, tmp_path / "out") == 0
    shown = capsys.readouterr().out
    assert "linear on codes" not in shown
    assert "k-NN on components" in shown

    def numbers(folder):
        return [{key: value for key, value in row.items() if key != "seconds"} for row in table(folder)["rows"]]

    assert numbers(tmp_path / "out") == numbers(tmp_path / "whole")
    assert run(trained, pictures, tmp_path / "out", "--seed", "1") == 2
    assert "is of a run with other settings" in capsys.readouterr().err


@pytest.mark.usefixtures("without_boosting")
def test_files_may_be_scaled_and_a_class_given_by_its_number(trained, pictures, tmp_path):
    assert run(trained, pictures, tmp_path / "out", "--image-size", "6", "--pair", "0", "water") == 0
    found = table(tmp_path / "out")
    assert found["tasks"]["bricks or water"] == ["bricks", "water"]
    assert found["pair"] == [0, 2]
    assert {row["size"] for row in found["rows"]} == {4}


REFUSED = {
    "an unknown class": (("--pair", "sky", "fire"), "has no class 'fire'; give two of bricks, sky, water"),
    "a number too large": (("--pair", "0", "3"), "has no class '3'"),
    "one class": (("--pair", "sky"), "--pair is sky; give two different classes, such as bricks sky"),
    "one class twice": (("--pair", "sky", "1"), "--pair is sky 1; give two different classes"),
    "three classes": (("--pair", *CLASSES), "--pair is bricks sky water; give two different classes"),
    "no labels": (("--dataset", "npz:unlabelled.npz"), "images of npz:unlabelled.npz have no classes"),
    "one class in training": (("--dataset", "npz:one.npz"), "images of npz:one.npz have only the class '0'"),
    "a class without test images": (
        ("--dataset", "npz:untested.npz", "--pair", "0", "2"),
        "npz:untested.npz has no training or no test images of '2'",
    ),
    "rows": (("--dataset", "npz:rows.npz"), "rows of numbers that are neither greyscale nor RGB"),
    "passes": (("--specialist-epochs", "-1"), "--specialist-epochs is -1; give a number from 0 to 10000"),
    "a probability": (("--flip", "2"), "--flip is 2.0, a probability; give a number from 0 to 1"),
    "a seed": (("--seed", "-1"), "seed is -1"),
}


@pytest.fixture
def arrays():
    """Arrays that cannot be used, in the current folder."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (40, 8, 8)).astype(np.uint8)
    few = {"x_train": images[:30], "x_test": images[30:]}
    np.savez("unlabelled.npz", x=images)
    np.savez("one.npz", **few, y_train=np.zeros(30, int), y_test=np.arange(10) % 2)
    np.savez("untested.npz", **few, y_train=np.arange(30) % 3, y_test=np.arange(10) % 2)
    np.savez("rows.npz", x=generator.normal(size=(40, 8)), y=np.arange(40) % 2)


@pytest.mark.usefixtures("arrays")
@pytest.mark.parametrize(("flags", "complaint"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_one_sentence_and_leaves_nothing(trained, pictures, tmp_path, capsys, flags, complaint):
    argv = ("--dataset", f"folder:{pictures}", *flags, "--out-dir", str(tmp_path / "out"))
    assert transfer.main([str(trained), *argv]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.strip().count("\n") == 0
    assert not (tmp_path / "out").exists()


def test_a_model_of_rows_is_refused(pictures, tmp_path, capsys):
    generator = np.random.default_rng(0)
    np.savez("rows.npz", x=generator.normal(size=(300, 8)), y=np.arange(300) % 2)
    assert status(*SMALL, "--dataset", "npz:rows.npz", "--out-dir", tmp_path / "run", model="autoencoder") == 0
    assert run(tmp_path / "run", pictures, tmp_path / "out") == 2
    assert "The model takes the shape [8], rows of numbers" in capsys.readouterr().err


def test_rows_of_numbers_are_refused_even_by_a_model_of_rows(tmp_path, capsys):
    generator = np.random.default_rng(0)
    labels = np.arange(200) % 2
    np.savez(tmp_path / "rows.npz", x=generator.normal(size=(200, 5)) + labels[:, None], y=labels)
    data = ("--dataset", f"npz:{tmp_path / 'rows.npz'}")
    assert status(*SMALL, *data, "--out-dir", tmp_path / "model", model="autoencoder") == 0
    assert transfer.main([str(tmp_path / "model"), *data, "--out-dir", str(tmp_path / "out")]) == 2
    assert "npz:rows.npz has rows of 5 numbers; give data of images." in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("without_boosting")
def test_codes_of_a_models_own_data_are_no_transfer(trained, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(transfer, "PLAN", (("codes", "linear"),))
    out = tmp_path / "out"
    flags = ("--dataset", "digits", "--specialist-epochs", "0", "--out-dir", str(out))
    assert transfer.main([str(trained), *flags]) == 0
    assert "! The model was trained on these data" in capsys.readouterr().out
    (out / "transfer.json").write_text('{"rows": [{"task": "10 classes"}]}')
    assert transfer.main([str(trained), *flags]) == 2
    assert "is not empty and not of this experiment" in capsys.readouterr().err


def test_a_folder_of_something_else_is_not_touched(trained, pictures, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert run(trained, pictures, tmp_path / "out") == 2
    assert "is not empty and not of this experiment" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]
    assert run(tmp_path / "none", pictures, tmp_path / "other") == 2
