"""What each ingredient of the `default` preset is worth: one short run a row, the ingredient taken away.

`python benchmarks/ablation.py --data-dir FOLDER --labels 100 --epochs 6 --seeds 1`

Rows are compared by validation error; the runs go to `runs/ablation/` (finished ones are not run again),
their numbers to `results/ablation-<row>/`, and `python tools/results_tables.py` writes the table.
"""

import argparse
import sys
from pathlib import Path

from aae_jax.config import SemiSupervisedConfig, resolve
from aae_jax.config_text import differences, from_mapping, read_yaml
from aae_jax.experiments.command import parse
from aae_jax.experiments.semi_supervised import main as train
from aae_jax.networks import fastest_precision

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from record_run import RESULTS, record

MNIST_SHAPE = (28, 28)
ROWS: dict[str, list[str]] = {
    "0_default": [],
    "1_no_batch_norm": ["--network.no-batch-norm"],
    "2_no_shifts": ["--views.max-shift", "0"],
    "3_no_noise": ["--views.noise-std", "0"],
    "4_no_consistency": ["--weights.consistency", "0"],
    "4a_no_warm-up": ["--weights.consistency-warmup", "0"],
    "4b_no_adversarial_view": ["--weights.adversarial-norm", "0"],
    "4c_label_adversary_weight_1": ["--weights.generator-y", "1"],
    "5_constant_rate": ["--optimizers.schedule", "constant"],
    "6_float32": ["--network.precision", "float32"],
    "7_adversaries_1000_wide": ["--network.discriminator-hidden", "1000", "1000"],
    "8_plain_preset": ["--preset", "plain"],
}


def run_row(flags: list[str], folder: Path) -> int:
    """Train into `folder`, go on with what was stopped there, or leave a finished run of the same settings."""
    if not (folder / "config.yaml").exists():
        return train([*flags, "--out-dir", str(folder)])
    wanted = parse(flags, prog="semi_supervised", description="").config
    wanted = resolve(wanted, MNIST_SHAPE, precision=fastest_precision())
    found = from_mapping(SemiSupervisedConfig, read_yaml(folder / "config.yaml"))
    changed = differences(wanted, found)
    if changed:
        print(f"error: {folder} holds a run with other {', '.join(changed)}; remove it first.", file=sys.stderr)
        return 2
    return train(["--resume", str(folder)])


def main() -> int:
    """Run what is missing, row by row, and record it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default=None)
    parser.add_argument("--labels", default="100")
    parser.add_argument("--epochs", default="6")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=list(ROWS))
    args = parser.parse_args()
    for row in args.rows:
        for seed in range(args.seeds):
            folder = Path("runs") / "ablation" / f"{row}-s{seed}"
            given = ["--data-dir", args.data_dir] if args.data_dir else []
            flags = [*ROWS[row], "--dataset", "mnist", *given, "--labels", args.labels, "--epochs", args.epochs]
            status = run_row([*flags, "--seed", str(seed)], folder)
            if status != 0:
                return status
            record(f"ablation-{row}", folder)
        (RESULTS / f"ablation-{row}" / "flags.txt").write_text(" ".join(ROWS[row]) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
