"""Data sets of image files: class folders, with or without a test set, in a folder or a zip file."""

import contextlib
import itertools
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.dataset import Dataset, build_dataset
from aae_jax.data.labels import NO_LABEL, Parts, draw_parts, require_classes, settle_parts
from aae_jax.data.readers.decoded import InFile, InMemory, pick
from aae_jax.data.readers.image_tree import ImageTree
from aae_jax.data.readers.picture_files import decode_of_size, without_warnings
from aae_jax.errors import InputError
from aae_jax.text import quoted

__all__ = ["Decoding", "Layout", "arrange", "decode_all", "load_image_files"]

TRAIN, TEST, UNLABELLED = "train", "test", ("unlabelled", "unlabeled")
MAX_BYTES = 2**36
"""Size of the decoded images, beyond which they are refused rather than fill the memory."""
MAX_NAMED = 3
PARTS = ("training", "testing", "val", "valid", "validation", TEST)
"""Names of folders that are rather parts of data than classes."""


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How image files become arrays.

    Attributes:
        size: Height and width, which images are scaled to cover and cropped to; None: their own, if all agree.
        skip_bad: Leave out files that cannot be read; otherwise the first is an error.
    """

    size: tuple[int, int] | None = None
    skip_bad: bool = False


class Layout(NamedTuple):
    """Files of a data set, by the names of their folders.

    Attributes:
        train: Paths of the training images, with or without a class.
        train_classes: Class of each, or None.
        test: Paths of the test images; empty: there is no test set.
        test_classes: Class of each, or None.
        unused: Paths of images that belong to neither.
    """

    train: tuple[str, ...]
    train_classes: tuple[str | None, ...]
    test: tuple[str, ...]
    test_classes: tuple[str | None, ...]
    unused: tuple[str, ...]


def arrange(paths: Iterable[str]) -> Layout:
    """Arrange image files by their folders.

    Folders that contain everything are entered. Then `train/CLASS/…` and `test/CLASS/…` are the parts of a set;
    without a folder `train`, `CLASS/…` are images of that class. Images in no class folder, and all of a folder
    `unlabelled` (or `unlabeled`), beside the others or in `train`, are training images without a class.

    Args:
        paths: Relative paths with forward slashes.
    """
    split = [tuple(path.split("/")) for path in paths]
    depth = 0
    special = (TRAIN, TEST, *UNLABELLED)
    while len({parts[depth] for parts in split}) == 1 and all(len(parts) > depth + 1 for parts in split):
        if split[0][depth].lower() in special:
            break
        depth += 1
    has_train = any(len(parts) > depth + 1 and parts[depth].lower() == TRAIN for parts in split)
    train: list[tuple[str, str | None]] = []
    test: list[tuple[str, str | None]] = []
    unused: list[str] = []
    for parts in split:
        path, below = "/".join(parts), parts[depth:]
        top = below[0].lower() if len(below) > 1 else ""
        if top in UNLABELLED:
            train.append((path, None))
        elif not has_train:
            train.append((path, _class_of(below)))
        elif top == TRAIN:
            train.append((path, _class_of(below[1:])))
        elif top == TEST:
            test.append((path, _class_of(below[1:])))
        else:
            unused.append(path)
    return Layout(*_columns(train), *_columns(test), tuple(unused))


def _class_of(parts: Sequence[str]) -> str | None:
    """Return the first folder of a path, unless it is that of images without a class."""
    return parts[0] if len(parts) > 1 and parts[0].lower() not in UNLABELLED else None


def _columns(rows: Sequence[tuple[str, str | None]]) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
    return tuple(path for path, _ in rows), tuple(label for _, label in rows)


def load_image_files(
    tree: ImageTree, decoding: Decoding, *, name: str, split_seed: int = 0, scratch: Path | None = None
) -> Dataset:
    """Read image files of classes by `arrange`; images are greyscale if all are grey, else RGB.

    Args:
        tree: The files.
        decoding: How they become arrays.
        name: Name of the data set.
        split_seed: Seed of a test set of a quarter of each class, or of data without classes, if there is none.
        scratch: Folder for decoded training images that stay in a file; None: they are in memory.

    Raises:
        InputError: A file is bad, sizes differ, or there is only one class, or too few images for a test set.
    """
    layout = arrange(tree.files)
    paths = (*layout.train, *layout.test)
    images, kept, notices = decode_all(tree, paths, decoding, scratch)
    classes = np.asarray((*layout.train_classes, *layout.test_classes), dtype=object)[kept]
    names = _sorted_names({label for label in classes if label is not None})
    number = {label: i for i, label in enumerate(names)}
    labels = np.asarray([number.get(label, NO_LABEL) for label in classes], np.int32)
    if names == (TEST,):
        raise InputError(
            f"{tree.where} holds a folder {TEST} but no folder {TRAIN}; give both, or class folders alone."
        )
    require_classes(names, labels, f"in {tree.where}", unlabelled="images in no class folder have no label")
    count = int(np.count_nonzero(kept < len(layout.train)))
    places = np.arange(len(images))  # the parts are arranged as indices: the images may not fit into memory
    if layout.test and count < len(images):
        parts = Parts(places[:count], labels[:count], places[count:], labels[count:])
    else:
        parts = draw_parts(places, labels, name=name, split_seed=split_seed)
    settled = settle_parts(parts, names, name=name, split_seed=split_seed)
    chosen = settled.parts
    alike = [label for label in names if label.lower() in PARTS]
    if alike:
        notices.append(
            f"Folders of {name} named {', '.join(map(quoted, alike))} are read as classes; name them {TRAIN} and "
            f"{TEST} if they are parts of the data."
        )
    if layout.unused:
        folders = f"{TRAIN}, {TEST} and {UNLABELLED[0]}"
        notices.append(f"Not used, because outside the folders {folders} of {name}: {_some(layout.unused)}.")
    return build_dataset(
        name=name,
        source=f"image files in {tree.where}",
        train_images=pick(images, chosen.train_images, scratch),
        train_labels=chosen.train_labels,
        test_images=pick(images, chosen.test_images),
        test_labels=chosen.test_labels,
        num_classes=len(settled.class_names),
        class_names=settled.class_names,
        notices=(*notices, *settled.notices),
    )


def _sorted_names(names: set[str]) -> tuple[str, ...]:
    """Sort class names, as numbers if all are."""
    if all(name.isascii() and name.isdigit() for name in names):
        return tuple(sorted(names, key=lambda name: (len(name.lstrip("0")), name.lstrip("0"), name)))
    return tuple(sorted(names))


def _some(paths: Sequence[str]) -> str:
    shown = ", ".join(quoted(path) for path in paths[:MAX_NAMED])
    return shown + (f" and {len(paths) - MAX_NAMED:,} more" if len(paths) > MAX_NAMED else "")


def decode_all(
    tree: ImageTree, paths: Sequence[str], decoding: Decoding, scratch: Path | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]:
    """Decode image files in parallel.

    Args:
        tree: The files.
        paths: Those to decode.
        decoding: How they become arrays.
        scratch: Folder of a temporary file that the images are decoded into, and mapped from; None: into memory.

    Returns:
        Images `[count, height, width]` if all are grey, else `[count, height, width, 3]`; the indices of their paths,
        ascending, `[count]`; and notices on those that were left out.

    Raises:
        InputError: The first file that cannot be read, or that has another size than the first; or all are bad.
    """
    with contextlib.closing(InMemory() if scratch is None else InFile(scratch)) as images:
        kept, bad = _decode_into(images, tree, paths, decoding, scratch)
        if not kept:
            raise InputError(f"None of the {len(paths):,} image files in {tree.where} can be read; give others.")
        notices = []
        if bad:
            named = _some([paths[i] for i in bad])
            notices = [f"Left out {len(bad):,} of {len(paths):,} image files, which cannot be read: {named}."]
        return images.stacked(), np.asarray(kept, np.int64), notices


def _decode_into(
    images: InMemory | InFile, tree: ImageTree, paths: Sequence[str], decoding: Decoding, scratch: Path | None
) -> tuple[list[int], list[int]]:
    """Add decoded files to `images`; return the indices of their paths, and of those that cannot be read."""
    shape: tuple[int, ...] = ()
    kept: list[int] = []
    bad: list[int] = []
    for i, decoded in enumerate(_in_parallel(tree, paths, decoding.size)):
        if isinstance(decoded, InputError):
            if not decoding.skip_bad:
                reason = str(decoded).rstrip(".")
                remedy = ", or" if ";" in reason else "; replace it, or"
                raise InputError(f"{reason}{remedy} give --skip-bad-images to leave out such files.")
            bad.append(i)
            continue
        if not kept:
            shape = decoded.shape[:2]
            _check_total(len(paths), shape, tree, scratch)
        elif decoded.shape[:2] != shape:
            (height, width), other = shape, decoded.shape[:2]
            raise InputError(
                f"{tree.name_of(paths[i])} has {other[0]} × {other[1]} pixels, but {tree.name_of(paths[kept[0]])} "
                f"{height} × {width}; give --image-size, such as --image-size {height} {width}."
            )
        images.add(decoded)
        kept.append(i)
    return kept, bad


def _in_parallel(
    tree: ImageTree, paths: Sequence[str], size: tuple[int, int] | None
) -> Iterator[NDArray[np.uint8] | InputError]:
    """Yield the image of each path, or the error that it raises; Pillow decodes without holding Python's lock."""

    def decode(path: str) -> NDArray[np.uint8] | InputError:
        try:
            return decode_of_size(tree.read(path), tree.name_of(path), size)
        except InputError as error:
            return error

    workers = max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    ahead = 64 * workers  # not all at once: an error, or Ctrl-C, ends the work soon
    with contextlib.ExitStack() as stack:
        stack.enter_context(without_warnings())
        pool = stack.enter_context(ThreadPoolExecutor(workers))
        stack.callback(pool.shutdown, wait=True, cancel_futures=True)
        left = iter(paths)
        waiting = [pool.submit(decode, path) for path in itertools.islice(left, ahead)]
        for start in range(0, len(paths), ahead):
            current = waiting
            waiting = [pool.submit(decode, path) for path in itertools.islice(left, ahead)]
            for future in current[: len(paths) - start]:
                yield future.result()


def _check_total(count: int, shape: tuple[int, ...], tree: ImageTree, scratch: Path | None) -> None:
    """Refuse more images than fit into memory, or twice onto the disk of a scratch folder."""
    size = count * shape[0] * shape[1] * 3
    many = f"{tree.where} holds {count:,} image files like the first, of {shape[0]} × {shape[1]} pixels:"
    if scratch is None and size > MAX_BYTES:
        raise InputError(f"{many} {size / 1e9:,.0f} GB in memory; give a smaller --image-size, or --stream.")
    if scratch is not None and 2 * size > (free := shutil.disk_usage(scratch).free):
        raise InputError(
            f"{many} {2 * size / 1e9:,.0f} GB on disk, of which {scratch} has {free / 1e9:,.0f} GB left; give a "
            "smaller --image-size, or set AAE_CACHE_DIR to a folder on a larger disk."
        )
