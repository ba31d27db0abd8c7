"""Search for settings with Optuna, which is asked for many at once and told their scores: one compiled program."""

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aae_jax.api import configured
from aae_jax.data import Reporter
from aae_jax.errors import InputError, missing_extra
from aae_jax.models.spec import ModelSpec
from aae_jax.run.console import Console, DataReporter, ReporterConsole
from aae_jax.run.memory import refuse_files
from aae_jax.run.setup import load_data, prior_of
from aae_jax.run.sweep.members import parse_space
from aae_jax.run.sweep.settings import Range, swept_name
from aae_jax.run.sweep.trials import Trials, prepare_trials, try_settings
from aae_jax.text import quoted
from aae_jax.train.compile import require_device

__all__ = ["search"]

AT_ONCE = 10
Values = Range | list[float]


def search(
    experiment: str | ModelSpec | Any,
    data: Any = None,
    space: Mapping[str, Any] | None = None,
    *,
    trials: int = 20,
    at_once: int | None = None,
    study: Any = None,
    preset: str | None = None,
    seed: int | None = None,
    reporter: Reporter | None = None,
    **settings: Any,
) -> Any:
    """Search for the settings with the best score on validation images; return Optuna's study.

    Optuna (extra `optuna`) suggests `at_once` settings, which are trained in one program, as members of a sweep
    (`aae-jax train sweep`); with their scores it suggests the next ones. `study.best_params` are settings of `train`:
    `aae_jax.train(experiment, data, **study.best_params)`. The test images are not used.

    Args:
        experiment: As for `train`.
        data: As for `train`.
        space: By dotted name of a number that sweeps may vary: a range `(low, high)`, or `(low, high, "log")`; a list
            of values; or a text as of `--vary`, such as "0.1..0.5" or "1e-4..1e-2:log".
        trials: How many settings are trained.
        at_once: How many in one program. None: ten, or as many as fit into half of the free memory.
        study: A study to continue, such as `optuna.create_study(storage="sqlite:///s.db", load_if_exists=True,
            study_name="mine")`, which survives the end of the process. None: a new one, in memory, with Optuna's
            default sampler and the seed of the configuration.
        preset: As for `train`.
        seed: As for `train`; with `num_seeds`, a score is a mean over seeds.
        reporter: As for `train`.
        **settings: As for `train`.

    Returns:
        The study: `best_params`, `best_value`, `trials`. A trial whose losses became non-finite has failed.

    Raises:
        InputError: A name, a range, a setting or the data are unsuitable, or Optuna is not installed.
    """
    optuna = _optuna()
    require_device()
    console = Console() if reporter is None else ReporterConsole(reporter)
    spec, config, dataset = configured(experiment, data, preset=preset, seed=seed, settings=settings)
    refuse_files(config)
    if config.stream:
        raise InputError("A search trains many settings on images in memory; leave stream out.")
    ranges = _space(space, spec.config_class)
    _require_count("trials", trials)
    spec.validate(config)
    reports = DataReporter(console)
    prepared = prepare_trials(spec, config, dataset or load_data(config, reports), prior_of(config))
    for value in (0, -1):  # the ends of every range are settings, before anything long begins
        prepared.require({name: _ends(each)[value] for name, each in ranges.items()})
    size = _size(prepared, ranges, trials, at_once)
    if study is None:
        study = _new_study(optuna, f"{spec.name} {prepared.score}", config.seed)
    directions = [direction.name for direction in study.directions]
    if directions != ["MINIMIZE"]:
        raise InputError(
            f"The study has the directions {', '.join(directions)}, but {prepared.score} is one number, better when "
            "smaller; create another study."
        )
    _run(optuna, study, prepared, ranges, trials, size, console, reports)
    return study


