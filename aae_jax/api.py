"""Training from Python: `train(experiment, data)` makes the run of a command, bit for bit."""

import dataclasses
import os
import signal
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aae_jax.config import LabelledConfig, RunConfig
from aae_jax.config.text import differences, from_mapping
from aae_jax.data import Dataset, Reporter
from aae_jax.data.colour_sets import COLOUR_SETS, FACES
from aae_jax.data.dataset import IN_MEMORY
from aae_jax.data.known import KNOWN
from aae_jax.errors import InputError, known_name
from aae_jax.models import MODELS, find_model, preset
from aae_jax.models.shared.plan import main_plan
from aae_jax.models.spec import ModelSpec
from aae_jax.networks import NO_MODULES, Modules
from aae_jax.priors.custom import with_kept_samples
from aae_jax.run.arguments import resumed_config
from aae_jax.run.callbacks import AllSeedsFailed, Callback
from aae_jax.run.console import Console, DataReporter, ReporterConsole
from aae_jax.run.event_log import require_tensorboard
from aae_jax.run.memory import RunMemory, RunRecord, refuse_files
from aae_jax.run.run_dir import CONFIG_FILE, SIGNALLED, RunFolder, open_run_folder
from aae_jax.run.setup import build_setup, prior_of
from aae_jax.run.trainer import Stopped
from aae_jax.run.training import Run, train_setup
from aae_jax.run.warm_start import warm_started
from aae_jax.saved.model import Model
from aae_jax.saved.storage import load
from aae_jax.train.compile import require_device

__all__ = ["TrainingFailed", "configured", "train", "with_settings"]


class TrainingFailed(RuntimeError):  # noqa: N818 - the name is the sentence
    """The losses of every seed became non-finite."""


def train(
    experiment: str | ModelSpec | RunConfig,
    data: Any = None,
    *,
    test_data: Any = None,
    preset: str | None = None,
    seed: int | None = None,
    out_dir: str | os.PathLike[str] | None = None,
    callbacks: Sequence[Callback] = (),
    reporter: Reporter | None = None,
    resume: bool = False,
    warm_start: Model | Run | str | os.PathLike[str] | None = None,
    modules: Modules = NO_MODULES,
    **settings: Any,
) -> Run:
    """Train a model and evaluate it, as its command does: same data and settings, same bits.

    Args:
        experiment: Name of a model, such as "semi_supervised" or "clustering" (see `MODELS`); its specification; or
            a configuration, whose class names the model.
        data: Name of a data set as `--dataset` takes it; a `Dataset`; the path of an npz or zip file or of a folder
            of images; images or rows of numbers (an array or a data frame, see `Dataset.from_arrays`); or a pair of
            these and labels, in which negative numbers, NaN, None and "" mean no label. None: the configuration's.
        test_data: Pair of test images and labels, if the data are such a pair, or test images. Without any, all of
            the arrays are trained on; with `test=True`, a quarter of each class is held out and becomes the test set.
        preset: Named settings of the experiment to start from; None: "default".
        seed: Seed of weights and order; None: the configuration's, 0 by default.
        out_dir: New or empty folder for what the command leaves in a run's folder. None: nothing is written.
        callbacks: Objects with a method `after_epoch(epoch)`, which may return a `Stop`.
        reporter: Receiver of all lines, such as `aae_jax.data.Quiet()`; None: they are printed.
        resume: Continue the interrupted run in `out_dir`, if there is one with this configuration.
        warm_start: Model, run, or folder of either, whose weights the encoder and decoder start from.
        modules: Encoder and decoder of a user's own.
        **settings: Values of the configuration, nested as mappings or by dotted names, such as `epochs=20`,
            `weights={"propagation": 0}` or `**{"network.latent_dim": 5}`. Of a pair of data and labels, all labels
            are used unless `labels` is given.

    Returns:
        Models, metrics and summary.

    Raises:
        InputError: A name, a setting or the data are unsuitable.
        TrainingFailed: The losses of every seed became non-finite.
        KeyboardInterrupt: Ctrl-C; with a folder, after this epoch has been saved.
        SystemExit: Likewise after SIGTERM or SIGHUP, with a folder.
    """
    spec, config, dataset = configured(experiment, data, test_data, preset=preset, seed=seed, settings=settings)
    spec = dataclasses.replace(spec, modules=modules) if modules != NO_MODULES else spec
    spec.validate(config)
    return _train(
        spec,
        config,
        dataset,
        out_dir=None if out_dir is None else Path(out_dir),
        callbacks=callbacks,
        console=Console() if reporter is None else ReporterConsole(reporter),
        resume=resume,
        warm_start=warm_start,
    )


