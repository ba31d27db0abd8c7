"""Data sources by name, as given by `--dataset` and `--data-dir`."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from aae_jax.data.cache import CachedDataset, fingerprint, read_cache, write_cache
from aae_jax.data.colour_sets import COLOUR_SETS, FACES
from aae_jax.data.dataset import ARRAYS, Dataset, Images, build_dataset, count_repeated
from aae_jax.data.digits import load_digits
from aae_jax.data.download import DownloadError, NoAnswerError, Remote, download, file_sha256, offline
from aae_jax.data.image_sources import (
    are_image_files,
    image_size_of,
    load_colour_set,
    load_faces,
    load_image_files_of,
)
from aae_jax.data.known import KNOWN, KnownSet, check_content
from aae_jax.data.labels import counted_from
from aae_jax.data.places import Places, Quiet, Reporter, places, writable_data_dir
from aae_jax.data.readers import tfds_copy
from aae_jax.data.readers.idx_sets import (
    ForeignFilesError,
    LocatedFiles,
    MissingDataError,
    find_files,
    load_idx_folder,
    missing_files,
    read_known,
)
from aae_jax.data.readers.image_folder import Decoding
from aae_jax.data.readers.npz import load_npz
from aae_jax.errors import InputError, did_you_mean, known_name

__all__ = [
    "DATASET_NAMES",
    "Places",
    "Quiet",
    "Reporter",
    "are_image_files",
    "cache_path",
    "cached_set",
    "load_dataset",
    "local_files",
    "places",
]

DATASET_NAMES = (
    *("auto", "digits", *KNOWN, *COLOUR_SETS, *FACES),
    *("tfds:NAME", "idx:FOLDER", "npz:FILE", "folder:FOLDER", "zip:FILE"),
)


def load_dataset(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    split_seed: int = 0,
    image_size: int | Sequence[int] | None = None,
    skip_bad_images: bool = False,
    mapped: bool = False,
    reporter: Reporter | None = None,
) -> Dataset:
    """Load a data set by name.

    A known set (`mnist`, `fashion_mnist`, `kmnist`, `emnist/<split>`, `svhn`, `svhn/extra`, `cifar10`) is searched
    for in the cache, as its published files in the data folder and as a copy prepared by TFDS; otherwise it is
    downloaded, with the addresses and checksums in TFDS's catalogue, unless `$AAE_OFFLINE` is set.

    Args:
        name: A known set, "digits", "lfw" (faces; "lfw/first": one image of each person), "tfds:<name>" (a prepared
            copy), "idx:<folder>" (four IDX files), "npz:<file>", "folder:<folder>" or "zip:<file>" (image files), or
            "auto": MNIST, or, with a notice, the digits where MNIST is unavailable.
        data_dir: Data folder; None: `$AAE_DATA_DIR`, or none if that is not set.
        cache_dir: Folder of the cache; None: `default_cache_dir()`.
        split_seed: Seed of the test images of data without a test set.
        image_size: Height and width in pixels, or one number for both, that image files are scaled to cover and
            cropped to; None: their own size, if all agree.
        skip_bad_images: Leave out image files that cannot be read, with a notice.
        mapped: Leave the training images of npz:, idx:, folder:, zip: and lfw in a file, from which they are read
            where they are indexed (see `stored`); other sets are read into memory.
        reporter: Receiver of messages; None: notices go to standard error.

    Raises:
        InputError: The name is unknown, or the data are unavailable or damaged (also for "auto": damage is never
            hidden by other data).
    """
    reporter = Reporter() if reporter is None else reporter
    where = places(data_dir, cache_dir)
    name = known_name(name, (*KNOWN, *COLOUR_SETS, *FACES))
    kind, colon, rest = name.partition(":")
    decoding = Decoding(size=image_size_of(image_size), skip_bad=skip_bad_images)
    if are_image_files(name):
        load = load_faces if name in FACES else load_image_files_of
        dataset = load(name, decoding, where, split_seed, mapped, reporter)
        _report(dataset, reporter)
        return dataset
    if decoding != Decoding():
        given = "skip_bad_images" if decoding.size is None else "image_size"
        raise InputError(
            f"{given} is for image files (folder:FOLDER, zip:FILE, lfw), but the data set is {name!r}; leave it out."
        )
    if name == ARRAYS:
        raise InputError(
            "The data were arrays in Python, which cannot be read again; save them by numpy.savez and give "
            "--dataset npz:FILE, or go on in Python."
        )
    if name == "digits":
        return load_digits(split_seed=split_seed)
    if name == "auto":
        return _load_auto(where, split_seed, reporter)
    if name in KNOWN:
        return _load_known(KNOWN[name], where, reporter)
    if name in COLOUR_SETS:
        return load_colour_set(COLOUR_SETS[name], where, reporter)
    if colon and rest and kind in ("tfds", "idx", "npz"):
        dataset = _load_custom(kind, rest, where, split_seed, mapped, reporter)
        _report(dataset, reporter)
        return dataset
    if name.endswith(".npz"):
        raise InputError(f"There is no data set {name!r}; did you mean npz:{name}?")
    if os.path.isdir(name):
        raise InputError(
            f"There is no data set {name!r}; give folder:{name} for the image files in that folder, or idx:{name} "
            "for its IDX files."
        )
    if name.lower().endswith(".zip"):
        raise InputError(f"There is no data set {name!r}; did you mean zip:{name}?")
    raise InputError(f"There is no data set {name!r}; {did_you_mean(name, DATASET_NAMES)}")


def _load_custom(kind: str, rest: str, where: Places, split_seed: int, mapped: bool, reporter: Reporter) -> Dataset:
    if kind == "npz":
        return load_npz(rest, split_seed=split_seed, mapped=mapped)
    if kind == "idx":
        return load_idx_folder(rest, split_seed=split_seed, mapped=mapped)
    roots = tfds_copy.copy_roots(where.data_dir, where.cache_dir)
    copy = tfds_copy.find_copy(rest, roots)
    if copy is None:
        reporter.notice(f"{rest} is not prepared in {', '.join(map(str, roots))}; asking TFDS to prepare it.")
        copy = tfds_copy.prepare_by_tfds(rest, roots[0])
    return tfds_copy.read_copy(copy, name=f"tfds:{rest}", split_seed=split_seed)


def _report(dataset: Dataset, reporter: Reporter) -> None:
    """Report notices on the data, and test images that are also training images: test errors would be too low."""
    for notice in dataset.notices:
        reporter.notice(notice)
    repeated, total = count_repeated(dataset.train_images, dataset.test_images), len(dataset.test_images)
    if repeated:
        reporter.notice(
            f"{repeated:,} of the {total:,} test images of {dataset.name} are also training images; remove them "
            "from either set, or test errors are too low."
        )


def _load_auto(where: Places, split_seed: int, reporter: Reporter) -> Dataset:
    try:
        return _load_known(KNOWN["mnist"], where, reporter)
    except (MissingDataError, NoAnswerError) as missing:
        if where.given:
            raise
        digits = load_digits(split_seed=split_seed)
        reporter.notice(f"NOTICE: using {digits.source} (8 x 8 pixels), not MNIST. {missing}")
        return digits


def cache_path(known: KnownSet, where: Places) -> Path:
    """Return the path of the npz copy of a known set, which may not exist."""
    return where.cache_dir / f"{known.name.replace('/', '-')}.npz"


def cached_set(known: KnownSet, where: Places) -> CachedDataset | None:
    """Read the cached copy of a known set; None if there is no trustworthy one.

    It must be in a folder that nobody else can write to, and match the content of the set, where that is known.
    """
    cached = read_cache(cache_path(known, where))
    return cached if cached is not None and _has_known_content(known, cached.dataset) else None


def _has_known_content(known: KnownSet, dataset: Dataset) -> bool:
    """Return whether a data set equals the known set in any order, where the content of that is known."""
    if dataset.sha256 == known.dataset_sha256:
        return True
    try:
        check_content(known, dataset, "The cached copy")
    except InputError:
        return False
    return True


def local_files(known: KnownSet, where: Places) -> LocatedFiles | None:
    """Find the IDX files of a known set in the data folder or among earlier downloads."""
    folders = [folder for folder in (where.data_dir, where.cache_dir / "downloads") if folder is not None]
    return next((located for folder in folders if (located := find_files(known, folder)) is not None), None)


def _load_known(known: KnownSet, where: Places, reporter: Reporter) -> Dataset:
    if where.data_dir is not None and not where.data_dir.is_dir():
        raise MissingDataError(f"The data folder {where.data_dir} does not exist. {_how_to_get(known, where)}")
    cached = cached_set(known, where)
    located = local_files(known, where)
    if located is not None:
        made_from = fingerprint(located.paths)
        if cached is not None and cached.fingerprint == made_from:
            recognised = known.sha256 is not None
            return dataclasses.replace(cached.dataset, source=located.where) if recognised else cached.dataset
        try:
            return _read_and_cache(known, located, made_from, where)
        except ForeignFilesError:
            # Several sets share file names: files directly in the data folder may belong to another set.
            if located.paths[0].parent != where.data_dir:
                raise
    if cached is not None:
        return cached.dataset
    copy = tfds_copy.find_copy(known.tfds, tfds_copy.copy_roots(where.data_dir, where.cache_dir))
    if copy is not None:
        return _read_copy(known, copy, where)
    return _fetch(known, where, reporter)


def _read_and_cache(known: KnownSet, located: LocatedFiles, made_from: str, where: Places) -> Dataset:
    published = _as_published(known, located)
    dataset = read_known(known, located, trusted=published)
    if known.sha256 is None and not published and located.paths[0].parent == where.data_dir and not known.archive:
        raise InputError(
            f"The files in {where.data_dir} could belong to several sets, and no checksum identifies them; put them "
            f"into {where.data_dir / known.folders[0]} if they are {known.title}, or give "
            f"--dataset idx:{where.data_dir}."
        )
    write_cache(cache_path(known, where), dataset, made_from)
    return dataset


def _as_published(known: KnownSet, located: LocatedFiles) -> bool:
    """Return whether the files match TFDS's catalogue byte for byte; used only without a checksum of the content."""
    if known.sha256 is not None:
        return False
    try:
        published = {remote.sha256 for remote in tfds_copy.catalogue(known.tfds)}
    except ImportError:
        return False
    return all(file_sha256(path) in published for path in located.paths)


