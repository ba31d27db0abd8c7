"""`aae-jax` on a trained model of digits: pictures in, and every bad input in one sentence."""

import json
import struct

import numpy as np
import pytest
from PIL import Image

from aae_jax import cli, data, load
from aae_jax.data.known import stems
from tests.runs.running import summary


@pytest.fixture
def pictures(tmp_path):
    """A folder of digits as PNG, one of them as a larger JPEG, and something that is none."""
    folder = tmp_path / "some pictures"
    folder.mkdir()
    digits = data.load_digits()
    for index in range(3):
        Image.fromarray(digits.test_images[index]).save(folder / f"{index}.png")
    Image.fromarray(digits.test_images[3]).convert("RGB").resize((80, 80)).save(folder / "large.JPG", format="jpeg")
    (folder / "notes.txt").write_text("not a picture")
    return folder


def call(*argv):
    return cli.main([str(argument) for argument in argv])


def test_pictures_are_classified_as_arrays_are(finished, pictures, capsys, tmp_path):
    (pictures / "large.JPG").unlink()
    assert call("predict", finished, pictures, "--out", tmp_path / "table.csv") == 0
    lines = (tmp_path / "table.csv").read_text().splitlines()
    np.save(tmp_path / "same.npy", data.load_digits().test_images[:3])
    capsys.readouterr()
    assert call("predict", finished, tmp_path / "same.npy") == 0
    others = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["0.png", "1.png", "2.png"]
    assert [line.split(",")[1:] for line in lines] == [line.split(",")[1:] for line in others]
    assert call("predict", finished, pictures / "0.png") == 0
    alone, together = (line.split(",") for line in (capsys.readouterr().out.splitlines()[1], lines[1]))
    assert alone[:2] == together[:2]
    # A batch of another length may be summed in another order.
    assert list(map(float, alone[2:])) == pytest.approx(list(map(float, together[2:])), abs=2e-6)


def test_calibrated_probabilities_are_those_at_the_models_temperature(finished, pictures, capsys, tmp_path):
    images = data.load_digits().test_images[:3]
    np.save(tmp_path / "three.npy", images)
    assert call("predict", finished, tmp_path / "three.npy", "--calibrated") == 0
    rows = [line.split(",") for line in capsys.readouterr().out.splitlines()[1:]]
    model = load(finished)
    assert [row[1] for row in rows] == [str(label) for label in np.asarray(model.predict(images))]
    shown = np.array([[float(chance) for chance in row[2:]] for row in rows])
    np.testing.assert_allclose(shown, model.predict_proba(images, calibrated=True), atol=1e-6)
    assert np.abs(shown - np.asarray(model.predict_proba(images))).max() > 1e-4


def test_evaluate_says_how_far_probabilities_can_be_trusted(finished, capsys, tmp_path):
    assert call("evaluate", finished, "--out", tmp_path / "found.json") == 0
    said = capsys.readouterr().out
    found = json.loads((tmp_path / "found.json").read_text())["calibration"]
    recorded = summary(finished)["calibration"]
    assert found["expected_calibration_error"] == pytest.approx(recorded["expected_error"]["mean"], abs=1e-6)
    assert found["calibrated"]["expected_calibration_error"] == pytest.approx(
        recorded["calibrated_error"]["mean"], abs=1e-6
    )
    assert f"expected calibration error {100 * found['expected_calibration_error']:.2f} %" in said
    assert f"at temperature {found['temperature']:.2f}" in said


def test_larger_pictures_are_resized_when_asked(finished, pictures, capsys):
    assert call("predict", finished, pictures) == 2
    assert "is 80 x 80 pixels, but the model takes 8 x 8; give --resize" in capsys.readouterr().err
    assert call("predict", finished, pictures, "--resize") == 0
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_dark_on_light_is_turned_round(finished, pictures, capsys, tmp_path):
    image = data.load_digits().test_images[0]
    Image.fromarray(255 - image).save(tmp_path / "0.png")
    assert call("predict", finished, tmp_path / "0.png", "--invert") == 0
    inverted = capsys.readouterr().out
    assert call("predict", finished, pictures / "0.png") == 0
    assert capsys.readouterr().out == inverted


