"""Sets of colour images known by name: where their files are, and how they are read."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.dataset import Dataset, build_dataset
from aae_jax.data.readers import cifar
from aae_jax.data.readers.decoded import pick
from aae_jax.data.readers.image_folder import Decoding, decode_all
from aae_jax.data.readers.image_tree import ImageTree
from aae_jax.data.readers.svhn import read_matlab
from aae_jax.data.seeds import seeded_generator
from aae_jax.errors import InputError

__all__ = [
    "COLOUR_SETS",
    "FACES",
    "FACE_PLACES",
    "ColourSet",
    "FoundSet",
    "find_colour_set",
    "find_faces",
    "read_faces",
]

FACES = ("lfw", "lfw/first")
"""Names of the faces: all images, or the first of each person."""
FACE_PLACES = ("lfw64.zip", "lfw64", "lfw.zip", "lfw", "lfw-deepfunneled.zip", "lfw-deepfunneled", "lfwcrop_color")
HELD_OUT = 0.1
"""Share of the people who are only tested on."""


Arrays = tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.uint8], NDArray[np.int32]]
"""Training images and labels, test images and labels."""


class ColourSet(NamedTuple):
    """Description of a set in files of its own format.

    Attributes:
        name: Name for `--dataset`.
        title: Common name.
        tfds: Name in TensorFlow Datasets, whose catalogue has the download addresses.
        folders: Possible folders of its files below the data folder.
        needed: Files, or a folder or an archive; each entry is one possible form of the set.
        downloads: Names of the files in the catalogue.
        class_names: Names of the classes in the order of their labels.
        read: Reader of found files.
    """

    name: str
    title: str
    tfds: str
    folders: tuple[str, ...]
    needed: tuple[tuple[str, ...], ...]
    downloads: tuple[str, ...]
    class_names: tuple[str, ...]
    read: Callable[[Sequence[Path]], Arrays]

    def build(self, files: Sequence[Path]) -> Dataset:
        """Read the set from its files.

        Raises:
            InputError: A file is damaged, or of another set.
        """
        train_images, train_labels, test_images, test_labels = self.read(files)
        return build_dataset(
            name=self.name,
            source=f"{files[0].name} in {files[0].parent}" if len(files) == 1 else f"files in {files[0].parent}",
            train_images=train_images,
            train_labels=train_labels,
            test_images=test_images,
            test_labels=test_labels,
            num_classes=len(self.class_names),
            class_names=self.class_names,
        )


class FoundSet(NamedTuple):
    """Files of a set that exist, and those whose change shows that the set has changed."""

    files: tuple[Path, ...]
    watched: tuple[Path, ...]


def find_colour_set(known: ColourSet, data_dir: Path) -> FoundSet | None:
    """Find the files of a set below `data_dir`, all in one folder; None if some are missing."""
    for folder in known.folders:
        for names in known.needed:
            files = tuple(data_dir / folder / name for name in names)
            if all(file.exists() for file in files):
                inner = tuple(sorted(path for file in files if file.is_dir() for path in file.iterdir()))
                return FoundSet(files, inner or files)
    return None


def _read_svhn(files: Sequence[Path]) -> Arrays:
    train, test, *extra = (read_matlab(file) for file in files)
    parts = (train, *extra)
    shapes = {images.shape[1:] for images, _ in (*parts, test)}
    if len(shapes) > 1:
        raise InputError(f"The files in {files[0].parent} hold images of different shapes, {shapes}; give one set.")
    joined = np.concatenate([images for images, _ in parts]), np.concatenate([labels for _, labels in parts])
    return *joined, *test


def _read_cifar(files: Sequence[Path]) -> Arrays:
    path = files[0]
    binary = path.name.removesuffix(".tar.gz").endswith(("-bin", "-binary"))
    names = cifar.BINARY if binary else cifar.PYTHON
    batches = [
        cifar.read_batch(content, f"{path}/{name}" if path.is_dir() else f"{path}:{name}", binary=binary)
        for name, content in zip(names, cifar.read_members(path, names), strict=True)
    ]
    train, test = batches[:-1], batches[-1]
    return np.concatenate([images for images, _ in train]), np.concatenate([labels for _, labels in train]), *test


CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
DIGIT_NAMES = tuple(str(digit) for digit in range(10))
SVHN_FILES = ("train_32x32.mat", "test_32x32.mat")
_SETS = (
    ColourSet(
        name="svhn",
        title="SVHN (cropped digits)",
        tfds="svhn_cropped",
        folders=("svhn", "SVHN", "svhn_cropped", "."),
        needed=(SVHN_FILES,),
        downloads=SVHN_FILES,
        class_names=DIGIT_NAMES,
        read=_read_svhn,
    ),
    ColourSet(
        name="svhn/extra",
        title="SVHN (cropped digits, with the extra training images)",
        tfds="svhn_cropped",
        folders=("svhn", "SVHN", "svhn_cropped", "."),
        needed=((*SVHN_FILES, "extra_32x32.mat"),),
        downloads=(*SVHN_FILES, "extra_32x32.mat"),
        class_names=DIGIT_NAMES,
        read=_read_svhn,
    ),
    ColourSet(
        name="cifar10",
        title="CIFAR-10",
        tfds="cifar10",
        folders=("cifar10", "CIFAR10", "."),
        needed=(
            ("cifar-10-batches-bin",),
            ("cifar-10-batches-py",),
            ("cifar-10-binary.tar.gz",),
            ("cifar-10-python.tar.gz",),
        ),
        downloads=("cifar-10-binary.tar.gz",),
        class_names=CIFAR_CLASSES,
        read=_read_cifar,
    ),
)
COLOUR_SETS = {known.name: known for known in _SETS}
"""Sets of labelled colour images by their name for `--dataset`."""


def find_faces(data_dir: Path) -> Path | None:
    """Find Labeled Faces in the Wild below `data_dir`: a folder or zip file with a folder per person."""
    return next((data_dir / name for name in FACE_PLACES if (data_dir / name).exists()), None)


def read_faces(
    tree: ImageTree, decoding: Decoding, *, name: str, split_seed: int, scratch: Path | None = None
) -> Dataset:
    """Read faces without classes; a tenth of the people are in the test set alone.

    Args:
        tree: The files: a folder per person.
        decoding: How they become arrays.
        name: "lfw", or "lfw/first" for the first image of each person.
        split_seed: Seed of the people to test on.
        scratch: Folder for decoded training images that stay in a file; None: they are in memory.

    Raises:
        InputError: See `image_folder.decode_all`; or there are fewer than two people.
    """
    paths = list(tree.files)
    people = [path.rpartition("/")[0] for path in paths]
    if name == FACES[1]:
        firsts = [i for i in range(len(paths)) if i == 0 or people[i] != people[i - 1]]
        paths, people = [paths[i] for i in firsts], [people[i] for i in firsts]
    everyone = sorted(set(people))
    if len(everyone) < 2:
        raise InputError(f"{tree.where} holds images of {len(everyone)} people; give a folder for each of several.")
    drawn = seeded_generator(split_seed, "split_seed").permutation(len(everyone))
    held_out = {everyone[i] for i in drawn[: max(1, round(HELD_OUT * len(everyone)))]}
    images, kept, notices = decode_all(tree, paths, decoding, scratch)
    is_test = np.asarray([people[i] in held_out for i in kept])
    without = [np.full(int(count), -1, np.int32) for count in ((~is_test).sum(), is_test.sum())]
    return build_dataset(
        name=name,
        source=f"image files in {tree.where}, {len(held_out):,} of {len(everyone):,} people in the test set alone",
        train_images=pick(images, np.flatnonzero(~is_test), scratch),
        train_labels=without[0],
        test_images=pick(images, np.flatnonzero(is_test)),
        test_labels=without[1],
        num_classes=0,
        notices=notices,
    )
