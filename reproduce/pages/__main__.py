"""Write the tables and figures of README.md, docs/ and results/README.md from the files in results/, and diagrams.

`python -m reproduce.pages` writes all of them; with `--check` it only compares the tables. A table stands between
`<!-- table: KIND -->` and `<!-- end -->`; KIND is a key of `TABLES`.
"""

import sys
from collections.abc import Callable, Sequence

from aae_jax.errors import InputError
from aae_jax.run.arguments import run_guarded
from reproduce.pages import answers, default_preset, earlier, few_labels, models, speed
from reproduce.pages.markdown import RESULTS, ROOT

__all__ = ["TABLES", "filled", "main"]

DOCS = tuple(ROOT / "docs" / name for name in ("performance.md", "results.md", "few-labels.md", "gallery.md"))
PAGES = (ROOT / "README.md", RESULTS / "README.md", *DOCS)
TABLES: dict[str, Callable[[], str]] = {
    "main": default_preset.errors_table,
    "ablation": lambda: default_preset.comparison("default_ablation"),
    "first-round": lambda: default_preset.comparison("default_trials"),
    "precision": lambda: default_preset.comparison("precision"),
    "second-round": default_preset.second_round,
    "search": lambda: few_labels.search("few labels first"),
    "second-search": lambda: few_labels.search("few labels second"),
    "third-search": lambda: few_labels.search("few labels third"),
    "few-labels": few_labels.few_labels_table,
    "few-labels-confusions": answers.confusions_table,
    "few-labels-calibration": answers.calibration_table,
    "few-labels-ablation": few_labels.ablation_table,
    "paper-settings": lambda: few_labels.ablation_table("paper-settings"),
    "label-counts": few_labels.label_counts_table,
    "subsets": few_labels.subset_table,
    "other-data": few_labels.other_data_table,
    "steps": speed.steps_table,
    "floor": speed.floor_table,
    "conv": speed.conv_table,
    "other": speed.other_table,
    "growth": speed.growth_table,
    "start": speed.start_table,
    "models": models.models_table,
    "gallery": models.gallery,
    "figure-two": models.figure_two,
    "earlier": earlier.earlier_table,
}


def filled(text: str) -> str:
    """Return a page with each marked table rewritten."""
    for kind, build in TABLES.items():
        begin, end = f"<!-- table: {kind} -->\n", "<!-- end -->"
        if begin in text:
            before, rest = text.split(begin, 1)
            text = before + begin + build() + "\n" + end + rest.split(end, 1)[1]
    return text


def main(argv: Sequence[str] | None = None) -> int:
    """Write the pages and figures, or with `--check` report the first page that differs from the files."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    return run_guarded(lambda: _write(check=bool(arguments)))


def _write(*, check: bool) -> int:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        new = filled(text)
        if check and new != text:
            raise InputError(f"{page.name} differs from results/; run: uv run python -m reproduce.pages")
        if new != text:
            page.write_text(new, encoding="utf-8")
    if not check:
        from reproduce.pages import diagrams, figures

        figures.write_figures()
        diagrams.write_diagrams()
    return 0


if __name__ == "__main__":
    sys.exit(main())
