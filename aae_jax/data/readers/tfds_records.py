"""Reader of prepared TFDS copies without TFDS's own reader, which imports any module that a copy names.

The two JSON files of a copy are parsed here, every class in them is compared with a list, and records are decoded by
Pillow, only from regular files in the copy's folder.
"""

import importlib.util
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aae_jax.data.labels import NO_LABEL
from aae_jax.data.readers.picture_files import decode_picture
from aae_jax.errors import InputError
from aae_jax.files import open_regular, read_text, require_regular
from aae_jax.text import quoted

__all__ = ["FEATURES_FILE", "INFO_FILE", "CopyDescription", "describe_copy", "read_file_format", "read_split"]

INFO_FILE, FEATURES_FILE = "dataset_info.json", "features.json"
MAX_JSON_BYTES, MAX_DEPTH, MAX_SHARDS, MAX_CLASSES = 10**7, 40, 10**5, 10**6
BATCH = 1000
CORE = "tensorflow_datasets.core.features."
FEATURES_DICT, IMAGE, CLASS_LABEL = (
    "features_dict.FeaturesDict",
    "image_feature.Image",
    "class_label_feature.ClassLabel",
)
FEATURE_CLASSES = frozenset(
    CORE + name
    for name in (
        *(FEATURES_DICT, IMAGE, CLASS_LABEL, "tensor_feature.Tensor", "scalar.Scalar", "text_feature.Text"),
        *("sequence_feature.Sequence", "bounding_boxes.BBoxFeature", "labeled_image.LabeledImage"),
        *("audio_feature.Audio", "video_feature.Video", "optional_feature.Optional"),
        *("dataset_feature.Dataset", "translation_feature.Translation"),
    )
)
"""Classes of TFDS itself; for any other class in a copy, TFDS would import the module of that name."""
CLASS_KEYS = ("pythonClassName", "python_class_name", "type")
DEFAULT_TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
PLAIN_NAME = re.compile(r"[A-Za-z0-9_.\-]+")


class CopyDescription(NamedTuple):
    """Validated content of the JSON files of a prepared copy.

    Attributes:
        folder: Folder of its version.
        file_format: Format of its records.
        image: Name of the image feature.
        pixels: Type of the pixels, uint8 or float32; TFDS stores the latter as four bytes each.
        label: Name of the class feature; None for data without classes.
        class_names: Names of the classes.
        shards: Files of every split, with the number of records in each.
    """

    folder: Path
    file_format: str
    image: str
    pixels: str
    label: str | None
    class_names: tuple[str, ...]
    shards: dict[str, list[tuple[Path, int]]]


def read_file_format(info: Path) -> str:
    """Read the format of a copy's records, or "unknown"."""
    try:
        return str(json.loads(read_text(info, MAX_JSON_BYTES)).get("fileFormat") or "tfrecord")
    except (OSError, ValueError, AttributeError, RecursionError):
        return "unknown"


def describe_copy(folder: Path) -> CopyDescription:
    """Read and validate the JSON files of the copy in `folder`; nothing is imported.

    Raises:
        InputError: The files are damaged, name a class that is not TFDS's own, or do not describe images with at most
            one class each.
    """
    info, features = (_read_json(folder, name) for name in (INFO_FILE, FEATURES_FILE))
    _check_classes(info, folder, CLASS_KEYS[:2])
    _check_classes(features, folder, CLASS_KEYS)
    try:
        image, pixels, label, count = _image_and_label(_fields(features), folder)
        file_format = str(info.get("fileFormat") or "tfrecord")
        shards = {
            str(split["name"]): _shards(folder, str(info["name"]), file_format, split)
            for split in info.get("splits", [])
        }
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise InputError(
            f"The TFDS copy in {folder} cannot be read ({quoted(str(error))}); prepare it again."
        ) from error
    return CopyDescription(folder, file_format, image, pixels, label, _class_names(folder, label, count), shards)


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads(read_text(folder / name, MAX_JSON_BYTES), object_pairs_hook=_unique)
    except FileNotFoundError as error:
        raise InputError(f"The TFDS copy in {folder} has no {name}; prepare it again.") from error
    except OSError as error:
        raise InputError(f"{folder / name} cannot be read ({error.strerror or error}); prepare it again.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{folder / name} is not valid JSON ({quoted(str(error))}); prepare it again.") from error
    if not isinstance(content, dict):
        raise InputError(f"{folder / name} does not hold a JSON object; prepare it again.")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a key occurs twice")
    return mapping


