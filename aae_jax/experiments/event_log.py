"""TensorBoard events of a run, by tensorboardX: every scalar, histograms of codes and priors, reconstructions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aae_jax.errors import InputError

__all__ = ["EventLog", "require_tensorboard"]


def require_tensorboard() -> None:
    """Refuse to go on without tensorboardX.

    Raises:
        InputError: Says how to install it.
    """
    try:
        import tensorboardX  # noqa: F401
    except ImportError as error:
        raise InputError(
            "tensorboard is on, but tensorboardX is not installed; install it "
            "(`pip install 'aae-jax[tensorboard]'`), or leave --tensorboard out."
        ) from error


class EventLog:
    """Writes events below a folder; those of updates that a resumed run makes again are taken back."""

    def __init__(self, folder: Path, seeds: tuple[int, ...], *, next_update: int) -> None:
        """Open a new file of events in `folder`; what earlier ones have from `next_update` on is void."""
        from tensorboardX import SummaryWriter

        self._seeds = seeds
        self._writer = SummaryWriter(str(folder), purge_step=next_update)

    def scalars(self, row: Mapping[str, Any]) -> None:
        """Write a row of metrics, those of several seeds under `<name>/s<seed>`."""
        for name, value in row.items():
            values = np.atleast_1d(np.asarray(value, dtype=np.float64))
            several = len(values) == len(self._seeds) > 1
            for index, number in enumerate(values):
                shown = f"{name}/s{self._seeds[index]}" if several else name
                if name not in ("epoch", "update") and np.isfinite(number):
                    self._writer.add_scalar(shown, float(number), row["update"])

    def codes(self, update: int, styles: np.ndarray, prior: np.ndarray, label_probabilities: np.ndarray) -> None:
        """Write histograms of styles `[n, latent]` and of as many prior samples, and of the largest probabilities."""
        for name, values in (
            ("style_z", styles),
            ("prior_of_z", prior),
            ("largest_y", label_probabilities.max(axis=1)),
        ):
            if np.isfinite(values).all():
                self._writer.add_histogram(name, values.reshape(-1), update)

    def reconstructions(self, update: int, images: np.ndarray, outputs: np.ndarray) -> None:
        """Write pictures `[n, h, w(, 3)]` in [0, 1], each above what the autoencoder made of it."""
        sheet = np.concatenate([np.concatenate(list(part), axis=1) for part in (images, outputs)], axis=0)
        self._writer.add_image(
            "reconstructions", np.clip(sheet, 0, 1), update, dataformats="HW" if sheet.ndim == 2 else "HWC"
        )

    def close(self) -> None:
        """Bring everything to the disk."""
        self._writer.close()
