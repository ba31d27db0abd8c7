"""Command-line parsing: defaults < preset < YAML file < flags; bad input gets one sentence and exit status 2."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, NamedTuple, NoReturn, TypeVar

import tyro
from jax.errors import JaxRuntimeError

from aae_jax.compat.yaml_settings import clusters_from_seed_yaml, from_seed_yaml, is_seed_yaml
from aae_jax.config.text import differences, from_mapping, read_yaml
from aae_jax.errors import InputError, StorageError
from aae_jax.files import refuse_links
from aae_jax.models import choose_preset
from aae_jax.models.clustering.config import ClusteringConfig
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig
from aae_jax.models.spec import ModelSpec
from aae_jax.priors.custom import names_sampler, with_kept_samples
from aae_jax.run.flags import parse_flags
from aae_jax.run.run_dir import CONFIG_FILE
from aae_jax.streams import complain, mute_output, say, standard_streams
from aae_jax.text import quoted

__all__ = ["Request", "RunFlags", "code_flags", "parse", "resumed_config", "resumed_folder", "run_guarded"]

NOT_WRITTEN = 1
BAD_INPUT = 2
INTERRUPTED = 130

SHORT_NAMES = {"--precision": "--network.precision"}
SECTIONS = {"network", "optimizers", "views", "weights", "averaging"}
"""Sections of every config.yaml since the first version; a file that has them all is a whole configuration."""


AnyConfig = TypeVar("AnyConfig")


@dataclass(frozen=True, kw_only=True)
class RunFlags(Generic[AnyConfig]):
    """Flags of every run, including those of its configuration; a command with more flags subclasses it."""

    config: Annotated[AnyConfig, tyro.conf.arg(name="")]
    preset: str = "default"
    """Named settings to start from; "list" prints them."""
    config_path: str | None = None
    """YAML file whose values override the preset; a run's config.yaml repeats that run."""
    out_dir: str | None = None
    """Folder for the results, new or empty. Default: runs/<experiment>/<time>-s<seed>."""
    resume: str | None = None
    """Folder of an interrupted run; training continues, bit for bit."""


class Request(NamedTuple):
    """Parsed command line; `resume` is the folder of an earlier run, `notes` are sentences to print."""

    config: Any
    out_dir: Path | None
    resume: Path | None
    launcher: str
    command: str
    notes: tuple[str, ...]
    flags: RunFlags[Any]


class _FirstParser(argparse.ArgumentParser):
    """Parser of the flags that set the defaults of the others: preset, YAML file and resumed run."""

    def error(self, message: str) -> NoReturn:
        """Raise `InputError` with one sentence."""
        raise InputError(f"{message}; --help lists the options.")


def parse(
    experiment: ModelSpec,
    argv: Sequence[str],
    *,
    prog: str | None = None,
    description: str | None = None,
    launcher: str | None = None,
    kind: Any = None,
) -> Request:
    """Parse the command line of an experiment.

    Args:
        experiment: Specification with the configuration class and the presets.
        argv: Flags.
        prog: Name of the command; None: the experiment's.
        description: First paragraph of --help; None: the experiment's.
        launcher: Command before the flags, printed in hints on how to resume.
        kind: Dataclass of the flags, for a command with more flags than `RunFlags`.

    Raises:
        InputError: A preset, key, flag or value is invalid.
        SystemExit: With status 0 after `--help`.
    """
    prog = prog or experiment.name
    launcher = launcher or f"python experiments/{prog}.py"
    kind = kind or RunFlags[experiment.config_class]  # type: ignore[name-defined]
    written = argv
    argv = [_full_name(argument, experiment) for argument in argv]
    first = _FirstParser(add_help=False, allow_abbrev=False)
    for name in ("preset", "config-path", "resume"):
        first.add_argument(f"--{name}", f"--{name.replace('-', '_')}", dest=name.replace("-", "_"))
    early, _ = first.parse_known_args(argv)
    if early.preset == "list":
        say(*(f"{name:10} {text}" for name, (_, text) in experiment.presets.items()))
        raise SystemExit(0)
    base = choose_preset(experiment.presets, early.preset or "default")
    notes: list[str] = []
    if early.config_path is not None:
        values = read_yaml(Path(early.config_path))
        base, notes = _read_config(experiment, values, base, early.preset)
        base = with_kept_samples(base, Path(early.config_path).parent)
    if early.resume is not None:
        base = resumed_config(experiment, Path(early.resume))
    said = experiment.description if description is None else description
    flags: RunFlags[Any] = parse_flags(kind, argv, prog=prog, description=said, default=kind(config=base))
    experiment.validate(flags.config)
    refuse_code(base if early.resume is None else with_kept_samples(base, Path(early.resume)), argv)
    if flags.resume is not None:
        _refuse_changes(flags, early, base)
    return Request(
        flags.config,
        None if flags.out_dir is None else Path(flags.out_dir),
        None if flags.resume is None else Path(flags.resume),
        launcher,
        f"{launcher} {shlex.join(written)}".rstrip(),
        tuple(notes),
        flags,
    )


def code_flags(config: Any) -> str:
    """Return the flags that a resumed run has to repeat, because they name code, with a space before each."""
    return "".join(f" --{option} {shlex.quote(value)}" for option, value in _named_code(config).items())


