"""Time of a convolutional five-part step: against PyTorch in the same precision, and against the machine's floor.

`python benchmarks/conv.py --torch-python PYTHON [--only mnist colour] [--toy] [--out FILE]`

The preset `plain` with `--network.kind conv`: MNIST's size with 32 and 64 channels, and 64 by 64 pixels in colour
with 32, 64 and 128; one hidden layer, discriminators of the same width. PyTorch runs eagerly and compiled, with
channels first and last, in float32 and under bfloat16's autocast; the ratio is that of the fastest of these in the
same precision to ours. The processors are those that this command may use: `taskset -c 1 python …` measures one.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from floor import ConvSizes, conv_products_by_phase
from machine import CPUS
from run import PRECISIONS, SAME, Report, in_turn, milliseconds
from serving import Contender


class Network(NamedTuple):
    """Images and channels of a comparison; `pool` images are drawn."""

    shape: tuple[int, int, int]
    channels: tuple[int, ...]
    pool: int
    updates: int

    @property
    def image(self) -> tuple[int, ...]:
        """Shape of an image as our networks take it."""
        return self.shape if self.shape[2] > 1 else self.shape[:2]


NETWORKS = {
    "mnist": Network((28, 28, 1), (32, 64), 10_000, 20),
    "colour": Network((64, 64, 3), (32, 64, 128), 2000, 4),
}
TOY = {"mnist": Network((8, 8, 1), (4, 8), 200, 2), "colour": Network((9, 8, 3), (4, 8), 200, 2)}
BATCH = 100
LAYOUTS = {"channels first": False, "channels last": True}


class ConvReport(Report):
    """Prints as it goes, and keeps what is to be written."""

    sections = len(NETWORKS)

    def __init__(self, args: argparse.Namespace) -> None:
        """Begin with the machine."""
        super().__init__(args)
        self.scale = self.scale._replace(width=16 if args.toy else 256)
        self.networks = TOY if args.toy else NETWORKS

    def compared(self, name: str) -> None:
        """Compare the mathematics, time the contenders, and take the step apart."""
        network = self.networks[name]
        if self.args.torch_python:
            self.same_as_ours(name, network)
        self.contest(name, network)
        sizes = ConvSizes(BATCH, network.shape[:2], network.shape[2], network.channels, self.scale.width)
        by_phase = conv_products_by_phase(sizes)
        self._take_apart(name, by_phase, network.updates, **self._ours(network))

    def _ours(self, network: Network) -> dict[str, Any]:
        return {"batch": BATCH, "shape": network.image, "channels": network.channels, "pool": network.pool}

    def torch(self, network: Network, variant: str, **options: Any) -> Contender:
        """Start PyTorch's."""
        rival = Contender("torch_conv.py", python=self.args.torch_python)
        sizes = {
            "shape": network.shape,
            "channels": network.channels,
            "pool": network.pool,
            "width": self.scale.width,
        }
        self.found["torch"] = rival.ask("setup", variant=variant, batch=BATCH, threads=len(CPUS), **sizes, **options)
        return rival

    def same_as_ours(self, name: str, network: Network) -> None:
        """Give both the same weights and batches, and compare the weights after one, two and three updates.

        Of the hundreds of thousands of inputs of ReLUs one may round to the other side of zero, which moves a network
        by a thousandth; not in every case, so that the closest of the three shows whether the two compute the same.
        """
        worker, _ = self.ours(**self._ours(network), updates=1)
        rival = self.torch(network, "eager", as_ours=True)
        found: dict[int, dict[str, float]] = {}
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "updates.npz")
            for updates in (1, 2, 3):
                worker.ask("prepare_comparison", path=path, updates=updates, optimizer="sgd")
                found[updates] = rival.ask("compare", path=path, optimizer="sgd")
        worker.close()
        rival.close()
        self.found[f"distance_after_updates_{name}"] = found
        print(f"\n{name}: equal weights in; distance after updates, relative to how far each network has moved:")
        for updates, distances in found.items():
            print(f"  {updates}: " + ", ".join(f"{network} {value:.1e}" for network, value in distances.items()))
        farthest = [max(distances.values()) for distances in found.values()]
        if not any(distance <= SAME["sgd"] for distance in farthest):  # of many pixels, later ones may diverge: NaN
            raise SystemExit("error: the two do not compute the same; the comparison is void.")

    def contest(self, name: str, network: Network) -> None:
        """Time one update of each contender."""
        updates, facts = network.updates, {}
        started: dict[str, Contender] = {}
        for precision in PRECISIONS:
            label = f"ours {precision}"
            started[label], facts[label] = self.ours(**self._ours(network), updates=updates, precision=precision)
            started[label].ask("run")
        for variant in ("eager", "compile") if self.args.torch_python else ():
            for layout, channels_last in LAYOUTS.items():
                for precision in PRECISIONS:
                    label = f"torch {variant}, {layout}, {precision}"
                    options = {"channels_last": channels_last, "precision": precision}
                    started[label] = self.torch(network, variant, **options)
                    started[label].ask("run", updates=2)
        results = in_turn(self.scale.rounds, {label: self._timed(label, c, updates) for label, c in started.items()})
        for contender in started.values():
            contender.close()
        self._report_contest(name, results, facts)

    def _timed(self, label: str, contender: Contender, updates: int) -> Callable[[], float]:
        arguments = {} if label.startswith("ours") else {"updates": updates}
        return lambda: contender.ask("run", **arguments) / updates

    def _report_contest(self, name: str, results: dict[str, list[float]], facts: dict[str, Any]) -> None:
        medians = {label: statistics.median(seconds) for label, seconds in results.items()}
        print(f"\n{name}, batch {BATCH}, {len(CPUS)} thread(s): ms an update, median (least–most)")
        for label, seconds in results.items():
            print(f"  {label:40s} {milliseconds(seconds)}")
        best = {}
        for precision in PRECISIONS:
            rivals = {label: seconds for label, seconds in medians.items() if label.endswith(f", {precision}")}
            if rivals:
                label = min(rivals, key=lambda label: rivals[label])
                best[precision] = {"contender": label, "ratio": rivals[label] / medians[f"ours {precision}"]}
                print(f"  {precision}: {best[precision]['ratio']:.2f} × the speed of {label}")
        self.found[f"conv_{name}"] = {"threads": len(CPUS), "seconds": results, "best": best, "facts": facts}


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch-python", help="interpreter with PyTorch; its rows are left out without")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and repeats")
    parser.add_argument("--toy", action="store_true", help="tiny images and few updates: does everything run?")
    parser.add_argument("--out", help="JSON file; default: runs/benchmarks/<time>.json")
    parser.add_argument(
        "--only", nargs="+", choices=NETWORKS, default=list(NETWORKS), help="networks; put into --out if it is there"
    )
    return parser.parse_args(argv)


def main() -> int:
    """Run the comparisons."""
    args = parse_flags()
    report = ConvReport(args)
    for name in args.only:
        report.compared(name)
    report.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
