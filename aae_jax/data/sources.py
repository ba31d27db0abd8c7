"""The data by its name: what the command line's `--dataset` and `--data-dir` mean."""

import os
import sys
from collections.abc import Callable

from aae_jax.data.dataset import Dataset
from aae_jax.data.digits import load_digits
from aae_jax.data.idx import MnistMissingError, load_mnist
from aae_jax.errors import InputError, did_you_mean

__all__ = ["DATASET_NAMES", "load_dataset"]

DATASET_NAMES = ("auto", "mnist", "digits")


def print_notice(message: str) -> None:
    """Print `message` to the standard error stream."""
    print(message, file=sys.stderr, flush=True)


def load_dataset(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    split_seed: int = 0,
    notify: Callable[[str], None] = print_notice,
) -> Dataset:
    """Load a data set by name.

    Args:
        name: "mnist", "digits", or "auto": MNIST where it is at hand, else the digits, with a notice.
        data_dir: The folder with MNIST's IDX files; None takes `$AAE_DATA_DIR`, and where that is not set,
            the cache.
        cache_dir: The folder of the cache, or None for `default_cache_dir()`.
        split_seed: The seed that draws the test images of "digits"; MNIST has its own test set.
        notify: Is called with one message when "auto" takes the digits instead of MNIST.

    Raises:
        InputError: The name is unknown, MNIST is asked for (or a folder given) and not at hand, or its files
            are there but damaged ("auto" too: damage is never hidden by taking other data).
    """
    if name not in DATASET_NAMES:
        raise InputError(f"There is no data set {name!r}; {did_you_mean(name, DATASET_NAMES)}")
    if name == "digits":
        return load_digits(split_seed=split_seed)
    try:
        return load_mnist(data_dir or os.environ.get("AAE_DATA_DIR") or None, cache_dir=cache_dir)
    except MnistMissingError as missing:
        if name == "mnist" or data_dir is not None:
            raise
        digits = load_digits(split_seed=split_seed)
        notify(f"NOTICE: using {digits.source} (8 x 8 pixels), not MNIST. {missing}")
        return digits
