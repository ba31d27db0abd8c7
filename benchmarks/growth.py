"""Growth of an update's time and memory with width, batch, code size, classes, seeds and data.

`python benchmarks/growth.py [--quick] [--toy]`

Measures each size in a process of its own, fits an exponent over the larger half of the sizes, writes JSON (`--out`)
and a figure next to it. `--toy` takes two tiny sizes of each, to see that everything runs.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe_machine
from serving import Contender

SIZES: dict[str, list[int]] = {
    "width": [125, 250, 500, 1000, 2000],
    "batch": [25, 100, 400, 1600],
    "latent_dim": [10, 100, 1000],
    "classes": [10, 100, 1000],
    "seeds": [1, 2, 4, 8],
    "pool": [1_000, 8_000, 64_000],
}
TOY_SIZES: dict[str, list[int]] = {
    "width": [8, 16],
    "batch": [10, 20],
    "latent_dim": [2, 4],
    "classes": [10, 20],
    "seeds": [1, 2],
    "pool": [100, 200],
}
BASE = {"batch": 100, "precision": "float32"}
TOY_BASE = {"batch": 10, "precision": "float32", "width": 16, "pool": 100}


def measure(name: str, size: int, rounds: int, *, toy: bool) -> dict[str, float]:
    """Return seconds of an update (of all seeds) and the peak memory of its process."""
    setup: dict[str, Any] = {**(TOY_BASE if toy else BASE), name: size}
    heavy = max(1.0, setup["batch"] / 100) * max(1.0, setup.get("width", 1000) / 1000) ** 2
    # The state of all seeds is copied once a call: as in a run, many updates.
    updates = 100 if "seeds" in setup and not toy else max(3, int(30 / heavy))
    worker = Contender("jax_worker.py")
    facts = worker.ask("setup", updates=updates, **setup)
    worker.ask("run")
    seconds = min(worker.ask("run") for _ in range(rounds)) / updates
    found = {"seconds": seconds, "peak_bytes": worker.ask("peak_bytes"), "state_bytes": facts["state_bytes"]}
    worker.close()
    return found


def exponent(sizes: list[int], values: list[float]) -> float:
    """Return the slope of log value over log size, fitted over the larger half of the sizes, of two at least."""
    half = min(len(sizes) // 2, len(sizes) - 2)
    slope, _ = np.polyfit(np.log(sizes[half:]), np.log(values[half:]), 1)
    return float(slope)


def draw(found: dict[str, Any], stem: Path) -> None:
    """Draw time (on one scale throughout) and memory over each size."""
    from aae_jax.figures.style import COLOURS, new_figure, save_figure, tidy

    figure = new_figure(height=5.4)
    grid = figure.subplots(2, 3, sharey=True).ravel()
    for axes in grid[len(found) :]:
        axes.set_axis_off()
    most = max(row["peak_bytes"] for rows in found.values() for row in rows["rows"]) / 2**30
    for index, (axes, (name, rows)) in enumerate(zip(grid, found.items(), strict=False)):
        sizes = [row["size"] for row in rows["rows"]]
        axes.loglog(sizes, [1e3 * row["seconds"] for row in rows["rows"]], "-o", color=COLOURS["blue"], markersize=4)
        axes.set_xticks(sizes, [f"{size:,}" if size < 1000 else f"{size / 1000:g}k" for size in sizes])
        axes.set_xticks([], minor=True)
        axes.set_yticks([3, 10, 30, 100, 300], ["3", "10", "30", "100", "300"])
        axes.set_yticks([], minor=True)
        tidy(axes, title=f"{name}: size^{rows['exponents']['seconds']:.2f}")
        twin = axes.twinx()
        memory = [row["peak_bytes"] / 2**30 for row in rows["rows"]]
        twin.plot(sizes, memory, "--s", color=COLOURS["vermillion"], markersize=3, linewidth=1)
        twin.set_ylim(0, 1.1 * most)
        twin.spines[["top"]].set_visible(False)
        last = index % 3 == 2 or index == len(found) - 1
        twin.tick_params(labelsize=9, labelright=last)
        if index % 3 == 0:
            axes.set_ylabel("ms an update (blue)")
        if last:
            twin.set_ylabel("GiB resident (red, dashed)", fontsize=10)
    save_figure(figure, stem)


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two sizes of each")
    parser.add_argument("--toy", action="store_true", help="two tiny sizes of each: does everything run?")
    parser.add_argument(
        "--only", nargs="+", choices=SIZES, default=list(SIZES), help="sizes; put into --out if it is there"
    )
    parser.add_argument("--out", default="runs/benchmarks/growth.json")
    return parser.parse_args(argv)


def grow(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Measure the sizes of one kind, and return them with the fitted exponents."""
    sizes = TOY_SIZES[name] if args.toy else SIZES[name]
    chosen = sizes[:2] if args.quick else sizes
    rounds = 2 if args.quick or args.toy else 3
    rows = [{"size": size, **measure(name, size, rounds, toy=args.toy)} for size in chosen]
    exponents = {unit: exponent(chosen, [row[unit] for row in rows]) for unit in ("seconds", "peak_bytes")}
    print(f"{name}: time ~ size^{exponents['seconds']:.2f}, memory ~ size^{exponents['peak_bytes']:.2f}")
    for row in rows:
        held = row["peak_bytes"] / 2**30
        print(f"  {row['size']:6d} {1e3 * row['seconds']:9.2f} ms  {held:5.2f} GiB", flush=True)
    return {"rows": rows, "exponents": exponents}


def main() -> int:
    """Measure, fit, write, draw."""
    args = parse_flags()
    out = Path(args.out)
    found: dict[str, Any] = {}
    taken: dict[str, Any] = {"machine": describe_machine()}
    if len(args.only) < len(SIZES) and out.exists():
        before = json.loads(out.read_text(encoding="utf-8"))
        found, taken = before["growth"], {"machine": before["machine"], "later": taken["machine"]}
    found |= {name: grow(name, args) for name in args.only}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({**taken, "growth": found}, indent=1) + "\n", encoding="utf-8")
    draw(found, out.with_suffix(""))
    print(f"written to {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