def _run(
    optuna: Any,
    study: Any,
    prepared: Trials,
    ranges: Mapping[str, Values],
    trials: int,
    size: int,
    console: Console,
    reporter: Reporter,
) -> None:
    """Ask for settings, train them, and tell their scores, until all trials are done."""
    failed = optuna.trial.TrialState.FAIL
    for first in range(0, trials, size):
        asked: list[Any] = []
        open_trials: list[Any] = []
        count = min(size, trials - first)
        console.say(f"trials {first + 1} to {first + count} of {trials}")
        try:
            for _ in range(count):
                trial = study.ask()
                open_trials.append(trial)
                _suggest(trial, ranges)
                try:  # a trial that the user enqueued may have any value
                    prepared.require(trial.params)
                    asked.append(trial)
                except InputError as error:
                    console.say(f"trial {trial.number} failed: {error}")
                    study.tell(trial, state=failed)
                    open_trials.remove(trial)
            settings = [trial.params for trial in asked]
            scores = try_settings(prepared, settings, size, console, reporter) if settings else []
            for trial, score in zip(asked, scores, strict=True):
                study.tell(trial, score) if score is not None else study.tell(trial, state=failed)
                open_trials.remove(trial)
        finally:  # an interrupted search leaves no trial that seems to be running
            for trial in open_trials:
                study.tell(trial, state=failed)
        done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        if done:
            listed = ", ".join(f"{name} {value:.4g}" for name, value in study.best_params.items())
            console.say(f"best {prepared.score.replace('_', ' ')} so far {study.best_value:.5g}: {listed}")


def _new_study(optuna: Any, name: str, seed: int) -> Any:
    """Return a study in memory, without the line that Optuna writes."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        return optuna.create_study(direction="minimize", sampler=sampler, study_name=name)
    finally:
        optuna.logging.set_verbosity(verbosity)


def _optuna() -> Any:
    """Import Optuna.

    Raises:
        InputError: It is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise missing_extra("Optuna", "optuna") from error
    return optuna


def _space(space: Mapping[str, Any] | None, config_class: type) -> dict[str, Values]:
    """Return the range or the values of every number.

    Raises:
        InputError: A name cannot vary, or its values are no range.
    """
    if not isinstance(space, Mapping) or not space:
        raise InputError('Nothing varies; give a space, such as {"views.noise_std": (0.1, 0.5)}.')
    found: dict[str, Values] = {}
    for given, values in space.items():
        name = swept_name(config_class, str(given))
        if name in found:
            raise InputError(f"The space has {name} twice; give its values once.")
        found[name] = parse_space([f"{name}={_as_text(name, values)}"], config_class)[name]
    return found


def _as_text(name: str, values: Any) -> str:
    """Return values in the form of `--vary`."""
    if isinstance(values, str):
        return values
    if isinstance(values, Range):
        return f"{values.low!r}..{values.high!r}{':log' if values.log else ''}"
    listed = values.tolist() if isinstance(values, np.ndarray) else values
    if isinstance(listed, (list, tuple)) and listed:
        pair, scale = (listed[:2], listed[2:]) if isinstance(listed, tuple) else (listed, ())
        if all(isinstance(value, numbers.Real) and not isinstance(value, bool) for value in pair):
            texts = [repr(value.item() if isinstance(value, np.generic) else value) for value in pair]
            if isinstance(listed, list):
                return ",".join(texts)
            if len(texts) == 2 and tuple(scale) in ((), ("log",)):
                return "..".join(texts) + (":log" if scale else "")
    raise InputError(
        f"The values of {name} are {quoted(values)}; give (low, high), (low, high, 'log'), or a list of numbers."
    )


def _ends(values: Values) -> Sequence[float]:
    if not isinstance(values, Range):
        return values
    return (round(values.low), round(values.high)) if values.whole else (values.low, values.high)


def _suggest(trial: Any, ranges: Mapping[str, Values]) -> None:
    """Have Optuna suggest the values of a trial.

    Raises:
        InputError: The study has other kinds of values of a number, or it is told a value that there is not.
    """
    for name, values in ranges.items():
        try:
            if not isinstance(values, Range):
                trial.suggest_categorical(name, values)
            elif values.whole:
                trial.suggest_int(name, int(values.low), int(values.high), log=values.log)
            else:
                trial.suggest_float(name, values.low, values.high, log=values.log)
        except ValueError as error:
            raise InputError(f"The study does not fit the space: {error} ({name}); create another study.") from error


def _require_count(name: str, count: Any) -> None:
    if isinstance(count, bool) or not isinstance(count, numbers.Integral) or count < 1:
        raise InputError(f"{name} is {quoted(count)}; give a whole number from 1.")


def _size(prepared: Trials, ranges: Mapping[str, Values], trials: int, at_once: int | None) -> int:
    """Return how many settings are trained in one program."""
    if at_once is not None:
        _require_count("at_once", at_once)
        return min(at_once, trials)
    fits: int = prepared.most_at_once({name: max(_ends(values)) for name, values in ranges.items()})
    most: int = max(1, min(AT_ONCE, fits // prepared.config.num_seeds, trials))
    rounds = -(-trials // most)
    return -(-trials // rounds)  # chunks of nearly equal size
