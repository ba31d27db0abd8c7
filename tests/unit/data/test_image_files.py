"""Folders and zip files of images: every layout is read, every bad file is named."""

import os
import shutil
import zipfile

import chex
import numpy as np
import pytest
from PIL import Image

from aae_jax.data import Reporter, load_dataset, split_indices
from aae_jax.data.readers import image_folder
from aae_jax.data.readers.image_folder import arrange
from aae_jax.errors import InputError

COLOURS = {"blue": (20, 40, 220), "green": (30, 200, 60), "red": (210, 50, 40)}


def picture(seed=0, *, colour=None, height=6, width=5, mode="RGB"):
    """Return a noisy image, tinted if a colour is given."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3))
    if colour is not None:
        noise = (noise + 3 * np.asarray(COLOURS[colour])) // 4
    return Image.fromarray(noise.astype(np.uint8)).convert(mode)


def save(path, image=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    (picture(abs(hash(path.name)) % 1000) if image is None else image).save(path, **options)
    return path


@pytest.fixture
def classes(tmp_path):
    """A folder with eight images of each of three classes."""
    root = tmp_path / "mine äö"
    for colour in COLOURS:
        for i in range(8):
            save(root / colour / f"{i}.png", picture(i, colour=colour))
    return root


@pytest.fixture
def load(tmp_path):
    class Listener(Reporter):
        def __init__(self):
            self.notices, self.steps = [], []

        def notice(self, message):
            self.notices.append(message)

        def working(self, message):
            self.steps.append(message)

        def progress(self, name, done, total):
            raise AssertionError("nothing is downloaded")

    def load_from(path, *, kind="folder", **options):
        listener = Listener()
        dataset = load_dataset(f"{kind}:{path}", cache_dir=tmp_path / "cache", reporter=listener, **options)
        load_from.notices, load_from.steps = listener.notices, listener.steps
        return dataset

    return load_from


def zipped(folder, path, *, inside=""):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, f"{inside}{file.relative_to(folder).as_posix()}")
    return path


def test_class_folders_with_a_drawn_test_set(load, classes):
    dataset = load(classes)
    assert dataset.class_names == ("blue", "green", "red")
    assert (dataset.name, dataset.source) == ("folder:mine äö", f"image files in {classes}")
    chex.assert_shape(dataset.train_images, (18, 6, 5, 3))
    chex.assert_shape(dataset.test_images, (6, 6, 5, 3))
    assert np.bincount(dataset.test_labels).tolist() == [2, 2, 2]
    for image, label in zip(dataset.train_images, dataset.train_labels, strict=True):
        assert image.mean((0, 1)).argmax() == (2, 1, 0)[label]  # the tint of its class
    assert load(classes, split_seed=1).sha256 != dataset.sha256


@pytest.mark.parametrize("inside", ["", "mine/", "a/b/"])
def test_a_zip_file_is_read_as_its_folder_is(load, classes, tmp_path, inside):
    path = zipped(classes, tmp_path / "mine.zip", inside=inside)
    assert load(path, kind="zip").sha256 == load(classes).sha256


def test_training_and_test_folders(load, tmp_path):
    for part, count in (("train", 4), ("test", 2)):
        for colour in COLOURS:
            for i in range(count):
                save(tmp_path / "set" / part / colour / "below" / f"{i}.png", picture(9 * count + i, colour=colour))
    save(tmp_path / "set" / "train" / "x.png")
    save(tmp_path / "set" / "unlabelled" / "any" / "y.png")
    save(tmp_path / "set" / "val" / "red" / "z.png")
    dataset = load(tmp_path / "set")
    assert (len(dataset.train_images), len(dataset.test_images), dataset.num_unlabelled) == (14, 6, 2)
    assert dataset.class_names == ("blue", "green", "red")
    assert load.notices == [
        "Not used, because outside the folders train, test and unlabelled of folder:set: 'val/red/z.png'."
    ]


LAYOUTS = {
    "flat": (["a.png", "b.png"], [None, None], []),
    "flat below one folder": (["faces/a.png", "faces/b.png"], [None, None], []),
    "classes": (["cat/a.png", "dog/b/c.png", "d.png"], ["cat", "dog", None], []),
    "unlabelled": (["Unlabelled/a.png", "cat/b.png", "unlabeled/c/d.png"], [None, "cat", None], []),
    "wrapped": (["x/y/train/cat/a.png", "x/y/test/cat/b.png"], ["cat"], ["cat"]),
    "train alone": (["train/cat/a.png", "train/dog/b.png"], ["cat", "dog"], []),
    "no classes": (["test/b.png", "train/a.png"], [None], [None]),
    "unlabelled in train": (["train/unlabelled/a.png", "train/cat/b.png"], [None, "cat"], []),
    "test without train is a class": (["cat/a.png", "test/b.png"], ["cat", "test"], []),
}


@pytest.mark.parametrize(("paths", "train", "test"), LAYOUTS.values(), ids=LAYOUTS)
def test_folders_say_what_an_image_is(paths, train, test):
    layout = arrange(paths)
    assert (list(layout.train_classes), list(layout.test_classes), layout.unused) == (train, test, ())


def test_classes_of_numbers_are_sorted_as_numbers(load, tmp_path):
    for label in range(12):
        for i in range(4):
            save(tmp_path / "set" / str(label) / f"{i}.png", picture(7 * label + i))
    assert load(tmp_path / "set").class_names == tuple(map(str, range(12)))


def test_a_flat_folder_has_no_labels(load, tmp_path):
    for i in range(8):
        save(tmp_path / "set" / f"{i}.png", picture(i))
    (tmp_path / "set" / "notes.txt").write_text("not an image")
    (tmp_path / "set" / ".hidden.png").write_text("nor this")
    dataset = load(tmp_path / "set")
    assert (dataset.num_classes, len(dataset.train_images), len(dataset.test_images)) == (0, 6, 2)
    assert (dataset.train_labels == -1).all()


def test_greyscale_is_recognised_by_content(load, classes):
    for i, file in enumerate(sorted(classes.rglob("*.png"))):
        save(file, picture(i, mode="L").convert(("L", "RGB")[i % 2]))  # half of the files have three equal channels
    assert load(classes).image_shape == (6, 5)
    save(classes / "red" / "0.png", picture(0))
    dataset = load(classes)
    assert dataset.image_shape == (6, 5, 3)


FORMATS = {
    "png": {},
    "jpg": {"quality": 100, "subsampling": 0},
    "ppm": {},
    "webp": {"lossless": True},
    "bmp": {},
    "tiff": {},
}


@pytest.mark.parametrize("suffix", FORMATS)
def test_formats(load, tmp_path, suffix):
    images = [picture(i, height=16, width=16).resize((16, 16)) for i in range(4)]
    for i, image in enumerate(images):
        save(tmp_path / "set" / f"{i}.{suffix}", image, **FORMATS[suffix])
    dataset = load(tmp_path / "set")
    read = {image.tobytes() for image in (*dataset.train_images, *dataset.test_images)}
    wanted = [np.asarray(image) for image in images]
    if suffix == "jpg":
        assert all(
            min(np.abs(np.frombuffer(each, np.uint8) - one.ravel().astype(int)).mean() for each in read) < 8
            for one in wanted
        )
    else:
        assert read == {one.tobytes() for one in wanted}


MODES = {
    "alpha": (Image.new("RGBA", (5, 6), (200, 0, 0, 0)), (255, 255, 255)),  # transparent: white shows through
    "palette": (Image.new("RGB", (5, 6), (200, 10, 30)).convert("P", palette=Image.Palette.ADAPTIVE), (200, 10, 30)),
    "CMYK": (Image.new("CMYK", (5, 6), (0, 255, 255, 0)), (255, 0, 0)),
    "16 bits": (Image.fromarray(np.full((6, 5), 257 * 120, np.uint16)), (120, 120, 120)),
    "one bit": (Image.new("1", (5, 6), 1), (255, 255, 255)),
    "grey with alpha": (Image.new("LA", (5, 6), (90, 255)), (90, 90, 90)),
}


@pytest.mark.parametrize(("image", "wanted"), MODES.values(), ids=MODES)
def test_modes_of_pixels(load, tmp_path, image, wanted):
    suffix = "tiff" if image.mode == "CMYK" else "png"
    for i in range(4):
        save(tmp_path / "set" / f"{i}.{suffix}", image)
    save(tmp_path / "set" / "colour.png", picture(0))
    dataset = load(tmp_path / "set", split_seed=3)
    images = np.concatenate([dataset.train_images, dataset.test_images])
    plain = [each for each in images if (each == each[0, 0]).all()]
    assert len(plain) == 4
    np.testing.assert_array_equal(plain[0][0, 0], wanted)


def test_images_of_other_sizes_are_named(load, classes):
    odd = save(classes / "green" / "odd.png", picture(0, height=9, width=12))
    first = classes / "blue" / "0.png"
    with pytest.raises(InputError) as caught:
        load(classes)
    assert str(caught.value) == (
        f"{odd} has 9 × 12 pixels, but {first} 6 × 5; give --image-size, such as --image-size 6 5."
    )


def test_a_size_covers_and_crops(load, tmp_path):
    """The middle of an oblong image remains; nothing is squashed."""
    pixels = np.zeros((8, 24, 3), np.uint8)
    pixels[:, 8:16] = (250, 0, 0)
    for i in range(4):
        save(tmp_path / "set" / f"{i}.png", Image.fromarray(pixels))
    dataset = load(tmp_path / "set", image_size=4)
    assert dataset.image_shape == (4, 4, 3)
    assert (dataset.train_images[..., 0] > 200).all()
    assert load(tmp_path / "set", image_size=(4, 12)).image_shape == (4, 12, 3)


@pytest.mark.parametrize("size", [0, (4, -1), (4, 4, 3), 100_000])
def test_sizes_that_are_none(load, classes, size):
    with pytest.raises(InputError, match=r"image_size is .*; give height and width, or one number for both"):
        load(classes, image_size=size)


def test_a_size_is_for_image_files(tmp_path):
    with pytest.raises(InputError, match=r"image_size is for image files .* but the data set is 'digits'"):
        load_dataset("digits", image_size=16)
    with pytest.raises(InputError, match="skip_bad_images is for image files"):
        load_dataset("digits", skip_bad_images=True)


BAD = {
    "empty": (b"", "is empty; replace it, or give --skip-bad-images"),
    "text": (b"hello", "cannot be read as a picture: it is not one of PNG.*; replace it, or give --skip-bad-images"),
    "cut": (None, "cannot be read as a picture .*; replace it, or give --skip-bad-images"),
}


@pytest.mark.parametrize(("content", "complaint"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_bad_image_is_named_or_left_out(load, classes, tmp_path, content, complaint, kind):
    bad = classes / "green" / "3.png"
    bad.write_bytes(bad.read_bytes()[:60] if content is None else content)
    path = classes if kind == "folder" else zipped(classes, tmp_path / "mine.zip")
    name = str(bad) if kind == "folder" else f"{path}:green/3.png"
    with pytest.raises(InputError, match=complaint) as caught:
        load(path, kind=kind)
    assert str(caught.value).startswith(name)
    dataset = load(path, kind=kind, skip_bad_images=True)
    assert len(dataset.train_images) + len(dataset.test_images) == 23
    assert load.notices == ["Left out 1 of 24 image files, which cannot be read: 'green/3.png'."]
    load(path, kind=kind, skip_bad_images=True)
    assert (load.notices, load.steps) == (["Left out 1 of 24 image files, which cannot be read: 'green/3.png'."], [])


def test_a_broken_link_is_a_bad_image(load, classes):
    (classes / "red" / "9.png").symlink_to(classes / "nothing.png")
    with pytest.raises(InputError, match=r"9\.png cannot be read as a picture \(No such file"):
        load(classes)
    assert len(load(classes, skip_bad_images=True).train_images) == 18


def test_links_to_folders_are_followed_once(load, classes):
    (classes / "red" / "again").symlink_to(classes)
    assert len(load(classes).train_images) == 18


def test_all_images_are_bad(load, tmp_path):
    (tmp_path / "set").mkdir()
    for i in range(3):
        (tmp_path / "set" / f"{i}.png").write_bytes(b"no")
    with pytest.raises(InputError, match=r"None of the 3 image files in .* can be read; give others"):
        load(tmp_path / "set", skip_bad_images=True)


def test_the_second_time_they_come_from_the_cache(load, classes, monkeypatch):
    first = load(classes)
    assert load.steps == [f"reading 24 image files in {classes}"]
    with monkeypatch.context() as patch:
        patch.setattr(image_folder, "decode_of_size", None)
        again = load(classes)
    assert (again.sha256, load.steps) == (first.sha256, [])
    file = classes / "red" / "0.png"
    save(file, picture(99))
    os.utime(file, ns=(0, 12345))
    assert load(classes).sha256 != first.sha256
    save(classes / "red" / "new.png", picture(98))
    assert load.steps
    assert len(load(classes).train_labels) == 19


def test_one_image_of_a_class_is_too_few_for_a_share(load, tmp_path):

    for label, count in (("many", 40), ("few", 4)):
        for i in range(count):
            save(tmp_path / "set" / label / f"{i}.png", picture(50 * len(label) + i))
    dataset = load(tmp_path / "set")
    complaint = "Class 'few' has [23] images to train on, too few for its share of 5 of 10 labels; give at most [46]"
    with pytest.raises(InputError, match=complaint):
        split_indices(
            dataset.train_labels, num_classes=2, num_labels=10, label_seed=0, class_names=dataset.class_names
        )


REFUSED = {
    "nothing": ("nothing", "The folder .*nothing does not exist"),
    "a file": ("file.png", "is not a folder; give folder:FOLDER, or zip:FILE"),
    "no images": ("empty", r"empty holds no image files \(\.png"),
    "one class": ("one", "All labels in .* are 'cat' .*; give images of at least two classes"),
    "too few": ("single", "has too few images for a test set"),
}


@pytest.mark.parametrize(("name", "complaint"), REFUSED.values(), ids=REFUSED)
def test_folders_that_are_no_data(load, tmp_path, name, complaint):
    save(tmp_path / "file.png")
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    for i in range(4):
        save(tmp_path / "one" / "cat" / f"{i}.png")
        save(tmp_path / "one" / f"{i}.png")
    save(tmp_path / "single" / "x.png")
    with pytest.raises(InputError, match=complaint):
        load(tmp_path / name)


@pytest.mark.parametrize("name", ["../x.png", "/x.png", "a/../../x.png", "C:x.png", "..\\x.png"])
def test_a_zip_file_whose_paths_leave_its_folder(load, tmp_path, name):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"")
    with pytest.raises(InputError, match="which leaves its folder"):
        load(path, kind="zip")


def rewritten(path, old, new, *, times):
    content = path.read_bytes()
    assert content.count(old) == times
    path.write_bytes(content.replace(old, new))


@pytest.mark.parametrize("declared", [10, 10**9])
def test_a_zip_file_that_holds_other_than_it_declares(load, classes, tmp_path, declared):
    path = zipped(classes, tmp_path / "mine.zip")
    with zipfile.ZipFile(path) as archive:
        true = archive.getinfo("blue/0.png").file_size
        size = archive.getinfo("blue/0.png").compress_size
        crc = archive.getinfo("blue/0.png").CRC
    packed = [part.to_bytes(4, "little") for part in (crc, size, true)]
    rewritten(path, b"".join(packed), b"".join((*packed[:2], declared.to_bytes(4, "little"))), times=2)
    with pytest.raises(InputError, match=r"mine\.zip:blue/0\.png (declares|cannot be unpacked)"):
        load(path, kind="zip")


def test_zip_files_that_are_none(load, classes, tmp_path):
    path = zipped(classes, tmp_path / "mine.zip")
    (tmp_path / "cut.zip").write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"cut\.zip is not a complete zip file"):
        load(tmp_path / "cut.zip", kind="zip")
    with pytest.raises(InputError, match="is a folder; give folder:"):
        load(classes, kind="zip")
    with pytest.raises(InputError, match=r"The file .*none\.zip does not exist"):
        load(tmp_path / "none.zip", kind="zip")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("blue/0.png", b"")
    with pytest.raises(InputError, match=r"holds 'blue/0\.png' twice"):
        load(path, kind="zip")


def test_names_without_their_kind(classes, tmp_path):
    with pytest.raises(InputError, match=r"give folder:.* for the image files in that folder, or idx:"):
        load_dataset(str(classes))
    path = zipped(classes, tmp_path / "mine.zip")
    with pytest.raises(InputError, match=r"did you mean zip:.*mine\.zip\?"):
        load_dataset(str(path))


def test_too_many_for_the_memory(load, classes, monkeypatch):
    monkeypatch.setattr(image_folder, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match=r"holds 24 image files like the first, of 6 × 5 pixels: .* give a smaller"):
        load(classes)


def test_a_folder_may_be_named_relative_to_the_home(load, classes, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    shutil.copytree(classes, tmp_path / "home" / "set")
    assert load("~/set").sha256 == load(classes).sha256


def test_members_that_cannot_be_unpacked_are_bad_images(load, classes, tmp_path):
    path = tmp_path / "mine.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for file in sorted(classes.rglob("*.png")):
            archive.write(file, file.relative_to(classes).as_posix())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("blue/0.png")
        start = info.header_offset + 30 + len(info.filename)
    damaged = bytearray(path.read_bytes())
    damaged[start + 4 : start + info.compress_size] = b"\xff" * (info.compress_size - 4)
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=r"mine\.zip:blue/0\.png cannot be unpacked .*--skip-bad-images"):
        load(path, kind="zip")
    assert len(load(path, kind="zip", skip_bad_images=True).train_images) == 17


def test_an_encrypted_zip_file(load, classes, tmp_path):
    path = zipped(classes, tmp_path / "mine.zip")
    content = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := content.find(mark, at + 1)) >= 0:
            content[at + place] |= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"is encrypted .*; make it again without a password"):
        load(path, kind="zip")


def test_long_numbers_are_class_names(load, classes, tmp_path):
    path = tmp_path / "mine.zip"
    names = {"blue": "9" * 5000, "green": "010", "red": "2"}
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(classes.rglob("*.png")):
            archive.write(file, f"{names[file.parent.name]}/{file.name}")
    assert load(path, kind="zip").class_names == ("2", "010", "9" * 5000)


@pytest.mark.parametrize("link", ["aa", "zz"])
def test_a_linked_class_folder_has_the_name_of_the_real_one(load, classes, link):
    before = load(classes)
    (classes / link).symlink_to(classes / "red")
    assert load(classes).sha256 == before.sha256


def test_folders_that_look_like_parts(load, classes, tmp_path):
    for part in ("training", "testing"):
        shutil.copytree(classes / "red", tmp_path / "set" / part)
    assert load(tmp_path / "set").class_names == ("testing", "training")
    assert "named 'testing', 'training' are read as classes; name them train and test if" in load.notices[0]
    shutil.move(tmp_path / "set" / "training", tmp_path / "set" / "test")
    shutil.rmtree(tmp_path / "set" / "testing")
    with pytest.raises(InputError, match="holds a folder test but no folder train; give both"):
        load(tmp_path / "set")


def test_a_name_that_no_system_takes(load):
    with pytest.raises(InputError, match=r"cannot be read .*; name another folder"):
        load("a" * 5000)
