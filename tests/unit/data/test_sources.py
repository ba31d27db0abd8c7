import time

import numpy as np
import pytest

from aae_jax.data import Reporter, load_dataset
from aae_jax.data.dataset import count_repeated
from aae_jax.errors import InputError
from tests.unit.data.conftest import load_mnist


@pytest.fixture
def notices():
    return []


@pytest.fixture
def load(tmp_path, notices):
    class Noting(Reporter):
        def notice(self, message):
            notices.append(message)

    def load_and_note(name, **options):
        return load_dataset(name, cache_dir=tmp_path / "cache", reporter=Noting(), **options)

    return load_and_note


def test_an_unknown_name_is_answered_with_the_nearest(load):
    with pytest.raises(InputError, match="'mnits'; did you mean 'mnist'"):
        load("mnits")


def test_digits_need_no_folder(load, notices):
    assert load("digits", split_seed=1).name == "digits"
    assert load("digits", split_seed=1).sha256 != load("digits").sha256
    assert notices == []


def test_mnist_from_the_folder_given_then_the_environment_then_the_cache(load, small_mnist, monkeypatch, tmp_path):
    monkeypatch.setenv("AAE_DATA_DIR", str(tmp_path / "none"))
    assert load("mnist", data_dir=small_mnist).name == "mnist"
    with pytest.raises(InputError, match="does not exist"):
        load("mnist")
    monkeypatch.setenv("AAE_DATA_DIR", str(small_mnist))
    assert load("mnist").source == f"IDX files in {small_mnist}"
    monkeypatch.delenv("AAE_DATA_DIR")
    assert load("mnist").name == "mnist"


def test_mnist_that_is_not_at_hand_is_an_error(load, notices):
    with pytest.raises(InputError, match="AAE_DATA_DIR"):
        load("mnist")
    assert notices == []


def test_auto_takes_mnist_where_it_is_at_hand(load, small_mnist, monkeypatch, notices):
    assert load("auto", data_dir=small_mnist).name == "mnist"
    assert load("auto").name == "mnist"
    monkeypatch.setenv("AAE_DATA_DIR", str(small_mnist))
    assert load("auto").name == "mnist"
    assert notices == []


def test_auto_falls_back_with_a_notice(load, notices):
    assert load("auto").name == "digits"
    (notice,) = notices
    for part in (
        "embedded digits",
        "not MNIST",
        "train-images-idx3-ubyte.gz",
        "--data-dir FOLDER",
        "AAE_DATA_DIR",
    ):
        assert part in notice


def test_auto_refuses_a_given_folder_without_mnist(load, notices, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no MNIST"):
        load("auto", data_dir=tmp_path / "empty")
    assert notices == []


def test_auto_says_that_the_environments_folder_holds_no_mnist(load, notices, tmp_path, monkeypatch):
    monkeypatch.setenv("AAE_DATA_DIR", str(tmp_path / "none"))
    assert load("auto").name == "digits"
    assert f"{tmp_path / 'none'} does not exist" in notices[0]


def test_auto_does_not_hide_damage(load, small_mnist, notices):
    path = small_mnist / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(InputError, match="truncated"):
        load("auto", data_dir=small_mnist)
    assert notices == []


def test_the_notice_goes_to_the_error_stream(tmp_path, capsys):
    load_dataset("auto", cache_dir=tmp_path)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "not MNIST" in captured.err


def test_a_loaded_cache_is_the_same_data(load, small_mnist, tmp_path):
    direct = load_mnist(small_mnist, cache_dir=tmp_path / "other")
    assert load("mnist", data_dir=small_mnist).sha256 == direct.sha256


def save_own(path, train, test, labels=None):
    arrays = {"x_train": train, "x_test": test}
    if labels is not None:
        arrays |= {"y_train": labels[: len(train)], "y_test": labels[len(train) :]}
    np.savez(path, **arrays)
    return f"npz:{path}"


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("labelled", [True, False])
def test_test_images_that_are_training_images_are_counted(load, notices, tmp_path, kind, labelled):
    images = np.random.default_rng(0).integers(0, 256, (60, 5, 4)).astype(kind) / kind(1 if kind == np.uint8 else 255)
    train, test = images[:40].astype(kind), images[40:].astype(kind)
    labels = np.arange(60) % 3 if labelled else None
    load(save_own(tmp_path / "a.npz", train, test, labels))
    assert notices == []
    test[3], test[7], test[8] = train[0], train[5], train[5]
    train[20] = train[5]
    name = save_own(tmp_path / "a.npz", train, test, labels)
    load(name)
    (notice,) = notices
    assert notice.startswith("3 of the 20 test images of npz:a.npz are also training images")


def test_repeated_images_of_known_sets_are_not_sought(load, notices, monkeypatch, small_mnist):
    monkeypatch.setattr("aae_jax.data.sources.count_repeated", lambda *_: 1 / 0)
    load("mnist", data_dir=small_mnist)
    load("digits")
    assert notices == []


def test_counting_repeated_images_takes_no_time():
    images = np.random.default_rng(0).integers(0, 256, (70_000, 28, 28)).astype(np.uint8)
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        assert count_repeated(images[:60_000], images[60_000:]) == 0
        seconds.append(time.perf_counter() - begun)
    assert min(seconds) < 0.5  # 0.08 s on an idle core


def test_how_the_data_were_read_is_noticed(load, notices, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (60, 5, 4)).astype(np.uint8)
    load(save_own(tmp_path / "a.npz", images[:40], images[40:], np.where(np.arange(60) < 50, np.arange(60) % 3, -1)))
    assert notices == ["10 of the 20 test images of npz:a.npz have no label and join the training images."]
