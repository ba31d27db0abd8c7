"""What is published of a finished row of the table of all models: its numbers, and the gallery's figures."""

import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aae_jax.commands.visualize import run_visualize
from aae_jax.config.text import read_yaml
from aae_jax.errors import InputError
from aae_jax.experiments.model_rows import ModelRow
from aae_jax.experiments.row_record import PLAN_FILE, compact
from aae_jax.files import write_whole
from aae_jax.run.run_dir import CONFIG_FILE, SUMMARY_FILE, RunFolder, write_text

__all__ = ["record_model"]

COLOURS = 128
"""Of a published figure's palette: a third of its size, and no difference to the eye."""


def record_model(row: ModelRow, folder: Path, results: Path) -> Path:
    """Write a finished row's summary and configuration as JSON into `results`, its figures beside; return the file.

    Args:
        row: Says which figures.
        folder: Of the row's plan and run.
        results: Gets `<row>.json` and `<row>/<figure>.png`.

    Raises:
        InputError: The run has not drawn a figure that the gallery shows.
    """
    run = RunFolder(folder / "run")
    config = read_yaml(run.path / CONFIG_FILE)
    summary = json.loads((run.path / SUMMARY_FILE).read_text(encoding="utf-8"))
    figures = _figures(row, summary)
    pictures = [run.figures / f"{name}.png" for name in figures]
    if row.visualized:
        pictures += [path for path in _visualize(run, config["data_dir"]) if path.stem in row.visualized]
    missing = {*figures, *row.visualized} - {path.stem for path in pictures if path.is_file()}
    if missing:
        raise InputError(
            f"{run.path} has no {', '.join(sorted(missing))}; remove its {SUMMARY_FILE} and give the command again, "
            "which draws the figures anew."
        )
    (results / row.name).mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        write_whole(results / row.name / picture.name, _fewer_colours(picture))
    found: dict[str, Any] = {
        "row": row.name,
        "preset": row.preset,
        "full_updates": row.epochs * summary["updates"] // summary["epochs"],
        "budget_minutes": json.loads((folder / PLAN_FILE).read_text(encoding="utf-8"))["budget_minutes"],
        **summary,
        "config": config,
    }
    path = results / f"{row.name}.json"
    write_text(path, compact(found))
    return path


def _figures(row: ModelRow, summary: Mapping[str, Any]) -> list[str]:
    """Return the names of a row's figures that its run drew: of data without labels there is no error to draw."""
    measured = [name for name in summary.get("validation", ["error"]) if name != "reconstruction_error"]
    has_error = any(name.endswith("error") for name in measured)
    return [name for name in row.figures if has_error or name != "validation_error"]


def _visualize(run: RunFolder, data_dir: str | None) -> list[Path]:
    """Return the pictures that `aae-jax visualize` makes of a run's saved model, in a new folder beside the run."""
    folder = run.path.parent / "visualization"
    shutil.rmtree(folder, ignore_errors=True)
    run_visualize([str(run.path), "--out-dir", str(folder), *([] if data_dir is None else ["--data-dir", data_dir])])
    return sorted(folder.glob("*.png"))


def _fewer_colours(picture: Path) -> bytes:
    from PIL import Image  # matplotlib's own reader of images

    packed = io.BytesIO()
    with Image.open(picture) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(packed, "png", optimize=True)
    return packed.getvalue()
