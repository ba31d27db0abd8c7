"""Image sets known by name: file names, folders, and checksums."""

import hashlib
import string
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.dataset import Dataset
from aae_jax.errors import InputError

__all__ = ["KNOWN", "KnownSet", "check_content", "pairs_sha256", "stems"]

DIGITS = tuple(string.digits)
LETTERS = tuple(string.ascii_uppercase)
BY_CLASS = (*DIGITS, *LETTERS, *string.ascii_lowercase)
MERGED = (*DIGITS, *LETTERS, *"abdefghnqrt")
"""Classes of EMNIST that merge lower-case letters with capitals of the same shape."""


def stems(prefix: str = "", test: str = "t10k") -> tuple[str, str, str, str]:
    """Return the four file names of a set in IDX form, in the order training images, labels, test images, labels."""
    return (
        f"{prefix}train-images-idx3-ubyte",
        f"{prefix}train-labels-idx1-ubyte",
        f"{prefix}{test}-images-idx3-ubyte",
        f"{prefix}{test}-labels-idx1-ubyte",
    )


class KnownSet(NamedTuple):
    """Description of one image set.

    Attributes:
        name: Name for `--dataset`.
        title: Common name.
        tfds: Name in TensorFlow Datasets, whose catalogue has the download addresses.
        folders: Possible folders of its files below the data folder.
        files: Names of its four IDX files, without `.gz`.
        class_names: Names of the classes in the order of their labels.
        sha256: SHA-256 of the four files, uncompressed and with headers; None if the files were never available.
        dataset_sha256: `content_sha256` of the set in its original order; None as above.
        content: `pairs_sha256` of the training and of the test images; None as above.
        archive: Zip file with the four files, or None if they are downloaded one by one.
        transposed: Whether the stored images are transposed.
        first_label: Label of the first class.
    """

    name: str
    title: str
    tfds: str
    folders: tuple[str, ...]
    files: tuple[str, str, str, str]
    class_names: tuple[str, ...]
    sha256: tuple[str, str, str, str] | None = None
    dataset_sha256: str | None = None
    content: tuple[str, str] | None = None
    archive: str | None = None
    transposed: bool = False
    first_label: int = 0


def _emnist(split: str, class_names: tuple[str, ...], first_label: int = 0) -> KnownSet:
    return KnownSet(
        name=f"emnist/{split}",
        title=f"EMNIST {split}",
        tfds=f"emnist/{split}",
        folders=("emnist", "EMNIST/raw", "gzip", "."),
        files=stems(f"emnist-{split}-", "test"),
        class_names=class_names,
        archive="gzip.zip",
        transposed=True,
        first_label=first_label,
    )


_SETS = (
    KnownSet(
        name="mnist",
        title="MNIST",
        tfds="mnist",
        folders=("mnist", "MNIST/raw", "."),
        files=stems(),
        class_names=DIGITS,
        sha256=(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        dataset_sha256="f83c8688dc3302ee9b344ce84a6d41db35622951ff5ed4f755c4c2f4ef2e44a9",
        content=(
            "9c1b1c022f154563583e6e208cabc69cf677636a9e6bf3aaa71d62cb545c6af1",
            "ab7a904845cc697c6eef90023b30a6d1ec12a353bb5a5d8e4d99c4ff99c37b98",
        ),
    ),
    KnownSet(
        name="fashion_mnist",
        title="Fashion-MNIST",
        tfds="fashion_mnist",
        folders=("fashion_mnist", "FashionMNIST/raw", "."),
        files=stems(),
        class_names=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
    ),
    KnownSet(
        name="kmnist",
        title="Kuzushiji-MNIST",
        tfds="kmnist",
        folders=("kmnist", "KMNIST/raw", "."),
        files=stems(),
        class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
    _emnist("balanced", MERGED),
    _emnist("bymerge", MERGED),
    _emnist("byclass", BY_CLASS),
    _emnist("letters", LETTERS, first_label=1),
    _emnist("digits", DIGITS),
    _emnist("mnist", DIGITS),
)

KNOWN = {known.name: known for known in _SETS}
"""Known sets by their name for `--dataset`."""


def pairs_sha256(images: NDArray[Any], labels: NDArray[Any]) -> str:
    """Return the hexadecimal SHA-256 of images `[count, *image]` and labels `[count]`, independent of their order."""
    pixels, numbers = np.ascontiguousarray(images), np.ascontiguousarray(labels, dtype="<i8")
    pairs = zip(pixels, numbers, strict=True)
    digests = sorted(hashlib.sha256(image.tobytes() + label.tobytes()).digest() for image, label in pairs)
    shape = f"{pixels.dtype.name}{list(pixels.shape)};".encode()
    return hashlib.sha256(shape + b"".join(digests)).hexdigest()


def check_content(known: KnownSet, dataset: Dataset, what: str) -> None:
    """Refuse data with the name of a known set but other content, ignoring the order.

    Raises:
        InputError: An image or a label differs or is missing.
    """
    if known.content is None or known.sha256 is None:
        return
    parts = (dataset.train_images, dataset.train_labels), (dataset.test_images, dataset.test_labels)
    for name, part, expected in zip(("training", "test"), parts, known.content, strict=True):
        sha256 = pairs_sha256(*part)
        if sha256 != expected:
            raise InputError(
                f"{what} is not {known.title}: its {name} images and labels have, in any order, SHA-256 {sha256}, "
                f"not {expected}; remove it, or replace it with the original."
            )
