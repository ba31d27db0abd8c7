"""Data sets of four IDX files: search in folders, recognition by content, conversion to a `Dataset`."""

import hashlib
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.dataset import Dataset, build_dataset
from aae_jax.data.known import KNOWN, KnownSet, stems
from aae_jax.data.labels import NO_LABEL, Parts, counted_from, number_classes, settle_parts
from aae_jax.data.readers.idx import MAX_DEFLATED, map_idx, parse_idx, read_idx
from aae_jax.errors import InputError
from aae_jax.files import open_regular

__all__ = [
    "ForeignFilesError",
    "LocatedFiles",
    "MissingDataError",
    "find_files",
    "idx_sha256",
    "load_idx_folder",
    "missing_files",
    "read_known",
]

RANKS = (3, 1, 3, 1)
BYTE_OF_NONE = 255
"""Byte that -1, no label, is stored as."""


class MissingDataError(InputError):
    """A data set is unavailable, as opposed to damaged."""


class ForeignFilesError(InputError):
    """Files of the right names belong to another known set."""


class LocatedFiles(NamedTuple):
    """Files of a set that exist: the four files, or the archive that contains them."""

    files: tuple[Path, ...]
    archive: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """Paths to check for changes."""
        return self.files if self.archive is None else (self.archive,)

    @property
    def where(self) -> str:
        """Location of the files, in words."""
        return f"IDX files in {self.files[0].parent}" if self.archive is None else f"IDX files in {self.archive}"


def find_files(known: KnownSet, data_dir: Path) -> LocatedFiles | None:
    """Find the files of a set below `data_dir`, all in one folder or in one archive; None if they are missing."""
    for folder in known.folders:
        paths = [_find_file(data_dir / folder, name) for name in known.files]
        if all(path is not None for path in paths):
            return LocatedFiles(tuple(path for path in paths if path is not None))
    if known.archive is not None:
        for folder in known.folders:
            archive = data_dir / folder / known.archive
            if archive.is_file():
                return LocatedFiles((), archive)
    return None


def missing_files(known: KnownSet, data_dir: Path) -> list[str]:
    """Return the names of the missing files in the folder that has most of them."""
    by_folder = [
        [name for name in known.files if _find_file(data_dir / folder, name) is None] for folder in known.folders
    ]
    return min(by_folder, key=len)


def _find_file(folder: Path, name: str) -> Path | None:
    dotted = name.replace("-idx", ".idx")
    candidates = (folder / spelling for spelling in (name, f"{name}.gz", dotted, f"{dotted}.gz"))
    return next((path for path in candidates if os.path.isfile(path)), None)


def read_known(known: KnownSet, located: LocatedFiles, *, trusted: bool = False) -> Dataset:
    """Read and recognise the files of a known set; `trusted`: their checksums have been verified.

    Raises:
        ForeignFilesError: A file belongs to another known set.
        InputError: A file is damaged, or has another checksum.
    """
    if located.archive is None:
        arrays = [read_idx(path, rank=rank) for path, rank in zip(located.files, RANKS, strict=True)]
        names = [str(path) for path in located.files]
    else:
        arrays = _read_archive(located.archive, known)
        names = [f"{located.archive}:{name}" for name in known.files]
    recognised = _recognise(known, arrays, names) or trusted
    source = located.where if recognised else f"{located.where}, whose content has no known checksum"
    train_images, train_labels, test_images, test_labels = arrays
    if known.transposed:
        train_images, test_images = train_images.transpose(0, 2, 1), test_images.transpose(0, 2, 1)
    return build_dataset(
        name=known.name,
        source=source,
        train_images=train_images,
        train_labels=counted_from(known.first_label, train_labels, f"The labels in {names[1]}"),
        test_images=test_images,
        test_labels=counted_from(known.first_label, test_labels, f"The labels in {names[3]}"),
        num_classes=len(known.class_names),
        class_names=known.class_names,
    )


