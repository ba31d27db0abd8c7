"""Inputs of `gpu_ten.py`, computed on a CPU: propagated labels of a table's row, and weights after a few updates.

`python benchmarks/gpu_inputs.py [--folder FOLDER] [--toy]`

`benchmarks/gpu_prepare.sh` calls it; both files go to .gpu, and hold what they were computed from.
"""

import argparse
import dataclasses
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gpu_programs import CLASSES, SHAPE, build_training

import aae_jax
from aae_jax.config import OptimizerConfig
from aae_jax.data import Dataset, Reporter
from aae_jax.errors import InputError
from aae_jax.files import write_whole
from aae_jax.models.semi_supervised.experiment import SPEC
from aae_jax.models.shared.graph_labels import propagated_labels
from aae_jax.run.arguments import parse
from aae_jax.run.setup import load_data

sys.path.append(str(Path(__file__).resolve().parent.parent))
from reproduce.tables import TABLES, Row, choose_rows

FOLDER = Path(".gpu")
ROW = "best-100-shifts"
SEEDS, TOY_SEEDS = 10, 2
UPDATES, BATCH = 20, 50

FindTargets = Callable[[Dataset, Sequence[tuple[Any, int]], int, Reporter], np.ndarray | None]


def row_arguments(name: str, epochs: int, data_dir: Path, *, toy: bool = False) -> list[str]:
    """Return the flags of a row of the few-label table; at toy size those of small networks on digits, two passes.

    Raises:
        InputError: There is no such row of the recipe "best".
    """
    rows = [row for row in choose_rows("few-labels", "best", (name,)) if isinstance(row, Row)]
    seeds = ["--num-seeds", str(TOY_SEEDS if toy else SEEDS)]
    if toy:
        small = ["--network.hidden", "16", "--network.discriminator-hidden", "16", "--network.precision", "float32"]
        return [*rows[0].arguments(2), "--dataset", "digits", *seeds, *small]
    return [*rows[0].arguments(epochs), "--dataset", "mnist", "--data-dir", str(data_dir), *seeds]


def targets_file(folder: Path, row: str) -> Path:
    """Return where the propagated labels of a row are."""
    return folder / f"targets-{row}.npz"


def source_of(dataset: Dataset, members: Sequence[tuple[Any, int]], max_shift: int) -> dict[str, Any]:
    """Return what propagated labels follow from: data, subsets of labelled images, and shift."""
    return {
        "data_sha256": dataset.sha256,
        "max_shift": max_shift,
        "members": [[seed, config.label_seed, config.labels, config.pool_size] for config, seed in members],
    }


def pack(targets: np.ndarray, source: Mapping[str, Any]) -> bytes:
    """Return targets `[members, pool, classes]`, each row of one class and its weight, as a compressed file: exactly.

    Raises:
        ValueError: A row has several classes.
    """
    classes, weights = targets.argmax(axis=2).astype(np.uint8), targets.max(axis=2)
    if not np.array_equal(unpacked(classes, weights, targets.shape[2]), targets):
        raise ValueError("The targets are not one class and its weight in every row.")
    file = io.BytesIO()
    np.savez_compressed(
        file, classes=classes, weights=weights, num_classes=targets.shape[2], source=json.dumps(source)
    )
    return file.getvalue()


def unpacked(classes: np.ndarray, weights: np.ndarray, num_classes: int) -> np.ndarray:
    """Return `[members, pool, classes]` of each row's class and weight."""
    targets: np.ndarray = np.eye(num_classes, dtype=np.float32)[classes] * weights[..., None]
    return targets


def stored_targets(file: Path) -> FindTargets:
    """Return an experiment's `find_targets` that reads what `pack` wrote.

    What it returns raises an InputError where the file belongs to other data, subsets or shifts.
    """

    def find(dataset: Dataset, members: Sequence[tuple[Any, int]], max_shift: int, reporter: Reporter) -> np.ndarray:
        wanted = json.loads(json.dumps(source_of(dataset, members, max_shift)))
        with np.load(file, allow_pickle=False) as stored:
            source = json.loads(str(stored["source"]))
            if source != wanted:
                differing = ", ".join(name for name in wanted if source.get(name) != wanted[name])
                raise InputError(f"{file} has labels of another {differing}; run benchmarks/gpu_prepare.sh again.")
            return unpacked(stored["classes"], stored["weights"], int(stored["num_classes"]))

    return find


