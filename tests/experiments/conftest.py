"""Finished and interrupted runs to look at, made once; no test here touches the home folder."""

import contextlib
import os
import signal

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from aae_jax.run.console import Console
from tests.experiments.running import train


@contextlib.contextmanager
def jax_setting(name, value):
    before = getattr(jax.config, name)
    jax.config.update(name, value)
    yield
    jax.config.update(name, before)


@pytest.fixture(scope="package", autouse=True)
def quick_compiles(tmp_path_factory):
    """Compile with few optimisations, and each program once: the runs here differ in little."""
    cache = "jax_compilation_cache_dir"
    compilation_cache.reset_cache()
    jax.config.update("jax_disable_most_optimizations", True)
    with (
        jax_setting(cache, str(tmp_path_factory.mktemp("compiled"))),
        jax_setting("jax_persistent_cache_min_compile_time_secs", 0.0),
        jax_setting("jax_persistent_cache_min_entry_size_bytes", -1),
    ):
        yield
    jax.config.update("jax_disable_most_optimizations", False)
    compilation_cache.reset_cache()


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


@pytest.fixture(scope="package")
def finished(tmp_path_factory, quick_compiles):
    """The folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert train(folder) == 0
    return folder


@pytest.fixture
def without_figures(monkeypatch):
    """Leave out the drawing, which takes longer than the training."""
    monkeypatch.setattr("aae_jax.run.report._save_figures", lambda *_: None)


def interrupt_after(patch, epoch, signum):
    """Send this process a signal once it has reported an epoch."""
    progress = Console.progress

    def report(self, number, *others):
        progress(self, number, *others)
        if number == epoch:
            os.kill(os.getpid(), signum)

    patch.setattr(Console, "progress", report)


@pytest.fixture(scope="package")
def stopped(tmp_path_factory, quick_compiles):
    """The folder of the same run, stopped by SIGTERM in its second epoch of three: checkpoints 0 and 1."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 1, signal.SIGTERM)
        assert train(folder) == 128 + signal.SIGTERM
    return folder
