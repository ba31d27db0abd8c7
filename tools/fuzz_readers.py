"""Throw damaged files at every reader: `python tools/fuzz_readers.py --count 100000 --seed 0`.

Each input is a good file of some kind with random harm done to it: bytes flipped, cut, repeated, inserted, numbers
in headers replaced. A reader may return or raise `InputError`. Anything else is a crash; an input that takes longer
than `--seconds` is a hang; one at which the process grows by more than `--megabytes` is an allocation that its file
does not justify.
"""

import argparse
import dataclasses
import gzip
import io
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import jax
import numpy as np
from PIL import Image

import aae_jax
from aae_jax.config import SemiSupervisedConfig
from aae_jax.config_text import from_mapping, read_yaml, to_yaml
from aae_jax.data.cache import read_cache, write_cache
from aae_jax.data.idx import read_idx
from aae_jax.data.idx_sets import Found, read_known
from aae_jax.data.known import KNOWN
from aae_jax.data.npz import load_npz
from aae_jax.data.pictures import read_pictures
from aae_jax.errors import InputError
from aae_jax.experiments.run_folder import RunFolder
from aae_jax.presets import preset
from aae_jax.seed_yaml import from_seed_yaml, is_seed_yaml

Harm = Callable[[np.random.Generator, bytes], bytes]
INTERESTING = [0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 10**9, 2**40, 2**63 - 1]


def flip(generator: np.random.Generator, raw: bytes) -> bytes:
    """Change a few bits."""
    changed = bytearray(raw)
    for at in generator.integers(0, len(raw), generator.integers(1, 9)):
        changed[at] ^= 1 << int(generator.integers(8))
    return bytes(changed)


def flip_header(generator: np.random.Generator, raw: bytes) -> bytes:
    """Change a few bytes among the first hundred."""
    changed = bytearray(raw)
    for at in generator.integers(0, min(len(raw), 100), generator.integers(1, 4)):
        changed[at] = int(generator.integers(256))
    return bytes(changed)


def number(generator: np.random.Generator, raw: bytes) -> bytes:
    """Put a number that overflows something somewhere, in either byte order or as digits."""
    value = int(generator.choice(np.array(INTERESTING, dtype=object)))
    at = int(generator.integers(0, len(raw)))
    kind = int(generator.integers(3))
    text = str(value).encode() if kind == 2 else value.to_bytes(8, "big" if kind else "little")
    return raw[:at] + text + raw[at + len(text) :]


def cut(generator: np.random.Generator, raw: bytes) -> bytes:
    """Keep a piece."""
    low, high = sorted(int(x) for x in generator.integers(0, len(raw) + 1, 2))
    return raw[:high] if generator.integers(2) else raw[low:high]


def insert(generator: np.random.Generator, raw: bytes) -> bytes:
    """Put random bytes in."""
    at = int(generator.integers(0, len(raw) + 1))
    return raw[:at] + generator.bytes(int(generator.integers(1, 50))) + raw[at:]


def repeat(generator: np.random.Generator, raw: bytes) -> bytes:
    """Repeat a piece a few times."""
    low, high = sorted(int(x) for x in generator.integers(0, len(raw) + 1, 2))
    return raw[:high] + raw[low:high] * int(generator.integers(1, 5)) + raw[high:]


def noise(generator: np.random.Generator, raw: bytes) -> bytes:
    """Forget the file."""
    return generator.bytes(int(generator.integers(0, 300)))


HARMS: list[Harm] = [flip, flip, flip_header, flip_header, number, number, cut, insert, repeat, noise]


@dataclasses.dataclass(frozen=True)
class Target:
    """A reader with good files to damage; `others` lie beside the damaged one, untouched."""

    name: str
    good: list[bytes]
    read: Callable[[Path], object]
    file: str = "input"
    others: dict[str, bytes] = dataclasses.field(default_factory=dict)


def idx_bytes(array: np.ndarray) -> bytes:
    """Return an array of bytes as an IDX file."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def npz_bytes(packed: bool, **arrays: np.ndarray) -> bytes:
    """Return arrays as an npz file."""
    stream = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(stream, **arrays)  # type: ignore[operator]
    return stream.getvalue()


def npy_bytes(array: np.ndarray) -> bytes:
    """Return an array as an npy file."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def picture_bytes(kind: str) -> bytes:
    """Return a small picture."""
    stream = io.BytesIO()
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8)).save(stream, format=kind)
    return stream.getvalue()


def read_configuration(path: Path) -> object:
    """Read a YAML file as the command does."""
    values = read_yaml(path)
    if is_seed_yaml(values):
        return from_seed_yaml(values, preset("shaharazulay"))
    config = from_mapping(SemiSupervisedConfig, values)
    aae_jax.validate(config)
    return config


