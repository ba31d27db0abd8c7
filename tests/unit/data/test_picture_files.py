"""Pictures as they are shown, of known formats, never nearly black, never more than they are worth."""

import io
import os
import stat
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from aae_jax.data import load_dataset, load_idx_folder, load_npz
from aae_jax.data.known import stems
from aae_jax.data.readers.picture_files import decode_picture
from aae_jax.data.readers.pictures import read_pictures
from aae_jax.errors import InputError
from tests.unit.data.conftest import idx_bytes

GREY = np.random.default_rng(0).integers(0, 256, (8, 6)).astype(np.uint8)
GREY[0, 0] = 255


def read(path, shape=(8, 6), **options):
    return read_pictures(path, shape, **options).images


def save(folder, array, name="a.png", **options):
    Image.fromarray(array).save(folder / name, **options)
    return folder / name


def wide_png(path, array):
    """Write 16 bits a channel, which Pillow cannot in colour."""
    height, width, *channels = array.shape
    colour = {(): 0, (2,): 4, (3,): 2, (4,): 6}[tuple(channels)]

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("factor", [1, 4, 16])
def test_greys_of_8_to_12_bits_in_16_are_refused(ending, factor, tmp_path):
    path = save(tmp_path, GREY.astype(np.uint16) * factor, f"a.{ending}")
    with pytest.raises(InputError, match=r"nearly black as numbers up to 65535; whether it has 8, 10, 12 or 16 bits"):
        read(path)
    full = save(tmp_path, GREY.astype(np.uint16) * 257, f"full.{ending}")
    np.testing.assert_array_equal(read(full)[0], GREY)
    black = save(tmp_path, GREY.astype(np.uint16) * 0, f"black.{ending}")
    np.testing.assert_array_equal(read(black)[0], 0)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("factor", [1, 16, 257])
def test_colours_of_16_bits(channels, factor, tmp_path):
    array = np.stack([GREY.astype(np.uint16) * factor] * channels, -1)
    if channels == 4:
        array[..., 3] = 65535
    path = wide_png(tmp_path / "a.png", array)
    if factor == 257:
        np.testing.assert_array_equal(read(path, (8, 6, 3))[0], array[..., :3] // 257)
        return
    with pytest.raises(InputError, match="upper 8 are not used" if factor == 1 else "nearly black as bytes"):
        read(path, (8, 6, 3))


def test_masks_of_0_and_1(tmp_path):
    mask = GREY > 99
    with pytest.raises(
        InputError, match=r"a\.png are whole numbers up to 1, nearly black as bytes; .* mask of 0 and 1"
    ):
        read(save(tmp_path, mask.astype(np.uint8)))
    np.testing.assert_array_equal(read(save(tmp_path, mask, "bits.png"))[0], mask * 255)
    paletted = Image.fromarray(mask.astype(np.uint8)).convert("P")
    paletted.putpalette([0, 0, 0, 255, 255, 255])
    paletted.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read(tmp_path / "palette.png")[0], mask * 255)
    paletted.putpalette([0, 0, 0, 1, 1, 1])
    paletted.save(tmp_path / "dark.png")
    with pytest.raises(InputError, match="nearly black"):
        read(tmp_path / "dark.png", (8, 6, 3))
    with pytest.raises(InputError, match="nearly black"):
        read(tmp_path, resize=True)  # one such picture among others


@pytest.mark.parametrize(
    ("array", "refused"),
    [
        (GREY % 17, True),
        ((GREY > 99).astype(np.int32), True),
        (GREY / 255 / 255, True),
        (GREY * 0, False),
        (GREY * 0.0, False),
        (np.where(GREY == 255, 17, 0), False),
    ],
    ids=["4 bits", "0 and 1", "twice", "black bytes", "black floats", "17"],
)
@pytest.mark.parametrize("ending", ["npy", "npz", "idx"])
def test_dark_arrays_are_refused_as_in_training(array, refused, ending, tmp_path):
    path = tmp_path / f"a.{ending}"
    images = np.stack([array] * 3)
    if ending == "npy":
        np.save(path, images)
    elif ending == "npz":
        np.savez(path, x=images)
    elif images.dtype.kind == "f":
        pytest.skip("IDX files are of bytes here")
    else:
        path.write_bytes(idx_bytes(images))
    if refused:
        with pytest.raises(InputError, match="nearly black"):
            read(path)
    else:
        np.testing.assert_array_equal(read(path), images)


@pytest.mark.parametrize("kind", ["npz", "idx"])
@pytest.mark.parametrize("dark", ["black", "nearly"])
def test_dark_training_images_are_refused_by_every_reader(kind, dark, tmp_path):
    images = np.stack([GREY * 0 if dark == "black" else GREY % 9] * 8)
    labels = (np.arange(8) % 2).astype(np.uint8)
    if kind == "npz":
        np.savez(tmp_path / "a.npz", x=images, y=labels)
        load = lambda: load_npz(tmp_path / "a.npz")  # noqa: E731
    else:
        for name, array in zip(stems(), (images, labels, images, labels), strict=True):
            (tmp_path / name).write_bytes(idx_bytes(array))
        load = lambda: load_idx_folder(tmp_path)  # noqa: E731
    with pytest.raises(InputError, match="entirely black" if dark == "black" else "nearly black as bytes"):
        load()


def test_rows_of_small_numbers_are_no_dark_images(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.random.default_rng(0).normal(size=(20, 3)) * 1e-3, y=np.arange(20) % 2)
    assert load_npz(tmp_path / "a.npz").train_images.max() == 1