def configured(
    experiment: str | ModelSpec | RunConfig,
    data: Any,
    test_data: Any = None,
    *,
    preset: str | None,
    seed: int | None,
    settings: Mapping[str, Any],
) -> tuple[ModelSpec, Any, Dataset | None]:
    """Return the model, its configuration, and the data if they need not be loaded; arguments are those of `train`.

    Raises:
        InputError: A name, a setting or the data are unsuitable.
    """
    spec, config = _configured(experiment, preset)
    given = dict(settings) | ({} if seed is None else {"seed": seed})
    config = with_settings(config, given)
    fixed = isinstance(experiment, RunConfig)
    return spec, *_with_data(config, data, test_data, given, fixed=fixed)


def _train(
    spec: ModelSpec,
    config: Any,
    dataset: Dataset | None,
    *,
    out_dir: Path | None,
    callbacks: Sequence[Callback],
    console: Console,
    resume: bool,
    warm_start: Model | Run | str | os.PathLike[str] | None,
) -> Run:
    require_device()
    if config.tensorboard:
        require_tensorboard()
    if out_dir is None:
        refuse_files(config)
    if resume and out_dir is None:
        raise InputError("resume is True, but out_dir is None; give the folder of the interrupted run.")
    resuming = resume and out_dir is not None and (out_dir / CONFIG_FILE).is_file()
    if resuming:
        assert out_dir is not None
        _refuse_finished(out_dir)
        config = with_kept_samples(config, out_dir)
    for notice in () if dataset is None else dataset.notices:
        console.notice(notice)
    setup = build_setup(spec, config, DataReporter(console), prior_of(config), dataset)
    plan = main_plan(setup)
    if warm_start is not None:
        plan = warm_started(plan, _model_of(warm_start))
    command = f"aae_jax.train({spec.name!r}, …)"
    if out_dir is None:
        return _run(setup, RunMemory(), console, callbacks, plan=plan, resume=False, command=command)
    if resuming:
        _refuse_changes(spec, setup.config, out_dir)
    with open_run_folder(out_dir, out_dir if resuming else None, spec.name, setup.config.seed) as folder:
        return _run(setup, folder, console, callbacks, plan=plan, resume=resuming, command=command)


def _model_of(source: Model | Run | str | os.PathLike[str]) -> Model:
    if isinstance(source, Run):
        return source.model
    return source if isinstance(source, Model) else load(source)


def _run(setup: Any, folder: RunRecord, console: Console, callbacks: Sequence[Callback], **options: Any) -> Run:
    try:
        return train_setup(setup, folder, console, callbacks, **options)
    except Stopped as stopped:
        console.say(f"saved; continue with resume=True and out_dir={str(folder.path)!r}")
        if stopped.signum == signal.SIGINT:
            raise KeyboardInterrupt from None
        raise SystemExit(SIGNALLED + stopped.signum) from None
    except AllSeedsFailed:
        raise TrainingFailed(
            "The losses of all seeds became non-finite; try lower learning rates (optimizers.*.learning_rate)."
        ) from None


def _configured(experiment: str | ModelSpec | RunConfig, preset_name: str | None) -> tuple[ModelSpec, Any]:
    """Return the specification of an experiment, and the configuration to start from."""
    if isinstance(experiment, RunConfig):
        if preset_name is not None:
            raise InputError(f"preset is {preset_name!r}, but a configuration was given; leave one of them out.")
        found = next((entry for entry in MODELS if entry.spec.config_class is type(experiment)), None)
        if found is None:
            raise InputError(f"No experiment has the configuration {type(experiment).__name__}; give its name.")
        return found.spec, experiment
    if isinstance(experiment, ModelSpec):
        return experiment, preset(preset_name or "default", experiment.name)
    if not isinstance(experiment, str):
        raise InputError(
            f"experiment is of type {type(experiment).__name__}; give a name such as 'semi_supervised', or a "
            "configuration."
        )
    spec = find_model(experiment).spec
    return spec, preset(preset_name or "default", spec.name)


def with_settings(config: Any, settings: Mapping[str, Any]) -> Any:
    """Return a configuration with further values, by dotted names or nested; parts may be given as dataclasses."""
    for name, value in settings.items():
        section, _, rest = name.partition(".")
        hints = typing.get_type_hints(type(config))
        if not rest and dataclasses.is_dataclass(hints.get(section)) and isinstance(value, hints[section]):
            config = dataclasses.replace(config, **{section: value})
        else:
            config = from_mapping(type(config), _nested(name, _plain(value)), base=config)
    return config


