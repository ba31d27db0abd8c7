"""How time and memory of an update grow: with width, batch, code size, classes, seeds and data.

`python benchmarks/growth.py [--quick]` measures each size in a process of its own, fits an exponent over the larger
half of the sizes, writes JSON (`--out`) and a figure beside it.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from run import machine
from serving import Contender

SIZES: dict[str, list[int]] = {
    "width": [125, 250, 500, 1000, 2000],
    "batch": [25, 100, 400, 1600],
    "latent_dim": [10, 100, 1000],
    "classes": [10, 100, 1000],
    "seeds": [1, 2, 4, 8],
    "pool": [1_000, 8_000, 64_000],
}
BASE = {"batch": 100, "precision": "float32"}


def measure(name: str, size: int, rounds: int) -> dict[str, float]:
    """Return seconds of an update (of all seeds) and the peak memory of its process."""
    setup: dict[str, Any] = {**BASE, name: size}
    heavy = max(1.0, setup["batch"] / 100) * max(1.0, setup.get("width", 1000) / 1000) ** 2
    # The state of all seeds is copied once a call: as in a run, many updates.
    updates = 100 if "seeds" in setup else max(3, int(30 / heavy))
    worker = Contender("jax_worker.py")
    facts = worker.ask("setup", updates=updates, **setup)
    worker.ask("run")
    seconds = min(worker.ask("run") for _ in range(rounds)) / updates
    found = {"seconds": seconds, "peak_bytes": worker.ask("peak_bytes"), "state_bytes": facts["state_bytes"]}
    worker.close()
    return found


def exponent(sizes: list[int], values: list[float]) -> float:
    """Return the slope of log value over log size, fitted over the larger half of the sizes."""
    half = len(sizes) // 2
    slope, _ = np.polyfit(np.log(sizes[half:]), np.log(values[half:]), 1)
    return float(slope)


def draw(found: dict[str, Any], stem: Path) -> None:
    """Draw time (on one scale throughout) and memory over each size."""
    from aae_jax.figures.style import COLOURS, new_figure, save_figure, tidy

    figure = new_figure(height=5.4)
    grid = figure.subplots(2, 3, sharey=True).ravel()
    most = max(row["peak_bytes"] for rows in found.values() for row in rows["rows"]) / 2**30
    for index, (axes, (name, rows)) in enumerate(zip(grid, found.items(), strict=True)):
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
        twin.tick_params(labelsize=9, labelright=index % 3 == 2)
        if index % 3 == 0:
            axes.set_ylabel("ms an update (blue)")
        if index % 3 == 2:
            twin.set_ylabel("GiB resident (red, dashed)", fontsize=10)
    save_figure(figure, stem)


def main() -> int:
    """Measure, fit, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two sizes of each")
    parser.add_argument(
        "--only", nargs="+", choices=SIZES, default=list(SIZES), help="sizes; put into --out if it is there"
    )
    parser.add_argument("--out", default="runs/benchmarks/growth.json")
    args = parser.parse_args()
    out = Path(args.out)
    found: dict[str, Any] = {}
    taken: dict[str, Any] = {"machine": machine()}
    if len(args.only) < len(SIZES) and out.exists():
        before = json.loads(out.read_text(encoding="utf-8"))
        found, taken = before["growth"], {"machine": before["machine"], "later": taken["machine"]}
    for name in args.only:
        sizes = SIZES[name]
        chosen = sizes[:2] if args.quick else sizes
        rows = [{"size": size, **measure(name, size, 2 if args.quick else 3)} for size in chosen]
        exponents = {unit: exponent(chosen, [row[unit] for row in rows]) for unit in ("seconds", "peak_bytes")}
        found[name] = {"rows": rows, "exponents": exponents}
        print(f"{name}: time ~ size^{exponents['seconds']:.2f}, memory ~ size^{exponents['peak_bytes']:.2f}")
        for row in rows:
            held = row["peak_bytes"] / 2**30
            print(f"  {row['size']:6d} {1e3 * row['seconds']:9.2f} ms  {held:5.2f} GiB", flush=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({**taken, "growth": found}, indent=1) + "\n", encoding="utf-8")
    draw(found, out.with_suffix(""))
    print(f"written to {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
