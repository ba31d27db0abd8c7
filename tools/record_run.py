"""Copy the raw numbers of finished runs into results/: `python tools/record_run.py NAME RUN_DIR [RUN_DIR ...]`.

Each run gives `results/NAME/s<seed>.summary.json`, `.config.yaml` and `.metrics.jsonl`.
"""

import json
import shutil
import sys
from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent / "results"
FILES = ("summary.json", "config.yaml", "metrics.jsonl")


def record(name: str, run: Path, results: Path = RESULTS) -> Path:
    """Copy one run's files into a folder of `results` and return its summary's new path."""
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    folder = results / name
    folder.mkdir(parents=True, exist_ok=True)
    seeds = "-".join(str(seed) for seed in summary["seeds"])
    for file in FILES:
        shutil.copyfile(run / file, folder / f"s{seeds}.{file}")
    return folder / f"s{seeds}.summary.json"


def main() -> int:
    """Record every run named on the command line."""
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    for run in sys.argv[2:]:
        path = Path(run)
        if not (path / "summary.json").is_file():
            print(f"error: {path} is not the folder of a finished run (no summary.json).", file=sys.stderr)
            return 2
        print(record(sys.argv[1], path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
