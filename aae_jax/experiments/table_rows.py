"""The rows of the tables that `experiments/reproduce.py` trains: what each is called, and its flags.

A row is a run of the semi-supervised experiment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from aae_jax.errors import InputError, did_you_mean

__all__ = ["RECIPES", "TABLES", "Row", "choose_rows"]

Recipe = Literal["faithful", "best"]
RECIPES: tuple[Recipe, ...] = ("faithful", "best")
BEST_EPOCHS = 200
"""100,000 updates on MNIST."""
PAPER_EPOCHS = 5000
PAPER_DROPS = (50, 1000)
"""Passes after which the paper divides every rate by ten."""


@dataclass(frozen=True)
class Row:
    """One run: a preset with `flags`, of `epochs` passes over the pool unless a budget allows fewer."""

    name: str
    recipe: Recipe
    labels: int | Literal["all"]
    shifts: bool
    preset: str
    epochs: int
    flags: tuple[str, ...] = ()

    def arguments(self, epochs: int) -> list[str]:
        """Return the command line of the row when it makes so many passes."""
        schedule = _paper_schedule(epochs) if self.recipe == "faithful" else []
        length = ["--labels", str(self.labels), "--epochs", str(epochs)]
        return ["--preset", self.preset, *length, *schedule, *self.flags]


def _paper_schedule(epochs: int) -> list[str]:
    """Return the flags by which rates fall after the paper's numbers of passes, in a run of `epochs` passes.

    A run that ends before the first of them has a constant rate.
    """
    drops = [f"{after / epochs:.9g}" for after in PAPER_DROPS if after < epochs]
    kind = "steps" if drops else "constant"
    return ["--optimizers.schedule", kind, "--optimizers.drops", *drops]


def _faithful(labels: int | Literal["all"]) -> Row:
    flags = ("--network.precision", "auto")
    return Row(f"faithful-{labels}", "faithful", labels, False, "paper", PAPER_EPOCHS, flags)


def _best(labels: int | Literal["all"], *, shifts: bool) -> Row:
    name = f"best-{labels}-shifts" if shifts else f"best-{labels}"
    flags = ("--weights.propagation", "0") if labels == "all" else ()  # every label is known
    return Row(name, "best", labels, shifts, "few_labels_shifts" if shifts else "few_labels", BEST_EPOCHS, flags)


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

TABLES: dict[str, tuple[Row, ...]] = {"few-labels": FEW_LABELS}
"""Rows by table, in the order in which they are shown and trained."""


def choose_rows(table: str, recipe: str | None, names: Sequence[str]) -> tuple[Row, ...]:
    """Return the rows of a table that a user asks for: all, those of a recipe, or those named.

    Raises:
        InputError: There is no such table, recipe or row.
    """
    if table not in TABLES:
        raise InputError(f"There is no table {table!r}; {did_you_mean(table, list(TABLES))}")
    if recipe is not None and recipe not in RECIPES:
        raise InputError(f"There is no recipe {recipe!r}; {did_you_mean(recipe, RECIPES)}")
    rows = {row.name: row for row in TABLES[table] if recipe in (None, row.recipe)}
    for name in names:
        if name not in rows:
            raise InputError(f"There is no row {name!r} in that table; {did_you_mean(name, list(rows))}")
    return tuple(rows[name] for name in names) if names else tuple(rows.values())