def _check_classes(node: Any, folder: Path, keys: tuple[str, ...], depth: int = 0) -> None:
    """Refuse any class that is not TFDS's own, at any depth, including JSON within strings."""
    if depth > MAX_DEPTH:
        raise InputError(f"The JSON files of the TFDS copy in {folder} are nested too deeply; prepare it again.")
    if isinstance(node, str) and node.lstrip().startswith(("{", "[")):
        try:
            node = json.loads(node)
        except (ValueError, RecursionError):
            return
    if isinstance(node, list):
        for item in node:
            _check_classes(item, folder, keys, depth + 1)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in keys and isinstance(value, str) and value not in FEATURE_CLASSES:
            raise InputError(
                f"The TFDS copy in {folder} names the class {quoted(value)}, which is not one of TFDS's for images "
                "with labels; nothing was imported. Give another copy."
            )
        _check_classes(value, folder, keys, depth + 1)


def _content(feature: dict[str, Any], *names: str) -> Any:
    """Return the description of a feature: under its name, or "content" (before 2022), possibly as a string."""
    keys = (*names, "content", "jsonFeature", "json_feature")
    content: Any = next((feature[key] for key in keys if key in feature), {})
    if isinstance(content, dict) and set(content) == {"json"}:
        content = content["json"]
    return json.loads(content) if isinstance(content, str) else content


def _class_of(feature: Any) -> str:
    return next((str(feature[key]).removeprefix(CORE) for key in CLASS_KEYS if key in feature), "")


def _fields(features: dict[str, Any]) -> dict[str, Any]:
    """Return the features of an example by name."""
    if _class_of(features) != FEATURES_DICT:
        return {}
    content = _content(features, "featuresDict", "features_dict")
    inner = content.get("features")
    return dict(inner if isinstance(inner, dict) and not any(key in inner for key in CLASS_KEYS) else content)


def _image_and_label(fields: dict[str, Any], folder: Path) -> tuple[str, str, str | None, int]:
    """Return the name and type of the one image, the name of the one class or None, and the number of classes."""
    images = [name for name, feature in fields.items() if _class_of(feature) == IMAGE]
    labels = [name for name, feature in fields.items() if _class_of(feature) == CLASS_LABEL]
    if "label" in labels:
        labels = ["label"]
    if len(images) != 1 or len(labels) > 1 or ("label" in fields and not labels):
        raise InputError(
            f"The TFDS copy in {folder} has the features {', '.join(fields) or 'outside a dictionary'}; "
            "give a set of images with one class each, or none."
        )
    content = _content(fields[images[0]], "image")
    kind = str(content.get("dtype") or "uint8").removeprefix("tf.")
    if kind not in ("uint8", "float32"):
        raise InputError(f"The TFDS copy in {folder} has images of type {quoted(kind)}; give a set of 8-bit images.")
    if not labels:
        return images[0], kind, None, 0
    content = _content(fields[labels[0]], "classLabel", "class_label")
    count = int(content.get("numClasses", content.get("num_classes")) or 0)
    if not 0 <= count <= MAX_CLASSES:
        raise ValueError(f"it has {count} classes")
    return images[0], kind, labels[0], count


def _class_names(folder: Path, label: str | None, count: int) -> tuple[str, ...]:
    """Return the class names in the copy's file, or numbers if it has none."""
    if label is None:
        return ()
    path = folder / f"{label}.labels.txt"
    if PLAIN_NAME.fullmatch(label):
        try:
            names = tuple(line.strip() for line in read_text(path, MAX_JSON_BYTES).split("\n") if line.strip())
        except FileNotFoundError:
            return tuple(str(i) for i in range(count))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read ({error}); prepare the copy again.") from error
        if len(names) == (count or len(names)) and len(set(names)) == len(names):
            return names
        raise InputError(f"{path} has {len(names)} names for {count} classes; give one line for each class.")
    return tuple(str(i) for i in range(count))


