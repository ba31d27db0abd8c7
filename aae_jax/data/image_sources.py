"""Data sets that are read from image files, and sets of colour images known by name."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from aae_jax.data.cache import fingerprint, read_cache, user_folder, write_cache
from aae_jax.data.colour_sets import (
    COLOUR_SETS,
    FACE_PLACES,
    FACES,
    ColourSet,
    find_colour_set,
    find_faces,
    read_faces,
)
from aae_jax.data.dataset import Dataset
from aae_jax.data.download import DownloadError, download, offline
from aae_jax.data.places import Places, Reporter, writable_data_dir
from aae_jax.data.readers import tfds_copy
from aae_jax.data.readers.idx_sets import MissingDataError
from aae_jax.data.readers.image_folder import Decoding, load_image_files
from aae_jax.data.readers.image_tree import fingerprint_of, open_tree
from aae_jax.errors import InputError

__all__ = [
    "are_image_files",
    "image_size_of",
    "load_colour_set",
    "load_faces",
    "load_image_files_of",
    "whereabouts",
]

IMAGE_FILES = ("folder", "zip")
"""Kinds of sources whose images are decoded from files, to a size of choice."""
MAX_SIDE = 8192


def are_image_files(name: str) -> bool:
    """Return whether a data set is read from image files, which have no size of their own."""
    kind, colon, rest = name.partition(":")
    return name in FACES or (bool(colon and rest) and kind in IMAGE_FILES)


def image_size_of(image_size: int | Sequence[int] | None) -> tuple[int, int] | None:
    """Return height and width.

    Raises:
        InputError: There are not one or two numbers, or one is not a sensible number of pixels.
    """
    if image_size is None or (not isinstance(image_size, int) and not len(image_size)):
        return None
    sides = (image_size,) if isinstance(image_size, int) else tuple(image_size)
    if len(sides) > 2 or any(not 1 <= side <= MAX_SIDE for side in sides):
        raise InputError(
            f"image_size is {' '.join(map(str, sides))}; give height and width, or one number for both, from 1 to "
            f"{MAX_SIDE} pixels."
        )
    return sides[0], sides[-1]


def load_image_files_of(
    name: str, decoding: Decoding, where: Places, split_seed: int, mapped: bool, reporter: Reporter
) -> Dataset:
    """Read `folder:FOLDER` or `zip:FILE`, or the cache's copy if no file has changed since.

    With `mapped`, the training images are decoded into a file and stay there.

    Raises:
        InputError: See `load_image_files`.
    """
    kind, _, rest = name.partition(":")
    path = Path(os.path.expanduser(rest))
    short = f"{kind}:{path.name or path.resolve().name}"
    return _load_tree(path, kind == "zip", short, load_image_files, decoding, where, split_seed, mapped, reporter)


def load_faces(
    name: str, decoding: Decoding, where: Places, split_seed: int, mapped: bool, reporter: Reporter
) -> Dataset:
    """Read Labeled Faces in the Wild from a folder or zip file in the data folder, or the cache's copy of it.

    Raises:
        InputError: They are not there; or see `read_faces`.
    """
    folders = [folder for folder in (where.data_dir, where.cache_dir / "downloads") if folder is not None]
    path = next((found for folder in folders if (found := find_faces(folder)) is not None), None)
    if path is None:
        raise MissingDataError(
            f"Labeled Faces in the Wild is not available locally{_lacking(where)}; put a folder or zip file of it, "
            f"with a folder of images per person, into a folder as {' or '.join(FACE_PLACES[:4])}, and pass "
            "--data-dir FOLDER or set AAE_DATA_DIR."
        )
    return _load_tree(path, path.is_file(), name, read_faces, decoding, where, split_seed, mapped, reporter)


def _load_tree(
    path: Path,
    zipped: bool,
    name: str,
    read: Callable[..., Dataset],
    decoding: Decoding,
    where: Places,
    seed: int,
    mapped: bool,
    reporter: Reporter,
) -> Dataset:
    """Read the image files below a path by `read`, or the cache's copy of the result."""
    with open_tree(path, zipped=zipped) as tree:
        made_from = fingerprint_of(tree)
        key = hashlib.sha256(f"{name}\n{path.resolve()}\n{decoding}\n{seed}".encode(errors="surrogateescape"))
        cache_file = where.cache_dir / f"images-{key.hexdigest()[:16]}.npz"
        cached = read_cache(cache_file, mapped=mapped)
        if cached is not None and cached.fingerprint == made_from:
            return cached.dataset
        reporter.working(f"reading {len(tree.files):,} image files in {path}")
        scratch = (user_folder(where.cache_dir) or Path(tempfile.gettempdir())) if mapped else None
        dataset = read(tree, decoding, name=name, split_seed=seed, scratch=scratch)
    write_cache(cache_file, dataset, made_from)
    return dataset


