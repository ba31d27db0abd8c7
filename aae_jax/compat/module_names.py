"""Module names of version 0.1, importable until version 1.0 with a `DeprecationWarning`."""

import importlib
import importlib.abc
import importlib.machinery
import warnings
from types import ModuleType
from typing import Any

__all__ = ["MOVED", "RENAMED", "current_object", "install"]

MOVED: dict[str, tuple[str, ...]] = {
    "bundle": ("saved.model", "saved.storage"),
    "checkpoint": ("train.checkpoint",),
    "commands.seed_names": ("compat.command_names",),
    "compiling": ("train.compile",),
    "config.clustering": ("models.clustering.config", "models.dim_reduction.config"),
    "config.label_code": ("models.shared.label_code_config",),
    "config.semi_supervised": ("models.semi_supervised.config",),
    "config.supervised": ("models.supervised.config", "models.label_regularized.config"),
    "config.unsupervised": (
        "config.prior",
        "models.autoencoder.config",
        "models.unsupervised.config",
        "models.likelihood.config",
    ),
    "config_text": ("config.text",),
    "data.idx": ("data.readers.idx",),
    "data.idx_sets": ("data.readers.idx_sets",),
    "data.npz": ("data.readers.npz",),
    "data.picture_files": ("data.readers.picture_files",),
    "data.pictures": ("data.readers.pictures",),
    "data.tfds_copy": ("data.readers.tfds_copy",),
    "data.tfds_records": ("data.readers.tfds_records",),
    "experiments": (),
    "experiments.autoencoder": ("models.autoencoder.experiment",),
    "experiments.checkpoint_notes": ("run.checkpoint_notes",),
    "experiments.class_pictures": ("figures.of_models.labelled_style",),
    "experiments.class_shares": ("models.shared.class_frequencies",),
    "experiments.cluster_pictures": ("figures.of_models.clusters",),
    "experiments.clustering": ("models.clustering.experiment",),
    "experiments.clusters": ("models.shared.clusters",),
    "experiments.code_pictures": ("figures.of_models.codes",),
    "experiments.command": ("run.arguments",),
    "experiments.compilation": ("train.compile_cache",),
    "experiments.console": ("run.console",),
    "experiments.diagnosis": ("evaluation.diagnosis",),
    "experiments.dim_reduction": ("models.dim_reduction.experiment",),
    "experiments.drawing": ("figures.of_models.drawing",),
    "experiments.event_log": ("run.event_log",),
    "experiments.experiment": ("models.spec",),
    "experiments.flags": ("run.flags",),
    "experiments.interruption": ("run.process",),
    "experiments.label_regularized": ("models.label_regularized.experiment",),
    "experiments.launch": ("run.run",),
    "experiments.likelihood": ("models.likelihood.experiment",),
    "experiments.measured": ("run.report", "models.shared.measures", "models.shared.results"),
    "experiments.measures": ("run.measures", "models.shared.measures"),
    "experiments.members": ("run.sweep.members",),
    "experiments.pictures": ("figures.of_models.parts", "figures.of_models.classifier"),
    "experiments.problem": (
        "run.setup",
        "models.spec",
        "models.shared.plan",
        "models.shared.splits",
        "figures.of_models.drawing",
    ),
    "experiments.propagated": ("models.shared.graph_labels",),
    "experiments.provenance": ("run.summary",),
    "experiments.records": ("records",),
    "experiments.run_folder": ("run.run_dir",),
    "experiments.semi_supervised": ("models.semi_supervised.experiment",),
    "experiments.startup": ("run.process",),
    "experiments.streams": ("streams",),
    "experiments.summary": ("run.summary", "models.shared.results", "evaluation.seeds"),
    "experiments.supervised": ("models.supervised.experiment",),
    "experiments.sweep": ("run.sweep.command",),
    "experiments.trainer": ("run.trainer",),
    "experiments.unsupervised": ("models.unsupervised.experiment",),
    "experiments.user_prior": ("priors.custom",),
    "experiments.watch": ("run.watch",),
    "hyper": ("train.hyper",),
    "models.adversaries": ("models.shared.adversary",),
    "models.label_code": ("models.shared.label_code",),
    "models.parts": ("priors.configured", "augment", "models.shared.terms"),
    "optimizers": ("train.optimizers",),
    "phases": ("train.phases",),
    "preprocessing": ("saved.preprocessing",),
    "presets": ("models",),
    "propagation": ("graph", "graph.neighbours", "graph.propagation", "graph.clusters"),
    "saved_digest": ("saved.digest",),
    "saved_model": ("saved.format",),
    "seed_yaml": ("compat.yaml_settings",),
    "state": ("train.state", "train.phases"),
    "sweep": ("run.sweep.settings",),
    "training": ("train.epoch", "train.fit"),
    "views": ("augment",),
}
"""Current modules, below `aae_jax`, of the names in an earlier one; empty for a package without names."""

RENAMED = {"build_hyper": "train.hyper:traced"}
"""Module and current name, below `aae_jax`, of earlier public names of `aae_jax`."""


def current_object(package: str, name: str) -> Any:
    """Return the object that has an earlier name in `RENAMED`, with a `DeprecationWarning`."""
    module, current = RENAMED[name].split(":")
    warnings.warn(f"{package}.{name} is now {package}.{current}", DeprecationWarning, stacklevel=3)
    return getattr(importlib.import_module(f"{package}.{module}"), current)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finder of earlier modules, as empty modules whose names are looked up in the current ones."""

    def find_spec(
        self, fullname: str, path: Any, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the specification of an earlier module; None for any other."""
        name = fullname.removeprefix("aae_jax.")
        if name not in MOVED or fullname == name:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=not MOVED[name])

    def exec_module(self, module: ModuleType) -> None:
        """Warn, and look up the module's names in the current modules."""
        homes = MOVED[module.__name__.removeprefix("aae_jax.")]
        if homes:
            places = ", ".join(f"aae_jax.{home}" for home in homes)
            warnings.warn(f"{module.__name__} is now {places}", DeprecationWarning, stacklevel=2)

        def find(name: str) -> Any:
            for home in homes:
                if hasattr(home_module := importlib.import_module(f"aae_jax.{home}"), name):
                    return getattr(home_module, name)
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        module.__getattr__ = find  # type: ignore[method-assign]


def install() -> None:
    """Make earlier module names importable."""
    import sys

    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
