"""`aae-jax data list|fetch|check`: location, download and verification of data sets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import tyro

from aae_jax.data import Dataset, Reporter, load_dataset
from aae_jax.data.cache import fingerprint
from aae_jax.data.image_sources import whereabouts
from aae_jax.data.known import KNOWN, KnownSet
from aae_jax.data.readers.tfds_copy import copy_roots, find_copy
from aae_jax.data.sources import Places, cached_set, local_files, places
from aae_jax.errors import InputError, did_you_mean
from aae_jax.run.console import Console, DataReporter
from aae_jax.run.flags import parse_flags
from aae_jax.streams import say

__all__ = ["main"]

ACTIONS = ("list", "fetch", "check")


@dataclass(frozen=True, kw_only=True)
class _ListFlags:
    data_dir: str | None = None
    """Folder for data. Also from $AAE_DATA_DIR."""


@dataclass(frozen=True, kw_only=True)
class _LoadFlags:
    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
    """As for --dataset: mnist, emnist/<split>, npz:<file>, folder:<folder> ...; `aae-jax data list` lists them."""
    data_dir: str | None = None
    """Folder for data: searched first, and used for downloads. Also from $AAE_DATA_DIR."""
    split_seed: int = 0
    """Seed of the test set of data without one."""
    image_size: tuple[int, ...] = ()
    """Height and width that image files are scaled to, as for training."""
    skip_bad_images: bool = False
    """Leave out image files that cannot be read."""


def main(argv: Sequence[str]) -> int:
    """Run `aae-jax data ACTION ...` and return its exit status."""
    action, rest = (argv[0], argv[1:]) if argv else ("", [])
    if action in ("-h", "--help"):
        say("usage: aae-jax data {" + ",".join(ACTIONS) + "} [options; --help lists them]")
        return 0
    if not action:
        raise InputError(f"aae-jax data needs an action; give one of {', '.join(ACTIONS)}.")
    if action not in ACTIONS:
        raise InputError(f"There is no command 'data {action}'; {did_you_mean(action, ACTIONS)}")
    if action == "list":
        flags = parse_flags(
            _ListFlags,
            rest,
            prog="aae-jax data list",
            description="List the known data sets and their locations.",
            default=None,
        )
        return _list(places(flags.data_dir))
    description = (
        "Download a data set unless it is already available."
        if action == "fetch"
        else "Read a whole data set and describe it."
    )
    wanted = parse_flags(_LoadFlags, rest, prog=f"aae-jax data {action}", description=description, default=None)
    if action == "fetch" and wanted.name == "auto":
        raise InputError("'auto' is not a data set that can be fetched; name one, such as mnist.")
    reporter: Reporter = DataReporter(Console())
    dataset = load_dataset(
        wanted.name,
        data_dir=wanted.data_dir,
        split_seed=wanted.split_seed,
        image_size=wanted.image_size,
        skip_bad_images=wanted.skip_bad_images,
        reporter=reporter,
    )
    say(*_describe(dataset))
    return 0


def _list(where: Places) -> int:
    say(f"data folder  {where.data_dir or 'none (--data-dir, AAE_DATA_DIR)'}")
    say(f"cache        {where.cache_dir}", "")
    for known in KNOWN.values():
        say(f"{known.name:16} {_whereabouts(known, where)}")
    for name, found in whereabouts(where).items():
        say(f"{name:16} {found}")
    say(f"{'digits':16} in scikit-learn")
    say("", "Also: tfds:NAME (a set prepared by TFDS), idx:FOLDER (four IDX files), npz:FILE,")
    say("folder:FOLDER and zip:FILE (image files).")
    return 0


def _whereabouts(known: KnownSet, where: Places) -> str:
    """Describe the source from which a set would be loaded, in the order of the search."""
    cached, located = cached_set(known, where), local_files(known, where)
    if located is not None and known.sha256 is None and located.paths[0].parent == where.data_dir and cached is None:
        return f"files of these names in {where.data_dir}, whose set is determined when they are read"
    if located is not None and (cached is None or cached.fingerprint != fingerprint(located.paths)):
        return f"{located.where} (not read yet)"
    if cached is not None:
        return f"cached, {cached.dataset.source}, sha256 {cached.dataset.sha256[:12]}…"
    copy = find_copy(known.tfds, copy_roots(where.data_dir, where.cache_dir))
    if copy is not None:
        return f"TFDS copy in {copy.folder} ({copy.file_format})"
    return f"not available: `aae-jax data fetch {known.name}`"


def _describe(dataset: Dataset) -> list[str]:
    shape = " x ".join(map(str, dataset.image_shape))
    lines = [
        f"name     {dataset.name}",
        f"source   {dataset.source}",
        f"sha256   {dataset.sha256}",
        f"train    {len(dataset.train_images)} of {shape}, {dataset.train_images.dtype}",
        f"test     {len(dataset.test_images)}",
        "classes  (train, test)",
    ]
    counts = [
        np.bincount(labels[labels >= 0], minlength=dataset.num_classes)
        for labels in (dataset.train_labels, dataset.test_labels)
    ]
    for name, train, test in zip(dataset.class_names, *counts, strict=True):
        lines.append(f"  {name:12} {train:7} {test:7}")
    bare = [np.count_nonzero(labels < 0) for labels in (dataset.train_labels, dataset.test_labels)]
    if any(bare):
        lines.append(f"  {'(no label)':12} {bare[0]:7} {bare[1]:7}")
    return lines
