"""One job of `benchmarks/gpu_queue.sh`: a small JSON file of numbers, written whole.

`python benchmarks/gpu_job.py step --batch 100 --out FILE [--toy]`
`python benchmarks/gpu_job.py show FILE`
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from floor import BYTES_PER_PARAMETER, Sizes, products_by_phase


class Scale(NamedTuple):
    """Sizes and repetitions of a job."""

    updates: int = 500
    rounds: int = 5
    width: int = 1000
    leaves: int = 300
    pool: int = 50_000
    largest_batch: int = 8192


TOY = Scale(updates=4, rounds=2, width=64, leaves=9, pool=1000, largest_batch=16)


def scale_of(args: argparse.Namespace) -> Scale:
    """Return the sizes that the flags ask for."""
    return TOY if args.toy else Scale()


def device(args: argparse.Namespace) -> dict[str, Any]:
    """Measure matrix rates by precision, large and at a hundred rows, and the bandwidth of Adam's pattern."""
    import jax
    from jax_worker import Ours

    ours, scale = Ours(), scale_of(args)
    sizes = ((64, 64, 64),) if args.toy else ((8192, 8192, 8192), (100, 1000, 1000), (8192, 1000, 1000))
    found: dict[str, Any] = {"device": jax.devices()[0].device_kind, "platform": jax.default_backend()}
    for precision in ("float32", "tf32", "bfloat16"):
        if precision == "tf32" and jax.default_backend() != "gpu":
            continue
        for rows, inner, columns in sizes:
            seconds = ours.product(left=[rows, inner], right=[inner, columns], precision=precision, repeats=5)
            found[f"{precision} {rows}×{inner}×{columns} TFLOP/s"] = 2 * rows * inner * columns / seconds / 1e12
    found["bandwidth GB/s"] = ours.bandwidth(width=scale.width, leaves=scale.leaves, repeats=5) / 1e9
    return found


