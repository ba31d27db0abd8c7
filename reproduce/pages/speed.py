"""Tables of docs/performance.md, from the JSON files that `benchmarks/` wrote into results/benchmarks."""

import statistics
from typing import Any

from reproduce.pages.markdown import RESULTS, read, table

__all__ = ["conv_table", "floor_table", "growth_table", "other_table", "start_table", "steps_table"]


BENCHMARKS = RESULTS / "benchmarks"


def _read(name: str) -> dict[str, Any]:
    return read(BENCHMARKS / name)


def _milliseconds(seconds: list[float]) -> str:
    return f"{1e3 * statistics.median(seconds):.1f} ({1e3 * min(seconds):.1f}–{1e3 * max(seconds):.1f})"


def steps_table() -> str:
    """Return each contender's time of an update, and how many times ours in float32 it is."""
    measured = _read("cpu.json")
    rows = []
    for key, value in measured.items():
        if not key.startswith("steps_"):
            continue
        _, _, batch, _, threads = key.split("_")
        base = statistics.median(value["seconds"]["ours float32"])
        for name, seconds in value["seconds"].items():
            ratio = statistics.median(seconds) / base
            rows.append(f"{int(batch):,} | {threads} | {name} | {_milliseconds(seconds)} | {ratio:.2f}")
    return table("batch | threads | contender | ms an update: median (least–most) | of ours float32", rows)


def floor_table() -> str:
    """Return the floor's parts, the measured update, and its fraction of the floor's speed."""
    measured = _read("cpu.json")
    rows = []
    for key, value in measured.items():
        if not key.startswith("floor_"):
            continue
        _, _, batch, precision = key.split("_")
        phases = value["phases"].values()
        products, adam = (1e3 * sum(phase[part] for phase in phases) for part in ("products", "optimizer"))
        rate = sum(phase["flops"] for phase in phases) / products / 1e6
        total = (
            f"{1e3 * value['seconds']:.1f} | {_milliseconds(value['step_seconds'])} | {100 * value['fraction']:.0f} %"
        )
        rows.append(f"{int(batch):,} | {precision} | {products:.1f} | {rate:.0f} | {adam:.1f} | {total}")
    titles = "batch | precision | products, ms | GFLOP/s | Adam, ms | floor, ms | update, ms | fraction of the floor"
    return table(titles, rows)


def conv_table() -> str:
    """Return ours and the best PyTorch of each precision for convolutional networks, with the floor."""
    measured = _read("conv.json")
    rows = []
    for key, value in measured.items():
        if not key.startswith("conv_"):
            continue
        name = key.removeprefix("conv_")
        for precision, best in value["best"].items():
            floor = measured[f"floor_{name}_{precision}"]["seconds"]
            ours = value["seconds"][f"ours {precision}"]
            share = f"{100 * floor / statistics.median(ours):.0f} %"
            rival = best["contender"].removesuffix(f", {precision}")
            rows += [
                f"{name} | {precision} | ours | {_milliseconds(ours)} | 1.00 | {share}",
                f"{name} | {precision} | {rival} | {_milliseconds(value['seconds'][best['contender']])} "
                f"| {best['ratio']:.2f} | ",
            ]
    titles = "images | precision | contender | ms an update: median (least–most) | of ours | fraction of the floor"
    return table(titles, rows)


def other_table() -> str:
    """Return what is measured once: seeds, classification, each library's own matrix rate."""
    measured = _read("cpu.json")
    seeds = measured["seeds_8"]
    rows = [
        f"8 seeds in one program, of the time of 8 in turn | {seeds['ratio']:.2f}; "
        f"{seeds['peak_bytes'] / 2**30:.2f} GiB resident",
        f"classification error of 10,000 images | {measured['classify_10000_seconds']:.2f} s",
    ]
    for batch in (100, 1000):
        rates = measured[f"matrix_rate_batch_{batch}"]
        ours, theirs = (max(rates[name]) / 1e9 for name in ("ours", "torch"))
        rows.append(f"{batch:,}×1000×1000 in float32, GFLOP/s | XLA {ours:.0f}, PyTorch {theirs:.0f}")
    return table("what | measured", rows)


def growth_table() -> str:
    """Return the fitted exponents, and the ends between which they were measured."""
    rows = []
    for name, measured in _read("growth.json")["growth"].items():
        first, last = measured["rows"][0], measured["rows"][-1]
        times = f"{1e3 * first['seconds']:.1f} … {1e3 * last['seconds']:.1f}"
        memory = f"{first['peak_bytes'] / 2**30:.2f} … {last['peak_bytes'] / 2**30:.2f}"
        powers = (f"size^{measured['exponents'][unit]:.2f}" for unit in ("seconds", "peak_bytes"))
        rows.append(f"{name} | {first['size']:,} | {last['size']:,} | {times} | {memory} | {' | '.join(powers)}")
    return table("size | from | to | ms an update | GiB resident | time grows as | memory grows as", rows)


def start_table() -> str:
    """Return how long second starts took to the first update."""
    measured = _read("start.json")
    after = [start - measured["imports"] for start in measured["seconds"]]
    rows = [
        f"from the command | {_seconds(measured['seconds'])}",
        f"after imports ({measured['imports']:.1f} s) | {_seconds(after)}",
    ]
    return table("second start on MNIST, to the first update | median (least–most)", rows)


def _seconds(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} s ({min(values):.2f}–{max(values):.2f}, {len(values)} starts)"
