"""Prepared TFDS copies: nothing that they name is imported, opened elsewhere or run."""

import io
import json
import os
import stat
import sys
import time

import numpy as np
import pytest
from PIL import Image

from aae_jax.data import Quiet, load_dataset
from aae_jax.data.known import KNOWN, pairs_sha256
from aae_jax.data.readers import tfds_copy
from aae_jax.data.readers.tfds_records import CORE, describe_copy
from aae_jax.errors import InputError
from tests.unit.data.conftest import small_arrays

pytestmark = pytest.mark.skipif(not tfds_copy.can_prepare(), reason="array_record has wheels for Linux only")

IMAGES = small_arrays()[0]
LABELS = np.arange(len(IMAGES)) % 3


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format=kind, **options)
    return stream.getvalue()


def feature(name, **content):
    return {"pythonClassName": CORE + name, **content}


def new_features(**more):
    fields = {
        "image": feature("image_feature.Image", image={"shape": {"dimensions": ["5", "4", "1"]}, "dtype": "uint8"}),
        "label": feature("class_label_feature.ClassLabel", classLabel={"numClasses": "3"}),
        **more,
    }
    return feature("features_dict.FeaturesDict", featuresDict={"features": fields})


def old_features(**more):
    fields = {
        "image": {"type": f"{CORE}image_feature.Image", "content": {"shape": [5, 4, 1], "dtype": "uint8"}},
        "label": {"type": f"{CORE}class_label_feature.ClassLabel", "content": {"num_classes": 3}},
        **more,
    }
    return {"type": f"{CORE}features_dict.FeaturesDict", "content": fields}


def middle_features(**more):
    content = json.dumps({"features": new_features(**more)["featuresDict"]["features"]})
    return {
        "type": f"{CORE}features_dict.FeaturesDict",
        "content": content,
        "proto_cls": "tensorflow_datasets.FeaturesDict",
    }


def as_records(images, labels):
    from tensorflow_datasets.proto import tf_example_pb2

    for image, label in zip(images, labels, strict=True):
        example = tf_example_pb2.Example()
        example.features.feature["image"].bytes_list.value.append(image)
        example.features.feature["label"].int64_list.value.append(label)
        example.features.feature["other"].bytes_list.value.append(b"not asked for")
        yield example.SerializeToString()


def write_copy(root, features=None, *, name="made", images=None, labels=LABELS, info=None, classes=None):
    """Write a copy as TFDS lays it out, of encoded images, in one file for each split."""
    from array_record.python.array_record_module import ArrayRecordWriter

    folder = root / name / "1.0.0"
    folder.mkdir(parents=True)
    images = [encoded(image) for image in IMAGES] if images is None else images
    splits = [{"name": split, "shardLengths": [str(len(images))]} for split in ("train", "test")]
    described = {"name": name, "version": "1.0.0", "fileFormat": "array_record", "splits": splits, **(info or {})}
    (folder / "dataset_info.json").write_text(json.dumps(described))
    (folder / "features.json").write_text(json.dumps(new_features() if features is None else features))
    if classes:
        (folder / "label.labels.txt").write_text("\n".join(classes) + "\n")
    for split in ("train", "test"):
        writer = ArrayRecordWriter(str(folder / f"{name}-{split}.array_record-00000-of-00001"), "group_size:1")
        for record in as_records(images, labels):
            writer.write(record)
        writer.close()
    return folder


def load(root, name="tfds:made"):
    return load_dataset(name, data_dir=root, cache_dir=root / "cache", reporter=Quiet())


@pytest.mark.parametrize("features", [new_features, old_features, middle_features])
def test_every_form_of_the_description_is_read(features, tmp_path):
    text = feature("text_feature.Text", text={})
    write_copy(tmp_path, features(other=text), classes=["ant", "bee", "cat"])
    dataset = load(tmp_path)
    np.testing.assert_array_equal(dataset.train_images, IMAGES)
    np.testing.assert_array_equal(dataset.test_labels, LABELS)
    assert dataset.class_names == ("ant", "bee", "cat")


def test_without_names_classes_are_numbers(tmp_path):
    write_copy(tmp_path)
    assert load(tmp_path).class_names == ("0", "1", "2")