def _named_code(config: Any) -> dict[str, str]:
    """Return the options of a configuration that name code to run."""
    named = {} if config.views.transform is None else {"views.transform": config.views.transform}
    return {"prior.file": config.prior.file, **named} if names_sampler(config) else named


def refuse_code(config: Any, argv: Sequence[str]) -> None:
    """Reject a configuration from a file or a run's folder that names code to run; only a command line may name it.

    Samples of a prior that are kept in a run folder are data, not code.

    Raises:
        InputError: The configuration names a function that the flags `argv` do not name.
    """
    for option, value in _named_code(config).items():
        if not any(flag.startswith(f"--{option}") for flag in argv):
            raise InputError(
                f"{option} is {quoted(value)}, but code runs only if the command line names it; give --{option} "
                "too if you trust that file."
            )


def resumed_folder(argv: Sequence[str]) -> Path | None:
    """Return the folder that a command line resumes; None if it starts something new."""
    first = _FirstParser(add_help=False, allow_abbrev=False)
    first.add_argument("--resume")
    folder = first.parse_known_args(list(argv))[0].resume
    return None if folder is None else Path(folder)


def _full_name(argument: str, experiment: ModelSpec) -> str:
    """Replace a short or earlier name of a flag by its current full name."""
    name, equals, value = argument.partition("=")
    if not name.startswith("--"):
        return argument
    renamed = getattr(experiment.config_class, "RENAMED", {})
    earlier = {_as_flag(old): _as_flag(new) for old, new in renamed.items()}
    name = earlier.get(name.replace("_", "-"), name)
    return SHORT_NAMES.get(name, name) + equals + value


def _as_flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _read_config(
    experiment: ModelSpec, values: Mapping[Any, Any], base: Any, preset_name: str | None
) -> tuple[Any, list[str]]:
    """Return the configuration of a YAML file, and notes on its unused settings."""
    kind = experiment.config_class
    if is_seed_yaml(values):
        if kind not in (SemiSupervisedConfig, ClusteringConfig):
            raise InputError(
                "The file belongs to adversarial-autoencoder-classifier and configures other models; give it to "
                "semi_supervised or clustering."
            )
        known = base if preset_name is not None else choose_preset(experiment.presets, "shaharazulay")
        read = from_seed_yaml if kind is SemiSupervisedConfig else clusters_from_seed_yaml
        return read(values, known)
    if preset_name is None and set(values) >= SECTIONS:
        base = kind(judge_updates=0)  # options missing from the file are newer than it, and were off
    return from_mapping(kind, values, base=base), []


def resumed_config(experiment: ModelSpec, folder: Path) -> Any:
    """Read the configuration in a run folder; it alone determines a resumed run.

    Raises:
        InputError: It is no run folder, contains links or special files, or has an invalid configuration.
    """
    path = folder / CONFIG_FILE
    if not os.path.isfile(path):
        raise InputError(f"{folder} is not the folder of a run ({CONFIG_FILE} is missing); name one to --resume.")
    refuse_links(folder)
    return from_mapping(experiment.config_class, read_yaml(path))


def _refuse_changes(flags: RunFlags[Any], early: argparse.Namespace, base: Any) -> None:
    changed = differences(base, flags.config)
    if early.preset is not None or early.config_path is not None:
        changed = [*changed, "preset or config-path"]
    if changed:
        raise InputError(
            f"A run is resumed with its own configuration, but {', '.join(changed)} would change; "
            "give --resume alone, or start a new run."
        )
    if flags.out_dir is not None:
        raise InputError(
            f"--out-dir {flags.out_dir} cannot be combined with --resume, which continues in the run's folder; leave "
            "it out."
        )


def run_guarded(function: Callable[[], int]) -> int:
    """Call a function and return its exit status, or one for its error, with a sentence on standard error.

    2: invalid input. 1: a run cannot be written. 130: Ctrl-C.
    """
    with standard_streams():
        status = _status_of(function)
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except (OSError, ValueError) as error:
            mute_output()
            if status == 0 and not isinstance(error, BrokenPipeError):
                complain(f"error: standard output did not accept everything that was printed ({error}).")
            return status or NOT_WRITTEN
        return status


def _status_of(function: Callable[[], int]) -> int:
    try:
        return function()
    except InputError as error:
        complain(f"error: {error}")
        return BAD_INPUT
    except StorageError as error:
        complain(f"error: {error}; what was saved before is intact, and --resume continues a run from it.")
        return NOT_WRITTEN
    except MemoryError:
        return _out_of_memory()
    except BrokenPipeError:
        mute_output()  # the reader is gone; do not flush again at exit
        return NOT_WRITTEN
    except OSError as error:
        complain(f"error: {error}.")
        return BAD_INPUT
    except JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return _out_of_memory()
    except KeyboardInterrupt:
        complain("\nstopped at once; a run that has saved a checkpoint continues with --resume FOLDER")
        return INTERRUPTED


def _out_of_memory() -> int:
    complain("error: memory is exhausted; give smaller widths, fewer seeds, or a smaller batch.")
    return BAD_INPUT