def _nested(name: str, value: Any) -> dict[str, Any]:
    first, _, rest = name.partition(".")
    return {first: _nested(rest, value) if rest else value}


def _plain(value: Any) -> Any:
    """Return NumPy numbers and arrays as Python's numbers and lists, and paths as texts."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    return value


def _with_data(
    config: Any, data: Any, test_data: Any, settings: Mapping[str, Any], *, fixed: bool
) -> tuple[Any, Dataset | None]:
    """Return the configuration with the data's name, and the data if they need not be loaded.

    Labels and test images follow from the data unless they are set, or the configuration is the user's (`fixed`).
    """
    if test_data is not None and (data is None or isinstance(data, (str, os.PathLike, Dataset))):
        raise InputError("test_data are for arrays, but the data have test images of their own; leave test_data out.")
    if data is None:
        return config, None
    if isinstance(data, str):
        name = _source_of(Path(data)) if _is_path(data) else data
        return dataclasses.replace(config, dataset=name), None
    if isinstance(data, os.PathLike):
        return dataclasses.replace(config, dataset=_source_of(Path(data))), None
    tests = settings.get("test", config.test if fixed else False)
    if isinstance(data, Dataset):
        dataset, labels = data, data.train_labels if data.source == IN_MEMORY and data.num_classes else None
        tests = tests or ("test" not in settings and len(dataset.test_images) > 0)
        return _adapted(config, dataset, labels is not None, bool(tests), settings, fixed=fixed), dataset
    (images, labels), (test_images, test_labels) = _pair(data), _pair(test_data)
    if labels is not None and test_images is not None and test_labels is None:
        raise InputError("The data have labels, but test_data have none; give a pair of test images and labels.")
    dataset = Dataset.from_arrays(
        images,
        labels,
        test_images=test_images,
        test_labels=test_labels,
        split_seed=config.split_seed,
        hold_out=bool(tests),
    )
    tests = tests or ("test" not in settings and test_data is not None)
    return _adapted(config, dataset, labels is not None, bool(tests), settings, fixed=fixed), dataset


def _adapted(
    config: Any, dataset: Dataset, labelled: bool, tests: bool, settings: Mapping[str, Any], *, fixed: bool
) -> Any:
    """Return the configuration for data in memory."""
    if fixed:
        return dataclasses.replace(config, dataset=dataset.name)
    named = getattr(config, "labelled_list", None) is not None
    if labelled and isinstance(config, LabelledConfig) and not named and not _chooses_labels(settings):
        config = dataclasses.replace(config, labels="given" if dataset.num_unlabelled else "all")
    return dataclasses.replace(config, dataset=dataset.name, test=tests)


def _is_path(data: str) -> bool:
    """Return whether text is the path of a file or folder that exists, and no name of a data set."""
    names = ("auto", "digits", *KNOWN, *COLOUR_SETS, *FACES)
    if known_name(data, names) in names:  # a folder of that name changes nothing, as for the command
        return False
    return os.path.isdir(data) or (os.path.isfile(data) and data.lower().endswith((".npz", ".zip")))


def _pair(data: Any) -> tuple[Any, Any]:
    return data if isinstance(data, tuple) and len(data) == 2 else (data, None)


def _chooses_labels(settings: Mapping[str, Any]) -> bool:
    return any(name in settings for name in ("labels", "labelled_list", "num_clusters"))


def _source_of(path: Path) -> str:
    """Return a path as `--dataset` takes it."""
    if path.is_dir():
        return f"folder:{path}"
    kinds = {".npz": "npz", ".zip": "zip"}
    if path.suffix.lower() not in kinds:
        raise InputError(f"The data are {path}; give an npz or zip file, or a folder of images.")
    return f"{kinds[path.suffix.lower()]}:{path}"


def _refuse_finished(folder: Path) -> None:
    if RunFolder(folder).finished:
        raise InputError(f"The run in {folder} is finished; load its model by aae_jax.load, or give a new out_dir.")


def _refuse_changes(spec: ModelSpec, config: Any, folder: Path) -> None:
    """Refuse to continue a run with another configuration."""
    changed = differences(resumed_config(spec, folder), config)
    if changed:
        raise InputError(
            f"The run in {folder} has another configuration ({', '.join(changed)}); give the same, or a new out_dir."
        )
