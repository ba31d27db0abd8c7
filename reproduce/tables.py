"""Rows of the tables that `experiments/reproduce.py` trains: their names and flags.

A row is a run of the semi-supervised experiment, or in the table of all models of any.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from aae_jax.errors import InputError, did_you_mean, known_name
from reproduce.earlier import EARLIER
from reproduce.models import MODELS, ModelRow

__all__ = ["RECIPES", "TABLES", "AnyRow", "Row", "choose_rows"]

Recipe = Literal["faithful", "best"]
Labels = int | Literal["all"]
RECIPES: tuple[Recipe, ...] = ("faithful", "best")
BEST_EPOCHS = 200
"""100,000 updates on MNIST."""
ABLATION_EPOCHS = 8
"""4,000 updates on MNIST."""
HALF_WIDTH = {"few_labels": ("500", "250", "125"), "few_labels_shifts": ("500", "250", "125")}
"""Half the widths of the presets' hidden layers; of the others 500 and 500."""
PAPER_EPOCHS = 5000
PAPER_DROPS = (50, 1000)
"""Passes after which the paper divides every rate by ten."""
PAPERS_OPTIMIZER = ("--optimizers.schedule", "constant", "--optimizers.drops")
"""With the paper's small initial weights: with He's its rates make every loss infinite within thirty updates."""


@dataclass(frozen=True)
class Row:
    """One run: a preset with `flags`, of `epochs` passes over the pool unless a budget allows fewer."""

    name: str
    recipe: Recipe
    labels: Labels
    shifts: bool
    preset: str
    epochs: int
    flags: tuple[str, ...] = ()
    tested: bool = True
    """False: the test images are never looked at, as settings are compared by it."""
    dataset: str | None = None
    """Its own data, whatever the command's flags say."""
    experiment: ClassVar[str] = "semi_supervised"
    seeds: ClassVar[int] = 3
    half_width: bool = False
    """Hidden layers of half the preset's width, adversaries of 250, and the precision that is fast on the device."""

    def arguments(self, epochs: int) -> list[str]:
        """Return the command line of the row when it makes so many passes."""
        schedule = _paper_schedule(epochs) if self.recipe == "faithful" else []
        length = ["--labels", str(self.labels), "--epochs", str(epochs)]
        tested = [] if self.tested else ["--no-test"]
        return ["--preset", self.preset, *length, *self._widths(), *schedule, *self.flags, *tested]

    def _widths(self) -> list[str]:
        if not self.half_width:
            return []
        hidden = HALF_WIDTH.get(self.preset, ("500", "500"))
        adversaries = ["--network.discriminator-hidden", "250", "250", "--network.precision", "auto"]
        return ["--network.hidden", *hidden, *adversaries]


def _paper_schedule(epochs: int) -> list[str]:
    """Return the flags by which rates fall after the paper's numbers of passes, in a run of `epochs` passes.

    A run that ends before the first of them has a constant rate.
    """
    drops = [f"{after / epochs:.9g}" for after in PAPER_DROPS if after < epochs]
    kind = "steps" if drops else "constant"
    return ["--optimizers.schedule", kind, "--optimizers.drops", *drops]


def _faithful(labels: Labels) -> Row:
    flags = ("--network.precision", "auto")
    return Row(f"faithful-{labels}", "faithful", labels, False, "paper", PAPER_EPOCHS, flags)


def _best(labels: Labels, *, shifts: bool) -> Row:
    name = f"best-{labels}-shifts" if shifts else f"best-{labels}"
    preset = "few_labels_shifts" if shifts else "few_labels"
    return Row(name, "best", labels, shifts, preset, BEST_EPOCHS, _known(labels))


def _known(labels: Labels) -> tuple[str, ...]:
    """Return the flags of a preset with propagated labels: none are propagated where every label is known."""
    return ("--weights.propagation", "0") if labels == "all" else ()


FEW_LABELS = (
    _faithful(100),
    _faithful(1000),
    _faithful("all"),
    _best(100, shifts=False),
    _best(1000, shifts=False),
    _best("all", shifts=False),
    _best(100, shifts=True),
    _best(1000, shifts=True),
)


def _ablation(
    name: str, *flags: str, preset: str = "few_labels", labels: Labels = 100, epochs: int = ABLATION_EPOCHS
) -> Row:
    return Row(name, "best", labels, "shifts" in name, preset, epochs, flags, tested=False, half_width=True)