def write_targets(folder: Path, row: str, *, toy: bool = False) -> Path:
    """Spread the labels of a row's subsets over their graph and write the result; return the file."""
    asked = parse(SPEC, row_arguments(row, 1, folder / "mnist", toy=toy)).config
    dataset = load_data(asked, Reporter())
    config = aae_jax.resolve(asked, dataset.image_shape)
    members = [(config, seed) for seed in range(config.seed, config.seed + config.num_seeds)]
    shift = config.views.max_shift or 0
    targets = propagated_labels(dataset, members, shift, Reporter())
    if targets is None:
        raise InputError(f"The row {row} has no propagated labels; leave it out.")
    file = targets_file(folder, row)
    write_whole(file, pack(targets, source_of(dataset, members, shift)))
    return file


def descent_config(precision: str, *, toy: bool = False) -> Any:
    """Return a configuration of narrow networks in which every phase moves by gradient descent.

    Adam would divide rounding by its own size; plain descent stays within 1e-5 of another device's.
    """
    config = aae_jax.resolve(aae_jax.preset("plain"), SHAPE)
    widths = {"hidden": (16,), "discriminator_hidden": (16,)} if toy else {"hidden": (256, 128)}
    descent = {
        field.name: OptimizerConfig(kind="sgd", learning_rate=1e-3 if field.name == "reconstruction" else 1e-2)
        for field in dataclasses.fields(config.optimizers)
        if isinstance(getattr(config.optimizers, field.name), OptimizerConfig)
    }
    return dataclasses.replace(
        config,
        network=dataclasses.replace(config.network, precision=precision, **widths),
        optimizers=dataclasses.replace(config.optimizers, **descent),
    )


def reference_weights(precision: str = "float32", *, toy: bool = False) -> dict[str, np.ndarray]:
    """Return the weights before and after 20 updates by gradient descent, from random images, on this device."""
    config = descent_config(precision, toy=toy)
    init, epoch = build_training(config, BATCH)
    draw = np.random.default_rng(0)
    pool = draw.integers(0, 256, (UPDATES * BATCH, *SHAPE), dtype=np.uint8)
    labels = draw.integers(0, CLASSES, BATCH, dtype=np.int32)
    data = aae_jax.TrainData(jnp.asarray(pool), jnp.asarray(pool[:BATCH]), jnp.asarray(labels))
    state = jax.jit(init)(jax.random.key(0))
    hyper = aae_jax.traced(config, UPDATES)
    after, _ = jax.jit(epoch)(state, data, hyper, jax.random.key(1), jnp.asarray(0))
    found = {"before": state.params, "after": after.params}
    return {jax.tree_util.keystr(p): np.asarray(leaf) for p, leaf in jax.tree_util.tree_leaves_with_path(found)}


def write_reference(folder: Path, *, toy: bool = False) -> Path:
    """Write this CPU's weights after 20 updates; return the file."""
    file = io.BytesIO()
    np.savez_compressed(file, **{f"w{name}": leaf for name, leaf in reference_weights(toy=toy).items()})
    path = folder / "reference.npz"
    write_whole(path, file.getvalue())
    return path


def compare_with_reference(file: Path, found: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return by how much weights differ from those of `write_reference` at most, and how far these had moved."""
    with np.load(file, allow_pickle=False) as stored:
        expected = {name.removeprefix("w"): stored[name] for name in stored.files}
    if {name: leaf.shape for name, leaf in expected.items()} != {name: leaf.shape for name, leaf in found.items()}:
        raise InputError(f"{file} has weights of other networks; run benchmarks/gpu_prepare.sh again.")

    def largest(part: str) -> float:
        return max(float(np.abs(found[n] - expected[n]).max()) for n in expected if n.startswith(f"['{part}']"))

    after = [name for name in expected if name.startswith("['after']")]
    moved = (np.abs(expected[name] - expected[name.replace("after", "before", 1)]).max() for name in after)
    return {
        "first weights": largest("before"),
        "largest difference": largest("after"),
        "largest movement": max(map(float, moved)),
    }


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of both files, and of MNIST's in mnist/")
    parser.add_argument("--row", default=ROW, choices=[row.name for row in TABLES["few-labels"]])
    parser.add_argument("--toy", action="store_true", help="small networks, two subsets of the digits")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Compute and write both files."""
    args = parse_flags(argv)
    args.folder.mkdir(parents=True, exist_ok=True)
    for path in (write_reference(args.folder, toy=args.toy), write_targets(args.folder, args.row, toy=args.toy)):
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
