"""Train the rows of a published table and record each in one JSON file.

Finished rows are not trained again, stopped ones continue; the same command does both.
"""

import dataclasses
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax.numpy as jnp

from aae_jax.config import RunConfig
from aae_jax.config.text import differences, from_mapping, read_yaml
from aae_jax.errors import InputError, known_name
from aae_jax.models import find_model
from aae_jax.models.shared.plan import main_plan
from aae_jax.models.spec import ModelSpec
from aae_jax.run.arguments import parse, run_guarded
from aae_jax.run.console import Console, DataReporter
from aae_jax.run.flags import parse_flags
from aae_jax.run.run import FAILED, launch
from aae_jax.run.run_dir import CONFIG_FILE, SUMMARY_FILE, write_text
from aae_jax.run.setup import build_setup, load_data
from aae_jax.train.compile_cache import keep_compiled_programs
from aae_jax.train.fit import compile_epoch
from reproduce.models import ModelRow
from reproduce.recording import PLAN_FILE, record
from reproduce.tables import TABLES, AnyRow, choose_rows

__all__ = ["Flags", "epochs_within", "main"]

BAD_INPUT = 2
TIMED_UPDATES = 20


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What is trained, for how long, and where its numbers go."""

    table: str = "few-labels"
    """The table: few-labels, ablation, paper-settings, label-counts, subsets, other-data, earlier (implementations),
    or models, whose figures are the gallery."""
    recipe: Literal["faithful", "best"] | None = None
    """Its rows of one recipe only: the paper's settings, or ours."""
    rows: tuple[str, ...] = ()
    """Its rows of these names only."""
    budget_minutes: float | None = None
    """Minutes of training for a row: as many passes as they hold for all seeds. Default: the row's own number."""
    num_seeds: int | None = None
    """Subsets of labelled images, each with its own weights: seeds 0, 1, … Default: 3; in the tables models and
    earlier the row's own number."""
    dataset: str = "mnist"
    """The data, as training takes them; rows of the table other-data have their own."""
    data_dir: str | None = None
    """Folder for data. Also from $AAE_DATA_DIR."""
    out_dir: str | None = None
    """Folder for the runs. Default: runs/<table>."""
    results_dir: str | None = None
    """Folder for the numbers. Default: results/<table>, which pages are made from; with another --dataset than
    mnist, and with --no-test, <out-dir>/results."""
    test: bool = True
    """Evaluate the test images at the end. Without it, and by the tables ablation and paper-settings, they are never
    looked at: for choosing settings."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command `reproduce` and return its exit status, as `semi_supervised` does."""
    arguments = sys.argv[1:] if argv is None else list(argv)

    def command() -> int:
        keep_compiled_programs()
        return run(parse_flags(Flags, arguments, prog="reproduce", description=__doc__ or "", default=None))

    return run_guarded(command)


def run(flags: Flags) -> int:
    """Train what is missing, row by row, and record each row as it ends."""
    console = Console()
    flags = dataclasses.replace(flags, table=known_name(flags.table, TABLES))
    rows = choose_rows(flags.table, flags.recipe, flags.rows)
    if flags.budget_minutes is not None and not 0 < flags.budget_minutes < math.inf:
        raise InputError(f"--budget-minutes is {flags.budget_minutes}; give a number above 0.")
    if flags.num_seeds is not None and not 1 <= flags.num_seeds <= 1000:
        raise InputError(f"--num-seeds is {flags.num_seeds}; give a number from 1 to 1000.")
    runs = Path(flags.out_dir or f"runs/{flags.table}")
    published = flags.dataset == "mnist" and flags.test
    default = Path("results") / flags.table.replace("-", "_") if published else runs / "results"
    results = default if flags.results_dir is None else Path(flags.results_dir)
    left = [row for row in rows if not (runs / row.name / "run" / SUMMARY_FILE).is_file()]
    if any(isinstance(row, ModelRow) for row in left):  # report missing data only once
        load_data(
            parse(_experiment(left[0]), _arguments(left[0], flags, left[0].epochs)).config, DataReporter(console)
        )
    worst = 0
    for number, row in enumerate(rows, start=1):
        console.say(f"row {number} of {len(rows)}: {row.name}")
        status = _train(row, flags, runs / row.name, console) if _can_be_had(row, flags, console) else BAD_INPUT
        # Losses turned non-finite, a disk is full, a row's own data are missing, or too few for it: others may work.
        if status == FAILED or (status == BAD_INPUT and (row.dataset is not None or isinstance(row, ModelRow))):
            worst = status
            continue
        if status != 0:
            return status
        try:
            path = record(row, runs / row.name, results, console)
        except InputError as error:  # a figure of the gallery is missing; the other rows are trained all the same
            console.notice(f"row {row.name} is not recorded: {error}")
            worst = BAD_INPUT
            continue
        console.say(f"recorded in {path}")
        console.say()
    return worst


