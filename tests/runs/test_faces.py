"""Faces: people seen and unseen, samples, animated paths between neighbours."""

import shutil

import numpy as np
import pytest
from PIL import Image

from aae_jax import cli, load
from aae_jax.commands.faces import main
from aae_jax.data import load_dataset
from tests.runs.running import drawing, summary

SMALL = (
    *("--network.hidden", "16", "--network.latent-dim", "6", "--network.discriminator-hidden", "8"),
    *("--epochs", "2", "--batch-size", "10", "--network.precision", "float32", "--checkpoint-seconds", "0"),
)


@pytest.fixture(scope="module")
def lfw(tmp_path_factory):
    """Twenty-five people with one or two images of 16 × 12 pixels."""
    root = tmp_path_factory.mktemp("data")
    for person in range(25):
        folder = root / "lfw" / f"Person_{person:02}"
        folder.mkdir(parents=True)
        for i in range(1 + person % 2):
            generator = np.random.default_rng(10 * person + i)
            pixels = generator.integers(0, 60, (16, 12, 3)) + np.linspace(0, 150, 16)[:, None, None]
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{folder.name}_{i:04}.png")
    return root


@pytest.fixture(scope="module")
def trained(lfw, tmp_path_factory):
    out = tmp_path_factory.mktemp("faces") / "run"
    with drawing():
        assert main([*SMALL, "--judge-updates", "1", "--data-dir", str(lfw), "--out-dir", str(out)]) == 0
    return out


def test_people_seen_and_unseen_are_measured(trained, lfw):
    found = summary(trained)
    assert found["data"]["name"] == "lfw/first"
    assert found["splits"]["test"] == 2
    measured = found["generation"]
    assert set(measured["reconstruction"]) == {"seen", "unseen"}
    assert measured["samples"]["frechet_distance"]["mean"] > 0
    model = load(trained / "model")
    images = load_dataset("lfw/first", data_dir=lfw).test_images
    error = np.mean((model.reconstruct(images) - images / 255) ** 2)
    np.testing.assert_allclose(measured["reconstruction"]["unseen"]["mean"], error, rtol=1e-4)


def test_paths_between_neighbours_are_animated(trained):
    with Image.open(trained / "figures" / "neighbours.gif") as animation:
        assert animation.n_frames == 62
        assert animation.size == (3 * 2 * 12, 3 * 16)  # two unseen people, side by side, three times as large
        frames = []
        for i in (0, 31, 61, 1):
            animation.seek(i)
            frames.append(np.asarray(animation.convert("RGB")).astype(int))
    assert np.abs(frames[0] - frames[1]).max() >= np.abs(frames[0] - frames[3]).max()
    assert (trained / "figures" / "reconstructions_seen.png").is_file()
    assert (trained / "figures" / "samples.png").is_file()


def test_its_run_is_one_of_the_unsupervised_model(trained, capsys):
    assert cli.main(["evaluate", str(trained)]) == 0
    assert main(["--resume", str(trained)]) == 0
    assert "is finished" in "".join(capsys.readouterr())


def test_every_image_of_a_person_may_be_taken(lfw, tmp_path):
    flags = ("--images-per-person", "all", "--judge-updates", "0", "--data-dir", str(lfw))
    assert main([*SMALL, *flags, "--out-dir", str(tmp_path / "run")]) == 0
    assert summary(tmp_path / "run")["data"]["name"] == "lfw"


REFUSED = {
    "a number": (("--images-per-person", "2"), "--images-per-person is '2'; give one or all"),
    "nothing": (("--images-per-person",), "--images-per-person is '--out-dir'; give one or all"),
    "two data sets": (("--images-per-person=all", "--dataset", "digits"), "but --dataset is given too"),
    "no data": ((), "Labeled Faces in the Wild is not available locally"),
}


@pytest.mark.parametrize(("flags", "complaint"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_one_sentence(tmp_path, capsys, flags, complaint):
    assert main([*flags, "--out-dir", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.strip().count("\n") == 0
    assert not (tmp_path / "run").exists()


def test_one_person_is_too_few(lfw, tmp_path, capsys):
    shutil.copytree(lfw / "lfw" / "Person_01", tmp_path / "lfw" / "Person_01")
    assert main(["--data-dir", str(tmp_path), "--out-dir", str(tmp_path / "run")]) == 2
    assert "holds images of 1 people; give a folder for each of several" in capsys.readouterr().err


def test_the_path_between_two_pictures(trained, lfw, tmp_path, capsys):
    first, second = sorted((lfw / "lfw" / "Person_01").iterdir())
    out = tmp_path / "path.npz"
    assert cli.main(["interpolate", str(trained), str(first), str(second), "--steps", "5", "--out", str(out)]) == 0
    with np.load(out) as stored:
        assert stored["images"].shape == (1, 5, 16, 12, 3)
        model = load(trained / "model")
        ends = np.stack([np.asarray(Image.open(path)) for path in (first, second)])
        np.testing.assert_allclose(stored["images"][0, [0, -1]], model.reconstruct(ends), atol=1e-5)
    assert cli.main(["interpolate", str(trained), str(first)]) == 2
    assert "has only one image; give at least two, or a second picture after it" in capsys.readouterr().err
    assert cli.main(["interpolate", str(trained), str(first.parent), str(second)]) == 2
    assert "hold 2 and 1 images; give two pictures, or one folder or array" in capsys.readouterr().err
