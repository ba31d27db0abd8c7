"""Console output of a run: header, progress, notices; one rewritten line on a terminal, plain lines elsewhere."""

import contextlib
import io
import shutil
import sys
from collections.abc import Mapping

import jax
import numpy as np

from aae_jax.config import NetworkConfig
from aae_jax.data import Dataset, Reporter
from aae_jax.data.stored import StoredImages
from aae_jax.models.spec import RunSetup
from aae_jax.streams import mute_output
from aae_jax.text import duration, printable

__all__ = ["Console", "DataReporter", "ReporterConsole"]


def _layers(network: NetworkConfig) -> str:
    """Describe the hidden layers of encoder and decoder."""
    hidden = f"hidden {'×'.join(map(str, network.hidden))}" if network.hidden else ""
    convolutions = f"convolutions {'×'.join(map(str, network.channels))}" if network.kind == "conv" else ""
    return ", ".join(part for part in (convolutions, hidden) if part)


def _unlabelled(dataset: Dataset) -> str:
    """Describe the number of training images without a label, for the end of a line."""
    if not dataset.num_classes:
        return "; no image has a label"
    count, total = dataset.num_unlabelled, len(dataset.train_labels)
    return f"; {count} of the {total} training images have no label" if count else ""


class Console:
    """Printer of a run's header, progress and notices to standard output."""

    def __init__(self) -> None:
        """Detect whether lines can be rewritten."""
        self.rewrite = sys.stdout is not None and sys.stdout.isatty()
        self.failure: str | None = None
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # an encoding without ± gets a question mark
                with contextlib.suppress(OSError, ValueError):
                    stream.reconfigure(errors="replace")
        self.open_line = False
        self.setup: RunSetup | None = None

    def say(self, text: str = "") -> None:
        """Print a line, below an unfinished progress line."""
        shown = printable(text) + "\n"
        self._print(f"\n{shown}" if self.open_line else shown)
        self.open_line = False

    def _print(self, text: str) -> None:
        """Write to standard output; after a failure stay silent and keep the reason in `failure`.

        The results of a run are in its folder: a closed pipe or a full disk must not end it.
        """
        if self.failure is not None or sys.stdout is None:
            return
        try:
            print(text, end="", flush=True)
        except (OSError, ValueError) as error:
            self.failure = getattr(error, "strerror", None) or str(error)
            mute_output()

    def notice(self, text: str) -> None:
        """Print a highlighted line."""
        self.say(f"! {text}")

    def header(self, setup: RunSetup, folder: str | None) -> None:
        """Print device, data, sizes and the number of planned updates; and the folder, if there is one."""
        self.setup = setup
        config, dataset = setup.config, setup.dataset
        device = jax.devices()[0]
        labelled = setup.data.labels.shape[1]
        seeds = f"seed {setup.seeds[0]}" if len(setup.seeds) == 1 else f"seeds {setup.seeds[0]}…{setup.seeds[-1]}"
        self.say(f"device   {device.device_kind} ({device.platform}), matrix products in {config.network.precision}")
        self.say(f"data     {dataset.name} from {dataset.source}, sha256 {dataset.sha256[:12]}…")
        among = f"{labelled} labelled among " if labelled else ""
        self.say(
            f"split    {among}{setup.data.pool.shape[0]} pool images, "
            f"{len(setup.validation_labels)} validation, {len(dataset.test_labels)} test{_unlabelled(dataset)}"
        )
        named = setup.networks.modules.named()
        own = "".join(f", {name} {module} of your own" for name, module in named.items())
        self.say(f"network  {_layers(config.network)}{own}, code {config.network.latent_dim}, {seeds}")
        self.say(
            f"plan     {setup.epochs} epochs of {setup.steps_per_epoch} updates = "
            f"{setup.epochs * setup.steps_per_epoch} updates at batch {config.batch_size}"
        )
        if isinstance(setup.data.pool, StoredImages):
            self.say(f"stream   pool images are read from {setup.data.pool.source}, part by part")
        if folder is not None:
            self.say(f"folder   {folder}")

    def compiling(self) -> None:
        """Print that the program is being compiled."""
        self.say("compiling …")

    def training_starts(self, compile_seconds: float, first_epoch: int, updates: int = 0) -> None:
        """Print the compile time in seconds, and the epoch and updates after which a resumed run continues."""
        self.first_epoch = first_epoch
        self.seconds_at_start: float | None = None
        done = [f"epoch {first_epoch}"] if first_epoch else []
        done += [f"{updates} updates" + (" of the next" if first_epoch else "")] if updates else []
        again = f", continuing after {' and '.join(done)}" if done else ""
        self.say(f"compiled in {compile_seconds:.1f} s{again}")

    def progress(
        self, epoch: int, update: int, score: np.ndarray, means: Mapping[str, np.ndarray], seconds: float
    ) -> None:
        """Show an evaluated epoch: losses, validation score, speed and time left."""
        assert self.setup is not None
        losses = " ".join(
            f"{short} {np.nanmean(means[name]):.3f}"
            for name, short in (
                ("reconstruction/loss", "rec"),
                ("discriminator_z/loss", "Dz"),
                ("discriminator_y/loss", "Dy"),
                ("generator/loss", "gen"),
                ("classification/loss", "cls"),
            )
            if name in means and np.isfinite(means[name]).any()
        )
        rate = update / seconds
        left = (self.setup.epochs - epoch - 1) * self.setup.steps_per_epoch / rate
        text = (
            f"epoch {epoch + 1}/{self.setup.epochs}  {losses}  {self.setup.spec.show_score(score)}  "
            f"{rate:.1f} updates/s  {duration(left)} left"
        )
        self.rewritten(text)

    def rewritten(self, text: str) -> None:
        """Print a line over the previous one of this kind on a terminal, elsewhere below it."""
        if not self.rewrite:
            self.say(text)
            return
        text = printable(text)
        columns = shutil.get_terminal_size().columns  # a line that wraps could not be rewritten
        shown = text if len(text) < columns else text[: max(columns - 2, 0)] + "…"
        self._print(f"\r\033[K{shown}")
        self.open_line = True


class ReporterConsole(Console):
    """Console that passes its lines on: notices to `Reporter.notice`, all others to `Reporter.working`."""

    def __init__(self, reporter: Reporter) -> None:
        """Pass lines to `reporter`; the streams stay as they are."""
        self.rewrite, self.open_line, self.failure = False, False, None
        self.setup: RunSetup | None = None
        self.reporter = reporter

    def say(self, text: str = "") -> None:
        """Pass a line on."""
        self.reporter.working(text)

    def notice(self, text: str) -> None:
        """Pass a notice on."""
        self.reporter.notice(text)


class DataReporter(Reporter):
    """Reporter of data loading that prints to a console."""

    def __init__(self, console: Console) -> None:
        """Print to `console`."""
        self.console = console
        self.shown: tuple[str, int] | None = None

    def notice(self, message: str) -> None:
        """Print a highlighted line."""
        self.console.notice(message)

    def working(self, message: str) -> None:
        """Print a line."""
        self.console.say(f"{message} …")

    def progress(self, name: str, done: int, total: int) -> None:
        """Show the progress of a download in percent, in steps of 25 where lines cannot be rewritten."""
        step = 1 if self.console.rewrite else 25
        share = 100 * done // total // step * step
        if self.shown != (name, share):
            self.shown = name, share
            self.console.rewritten(f"fetching {name}  {share} % of {total / 1e6:.1f} MB")
