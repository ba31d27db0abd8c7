"""Figures become files whole and repeatably, and leave pyplot alone."""

import os
import subprocess
import sys

import matplotlib
import numpy as np
import pytest

from aae_jax import figures
from aae_jax.figures.style import COLOURS, colour, new_figure

DRAW_ALL = """
import sys
import numpy as np
from aae_jax import figures
u, r = np.arange(4), np.random.default_rng(0)
drawn = [
    figures.learning_curves(u, {"reconstruction/loss": u, "discriminator_z/loss": u, "generator/loss": u}),
    figures.validation_error(u, r.random(4), baseline_error=0.1, test_error=0.1),
    figures.reconstructions(r.random((2, 4, 4)), r.random((2, 4, 4))),
    figures.style_class_grid(r.random((2, 3, 4, 4))),
    figures.code_histograms(r.normal(size=(9, 2)), prior_std=1, class_probabilities=r.random((9, 3))),
    figures.ablation([("a", 0.1, 0.01)]),
]
for index, figure in enumerate(drawn):
    figures.save_figure(figure, f"{sys.argv[1]}/{index}")
assert "matplotlib.pyplot" not in sys.modules
"""


def bars():
    """Return a small figure."""
    return figures.ablation([("a", 0.1, 0.01), ("b", 0.2, 0.02)])


def test_no_figure_imports_pyplot(tmp_path):
    subprocess.run([sys.executable, "-c", DRAW_ALL, str(tmp_path)], check=True)
    assert len(list(tmp_path.iterdir())) == 12


def test_save_figure_writes_both_files_alike_each_time(tmp_path):
    figure = bars()
    for folder, drawn in (("first", figure), ("again", figure), ("anew", bars())):
        figures.save_figure(drawn, tmp_path / folder / "rate-0.1")
    for name in ("rate-0.1.png", "rate-0.1.svg"):
        contents = {(tmp_path / folder / name).read_bytes() for folder in ("first", "again", "anew")}
        assert len(contents) == 1
    assert sorted(path.name for path in (tmp_path / "first").iterdir()) == ["rate-0.1.png", "rate-0.1.svg"]


def test_save_figure_of_curves_with_bands_is_repeatable(tmp_path):
    updates, error = np.arange(4), np.random.default_rng(0).random((4, 3))
    for folder in ("first", "again"):
        figure = figures.validation_error(updates, error, baseline_error=0.1, test_error=[0.1, 0.2])
        figures.save_figure(figure, tmp_path / folder / "error")
    for name in ("error.png", "error.svg"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_save_figure_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"old")
    figure = bars()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        figures.save_figure(figure, tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"


def test_save_figure_restores_global_settings(tmp_path):
    before = dict(matplotlib.rcParams)
    figures.save_figure(bars(), tmp_path / "a")
    assert dict(matplotlib.rcParams) == before


def test_line_colours_repeat_and_leave_out_the_pale_one():
    assert colour(0) == colour(6)
    assert COLOURS["yellow"] not in {colour(index) for index in range(12)}


def test_texts_are_large_enough_for_a_readme():
    for axes in bars().axes:
        texts = [*axes.get_xticklabels(), *axes.get_yticklabels(), *axes.texts, axes.xaxis.label]
        assert min(text.get_fontsize() for text in texts) >= 9
    assert new_figure(height=1).get_size_inches()[0] < 9
