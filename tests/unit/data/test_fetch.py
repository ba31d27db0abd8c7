"""From no local files to a cached, prepared data set, by way of TFDS's catalogue and a server on the loopback."""

import gzip
import hashlib
import shutil
import tempfile

import numpy as np
import pytest
from PIL import Image

from aae_jax.data import DownloadError, MissingDataError, Reporter, build_dataset, load_dataset
from aae_jax.data.download import Remote
from aae_jax.data.known import KNOWN
from aae_jax.data.readers import tfds_copy
from aae_jax.errors import InputError
from tests.unit.data.conftest import idx_bytes, small_arrays
from tests.unit.data.server import serve

needs_array_record = pytest.mark.skipif(not tfds_copy.can_prepare(), reason="array_record has wheels for Linux only")


class Noting(Reporter):
    def __init__(self):
        self.notices, self.steps = [], []

    def notice(self, message):
        self.notices.append(message)

    def progress(self, name, done, total):
        self.steps.append((name, done, total))


@pytest.fixture
def server(monkeypatch):
    """A server of small sets that TFDS's catalogue is made to point at; the network is allowed."""
    monkeypatch.delenv("AAE_OFFLINE")
    monkeypatch.setitem(KNOWN, "mnist", KNOWN["mnist"]._replace(sha256=None))
    files = {
        f"/{stem}.gz": gzip.compress(idx_bytes(array))
        for stem, array in zip(KNOWN["kmnist"].files, small_arrays(), strict=True)
    }
    with serve(files) as running:

        def catalogue(name):
            running.named = name
            return [
                Remote(running.url + path, len(content), hashlib.sha256(content).hexdigest())
                for path, content in running.files.items()
            ]

        monkeypatch.setattr(tfds_copy, "catalogue", catalogue)
        yield running


def load(tmp_path, name="kmnist", data_dir=None, reporter=None):
    return load_dataset(name, data_dir=data_dir, cache_dir=tmp_path / "cache", reporter=reporter or Noting())


@pytest.mark.parametrize("folder", [None, "data"])
def test_fetched_once_then_at_hand(server, tmp_path, folder, monkeypatch):
    data_dir = None if folder is None else tmp_path / folder
    if data_dir is not None:
        data_dir.mkdir()
    said = Noting()
    first = load(tmp_path, data_dir=data_dir, reporter=said)
    np.testing.assert_array_equal(first.train_images, small_arrays()[0])
    assert first.class_names == KNOWN["kmnist"].class_names
    assert "checksum" not in first.source  # TFDS's checksums were compared
    assert server.named == "kmnist"
    (notice,) = said.notices
    assert "Kuzushiji-MNIST is not available locally: fetching" in notice
    assert {name for name, _, _ in said.steps} == {f"{stem}.gz" for stem in KNOWN["kmnist"].files}
    monkeypatch.setenv("AAE_OFFLINE", "1")
    asked = len(server.asked)
    again = load(tmp_path, data_dir=data_dir)
    assert (again.sha256, again.source) == (first.sha256, first.source)
    (tmp_path / "cache" / "kmnist.npz").unlink()
    assert load(tmp_path, data_dir=data_dir).sha256 == first.sha256
    assert len(server.asked) == asked


