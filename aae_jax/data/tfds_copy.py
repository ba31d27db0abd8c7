"""TensorFlow Datasets without TensorFlow: its catalogue of addresses, and prepared copies in `array_record` form.

TFDS is imported inside the functions: it takes a second, and most runs never need it.
"""

import contextlib
import importlib.util
import io
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.dataset import Dataset, build_dataset
from aae_jax.data.download import Remote, offline, probe
from aae_jax.data.known import KnownSet
from aae_jax.data.labels import NO_LABEL, Parts, draw_parts, settle_parts
from aae_jax.errors import InputError

__all__ = [
    "Copy",
    "can_prepare",
    "catalogue",
    "copy_roots",
    "find_copy",
    "prepare_by_tfds",
    "prepare_copy",
    "read_copy",
]

INFO_FILE = "dataset_info.json"
BATCH = 1000


class Copy(NamedTuple):
    """A prepared data set on disk: the folder of its version, and how its records are stored."""

    folder: Path
    file_format: str


def copy_roots(data_dir: Path | None, cache_dir: Path) -> list[Path]:
    """Return the folders that may hold prepared copies: the data folder, TFDS's own, and ours."""
    own = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    roots = [data_dir, Path(os.path.expanduser(own)), cache_dir / "tensorflow_datasets"]
    return [root for root in roots if root is not None]


def find_copy(name: str, roots: list[Path]) -> Copy | None:
    """Return the newest prepared version of a data set, or None; array_record is preferred to other formats."""
    found: list[tuple[bool, tuple[int, ...], Copy]] = []
    for root in roots:
        with contextlib.suppress(OSError):
            for info in (root / name).glob(f"*/{INFO_FILE}"):
                version = _version(info.parent.name)
                if version is not None:
                    copy = Copy(info.parent, _file_format(info))
                    found.append((copy.file_format == "array_record", version, copy))
    return max(found, key=lambda entry: entry[:2])[2] if found else None


def _version(name: str) -> tuple[int, ...] | None:
    parts = name.split(".")
    return tuple(int(part) for part in parts) if all(part.isascii() and part.isdigit() for part in parts) else None


def _file_format(info: Path) -> str:
    try:
        described = json.loads(info.read_text(encoding="utf-8"))
        return str(described.get("fileFormat") or "tfrecord")
    except (OSError, ValueError, AttributeError):
        return "unknown"


def read_copy(copy: Copy, *, name: str, split_seed: int = 0) -> Dataset:
    """Read a prepared copy of an image-classification set.

    Its `test` split is taken as the test images, else its `validation`, else a seeded quarter of `train`. Of a `test`
    split without labels, which TFDS gives as -1, the images join those of `train`, and `validation` is the test set.

    Raises:
        InputError: It is stored in a form that needs TensorFlow, which is not installed, or holds no images of one
            size with at most one class each.
    """
    try:
        with _quiet() as tfds:
            splits, classes = _read_parts(tfds, copy)
    except InputError:
        raise
    except Exception as error:  # of whatever kind TFDS meets in a damaged copy
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"The TFDS copy in {copy.folder} cannot be read ({reason}); prepare it again.") from error
    class_names = tuple(classes.names) if classes is not None else ()
    parts, notices = _arrange(splits, name, split_seed)
    settled = settle_parts(parts, class_names, name=name, split_seed=split_seed)
    return build_dataset(
        name=name,
        source=f"the TFDS copy in {copy.folder}",
        **settled.parts._asdict(),
        num_classes=len(settled.class_names),
        class_names=settled.class_names,
        notices=(*notices, *settled.notices),
    )


Split = tuple[NDArray[np.uint8], NDArray[np.int32]]


def _arrange(splits: dict[str, Split], name: str, split_seed: int) -> tuple[Parts, tuple[str, ...]]:
    """Return training and test images out of splits by their names, and notices."""
    images, labels = splits["train"]
    if {"test", "validation"} <= set(splits) and splits["test"][0].shape[1:] == images.shape[1:]:
        bare, none = splits["test"]
        told = f"The {len(bare):,} images of the test split of {name} have no label and join the training images; "
        joined = np.concatenate([images, bare]), np.concatenate([labels, none])
        return Parts(*joined, *splits["validation"]), (f"{told}its validation split is the test set.",)
    for split in ("test", "validation"):
        if split in splits:
            return Parts(images, labels, *splits[split]), ()
    return draw_parts(images, labels, name=name, split_seed=split_seed), ()


def _read_parts(tfds: Any, copy: Copy) -> tuple[dict[str, Split], Any]:
    """Return images and labels by split, and TFDS's description of the classes, None where there are none.

    Validation images are read where there is no test split, or one without labels.
    """
    builder = tfds.builder_from_directory(str(copy.folder))
    features = builder.info.features
    image, label = _image_and_label(tfds, features, copy)
    found: dict[str, Split] = {}
    for split in _splits(builder.info, copy):
        if split != "validation" or "test" not in found or (label is not None and (found["test"][1] < 0).all()):
            found[split] = _read_split(tfds, builder, copy, split, image, label)
    return found, None if label is None else features[label]


