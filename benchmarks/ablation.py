"""What each ingredient of the `default` preset is worth: short runs, the ingredient taken away or changed.

`python benchmarks/ablation.py --data-dir FOLDER`

Rows are compared by validation error; the test images are never looked at. Networks have half the default width.
The runs go to `runs/ablation/` (finished ones are not run again, stopped ones go on), their numbers to
`results/default_ablation.json`, and `python -m reproduce.pages` writes the table.
"""

import argparse
import sys
from pathlib import Path

from aae_jax.config import SemiSupervisedConfig, resolve
from aae_jax.config_text import differences, from_mapping, read_yaml
from aae_jax.experiments.command import parse
from aae_jax.experiments.semi_supervised import main as train
from aae_jax.networks import fastest_precision

sys.path.append(str(Path(__file__).resolve().parent.parent))
from reproduce.recorded_runs import record

RESULTS = Path(__file__).resolve().parent.parent / "results" / "default_ablation.json"
MNIST_SHAPE = (28, 28)
EVERY_ROW = [
    *("--dataset", "mnist", "--no-test"),
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
    parser.add_argument("--data-dir", default=None, help="folder with MNIST's four IDX files")
    parser.add_argument("--labels", default="100")
    parser.add_argument("--epochs", default="8")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW")
    args = parser.parse_args()
    for row in args.rows:
        for seed in args.seeds:
            folder = Path("runs") / "ablation" / f"{row}-s{seed}"
            given = ["--data-dir", args.data_dir] if args.data_dir else []
            flags = [*EVERY_ROW, *ROWS[row], *given, "--labels", args.labels, "--epochs", args.epochs]
            status = run_row([*flags, "--seed", str(seed)], folder)
            if status != 0:
                return status
            record(RESULTS, row.replace("_", " "), folder, " ".join(ROWS[row]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
