"""TensorBoard events of a run, via tensorboardX: all scalars, histograms of codes and priors, reconstructions."""

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aae_jax.errors import InputError

__all__ = ["EventLog", "require_tensorboard"]


def require_tensorboard() -> None:
    """Check that tensorboardX is installed.

    Raises:
        InputError: It is not; the message explains how to install it.
    """
    try:
        import tensorboardX  # noqa: F401
    except ImportError as error:
        raise InputError(
            "tensorboard is on, but tensorboardX is not installed; install it "
            "(`pip install 'aae-jax[tensorboard]'`), or leave --tensorboard out."
        ) from error


class EventLog:
    """Writer of events to a folder; events of updates that a resumed run repeats are discarded.

    Every method flushes before it returns: tensorboardX's own writer uses a thread that a full disk ends silently,
    after which its caller waits for ever.
    """

    def __init__(self, folder: Path, seeds: tuple[int, ...], *, next_update: int) -> None:
        """Open a new event file in `folder`; events of earlier files from `next_update` on become void."""
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
        """Write a row of metrics; with several seeds, under `<name>/s<seed>`."""
        from tensorboardX import summary

        for name, value in row.items():
            values = np.atleast_1d(np.asarray(value, dtype=np.float64))
            several = len(values) == len(self._seeds) > 1
            for index, number in enumerate(values):
                shown = f"{name}/s{self._seeds[index]}" if several else name
                if name not in ("epoch", "update") and np.isfinite(number):
                    self._write(summary=summary.scalar(shown, float(number)), step=row["update"])

    def histograms(self, update: int, values_by_name: Mapping[str, np.ndarray]) -> None:
        """Write a histogram of the values of each array under its name, unless a value is not finite."""
        from tensorboardX import summary

        for name, values in values_by_name.items():
            if np.isfinite(values).all():
                self._write(summary=summary.histogram(name, values.reshape(-1), "auto"), step=update)

    def reconstructions(self, update: int, images: np.ndarray, outputs: np.ndarray) -> None:
        """Write images `[n, h, w(, 3)]` in [0, 1], each above its reconstruction."""
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
