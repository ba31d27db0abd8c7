"""Streaming against training in memory: updates per second, and memory by number of images.

`python benchmarks/streaming.py [--toy] [--sizes 10000 100000 1000000] [--out FILE]`

Speed: epochs over the same images by the same program, in memory and streamed from the file in turn, so that both
see the same load of the machine; by the clock, and by the time of the processor, which other programs change less; of
a convolutional network, and of a small perceptron, whose updates leave little time to read. Memory: a streamed run
with a convolutional network in a process of its own, for each number of images; its peak is that of `ru_maxrss`, with
programs that an earlier run compiled. The images are random, 28×28 bytes. On one core this takes twenty minutes; put
`taskset -c 1` in front.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from machine import describe_machine, write_results
from numpy.lib import format as npy

from aae_jax.data import Quiet
from aae_jax.models import find_model
from aae_jax.models.shared.plan import main_plan
from aae_jax.run.arguments import parse
from aae_jax.run.setup import build_setup
from aae_jax.train.fit import compile_epoch

ROOT = Path(__file__).resolve().parent.parent
SHAPE, TEST, BLOCK = (28, 28), 1000, 4096
CHUNK = 50
"""Updates per chunk of the runs whose memory is measured: fewer than an epoch of the fewest images has."""
SAME_PROGRAMS = 60_000
"""Number of images from which on a run has the same programs but for the order: 10,000 are held out."""
NETWORKS = {
    "convolutional": ("--network.kind", "conv", "--network.channels", "16", "32", "--network.hidden", "128"),
    "perceptron": ("--network.hidden", "100", "100"),
}
SMALL = ("--network.kind", "conv", "--network.channels", "4", "8", "--network.hidden", "32")
"""Network of the runs whose memory is measured: an epoch of a million images takes minutes."""


def write_images(path: Path, count: int) -> None:
    """Write an npz file of random images, a block in memory at a time."""
    generator = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for name, total in (("x_train", count), ("x_test", TEST)):
            header = {"descr": "|u1", "fortran_order": False, "shape": (total, *SHAPE)}
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array_header_1_0(member, header)
                for first in range(0, total, BLOCK):
                    block = generator.integers(0, 256, (min(BLOCK, total - first), *SHAPE), np.uint8)
                    member.write(block.data)


def flags_of(path: Path, network: Sequence[str]) -> list[str]:
    """Return the flags of a run without labels on a file."""
    data = [
        "--dataset",
        f"npz:{path}",
        "--batch-size",
        "100",
        "--judge-updates",
        "0",
        "--network.precision",
        "float32",
    ]
    return [*data, *network]


def build_epoch(flags: Sequence[str]) -> Callable[[], dict[str, float]]:
    """Return a function that trains an epoch and returns its updates per second, by clock and by processor."""
    spec = find_model("unsupervised").spec
    setup = build_setup(spec, parse(spec, flags).config, Quiet())
    plan = main_plan(setup)
    state = plan.build_state()
    epoch, _ = compile_epoch(plan.train_epoch, state, setup.data, plan.hyper, plan.keys)
    number = 0

    def train() -> dict[str, float]:
        nonlocal state, number
        clock, processor = time.perf_counter(), time.process_time()
        state, _ = epoch(state, setup.data, plan.hyper, plan.keys, jnp.asarray(number))
        jax.block_until_ready(state)
        number += 1
        return {
            "clock": setup.steps_per_epoch / (time.perf_counter() - clock),
            "processor": setup.steps_per_epoch / (time.process_time() - processor),
        }

    return train


def measure_speed(path: Path, network: Sequence[str], rounds: int) -> dict[str, Any]:
    """Return the updates per second of epochs in memory and streamed, in turn, without the first of each."""
    flags = flags_of(path, network)
    epochs = {"memory": build_epoch(flags), "streamed": build_epoch([*flags, "--stream"])}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in epochs}
    for number in range(rounds + 1):
        for name, train in epochs.items():
            speed = train()
            if number:
                found[name].append(speed)
    pairs = list(zip(found["memory"], found["streamed"], strict=True))
    ratios = {by: statistics.median(b[by] / a[by] for a, b in pairs) for by in ("clock", "processor")}
    return {"updates_per_second": found, "ratio": ratios}


def measure_memory(count: int, folder: Path) -> dict[str, float]:
    """Return the largest resident memory in MB of a run of one epoch over so many images, and its seconds.

    A run before it compiles: the measured one reads its programs from the cache, and its peak is not that of XLA.
    """
    path, fewer = folder / "images.npz", folder / "fewer.npz"
    write_images(fewer, min(count, SAME_PROGRAMS))
    run_once(fewer, folder / f"compiled-{count}")
    write_images(path, count)
    return run_once(path, folder / f"measured-{count}")


def run_once(path: Path, folder: Path) -> dict[str, float]:
    """Run a command in a process of its own; return its largest resident memory in MB, and its seconds."""
    stream = ("--stream", "--stream-updates", str(CHUNK))
    flags = [*flags_of(path, SMALL), "--epochs", "1", *stream, "--out-dir", str(folder)]
    code = "import sys; from aae_jax.cli import main; sys.exit(main())"
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", code, "train", "unsupervised", *flags], stdout=subprocess.DEVNULL, cwd=ROOT
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"error: the run on {path.name} ended with status {process.returncode}.")
    return {"peak_mb": usage.ru_maxrss / 1024, "seconds": time.perf_counter() - begun}


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="of the data")
    parser.add_argument("--images", type=int, default=20_000, help="over which the speed is measured")
    parser.add_argument("--rounds", type=int, default=5, help="epochs of each kind that count")
    parser.add_argument("--toy", action="store_true", help="a few small epochs: does everything run?")
    parser.add_argument("--out", default="runs/benchmarks/streaming.json")
    return parser.parse_args(argv)


def main() -> int:
    """Measure speed and memory, print both, and write them."""
    args = parse_flags()
    sizes, images, rounds = ([6000, 7000], 1000, 1) if args.toy else (args.sizes, args.images, args.rounds)
    found: dict[str, Any] = {"machine": describe_machine(), "images": images, "speed": {}, "memory": {}}
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "images.npz"
        write_images(path, images)
        for name, network in NETWORKS.items():
            speed = found["speed"][name] = measure_speed(path, network, rounds)
            both = {
                kind: statistics.median(each["clock"] for each in epochs)
                for kind, epochs in speed["updates_per_second"].items()
            }
            rates = f"{both['memory']:.1f} updates/s in memory, {both['streamed']:.1f} streamed"
            by = ", ".join(f"{100 * ratio:.1f} % by the {kind}" for kind, ratio in speed["ratio"].items())
            print(f"{name}: {rates}; {by}", flush=True)
        for size in sizes:
            memory = found["memory"][str(size)] = measure_memory(size, Path(temporary))
            print(f"{size:,} images: {memory['peak_mb']:.0f} MB at most, {memory['seconds']:.0f} s", flush=True)
    peaks = [memory["peak_mb"] for memory in found["memory"].values()]
    found["memory_growth"] = peaks[-1] / peaks[0] - 1
    print(f"memory from the smallest to the largest: {100 * found['memory_growth']:+.1f} %")
    write_results(found, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
