"""One job of `benchmarks/gpu_queue.sh`: a small JSON file of numbers, written whole; `show FILE` prints it."""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from floor import BYTES_PER_PARAMETER, Sizes, products_by_phase

TOY = os.environ.get("AAE_QUEUE_TOY", "") not in ("", "0")
UPDATES = 4 if TOY else 500
ROUNDS = 2 if TOY else 5
WIDTH = 64 if TOY else 1000


def device(_: argparse.Namespace) -> dict[str, Any]:
    """Measure matrix rates by precision, large and at a hundred rows, and the bandwidth of Adam's pattern."""
    import jax
    from jax_worker import Ours

    ours = Ours()
    sizes = ((64, 64, 64),) if TOY else ((8192, 8192, 8192), (100, 1000, 1000), (8192, 1000, 1000))
    found: dict[str, Any] = {"device": jax.devices()[0].device_kind, "platform": jax.default_backend()}
    for precision in ("float32", "tf32", "bfloat16"):
        if precision == "tf32" and jax.default_backend() != "gpu":
            continue
        for rows, inner, columns in sizes:
            seconds = ours.product(left=[rows, inner], right=[inner, columns], precision=precision, repeats=5)
            found[f"{precision} {rows}×{inner}×{columns} TFLOP/s"] = 2 * rows * inner * columns / seconds / 1e12
    leaves = 9 if TOY else 300
    found["bandwidth GB/s"] = ours.bandwidth(width=WIDTH, leaves=leaves, repeats=5) / 1e9
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
    ours = Ours()
    batch = min(args.batch, 16) if TOY else args.batch
    updates = max(4, UPDATES // max(1, batch // 500))
    facts = ours.setup(
        batch=batch,
        precision=args.precision,
        preset=args.preset,
        width=WIDTH,
        seeds=args.seeds,
        at_once=True,
        pool=1000 if TOY else 50_000,
        updates=updates,
    )
    ours.run()
    seconds = [ours.run() / updates for _ in range(ROUNDS)]
    best = min(seconds)
    flops = args.seeds * sum(
        p.flops for products in products_by_phase(Sizes(batch, WIDTH)).values() for p in products
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

    rival = Rival()
    cuda = library.cuda.is_available()
    if not cuda and args.variant in ("cudagraph", "reduce-overhead"):
        return {"skipped": f"{args.variant} needs a GPU"}
    batch = 16 if TOY else args.batch
    facts = rival.setup(
        variant=args.variant, batch=batch, threads=2, device="cuda" if cuda else "cpu", width=WIDTH, pool=1000
    )
    rival.run(updates=UPDATES)
    return {**facts, "seconds an update": [rival.run(updates=UPDATES) / UPDATES for _ in range(ROUNDS)]}


def train(args: argparse.Namespace) -> dict[str, Any]:
    """Train the main job on the MNIST that travelled along; digits, small, at toy size."""
    from aae_jax.experiments import semi_supervised

    run = Path(args.out).with_suffix(".run")
    data = ["--dataset", "digits", "--epochs", "2", "--preset", "smoke"] if TOY else ["--dataset", "mnist"]
    flags = [*data, "--data-dir", ".gpu/mnist"] if not TOY else data
    seeds = "2" if TOY else "5"
    argv = [*flags, "--labels", "100" if TOY else str(args.labels), "--num-seeds", seeds, "--out-dir", str(run)]
    if (run / "config.yaml").exists():
        argv = ["--resume", str(run)]
    if semi_supervised.main(argv) != 0:
        raise SystemExit("the run did not finish")
    summary: dict[str, Any] = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    return summary


def experiment(args: argparse.Namespace) -> dict[str, Any]:
    """Train a preset of any experiment for a number of updates, by several seeds at once; digits at toy size."""
    import importlib

    module = importlib.import_module(f"aae_jax.experiments.{args.experiment}")
    run = Path(args.out).with_suffix(".run")
    preset = "smoke" if TOY else args.preset
    data = ["--dataset", "digits"] if TOY else ["--dataset", "mnist", "--data-dir", ".gpu/mnist"]
    length = ["--epochs", "1" if TOY else str(args.epochs), "--num-seeds", "2" if TOY else str(args.seeds)]
    argv = ["--preset", preset, *data, *length, "--out-dir", str(run)]
    if (run / "config.yaml").exists():
        argv = ["--resume", str(run)]
    if module.main(argv) != 0:
        raise SystemExit("the run did not finish")
    summary: dict[str, Any] = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    return summary


def reproduce(args: argparse.Namespace) -> dict[str, Any]:
    """Train a row of the table of few labels, ten subsets of it; at toy size a few updates of small networks."""
    sys.path.append(str(Path(__file__).resolve().parent.parent))  # where the package is
    from reproduce import command
    from reproduce.tables import TABLES, Row

    out = Path(args.out)
    data = ["--dataset", "digits"] if TOY else ["--dataset", "mnist", "--data-dir", ".gpu/mnist"]
    if TOY:
        TABLES["few-labels"] = (Row(args.row, "best", 100, False, "smoke", 2),)
    budget = ["--budget-minutes", str(args.minutes)] if args.minutes else []
    where = ["--out-dir", str(out.with_suffix(".run")), "--results-dir", str(out.with_suffix(".results"))]
    argv = ["--rows", args.row, "--num-seeds", "2" if TOY else "10", *data, *budget, *where]
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


def main() -> int:
    """Run a job, or show what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
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
    args = parser.parse_args()
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