def _read_copy(known: KnownSet, copy: tfds_copy.Copy, where: Places) -> Dataset:
    dataset = _as_known(known, tfds_copy.read_copy(copy, name=known.name))
    check_content(known, dataset, f"The TFDS copy in {copy.folder}")
    write_cache(cache_path(known, where), dataset, f"tfds {copy.folder}")
    return dataset


def _as_known(known: KnownSet, copied: Dataset) -> Dataset:
    """Convert a set from TFDS's form to the known one: images upright, classes numbered from 0."""

    def upright(images: Images) -> Images:
        return images.transpose(0, 2, 1) if known.transposed else images

    return build_dataset(
        name=known.name,
        source=copied.source,
        train_images=upright(copied.train_images),
        train_labels=counted_from(known.first_label, copied.train_labels, f"The training labels in {copied.source}"),
        test_images=upright(copied.test_images),
        test_labels=counted_from(known.first_label, copied.test_labels, f"The test labels in {copied.source}"),
        num_classes=len(known.class_names),
        class_names=known.class_names,
    )


def _fetch(known: KnownSet, where: Places, reporter: Reporter) -> Dataset:
    """Download and read a known set; keep the files for the next start."""
    if offline():
        raise MissingDataError(
            f"{known.title} is not available locally and AAE_OFFLINE is set. {_how_to_get(known, where)}"
        )
    remotes = _remotes(known, where)
    folder = _download_folder(known, where)
    total = sum(remote.size for remote in remotes)
    reporter.notice(f"{known.title} is not available locally: fetching {total / 1e6:.0f} MB into {folder}")
    try:
        for remote in remotes:
            download(remote, folder, progress=reporter.progress)
    except DownloadError as error:
        raise type(error)(f"{error} {_how_to_get(known, where)}") from error
    located = find_files(known._replace(folders=(".",)), folder)
    if located is None:
        raise InputError(f"The download into {folder} lacks {', '.join(missing_files(known, folder))}.")
    dataset = _read_and_cache(known, located, fingerprint(located.paths), where)
    _prepare_copy(known, dataset, where, reporter)
    return dataset


