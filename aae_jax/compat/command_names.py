"""Translation of the commands and options of shaharazulay's classifier to those of this library."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from aae_jax.errors import InputError
from aae_jax.run.flags import parse_flags

__all__ = ["SEED_COMMANDS", "translate"]

Flags = TypeVar("Flags")


@dataclass(frozen=True, kw_only=True)
class _Train:
    dir_path: str | None = None
    """Folder of MNIST's files."""
    output_dir_path: str | None = None
    """Folder for the results."""
    config_path: str | None = None
    """YAML file of that project or of this library."""
    batch_size: int = 100
    """Images per update."""
    n_epochs: int = 10
    """Epochs over the unlabelled images; in that project, over the labelled ones, if there are any."""
    n_classes: int = 10
    """Number of clusters; with labels, of classes."""
    z_size: int = 5
    """Dimensions of the style."""


@dataclass(frozen=True, kw_only=True)
class _Visualization:
    model_dir_path: str
    """Folder of a run, or of a saved model."""
    dir_path: str | None = None
    """Folder of MNIST's files."""
    mode: Literal["semi_supervised", "unsupervised"] = "semi_supervised"
    """Ignored: taken from the saved model."""
    batch_size: int = 100
    """Ignored."""
    n_classes: int = 10
    """Ignored: taken from the saved model."""
    z_size: int = 5
    """Ignored: taken from the saved model."""


@dataclass(frozen=True, kw_only=True)
class _InitDatasets:
    dir_path: str
    """Folder for the files."""


SEED_COMMANDS = ("train_semi_supervised", "train_unsupervised", "generate_model_visualization", "init_datasets")


def translate(name: str, argv: Sequence[str]) -> list[str]:
    """Translate a command of shaharazulay's classifier to one of this library, e.g. `["train", "clustering", …]`.

    Raises:
        InputError: An option is invalid, or MNIST does not have that number of classes.
    """
    if name == "init_datasets":
        given = _parse(_InitDatasets, argv, name, "aae-jax init-datasets under its earlier name.")
        return ["init-datasets", "--dir-path", given.dir_path, "--dataset", "mnist"]
    if name == "generate_model_visualization":
        drawn = _parse(_Visualization, argv, name, "aae-jax visualize under its earlier name.")
        inside = ["--out-dir", str(Path(drawn.model_dir_path) / "visualization")]
        return ["visualize", drawn.model_dir_path, *_option("--data-dir", drawn.dir_path), *inside]
    said = f"aae-jax train under the name and options of another project: {name}."
    flags = _parse(_Train, argv, name, said)
    labelled = name == "train_semi_supervised"
    if labelled and flags.n_classes != 10:
        raise InputError(f"--n-classes is {flags.n_classes}, but MNIST has 10 classes; leave it out.")
    words = ["train", "semi-supervised" if labelled else "clustering"]
    if flags.config_path is None:
        words += ["--preset", "shaharazulay"]
    else:
        words += ["--config-path", flags.config_path]
    words += ["--dataset", "mnist", "--batch-size", str(flags.batch_size), "--epochs", str(flags.n_epochs)]
    words += ["--network.latent-dim", str(flags.z_size)]
    if labelled:
        words += ["--labelled-batch-size", str(flags.batch_size)]
    else:
        words += ["--num-clusters", str(flags.n_classes)]
    return [*words, *_option("--data-dir", flags.dir_path), *_option("--out-dir", flags.output_dir_path)]


def _option(name: str, value: str | None) -> list[str]:
    return [] if value is None else [name, value]


def _parse(kind: type[Flags], argv: Sequence[str], name: str, description: str) -> Flags:
    return parse_flags(kind, argv, prog=f"aae-jax {name}", description=description, default=None)