def _image_and_label(tfds: Any, features: Any, copy: Copy) -> tuple[str, str | None]:
    """Return the names of the one image and the one class of an example, None where it has no class."""
    kinds = dict(features) if isinstance(features, tfds.features.FeaturesDict) else {}
    images = [name for name, kind in kinds.items() if isinstance(kind, tfds.features.Image)]
    labels = [name for name, kind in kinds.items() if isinstance(kind, tfds.features.ClassLabel)]
    if "label" in labels:
        labels = ["label"]
    if len(images) != 1 or len(labels) > 1 or ("label" in kinds and not labels):
        raise InputError(
            f"The TFDS copy in {copy.folder} has the features {', '.join(kinds) or 'of no dictionary'}; "
            "give a set of images with one class each, or none."
        )
    return images[0], labels[0] if labels else None


def _splits(info: Any, copy: Copy) -> list[str]:
    if "train" not in info.splits:
        raise InputError(f"The TFDS copy in {copy.folder} has no split 'train', but {', '.join(info.splits)}.")
    return ["train", *[name for name in ("test", "validation") if name in info.splits]]


def _read_split(tfds: Any, builder: Any, copy: Copy, split: str, image: str, label: str | None) -> Split:
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    for example in _examples(tfds, builder, copy, split):
        picture = np.asarray(example[image])
        if images and picture.shape != images[0].shape:
            raise InputError(
                f"The TFDS copy in {copy.folder} holds images of shapes {images[0].shape} and {picture.shape}; "
                "give a set whose images have one size."
            )
        images.append(picture)
        labels.append(NO_LABEL if label is None else max(int(example[label]), NO_LABEL))
    if not images:
        raise InputError(f"The TFDS copy in {copy.folder} has no images in its split {split!r}; prepare it again.")
    stacked = np.stack(images)
    return stacked[..., 0] if stacked.ndim == 4 and stacked.shape[-1] == 1 else stacked, np.asarray(labels, np.int32)


def _examples(tfds: Any, builder: Any, copy: Copy, split: str) -> Iterator[Any]:
    """Yield a split's examples in their order on disk."""
    if copy.file_format == "array_record":
        source = builder.as_data_source(split=split)
        for start in range(0, len(source), BATCH):
            yield from source.__getitems__(list(range(start, min(start + BATCH, len(source)))))
        return
    try:
        import tensorflow  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"The TFDS copy in {copy.folder} is stored as {copy.file_format}, which needs TensorFlow to read; "
            "install it (`pip install 'aae-jax[tfds-full]'`), or prepare the set with file_format='array_record'."
        ) from error
    yield from tfds.as_numpy(builder.as_dataset(split=split, shuffle_files=False))


def catalogue(tfds_name: str) -> list[Remote]:
    """Return what TFDS would download for a set: addresses, sizes and checksums, as its package records them.

    Raises:
        InputError: TFDS does not know the set.
    """
    with _quiet() as tfds:
        try:
            infos = tfds.builder(tfds_name).url_infos
        except Exception as error:  # TFDS has many kinds for a name it cannot build
            raise InputError(
                f"TensorFlow Datasets has no set {tfds_name!r} ({' '.join(str(error).split())[:120]})."
            ) from error
    return [Remote(url, int(info.size), info.checksum) for url, info in infos.items()]


def can_prepare() -> bool:
    """Return whether prepared copies can be written here: array_record has wheels for Linux alone."""
    return importlib.util.find_spec("array_record") is not None


def prepare_copy(dataset: Dataset, known: KnownSet, root: Path) -> Path:
    """Write a copy of a known set below `root` as TFDS itself keeps it, but in the original order of its images.

    `tfds.data_source(known.tfds, data_dir=root)` reads it, without TensorFlow. Returns the folder of its version.

    Raises:
        InputError: The folder cannot be written.
    """
    with _quiet() as tfds:
        stock = tfds.builder(known.tfds)
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
    """Let TFDS download and prepare a set below `root`, which takes TensorFlow.

    Raises:
        InputError: TensorFlow is not installed, the network is forbidden or fails, or TFDS has no such set.
    """
    if offline() or importlib.util.find_spec("tensorflow") is None:
        lack = "AAE_OFFLINE is set" if offline() else "TensorFlow is not installed (extra tfds-full)"
        raise InputError(
            f"There is no prepared copy of {name}, and {lack}; prepare it with file_format='array_record'."
        )
    for remote in catalogue(name)[:1]:  # TFDS itself would try for minutes
        probe(remote)
    with _quiet() as tfds:
        try:
            builder = tfds.builder(name, data_dir=str(root), file_format="array_record")
            builder.download_and_prepare()
        except Exception as error:  # TFDS has many kinds
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise InputError(f"TFDS could not prepare {name} ({reason}).") from error
        return Copy(Path(str(builder.data_path)), "array_record")


def _builder_class(tfds: Any, dataset: Dataset, known: KnownSet, described: tuple[str, str, list[str]]) -> Any:
    """Return a TFDS builder that yields the images of `dataset` with TFDS's name, version and classes.

    They go in as `PIL.Image`: TFDS encodes arrays by TensorFlow.
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
                disable_shuffling=True,  # so that the order, and with it every labelled subset, is the original one
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
    """Import TFDS, and keep its progress bars, advice and leftovers away."""
    import tensorflow_datasets as tfds
    from absl import logging

    before, folder = logging.get_verbosity(), tempfile.tempdir
    logging.set_verbosity(logging.ERROR)
    tfds.disable_progress_bar()
    try:
        # A builder makes a temporary folder that it forgets.
        with tempfile.TemporaryDirectory() as tempfile.tempdir, contextlib.redirect_stdout(io.StringIO()):
            yield tfds
    finally:
        tempfile.tempdir = folder
        logging.set_verbosity(before)
        tfds.enable_progress_bar()
