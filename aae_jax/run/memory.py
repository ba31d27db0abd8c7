"""Record of a run that leaves nothing on disk: the rows of metrics alone."""

from collections.abc import Mapping
from typing import Any

from aae_jax.errors import InputError
from aae_jax.run.run_dir import RunFolder, to_json

__all__ = ["RunMemory", "RunRecord", "refuse_files"]


class RunMemory:
    """Stand-in for a `RunFolder`, of a run without one: no checkpoints, figures, TensorBoard events or models."""

    path = None

    def __init__(self) -> None:
        """Start without rows."""
        self._rows: list[dict[str, Any]] = []
        self._origin: dict[str, Any] = {"command": None, "git_commit": None, "resumed": []}

    def write_origin(self, command: str, commit: str | None) -> None:
        """Keep the command and the commit of the running code."""
        self._origin = {"command": command, "git_commit": commit, "resumed": []}

    def read_origin(self) -> dict[str, Any]:
        """Return what `write_origin` kept."""
        return dict(self._origin)

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Keep a row of metrics in the form of the file's."""
        self._rows.append(to_json(row))

    def write_csv(self, seeds: tuple[int, ...]) -> None:
        """Write nothing."""

    def read_metrics(self) -> list[dict[str, Any]]:
        """Return the rows so far."""
        return list(self._rows)

    read_rows = read_metrics


RunRecord = RunFolder | RunMemory


def refuse_files(config: Any) -> None:
    """Refuse settings that ask for files of a run without a folder.

    Raises:
        InputError: TensorBoard events or figures during training are configured.
    """
    asked = {"tensorboard": config.tensorboard, "figures_every": config.figures_every}
    name = next((name for name, value in asked.items() if value), None)
    if name is not None:
        raise InputError(f"{name} is {asked[name]}, but the run has no folder for its files; give out_dir.")
