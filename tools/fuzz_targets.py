"""Readers to attack, each with good files to damage: data, pictures, TFDS copies, models, configurations, runs."""

import dataclasses
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import jax
import numpy as np
from PIL import Image

import aae_jax
from aae_jax.commands.doctor import run_doctor
from aae_jax.compat import yaml_settings as seed_yaml
from aae_jax.config.text import from_mapping, read_yaml, to_mapping, to_yaml
from aae_jax.data.cache import read_cache, write_cache
from aae_jax.data.dataset import build_dataset
from aae_jax.data.known import KNOWN
from aae_jax.data.readers import tfds_copy
from aae_jax.data.readers.idx import read_idx
from aae_jax.data.readers.idx_sets import LocatedFiles, load_idx_folder, read_known
from aae_jax.data.readers.npz import load_npz
from aae_jax.data.readers.pictures import read_pictures
from aae_jax.models import preset
from aae_jax.models.semi_supervised import experiment as semi_supervised
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig
from aae_jax.priors.custom import read_prior
from aae_jax.run import checkpoint_notes
from aae_jax.run.arguments import resumed_config
from aae_jax.run.run_dir import RunFolder
from aae_jax.train import checkpoint

__all__ = ["Target", "build_targets"]


@dataclasses.dataclass(frozen=True)
class Target:
    """A reader with good files to damage.

    Attributes:
        name: Of the reader and the file.
        good: Contents of which one is damaged.
        read: Takes the path of the damaged file.
        file: Its name, with folders.
        others: Contents of the files around it, undamaged.
    """

    name: str
    good: list[bytes]
    read: Callable[[Path], object]
    file: str = "input"
    others: Mapping[str, bytes] = dataclasses.field(default_factory=dict)


