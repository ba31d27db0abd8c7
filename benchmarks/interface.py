"""What the Python interface costs: imports, callbacks, and a search for settings.

`python benchmarks/interface.py [--toy] [--out runs/benchmarks/interface.json]`

Imports: processes that import aae_jax and load a pretrained model, in turn with processes that import jax, flax and
optax alone. Callbacks: epochs of an autoencoder of eight units, with ten callbacks that do nothing and without, in
turn, so that a millisecond would be seen; the difference is divided by the time of an update of the default of
`semi_supervised` at batch 100. Search: twenty trials as docs/python.md has them, and the epochs that are compiled.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from machine import describe_machine, write_results

import aae_jax
from aae_jax.data import Quiet

ROOT = Path(__file__).resolve().parent.parent
OURS = "import aae_jax; aae_jax.load('pretrained:semi-supervised')"
FLOOR = "import jax, flax, optax"
SPACE = {
    "views.noise_std": (0.05, 0.5),
    "weights.consistency": (0.1, 10, "log"),
    "optimizers.generator.learning_rate": (1e-4, 3e-3, "log"),
}
IDLE = 10


class Nothing:
    """A callback that does nothing."""

    def after_epoch(self, epoch: Any) -> None:
        """Do nothing."""


class Clock:
    """A callback that notes the time after each epoch."""

    def __init__(self) -> None:
        """Begin with no times."""
        self.times: list[float] = []

    def after_epoch(self, epoch: Any) -> None:
        """Note the time."""
        self.times.append(time.perf_counter())

    def seconds(self) -> float:
        """Return the median time of an epoch."""
        return statistics.median(b - a for a, b in zip(self.times, self.times[1:], strict=False))


def process(code: str) -> float:
    """Return the seconds of a Python process that runs code."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    return time.perf_counter() - begun


def imports(pairs: int) -> dict[str, Any]:
    """Return the seconds of processes that import and load, in turn with those that import the floor."""
    process(OURS)  # files are read once before
    timed = [(process(OURS), process(FLOOR)) for _ in range(pairs)]
    ours, floor = (min(column) for column in zip(*timed, strict=True))
    return {"seconds": timed, "least": [ours, floor], "ratio": ours / floor}


def epoch(model: str, idle: int, epochs: int, **settings: Any) -> float:
    """Return the seconds of an epoch with so many idle callbacks."""
    clock = Clock()
    callbacks: list[Any] = [*(Nothing() for _ in range(idle)), clock]
    quiet: dict[str, Any] = {
        "reporter": Quiet(),
        "judge_updates": 0,
        "evaluate_every": epochs,
        "checkpoint_seconds": 1e6,
    }
    aae_jax.train(model, "digits", epochs=epochs, callbacks=callbacks, **quiet, **settings)
    return clock.seconds()


def callbacks(pairs: int, epochs: int) -> dict[str, Any]:
    """Return what ten idle callbacks add to an epoch, and the share of an update of the default that this is."""
    small: dict[str, Any] = {"preset": "smoke", "network.hidden": (8,)}
    timed = [
        (epoch("autoencoder", IDLE, epochs, **small), epoch("autoencoder", 0, epochs, **small)) for _ in range(pairs)
    ]
    added = statistics.median(ten - none for ten, none in timed)
    default: dict[str, Any] = {"preset": "smoke"} if epochs < 50 else {}
    updates = 1212 // 100
    update = epoch("semi_supervised", 0, max(4, epochs // 20), labels=100, baseline_share=0, **default) / updates
    return {"epochs": timed, "added_seconds": added, "update_seconds": update, "share": added / updates / update}


def search(trials: int, epochs: int) -> dict[str, Any]:
    """Return the seconds of a search and the number of epochs that it compiled."""
    compiled, compile_one = [], jax.stages.Lowered.compile

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        text = self.as_text()
        compiled.extend([len(text)] if len(text) > 10_000 else [])  # not a probe of the compiler's options
        return compile_one(self, *args, **kwargs)

    jax.stages.Lowered.compile = counted  # type: ignore[method-assign]
    begun = time.perf_counter()
    options: dict[str, Any] = {"labels": 100, "epochs": epochs, "network.hidden": (256, 256), "reporter": Quiet()}
    study = aae_jax.search("semi_supervised", "digits", SPACE, trials=trials, **options)
    jax.stages.Lowered.compile = compile_one  # type: ignore[method-assign]
    seconds = time.perf_counter() - begun
    return {"trials": len(study.trials), "seconds": seconds, "compiled": len(compiled), "best": study.best_value}


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true", help="everything once, and short: does everything run?")
    parser.add_argument("--out", default="runs/benchmarks/interface.json")
    return parser.parse_args(argv)


def main() -> int:
    """Measure, print and write."""
    args = parse_flags()
    found: dict[str, Any] = {"machine": describe_machine()}
    found["imports"] = imports(1 if args.toy else 9)
    print(
        "import and load: {:.2f} s against {:.2f} s, {:.2f}".format(
            *found["imports"]["least"], found["imports"]["ratio"]
        )
    )
    found["callbacks"] = callbacks(*((1, 5) if args.toy else (5, 400)))
    added = 1e6 * found["callbacks"]["added_seconds"]
    print(f"{IDLE} idle callbacks: {added:.0f} µs an epoch, {100 * found['callbacks']['share']:.3f} % of an update")
    found["search"] = search(*((4, 1) if args.toy else (20, 20)))
    print("search: {trials} trials, {seconds:.0f} s, {compiled} programs compiled".format(**found["search"]))
    write_results(found, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
