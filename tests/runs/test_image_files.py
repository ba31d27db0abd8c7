"""Runs on folders and zip files of images: training, evaluation, splits, bad input."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from aae_jax import cli
from aae_jax.run.run import main as run_model
from aae_jax.run.sweep import command as sweep
from tests.runs.running import summary

SMOKE = ("--preset", "smoke", "--epochs", "2", "--batch-size", "20", "--network.precision", "float32")
BRIGHT = {"cats": (200, 30, 30), "dogs": (30, 200, 30)}


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """A folder of two classes with training, test and unlabelled images in colour, of different sizes."""
    root = tmp_path_factory.mktemp("pets") / "pets"
    generator = np.random.default_rng(0)

    def add(folder, colour, count):
        folder.mkdir(parents=True)
        for i in range(count):
            height, width = 6 + i % 3, 7 + i % 2
            pixels = generator.integers(0, 60, (height, width, 3)) + np.asarray(colour) * 0.8
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")

    for name, colour in BRIGHT.items():
        add(root / "train" / name, colour, 40)
        add(root / "test" / name, colour, 10)
    add(root / "unlabelled", (100, 100, 0), 20)
    return root


@pytest.fixture(scope="module")
def trained(pets, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "run"
    flags = ("--dataset", f"folder:{pets}", "--image-size", "6", "7", "--labels", "20", "--out-dir", str(out))
    assert run_model("semi_supervised", [*SMOKE, *flags, "--baseline-share", "0"]) == 0
    return out


def test_classes_are_learnt_from_image_files(trained):
    found = summary(trained)
    assert found["data"]["name"] == "folder:pets"
    assert found["splits"] == {"labelled": 20, "pool": 92, "unlabelled": 20, "validation": 8, "test": 20}
    assert found["test"]["error"]["mean"] <= 0.5


def test_its_model_is_evaluated_on_image_files_of_any_size(trained, pets, capsys):
    assert cli.main(["evaluate", str(trained)]) == 0
    assert "test error" in capsys.readouterr().out
    assert cli.main(["evaluate", str(trained), "--dataset", f"folder:{pets / 'test'}"]) == 0


def test_its_model_classifies_pictures(trained, pets, capsys):
    assert cli.main(["predict", str(trained), str(pets / "test" / "cats"), "--resize"]) == 0
    assert "cats" in capsys.readouterr().out


def test_its_splits_are_written_as_files(pets, tmp_path):
    flags = ("--dataset", f"folder:{pets}", "--image-size", "6", "--labels", "10", "--dir-path", str(tmp_path / "s"))
    assert cli.main(["init-datasets", *flags]) == 0
    with np.load(tmp_path / "s" / "train_labeled.npz") as stored:
        assert stored["x"].shape == (10, 6, 6, 3)


def test_the_data_are_described(pets, capsys):
    assert cli.main(["data", "check", f"folder:{pets}", "--image-size", "8", "6"]) == 0
    shown = capsys.readouterr().out
    assert "train    100 of 8 x 6 x 3, uint8" in shown
    assert "(no label)        20" in shown


REFUSED = {
    "sizes differ": ((), r"has \d × \d pixels, but .* \d × \d; give --image-size"),
    "too many labels": (
        ("--image-size", "6", "--labels", "90"),
        "more than the 72 images with a label to train on; give at most 7",
    ),
    "three sides": (("--image-size", "6", "6", "6"), "image_size is 6 6 6; give height and width"),
}


@pytest.mark.parametrize(("flags", "complaint"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_one_sentence_and_leaves_nothing(pets, capsys, tmp_path, flags, complaint):
    out = tmp_path / "run"
    argv = [*SMOKE, "--dataset", f"folder:{pets}", *flags, "--out-dir", str(out)]
    assert run_model("semi_supervised", argv) == 2
    error = capsys.readouterr().err
    assert error.strip().count("\n") == 0
    assert not out.exists()
    assert re.search(complaint, error)


def test_bad_images_are_skipped_by_a_flag_alone(pets, capsys, tmp_path):
    copied = tmp_path / "pets"
    shutil.copytree(pets, copied)
    (copied / "train" / "cats" / "3.png").write_bytes(b"")
    argv = [*SMOKE, "--dataset", f"folder:{copied}", "--image-size", "6", "--out-dir", str(tmp_path / "run")]
    assert run_model("autoencoder", argv) == 2
    assert "3.png is empty; replace it, or give --skip-bad-images" in capsys.readouterr().err
    assert run_model("autoencoder", [*argv, "--skip-bad-images"]) == 0
    assert "Left out 1 of 120 image files, which cannot be read: 'train/cats/3.png'." in "".join(capsys.readouterr())
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["splits"]["pool"] == 91


COLOURFUL = (
    *("--views.max-shift", "1", "--views.border", "reflect", "--views.flip", "0.5"),
    *("--views.brightness", "0.2", "--views.contrast", "0.2", "--views.saturation", "0.2"),
)


def test_augmented_colours_are_trained_on_and_resumed(pets, tmp_path):
    out = tmp_path / "run"
    argv = [*SMOKE, "--dataset", f"folder:{pets}", "--image-size", "6", *COLOURFUL, "--out-dir", str(out)]
    assert run_model("autoencoder", argv) == 0
    assert np.isfinite(summary(out)["test"]["reconstruction_error"]["mean"])
    assert (
        run_model("autoencoder", ["--config-path", str(out / "config.yaml"), "--out-dir", str(tmp_path / "b")]) == 0
    )
    assert summary(tmp_path / "b")["test"] == summary(out)["test"]


def test_jitter_is_swept_in_one_program(pets, tmp_path, capsys):
    flags = ("--preset", "smoke", "--epochs", "1", "--batch-size", "20", "--dataset", f"folder:{pets}")
    more = ("--image-size", "6", "--vary", "views.brightness=0,0.3", "--out-dir", str(tmp_path / "sweep"))
    assert sweep.main(["autoencoder", *flags, *more]) == 0
    assert "views.brightness" in capsys.readouterr().out


WITHOUT_COLOURS = {
    "digits": ("--views.saturation", "views.saturation is 0.5, but the images are not RGB"),
    "vectors": ("--views.flip", "views.flip is 0.5, but the data are plain vectors"),
}


@pytest.mark.parametrize("kind", WITHOUT_COLOURS)
def test_augmentation_that_the_data_do_not_have(tmp_path, capsys, kind):
    flag, complaint = WITHOUT_COLOURS[kind]
    np.savez(tmp_path / "vectors.npz", x=np.random.default_rng(0).normal(size=(80, 4)))
    data = "digits" if kind == "digits" else f"npz:{tmp_path / 'vectors.npz'}"
    argv = [*SMOKE, "--dataset", data, flag, "0.5", "--out-dir", str(tmp_path / "run")]
    assert run_model("autoencoder", argv) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_border_needs_a_shift(tmp_path, capsys):
    argv = [*SMOKE, "--dataset", "digits", "--views.border", "edge", "--views.max-shift", "0"]
    assert run_model("autoencoder", [*argv, "--out-dir", str(tmp_path / "run")]) == 2
    assert "views.border is edge, but views.max_shift is 0; give a shift, or black" in capsys.readouterr().err
