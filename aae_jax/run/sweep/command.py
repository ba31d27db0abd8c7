"""Hyperparameter sweep of a model: settings compared on the validation images; the test images are not used.

The model is named first, e.g. `sweep clustering --vary …`; without a name it is `semi_supervised`.
"""

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from aae_jax.data import Dataset
from aae_jax.errors import InputError
from aae_jax.evaluation import exact_share
from aae_jax.models import MODELS, find_model
from aae_jax.models.shared.class_frequencies import announce_frequencies
from aae_jax.models.shared.splits import indices_for_seed, split_for_seed
from aae_jax.models.spec import ModelSpec
from aae_jax.plotting_backend import neutral_backend
from aae_jax.priors.custom import keep_samples, with_kept_samples
from aae_jax.priors.prior import Prior
from aae_jax.records import read_record
from aae_jax.run.arguments import AnyConfig, Request, RunFlags, code_flags, parse, resumed_folder, run_guarded
from aae_jax.run.callbacks import AllSeedsFailed
from aae_jax.run.console import Console, DataReporter
from aae_jax.run.event_log import require_tensorboard
from aae_jax.run.run_dir import SIGNALLED, SWEEP_FILE, RunFolder, open_run_folder, write_text
from aae_jax.run.setup import adapted, load_data, prior_of, settle
from aae_jax.run.sweep.members import (
    Member,
    chunk_size,
    members_of,
    parse_space,
    prepare_chunk,
)
from aae_jax.run.sweep.results import TABLE_FILE, closing_lines, read_results, rows_of, score_name, write_results
from aae_jax.run.sweep.settings import Range, apply_setting, grid, program_of, random_search
from aae_jax.run.trainer import Outcome, Stopped, Trainer
from aae_jax.text import quoted
from aae_jax.train.compile import require_device
from aae_jax.train.compile_cache import keep_compiled_programs

__all__ = ["main", "parse_sweep", "run"]

RESULT_FILE = "result.json"
DEFAULT = "semi_supervised"
"""Model of a sweep that names none, and of sweeps of earlier versions."""


@dataclass(frozen=True, kw_only=True)
class SweepFlags(RunFlags[AnyConfig]):
    """Flags of a run, and the numbers that vary."""

    vary: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUES")] = ()
    """Numbers to vary: NAME=V1,V2 or NAME=LOW..HIGH or NAME=LOW..HIGH:log, one or more; every combination is
    trained. Names as in config.yaml, e.g. views.noise_std=0.1,0.3 averaging.decay=0.99..0.9999:log."""
    random: int | None = None
    """Draw this many settings from the ranges instead of training every combination."""
    random_seed: int = 0
    """Seed of the drawn settings."""
    memory_gib: float | None = None
    """Memory for the members of one program, in GiB. Default: half of the free memory."""