ABLATION = (
    _ablation("as-it-is"),
    _ablation("no-propagated-labels", "--weights.propagation", "0"),
    _ablation("no-adversarial-direction", "--weights.adversarial-norm", "0"),
    _ablation("no-consistency", "--weights.consistency", "0", "--weights.adversarial-norm", "0"),
    _ablation("two-equal-layers", "--network.hidden", "500", "500"),
    _ablation("fast-reconstruction", "--optimizers.reconstruction.learning-rate", "1e-3"),
    _ablation("no-batch-norm", "--network.no-batch-norm"),
    _ablation("no-noise", "--views.noise-std", "0"),
    _ablation("no-reconstruction", "--optimizers.reconstruction.learning-rate", "0"),
    _ablation("no-label-adversary", "--weights.generator-y", "0"),
    _ablation("no-style-adversary", "--weights.generator-z", "0"),
    _ablation("constant-rate", "--optimizers.schedule", "constant"),
    _ablation("with-shifts", preset="few_labels_shifts"),
    _ablation("plain", preset="plain"),
    _ablation("plain-the-papers-optimizer-and-weights", *PAPERS_OPTIMIZER, preset="paper"),
    _ablation("plain-a-quarter-of-the-updates", preset="plain", epochs=ABLATION_EPOCHS // 4),
    _ablation("plain-batch-norm", "--network.batch-norm", preset="plain"),
    _ablation("plain-no-noise", "--views.noise-std", "0", preset="plain"),
    _ablation("plain-softmax-twice", "--weights.softmax-twice", preset="plain"),
    _ablation("plain-prior-std-5", "--weights.prior-std", "5", preset="plain"),
    _ablation("plain-labels-drawn-anew", "--labelled-batch-size", "20", preset="plain", labels="all"),
)
"""What each ingredient of `few_labels` is worth, and how earlier implementations differ: `plain` is the paper's
five phases alone, with Adam. Labels drawn again for each batch are in the end all labels, twenty at a time."""

PAPER_SETTINGS = tuple(
    Row(name, "faithful", 100, False, "paper", ABLATION_EPOCHS, flags, tested=False, half_width=True)
    for name, flags in (
        ("as-the-preset", ()),
        ("linear-output", ("--network.output", "linear")),
        ("noise-in-reconstruction-alone", ("--views.noise-in", "reconstruction")),
        ("reconstruction-rate-of-a-mean", ("--optimizers.reconstruction.learning-rate", f"{0.01 / 392:.3g}")),
    )
)
"""What is not known of the paper's settings: its output, where its noise is, and whether its rate belongs to half the
sum of squares or to their mean over pixels, of which half the sum is 392 times as much. With other initial weights it
is a row of the ablation."""

COUNTS: tuple[Labels, ...] = (10, 30, 100, 300, 1000, 3000, 10_000, "all")


def _short(name: str, labels: Labels, shifts: bool) -> Row:
    preset = "few_labels_shifts" if shifts else "few_labels"
    return Row(name, "best", labels, shifts, preset, ABLATION_EPOCHS, _known(labels), half_width=True)


LABEL_COUNTS = tuple(
    _short(f"{labels}{'-shifts' if shifts else ''}", labels, shifts) for shifts in (False, True) for labels in COUNTS
)
"""Error against the number of labels, short runs at half width."""

SUBSETS = (_short("100", 100, False), _short("100-shifts", 100, True))
"""Ten subsets of a hundred labels (`--num-seeds 10`), short runs at half width."""

OTHER_DATA = (
    Row("digits-default", "best", 100, False, "default", 60, dataset="digits"),
    Row("digits-few-labels", "best", 100, False, "few_labels", 200, dataset="digits"),
    *(
        Row(f"{name}-{kind}", "best", 100, kind == "default", preset, ABLATION_EPOCHS, dataset=data, half_width=True)
        for name, data in (("fashion", "fashion_mnist"), ("kmnist", "kmnist"))
        for kind, preset in (("default", "default"), ("few-labels", "few_labels"))
    ),
)
"""A check that nothing was chosen for MNIST alone; short runs at half width but for the small digits."""

AnyRow = Row | ModelRow

TABLES: dict[str, tuple[AnyRow, ...]] = {
    "few-labels": FEW_LABELS,
    "ablation": ABLATION,
    "paper-settings": PAPER_SETTINGS,
    "label-counts": LABEL_COUNTS,
    "subsets": SUBSETS,
    "other-data": OTHER_DATA,
    "models": MODELS,
    "earlier": EARLIER,
}
"""Rows by table, in the order in which they are shown and trained."""


def choose_rows(table: str, recipe: str | None, names: Sequence[str]) -> tuple[AnyRow, ...]:
    """Return the rows of a table that a user asks for: all, those of a recipe, or those named.

    Raises:
        InputError: There is no such table, recipe or row.
    """
    table = known_name(table, TABLES)
    if table not in TABLES:
        raise InputError(f"There is no table {table!r}; {did_you_mean(table, list(TABLES))}")
    if recipe is not None and recipe not in RECIPES:
        raise InputError(f"There is no recipe {recipe!r}; {did_you_mean(recipe, RECIPES)}")
    rows = {row.name: row for row in TABLES[table] if recipe in (None, row.recipe)}
    if not rows:
        raise InputError(f"The table {table} has no recipe {recipe!r}; leave it out.")
    names = [known_name(name, rows) for name in names]
    for name in names:
        if name not in rows:
            raise InputError(f"There is no row {name!r} in that table; {did_you_mean(name, list(rows))}")
    return tuple(rows[name] for name in names) if names else tuple(rows.values())
