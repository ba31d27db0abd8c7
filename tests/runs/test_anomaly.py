"""Anomaly scores of a run's model, and the experiment that holds each class out."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from aae_jax import cli, load, load_dataset
from aae_jax.commands import anomaly
from aae_jax.evaluation.anomaly import auroc
from aae_jax.saved.anomaly import AnomalyScorer
from tests.runs.running import status

EARLIER = Path(__file__).resolve().parents[1] / "fixtures" / "earlier" / "5-88c0ec7"
SMALL = ("--preset", "smoke", "--dataset", "digits", "--epochs", "3", "--network.precision", "float32")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("anomaly") / "run"
    argv = ("--epochs", "8", "--network.latent-dim", "4", "--prior.std", "1", "--views.noise-std", "0.3")
    assert status(*SMALL, *argv, "--out-dir", out, model="unsupervised") == 0
    return out


def test_images_are_scored_by_the_command(trained, tmp_path, capsys):
    strange = np.random.default_rng(0).integers(0, 256, (20, 8, 8)).astype(np.uint8)  # noise is no digit
    digits = load_dataset("digits").test_images[:20]
    np.savez(tmp_path / "images.npz", x=np.concatenate([digits, strange]))
    assert cli.main(["score", str(trained), str(tmp_path / "images.npz")]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["image"] for row in rows] == [str(i) for i in range(40)]
    scores = np.asarray(
        [[float(row[name]) for name in ("reconstruction", "prior", "neighbours", "combined")] for row in rows]
    )
    assert scores[20:, 0].min() > np.median(scores[:20, 0])
    assert scores[20:, 3].mean() > scores[:20, 3].mean() + 0.5
    model = load(trained / "model")
    z = np.asarray(model.encode(digits).mean)
    density = 0.5 * np.sum(z**2, axis=1) + 2 * np.log(2 * np.pi)
    np.testing.assert_allclose(np.diff(scores[:20, 1]), np.diff(density), rtol=1e-3, atol=1e-3)
    made = np.asarray(model.reconstruct(digits))
    np.testing.assert_allclose(scores[:20, 0], np.mean((made - digits / 255) ** 2, axis=(1, 2)), rtol=1e-4)


def test_scores_are_written_to_a_file_but_not_over_a_source(trained, tmp_path, capsys):
    np.savez(tmp_path / "x.npz", x=load_dataset("digits").test_images[:3])
    assert cli.main(["score", str(trained), str(tmp_path / "x.npz"), "--out", str(tmp_path / "s.csv")]) == 0
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 4
    assert cli.main(["score", str(trained), str(tmp_path / "x.npz"), "--out", str(tmp_path / "x.npz")]) == 2
    assert "would overwrite" in capsys.readouterr().err


def test_scores_are_not_written_over_the_data_of_the_run(tmp_path, capsys):
    np.savez(tmp_path / "x.npz", x=load_dataset("digits").train_images[:300])
    before = (tmp_path / "x.npz").read_bytes()
    flags = ("--preset", "smoke", "--dataset", f"npz:{tmp_path / 'x.npz'}", "--epochs", "1")
    assert status(*flags, "--out-dir", tmp_path / "run", model="autoencoder") == 0
    np.savez(tmp_path / "y.npz", x=load_dataset("digits").test_images[:3])
    argv = ["score", str(tmp_path / "run"), str(tmp_path / "y.npz"), "--out", str(tmp_path / "x.npz")]
    assert cli.main(argv) == 2
    assert "would overwrite" in capsys.readouterr().err
    assert (tmp_path / "x.npz").read_bytes() == before


def test_the_discriminators_score_needs_a_discriminator(trained):
    model, images = load(trained / "model"), load_dataset("digits").test_images
    assert np.isnan(AnomalyScorer(model, images)(images[:4]).discriminator).all()
    scores = AnomalyScorer(model, images, discriminator=lambda z: z[:, 0] + 1)(images[:4]).discriminator
    np.testing.assert_allclose(scores, -np.asarray(model.encode(images[:4]).mean)[:, 0] - 1, rtol=1e-5)


def test_a_prior_without_a_density_is_a_distance():
    images = load_dataset("digits").test_images
    scores = AnomalyScorer(load(EARLIER.parent / "4-ca2bb60" / "swiss_roll"), images)(images[:50])
    assert (scores.prior >= 0).all()
    assert np.isfinite(scores.combined).all()


def test_a_model_whose_decoder_needs_the_class_is_refused(tmp_path, capsys):
    np.savez(tmp_path / "x.npz", x=load_dataset("digits").test_images[:3])
    assert cli.main(["score", str(EARLIER / "supervised"), "--dataset", "digits", str(tmp_path / "x.npz")]) == 2
    assert "The decoder takes the class of each image" in capsys.readouterr().err


EXPERIMENT = ("--dataset", "digits", "--preset", "smoke", "--epochs", "3", "--classes", "0", "4")


def test_each_class_is_held_out_and_compared(tmp_path, capsys):
    out = ("--out-dir", str(tmp_path / "out"))
    assert anomaly.main([*EXPERIMENT, *out]) == 0
    table = json.loads((tmp_path / "out" / "anomaly.json").read_text())
    assert list(table["auroc"]) == ["0", "4"]
    for found in table["auroc"].values():
        assert set(found) == set(anomaly.DETECTORS)
        assert all(0 <= area <= 1 for area in found.values())
    assert table["mean"]["PCA"] == pytest.approx(np.mean([found["PCA"] for found in table["auroc"].values()]))
    assert not list((tmp_path / "out").rglob("others.npz"))
    shown = capsys.readouterr().out
    assert "mean" in shown
    assert all(len(line) < 80 for line in shown.splitlines() if line.startswith(("class ", "mean")))
    assert anomaly.main([*EXPERIMENT, *out]) == 0
    assert "class 0: from" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "anomaly.json").read_text()) == table
    assert anomaly.main([*EXPERIMENT, *out, "--seed", "1"]) == 2
    assert "is of a run with other settings" in capsys.readouterr().err


REFUSED = {
    "a class": (("--classes", "ten"), "digits has no class 'ten'; give some of 0, 1"),
    "no classes": (("--dataset", "npz:x.npz"), "has no classes to hold out"),
    "a preset": (("--preset", "none"), "none"),
}


@pytest.mark.parametrize(("flags", "complaint"), REFUSED.values(), ids=REFUSED)
def test_bad_input_of_the_experiment(tmp_path, capsys, flags, complaint):
    np.savez("x.npz", x=np.random.default_rng(0).integers(0, 256, (40, 8, 8)).astype(np.uint8))
    argv = ("--dataset", "digits", *flags, "--out-dir", str(tmp_path / "out"))
    assert anomaly.main(list(argv)) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.strip().count("\n") == 0


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (("--seed", "-1"), "seed is -1"),
        (("--epochs", "0"), "epochs is 0"),
        (("--dataset", "npz:few.npz"), "Without class '0' there are 15 training images of npz:few.npz; at least 200"),
    ],
)
def test_what_cannot_be_trained_leaves_nothing(tmp_path, capsys, flags, complaint):
    generator = np.random.default_rng(0)
    np.savez("few.npz", x=generator.integers(0, 256, (40, 8, 8)).astype(np.uint8), y=np.arange(40) % 2)
    assert anomaly.main(["--dataset", "digits", *flags, "--out-dir", str(tmp_path / "out")]) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_not_touched(tmp_path, capsys):
    kept = tmp_path / "out" / "without-0" / "mine.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")
    assert anomaly.main([*EXPERIMENT, "--out-dir", str(tmp_path / "out")]) == 2
    assert "is not empty and not of this experiment" in capsys.readouterr().err
    assert kept.read_text() == "mine"


@pytest.mark.slow
def test_rows_are_scaled_as_those_that_were_trained_on(tmp_path):
    """The model's rows are scaled by the range of the other classes, and so are those that are scored."""
    generator, labels = np.random.default_rng(0), np.arange(900) % 3
    np.savez("rows.npz", x=generator.normal(size=(900, 5)) + 3.0 * (labels == 2)[:, None], y=labels)
    argv = ("--dataset", "npz:rows.npz", "--preset", "smoke", "--epochs", "2", "--classes", "2")
    assert anomaly.main([*argv, "--out-dir", str(tmp_path / "out")]) == 0
    found = json.loads((tmp_path / "out" / "anomaly.json").read_text())["auroc"]["2"]
    model, data = load(tmp_path / "out" / "without-2" / "unsupervised" / "model"), load_dataset("npz:rows.npz")
    rows = model.scaling.apply(data.test_images)
    errors = np.mean((np.asarray(model.reconstruct_stored(rows)) - rows) ** 2, axis=1)
    assert found["reconstruction"] == pytest.approx(auroc(errors, data.test_labels == 2), abs=1e-3)
    assert np.abs(rows - data.test_images).max() > 0.1  # the second scaling is another one
