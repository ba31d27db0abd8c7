"""How fast the five-part step is: against the best PyTorch, against the machine's floor, with many seeds.

`python benchmarks/run.py --torch-python PYTHON [--quick]`

PYTHON is an interpreter with `benchmarks/requirements-torch.txt`; without it the rival's rows are left out.
Contenders are processes of their own which work in turn, round after round; a figure is the median of its rounds,
with the least and the most. Prints tables, and writes everything as JSON (`--out`).
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from floor import BYTES_PER_PARAMETER, Product, Sizes, products_by_phase
from serving import Contender

ROOT = Path(__file__).resolve().parent.parent
CPUS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
SAME = {"sgd": 1e-3, "adam": 0.2}
"""What rounding may make of three updates: by Adam, whose first is the gradient's sign, more."""
PRECISIONS = ("float32", "bfloat16")


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    model = next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=ROOT, check=False)
    return {
        "processor": model,
        "cpus": len(CPUS),
        "system": platform.system(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
        "git_commit": commit.stdout.strip() or None,
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *map(_anywhere, sys.argv[1:])]),
    }


def _anywhere(argument: str) -> str:
    """Return an argument without the folders of this machine."""
    return Path(argument).name if Path(argument).is_absolute() else argument


def in_turn(rounds: int, runs: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Return each run's results over `rounds` rounds, in each of which every one is run once."""
    results: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            results[name].append(run())
    return results


def milliseconds(seconds: Sequence[float]) -> str:
    """Return median, least and most."""
    return f"{1e3 * statistics.median(seconds):8.2f} ({1e3 * min(seconds):.2f}–{1e3 * max(seconds):.2f})"


class Report:
    """Prints as it goes, and keeps what is to be written."""

    def __init__(self, args: argparse.Namespace) -> None:
        """Begin with the machine."""
        self.args, self.device = args, "cpu"
        self.found: dict[str, Any] = {"machine": machine()}
        print(json.dumps(self.found["machine"], indent=1))

    def ours(self, *, cpus: Sequence[int] | None = None, **setup: Any) -> tuple[Contender, dict[str, Any]]:
        """Start one of ours."""
        contender = Contender("jax_worker.py", cpus=cpus)
        return contender, contender.ask("setup", **setup)

    def rival(self, variant: str, batch: int, threads: int) -> Contender:
        """Start PyTorch's."""
        cpus = CPUS[:threads] if self.device == "cpu" else None
        contender = Contender("torch_worker.py", python=self.args.torch_python, cpus=cpus)
        self.found["torch"] = contender.ask(
            "setup", variant=variant, batch=batch, threads=threads, device=self.device
        )
        return contender

    def same_mathematics(self) -> None:
        """Give both the same weights and batches, and compare the weights after three updates."""
        worker, _ = self.ours(batch=100, updates=1)
        rival = self.rival("eager", 100, len(CPUS))
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "updates.npz")
            distances = {}
            for optimizer in ("sgd", "adam"):
                worker.ask("prepare_comparison", path=path, updates=3, optimizer=optimizer)
                distances[optimizer] = rival.ask("compare", path=path, optimizer=optimizer)
        worker.close()
        rival.close()
        self.found["distance_after_3_updates"] = distances
        print("\nequal weights in; distance after 3 updates, relative to how far each network has moved:")
        for optimizer, by_network in distances.items():
            print(f"  {optimizer:5s}" + ", ".join(f"{name} {value:.1e}" for name, value in by_network.items()))
        if any(max(distances[optimizer].values()) > most for optimizer, most in SAME.items()):
            raise SystemExit("error: the two do not compute the same; the comparison is void.")

    def steps(self, batch: int, threads: int, rounds: int) -> None:
        """Time one update of each contender."""
        updates = max(4, (2000 if self.args.quick else 6000) // batch)
        cpus = CPUS[:threads]
        runs: dict[str, Callable[[], float]] = {}
        started: list[Contender] = []
        facts: dict[str, Any] = {}
        wanted = [("plain", precision) for precision in PRECISIONS] + [("default", "bfloat16")] * (
            threads > 1 and not self.args.quick
        )
        for preset, precision in wanted:
            worker, fact = self.ours(cpus=cpus, batch=batch, updates=updates, precision=precision, preset=preset)
            worker.ask("run")
            name = f"ours {precision}" if preset == "plain" else f"ours, {preset}'s terms at these sizes, {precision}"
            runs[name] = lambda worker=worker: worker.ask("run") / updates
            started.append(worker)
            facts[name] = fact
        variants = ("eager",) if self.args.quick else ("eager", "compile")
        for variant in variants if self.args.torch_python else ():
            rival = self.rival(variant, batch, threads)
            rival.ask("run", updates=4)
            runs[f"torch {variant}"] = lambda rival=rival: rival.ask("run", updates=updates) / updates
            started.append(rival)
        results = in_turn(rounds, runs)
        for contender in started:
            contender.close()
        base = statistics.median(results["ours float32"])
        print(f"\nbatch {batch}, {threads} thread(s): ms an update, median (least–most) of {rounds} rounds; ratio")
        for name, seconds in results.items():
            print(f"  {name:32s} {milliseconds(seconds):28s} {statistics.median(seconds) / base:5.2f}")
        self.found[f"steps_batch_{batch}_threads_{threads}"] = {"seconds": results, "facts": facts}

    def floor(self, batch: int, rounds: int) -> None:
        """Take the step apart: what its products and its optimizers' bytes cost at the least, against the step."""
        updates = max(4, 2000 // batch)
        by_phase = products_by_phase(Sizes(batch))
        repeats = 3 if self.args.quick else 10
        for precision in PRECISIONS:
            worker, facts = self.ours(batch=batch, updates=updates, precision=precision)
            worker.ask("run")
            steps, bandwidth, rates = [], [], {}
            for _ in range(rounds):
                steps.append(worker.ask("run") / updates)
                bandwidth.append(worker.ask("bandwidth", repeats=repeats))
                for product in {p for products in by_phase.values() for p in products}:
                    rates.setdefault(product, []).append(self._product(worker, product, precision, repeats))
            worker.close()
            self._say_floor(batch, precision, facts, by_phase, (steps, bandwidth, rates))

    def _product(self, worker: Contender, product: Product, precision: str, repeats: int) -> float:
        seconds: float = worker.ask(
            "product",
            left=[product.rows, product.inner],
            right=[product.inner, product.columns],
            precision=precision,
            repeats=repeats,
        )
        return seconds

    def _say_floor(
        self,
        batch: int,
        precision: str,
        facts: dict[str, Any],
        by_phase: dict[str, list[Product]],
        measured: tuple[list[float], list[float], dict[Product, list[float]]],
    ) -> None:
        steps, bandwidths, rates = measured
        least = {product: min(seconds) for product, seconds in rates.items()}
        bandwidth = max(bandwidths)
        trained = facts["trained_parameters"]
        print(f"\nfloor of an update, batch {batch}, {precision}: products at their own rates, bytes at")
        print(f"  {bandwidth / 1e9:.1f} GB/s (Adam alone, in place: four arrays read, three written)")
        rows, total = {}, 0.0
        for phase, products in by_phase.items():
            product_seconds = sum(least[p] for p in products)
            byte_seconds = BYTES_PER_PARAMETER * trained.get(phase, 0) / bandwidth
            total += product_seconds + byte_seconds
            flops = sum(p.flops for p in products)
            rows[phase] = {"products": product_seconds, "optimizer": byte_seconds, "flops": flops}
            rate = flops / product_seconds / 1e9
            print(
                f"  {phase:18s} products {1e3 * product_seconds:7.2f} ms ({rate:5.0f} GFLOP/s)"
                f"   optimizer {1e3 * byte_seconds:6.2f} ms"
            )
        step = statistics.median(steps)
        share = 100 * total / step
        print(f"  floor {1e3 * total:.2f} ms, update {milliseconds(steps)} ms: {share:.0f} % of the floor's speed")
        self.found[f"floor_batch_{batch}_{precision}"] = {
            "phases": rows,
            "bandwidth": bandwidth,
            "seconds": total,
            "step_seconds": steps,
            "fraction": total / step,
            "rates": {"×".join(map(str, p)): p.flops / s for p, s in least.items()},
        }

    def matrix_rates(self, batch: int) -> None:
        """Show each library's own rate for the step's commonest product, so that a ratio can be read."""
        shape = Product(batch, 1000, 1000)
        worker, _ = self.ours(batch=batch, updates=1)
        rival = self.rival("eager", batch, len(CPUS))
        ours, theirs = [], []
        for _ in range(3):
            ours.append(shape.flops / self._product(worker, shape, "float32", 10))
            theirs.append(
                rival.ask("matrix_rate", rows=batch, inner=1000, columns=1000, repeats=max(4, 4000 // batch))
            )
        worker.close()
        rival.close()
        print(f"  {batch}×1000×1000 in float32: XLA {max(ours) / 1e9:.0f}, PyTorch {max(theirs) / 1e9:.0f} GFLOP/s")
        self.found[f"matrix_rate_batch_{batch}"] = {"ours": ours, "torch": theirs}

    def seeds(self, count: int, rounds: int) -> None:
        """Time many seeds by the library's own means against as many in turn."""
        # The state of all seeds is copied once a call: as in a run, a call is hundreds of updates.
        updates = 10 if self.args.quick else 150
        one, _ = self.ours(batch=100, updates=updates, precision="float32")
        many, facts = self.ours(batch=100, updates=updates, precision="float32", seeds=count)
        runs: dict[str, Callable[[], float]] = {
            "one program": lambda: many.ask("run"),
            "in turn": lambda: sum(one.ask("run") for _ in range(count)),
        }
        for run in runs.values():
            run()
        results = in_turn(rounds, runs)
        peak = many.ask("peak_bytes")
        one.close()
        many.close()
        ratio = statistics.median(results["one program"]) / statistics.median(results["in turn"])
        held = f"{peak / 2**30:.2f} GiB resident"
        print(f"\n{count} seeds in one program: {ratio:.2f} of the time of {count} in turn; {held}")
        self.found[f"seeds_{count}"] = {"seconds": results, "ratio": ratio, "peak_bytes": peak, "facts": facts}

    def classification(self) -> None:
        """Time the classification error of 10,000 images."""
        worker, _ = self.ours(batch=100, updates=1, precision="float32")
        seconds = worker.ask("classify", count=10_000, repeats=5)
        worker.close()
        print(f"\nclassification error of 10,000 images: {seconds:.3f} s")
        self.found["classify_10000_seconds"] = seconds

    def write(self) -> None:
        """Write the figures."""
        out = Path(self.args.out or f"runs/benchmarks/{time.strftime('%Y-%m-%d-%H%M%S')}.json")
        out.parent.mkdir(parents=True, exist_ok=True)
        if len(self.args.only) < len(SECTIONS) and out.exists():
            before = json.loads(out.read_text(encoding="utf-8"))
            self.found = {**before, **self.found, "machine": before["machine"], "later": self.found["machine"]}
        out.write_text(json.dumps(self.found, indent=1) + "\n", encoding="utf-8")
        print(f"\nwritten to {out}")


def main() -> int:
    """Run every section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch-python", help="interpreter with PyTorch; its rows are left out without")
    parser.add_argument(
        "--quick", action="store_true", help="batch 100 and two seeds alone, in shorter rounds: under 3 minutes"
    )
    parser.add_argument("--out", help="JSON file; default: runs/benchmarks/<time>.json")
    parser.add_argument(
        "--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="sections; put into --out if it is there"
    )
    args = parser.parse_args()
    report = Report(args)
    for section in args.only:
        SECTIONS[section](report, args)
    report.write()
    return 0


def _steps(report: Report, args: argparse.Namespace) -> None:
    if args.torch_python:
        report.same_mathematics()
    rounds = 3 if args.quick else 5
    for batch in batches(args):
        for threads in (len(CPUS), 1) if batch == 100 and not args.quick and len(CPUS) > 1 else (len(CPUS),):
            report.steps(batch, threads, rounds)
        if args.torch_python:
            report.matrix_rates(batch)


def batches(args: argparse.Namespace) -> tuple[int, ...]:
    """Return the batch sizes that are timed."""
    return (100,) if args.quick else (100, 1000)


def _floor(report: Report, args: argparse.Namespace) -> None:
    for batch in batches(args):
        report.floor(batch, 1 if args.quick else 3)


SECTIONS: dict[str, Callable[[Report, argparse.Namespace], None]] = {
    "steps": _steps,
    "floor": _floor,
    "seeds": lambda report, args: report.seeds(2 if args.quick else 8, 2 if args.quick else 4),
    "classification": lambda report, args: report.classification(),
}

if __name__ == "__main__":
    sys.exit(main())