def test_what_is_transparent_is_shown_on_white(finished, capsys, tmp_path):
    """Drawings on no ground: their alpha is the drawing, the colour below it is entirely black."""
    rows = []
    for i, image in enumerate(data.load_digits().test_images[:2]):
        drawing = Image.new("LA", (8, 8), (0, 0))
        drawing.putalpha(Image.fromarray(image))
        drawing.save(tmp_path / "clear.png")
        Image.fromarray(255 - image).save(tmp_path / "opaque.png")
        for name in ("clear.png", "opaque.png"):
            assert call("predict", finished, tmp_path / name, "--invert") == 0
            rows.append(capsys.readouterr().out.splitlines()[1].split(",", 1)[1])
        assert rows[2 * i] == rows[2 * i + 1]
    assert rows[0] != rows[2]


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_figures_are_drawn(finished, pictures, ending, tmp_path):
    assert call("reconstruct", finished, pictures, "--resize", "--out", tmp_path / f"r.{ending}") == 0
    assert call("generate", finished, "--out", tmp_path / f"g.{ending}") == 0
    assert all((tmp_path / f"{name}.{ending}").stat().st_size > 1000 for name in "rg")


def test_arrays_are_known_by_what_they_hold(finished, capsys, tmp_path):
    """An IDX file may have any name."""
    images = data.load_digits().test_images[:3]
    (tmp_path / "my-digits.bin").write_bytes(b"\0\0\x08\3" + struct.pack(">3I", *images.shape) + images.tobytes())
    np.save(tmp_path / "same.npy", images)
    assert call("predict", finished, tmp_path / "my-digits.bin") == 0
    table = capsys.readouterr().out
    assert call("predict", finished, tmp_path / "same.npy") == 0
    assert capsys.readouterr().out == table


def test_evaluate_tells_other_data(finished, capsys):
    assert call("evaluate", finished, "--dataset", "digits", "--split-seed", "3") == 0
    assert "not, bit for bit, the data" in capsys.readouterr().out
    assert call("evaluate", finished / "model") == 0
    expected = summary(finished)["test"]["error"]["mean"]
    assert f"test error     {100 * expected:.2f} % of 450 images" in capsys.readouterr().out


BAD = [
    (["predict"], "MODEL"),
    (["predict", "{run}"], "IMAGES"),
    (["predict", "{run}", "none.png"], "none.png does not exist"),
    (["predict", "{run}", "{here}/empty"], "holds no pictures"),
    (["predict", "{run}", "{here}/broken.png"], "cannot be read as a picture"),
    (["predict", "{run}", "{here}/wrong.npy"], "The model takes uint8 images of shape [n, 8, 8]"),
    (["predict", "{run}", "{here}/object.npy"], "not a complete npy file of numbers"),
    (["predict", "{run}", "{here}/lie.npy"], "not a complete npy file of numbers"),
    (["predict", "{run}", "{here}/text"], "is not in a supported format"),
    (["predict", "{run}", "{here}/float.npy", "--invert"], "--invert is for bytes"),
    (["predict", "{here}/empty", "{here}/broken.png"], "holds no saved model"),
    (["predict", "{run}", "{here}/good.png", "--out", "/proc/none/table.csv"], "cannot be written"),
    (["evaluate", "{run}", "--dataset", "digit"], "did you mean 'digits'"),
    (["evaluate", "{run}", "--dataset", "npz:{here}/other.npz"], "give the --dataset that it was trained on"),
    (["generate", "{run}", "--count", "0"], "--count is 0"),
    (["predict", "{run}", "{here}/good.png", "--out", "."], "which is a folder"),
    (["predict", "{run}", "x" * 300], "cannot be read"),
    (["evaluate", "x" * 300], "cannot be read"),
    (["evaluate", "{run}", "--dataset", "npz:{here}/names.npz"], "has the classes ant, bee"),
    (["train", "semi-supervised", "--resume", "x" * 300], "is not the folder of a run"),
    (["train", "semi-supervised", "--preset"], "--preset"),
    (["train", "semi-supervised", "--network.hidden"], "network.hidden is empty"),
    (["generate", "{run}", "--seed", "-1"], "--seed is -1"),
    (["generate", "{run}", "--label", "x"], "There is no class 'x'"),
    (["generate", "{run}", "--out", "samples.gif"], "give a name that ends in .png, .svg or .npz"),
    (["generate", "{run}", "--styles", "3"], "--styles"),
    (["data"], "aae-jax data needs an action; give one of list, fetch, check"),
    (["data", "lst"], "did you mean 'list'"),
    (["data", "fetch", "auto"], "'auto' is not a data set that can be fetched"),
    (["data", "fetch", "mnist"], "AAE_OFFLINE is set"),
    (["data", "check", "npz:{here}/wrong.npy"], "not a complete npz file"),
    (["trian"], "did you mean 'train'"),
    (["train", "semi"], "choose one of autoencoder, clustering, dim-reduction"),
]


