"""The data by its name: what the command line's `--dataset` and `--data-dir` mean."""

import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from aae_jax.data.cache import CachedDataset, default_cache_dir, fingerprint, read_cache, write_cache
from aae_jax.data.dataset import Dataset, Images, build_dataset, count_repeated
from aae_jax.data.digits import load_digits
from aae_jax.data.download import DownloadError, NoAnswerError, Remote, download, file_sha256, offline
from aae_jax.data.known import KNOWN, KnownSet, check_content
from aae_jax.data.labels import counted_from
from aae_jax.data.readers import tfds_copy
from aae_jax.data.readers.idx_sets import (
    ForeignFilesError,
    Found,
    MissingDataError,
    find_files,
    load_idx_folder,
    missing_files,
    read_known,
)
from aae_jax.data.readers.npz import load_npz
from aae_jax.errors import InputError, did_you_mean, known_name

__all__ = ["DATASET_NAMES", "Places", "Quiet", "Reporter", "cache_path", "files_at_hand", "load_dataset", "places"]

DATASET_NAMES = ("auto", "digits", *KNOWN, "tfds:NAME", "idx:FOLDER", "npz:FILE")


class Reporter:
    """What loading says: on the standard error stream, by default."""

    def notice(self, message: str) -> None:
        """Say something that must not be missed."""
        print(message, file=sys.stderr, flush=True)

    def progress(self, name: str, done: int, total: int) -> None:
        """Show that `done` of `total` bytes of a download have come."""

    def working(self, message: str) -> None:
        """Say what is being done that may take a while."""


class Quiet(Reporter):
    """Says nothing."""

    def notice(self, message: str) -> None:
        """Keep silent."""


class Places(NamedTuple):
    """Where data are looked for.

    Attributes:
        data_dir: The user's data folder, or None.
        cache_dir: The folder of the cache, which may not exist yet.
        given: Whether the data folder was named for this call, and not by `$AAE_DATA_DIR`.
    """

    data_dir: Path | None
    cache_dir: Path
    given: bool


def places(data_dir: str | os.PathLike[str] | None = None, cache_dir: str | os.PathLike[str] | None = None) -> Places:
    """Return the folders that the arguments, or else the environment, name."""
    chosen = data_dir or os.environ.get("AAE_DATA_DIR") or None
    return Places(
        None if chosen is None else Path(os.path.expanduser(chosen)),
        default_cache_dir() if cache_dir is None else Path(cache_dir),
        data_dir is not None,
    )


def load_dataset(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    split_seed: int = 0,
    reporter: Reporter | None = None,
) -> Dataset:
    """Load a data set by name.

    A set that is known by name (`mnist`, `fashion_mnist`, `kmnist`, `emnist/<split>`) is looked for in the cache,
    as IDX files in the data folder, as a copy that TFDS prepared, and is downloaded last, from the addresses and with
    the checksums in TFDS's catalogue, unless `$AAE_OFFLINE` is set.

    Args:
        name: A known set, "digits", "tfds:<name>" (a prepared copy), "idx:<folder>" (four IDX files), "npz:<file>",
            or "auto": MNIST, and the digits with a notice where it can be had in none of these ways.
        data_dir: The data folder; None takes `$AAE_DATA_DIR`, and where that is not set, none.
        cache_dir: The folder of the cache, or None for `default_cache_dir()`.
        split_seed: The seed that draws the test images of data that come without.
        reporter: Says what happens; None: notices to the standard error stream.

    Raises:
        InputError: The name is unknown, the data cannot be had, or they are there but damaged ("auto" too: damage
            is never hidden by taking other data).
    """
    reporter = Reporter() if reporter is None else reporter
    where = places(data_dir, cache_dir)
    name = known_name(name, KNOWN)
    kind, colon, rest = name.partition(":")
    if name == "digits":
        return load_digits(split_seed=split_seed)
    if name == "auto":
        return _load_auto(where, split_seed, reporter)
    if name in KNOWN:
        return _load_known(KNOWN[name], where, reporter)
    if colon and rest and kind in ("tfds", "idx", "npz"):
        dataset = _load_own(kind, rest, where, split_seed, reporter)
        _report(dataset, reporter)
        return dataset
    if name.endswith(".npz"):
        raise InputError(f"There is no data set {name!r}; did you mean npz:{name}?")
    if os.path.isdir(name):
        raise InputError(f"There is no data set {name!r}; give idx:{name} for the IDX files in that folder.")
    raise InputError(f"There is no data set {name!r}; {did_you_mean(name, DATASET_NAMES)}")


