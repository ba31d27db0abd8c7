"""The collector of garbage rests during a start, and is afterwards as it was."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from aae_jax.run import process as startup
from aae_jax.run.process import quick_start, start_is_over

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def as_it_was():
    assert gc.isenabled()
    yield
    gc.enable()


def test_nothing_is_collected_until_the_start_is_over():
    with quick_start():
        assert not gc.isenabled()
        start_is_over()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_a_start_that_fails_leaves_the_collector_as_it_was():
    with pytest.raises(ValueError, match="bad"), quick_start():
        raise ValueError("bad")
    assert gc.isenabled()
    assert not startup._starting


def test_a_collector_that_the_user_turned_off_stays_off():
    gc.disable()
    with quick_start():
        start_is_over()
        assert not gc.isenabled()
    assert not gc.isenabled()


def test_without_a_quick_start_nothing_is_frozen():
    start_is_over()
    assert gc.get_freeze_count() == 0


@pytest.mark.slow
def test_the_collector_works_while_a_run_trains(tmp_path):
    """The script turns it off, and the trainer on again before the first epoch."""
    script = (
        "import gc, runpy, sys\n"
        "from aae_jax.run import trainer\n"
        "fit = trainer.fit\n"
        "trainer.fit = lambda *a, **k: (print('collecting', gc.isenabled()), fit(*a, **k))[1]\n"
        "sys.argv = ['semi_supervised.py', '--dataset', 'digits', '--preset', 'smoke', '--epochs', '1',\n"
        f"            '--out-dir', {str(tmp_path / 'run')!r}]\n"
        f"runpy.run_path({str(ROOT / 'experiments' / 'semi_supervised.py')!r}, run_name='__main__')\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "collecting True" in result.stdout
