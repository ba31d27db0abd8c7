"""Priors given by a file of samples or a user-defined sampler: read once, stored with the run and its models."""

import dataclasses
import io
import runpy
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.config import PriorConfig
from aae_jax.data.readers.npz import DAMAGE
from aae_jax.errors import InputError
from aae_jax.files import require_regular, write_whole
from aae_jax.priors.configured import configured_prior
from aae_jax.priors.prior import Prior
from aae_jax.user_code import importing_from

__all__ = ["PRIOR_FILE", "keep_samples", "names_sampler", "read_prior", "with_kept_samples"]

PRIOR_FILE = "prior.npy"
"""Name of the file in a run's folder that keeps the samples."""
DRAWN = 100_000
"""Number of samples drawn from a sampler, unless they exceed `MAX_NUMBERS` numbers."""
MIN_SAMPLES, MAX_NUMBERS = 1000, 10**7


def read_prior(config: PriorConfig, latent_dim: int) -> Prior:
    """Return the configured prior; the samples of a prior given by samples are read only here.

    Raises:
        InputError: The file contains no samples, or none that match codes of this dimension.
    """
    if config.kind != "samples":
        return configured_prior(config, latent_dim)
    if config.file is None:
        raise InputError("prior.kind is samples, but prior.file names none; give FILE.npy or FILE.py:FUNCTION.")
    return configured_prior(config, latent_dim, _read(config.file, latent_dim))


def keep_samples(prior: Prior | None, folder: Path) -> None:
    """Write the samples of a prior, if it has any, to a run's folder, from which a resumed run reads them."""
    if prior is not None and prior.samples is not None and not (folder / PRIOR_FILE).is_file():
        packed = io.BytesIO()
        np.save(packed, prior.samples)
        write_whole(folder / PRIOR_FILE, packed.getvalue())


def with_kept_samples(config: Any, folder: Path) -> Any:
    """Return the configuration with `prior.file` set to the samples that `keep_samples` wrote to `folder`, if any."""
    if not hasattr(config, "prior") or config.prior.kind != "samples" or not (folder / PRIOR_FILE).is_file():
        return config
    return dataclasses.replace(config, prior=dataclasses.replace(config.prior, file=str(folder / PRIOR_FILE)))


def names_sampler(config: Any) -> bool:
    """Return whether the prior of a configuration is a function in a file."""
    file = config.prior.file if hasattr(config, "prior") else None
    return file is not None and ".py:" in file


def _read(file: str, latent_dim: int) -> np.ndarray:
    module, colon, function = file.rpartition(":")
    path = Path(module) if colon and module.endswith(".py") else Path(file)
    if not path.is_file():
        raise InputError(f"prior.file names {path}, which is not a file; give FILE.npy or FILE.py:FUNCTION.")
    loaded = _load(path, file) if path == Path(file) else _draw(path.resolve(), function, file, latent_dim)
    samples = _checked(loaded, file, latent_dim)
    samples.setflags(write=False)
    return samples


def _load(path: Path, file: str) -> np.ndarray:
    try:
        require_regular(path)
        return np.lib.format.open_memmap(path, mode="r")  # reads only the header of a file that is too large
    except OSError as error:
        raise InputError(f"prior.file {file} cannot be read ({error.strerror or error}); name another.") from error
    except DAMAGE as error:
        raise InputError(
            f"prior.file {file} is not an array written by numpy.save ({error}); give FILE.npy or FILE.py:FUNCTION."
        ) from error


def _draw(module: Path, function: str, file: str, latent_dim: int) -> np.ndarray:
    """Return samples from a user-defined sampler `(key, n) -> [n, latent]`; its module is run like a script.

    Raises:
        InputError: The function does not exist, or fails.
    """
    count = min(DRAWN, MAX_NUMBERS // latent_dim)
    try:
        with importing_from(module.parent):
            sampler = runpy.run_path(str(module)).get(function)
            if not callable(sampler):
                raise InputError(f"prior.file {file} has no function {function!r}; name one that takes (key, n).")
            return np.asarray(jnp.asarray(sampler(jax.random.key(0), count), jnp.float32))
    except InputError:
        raise
    except (Exception, SystemExit) as error:  # user code may raise anything
        raise InputError(
            f"prior.file {file} failed to draw {count} samples ({type(error).__name__}: {error}); fix it."
        ) from error


def _checked(samples: np.ndarray, file: str, latent_dim: int) -> np.ndarray:
    expected = f"samples [n, {latent_dim}], as network.latent_dim is {latent_dim}"
    if samples.ndim != 2 or samples.shape[1] != latent_dim or samples.dtype.kind not in "iuf":
        raise InputError(f"prior.file {file} gives {samples.dtype} of shape {list(samples.shape)}; give {expected}.")
    if len(samples) < MIN_SAMPLES or samples.size > MAX_NUMBERS:
        raise InputError(
            f"prior.file {file} gives {len(samples)} samples; give at least {MIN_SAMPLES} (better 100,000), and at "
            f"most {MAX_NUMBERS:,} numbers."
        )
    with np.errstate(over="ignore", invalid="ignore"):  # rejected below
        numbers = np.array(samples, dtype=np.float32)
    if not np.isfinite(numbers).all():
        raise InputError(f"prior.file {file} gives samples that are not all finite in float32; fix the sampler.")
    still = np.flatnonzero(np.ptp(numbers, axis=0) == 0)
    if still.size:
        raise InputError(f"prior.file {file} gives samples that are constant in dimension {still[0] + 1}; fix it.")
    return numbers
