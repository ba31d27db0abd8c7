"""Ablation of the preset `marginal`, the default when it was recorded: one ingredient changed in each short run.

`python benchmarks/ablation.py --data-dir FOLDER`

Rows are compared by validation error; the test images are never looked at. Networks have half the default width.
The runs go to `runs/ablation/` (`--out-dir`; finished ones are not run again, stopped ones go on), their numbers to
`results/default_ablation.json` (`--results`), and `python -m reproduce.pages` writes the table. With
`--dataset digits --epochs 1 --seeds 0` a row takes seconds.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from aae_jax.config.text import differences
from aae_jax.data import Reporter
from aae_jax.errors import InputError
from aae_jax.models.semi_supervised.experiment import SPEC
from aae_jax.models.shared.splits import split_for_seed
from aae_jax.run.arguments import parse, resumed_config
from aae_jax.run.run import main as train_model
from aae_jax.run.setup import load_data, settle

sys.path.append(str(Path(__file__).resolve().parent.parent))
from reproduce.recorded_runs import record

RESULTS = Path(__file__).resolve().parent.parent / "results" / "default_ablation.json"
EVERY_ROW = [
    "--judge-updates",
    "0",
    "--no-test",
    *("--network.hidden", "500", "500", "--network.discriminator-hidden", "250", "250"),
]
ROWS: dict[str, list[str]] = {
    "00_default": [],
    "01_no_batch_norm": ["--network.no-batch-norm"],
    "02_no_shifts": ["--views.max-shift", "0"],
    "03_no_noise": ["--views.noise-std", "0"],
    "04_no_consistency": ["--weights.consistency", "0"],
    "05_consistency_weight_1": ["--weights.consistency", "1"],
    "06_every_image_however_unsure": ["--weights.confidence", "0"],
    "07_agree_with_another_view": ["--weights.consistency-target", "view"],
    "08_no_label_adversary": ["--weights.generator-y", "0"],
    "09_no_style_adversary": ["--weights.generator-z", "0"],
    "10_no_reconstruction": ["--optimizers.reconstruction.learning-rate", "0"],
    "11_constant_rate": ["--optimizers.schedule", "constant"],
    "12_float32": ["--network.precision", "float32"],
    "13_adversaries_as_wide_as_the_encoder": ["--network.discriminator-hidden", "500", "500"],
    "14_plain_preset": ["--preset", "plain"],
}


def run_row(flags: list[str], folder: Path) -> int:
    """Train into `folder`, resume what was stopped there, or leave a finished run of the same settings.

    Raises:
        InputError: The folder has a run of other settings.
    """
    if not (folder / "config.yaml").exists():
        return train_model("semi_supervised", [*flags, "--out-dir", str(folder)])
    wanted = parse(SPEC, flags).config
    dataset = load_data(wanted, Reporter())
    wanted = settle(SPEC, wanted, dataset, split_for_seed(wanted, dataset, wanted.seed).pool)
    changed = differences(wanted, resumed_config(SPEC, folder))
    if changed:
        raise InputError(f"{folder} holds a run with other {', '.join(changed)}; remove it first.")
    return train_model("semi_supervised", ["--resume", str(folder)])


def parse_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--data-dir", help="folder with the data set's files, such as MNIST's four IDX files")
    parser.add_argument("--labels", default="100")
    parser.add_argument("--epochs", default="8")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW")
    parser.add_argument("--out-dir", type=Path, default=Path("runs/ablation"), help="of the runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of their numbers")
    return parser.parse_args(argv)


def main() -> int:
    """Run what is missing, row by row, and record it."""
    args = parse_flags()
    data = ["--dataset", args.dataset, *(["--data-dir", args.data_dir] if args.data_dir else [])]
    for row in args.rows:
        for seed in args.seeds:
            folder = args.out_dir / f"{row}-s{seed}"
            base = [] if "--preset" in ROWS[row] else ["--preset", "marginal"]
            flags = [*base, *EVERY_ROW, *ROWS[row], *data, "--labels", args.labels, "--epochs", args.epochs]
            try:
                status = run_row([*flags, "--seed", str(seed)], folder)
            except InputError as error:
                print(f"error: {error}", file=sys.stderr)
                return 2
            if status != 0:
                return status
            record(args.results, row.replace("_", " "), folder, " ".join(ROWS[row]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