@needs_array_record
def test_the_copy_is_what_tfds_reads_in_the_original_order(server, tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    (tmp_path / "data").mkdir()
    first = load(tmp_path, data_dir=tmp_path / "data")
    source = tfds.data_source(
        "kmnist",
        split="train",
        data_dir=tmp_path / "data",
        download=False,
        builder_kwargs={"file_format": "array_record"},
    )
    assert len(source) == 30
    np.testing.assert_array_equal(source[3]["image"][..., 0], small_arrays()[0][3])
    monkeypatch.setenv("AAE_OFFLINE", "1")
    shutil.rmtree(tmp_path / "cache")
    shutil.rmtree(tmp_path / "data" / "kmnist" / "downloads", ignore_errors=True)
    for path in (tmp_path / "data" / "kmnist").glob("*.gz"):
        path.unlink()
    copied = load(tmp_path, data_dir=tmp_path / "data")
    assert copied.source.startswith("the TFDS copy in")
    assert copied.sha256 == first.sha256
    assert copied.class_names == first.class_names
    assert load(tmp_path, "tfds:kmnist", data_dir=tmp_path / "data").sha256 == first.sha256
    assert (tmp_path / "cache" / "kmnist.npz").is_file()


def test_a_download_that_was_cut_goes_on(server, tmp_path):
    server.behaviour = {"cut"}
    with pytest.raises(DownloadError, match=r"broke off at .*--data-dir FOLDER"):
        load(tmp_path)
    assert not (tmp_path / "cache" / "kmnist.npz").exists()
    server.behaviour = set()
    assert load(tmp_path).name == "kmnist"


def test_a_wrong_checksum(server, tmp_path, monkeypatch):
    path = next(iter(server.files))
    right = tfds_copy.catalogue("kmnist")
    monkeypatch.setattr(tfds_copy, "catalogue", lambda name: right)
    server.files[path] = server.files[path][:-1] + b"!"
    with pytest.raises(DownloadError, match="has SHA-256"):
        load(tmp_path)
    assert not (tmp_path / "cache" / "kmnist.npz").exists()


def test_auto_fetches_mnist(server, tmp_path):
    said = Noting()
    assert load(tmp_path, "auto", reporter=said).name == "mnist"
    assert server.named == "mnist"
    assert len(said.notices) == 1


def test_auto_hides_no_broken_download(server, tmp_path):
    server.behaviour = {"cut"}
    with pytest.raises(DownloadError, match="broke off"):
        load(tmp_path, "auto")


def test_nothing_is_left_in_the_temporary_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert len(tfds_copy.catalogue("mnist")) == 4
    assert list(tmp_path.iterdir()) == []


@needs_array_record
def test_a_copy_of_emnist_is_as_tfds_keeps_it(tmp_path):
    """On its side, labels from 1 to 26 among 37 classes; we turn it upright and count from 0."""
    known = KNOWN["emnist/letters"]
    images = small_arrays()[0][:26]
    upright = build_dataset(
        name=known.name,
        source="made up",
        train_images=images,
        train_labels=np.arange(26),
        test_images=images,
        test_labels=np.arange(26)[::-1],
        num_classes=26,
        class_names=known.class_names,
    )
    tfds_copy.prepare_copy(upright, known, tmp_path)
    raw = load(tmp_path, "tfds:emnist/letters", data_dir=tmp_path)
    assert raw.num_classes == 37
    np.testing.assert_array_equal(raw.train_images, images.transpose(0, 2, 1))
    np.testing.assert_array_equal(raw.train_labels, np.arange(26) + 1)
    ours = load(tmp_path, "emnist/letters", data_dir=tmp_path)
    assert (ours.sha256, ours.class_names) == (upright.sha256, upright.class_names)


def test_auto_takes_the_digits_when_nobody_answers(server, tmp_path, monkeypatch):
    from aae_jax.data import sources

    def hasty(remote, folder, *, progress):
        return download(remote, folder, progress=progress, probe_seconds=0.3)

    download = sources.download
    monkeypatch.setattr(sources, "download", hasty)
    server.behaviour = {"silent"}
    said = Noting()
    assert load(tmp_path, "auto", reporter=said).name == "digits"
    assert "did not answer within 0.3 s" in said.notices[-1]
    assert "not MNIST" in said.notices[-1]


def test_offline_nobody_is_asked(server, tmp_path, monkeypatch):
    monkeypatch.setenv("AAE_OFFLINE", "1")
    with pytest.raises(MissingDataError, match="AAE_OFFLINE is set"):
        load(tmp_path)
    assert server.asked == []


def test_the_real_catalogue_names_every_file():
    for name, known in KNOWN.items():
        remotes = tfds_copy.catalogue(known.tfds)
        wanted = [known.archive] if known.archive else [f"{stem}.gz" for stem in known.files]
        assert sorted(remote.name for remote in remotes) == sorted(wanted), name
        assert all(len(remote.sha256) == 64 and remote.size > 1000 for remote in remotes)


def test_an_unknown_set_of_tfds(tmp_path):
    with pytest.raises(InputError, match="no prepared copy of nothing_such, and AAE_OFFLINE is set"):
        load(tmp_path, "tfds:nothing_such")
    with pytest.raises(InputError, match="has no set 'nothing_such'"):
        tfds_copy.catalogue("nothing_such")


def test_tfds_is_not_asked_where_nobody_answers(monkeypatch, tmp_path):
    """Its own downloads try again for minutes."""
    monkeypatch.delenv("AAE_OFFLINE")
    monkeypatch.setattr(tfds_copy.importlib.util, "find_spec", lambda name: name)
    with serve({}) as server:
        monkeypatch.setattr(tfds_copy, "catalogue", lambda name: [Remote(f"{server.url}/x", 1, "0")])
        with pytest.raises(DownloadError, match="answered 404"):
            load(tmp_path, "tfds:cifar10")


def prepare(root, features, examples, *, splits=("train", "test"), file_format="array_record", name="made_up"):
    """Write a set as TFDS would, by TFDS; `examples` are of every split, or a list by split."""
    import tensorflow_datasets as tfds

    described = features(tfds.features)
    set_name = name

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        name = set_name
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(described))

        def _split_generators(self, manager):
            return {
                split: self._generate_examples(examples[split] if isinstance(examples, dict) else examples)
                for split in splits
            }

        def _generate_examples(self, some):
            yield from enumerate(some)

    with tfds_copy._quiet():
        Builder(data_dir=str(root), file_format=file_format).download_and_prepare()


def colour_images(features):
    return {"image": features.Image(shape=(None, None, 3)), "label": features.ClassLabel(names=["a", "b"])}


def pictures(*sizes):
    return [
        {"image": Image.fromarray(np.full((*size, 3), 30 * i, np.uint8)), "label": i % 2}
        for i, size in enumerate(sizes)
    ]


