"""Ten minutes on a GPU in one process: the time of an update by program, then a row of the few-label table trained.

Before, on any machine with a network:   `bash benchmarks/gpu_prepare.sh FOLDER_WITH_MNIST`
On the GPU, with .gpu carried along:     `bash benchmarks/gpu_ten.sh [--seconds 560]`
Unpack what came back from $OUT, and go on where it stopped (without a GPU it is unpacked only):
                                         `bash benchmarks/gpu_ten.sh --unpack FOLDER`

All programs are compiled at once, in threads. Every number is in FOLDER/ten.json (runs/gpu_ten, or --folder) as soon
as it is known, and in $OUT where that names a folder that is fetched; what is there is not measured again. The row's
run is FOLDER/run: a stopped one is resumed with the same command, also elsewhere where FOLDER is carried along or
unpacked. The checkpoint comes back through $OUT if it is small enough (--return-mb); else that is recorded.
--toy runs it at toy size, on whatever device there is, with inputs of `python benchmarks/gpu_inputs.py --toy`.
"""

import argparse
import dataclasses
import functools
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import jax
import numpy as np
from gpu_inputs import (
    FOLDER,
    ROW,
    compare_with_reference,
    reference_weights,
    row_arguments,
    stored_targets,
    targets_file,
)
from gpu_programs import PLANS, SHIFTS, Program, build_program, card_rates
from gpu_record import BEGUN, RUNNING, Record, bring_back, unpack

from aae_jax.data import Reporter
from aae_jax.errors import InputError
from aae_jax.models.semi_supervised.experiment import SPEC
from aae_jax.models.shared.plan import main_plan
from aae_jax.run.arguments import parse
from aae_jax.run.run import launch
from aae_jax.run.setup import build_setup
from aae_jax.train.compile_cache import keep_compiled_programs
from aae_jax.train.fit import compile_lowered, lower_epoch

REPEATED = ("plain tf32", "plain tf32 deterministic")
LIMIT = 1e-4
"""Of the difference between weights on this device and on a CPU, after 20 updates by gradient descent in float32."""
FULL_EPOCHS, UPDATES_AN_EPOCH = 200, 500
SHARE, AFTERWARDS, TO_SAVE = 0.85, 60.0, 25.0
"""Of the time left for updates; seconds kept for baseline, test set and figures; seconds kept for the last save."""
THREADS = max(2, min(6, os.cpu_count() or 1))
"""Programs compiled at the same time."""


