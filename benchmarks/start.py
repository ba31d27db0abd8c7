"""How long a second start takes from the command to the first update: `python benchmarks/start.py --data-dir FOLDER`.

The first start fills the cache of compiled programs and does not count. A run says that it has compiled right before
its first update, and is killed then. Imports are timed by themselves, as `import jax` is not ours to shorten.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from run import machine

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


def imports() -> float:
    """Return the least seconds of a Python that imports what a run imports, and ends."""
    best = float("inf")
    for _ in range(5):
        begun = time.perf_counter()
        module = "import gc; gc.disable(); import aae_jax.experiments.semi_supervised"
        subprocess.run([sys.executable, "-c", module], check=True, cwd=ROOT)
        best = min(best, time.perf_counter() - begun)
    return best


def main() -> int:
    """Time the starts and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with MNIST's files; where it is not given, the digits are taken")
    parser.add_argument("--starts", type=int, default=7)
    parser.add_argument("--out", default="runs/benchmarks/start.json")
    args = parser.parse_args()
    flags = ["--dataset", "mnist", "--data-dir", args.data_dir] if args.data_dir else ["--dataset", "digits"]
    print(f"first start: {start(flags):.2f} s")
    seconds = [start(flags) for _ in range(args.starts)]
    found = {"machine": machine(), "seconds": seconds, "imports": imports()}
    print(f"then: {' '.join(f'{second:.2f}' for second in seconds)} s, of which imports {found['imports']:.2f} s")
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"written to {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
