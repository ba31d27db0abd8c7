"""TensorBoard events of a run, by tensorboardX: every scalar, histograms of codes and priors, reconstructions."""

import datetime
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
    """Writes events below a folder; those of updates that a resumed run makes again are taken back.

    Each is on its way to the disk when a method returns: tensorboardX's own writer has a thread for it, which a full
    disk ends without a word, and its caller then waits for ever.
    """

    def __init__(self, folder: Path, seeds: tuple[int, ...], *, next_update: int) -> None:
        """Open a new file of events in `folder`; what earlier ones have from `next_update` on is void."""
        from tensorboardX.proto import event_pb2
        from tensorboardX.record_writer import RecordWriter

        self._seeds, self._events = seeds, event_pb2
        folder.mkdir(parents=True, exist_ok=True)
        taken = len(list(folder.iterdir()))
        self._writer = RecordWriter(str(folder / f"events.out.tfevents.{int(_now())}.{taken}"))
        self._write(file_version="brain.Event:2")
        started = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._write(session_log=started, step=next_update)

    def scalars(self, row: Mapping[str, Any]) -> None:
        """Write a row of metrics, those of several seeds under `<name>/s<seed>`."""
        from tensorboardX import summary

        for name, value in row.items():
            values = np.atleast_1d(np.asarray(value, dtype=np.float64))
            several = len(values) == len(self._seeds) > 1
            for index, number in enumerate(values):
                shown = f"{name}/s{self._seeds[index]}" if several else name
                if name not in ("epoch", "update") and np.isfinite(number):
                    self._write(summary=summary.scalar(shown, float(number)), step=row["update"])

    def histograms(self, update: int, found: Mapping[str, np.ndarray]) -> None:
        """Write a histogram of all numbers of each array, by its name; of none that are not finite."""
        from tensorboardX import summary

        for name, values in found.items():
            if np.isfinite(values).all():
                self._write(summary=summary.histogram(name, values.reshape(-1), "auto"), step=update)

    def reconstructions(self, update: int, images: np.ndarray, outputs: np.ndarray) -> None:
        """Write pictures `[n, h, w(, 3)]` in [0, 1], each above what the autoencoder made of it."""
        from tensorboardX import summary

        sheet = np.concatenate([np.concatenate(list(part), axis=1) for part in (images, outputs)], axis=0)
        axes = "HW" if sheet.ndim == 2 else "HWC"
        drawn = summary.image("reconstructions", np.clip(sheet, 0, 1), dataformats=axes)
        self._write(summary=drawn, step=update)

    def _write(self, **content: Any) -> None:
        self._writer.write(self._events.Event(wall_time=_now(), **content).SerializeToString())
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


def _now() -> float:
    return datetime.datetime.now().timestamp()
