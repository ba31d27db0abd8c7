"""TensorFlow Datasets without TensorFlow: its catalogue of addresses, and prepared copies in `array_record` format.

TFDS is imported inside the functions: the import takes a second, and most runs never need it.
"""

import contextlib
import importlib.util
import io
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.dataset import Dataset, build_dataset
from aae_jax.data.download import Remote, offline, probe
from aae_jax.data.known import KnownSet
from aae_jax.data.labels import Parts, draw_parts, settle_parts
from aae_jax.data.readers.tfds_records import INFO_FILE, CopyDescription, describe_copy, read_file_format, read_split
from aae_jax.errors import InputError

__all__ = [
    "Copy",
    "can_prepare",
    "catalogue",
    "check_name",
    "copy_roots",
    "find_copy",
    "prepare_by_tfds",
    "prepare_copy",
    "read_copy",
]

NAME = re.compile(r"[A-Za-z0-9_\-]+(/[A-Za-z0-9_\-]+)?")

Split = tuple[NDArray[Any], NDArray[np.int32]]
"""Images and labels of a split."""


class Copy(NamedTuple):
    """Prepared data set on disk: the folder of its version, and the format of its records."""

    folder: Path
    file_format: str


def copy_roots(data_dir: Path | None, cache_dir: Path) -> list[Path]:
    """Return the folders that are searched for prepared copies: the data folder, TFDS's folder, and the cache."""
    default = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    roots = [data_dir, Path(os.path.expanduser(default)), cache_dir / "tensorflow_datasets"]
    return [root for root in roots if root is not None]


def find_copy(name: str, roots: list[Path]) -> Copy | None:
    """Find the newest prepared version of a data set, or None; array_record is preferred to other formats.

    Raises:
        InputError: See `check_name`.
    """
    check_name(name)
    candidates: list[tuple[bool, tuple[int, ...], Copy]] = []
    for root in roots:
        with contextlib.suppress(OSError):
            for info in (root / name).glob(f"*/{INFO_FILE}"):
                version = _version(info.parent.name)
                if version is not None:
                    copy = Copy(info.parent, read_file_format(info))
                    candidates.append((copy.file_format == "array_record", version, copy))
    return max(candidates, key=lambda entry: entry[:2])[2] if candidates else None


def _version(name: str) -> tuple[int, ...] | None:
    parts = name.split(".")
    return tuple(int(part) for part in parts) if all(part.isascii() and part.isdigit() for part in parts) else None


def read_copy(copy: Copy, *, name: str, split_seed: int = 0) -> Dataset:
    """Read a prepared copy of an image-classification set.

    The test set is its `test` split, else its `validation` split, else a seeded quarter of `train`. The images of a
    `test` split without labels, -1 in TFDS, are moved to those of `train`, and `validation` is the test set.

    Raises:
        InputError: Its format needs TensorFlow, which is not installed, or it is not a set of images of one size with
            at most one class each.
    """
    described = describe_copy(copy.folder)
    try:
        with _quiet():
            splits: dict[str, Split] = {}
            for split in _splits(described):
                if split != "validation" or "test" not in splits or (splits["test"][1] < 0).all():
                    splits[split] = read_split(described, split)
    except InputError:
        raise
    except Exception as error:  # the readers of records raise exceptions of any type for a damaged copy
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"The TFDS copy in {copy.folder} cannot be read ({reason}); prepare it again.") from error
    parts, notices = _arrange(splits, name, split_seed)
    settled = settle_parts(parts, described.class_names, name=name, split_seed=split_seed)
    return build_dataset(
        name=name,
        source=f"the TFDS copy in {copy.folder}",
        **settled.parts._asdict(),
        num_classes=len(settled.class_names),
        class_names=settled.class_names,
        notices=(*notices, *settled.notices),
    )


def _arrange(splits: dict[str, Split], name: str, split_seed: int) -> tuple[Parts, tuple[str, ...]]:
    """Arrange splits by name into training and test images; return them and notices."""
    images, labels = splits["train"]
    if {"test", "validation"} <= set(splits) and splits["test"][0].shape[1:] == images.shape[1:]:
        bare, none = splits["test"]
        moved = f"The {len(bare):,} images of the test split of {name} have no label and join the training images; "
        joined = np.concatenate([images, bare]), np.concatenate([labels, none])
        return Parts(*joined, *splits["validation"]), (f"{moved}its validation split is the test set.",)
    for split in ("test", "validation"):
        if split in splits:
            return Parts(images, labels, *splits[split]), ()
    return draw_parts(images, labels, name=name, split_seed=split_seed), ()


def _splits(copy: CopyDescription) -> list[str]:
    if "train" not in copy.shards:
        raise InputError(f"The TFDS copy in {copy.folder} has no split 'train', only {', '.join(copy.shards)}.")
    return ["train", *[name for name in ("test", "validation") if name in copy.shards]]


def check_name(name: str) -> None:
    """Refuse anything but a plain name of a set in TFDS, such as namespaces, versions, arguments and paths.

    Raises:
        InputError: It has other parts than a name and a configuration.
    """
    if not NAME.fullmatch(name):
        raise InputError(
            f"tfds:{name} is not a valid name in TensorFlow Datasets; give letters, digits, _ and -, and a "
            "configuration after a slash if the set has several, as in tfds:emnist/letters."
        )


def _stock_builder(tfds: Any, tfds_name: str, **options: Any) -> Any:
    """Return a builder from TFDS's own code: `tfds.builder` reads copies on disk and imports modules they name."""
    check_name(tfds_name)
    name, _, config = tfds_name.partition("/")
    return tfds.builder_cls(name)(**({"config": config} if config else {}), **options)