def _can_be_had(row: AnyRow, flags: Flags, console: Console) -> bool:
    """Return whether a row's own data can be loaded, and report why not; data of the flags raise later."""
    if row.dataset is None:
        return True
    config = parse(_experiment(row), _arguments(row, flags, row.epochs)).config
    try:
        load_data(config, DataReporter(console))
    except InputError as error:
        console.notice(f"row {row.name} is left out: {error}")
        return False
    return True


def _experiment(row: AnyRow) -> ModelSpec:
    spec = find_model(row.experiment).spec
    assert isinstance(spec, ModelSpec), row.experiment
    return spec


def _seeds(row: AnyRow, flags: Flags) -> int:
    return row.seeds if flags.num_seeds is None else flags.num_seeds


def _arguments(row: AnyRow, flags: Flags, epochs: int) -> list[str]:
    where = ["--dataset", row.dataset or flags.dataset, *(["--data-dir", flags.data_dir] if flags.data_dir else [])]
    seeds = ["--num-seeds", str(_seeds(row, flags)), *([] if flags.test else ["--no-test"])]
    return [*row.arguments(epochs), *where, *seeds]


def _train(row: AnyRow, flags: Flags, folder: Path, console: Console) -> int:
    """Train a row into `folder`, or continue what was stopped there."""
    epochs = _planned_epochs(row, flags, folder, console)
    argv = _arguments(row, flags, epochs)
    if (folder / "run" / CONFIG_FILE).exists():
        _refuse_other_run(_experiment(row), argv, folder / "run")
        argv = ["--resume", str(folder / "run")]
    else:
        argv = [*argv, "--out-dir", str(folder / "run")]
    return launch(_experiment(row), argv, launcher=f"python experiments/{row.experiment}.py")


def _refuse_other_run(experiment: ModelSpec, argv: Sequence[str], folder: Path) -> None:
    """Refuse to continue a run of other settings than those requested."""
    wanted = parse(experiment, argv).config
    trained = from_mapping(type(wanted), read_yaml(folder / CONFIG_FILE))
    changed = [name for name in differences(wanted, trained) if _chosen(wanted, name)]
    if changed:
        raise InputError(
            f"{folder} holds a run with other {', '.join(changed)}; remove it, or give --out-dir another folder."
        )


def _chosen(config: RunConfig, name: str) -> bool:
    """Return whether a setting was given, not left to the data or the device."""
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return value not in (None, "auto")


def _planned_epochs(row: AnyRow, flags: Flags, folder: Path, console: Console) -> int:
    """Return how many passes the row makes, as planned when its run started; the plan is kept in its folder."""
    path, asked = folder / PLAN_FILE, {"budget_minutes": flags.budget_minutes, "num_seeds": _seeds(row, flags)}
    if path.exists() and (folder / "run" / CONFIG_FILE).exists():
        try:
            plan = json.loads(path.read_text(encoding="utf-8"))
            epochs, began = int(plan["epochs"]), {name: plan[name] for name in asked}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} cannot be read ({error}); remove {folder} and start over.") from error
        if began != asked:
            raise InputError(
                f"{folder} was started with {_described(began)}, not {_described(asked)}; "
                "give those, or --out-dir another folder."
            )
        if flags.budget_minutes is None and epochs != row.epochs:
            raise InputError(
                f"{folder} was started with {epochs} epochs, but the row has {row.epochs} now; "
                "remove it, or give --out-dir another folder."
            )
        return epochs
    plan = {"epochs": row.epochs, **asked}
    if flags.budget_minutes is not None:
        seconds = time_pass(_experiment(row), _arguments(row, flags, row.epochs), console)
        plan |= {"epochs": epochs_within(60 * flags.budget_minutes, seconds, row.epochs), "seconds_a_pass": seconds}
        console.say(f"budget   {plan['epochs']} of {row.epochs} epochs in {flags.budget_minutes:g} min")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(plan, indent=1) + "\n")
    return int(plan["epochs"])


def _described(plan: dict[str, Any]) -> str:
    minutes = plan["budget_minutes"]
    return f"{'no budget' if minutes is None else f'{minutes:g} minutes'} and {plan['num_seeds']} seeds"


def epochs_within(budget: float, seconds_a_pass: float, most: int) -> int:
    """Return how many passes fit into a budget of seconds: one at least, `most` at the most."""
    return max(1, min(most, int(budget / seconds_a_pass)))


def time_pass(experiment: ModelSpec, argv: Sequence[str], console: Console) -> float:
    """Return the seconds of a pass over the pool with all seeds, from a few updates of each."""
    setup = build_setup(experiment, parse(experiment, argv).config, DataReporter(console))
    plan = main_plan(setup)
    steps = min(TIMED_UPDATES, setup.steps_per_epoch)
    data = setup.data._replace(pool=setup.data.pool[: steps * setup.config.batch_size])
    state = plan.build_state()
    epoch, _ = compile_epoch(plan.train_epoch, state, data, plan.hyper, plan.keys)
    seconds = 0.0
    for number in range(2):  # the first is a warm-up
        started = time.perf_counter()
        state, _ = epoch(state, data, plan.hyper, plan.keys, jnp.asarray(number))
        int(state.step[0])  # waits for the state
        seconds = time.perf_counter() - started
    return seconds * setup.steps_per_epoch / steps
