"""Command lines: defaults < preset < YAML file < flags, and one sentence with exit status 2 for bad input."""

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
from aae_jax.priors.custom import refuse_sampler, with_kept_samples
from aae_jax.run.flags import parse_flags
from aae_jax.run.run_dir import CONFIG_FILE
from aae_jax.streams import complain, mute_output, say, standard_streams

__all__ = ["Request", "RunFlags", "parse", "resumed_config", "run_guarded"]

NOT_WRITTEN = 1
BAD_INPUT = 2
INTERRUPTED = 130

SHORT_NAMES = {"--precision": "--network.precision"}
SECTIONS = {"network", "optimizers", "views", "weights", "averaging"}
"""What every run's config.yaml has had since the first version: by them a whole configuration is known."""


AnyConfig = TypeVar("AnyConfig")


@dataclass(frozen=True, kw_only=True)
class RunFlags(Generic[AnyConfig]):
    """The flags of every run, those of its configuration among them; a command with more of them derives its own."""

    config: Annotated[AnyConfig, tyro.conf.arg(name="")]
    preset: str = "default"
    """Named settings to start from; "list" prints them."""
    config_path: str | None = None
    """YAML file over the preset; a run's config.yaml reruns it."""
    out_dir: str | None = None
    """Folder for the results; new or empty. Default: runs/<experiment>/<time>-s<seed>."""
    resume: str | None = None
    """Folder of a run that was stopped: go on with it, bit for bit."""


class Request(NamedTuple):
    """What the user asked for; `resume` names the folder of an earlier run, `notes` are to be said."""

    config: Any
    out_dir: Path | None
    resume: Path | None
    launcher: str
    command: str
    notes: tuple[str, ...]
    flags: RunFlags[Any]


class _FirstParser(argparse.ArgumentParser):
    """Reads the flags that decide what the others start from."""

    def error(self, message: str) -> NoReturn:
        """Refuse in a sentence."""
        raise InputError(f"{message}; --help lists what there is.")


def parse(
    experiment: ModelSpec,
    argv: Sequence[str],
    *,
    prog: str | None = None,
    description: str | None = None,
    launcher: str | None = None,
    kind: Any = None,
) -> Request:
    """Return the request that a command line makes of an experiment.

    Args:
        experiment: Whose configurations and presets there are.
        argv: The flags.
        prog: The command's name; None: the experiment's.
        description: What --help begins with; None: the experiment's.
        launcher: What stands before the flags, where a user is told to go on.
        kind: The class of the flags, where there are more than those of every run.

    Raises:
        InputError: A preset, key, flag or value that cannot be used.
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
    if not any(flag.startswith("--prior.file") for flag in argv):  # what the folder keeps is data, not code
        refuse_sampler(base if early.resume is None else with_kept_samples(base, Path(early.resume)))
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


def _full_name(argument: str, experiment: ModelSpec) -> str:
    """Return a flag by its full name of today, where a shorter or an earlier one is known too."""
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
    """Return the configuration of a YAML file, and notes on what of it is not used."""
    kind = experiment.config_class
    if is_seed_yaml(values):
        if kind not in (SemiSupervisedConfig, ClusteringConfig):
            raise InputError(
                "The file is of adversarial-autoencoder-classifier, and its settings are of other models; give it to "
                "semi_supervised or clustering."
            )
        known = base if preset_name is not None else choose_preset(experiment.presets, "shaharazulay")
        read = from_seed_yaml if kind is SemiSupervisedConfig else clusters_from_seed_yaml
        return read(values, known)
    if preset_name is None and set(values) >= SECTIONS:
        base = kind()  # options it lacks are younger than it, and were off
    return from_mapping(kind, values, base=base), []


def resumed_config(experiment: ModelSpec, folder: Path) -> Any:
    """Return the configuration that a run's folder holds, which nothing else decides when the run is resumed.

    Raises:
        InputError: It is not the folder of a run, holds something that is no file, or a configuration that is none.
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
        raise InputError(f"--out-dir {flags.out_dir} does not go with --resume, which goes on in its own folder.")


def run_guarded(function: Callable[[], int]) -> int:
    """Return the function's exit status; or, with a sentence, 2 for input that cannot be used, 1 where a run cannot
    be written, 130 after Ctrl-C.
    """
    with standard_streams():
        status = _status_of(function)
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except (OSError, ValueError) as error:
            mute_output()
            if status == 0 and not isinstance(error, BrokenPipeError):
                complain(f"error: standard output did not take all that was printed ({error}).")
            return status or NOT_WRITTEN
        return status


def _status_of(function: Callable[[], int]) -> int:
    try:
        return function()
    except InputError as error:
        complain(f"error: {error}")
        return BAD_INPUT
    except StorageError as error:
        complain(f"error: {error}; what was saved before is whole, and a run goes on from it by --resume.")
        return NOT_WRITTEN
    except MemoryError:
        return _out_of_memory()
    except BrokenPipeError:
        mute_output()  # nobody reads on; do not try again at exit
        return NOT_WRITTEN
    except OSError as error:
        complain(f"error: {error}.")
        return BAD_INPUT
    except JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return _out_of_memory()
    except KeyboardInterrupt:
        complain("\nstopped at once; a run that had saved goes on from there by --resume FOLDER")
        return INTERRUPTED


def _out_of_memory() -> int:
    complain("error: memory is exhausted; give smaller widths, fewer seeds, or a smaller batch.")
    return BAD_INPUT
