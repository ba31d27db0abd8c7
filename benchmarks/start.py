"""Time of a second start, from the command to the first update.

`python benchmarks/start.py [--data-dir FOLDER] [--toy]`

The first start fills the cache of compiled programs and does not count. A run prints that it has compiled right
before its first update, and is killed then. Imports are timed by themselves, as `import jax` is not ours to shorten.
`--toy` starts the preset `smoke` once, to see that everything runs.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from machine import describe_machine, write_results

ROOT = Path(__file__).resolve().parent.parent


def start(flags: list[str]) -> float:
    """Return the seconds from starting the command to its first update."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "experiments/semi_supervised.py", *flags, "--out-dir", f"{folder}/run"]
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("compiled in"):
                seconds = time.perf_counter() - begun
                process.kill()
                process.wait()
                return seconds
    raise SystemExit(f"error: {' '.join(command)} ended with status {process.wait()} before its first update.")


def imports(times: int = 5) -> float:
    """Return the least seconds of a Python that imports what a run imports, and ends."""
    best = float("inf")
    for _ in range(times):
        begun = time.perf_counter()
        module = "import gc; gc.disable(); import aae_jax.models.semi_supervised.experiment"
        subprocess.run([sys.executable, "-c", module], check=True, cwd=ROOT)
        best = min(best, time.perf_counter() - begun)
    return best


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with MNIST's files; without it the digits are used")
    parser.add_argument("--starts", type=int, default=7, help="that count")
    parser.add_argument("--toy", action="store_true", help="one start of the preset smoke: does everything run?")
    parser.add_argument("--out", default="runs/benchmarks/start.json")
    return parser.parse_args(argv)


def main() -> int:
    """Time the starts and write them."""
    args = parse_flags()
    flags = ["--dataset", "mnist", "--data-dir", args.data_dir] if args.data_dir else ["--dataset", "digits"]
    flags += ["--preset", "smoke"] if args.toy else []
    print(f"first start: {start(flags):.2f} s")
    seconds = [start(flags) for _ in range(1 if args.toy else args.starts)]
    found = {"machine": describe_machine(), "seconds": seconds, "imports": imports(1 if args.toy else 5)}
    print(f"then: {' '.join(f'{second:.2f}' for second in seconds)} s, of which imports {found['imports']:.2f} s")
    write_results(found, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
