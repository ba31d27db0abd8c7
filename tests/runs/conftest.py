"""Finished and interrupted runs to look at, made once; no test here touches the home folder."""

import os
import shutil
import signal

import jax
import pytest
from filelock import FileLock

from aae_jax.run import report
from aae_jax.run.console import Console
from tests.runs.running import drawing, is_drawing, train, train_plain


@pytest.fixture(scope="package", autouse=True)
def quick_compiles():
    """Compile with few optimisations: the runs here differ in little."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    """Work in an empty folder, with a home, a cache and no data of its own."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AAE_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("AAE_DATA_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("aae_jax.config.run.MAX_JUDGE_UPDATES", 0)  # test_generation asks for judges


def made_once(tmp_path_factory, name, make):
    """Return the folder that `make` fills, the same for all of pytest's workers: tests read it, and change copies."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder, done = root / name / "run", root / name / "done"
    folder.parent.mkdir(exist_ok=True)
    with FileLock(root / name / "lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of another worker, where it failed
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="package")
def finished(tmp_path_factory, figures_on_demand):
    """The folder of a run of the semi-supervised model that nothing disturbed."""

    def make(folder):
        with drawing():
            assert train(folder) == 0

    return made_once(tmp_path_factory, "finished", make)


@pytest.fixture(scope="package")
def plain(tmp_path_factory, figures_on_demand):
    """The folder of a run of an autoencoder that nothing disturbed."""

    def make(folder):
        with drawing():
            assert train_plain(folder) == 0

    return made_once(tmp_path_factory, "plain", make)


@pytest.fixture(scope="package", autouse=True)
def figures_on_demand(quick_compiles):
    """Draw figures only where `drawing` or the fixture `figures_drawn` asks for them."""
    draw = report._save_figures
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "_save_figures", lambda *given: draw(*given) if is_drawing() else None)
        yield


@pytest.fixture
def figures_drawn():
    """Draw the figures of the test's runs."""
    with drawing():
        yield


def interrupt_after(patch, epoch, signum):
    """Send this process a signal once it has reported an epoch."""
    progress = Console.progress

    def report(self, number, *others):
        progress(self, number, *others)
        if number == epoch:
            os.kill(os.getpid(), signum)

    patch.setattr(Console, "progress", report)


@pytest.fixture(scope="package")
def stopped(tmp_path_factory, figures_on_demand):
    """The folder of the run in `plain`, stopped by SIGTERM in its second epoch of three: checkpoints 0 and 1."""

    def make(folder):
        with pytest.MonkeyPatch.context() as patch:
            interrupt_after(patch, 1, signal.SIGTERM)
            assert train_plain(folder) == 128 + signal.SIGTERM

    return made_once(tmp_path_factory, "stopped", make)