def _load_own(kind: str, rest: str, where: Places, split_seed: int, reporter: Reporter) -> Dataset:
    if kind == "npz":
        return load_npz(rest, split_seed=split_seed)
    if kind == "idx":
        return load_idx_folder(rest, split_seed=split_seed)
    roots = tfds_copy.copy_roots(where.data_dir, where.cache_dir)
    copy = tfds_copy.find_copy(rest, roots)
    if copy is None:
        reporter.notice(f"{rest} is not prepared in {', '.join(map(str, roots))}; asking TFDS to prepare it.")
        copy = tfds_copy.prepare_by_tfds(rest, roots[0])
    return tfds_copy.read_copy(copy, name=f"tfds:{rest}", split_seed=split_seed)


def _report(dataset: Dataset, reporter: Reporter) -> None:
    """Report how the data were read, and training images among the test images: errors would be too low."""
    for notice in dataset.notices:
        reporter.notice(notice)
    repeated, total = count_repeated(dataset.train_images, dataset.test_images), len(dataset.test_images)
    if repeated:
        reporter.notice(
            f"{repeated:,} of the {total:,} test images of {dataset.name} are also training images; leave them out "
            "of either set, or test errors are too low."
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
    """Return where the npz copy of a known set is or would be."""
    return where.cache_dir / f"{known.name.replace('/', '-')}.npz"


def cached_set(known: KnownSet, where: Places) -> CachedDataset | None:
    """Return the cached copy of a known set, or None where there is none that can be trusted.

    It must lie in a folder that nobody else can write to, and where the set's content is known, be that content.
    """
    cached = read_cache(cache_path(known, where))
    return cached if cached is not None and _has_known_content(known, cached.dataset) else None


def _has_known_content(known: KnownSet, dataset: Dataset) -> bool:
    """Return whether a data set is, image by image and in any order, the known set, as far as that is known."""
    if dataset.sha256 == known.dataset_sha256:
        return True
    try:
        check_content(known, dataset, "The cached copy")
    except InputError:
        return False
    return True


def files_at_hand(known: KnownSet, where: Places) -> Found | None:
    """Return where the IDX files of a known set lie: in the data folder, or where a download has left them."""
    folders = [folder for folder in (where.data_dir, where.cache_dir / "downloads") if folder is not None]
    return next((found for folder in folders if (found := find_files(known, folder)) is not None), None)


def _load_known(known: KnownSet, where: Places, reporter: Reporter) -> Dataset:
    if where.data_dir is not None and not where.data_dir.is_dir():
        raise MissingDataError(f"The data folder {where.data_dir} does not exist. {_how_to_get(known, where)}")
    cached = cached_set(known, where)
    found = files_at_hand(known, where)
    if found is not None:
        made_from = fingerprint(found.paths)
        if cached is not None and cached.fingerprint == made_from:
            recognised = known.sha256 is not None
            return dataclasses.replace(cached.dataset, source=found.where) if recognised else cached.dataset
        try:
            return _read_and_cache(known, found, made_from, where)
        except ForeignFilesError:
            # Several sets share their file names: those in the data folder itself may be meant for another.
            if found.paths[0].parent != where.data_dir:
                raise
    if cached is not None:
        return cached.dataset
    copy = tfds_copy.find_copy(known.tfds, tfds_copy.copy_roots(where.data_dir, where.cache_dir))
    if copy is not None:
        return _read_copy(known, copy, where)
    return _fetch(known, where, reporter)


def _read_and_cache(known: KnownSet, found: Found, made_from: str, where: Places) -> Dataset:
    published = _as_published(known, found)
    dataset = read_known(known, found, trusted=published)
    if known.sha256 is None and not published and found.paths[0].parent == where.data_dir and not known.archive:
        raise InputError(
            f"The files in {where.data_dir} could be of several sets, and no checksum tells which; put them into "
            f"{where.data_dir / known.folders[0]} if they are {known.title}, or give --dataset idx:{where.data_dir}."
        )
    write_cache(cache_path(known, where), dataset, made_from)
    return dataset


def _as_published(known: KnownSet, found: Found) -> bool:
    """Return whether the files are, byte for byte, those of TFDS's catalogue; asked where nothing better is."""
    if known.sha256 is not None:
        return False
    try:
        published = {remote.sha256 for remote in tfds_copy.catalogue(known.tfds)}
    except ImportError:
        return False
    return all(file_sha256(path) in published for path in found.paths)


def _read_copy(known: KnownSet, copy: tfds_copy.Copy, where: Places) -> Dataset:
    dataset = _as_known(known, tfds_copy.read_copy(copy, name=known.name))
    check_content(known, dataset, f"The TFDS copy in {copy.folder}")
    write_cache(cache_path(known, where), dataset, f"tfds {copy.folder}")
    return dataset


def _as_known(known: KnownSet, copied: Dataset) -> Dataset:
    """Return a set as TFDS keeps it in the form in which we know it: upright, its classes counted from 0."""

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
    """Download a known set, read it, and leave it where the next start finds it."""
    if offline():
        raise MissingDataError(f"{known.title} is not at hand and AAE_OFFLINE is set. {_how_to_get(known, where)}")
    remotes = _remotes(known, where)
    folder = _download_folder(known, where)
    total = sum(remote.size for remote in remotes)
    reporter.notice(f"{known.title} is not at hand: fetching {total / 1e6:.0f} MB into {folder}")
    try:
        for remote in remotes:
            download(remote, folder, progress=reporter.progress)
    except DownloadError as error:
        raise type(error)(f"{error} {_how_to_get(known, where)}") from error
    found = find_files(known._replace(folders=(".",)), folder)
    if found is None:
        raise InputError(f"What was fetched into {folder} lacks {', '.join(missing_files(known, folder))}.")
    dataset = _read_and_cache(known, found, fingerprint(found.paths), where)
    _prepare_copy(known, dataset, where, reporter)
    return dataset


def _remotes(known: KnownSet, where: Places) -> Sequence[Remote]:
    try:
        return tfds_copy.catalogue(known.tfds)
    except ImportError as error:
        raise MissingDataError(
            f"{known.title} is not at hand, and tensorflow-datasets, which knows its address, is not installed. "
            f"{_how_to_get(known, where)}"
        ) from error


def _download_folder(known: KnownSet, where: Places) -> Path:
    """Return the set's own folder below the data folder, where that can be written, else below the cache."""
    return (_writable_data_dir(where) or where.cache_dir / "downloads") / known.folders[0]


def _writable_data_dir(where: Places) -> Path | None:
    return where.data_dir if where.data_dir is not None and os.access(where.data_dir, os.W_OK) else None


def _prepare_copy(known: KnownSet, dataset: Dataset, where: Places, reporter: Reporter) -> None:
    """Leave a copy that TFDS reads; data that were fetched are of use without it, so a failure is only said."""
    if not tfds_copy.can_prepare():
        return
    root = _writable_data_dir(where) or where.cache_dir / "tensorflow_datasets"
    try:
        tfds_copy.prepare_copy(dataset, known, root)
    except Exception as error:  # whatever TFDS meets
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