def _shards(folder: Path, name: str, file_format: str, split: dict[str, Any]) -> list[tuple[Path, int]]:
    """Return the files of a split, all in the copy's folder, with the number of records in each."""
    lengths = [int(length) for length in split.get("shardLengths", split.get("shard_lengths", []))]
    template = str(split.get("filepathTemplate") or split.get("filepath_template") or DEFAULT_TEMPLATE)
    if not 0 < len(lengths) <= MAX_SHARDS or min(lengths) < 0:
        raise ValueError(f"its split {split['name']} has {len(lengths)} shards")
    shards = []
    for index, length in enumerate(lengths):
        parts = {
            "DATASET": name,
            "SPLIT": str(split["name"]),
            "FILEFORMAT": file_format,
            "SHARD_INDEX": f"{index:05d}",
            "NUM_SHARDS": f"{len(lengths):05d}",
            "SHARD_X_OF_Y": f"{index:05d}-of-{len(lengths):05d}",
        }
        file = re.sub(r"\{([A-Z_]+)\}", lambda match, parts=parts: parts[match[1]], template)  # type: ignore[misc]
        if not PLAIN_NAME.fullmatch(file) or file in (".", ".."):
            raise ValueError(f"it names the file {quoted(file)}")
        shards.append((folder / file, length))
    return shards


def read_split(copy: CopyDescription, split: str) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Read the images `[count, height, width]` or `[count, height, width, channels]` of a split, and their labels.

    Raises:
        InputError: The split is in an unsupported format, damaged, or has images of several sizes.
    """
    images: list[NDArray[Any]] = []
    labels: list[int] = []
    for record in _records(copy, split):
        encoded, label = _parse(record, copy)
        picture: NDArray[Any] = decode_picture(
            encoded, f"Image {len(images)} of the split {split!r} in {copy.folder}"
        )
        if copy.pixels == "float32":
            picture = np.ascontiguousarray(picture).view(np.float32)
        if picture.ndim == 3 and picture.shape[-1] == 1:
            picture = picture[..., 0]
        if images and picture.shape != images[0].shape:
            raise InputError(
                f"The TFDS copy in {copy.folder} holds images of shapes {images[0].shape} and {picture.shape}; "
                "give a set whose images have one size."
            )
        images.append(picture)
        labels.append(label)
    if not images:
        raise InputError(f"The TFDS copy in {copy.folder} has no images in its split {split!r}; prepare it again.")
    return np.stack(images), np.asarray(labels, np.int32)


def _parse(record: bytes, copy: CopyDescription) -> tuple[bytes, int]:
    """Parse the encoded image and the label of a record, -1 if it has none."""
    from tensorflow_datasets.proto import tf_example_pb2

    features = tf_example_pb2.Example.FromString(record).features.feature
    encoded = features[copy.image].bytes_list.value
    labels = [NO_LABEL] if copy.label is None else features[copy.label].int64_list.value
    if len(encoded) != 1 or len(labels) != 1 or not -(2**31) <= labels[0] < 2**31:
        raise ValueError(f"a record has {len(encoded)} images and {len(labels)} labels")
    return encoded[0], max(int(labels[0]), NO_LABEL)


def _records(copy: CopyDescription, split: str) -> Iterator[bytes]:
    """Yield the records of a split in their order on disk."""
    if copy.file_format not in ("array_record", "tfrecord"):
        raise InputError(
            f"The TFDS copy in {copy.folder} is stored as {quoted(copy.file_format)}, which is not supported; "
            "prepare the set with file_format='array_record'."
        )
    read = _read_array_record if copy.file_format == "array_record" else _read_tfrecord
    for path, length in copy.shards[split]:
        count = 0
        for record in read(path, copy.folder):
            count += 1
            yield record
        if count != length:
            raise ValueError(f"{path.name} has {count} records, not {length}")


def _read_array_record(path: Path, folder: Path) -> Iterator[bytes]:
    if importlib.util.find_spec("array_record") is None:
        raise InputError(
            f"The TFDS copy in {folder} needs the package array_record, which has wheels for Linux only."
        )
    from array_record.python.array_record_module import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
        ArrayRecordReader,
    )

    with open_regular(path) as file:  # by descriptor: the name may contain any bytes, and the file may be replaced
        reader = ArrayRecordReader(f"/dev/fd/{file.fileno()}", options="readahead_buffer_size:0")
        try:
            count = reader.num_records()
            for start in range(0, count, BATCH):
                yield from reader.read(list(range(start, min(start + BATCH, count))))
        finally:
            reader.close()


def _read_tfrecord(path: Path, folder: Path) -> Iterator[bytes]:
    try:
        import tensorflow  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as error:
        raise InputError(
            f"The TFDS copy in {folder} is stored as tfrecord, which needs TensorFlow to read; "
            "install it (`pip install 'aae-jax[tfds-full]'`), or prepare the set with file_format='array_record'."
        ) from error
    require_regular(path)
    for record in tensorflow.data.TFRecordDataset([os.fspath(path)]):
        yield record.numpy()