def describe(*, toy: bool) -> dict[str, Any]:
    """Return what the numbers depend on."""
    packages = ("jax", "jaxlib", "flax", "optax", "numpy")
    card = "" if jax.default_backend() != "gpu" else subprocess.run(
        ["nvidia-smi", "--query-gpu=name,driver_version,power.limit", "--format=csv,noheader"],
        capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    return {
        "card": card,
        "platform": jax.default_backend(),
        "processors": os.cpu_count(),
        "python": sys.version.split()[0],
        **{name: importlib.metadata.version(name) for name in packages},
        "toy": toy,
    }


def compile_all(record: Record, jobs: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    """Return what the jobs return, run in threads: autotuning takes turns on the card, LLVM does not."""
    found: dict[str, Any] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        futures = {pool.submit(job): name for name, job in jobs.items()}
        for future in as_completed(futures):
            name = futures[future]
            try:
                found[name] = future.result()
                print(f"{time.perf_counter() - BEGUN:6.1f} s  compiled {name}", flush=True)
            except Exception as error:
                record.fail(name, error)
    return found


def same_bits(program: Program) -> bool:
    """Return whether two epochs from the same start end with the same bits."""
    pairs = zip(program.weights(), program.weights(), strict=True)
    return all(np.array_equal(first, second) for first, second in pairs)


def against_reference(file: Path, precision: str, *, toy: bool) -> dict[str, float]:
    """Return how far this device's weights are from a CPU's."""
    return compare_with_reference(file, reference_weights(precision, toy=toy))


def check_weights(record: Record, inputs: Path, *, toy: bool = False) -> None:
    """Compare the weights after a few updates with a CPU's; a difference above the limit fails the run."""
    file = inputs / "reference.npz"
    if not file.is_file():
        raise InputError(f"{file} is missing; run benchmarks/gpu_prepare.sh first.")
    for precision in ("float32", "tf32") if jax.default_backend() == "gpu" else ("float32",):
        name = f"against a CPU, {precision}"
        record.measure(name, functools.partial(against_reference, file, precision, toy=toy))
    found = record.values.get("against a CPU, float32")
    if found is not None and not found["largest difference"] <= LIMIT:
        raise ArithmeticError(f"weights differ from a CPU's by {found['largest difference']:.2g}, above {LIMIT:g}")


def row_experiment(inputs: Path, row: str) -> Any:
    """Return the experiment with the row's propagated labels as they were carried along.

    Raises:
        InputError: They were not.
    """
    file = targets_file(inputs, row)
    if not file.is_file():
        raise InputError(f"{file} is missing; run benchmarks/gpu_prepare.sh first.")
    return dataclasses.replace(SPEC, find_targets=stored_targets(file))


def compile_row(experiment: Any, arguments: Sequence[str]) -> None:
    """Compile the row's epoch into the cache of compiled programs, from which its training takes it."""
    setup = build_setup(experiment, parse(experiment, arguments).config, Reporter())
    plan = main_plan(setup)
    state = jax.eval_shape(plan.build_state)
    compile_lowered(lower_epoch(plan.train_epoch, state, setup.data, plan.hyper, plan.keys))


def planned_epochs(record: Record, left: float) -> int:
    """Return the passes that fit into the time left, at the measured time of an update; at most the row's own."""
    cost = record.values.get(SHIFTS, {}).get("us an update")
    if cost is None:
        raise InputError(f"{SHIFTS!r} was not measured, so the row's length cannot be planned; start again.")
    return max(1, min(FULL_EPOCHS, int(SHARE * (left - AFTERWARDS) / (1e-6 * cost * UPDATES_AN_EPOCH))))


class Deadline:
    """Context that asks this process to stop by SIGTERM from a time on, every few seconds until it has."""

    def __init__(self, seconds: float) -> None:
        """Count from now."""
        self._seconds, self._over = seconds, threading.Event()

    def __enter__(self) -> "Deadline":
        """Start waiting; SIGTERM outside training is ignored meanwhile."""
        self._previous = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop waiting."""
        self._over.set()
        self._thread.join()
        signal.signal(signal.SIGTERM, self._previous)

    def _wait(self) -> None:
        wait = max(0.0, self._seconds)
        while not self._over.wait(wait):
            os.kill(os.getpid(), signal.SIGTERM)
            wait = 3.0


def train_row(record: Record, experiment: Any, args: argparse.Namespace, left: Callable[[], float]) -> None:
    """Train the row, or go on with it, for the time left; its errors are noted when it is finished."""
    row = args.row
    run = record.folder / RUNNING
    if (run / "config.yaml").exists():
        arguments = ["--resume", str(run)]
    else:
        epochs = planned_epochs(record, left())
        record.note("row", {"name": row, "epochs": epochs, "of": FULL_EPOCHS})
        arguments = row_arguments(row, epochs, args.inputs / "mnist", toy=args.toy)
        arguments += ["--checkpoint-seconds", "120", "--out-dir", str(run)]
    begun = time.perf_counter()
    with Deadline(left() - TO_SAVE):
        status = launch(experiment, arguments, launcher="benchmarks/gpu_ten.sh")
    parts = [*record.values.get("training", []), {"status": status, "seconds": time.perf_counter() - begun}]
    record.note("training", parts)
    summary = run / "summary.json"
    if summary.is_file():
        found = json.loads(summary.read_text(encoding="utf-8"))
        record.note("test error", {**found["test"]["error"], "updates": found["updates"], "row": row})
    elif status != 128 + signal.SIGTERM:
        raise RuntimeError(f"training ended with status {status} and no summary")


def measure_all(record: Record, args: argparse.Namespace, left: Callable[[], float]) -> None:
    """Compile and time what has no number yet, then train the row in the time that is left."""
    for name, compute in card_rates(toy=args.toy):
        record.measure(name, compute)
    repeated = {name: f"{name}: same bits twice" for name in REPEATED}
    jobs: dict[str, Callable[[], Any]] = {
        name: functools.partial(build_program, plan, toy=args.toy)
        for name, plan in PLANS.items()
        if not record.has(name) or (name in repeated and not record.has(repeated[name]))
    }
    trains = args.train and not record.has("test error")
    experiment = row_experiment(args.inputs, args.row) if trains else None
    if trains:
        arguments = row_arguments(args.row, 1, args.inputs / "mnist", toy=args.toy)
        jobs = {"the row": functools.partial(compile_row, experiment, arguments), **jobs}
    programs = compile_all(record, jobs)
    for name in (name for name in PLANS if name in programs):  # one at a time: nothing else is on the card
        record.measure(name, programs[name].measure)
    for name in (name for name in REPEATED if name in programs):
        record.measure(repeated[name], functools.partial(same_bits, programs[name]))
    programs.clear()  # the row needs the memory
    check_weights(record, args.inputs, toy=args.toy)
    if trains and left() > (5 if args.toy else AFTERWARDS + TO_SAVE):
        train_row(record, experiment, args, left)


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=560, help="after which training is stopped and saved")
    parser.add_argument("--folder", type=Path, default=Path("runs/gpu_ten"))
    parser.add_argument("--inputs", type=Path, default=FOLDER, help="what benchmarks/gpu_prepare.sh made")
    parser.add_argument("--row", default=ROW, help="of the few-label table")
    parser.add_argument("--no-train", dest="train", action="store_false")
    parser.add_argument("--toy", action="store_true", help="small networks and data, on any device")
    parser.add_argument("--unpack", type=Path, help="what came back through $OUT, to go on with")
    parser.add_argument("--return-mb", type=float, default=45, help="of the run, at most, through $OUT")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run everything; 1 where a number is missing or wrong, 2 for bad input."""
    args = parse_flags(argv)
    out = Path(os.environ["OUT"]) if os.environ.get("OUT") else None
    try:
        if args.unpack is not None:
            unpack(args.unpack, args.folder)
            if jax.default_backend() != "gpu" and not args.toy:
                return 0
        record = Record(args.folder, out)
        record.values.pop("failed", None)  # all of it is tried again
        record.note("machine", describe(toy=args.toy))
        keep_compiled_programs()
        measure_all(record, args, lambda: args.seconds - (time.perf_counter() - BEGUN))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Exception as error:
        record.fail("run", error)
    bring_back(record, 1e6 * args.return_mb)
    failed = record.values.get("failed", {})
    for name, reason in failed.items():
        print(f"FAILED {name}: {reason}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