@dataclass(frozen=True)
class Sweep:
    """Plan of a sweep: settings, their members, and the number of members per program."""

    spec: ModelSpec
    request: Request
    dataset: Dataset
    settings: list[dict[str, float]]
    members: list[Member]
    size: int
    prior: Prior | None

    @property
    def chunks(self) -> list[list[int]]:
        """Return the members' numbers by chunk: compatible members together, in chunks of nearly equal size."""
        kinds: dict[tuple[Any, ...], list[int]] = {}
        for number, member in enumerate(self.members):
            kind = program_of(apply_setting(self.spec, self.request.config, self.settings[member.setting]))
            kinds.setdefault(kind, []).append(number)
        chunks = []
        for numbers in kinds.values():
            size = -(-len(numbers) // -(-len(numbers) // self.size))
            chunks += [numbers[begin : begin + size] for begin in range(0, len(numbers), size)]
        return chunks


def main(argv: Sequence[str] | None = None, *, launcher: str | None = None) -> int:
    """Run the command `sweep` and return its exit status, as `semi_supervised` does.

    1: every member of the sweep became non-finite, or a file could not be written.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)

    def command() -> int:
        keep_compiled_programs()
        return run(*parse_sweep(arguments, launcher or "python experiments/sweep.py"))

    with neutral_backend():
        return run_guarded(command)


def parse_sweep(arguments: Sequence[str], launcher: str) -> tuple[ModelSpec, Request]:
    """Parse the command line of a sweep: the model's name, then flags.

    Raises:
        InputError: The model, a flag or a value is unknown, or a sweep of another model is resumed.
    """
    named = [arguments[0]] if arguments and not arguments[0].startswith("-") else []
    folder = resumed_folder(arguments)
    model = DEFAULT if folder is None else _model_of(folder)
    spec = find_model(named[0] if named else model).spec
    if folder is not None and spec.name != model:
        raise InputError(f"{folder} is the folder of a sweep of {model}, not of {spec.name}; give --resume alone.")
    kind = SweepFlags[spec.config_class]  # type: ignore[name-defined]
    prog, flags = " ".join([launcher, *named]), arguments[len(named) :]
    return spec, parse(spec, flags, prog=prog, description=__doc__ or "", launcher=prog, kind=kind)


def _model_of(folder: Path) -> str:
    """Return the model of the sweep in a folder.

    Raises:
        InputError: The folder has no sweep, or one of an unknown model.
    """
    try:
        model = read_record(folder / SWEEP_FILE).get("model", DEFAULT)
    except (InputError, OSError) as error:
        raise InputError(f"{folder} is not the folder of a sweep ({SWEEP_FILE} cannot be read); name one.") from error
    if model not in [entry.name for entry in MODELS]:
        raise InputError(f"{folder / SWEEP_FILE} names the unknown model {quoted(model)}; restore it.")
    return str(model)


def run(spec: ModelSpec, request: Request) -> int:
    """Train every member that is not yet trained, and write the sweep's table and figure."""
    console = Console()
    require_device()
    for note in request.notes:
        console.notice(note)
    request = request._replace(config=dataclasses.replace(request.config, test=False))
    if request.resume is not None and RunFolder(request.resume).finished and (request.resume / SWEEP_FILE).exists():
        console.say(f"The sweep in {request.resume} is finished; its results are in its {TABLE_FILE}.")
        return 0
    if request.config.tensorboard:
        require_tensorboard()
    if request.config.stream:
        raise InputError("A sweep trains many settings on images in memory; leave out --stream, or give --pool-size.")
    if request.resume is not None:
        request = request._replace(config=with_kept_samples(request.config, request.resume))
    prior = prior_of(request.config)  # before anything long begins
    sweep = _plan(spec, request, load_data(request.config, DataReporter(console)), prior)
    with open_run_folder(request.out_dir, request.resume, "sweep", request.config.seed) as folder:
        if request.resume is None:
            folder.write_config(request.config)
            keep_samples(prior, folder.path)
            plan = {
                "model": spec.name,
                "settings": sweep.settings,
                "size": sweep.size,
                "data_sha256": sweep.dataset.sha256,
            }
            write_text(folder.path / SWEEP_FILE, json.dumps(plan, indent=1) + "\n")
        return _run_in(folder, sweep, console)


def _plan(spec: ModelSpec, request: Request, dataset: Dataset, prior: Prior | None) -> Sweep:
    assert isinstance(request.flags, SweepFlags)
    memory = request.flags.memory_gib
    if request.resume is not None:
        settings, size = _read_plan(request.resume, request.flags, dataset)
    else:
        settings, size = _settings(spec, request.flags), None
    for setting in settings:  # report an invalid setting before anything is written
        config = apply_setting(spec, request.config, setting)
        for seed in range(config.seed, config.seed + config.num_seeds):
            indices_for_seed(config, dataset, seed)
    first = split_for_seed(apply_setting(spec, request.config, settings[0]), dataset, request.config.seed)
    spec = adapted(spec, dataset, first.validation_labels)
    request = request._replace(config=settle(spec, request.config, dataset, first.pool))
    if size is None:
        if memory is not None and not 0 < memory < 1e6:
            raise InputError(f"--memory-gib is {memory}; give a number above 0.")
        fullest = max(settings, key=lambda setting: sum(value > 0 for value in setting.values()))
        bound = None if memory is None else int(memory * 2**30)
        size = chunk_size(spec, request.config, dataset, fullest, prior, bound)
    members = members_of(len(settings), request.config)
    return Sweep(spec, request, dataset, settings, members, min(size, len(members)), prior)


def _settings(spec: ModelSpec, flags: SweepFlags[Any]) -> list[dict[str, float]]:
    space = parse_space(flags.vary, spec.config_class)
    if flags.random is not None:
        if flags.random < 1:
            raise InputError(f"--random is {flags.random}; give the number of settings to draw.")
        if flags.random_seed < 0:
            raise InputError(f"--random-seed is {flags.random_seed}; give a number from 0.")
        return random_search(space, flags.random, flags.random_seed)
    values = {name: values for name, values in space.items() if not isinstance(values, Range)}
    if len(values) < len(space):
        ranges = ", ".join(name for name in space if name not in values)
        raise InputError(f"{ranges} has a range, of which there is no every combination; give --random N.")
    return grid(values)


def _read_plan(folder: Path, flags: SweepFlags[Any], dataset: Dataset) -> tuple[list[dict[str, float]], int]:
    if flags.vary or flags.random is not None or flags.random_seed or flags.memory_gib is not None:
        raise InputError("A sweep is resumed with its own settings; give --resume alone.")
    try:
        plan = read_record(folder / SWEEP_FILE)
        settings, size, began_with = [dict(s) for s in plan["settings"]], int(plan["size"]), plan["data_sha256"]
        if size < 1 or not settings or any(set(setting) != set(settings[0]) for setting in settings):
            raise ValueError("it has no settings of one kind")
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise InputError(f"{folder} is not the folder of a sweep ({SWEEP_FILE} cannot be read); name one.") from error
    if began_with != dataset.sha256:
        raise InputError(
            f"The data have changed since the sweep began: SHA-256 {str(began_with)[:9]}… then, "
            f"{dataset.sha256[:9]}… now; bring the old ones back, or start a new sweep."
        )
    return settings, size


def _run_in(folder: RunFolder, sweep: Sweep, console: Console) -> int:
    seeds, score = sweep.request.config.num_seeds, score_name(sweep.spec)
    most = max(len(chunk) for chunk in sweep.chunks)
    console.say(f"sweep    {len(sweep.settings)} settings × {seeds} seeds, at most {most} in one program")
    console.say(f"folder   {folder.path}")
    results: list[dict[str, Any]] = []
    for number, chunk in enumerate(sweep.chunks):
        place = folder.path / "chunks" / f"{number:03d}"
        if not (place / RESULT_FILE).exists():
            console.say(f"chunk {number + 1} of {len(sweep.chunks)}: {len(chunk)} members")
            try:
                _train_chunk(RunFolder(place), sweep, chunk, console)
            except Stopped as stopped:
                code = code_flags(with_kept_samples(sweep.request.config, folder.path))
                console.say(f"saved; continue with: {sweep.request.launcher} --resume {folder.path}{code}")
                return SIGNALLED + stopped.signum
        results += read_results(place / RESULT_FILE, chunk, score)
    results.sort(key=lambda result: result["member"])
    rows = rows_of(sweep.settings, results, score)
    for notice in write_results(folder, sweep.spec, sweep.settings, results, rows, sweep.request.command):
        console.notice(notice)
    for line in closing_lines(sweep.spec, rows, results):
        console.say(line)
    console.say(f"  the test images were not evaluated; results in {folder.path}")
    return int(rows[0][score] is None)


def _train_chunk(folder: RunFolder, sweep: Sweep, chunk: list[int], console: Console) -> None:
    config, members = sweep.request.config, [sweep.members[number] for number in chunk]
    score = score_name(sweep.spec)
    reporter = DataReporter(console)
    setup, plan = prepare_chunk(
        sweep.spec, config, sweep.dataset, sweep.settings, members, chunk, sweep.prior, reporter
    )
    begun = folder.path.is_dir()
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.write_config(setup.config)
    if 0 in chunk:
        announce_frequencies(config, sweep.dataset, setup.validation_labels, setup.frequencies, reporter)
    console.setup = setup
    outcome: Outcome | None = None
    trainer = Trainer(setup, plan, folder, console)
    try:
        outcome = trainer.run(resume=begun, command=sweep.request.command)
    except AllSeedsFailed:
        console.say("Every member of the chunk has failed; the sweep goes on.")
    rows = folder.read_metrics()
    if outcome is not None and not rows:
        raise InputError(f"{folder.path} has lost its metrics.jsonl; remove that folder and resume.")
    last = rows[-1][score] if outcome is not None else [None] * len(chunk)
    best = np.asarray(trainer.best.error, dtype=float)
    if sweep.spec.score in sweep.spec.shares:
        best = exact_share(best, len(setup.validation_labels))
    results = []
    for index, number in enumerate(chunk):
        failed = trainer.failed.get(number)
        results.append(
            {
                "member": number,
                "setting": members[index].setting,
                "seed": members[index].seed,
                "labels": int(setup.data.num_labelled[index]) if setup.data.num_labelled is not None else None,
                score: None if failed else last[index],
                f"best_{score}": float(best[index]) if np.isfinite(best[index]) else None,
                "failed": failed,
                "updates": None if outcome is None else outcome.updates,
                "chunk_seconds": None if outcome is None else round(outcome.seconds, 2),
            }
        )
    write_text(folder.path / RESULT_FILE, json.dumps(results, indent=1) + "\n")