@pytest.fixture
def here(tmp_path):
    folder = tmp_path / "inputs"
    (folder / "empty").mkdir(parents=True)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    (folder / "text").write_text("<html>")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "good.png")
    np.save(folder / "wrong.npy", np.zeros((3, 9, 8), np.uint8))
    np.save(folder / "float.npy", np.zeros((3, 8, 8)))
    np.save(folder / "object.npy", np.array([{"an": "object"}]), allow_pickle=True)
    raw = (folder / "wrong.npy").read_bytes()
    (folder / "lie.npy").write_bytes(raw.replace(b"(3, 9, 8)", b"(9**9,)  ").replace(b"9**9,)  ", b"99999999)"[:8]))
    names = np.array(["ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen", "ibis", "jay"])
    np.savez(folder / "names.npz", x=np.full((80, 8, 8), 99, np.uint8), y=names[np.arange(80) % 10])
    np.savez(folder / "other.npz", x=np.full((40, 5, 5), 99, np.uint8), y=np.arange(40) % 2)
    return folder


@pytest.mark.parametrize(("argv", "words"), BAD, ids=[" ".join(argv) for argv, _ in BAD])
def test_bad_input_is_one_sentence(argv, words, finished, here, capsys, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    filled = [argument.format(run=finished, here=here) for argument in argv]
    assert cli.main(filled) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert words in said
    assert sorted(path for path in tmp_path.rglob("*") if "cache" not in str(path)) == before


def test_pictures_of_sixteen_bits(finished, capsys, tmp_path):
    image = data.load_digits().test_images[0]
    Image.fromarray(image.astype(np.uint16) * 257).save(tmp_path / "16.png")
    Image.fromarray(image).save(tmp_path / "8.png")
    tables = []
    for name in ("16.png", "8.png"):
        assert call("predict", finished, tmp_path / name) == 0
        tables.append(capsys.readouterr().out.splitlines()[1].split(",")[1:])
    assert tables[0] == tables[1]


def test_train_has_a_usage(capsys):
    assert call("train", "--help") == 0
    assert "semi-supervised" in capsys.readouterr().out


def test_data_are_listed_and_described(capsys, tmp_path):
    assert call("data", "list", "--data-dir", tmp_path) == 0
    listed = capsys.readouterr().out
    assert "kmnist           not available: `aae-jax data fetch kmnist`" in listed
    for name in stems():
        (tmp_path / name).write_bytes(b"")
    assert call("data", "list", "--data-dir", tmp_path) == 0
    listed = capsys.readouterr().out
    assert f"kmnist           files of these names in {tmp_path}" in listed
    assert f"mnist            IDX files in {tmp_path} (not read yet)" in listed
    assert call("data", "check", "digits") == 0
    described = capsys.readouterr().out
    assert data.load_digits().sha256 in described
    assert "train    1347 of 8 x 8, uint8" in described
    assert call("data", "fetch", "digits") == 0
    assert call("data", "--help") == 0
    for command in ("evaluate", "predict", "reconstruct", "generate"):
        with pytest.raises(SystemExit) as end:
            call(command, "--help")
        assert end.value.code in (0, None)
    assert "--resize" in capsys.readouterr().out