def load_colour_set(known: ColourSet, where: Places, reporter: Reporter) -> Dataset:
    """Load a known set of colour images: from the data folder, the cache, a TFDS copy, or by downloading it.

    Raises:
        InputError: It is unavailable or damaged.
    """
    if where.data_dir is not None and not where.data_dir.is_dir():
        raise MissingDataError(f"The data folder {where.data_dir} does not exist; {_how_to_get(known)}.")
    cache_file = where.cache_dir / f"{known.name.replace('/', '-')}.npz"
    cached = read_cache(cache_file)
    folders = [folder for folder in (where.data_dir, where.cache_dir / "downloads") if folder is not None]
    found = next((each for folder in folders if (each := find_colour_set(known, folder)) is not None), None)
    if found is not None:
        made_from = fingerprint(found.watched)
        if cached is not None and cached.fingerprint == made_from:
            return cached.dataset
        reporter.working(f"reading {known.title}")
        dataset = known.build(found.files)
        write_cache(cache_file, dataset, made_from)
        return dataset
    if cached is not None:
        return cached.dataset
    copy = None
    if "/" not in known.name:
        copy = tfds_copy.find_copy(known.tfds, tfds_copy.copy_roots(where.data_dir, where.cache_dir))
    if copy is not None:
        dataset = tfds_copy.read_copy(copy, name=known.name)
        write_cache(cache_file, dataset, f"tfds {copy.folder}")
        return dataset
    _fetch(known, where, reporter)
    return load_colour_set(known, where, reporter)


def _fetch(known: ColourSet, where: Places, reporter: Reporter) -> None:
    """Download the files of a set."""
    if offline():
        raise MissingDataError(
            f"{known.title} is not available locally{_lacking(where)} and AAE_OFFLINE is set; {_how_to_get(known)}."
        )
    try:
        catalogue = {remote.name: remote for remote in tfds_copy.catalogue(known.tfds)}
        remotes = [catalogue[name] for name in known.downloads]
    except (ImportError, KeyError) as error:
        raise MissingDataError(
            f"{known.title} is not available locally, and tensorflow-datasets, which provides its address, is not "
            f"installed or does not have it; {_how_to_get(known)}."
        ) from error
    folder = (writable_data_dir(where) or where.cache_dir / "downloads") / known.folders[0]
    total = sum(remote.size for remote in remotes)
    reporter.notice(f"{known.title} is not available locally: fetching {total / 1e6:.0f} MB into {folder}")
    try:
        for remote in remotes:
            download(remote, folder, progress=reporter.progress)
    except DownloadError as error:
        raise type(error)(f"{error} {_how_to_get(known).capitalize()}.") from error


def _lacking(where: Places) -> str:
    return "" if where.data_dir is None else f" (not in {where.data_dir})"


def _how_to_get(known: ColourSet) -> str:
    forms = ", or ".join(" and ".join(names) for names in known.needed)
    return f"put {forms} into a folder and pass --data-dir FOLDER or set AAE_DATA_DIR"


def whereabouts(where: Places) -> dict[str, str]:
    """Return in words where each known set of colour images, and the faces, would be loaded from."""
    folders = [folder for folder in (where.data_dir, where.cache_dir / "downloads") if folder is not None]
    told = {}
    for known in COLOUR_SETS.values():
        found = next((each for folder in folders if (each := find_colour_set(known, folder)) is not None), None)
        cached = (where.cache_dir / f"{known.name.replace('/', '-')}.npz").is_file()
        absent = "cached" if cached else f"not available: `aae-jax data fetch {known.name}`"
        told[known.name] = absent if found is None else f"{found.files[0].name} in {found.files[0].parent}"
    path = next((at for folder in folders if (at := find_faces(folder)) is not None), None)
    told[FACES[0]] = "not available" if path is None else str(path)
    return told