TURNS = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    5: Image.Transpose.TRANSPOSE,
}


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("orientation", TURNS)
def test_pictures_are_turned_before_their_size_is_compared(orientation, ending, tmp_path):
    upright = np.zeros((20, 10), np.uint8)
    upright[12:] = 220
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"exif": exif} | ({"lossless": True} if ending == "webp" else {})
    Image.fromarray(upright).transpose(TURNS[orientation]).convert("RGB").save(tmp_path / f"a.{ending}", **options)
    found = read(tmp_path / f"a.{ending}", (20, 10))[0]
    assert np.abs(found.astype(int) - upright).mean() < 5
    np.testing.assert_array_equal(decode_picture((tmp_path / f"a.{ending}").read_bytes(), "it").shape[:2], (20, 10))
    if orientation in (5, 6, 8):
        with pytest.raises(InputError, match="is 20 x 10 pixels, but the model takes 10 x 20; give --resize"):
            read(tmp_path / f"a.{ending}", (10, 20))


def test_the_first_frame_is_taken(tmp_path):
    frames = [Image.fromarray(np.full((8, 6), value, np.uint8)) for value in (200, 100, 50)]
    for ending in ("gif", "png", "tif", "webp"):
        options = {"lossless": True} if ending == "webp" else {}
        frames[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:], **options)
        np.testing.assert_array_equal(read(tmp_path / f"a.{ending}"), 200)


@pytest.mark.parametrize(("width", "height"), [(7100, 7100), (12_000, 12_000), (60_000, 60_000)])
def test_pictures_of_too_many_pixels_are_not_decoded(width, height, tmp_path):
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    raw = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    (tmp_path / "a.png").write_bytes(raw + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT")))
    with pytest.raises(InputError, match="more than 50,000,000 pixels; make it smaller"):
        read(tmp_path / "a.png", resize=True)


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.tiff"])
def test_no_program_is_started(name, tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in ("gs", "gswin64c", "djpeg", "xv", "display"):
        (programs / program).write_text(f"#!/bin/sh\ntouch {tmp_path}/RAN\nexit 1\n")
        (programs / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    (tmp_path / name).write_bytes(EPS)
    with pytest.raises(InputError, match="it is not one of PNG, JPEG, BMP, GIF, TIFF, WEBP, PPM"):
        read(tmp_path / name, (8, 8), resize=True)
    with pytest.raises(InputError, match="it is not one of PNG"):
        decode_picture(EPS, "record 3")
    assert not (tmp_path / "RAN").exists()


@pytest.mark.parametrize("kind", ["ICO", "PCX", "TGA", "ICNS", "JPEG2000", "SGI"])
def test_other_formats_are_refused_whatever_their_name(kind, tmp_path):
    stream = io.BytesIO()
    try:
        Image.fromarray(np.full((16, 16), 200, np.uint8)).convert("RGB").save(stream, format=kind)
    except Exception:
        pytest.skip(f"Pillow cannot write {kind} here")
    (tmp_path / "a.png").write_bytes(stream.getvalue())
    with pytest.raises(InputError, match="cannot be read as a picture"):
        read(tmp_path / "a.png", resize=True)


def make_special(kind, path, tmp_path):
    if kind == "zero":
        path.symlink_to("/dev/zero")
    elif kind == "full":
        path.symlink_to("/dev/full")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "linked pipe":
        os.mkfifo(tmp_path / "the pipe")
        path.symlink_to(tmp_path / "the pipe")
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)


KINDS = ["zero", "full", "pipe", "linked pipe", "socket", "folder", "loop"]
READERS = {
    "a.png": read,
    "a.npy": read,
    "a.npz": read,
    "a.idx": read,
    "own.npz": lambda path: load_dataset(f"npz:{path}"),
    "train-images-idx3-ubyte": lambda path: load_dataset(f"idx:{path.parent}"),
    "train-images-idx3-ubyte.gz": lambda path: load_dataset("mnist", data_dir=path.parent),
    "in a folder.png": lambda path: read(path.parent),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "reader"), READERS.items(), ids=READERS.keys())
def test_what_is_no_regular_file_is_refused_at_once(kind, name, reader, tmp_path):
    folder = tmp_path / "given"
    folder.mkdir()
    make_special(kind, folder / name, tmp_path)
    began = time.monotonic()
    with pytest.raises(InputError) as refused:
        reader(folder / name)
    assert time.monotonic() - began < 5
    assert "\n" not in str(refused.value)


def test_the_sentence_names_what_it_is(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png cannot be read as a picture \(not a regular file\)"):
        read(tmp_path)


@pytest.mark.parametrize("name", [b"\xff\xfe.png", b"line\nfeed\x1b.png", "üñ\u202e.png".encode()])
def test_names_of_any_bytes(name, tmp_path):
    path = os.path.join(os.fsencode(tmp_path), name)
    Image.fromarray(GREY).save(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", path)
    found = read_pictures(tmp_path, (8, 6))
    assert found.names == (os.fsdecode(name),)
    with pytest.raises(InputError) as refused:
        read(os.fsdecode(path), (9, 9))
    assert str(refused.value).isprintable()
    assert str(refused.value).encode()


@pytest.mark.parametrize("path", ["a\0.png", "a\0.npz", "\0"])
def test_names_with_a_zero_byte(path):
    for reader in (read, load_npz, lambda name: load_dataset(f"npz:{name}")):
        with pytest.raises(InputError):
            reader(path)