def _remotes(known: KnownSet, where: Places) -> Sequence[Remote]:
    try:
        return tfds_copy.catalogue(known.tfds)
    except ImportError as error:
        raise MissingDataError(
            f"{known.title} is not available locally, and tensorflow-datasets, which provides its address, is not "
            f"installed. {_how_to_get(known, where)}"
        ) from error


def _download_folder(known: KnownSet, where: Places) -> Path:
    """Return the folder of the set below the data folder if that is writable, else below the cache."""
    return (writable_data_dir(where) or where.cache_dir / "downloads") / known.folders[0]


def _prepare_copy(known: KnownSet, dataset: Dataset, where: Places, reporter: Reporter) -> None:
    """Write a copy for TFDS; the downloaded data are usable without it, so a failure is only reported."""
    if not tfds_copy.can_prepare():
        return
    root = writable_data_dir(where) or where.cache_dir / "tensorflow_datasets"
    try:
        tfds_copy.prepare_copy(dataset, known, root)
    except Exception as error:  # TFDS raises exceptions of many types
        reporter.notice(f"No TFDS copy of {known.title} was prepared ({' '.join(str(error).split())[:120]}).")


def _how_to_get(known: KnownSet, where: Places) -> str:
    files = ", ".join(f"{name}.gz" for name in known.files)
    lacking = ""
    if where.data_dir is not None:
        names = ", ".join(missing_files(known, where.data_dir))
        lacking = f"The data folder {where.data_dir} holds no {known.title}: {names} (with or without .gz) missing. "
    return (
        f"{lacking}To use {known.title}, put its four IDX files ({files}) in a folder and pass `--data-dir FOLDER` "
        "or set AAE_DATA_DIR."
    )