@needs_array_record
@pytest.mark.parametrize("splits", [("train", "test"), ("train", "validation"), ("train",)])
def test_any_prepared_set(tmp_path, splits):
    prepare(tmp_path, colour_images, pictures(*[(6, 5)] * 8), splits=splits)
    dataset = load(tmp_path, "tfds:made_up", data_dir=tmp_path)
    assert (dataset.name, dataset.image_shape, dataset.class_names) == ("tfds:made_up", (6, 5, 3), ("a", "b"))
    assert len(dataset.train_images) + len(dataset.test_images) == (16 if len(splits) == 2 else 8)


@needs_array_record
def test_sets_that_cannot_be_used(tmp_path):
    prepare(tmp_path, colour_images, pictures((6, 5), (5, 6), (6, 5)), name="many_sizes")
    with pytest.raises(InputError, match="have one size"):
        load(tmp_path, "tfds:many_sizes", data_dir=tmp_path)
    prepare(tmp_path, lambda f: {"text": f.Text()}, [{"text": "no image"}] * 3, name="texts")
    with pytest.raises(InputError, match="has the features text; give a set of images"):
        load(tmp_path, "tfds:texts", data_dir=tmp_path)
    prepare(tmp_path, colour_images, pictures(*[(6, 5)] * 3), splits=("extra",), name="no_train")
    with pytest.raises(InputError, match="no split 'train', only extra"):
        load(tmp_path, "tfds:no_train", data_dir=tmp_path)


def labelled_pictures(*labels):
    """Return examples of these labels, their images all different."""
    return [
        {"image": Image.fromarray(np.full((6, 5, 3), 20 + 20 * i, np.uint8)), "label": label}
        for i, label in enumerate(labels)
    ]


@needs_array_record
def test_a_test_split_without_labels(tmp_path):
    """TFDS gives hidden labels as -1: that split joins the training images, validation or a quarter of each class."""
    two = {"train": labelled_pictures(*[0, 1] * 4), "test": labelled_pictures(*[-1] * 3)}
    prepare(tmp_path, colour_images, two, splits=tuple(two), name="two")
    said = Noting()
    drawn = load(tmp_path, "tfds:two", data_dir=tmp_path, reporter=said)
    assert (len(drawn.train_images), drawn.num_unlabelled, sorted(drawn.test_labels)) == (9, 3, [0, 1])
    assert "3 of the 3 test images of tfds:two have no label" in said.notices[0]
    three = two | {"validation": labelled_pictures(1, 0, 0)}
    prepare(tmp_path, colour_images, three, splits=tuple(three), name="three")
    said = Noting()
    held_out = load(tmp_path, "tfds:three", data_dir=tmp_path, reporter=said)
    assert (len(held_out.train_images), held_out.num_unlabelled) == (11, 3)
    np.testing.assert_array_equal(held_out.test_labels, [1, 0, 0])
    assert "its validation split is the test set" in said.notices[0]
    mixed = two | {"test": labelled_pictures(-1, 1, 0, -1)}
    prepare(tmp_path, colour_images, mixed, splits=tuple(mixed), name="mixed")
    some = load(tmp_path, "tfds:mixed", data_dir=tmp_path)
    assert (len(some.train_images), some.num_unlabelled) == (10, 2)
    np.testing.assert_array_equal(some.test_labels, [1, 0])


@needs_array_record
@pytest.mark.parametrize("splits", [("train", "test"), ("train",)])
@pytest.mark.parametrize("has_feature", [True, False])
def test_a_set_without_labels(tmp_path, splits, has_feature):
    examples = [example if has_feature else {"image": example["image"]} for example in labelled_pictures(*[-1] * 8)]
    prepare(
        tmp_path,
        colour_images if has_feature else lambda f: {"image": f.Image(shape=(6, 5, 3))},
        dict.fromkeys(splits, examples),
        splits=splits,
    )
    dataset = load(tmp_path, "tfds:made_up", data_dir=tmp_path)
    assert (dataset.num_classes, set(dataset.train_labels), set(dataset.test_labels)) == (0, {-1}, {-1})
    assert len(dataset.train_images) == (8 if len(splits) == 2 else 6)


@needs_array_record
def test_a_damaged_copy_is_named(tmp_path):
    prepare(tmp_path, colour_images, pictures(*[(6, 5)] * 8))
    for path in (tmp_path / "made_up" / "1.0.0").glob("*array_record*"):
        path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path, "tfds:made_up", data_dir=tmp_path)


@needs_array_record
def test_records_that_need_tensorflow_are_named(tmp_path, monkeypatch):
    import builtins

    real = builtins.__import__

    def without_tensorflow(name, *rest, **options):
        if name == "tensorflow":
            raise ImportError(name)
        return real(name, *rest, **options)

    prepare(tmp_path, colour_images, pictures(*[(6, 5)] * 4))
    info = tmp_path / "made_up" / "1.0.0" / "dataset_info.json"
    info.write_text(info.read_text().replace('"array_record"', '"tfrecord"'))
    monkeypatch.setattr(builtins, "__import__", without_tensorflow)
    with pytest.raises(InputError, match="stored as tfrecord, which needs TensorFlow"):
        load(tmp_path, "tfds:made_up", data_dir=tmp_path)