def idx_sha256(array: NDArray[np.uint8]) -> str:
    """Return the hexadecimal SHA-256 of the uncompressed IDX file of an array."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    digest = hashlib.sha256(bytes([0, 0, 8, array.ndim]) + sizes)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _recognise(known: KnownSet, arrays: Sequence[NDArray[np.uint8]], names: Sequence[str]) -> bool:
    """Return whether the content has known checksums; raise if it differs from them."""
    for position, (array, name) in enumerate(zip(arrays, names, strict=True)):
        sha256 = idx_sha256(array)
        for other in KNOWN.values():
            if other.name != known.name and other.sha256 is not None and sha256 in other.sha256:
                raise ForeignFilesError(
                    f"{name} is a file of {other.title}, not of {known.title}; give --dataset {other.name}, "
                    "or another data folder."
                )
        if known.sha256 is not None and sha256 != known.sha256[position]:
            raise InputError(
                f"{name} is not {known.title}'s {known.files[position]}: its uncompressed SHA-256 is {sha256}, not "
                f"{known.sha256[position]}; replace it with the original file, or move it out of the data folder."
            )
    return known.sha256 is not None


def _read_archive(archive: Path, known: KnownSet) -> list[NDArray[np.uint8]]:
    """Read the four arrays from a zip file, from any folder in it, gzipped or not."""
    try:
        with open_regular(archive) as stored, zipfile.ZipFile(stored) as opened:
            members = {Path(info.filename).name: info for info in opened.infolist()}
            return [
                parse_idx(_read_member(opened, members, name, archive), f"{archive}:{name}", rank)
                for name, rank in zip(known.files, RANKS, strict=True)
            ]
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{archive} is a damaged or truncated zip file ({error}); fetch it again.") from error
    except OSError as error:
        raise InputError(f"{archive} cannot be read ({error.strerror}); check that it is a readable file.") from error


def _read_member(opened: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], name: str, archive: Path) -> bytes:
    info = members.get(f"{name}.gz") or members.get(name)
    if info is None:
        raise InputError(f"{archive} holds no {name}; give the original archive.")
    if info.file_size > MAX_DEFLATED * (info.compress_size + 1):
        raise InputError(
            f"{archive} declares {info.file_size} bytes for {name}, more than it can hold; fetch it again."
        )
    return opened.read(info)


def load_idx_folder(folder: str | os.PathLike[str], *, split_seed: int = 0, mapped: bool = False) -> Dataset:
    """Load four user-provided IDX files, named like MNIST's: `--dataset idx:FOLDER`.

    The classes are the labels that occur. 255, the byte that -1 is stored as, means no label, unless 254 occurs too
    or there are only two different labels. If both label files are missing, no image has a label.

    Args:
        folder: Folder of the files.
        split_seed: Seed of a test set of a quarter of each class, drawn if no test image in the folder has a label.
        mapped: Leave the training images in their file, if it is uncompressed (see `Dataset.train_images`).

    Raises:
        InputError: A file is missing or damaged, or the files do not match.
    """
    path = Path(os.path.expanduser(folder))
    if not path.is_dir():
        raise InputError(f"The folder {path} of idx: does not exist; give a folder of four IDX files.")
    candidates = [stems(), stems(test="test")]
    files = [[_find_file(path, name) for name in names] for names in candidates]
    best = max(range(len(files)), key=lambda i: sum(file is not None for file in files[i]))
    missing = [name for name, file in zip(candidates[best], files[best], strict=True) if file is None]
    if missing and missing != list(candidates[best][1::2]):
        raise InputError(
            f"The folder {path} of idx: lacks {', '.join(missing)} (with or without .gz); give the four files these "
            "names, or leave out both label files."
        )
    arrays = [
        None if file is None else read_idx(file, rank=None if rank == 3 else 1)
        for file, rank in list(zip(files[best], RANKS, strict=True))[1:]
    ]
    images = files[best][0]
    assert images is not None, "checked above"
    arrays.insert(0, map_idx(images) if mapped else read_idx(images))
    return _build_custom(arrays, path, split_seed)


def _build_custom(arrays: Sequence[NDArray[np.uint8] | None], path: Path, split_seed: int) -> Dataset:
    """Return the data set of four arrays, or of images without labels."""
    train, train_labels, test, test_labels = arrays
    assert train is not None and test is not None, "checked by the caller"  # noqa: PT018
    name, notices = f"idx:{path.name or path}", []
    counts = len(train), len(test)
    class_names: tuple[str, ...] = ()
    labels = np.full(sum(counts), NO_LABEL, np.int32)
    if train_labels is not None and test_labels is not None:
        counts = len(train_labels), len(test_labels)
        given, blanks = _without_blanks(np.concatenate([train_labels, test_labels]))
        labels, class_names = number_classes(given, f"The labels in {path}")
        if blanks:
            notices = [f"{blanks:,} images of {name} have the label 255, which is read as no label (-1 in a byte)."]
    parts = Parts(train, labels[: counts[0]], test, labels[counts[0] :])
    settled = settle_parts(parts, class_names, name=name, split_seed=split_seed)
    return build_dataset(
        name=name,
        source=f"IDX files in {path}",
        **settled.parts._asdict(),
        num_classes=len(settled.class_names),
        class_names=settled.class_names,
        notices=(*notices, *settled.notices),
    )


def _without_blanks(labels: NDArray[np.uint8]) -> tuple[NDArray[np.int32], int]:
    """Replace the byte for no label by -1; return the labels and the number of replacements."""
    values, numbers = np.unique(labels), labels.astype(np.int32)
    if BYTE_OF_NONE not in values or BYTE_OF_NONE - 1 in values or len(values) == 2:
        return numbers, 0
    blank = numbers == BYTE_OF_NONE
    return np.where(blank, np.int32(NO_LABEL), numbers), int(blank.sum())