def build_targets(folder: Path) -> list[Target]:
    """Return every reader of files that others may have made."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (20, 6, 8)).astype(np.uint8)
    labels = (np.arange(20) % 4).astype(np.uint8)
    rows = generator.normal(size=(20, 3))
    idx = [idx_bytes(images), idx_bytes(labels), gzip.compress(idx_bytes(images), mtime=0)]
    archive = io.BytesIO()
    known = KNOWN["emnist/digits"]
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as stored:
        for stem, array in zip(known.files, (images, labels, images, labels), strict=True):
            stored.writestr(f"gzip/{stem}.gz", gzip.compress(idx_bytes(array), mtime=0))
    split = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    npz = [npz_bytes(packed, **arrays) for packed in (False, True) for arrays in (split, {"x": rows, "y": labels})]
    network = aae_jax.NetworkConfig(hidden=(3,), discriminator_hidden=(2,), latent_dim=2, batch_norm=True)
    params, stats = aae_jax.build_mlp_networks(network, (6, 8), 4).init(jax.random.key(0))
    kept = {name: params[name] for name in ("encoder", "decoder")}
    model = aae_jax.Model(
        network=network,
        image_shape=(6, 8),
        num_classes=4,
        prior_std=1.0,
        params=kept,
        stats=stats,
        data={"name": "x"},
    )
    aae_jax.save_model(model, folder / "good")
    config, weights = ((folder / "good" / name).read_bytes() for name in ("config.json", "model.safetensors"))
    (folder / "own.npz").write_bytes(npz[0])
    write_cache(folder / "cache.npz", load_npz(folder / "own.npz"), "fingerprint")
    yaml = [to_yaml(preset(name)).encode() for name in ("default", "paper")]
    seed_yaml = (
        b"semi_supervised:\n  learning_rates: {generator_lr: 0.1}\n  model: {hidden_size: 5, encoder_dropout: 0}\n"
    )
    metrics = b"".join(json.dumps({"epoch": i, "update": 2 * i, "a/loss": [0.5]}).encode() + b"\n" for i in range(4))
    return [
        Target("idx", idx, read_idx),
        Target("zip of idx", [archive.getvalue()], lambda path: read_known(known, Found((), path))),
        Target("npz", npz, load_npz),
        Target("cache", [(folder / "cache.npz").read_bytes()], read_cache),
        Target("npy", [npy_bytes(images), npy_bytes(rows)], lambda path: read_pictures(path, (6, 8)), "input.npy"),
        *(
            Target(kind, [picture_bytes(kind)], lambda path: read_pictures(path, (6, 8)), f"input.{kind}")
            for kind in ("png", "jpeg", "bmp", "gif", "tiff", "ppm", "webp")
        ),
        Target("model's configuration", [config], _load_beside, "config.json", {"model.safetensors": weights}),
        Target("model's weights", [weights], _load_beside, "model.safetensors", {"config.json": config}),
        Target("configuration", [*yaml, seed_yaml], read_configuration),
        Target("metrics", [metrics], lambda path: RunFolder(path.parent).read_metrics(), "metrics.jsonl"),
    ]


def _load_beside(path: Path) -> object:
    return aae_jax.load(path.parent)


class Hang(Exception):  # noqa: N818 - what it is
    """A reader took too long."""


def peak_megabytes() -> float:
    """Return the most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def attack(target: Target, generator: np.random.Generator, folder: Path, seconds: float) -> str | None:
    """Read one damaged file; return what went wrong, or None."""
    raw = target.good[int(generator.integers(len(target.good)))]
    for _ in range(int(generator.integers(1, 4))):
        raw = HARMS[int(generator.integers(len(HARMS)))](generator, raw) or b"\0"
    path = folder / target.file
    path.write_bytes(raw)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        target.read(path)
    except InputError:
        return None
    except Hang:
        return "hang"
    except BaseException:
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


def main() -> int:
    """Attack every reader in turn and print a table; the exit status tells whether all held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--megabytes", type=float, default=256.0)
    parser.add_argument("--keep", type=Path, default=None, help="folder for the inputs that did harm")
    args = parser.parse_args()

    def on_alarm(*_: object) -> None:
        raise Hang

    signal.signal(signal.SIGALRM, on_alarm)
    found: Counter[tuple[str, str]] = Counter()
    counts: Counter[str] = Counter()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["AAE_CACHE_DIR"] = os.environ["HOME"] = temporary
        targets = build_targets(Path(temporary))
        folders = []
        for number, target in enumerate(targets):
            folder = Path(temporary) / str(number)
            folder.mkdir()
            for name, content in target.others.items():
                (folder / name).write_bytes(content)
            folders.append(folder)
        for index in range(args.count):
            generator = np.random.default_rng([args.seed, index])
            number = index % len(targets)
            target, folder = targets[number], folders[number]
            before = peak_megabytes()
            wrong = attack(target, generator, folder, args.seconds)
            grown = peak_megabytes() - before
            if wrong is None and grown > args.megabytes and index >= len(targets):
                wrong = f"memory grew by {grown:.0f} MB"
            counts[target.name] += 1
            if wrong is not None:
                kind = wrong.strip().splitlines()[-1][:150]
                found[target.name, kind] += 1
                if found[target.name, kind] == 1:
                    print(f"--- {target.name}, input {index}:\n{wrong}", flush=True)
                    if args.keep is not None:
                        args.keep.mkdir(parents=True, exist_ok=True)
                        (args.keep / f"{index}-{target.file}").write_bytes((folder / target.file).read_bytes())
    for name, count in counts.items():
        wrong_here = sum(n for (target_name, _), n in found.items() if target_name == name)
        print(f"{name:24} {count:7} inputs  {wrong_here:5} wrong")
    hangs = sum(n for (_, kind), n in found.items() if kind == "hang")
    print(f"{args.count} inputs, {sum(found.values()) - hangs} crashes, {hangs} hangs, seed {args.seed}, ", end="")
    print(f"{time.perf_counter() - began:.0f} s, {peak_megabytes():.0f} MB at most")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
