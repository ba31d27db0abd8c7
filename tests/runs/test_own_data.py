"""People's own data, from an npz file to a saved model: colour images, plain vectors, and classes with names."""

import json

import numpy as np
import pytest
from PIL import Image

from aae_jax import cli
from aae_jax.saved import storage as bundle
from tests.runs.running import drawing, status, summary

NAMES = np.array(["ant", "bee", "cat", "dög"])
FLAGS = ("--preset", "smoke", "--labels", "40", "--epochs", "30", "--network.precision", "float32")


def save(path, shape, *, seed=0, count=400):
    """Write `count` things of four classes, of each of which another quarter is bright."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    bright = (np.arange(np.prod(shape)) % 4 == labels[:, None]).reshape(count, *shape)
    if len(shape) == 1:
        x = generator.normal(size=(count, *shape)) + 12.0 * bright - 40.0
    else:
        x = (150 * bright + generator.integers(0, 60, (count, *shape))).astype(np.uint8)
    np.savez(path, x=x, y=NAMES[labels])
    return x, labels


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((6, 5, 3), id="colour", marks=pytest.mark.slow),
        pytest.param((7,), id="vectors"),
        pytest.param((6, 5), id="grey", marks=pytest.mark.slow),
        pytest.param((3, 3, 4), id="channels", marks=pytest.mark.slow),
    ],
)
def run(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    x, labels = save(folder / "mine.npz", request.param)
    with drawing():
        assert status(*FLAGS, "--dataset", f"npz:{folder / 'mine.npz'}", "--out-dir", folder / "run") == 0
    return folder, x, labels


def test_it_learns_and_says_what_it_learnt_from(run):
    folder, x, _ = run
    found = summary(folder / "run")
    assert found["data"]["name"] == "npz:mine.npz"
    assert found["test"]["error"]["mean"] < 0.2
    assert found["max_shift"] == 0
    assert f"npz:{folder / 'mine.npz'}" in (folder / "run" / "config.yaml").read_text().replace("\\", "")
    drawn = {path.stem for path in (folder / "run" / "figures").iterdir()}
    assert {"confusion_matrix", "code_histograms"} <= drawn
    assert ("reconstructions" in drawn) == (x.shape[2:] in ((5,), (5, 3)))


def test_the_model_takes_the_data_as_they_are(run):
    folder, x, labels = run
    model = bundle.load(folder / "run")
    assert model.class_names == tuple(NAMES)
    assert np.mean(np.asarray(model.predict(x)) == labels) > 0.8
    rebuilt = np.asarray(model.reconstruct(x))
    assert rebuilt.shape == x.shape
    if x.ndim == 2:  # in the units of the data
        assert abs(rebuilt.mean() - x.mean()) < 2


def test_evaluate_finds_the_data_and_the_same_error(run, capsys, tmp_path):
    folder, _, _ = run
    capsys.readouterr()
    assert cli.main(["evaluate", str(folder / "run"), "--out", str(tmp_path / "numbers.json")]) == 0
    said = capsys.readouterr().out
    expected = summary(folder / "run")["test"]["error"]["mean"]
    assert f"{100 * expected:.2f} %" in said
    found = json.loads((tmp_path / "numbers.json").read_text())
    assert found["error"] == expected
    assert np.sum(found["confusion"]) == found["images"] == summary(folder / "run")["splits"]["test"]
    assert "bit for bit" not in said


def test_predict_writes_a_line_for_each(run, capsys, tmp_path):
    folder, x, labels = run
    np.save(tmp_path / "new.npy", x[:5])
    for source in (tmp_path / "new.npy", folder / "mine.npz"):
        capsys.readouterr()
        assert cli.main(["predict", str(folder / "run" / "model"), str(source)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "image,class,p(ant),p(bee),p(cat),p(dög)"
        assert len(lines) == 1 + (5 if source.suffix == ".npy" else len(x))
        right = [line.split(",")[1] == NAMES[label] for line, label in zip(lines[1:], labels, strict=False)]
        assert np.mean(right) > 0.7
        chances = [float(number) for number in lines[1].split(",")[2:]]
        assert sum(chances) == pytest.approx(1, abs=1e-5)


def test_generate_and_reconstruct(run, capsys, tmp_path):
    folder, x, _ = run
    model = str(folder / "run")
    assert cli.main(["generate", model, "--count", "3", "--out", str(tmp_path / "all.npz")]) == 0
    with np.load(tmp_path / "all.npz") as made:
        assert made["images"].shape == (12, *x.shape[1:])
        np.testing.assert_array_equal(made["labels"], [0, 1, 2, 3] * 3)
    assert cli.main(["generate", model, "--label", "dög", "--seed", "4", "--out", str(tmp_path / "one.npz")]) == 0
    with np.load(tmp_path / "one.npz") as made:
        np.testing.assert_array_equal(made["labels"], [3] * 8)
    np.save(tmp_path / "new.npy", x[:5])
    out = tmp_path / "rebuilt.npz"
    assert cli.main(["reconstruct", model, str(tmp_path / "new.npy"), "--out", str(out)]) == 0
    with np.load(out) as made:
        np.testing.assert_array_equal(made["images"], x[:5])
        np.testing.assert_allclose(made["reconstructions"], bundle.load(model).reconstruct(x[:5]), rtol=1e-5)
    drawn = cli.main(["generate", model, "--out", str(tmp_path / "grid.png")])
    capsys.readouterr()
    drawable = x.shape[2:] in ((5,), (5, 3))
    assert (drawn, (tmp_path / "grid.png").exists()) == ((0, True) if drawable else (2, False))


def test_rows_scaled_otherwise_are_not_evaluated(tmp_path, capsys):
    save(tmp_path / "mine.npz", (7,))
    save(tmp_path / "other.npz", (7,), seed=1)
    flags = ("--preset", "smoke", "--epochs", "1", "--dataset", f"npz:{tmp_path / 'mine.npz'}")
    assert status(*flags, "--out-dir", tmp_path / "run", model="autoencoder") == 0
    capsys.readouterr()
    assert cli.main(["evaluate", str(tmp_path / "run"), "--dataset", f"npz:{tmp_path / 'other.npz'}"]) == 2
    assert "were scaled with other training rows" in capsys.readouterr().err


@pytest.mark.slow
def test_pictures_for_a_model_of_floats(tmp_path, capsys):
    x, labels = save(tmp_path / "bytes.npz", (6, 5))
    np.savez(tmp_path / "mine.npz", x=x / 255, y=NAMES[labels])
    flags = ("--preset", "smoke", "--labels", "40", "--epochs", "1")
    assert status(*flags, "--dataset", f"npz:{tmp_path / 'mine.npz'}", "--out-dir", tmp_path / "run") == 0
    np.save(tmp_path / "floats.npy", x[:1] / 255)
    Image.fromarray(x[0]).save(tmp_path / "picture.png")
    answers = []
    for name in ("floats.npy", "picture.png"):
        capsys.readouterr()
        assert cli.main(["predict", str(tmp_path / "run"), str(tmp_path / name)]) == 0
        answers.append(capsys.readouterr().out.splitlines()[1].split(",")[1:])
    assert answers[0] == answers[1]
