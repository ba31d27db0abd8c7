"""Time of the five-part step: against the best PyTorch, against the machine's floor, with many seeds.

`python benchmarks/run.py --torch-python PYTHON [--quick] [--toy]`

PYTHON is an interpreter with `benchmarks/requirements-torch.txt`; without it the rival's rows are left out.
Contenders are processes of their own which work in turn, round after round; a figure is the median of its rounds,
with the least and the most. Prints tables, and writes everything as JSON (`--out`). `--toy` takes narrow networks and
few updates, to see that everything runs; its numbers mean nothing.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from floor import BYTES_PER_PARAMETER, Product, Sizes, products_by_phase
from machine import CPUS, describe_machine
from scale import choose_scale
from serving import Contender

SAME = {"sgd": 1e-3, "adam": 0.2}
"""What rounding may make of three updates: by Adam, whose first is the gradient's sign, more."""
PRECISIONS = ("float32", "bfloat16")


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

    sections = 4

    def __init__(self, args: argparse.Namespace) -> None:
        """Begin with the machine."""
        self.args, self.device = args, "cpu"
        self.scale = choose_scale(quick=args.quick, toy=args.toy)
        self.found: dict[str, Any] = {"machine": describe_machine()}
        print(json.dumps(self.found["machine"], indent=1))

    def ours(self, *, cpus: Sequence[int] | None = None, **setup: Any) -> tuple[Contender, dict[str, Any]]:
        """Start one of ours."""
        contender = Contender("jax_worker.py", cpus=cpus)
        return contender, contender.ask("setup", width=self.scale.width, **setup)

    def rival(self, variant: str, batch: int, threads: int) -> Contender:
        """Start PyTorch's."""
        cpus = CPUS[:threads] if self.device == "cpu" else None
        contender = Contender("torch_worker.py", python=self.args.torch_python, cpus=cpus)
        sizes = {"batch": batch, "width": self.scale.width}
        self.found["torch"] = contender.ask("setup", variant=variant, threads=threads, device=self.device, **sizes)
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

    def steps(self, batch: int, threads: int) -> None:
        """Time one update of each contender."""
        updates, rounds = max(4, self.scale.images // batch), self.scale.rounds
        cpus = CPUS[:threads]
        runs: dict[str, Callable[[], float]] = {}
        started: list[Contender] = []
        facts: dict[str, Any] = {}
        wanted = [("plain", precision) for precision in PRECISIONS] + [("marginal", "bfloat16")] * (
            threads > 1 and self.scale.complete
        )
        for preset, precision in wanted:
            worker, fact = self.ours(cpus=cpus, batch=batch, updates=updates, precision=precision, preset=preset)
            worker.ask("run")
            name = f"ours {precision}" if preset == "plain" else f"ours, {preset}'s terms at these sizes, {precision}"
            runs[name] = lambda worker=worker: worker.ask("run") / updates
            started.append(worker)
            facts[name] = fact
        variants = ("eager", "compile") if self.scale.complete else ("eager",)
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

    def floor(self, batch: int) -> None:
        """Take the step apart: what its products and its optimizers' bytes cost at the least, against the step."""
        updates = max(4, min(2000, self.scale.images) // batch)
        by_phase = products_by_phase(Sizes(batch, self.scale.width))
        self._take_apart(f"batch_{batch}", by_phase, updates, batch=batch)

    def _take_apart(self, label: str, by_phase: dict[str, list[Product]], updates: int, **setup: Any) -> None:
        width, repeats = self.scale.width, self.scale.repeats
        for precision in PRECISIONS:
            worker, facts = self.ours(updates=updates, precision=precision, **setup)
            worker.ask("run")
            steps, bandwidth, rates = [], [], {}
            for _ in range(self.scale.floor_rounds):
                steps.append(worker.ask("run") / updates)
                bandwidth.append(worker.ask("bandwidth", width=width, repeats=repeats))
                for product in {p for products in by_phase.values() for p in products}:
                    rates.setdefault(product, []).append(self._product(worker, product, precision, repeats))
            worker.close()
            self._report_floor(label, precision, facts, by_phase, (steps, bandwidth, rates))

    def _product(self, worker: Contender, product: Product, precision: str, repeats: int) -> float:
        seconds: float = worker.ask(
            "product",
            left=[product.rows, product.inner],
            right=[product.inner, product.columns],
            precision=precision,
            repeats=repeats,
        )
        return seconds

    def _report_floor(
        self,
        label: str,
        precision: str,
        facts: dict[str, Any],
        by_phase: dict[str, list[Product]],
        measured: tuple[list[float], list[float], dict[Product, list[float]]],
    ) -> None:
        steps, bandwidths, rates = measured
        least = {product: min(seconds) for product, seconds in rates.items()}
        bandwidth = max(bandwidths)
        trained = facts["trained_parameters"]
        print(f"\nfloor of an update, {label.replace('_', ' ')}, {precision}: products at their own rates, bytes at")
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
        self.found[f"floor_{label}_{precision}"] = {
            "phases": rows,
            "bandwidth": bandwidth,
            "seconds": total,
            "step_seconds": steps,
            "fraction": total / step,
            "rates": {"×".join(map(str, p)): p.flops / s for p, s in least.items()},
        }

    def matrix_rates(self, batch: int) -> None:
        """Show each library's own rate for the step's commonest product, so that a ratio can be read."""
        width, repeats = self.scale.width, self.scale.repeats
        shape = Product(batch, width, width)
        worker, _ = self.ours(batch=batch, updates=1)
        rival = self.rival("eager", batch, len(CPUS))
        ours, theirs = [], []
        for _ in range(3):
            ours.append(shape.flops / self._product(worker, shape, "float32", repeats))
            theirs.append(rival.ask("matrix_rate", **shape._asdict(), repeats=max(4, 400 * repeats // batch)))
        worker.close()
        rival.close()
        rates = f"XLA {max(ours) / 1e9:.0f}, PyTorch {max(theirs) / 1e9:.0f} GFLOP/s"
        print(f"  {batch}×{width}×{width} in float32: {rates}")
        self.found[f"matrix_rate_batch_{batch}"] = {"ours": ours, "torch": theirs}

    def seeds(self) -> None:
        """Time many seeds by the library's own means against as many in turn."""
        count, updates = self.scale.seeds, self.scale.seeds_updates
        one, _ = self.ours(batch=100, updates=updates, precision="float32")
        many, facts = self.ours(batch=100, updates=updates, precision="float32", seeds=count)
        runs: dict[str, Callable[[], float]] = {
            "one program": lambda: many.ask("run"),
            "in turn": lambda: sum(one.ask("run") for _ in range(count)),
        }
        for run in runs.values():
            run()
        results = in_turn(self.scale.seeds_rounds, runs)
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
        if out.exists() and len(self.args.only) < self.sections:
            before = json.loads(out.read_text(encoding="utf-8"))
            self.found = {**before, **self.found, "machine": before["machine"], "later": self.found["machine"]}
        out.write_text(json.dumps(self.found, indent=1) + "\n", encoding="utf-8")
        print(f"\nwritten to {out}")


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch-python", help="interpreter with PyTorch; its rows are left out without")
    parser.add_argument(
        "--quick", action="store_true", help="batch 100 and two seeds alone, in shorter rounds: under 3 minutes"
    )
    parser.add_argument("--toy", action="store_true", help="narrow networks and few updates: does everything run?")
    parser.add_argument("--out", help="JSON file; default: runs/benchmarks/<time>.json")
    parser.add_argument(
        "--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="sections; put into --out if it is there"
    )
    return parser.parse_args(argv)


def main() -> int:
    """Run every section."""
    args = parse_flags()
    report = Report(args)
    for section in args.only:
        SECTIONS[section](report)
    report.write()
    return 0


def _steps(report: Report) -> None:
    with_torch = bool(report.args.torch_python)
    if with_torch:
        report.same_mathematics()
    for batch in report.scale.batches:
        alone = batch == 100 and report.scale.complete and len(CPUS) > 1
        for threads in (len(CPUS), 1) if alone else (len(CPUS),):
            report.steps(batch, threads)
        if with_torch:
            report.matrix_rates(batch)


def _floor(report: Report) -> None:
    for batch in report.scale.batches:
        report.floor(batch)


SECTIONS: dict[str, Callable[[Report], None]] = {
    "steps": _steps,
    "floor": _floor,
    "seeds": Report.seeds,
    "classification": Report.classification,
}

if __name__ == "__main__":
    sys.exit(main())