def _idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def _npz(packed: bool, **arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(stream, **arrays)  # type: ignore[operator]
    return stream.getvalue()


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _picture(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray((5 * np.arange(48)).astype(np.uint8).reshape(6, 8)).save(stream, format=kind)
    return stream.getvalue()


def _images() -> tuple[np.ndarray, np.ndarray]:
    images = np.random.default_rng(0).integers(0, 256, (20, 6, 8)).astype(np.uint8)
    return images, (np.arange(20) % 4).astype(np.uint8)


def _contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder by its path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def _each_file(name: str, files: Mapping[str, bytes], read: Callable[[Path], object], up: int = 1) -> list[Target]:
    """Return a target for every file of a folder; `read` gets the folder, `up` levels above each file's own path."""

    def target(file: str) -> Target:
        others = {other: content for other, content in files.items() if other != file}
        depth = len(Path(file).parts)
        return Target(f"{name}: {file}", [files[file]], lambda path: read(path.parents[depth - 1]), file, others)

    return [target(file) for file in files]


def _data_targets(folder: Path) -> list[Target]:
    images, labels = _images()
    rows = np.random.default_rng(1).normal(size=(20, 3))
    idx = [_idx(images), _idx(labels), gzip.compress(_idx(images), mtime=0)]
    known, archive = KNOWN["emnist/digits"], io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as stored:
        for stem, array in zip(known.files, (images, labels, images, labels), strict=True):
            stored.writestr(f"gzip/{stem}.gz", gzip.compress(_idx(array), mtime=0))
    split = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    named = {"x": rows, "y": np.asarray(["a", "b", "c", ""] * 5)}
    npz = [_npz(packed, **arrays) for packed in (False, True) for arrays in (split, {"x": rows, "y": labels}, named)]
    (folder / "own.npz").write_bytes(npz[0])
    (folder / "cache").mkdir(mode=0o700)
    write_cache(folder / "cache" / "cache.npz", load_npz(folder / "own.npz"), "fingerprint")
    four = dict(zip(KNOWN["mnist"].files, (_idx(images), _idx(labels), _idx(images), _idx(labels)), strict=True))
    return [
        Target("idx", idx, read_idx),
        Target("zip of idx", [archive.getvalue()], lambda path: read_known(known, LocatedFiles((), path))),
        Target("npz", npz, load_npz),
        Target("cache", [(folder / "cache" / "cache.npz").read_bytes()], read_cache),
        Target("npy", [_npy(images), _npy(rows)], lambda path: read_pictures(path, (6, 8)), "input.npy"),
        Target("prior", [_npy(np.repeat(rows, 60, 0))], lambda path: read_prior(_own_prior(path), 3), "prior.npy"),
        *_each_file("idx folder", four, load_idx_folder),
        *(
            Target(kind, [_picture(kind)], lambda path: read_pictures(path, (6, 8)), f"input.{kind}")
            for kind in ("png", "jpeg", "bmp", "gif", "tiff", "ppm", "webp")
        ),
        *_each_file(
            "folder of pictures",
            {f"{i}.png": _picture("png") for i in range(2)},
            lambda path: read_pictures(path, (6, 8), resize=True),
        ),
    ]


def _own_prior(path: Path) -> aae_jax.PriorConfig:
    return aae_jax.PriorConfig(kind="samples", file=str(path))


def _tfds_targets(folder: Path) -> list[Target]:
    """Return a target for every file of a prepared copy, where one can be written."""
    if not tfds_copy.can_prepare():
        return []
    images, labels = _images()
    known = KNOWN["kmnist"]
    dataset = build_dataset(
        name=known.name,
        source="made up",
        train_images=images,
        train_labels=labels,
        test_images=images,
        test_labels=labels,
        num_classes=10,
    )
    version = tfds_copy.prepare_copy(dataset, known, folder / "tfds")
    files = {f"{known.tfds}/{version.name}/{name}": content for name, content in _contents(version).items()}

    def read(root: Path) -> object:
        copy = tfds_copy.find_copy(known.tfds, [root])
        return None if copy is None else tfds_copy.read_copy(copy, name="tfds:kmnist")

    return _each_file("TFDS copy", files, read)


def _model_targets(folder: Path) -> list[Target]:
    network = aae_jax.NetworkConfig(hidden=(3,), discriminator_hidden=(2,), latent_dim=2, batch_norm=True)
    params, stats = aae_jax.build_mlp_networks(network, (6, 8), 4).init(jax.random.key(0))
    model = aae_jax.Model(
        network=network,
        image_shape=(6, 8),
        num_classes=4,
        prior=aae_jax.PriorConfig(std=1.0),
        params={name: params[name] for name in ("encoder", "decoder")},
        stats=stats,
        data={"name": "x"},
    )
    aae_jax.save_model(model, folder / "model")
    return _each_file("model", _contents(folder / "model"), aae_jax.load)


def _read_configuration(path: Path) -> object:
    """Read a YAML file as the command does."""
    values = read_yaml(path)
    if seed_yaml.is_seed_yaml(values):
        return seed_yaml.from_seed_yaml(values, preset("shaharazulay"))
    config = from_mapping(SemiSupervisedConfig, values)
    aae_jax.validate(config)
    return config


def _run_targets(folder: Path) -> list[Target]:
    """Return a target for every file of a stopped run."""
    tree = {"weights": jax.random.normal(jax.random.key(0), (6, 5)), "step": jax.numpy.asarray(3)}
    config = dataclasses.replace(preset("smoke"), dataset="digits")
    notes = {"epoch": 1, "seconds": 2.5, "failed": {"0": {"update": 3, "phase": "generator"}}, "data_sha256": "0"}
    notes |= {"config": to_mapping(config), "config_sha256": "0"}
    run = RunFolder(folder / "run")
    for number in (0, 1):
        checkpoint.save(run.last, number, tree, notes)
    run.write_config(config)
    run.write_origin("python experiments/semi_supervised.py", None)
    for epoch in range(4):
        row = {"epoch": epoch, "update": 10 * epoch, "validation_error": [0.5], "validation_labels_used": [10.0]}
        losses = {"reconstruction/loss": [1.0 / (1 + epoch)], "discriminator_z/accuracy": [0.5], "generator/z": [0.7]}
        run.append_metrics({**row, **losses, "validation_code_std_ratio/z1": [1.0], "seconds": 1.0})
    like = jax.eval_shape(lambda: tree)

    def resume(path: Path) -> object:
        aae_jax.validate(resumed_config(semi_supervised.SPEC, path))
        found = RunFolder(path)
        found.claim()
        try:
            found.read_origin()
            restored = checkpoint.restore_latest(found.last, like, lambda text: None)
            noted = checkpoint_notes.checked_notes(restored.notes, found.last)
            found.cut_metrics(noted.epoch)
            found.write_csv((0,))
        finally:
            found.release()
        return noted

    files = _contents(run.path)
    diagnosed = {name: content for name, content in files.items() if name in ("config.yaml", "metrics.jsonl")}
    return [
        *_each_file("resumed run", files, resume),
        *_each_file("diagnosed run", diagnosed, lambda path: run_doctor([str(path)])),
    ]


def build_targets(folder: Path) -> list[Target]:
    """Return every reader of files that others may have made; good files are made in `folder`."""
    yaml = [to_yaml(preset(name)).encode() for name in ("default", "paper")]
    yaml.append(
        b"semi_supervised:\n  learning_rates: {generator_lr: 0.1}\n  model: {hidden_size: 5, encoder_dropout: 0}\n"
    )
    yaml.append(b"network: &n {hidden: [10, 20]}\nviews: {noise_std: 1e-1}\nweights: {<<: {consistency: 1.0}}\n")
    metrics = b"".join(json.dumps({"epoch": i, "update": 2 * i, "a/loss": [0.5]}).encode() + b"\n" for i in range(4))
    return [
        *_data_targets(folder),
        *_tfds_targets(folder),
        *_model_targets(folder),
        *_run_targets(folder),
        Target("configuration", yaml, _read_configuration),
        Target("metrics", [metrics], lambda path: RunFolder(path.parent).read_metrics(), "metrics.jsonl"),
    ]
