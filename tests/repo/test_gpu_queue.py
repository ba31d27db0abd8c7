"""The queue of what waits for a GPU, at toy size on whatever device is here: whole files, and nothing done twice."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
QUEUE = ROOT / "benchmarks" / "gpu_queue.sh"


def run_queue(out: Path, *jobs: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHON": sys.executable,
        "AAE_CACHE_DIR": str(out.parent / "cache"),
        "AAE_OFFLINE": "1",
    }
    return subprocess.run(
        ["bash", str(QUEUE), "--toy", str(out), *jobs], capture_output=True, text=True, env=environment, check=False
    )


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="the queue is a bash script")
def test_the_queue_runs_at_toy_size_and_goes_on_where_it_was(tmp_path: Path) -> None:
    first = run_queue(tmp_path / "out")
    assert first.returncode == 0, first.stdout + first.stderr
    jobs = sorted((tmp_path / "out").glob("*.json"))
    assert len(jobs) >= 37
    found = {job.stem: json.loads(job.read_text()) for job in jobs}
    assert len(found["one_seed_100"]["seconds an update"]) == 2
    assert found["one_seed_100"]["seconds for 15,000 updates"] > 0
    assert found["mnist_1000"]["test"]["error"]["mean"] < 0.9
    assert found["device"]["bandwidth GB/s"] > 0
    assert len(found["few_labels_best-100"]["test_error"]["per_seed"]) == 2
    (tmp_path / "out" / "seeds_8.json").unlink()
    second = run_queue(tmp_path / "out")
    assert second.returncode == 0
    skipped = sum("skipped" in result for result in found.values())
    assert second.stdout.count("done before") == len(jobs) - 1 - skipped
    assert skipped < 6, "only what needs PyTorch or a GPU is skipped"
    assert (tmp_path / "out" / "seeds_8.json").exists()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="the queue is a bash script")
def test_a_job_that_fails_is_said_and_tried_again(tmp_path: Path) -> None:
    """A folder stands where the result would be written first."""
    (tmp_path / "out" / "device.unfinished").mkdir(parents=True)
    result = run_queue(tmp_path / "out", "device")
    assert result.returncode == 1
    assert "failed after" in result.stdout
    assert "1 jobs failed" in result.stdout
    assert not (tmp_path / "out" / "device.json").exists()
    (tmp_path / "out" / "device.unfinished").rmdir()
    assert run_queue(tmp_path / "out", "device").returncode == 0
    assert [path.name for path in (tmp_path / "out").glob("*.json")] == ["device.json"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="the queue is a bash script")
def test_an_unknown_job_or_flag_is_refused_with_what_there_is(tmp_path: Path) -> None:
    unknown = run_queue(tmp_path / "out", "devise")
    assert unknown.returncode == 2
    assert unknown.stderr.startswith("error: there is no job devise; the jobs are device one_seed_100 ")
    assert "few_labels_best-all" in unknown.stderr, "jobs of a loop too"
    flag = subprocess.run(["bash", str(QUEUE), "--tiny"], capture_output=True, text=True, check=False)
    assert (flag.returncode, flag.stderr) == (2, "error: there is no flag --tiny; give --toy.\n")
