"""Names from users and files are drawn as they are: no mathematics, no control characters, no page of text."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.cbook import is_math_text
from matplotlib.text import Text

from aae_jax import figures
from aae_jax.evaluation import reliability
from aae_jax.figures.style import caption, draw_bytes, drawing, legend_name, literal

GENERATOR = np.random.default_rng(0)
NAMES = {
    "<$10k": "<$10k",
    "$10k_$20k": "$10k_$20k",
    "10% of $ to $": "10% of $ to $",
    "$": "$",
    "\\$": "\\$",
    "$\\frac{1$": "$\\frac{1$",
    "ends in \\": "ends in \\",
    "a\nb\tc\x1b[31m": "a\\nb\\tc\\x1b[31m",
    "\u202eab\ud800\x00": "\\u202eab\\ud800\\x00",
    "😀 & <b> --": "😀 & <b> --",
    "_hidden": "_hidden",
    "": "",
}
"""Names, and what is to be read of each."""
SERIES = np.linspace(1, 0.1, 5)


def images(*shape):
    return GENERATOR.random((*shape, 4, 4))


def some_reliability():
    return reliability(GENERATOR.normal(size=(50, 3)), np.arange(50) % 3)


def each(names, value):
    return {name: value() for name in names}


COUNT = len(NAMES)
BY_NAMES = {
    "ablation": lambda n: figures.ablation([(name, 0.1, 0.01) for name in n]),
    "code_map": lambda n: figures.code_map(GENERATOR.normal(size=(24, 3)), np.arange(24) % len(n), label_names=n),
    "code_scatter": lambda n: figures.code_scatter(
        GENERATOR.normal(size=(24, 2)), np.arange(24) % len(n), label_names=n
    ),
    "confusion_matrix": lambda n: figures.confusion_matrix(np.eye(len(n), dtype=int), label_names=n),
    "error_against_labels": lambda n: figures.error_against_labels(each(n, lambda: [(100, [0.1]), (1000, [0.05])])),
    "error_curves": lambda n: figures.error_curves(each(n, lambda: (np.arange(1, 6), SERIES))),
    "health_curves": lambda n: figures.health_curves(
        np.arange(5), discrepancy=SERIES, std_ratios=SERIES[:, None], accuracies=each(n, lambda: SERIES)
    ),
    "image_grid": lambda n: figures.image_grid(images(len(n), 3), title="Walks", row_names=n),
    "image_grids": lambda n: figures.image_grids(images(len(n), 2, 2), title="Components", names=n),
    "label_frequencies": lambda n: figures.label_frequencies(np.arange(1, len(n) + 1), label_names=n),
    "learning_curves": lambda n: figures.learning_curves(
        np.arange(5), {f"reconstruction/loss{name}": SERIES for name in n}
    ),
    "predicted_classes": lambda n: figures.predicted_classes(
        images(24), np.arange(24) % len(n), np.arange(24) % len(n), label_names=n
    ),
    "reliability_diagram": lambda n: figures.reliability_diagram(each(n, some_reliability)),
    "style_class_grid": lambda n: figures.style_class_grid(images(2, len(n)), label_names=n),
    "sweep_figure": lambda n: figures.sweep_figure(each(n, lambda: SERIES), SERIES),
    "transfer_results": lambda n: figures.transfer_results(
        each(n, lambda: [("codes", {"auroc": 0.9, "accuracy": 0.8}, {"auroc": 0.7, "accuracy": 0.6})])
    ),
}
"""Each function that takes any number of names, by its own."""
SERIES_OF = {
    "transfer_results",
    "error_against_labels",
    "error_curves",
    "health_curves",
    "learning_curves",
    "reliability_diagram",
}


def chunks(function, names):
    """Return names as they go together: a legend has room for a few."""
    size = 3 if function in SERIES_OF else COUNT
    return [names[start : start + size] for start in range(0, COUNT, size)]


def read(figure):
    """Return all texts of a figure as they are drawn; no name in them is parsed."""
    texts = [text.get_text() for text in figure.findobj(Text)]
    return {text.replace(r"\$", "$") for text in texts if not is_math_text(text)}


def saved(figure, folder):
    figures.save_figure(figure, folder / "a")
    assert (folder / "a.png").read_bytes().startswith(b"\x89PNG")
    ElementTree.parse(folder / "a.svg")
    return read(figure)


@pytest.mark.parametrize("function", BY_NAMES)
def test_names_are_drawn_as_they_are(function, tmp_path):
    """Warnings are errors here: a glyph that no font has is none, nor a figure whose names leave it no room."""
    found = set()
    for names in chunks(function, list(NAMES)):
        with drawing():
            figure = BY_NAMES[function](names)
        found |= saved(figure, tmp_path)
    for shown in filter(None, NAMES.values()):
        if function == "learning_curves":
            shown = f"reconstruction{shown}".replace("_", " ")
        assert any(text.strip().startswith(shown) for text in found), shown


@pytest.mark.parametrize("function", sorted(BY_NAMES.keys() - {"code_map"}))
def test_names_of_any_length_leave_room(function, tmp_path):
    for count in (2, 3 if function in SERIES_OF else COUNT):
        found = saved(BY_NAMES[function]([str(number) * 10_000 for number in range(count)]), tmp_path)
        assert max(map(len, found)) < 130
        assert any("1111" in text and " … " in text for text in found)


def test_every_function_that_takes_names_is_among_them():
    others = {"code_histograms", "first_layer_features", "histogram", "latent_interpolation", "reconstructions"}
    others |= {"save_figure", "train_and_validation_error", "validation_error", "MAX_IMAGES"}
    assert set(figures.__all__) == {*BY_NAMES, *others}


@pytest.mark.parametrize("name", NAMES)
def test_the_names_of_rows_and_milestones_are_drawn_as_they_are(name, tmp_path):
    shown = NAMES[name]
    figure = figures.reconstructions(images(1), images(1), names=("original", name))
    assert shown in saved(figure, tmp_path)
    curves = {"ours": (np.arange(1, 6), SERIES)}
    figure = figures.error_curves(curves, milestones=[(1, 0.5)], milestones_label=name)
    assert shown in {text.strip() for text in saved(figure, tmp_path)}


@settings(deadline=None, max_examples=300)
@given(st.text(st.characters(codec=None, categories=None), max_size=80))
def test_any_text_is_literal(text):
    shown = literal(text)
    assert not is_math_text(shown)
    drawn = shown.replace(r"\$", "$")
    assert len(drawn) <= 48
    assert drawn.encode().decode() == drawn
    assert not set(drawn) & {*map(chr, range(32)), "\u202e", "\ufffe", "\uffff"}
    if text.isprintable() and len(text) <= 48:
        assert drawn == text
    assert not legend_name(text).startswith("_")


def test_random_characters_of_all_planes_can_be_drawn(tmp_path):
    codes = GENERATOR.integers(1, 0x110000, (30, 8))
    figure = figures.label_frequencies(np.ones(30), label_names=["".join(map(chr, row)) for row in codes])
    assert len(saved(figure, tmp_path)) >= len(codes)


def test_mathematics_of_our_own_is_still_mathematics():
    axes = figures.image_grid(images(2, 2), title="$z_1$ from 0", across="$z_1$").axes[0]
    assert (axes.figure.get_suptitle(), axes.get_xlabel()) == ("$z_1$ from 0", "$z_1$")
    assert caption("$z_1$ \n $z_2$") == "$z_1$ \n $z_2$"


@pytest.mark.parametrize("title", ["$\\frac{1$", "$10k_$", "a$b^$"])
def test_a_title_that_is_no_mathematics_is_drawn_as_it_is(title, tmp_path):
    figure = figures.histogram([1.0, 2.0], title=title, xlabel=title)
    assert title in saved(figure, tmp_path)


def test_a_style_file_with_tex_changes_nothing(tmp_path):
    """A user's matplotlibrc may turn on LaTeX, which is seldom there and takes underscores for mathematics."""
    names = ["a_b", "50 %"]
    plain, with_tex = tmp_path / "plain", tmp_path / "tex"
    for folder, style in ((plain, {}), (with_tex, {"text.usetex": True, "text.parse_math": False})):
        with matplotlib.rc_context(style), drawing():
            figures.save_figure(figures.label_frequencies([1, 2], label_names=names), folder / "a")
    for name in ("a.png", "a.svg"):
        assert (plain / name).read_bytes() == (with_tex / name).read_bytes()


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_a_figure_becomes_bytes(kind, start):
    assert draw_bytes(lambda: BY_NAMES["label_frequencies"](list(NAMES)), kind).startswith(start)


def test_a_saved_figure_replaces_a_link_and_leaves_its_target(tmp_path):
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "a.png").symlink_to(tmp_path / "kept")
    saved(BY_NAMES["ablation"](["a"]), tmp_path)
    assert not (tmp_path / "a.png").is_symlink()
    assert (tmp_path / "kept").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.svg", "kept"]


UNKNOWN = "module://matplotlib_inline.backend_inline"


@pytest.mark.parametrize(
    ("wanted", "selected"), [(UNKNOWN, "agg"), pytest.param("svg", "svg", marks=pytest.mark.slow)]
)
def test_any_backend_of_the_environment_can_be_inherited(wanted, selected):
    code = (
        "import os\n"
        "from aae_jax import figures\n"
        "import matplotlib\n"
        "print(os.environ['MPLBACKEND'], matplotlib.rcParams['backend'])"
    )
    environment = {**os.environ, "MPLBACKEND": wanted}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout == f"{wanted} {selected}\n"
    assert result.stderr == ""