EVIL = "attacker_mod.X"
NAMING = {
    "at the top": {"pythonClassName": EVIL, "jsonFeature": {"json": "{}"}},
    "in snake case": {"python_class_name": EVIL, "json_feature": {"json": "{}"}},
    "in the old form": {"type": EVIL, "content": {}},
    "beside": new_features(other={"pythonClassName": EVIL, "jsonFeature": {"json": "{}"}}),
    "beside in the old form": old_features(other={"type": EVIL, "content": {}}),
    "beside in a text": middle_features(other={"pythonClassName": EVIL, "jsonFeature": {"json": "{}"}}),
    "nested": new_features(
        other=feature("sequence_feature.Sequence", sequence={"feature": {"python_class_name": EVIL}})
    ),
    "nested in a text": new_features(
        other=feature("sequence_feature.Sequence", jsonFeature={"json": json.dumps({"feature": {"type": EVIL}})})
    ),
    "as if TFDS's": new_features(other={"pythonClassName": "tensorflow_datasets.core.features.attacker_mod.X"}),
    "as the image": {**new_features(image={"pythonClassName": EVIL})},
    "a standard module": new_features(other={"pythonClassName": "antigravity.X"}),
}


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A module that leaves a file when it is imported."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "attacker_mod.py").write_text(f"open({str(tmp_path / 'IMPORTED')!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path / "modules")
    yield
    assert not (tmp_path / "IMPORTED").exists()
    assert not {"attacker_mod", "antigravity"}.intersection(sys.modules)


@pytest.mark.parametrize("features", NAMING.values(), ids=NAMING.keys())
@pytest.mark.usefixtures("trap")
def test_no_module_that_a_copy_names_is_imported(features, tmp_path):
    write_copy(tmp_path, features)
    with pytest.raises(InputError, match=r"names the class .*, which is not one of TFDS's"):
        load(tmp_path)


@pytest.mark.usefixtures("trap")
def test_modules_in_the_other_file_are_not_imported(tmp_path):
    write_copy(tmp_path, info={"moduleName": "attacker_mod"})
    assert len(load(tmp_path).train_images) == len(IMAGES)
    write_copy(tmp_path, name="more", info={"features": {"pythonClassName": EVIL}})
    with pytest.raises(InputError, match=r"names the class 'attacker_mod\.X'"):
        load(tmp_path, "tfds:more")


@pytest.mark.usefixtures("trap")
@pytest.mark.parametrize("name", ["evil", "evil/config"])
def test_copies_elsewhere_are_not_read_when_tfds_is_asked_what_it_knows(name, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    write_copy(tmp_path, NAMING["at the top"], name="evil")
    write_copy(tmp_path / "evil", NAMING["at the top"], name="config")
    with pytest.raises(InputError, match=f"has no set '{name}'"):
        tfds_copy.catalogue(name)


@pytest.mark.parametrize(
    "name",
    [
        "../made",
        "made/../../x",
        "/etc",
        "ns:made",
        "huggingface:x",
        "made/a/b",
        "made/a=1",
        "m:1.0.0",
        ".",
        "a b",
        "ü",
        "",
    ],
)
def test_names_are_names_alone(name, tmp_path):
    write_copy(tmp_path)
    with pytest.raises(InputError, match=r"is not a valid name|There is no data set"):
        load(tmp_path / "made", f"tfds:{name}")
    with pytest.raises(InputError):
        tfds_copy.catalogue(name)


@pytest.mark.parametrize(
    "file", ["features.json", "dataset_info.json", "label.labels.txt", "made-train.array_record-00000-of-00001"]
)
@pytest.mark.parametrize("kind", ["zero", "pipe", "socket", "folder"])
def test_special_files_are_refused_at_once(file, kind, tmp_path):
    path = write_copy(tmp_path) / file
    path.unlink(missing_ok=True)
    if kind == "zero":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        os.mknod(path, (stat.S_IFIFO if kind == "pipe" else stat.S_IFSOCK) | 0o600)
    began = time.monotonic()
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "template",
    ["../{DATASET}-{SPLIT}", "/dev/zero", "{DATASET}/{SPLIT}", "{OTHER}", "{DATASET.__class__}", "..", "a\0b"],
)
def test_records_are_read_from_the_copys_folder_alone(template, tmp_path):
    splits = [{"name": "train", "shardLengths": ["30"], "filepathTemplate": template}]
    write_copy(tmp_path, info={"splits": splits})
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"splits": [{"name": "train", "shardLengths": ["31"]}]}, "has 30 records, not 31"),
        ({"splits": [{"name": "train", "shardLengths": ["1"] * 100_001}]}, "has 100001 shards"),
        ({"splits": [{"name": "train", "shardLengths": ["-3"]}]}, "cannot be read"),
        ({"splits": [{"name": "train"}]}, "has 0 shards"),
        ({"splits": 3}, "cannot be read"),
        ({"fileFormat": "riegeli"}, "stored as 'riegeli', which is not supported"),
        ({"deep": json.loads("[" * 60 + "]" * 60)}, "nested too deeply"),
    ],
)
def test_descriptions_that_do_not_fit(info, words, tmp_path):
    write_copy(tmp_path, info=info)
    with pytest.raises(InputError, match=words):
        load(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1, "a": 2}', "[" * 100_000, "\ufeff{}", " " * (10**7 + 1)])