def catalogue(tfds_name: str) -> list[Remote]:
    """Return the files that TFDS downloads for a set: addresses, sizes and checksums, as recorded in its package.

    Raises:
        InputError: TFDS does not have the set.
    """
    with _quiet() as tfds:
        try:
            infos = _stock_builder(tfds, tfds_name, data_dir=tempfile.mkdtemp()).url_infos
        except InputError:
            raise
        except Exception as error:  # TFDS raises exceptions of many types for an unknown name
            raise InputError(
                f"TensorFlow Datasets has no set {tfds_name!r} ({' '.join(str(error).split())[:120]})."
            ) from error
    return [Remote(url, int(info.size), info.checksum) for url, info in infos.items()]


def can_prepare() -> bool:
    """Return whether prepared copies can be written here: array_record has wheels for Linux only."""
    return importlib.util.find_spec("array_record") is not None


def prepare_copy(dataset: Dataset, known: KnownSet, root: Path) -> Path:
    """Write a copy of a known set below `root` in TFDS's own form, but with its images in the original order.

    `tfds.data_source(known.tfds, data_dir=root)` reads it without TensorFlow. Returns the folder of its version.

    Raises:
        InputError: The folder cannot be written.
    """
    with _quiet() as tfds:
        stock = _stock_builder(tfds, known.tfds, data_dir=tempfile.mkdtemp())
        version, classes = str(stock.version), stock.info.features["label"].names
        name, _, config = known.tfds.partition("/")
        builder_class = _builder_class(tfds, dataset, known, (name, version, classes))
        options = {"config": tfds.core.BuilderConfig(name=config, version=version)} if config else {}
        try:
            builder = builder_class(data_dir=str(root), file_format="array_record", **options)
            builder.download_and_prepare()
        except OSError as error:
            raise InputError(f"{root} cannot be written ({error.strerror or error}); give another folder.") from error
        return Path(str(builder.data_path))


def prepare_by_tfds(name: str, root: Path) -> Copy:
    """Let TFDS download and prepare a set below `root`, which requires TensorFlow.

    Raises:
        InputError: TensorFlow is not installed, the network is forbidden or fails, or TFDS has no such set.
    """
    if offline() or importlib.util.find_spec("tensorflow") is None:
        lack = "AAE_OFFLINE is set" if offline() else "TensorFlow is not installed (extra tfds-full)"
        raise InputError(
            f"There is no prepared copy of {name}, and {lack}; prepare it with file_format='array_record'."
        )
    for remote in catalogue(name)[:1]:  # TFDS itself would retry for minutes
        probe(remote)
    with _quiet() as tfds:
        try:
            builder = _stock_builder(tfds, name, data_dir=str(root), file_format="array_record")
            builder.download_and_prepare()
        except Exception as error:  # TFDS raises exceptions of many types
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise InputError(f"TFDS could not prepare {name} ({reason}).") from error
        return Copy(Path(str(builder.data_path)), "array_record")


def _builder_class(tfds: Any, dataset: Dataset, known: KnownSet, described: tuple[str, str, list[str]]) -> Any:
    """Return a TFDS builder that yields the images of `dataset` with TFDS's name, version and classes.

    It yields `PIL.Image` objects, because TFDS encodes arrays with TensorFlow.
    """
    from PIL import Image

    set_name, set_version, classes = described
    axes = (0, 2, 1) if known.transposed else (0, 1, 2)
    parts = {
        "train": (dataset.train_images.transpose(axes), dataset.train_labels + known.first_label),
        "test": (dataset.test_images.transpose(axes), dataset.test_labels + known.first_label),
    }
    shape = (*parts["train"][0].shape[1:], 1)

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[misc, call-arg]
        name = set_name
        VERSION = tfds.core.Version(set_version)

        def _info(self) -> Any:
            features = {
                "image": tfds.features.Image(shape=shape),
                "label": tfds.features.ClassLabel(names=classes),
            }
            return tfds.core.DatasetInfo(
                builder=self,
                description=f"{dataset.name}, prepared by aae_jax from {dataset.source}",
                features=tfds.features.FeaturesDict(features),
                supervised_keys=("image", "label"),
                disable_shuffling=True,  # keeps the original order, and so every labelled subset
            )

        def _split_generators(self, manager: Any) -> Any:
            del manager
            return {part: self._generate_examples(part) for part in parts}

        def _generate_examples(self, part: str) -> Iterator[tuple[int, dict[str, Any]]]:
            for index, (picture, label) in enumerate(zip(*parts[part], strict=True)):
                yield index, {"image": Image.fromarray(np.ascontiguousarray(picture)), "label": int(label)}

    return Builder


@contextlib.contextmanager
def _quiet() -> Iterator[Any]:
    """Import TFDS, and suppress its progress bars, advice and temporary files."""
    import tensorflow_datasets as tfds
    from absl import logging

    before, folder = logging.get_verbosity(), tempfile.tempdir
    logging.set_verbosity(logging.ERROR)
    tfds.disable_progress_bar()
    try:
        # A builder creates a temporary folder that it never removes.
        with tempfile.TemporaryDirectory() as tempfile.tempdir, contextlib.redirect_stdout(io.StringIO()):
            yield tfds
    finally:
        tempfile.tempdir = folder
        logging.set_verbosity(before)
        tfds.enable_progress_bar()