def step(args: argparse.Namespace) -> dict[str, Any]:
    """Time updates of one seed or of several at once."""
    from jax_worker import Ours

    from aae_jax.errors import InputError
    from aae_jax.networks import require_precision

    try:
        require_precision(args.precision)
    except InputError as error:
        return {"skipped": str(error)}
    ours, scale = Ours(), scale_of(args)
    batch = min(args.batch, scale.largest_batch)
    updates = max(4, scale.updates // max(1, batch // 500))
    facts = ours.setup(
        batch=batch,
        precision=args.precision,
        preset=args.preset,
        width=scale.width,
        seeds=args.seeds,
        at_once=True,
        pool=scale.pool,
        updates=updates,
    )
    ours.run()
    seconds = [ours.run() / updates for _ in range(scale.rounds)]
    best = min(seconds)
    flops = args.seeds * sum(
        p.flops for products in products_by_phase(Sizes(batch, scale.width)).values() for p in products
    )
    moved = args.seeds * BYTES_PER_PARAMETER * sum(facts["trained_parameters"].values())
    return {
        **facts,
        "seconds an update": seconds,
        "seconds for 15,000 updates": 15_000 * best,
        "TFLOP/s (plain preset's products)": flops / best / 1e12,
        "optimizer's GB/s": moved / best / 1e9,
    }


def torch(args: argparse.Namespace) -> dict[str, Any]:
    """Time the rival's updates."""
    try:
        import torch as library
    except ImportError:
        return {"skipped": "PyTorch is not installed"}
    from torch_worker import Rival

    rival, scale = Rival(), scale_of(args)
    cuda = library.cuda.is_available()
    if not cuda and args.variant in ("cudagraph", "reduce-overhead"):
        return {"skipped": f"{args.variant} needs a GPU"}
    sizes = {"batch": min(args.batch, scale.largest_batch), "width": scale.width, "pool": 1000}
    facts = rival.setup(variant=args.variant, threads=2, device="cuda" if cuda else "cpu", **sizes)
    rival.run(updates=scale.updates)
    seconds = [rival.run(updates=scale.updates) / scale.updates for _ in range(scale.rounds)]
    return {**facts, "seconds an update": seconds}


def train(args: argparse.Namespace) -> dict[str, Any]:
    """Train the main job on the MNIST that travelled along; digits, small, at toy size."""
    toy = ["--preset", "smoke", "--epochs", "2", "--labels", "100", "--num-seeds", "2"]
    length = toy if args.toy else ["--labels", str(args.labels), "--num-seeds", "5"]
    return _finish("semi_supervised", [*_data(args), *length], Path(args.out).with_suffix(".run"))


def _data(args: argparse.Namespace) -> list[str]:
    """Return the flags of the data: MNIST as it travelled along, digits at toy size."""
    return ["--dataset", "digits"] if args.toy else ["--dataset", "mnist", "--data-dir", ".gpu/mnist"]


def _finish(model: str, flags: list[str], run: Path) -> dict[str, Any]:
    """Train a model into the folder `run`, or resume what was stopped there, and return its summary."""
    from aae_jax.run.run import main

    argv = ["--resume", str(run)] if (run / "config.yaml").exists() else [*flags, "--out-dir", str(run)]
    if main(model, argv) != 0:
        raise SystemExit("the run did not finish")
    summary: dict[str, Any] = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    return summary


def experiment(args: argparse.Namespace) -> dict[str, Any]:
    """Train a preset of any experiment for a number of updates, by several seeds at once; digits at toy size."""
    preset, epochs, seeds = ("smoke", 1, 2) if args.toy else (args.preset, args.epochs, args.seeds)
    length = ["--preset", preset, "--epochs", str(epochs), "--num-seeds", str(seeds)]
    return _finish(args.experiment, [*_data(args), *length], Path(args.out).with_suffix(".run"))


def reproduce(args: argparse.Namespace) -> dict[str, Any]:
    """Train a row of the table of few labels, ten subsets of it; at toy size a few updates of small networks."""
    sys.path.append(str(Path(__file__).resolve().parent.parent))  # where the package is
    from reproduce import command
    from reproduce.tables import TABLES, Row

    out = Path(args.out)
    if args.toy:
        TABLES["few-labels"] = (Row(args.row, "best", 100, False, "smoke", 2),)
    budget = ["--budget-minutes", str(args.minutes)] if args.minutes else []
    where = ["--out-dir", str(out.with_suffix(".run")), "--results-dir", str(out.with_suffix(".results"))]
    argv = ["--rows", args.row, "--num-seeds", "2" if args.toy else "10", *_data(args), *budget, *where]
    if command.main(argv) != 0:
        raise SystemExit("the row did not finish")
    found: dict[str, Any] = json.loads((out.with_suffix(".results") / f"{args.row}.json").read_text(encoding="utf-8"))
    return found


def show(path: Path) -> None:
    """Print a job's numbers, those of nested tables in one line."""
    for name, value in json.loads(path.read_text(encoding="utf-8")).items():
        if isinstance(value, float):
            value = f"{value:.4g}"
        elif isinstance(value, list) and value and isinstance(value[0], float):
            value = " ".join(f"{v:.4g}" for v in sorted(value))
        print(f"   {name}: {str(value)[:150]}")


JOBS = {
    "device": device,
    "step": step,
    "torch": torch,
    "train": train,
    "experiment": experiment,
    "reproduce": reproduce,
}


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", choices=[*JOBS, "show"])
    parser.add_argument("file", nargs="?")
    parser.add_argument("--out")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--preset", default="plain")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--variant", default="eager")
    parser.add_argument("--labels", type=int, default=1000)
    parser.add_argument("--row")
    parser.add_argument("--experiment", default="unsupervised")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--toy", action="store_true", help="small networks, data and batches, on any device")
    args = parser.parse_args(argv)
    if args.job == "show" and args.file is None:
        parser.error("show takes the file of a finished job")
    if args.job != "show" and args.out is None:
        parser.error(f"{args.job} needs --out FILE")
    return args


def main() -> int:
    """Run a job, or show what it found."""
    args = parse_flags()
    if args.job == "show":
        show(Path(args.file))
        return 0
    begun = time.perf_counter()
    found = {**JOBS[args.job](args), "job_seconds": time.perf_counter() - begun}
    out = Path(args.out)
    unfinished = out.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    os.replace(unfinished, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
