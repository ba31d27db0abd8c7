"""Input that cannot be used: one sentence, exit status 2, and nothing left behind."""

import gzip

import numpy as np
import pytest

from aae_jax import cli
from aae_jax.data.known import stems
from tests.runs.running import contents, copied, status

DIGITS = ("--preset", "smoke", "--dataset", "digits")
MNIST = ("--preset", "smoke", "--dataset", "mnist")


def refused(capsys, tmp_path, *argv):
    """Return the sentence; check that it is one, and that no folder was made."""
    out = tmp_path / "out"
    assert status(*argv, "--out-dir", out) == 2
    said = capsys.readouterr().err
    assert not out.exists()
    assert not list((tmp_path / "here").iterdir())
    assert not (tmp_path / "home").exists()
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ((*DIGITS, "--labels", "5000"), ["5000"]),
        ((*DIGITS, "--labels", "0"), ["0"]),
        ((*DIGITS, "--labels", "-3"), ["-3"]),
        ((*DIGITS, "--labels", "7"), ["7", "10"]),
        ((*DIGITS, "--batch-size", "100000"), ["batch_size is 100000", "1212"]),
        ((*DIGITS, "--epochs", "0"), ["epochs is 0"]),
        ((*DIGITS, "--validation-size", "0"), ["validation_size is 0", "every run is validated"]),
        ((*DIGITS, "--validation-size", "-1"), ["validation_size is -1"]),
        ((*DIGITS, "--validation-size", "9999"), ["validation_size is 9999", "1347 training images"]),
        ((*DIGITS, "--num-seeds", "0"), ["num_seeds is 0"]),
        ((*DIGITS, "--network.hidden", "32", "-1"), ["network.hidden[1] is -1"]),
        ((*DIGITS, "--views.noise-std", "nan"), ["views.noise_std is nan"]),
        (
            (*DIGITS, "--optimizers.generator.learning-rate", "-1"),
            ["optimizers.generator.learning_rate is -1"],
        ),
        (("--dataset", "digit"), ["'digit'", "did you mean 'digits'"]),
        (("--dataset", "imagenet"), ["'imagenet'", "auto, cifar10, digits, emnist/balanced"]),
        (("--preset", "smoky"), ["'smoky'", "did you mean 'smoke'"]),
        (("--preset", "x"), ["'x'", "conan7882, default, fducau"]),
        (("--config-path", "no.yaml"), ["no.yaml"]),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, tuple) else "",
)
def test_flags(argv, words, capsys, tmp_path):
    said = refused(capsys, tmp_path, *argv)
    assert [word for word in words if word not in said] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epoch: 3", ["'epoch'", "did you mean 'epochs'"]),
        ("network:\n  hiden: [3]", ["'network.hiden'", "'network.hidden'"]),
        ("zzzz: 1", ["'zzzz'", "known are"]),
        ("seed: fast", ["seed is 'fast'", "a whole number"]),
        ("seed: 1.5", ["seed is 1.5"]),
        ("baseline_share: fast", ["baseline_share is 'fast'", "a number"]),
        ("labels: some", ["labels is 'some'", "'all'"]),
        ("network:\n  hidden: 100", ["network.hidden is 100", "list"]),
        ("network:\n  output: sigmoidal", ["network.output is 'sigmoidal'", "'sigmoid'"]),
        ("network: 3", ["network is 3", "mapping"]),
        ("network:\n  batch_norm: 1", ["network.batch_norm is 1", "true or false"]),
        ("averaging:\n  decay: 1.5", ["averaging.decay is 1.5"]),
        ("- 1\n- 2", ["list"]),
        ("a: [1", ["not valid YAML"]),
        ("seed: 2020-13-45", ["not valid YAML"]),
        ("\x00", ["not valid YAML"]),
    ],
)
def test_configuration_files(text, words, capsys, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    said = refused(capsys, tmp_path, *DIGITS, "--config-path", path)
    assert [word for word in words if word not in said] == []


@pytest.mark.parametrize(
    ("flag", "named"),
    [
        ("--epoch=3", "--epochs"),
        ("--presett=x", "--preset"),
        ("--epochs=2.5", "--epochs"),
        ("--no-tset", "--no-test"),
        ("--epochs", "--epochs"),
        ("--network.output=sigmoidal", "sigmoid"),
        ("--labels=some", "--labels"),
        ("words", "words"),
    ],
)
def test_unknown_flags_and_wrong_types(flag, named, capsys, tmp_path):
    said = refused(capsys, tmp_path, *DIGITS, flag)
    assert flag.split("=")[0] in said
    assert named in said
    assert not (tmp_path / "out").exists()


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


@pytest.fixture
def foreign(tmp_path):
    """Four well-formed IDX files that are not MNIST."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name in stems():
        array = np.zeros((20, 28, 28) if "images" in name else (20,), np.uint8)
        (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
    return folder


def cut(path):
    path.write_bytes(path.read_bytes()[:20])


def cut_inside(path):
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-5]))


def change_magic(path):
    path.write_bytes(gzip.compress(b"\x89PNG" + gzip.decompress(path.read_bytes())[4:]))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda path: path.unlink(), ["train-images-idx3-ubyte", "missing", "--data-dir"]),
        (cut, ["truncated"]),
        (cut_inside, ["truncated"]),
        (change_magic, ["not an IDX file"]),
        (lambda path: None, ["is not MNIST's train-images-idx3-ubyte", "SHA-256"]),
    ],
    ids=["missing", "cut", "cut inside", "magic", "other content"],
)
@pytest.mark.parametrize("by", ["flag", "environment"])
def test_files_of_mnist(harm, words, by, foreign, capsys, tmp_path, monkeypatch):
    harm(foreign / "train-images-idx3-ubyte.gz")
    if by == "environment":
        monkeypatch.setenv("AAE_DATA_DIR", str(foreign))
    flag = ("--data-dir", foreign) if by == "flag" else ()
    said = refused(capsys, tmp_path, *MNIST, *flag)
    assert [word for word in words if word not in said] == []
    assert not (tmp_path / "cache").exists()


def test_mnist_without_a_folder(capsys, tmp_path):
    assert "--data-dir FOLDER" in refused(capsys, tmp_path, *MNIST)


@pytest.mark.parametrize("kind", ["run", "file"])
def test_an_occupied_folder_is_left_alone(kind, plain, tmp_path, capsys):
    folder = copied(plain, tmp_path / "run")
    folder = folder if kind == "run" else folder / "config.yaml"
    before = contents(tmp_path / "run")
    assert status(*DIGITS, "--out-dir", folder) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {folder} is not empty")
    assert f"--resume {folder}" in said
    assert contents(tmp_path / "run") == before


def test_a_folder_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert status(*DIGITS, "--out-dir", tmp_path / "file" / "run") == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["trian"], ["'trian'", "did you mean 'train'"]),
        (["train"], ["semi-supervised"]),
        (["train", "semi_supervise"], ["did you mean 'semi-supervised'"]),
        (["train", "semi-supervised", "--preset", "smoky"], ["did you mean 'smoke'"]),
    ],
)
def test_the_installed_command(argv, words, capsys, tmp_path):
    assert cli.main(argv) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert [word for word in words if word not in said] == []
    assert not list((tmp_path / "here").iterdir())


@pytest.mark.parametrize("argv", [[], ["-h"], ["--help"]])
def test_the_installed_command_has_a_usage(argv, capsys):
    assert cli.main(argv) == 0
    assert "train semi-supervised" in capsys.readouterr().out
