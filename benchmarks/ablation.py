"""What each ingredient of the `default` preset is worth: one short run a row, the ingredient taken away.

`python benchmarks/ablation.py --data-dir FOLDER --labels 100 --epochs 6 --seeds 1`

Rows are compared by validation error; the runs go to `runs/ablation/` (finished ones are not run again),
their numbers to `results/ablation-<row>/`, and `python tools/results_tables.py` writes the table.
"""

import argparse
import sys
from pathlib import Path

from aae_jax.experiments.semi_supervised import main as train

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from record_run import RESULTS, record

ROWS: dict[str, list[str]] = {
    "0_default": [],
    "1_no_batch_norm": ["--network.no-batch-norm"],
    "2_no_shifts": ["--views.max-shift", "0"],
    "3_no_noise": ["--views.noise-std", "0"],
    "4_no_consistency": ["--weights.consistency", "0"],
    "5_constant_rate": ["--optimizers.schedule", "constant"],
    "6_float32": ["--network.precision", "float32"],
    "7_adversaries_1000_wide": ["--network.discriminator-hidden", "1000", "1000"],
    "8_plain_preset": ["--preset", "plain"],
}


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
            if not (folder / "summary.json").exists():
                given = ["--data-dir", args.data_dir] if args.data_dir else []
                flags = [*ROWS[row], "--dataset", "mnist", *given, "--labels", args.labels, "--epochs", args.epochs]
                status = train([*flags, "--seed", str(seed), "--out-dir", str(folder)])
                if status != 0:
                    return status
            record(f"ablation-{row}", folder)
        (RESULTS / f"ablation-{row}" / "flags.txt").write_text(" ".join(ROWS[row]) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