@pytest.mark.parametrize("name", ["features.json", "dataset_info.json"])
def test_damaged_descriptions(name, content, tmp_path):
    folder = write_copy(tmp_path)
    (folder / name).write_text(content)
    with pytest.raises(InputError) as refused:
        describe_copy(folder)
    assert len(str(refused.value)) < 500


def test_pictures_in_records_start_no_program(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/RAN\nexit 1\n")
    (tmp_path / "bin" / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 5\n%%EndComments\nshowpage\n"
    write_copy(tmp_path, images=[eps] * len(IMAGES))
    with pytest.raises(InputError, match=r"Image 0 of the split 'train' in .* it is not one of PNG"):
        load(tmp_path)
    assert not (tmp_path / "RAN").exists()


@pytest.mark.parametrize(("factor", "words"), [(0, "entirely black"), (1, "up to 1, nearly black")])
def test_dark_images_are_refused(factor, words, tmp_path):
    write_copy(tmp_path, images=[encoded((image > 99).astype(np.uint8) * np.uint8(factor)) for image in IMAGES])
    with pytest.raises(InputError, match=words):
        load(tmp_path)


def test_pictures_are_turned_as_they_are_shown(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = [encoded(np.rot90(image), exif=exif) for image in IMAGES]
    write_copy(tmp_path, images=turned)
    np.testing.assert_array_equal(load(tmp_path).train_images, IMAGES)


def test_palettes_become_colours(tmp_path):
    images = []
    for image in IMAGES:
        picture = Image.fromarray((image > 99).astype(np.uint8)).convert("P")
        picture.putpalette([0, 0, 0, 255, 0, 0])
        stream = io.BytesIO()
        picture.save(stream, format="PNG")
        images.append(stream.getvalue())
    write_copy(tmp_path, images=images)
    np.testing.assert_array_equal(load(tmp_path).train_images[..., 0], (IMAGES > 99) * 255)
    assert load(tmp_path).image_shape == (5, 4, 3)


@pytest.mark.parametrize("change", ["none", "order", "pixel", "labels"])
def test_a_copy_that_goes_by_a_known_name_is_that_set_in_any_order(change, tmp_path, monkeypatch):
    labels = np.arange(len(IMAGES)) % 10
    content = pairs_sha256(IMAGES, labels)
    monkeypatch.setitem(KNOWN, "mnist", KNOWN["mnist"]._replace(content=(content, content)))
    order = np.random.default_rng(0).permutation(len(IMAGES)) if change == "order" else np.arange(len(IMAGES))
    images, given = IMAGES[order].copy(), labels[order].copy()
    if change == "pixel":
        images[7, 0, 0] ^= 1
    elif change == "labels":
        given[[3, 4]] = given[[4, 3]]
    count = feature("class_label_feature.ClassLabel", classLabel={"numClasses": "10"})
    write_copy(tmp_path, new_features(label=count), name="mnist", images=[encoded(i) for i in images], labels=given)
    if change in ("none", "order"):
        np.testing.assert_array_equal(load(tmp_path, "mnist").train_images, images)
    else:
        with pytest.raises(
            InputError, match="is not MNIST: its training images and labels have, in any order, SHA-256"
        ):
            load(tmp_path, "mnist")
        assert not (tmp_path / "cache" / "mnist.npz").exists()


def test_the_content_of_mnist(real_mnist):
    dataset = load_dataset("mnist", data_dir=real_mnist, reporter=Quiet())
    found = pairs_sha256(dataset.test_images, dataset.test_labels)
    assert found == KNOWN["mnist"].content[1] == pairs_sha256(dataset.test_images[::-1], dataset.test_labels[::-1])


def test_folders_whose_names_are_any_bytes(tmp_path):
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)
    write_copy(tmp_path)
    os.rename(tmp_path / "made", folder + b"/made")
    assert (
        len(load_dataset("tfds:made", data_dir=os.fsdecode(folder), cache_dir=tmp_path / "cache").train_images) == 30
    )
