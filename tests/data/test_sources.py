import pytest

from aae_jax.data import Reporter, load_dataset
from aae_jax.errors import InputError
from tests.data.conftest import load_mnist


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
