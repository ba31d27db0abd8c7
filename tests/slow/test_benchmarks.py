"""Every script of benchmarks/ at toy size: it runs, and leaves finite numbers where pages and tables read them."""

import importlib.util
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from reproduce.recorded_runs import read_rows

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS, STAND_IN = ROOT / "benchmarks", Path(__file__).parent / "stand_in"
NOT_THERE = ("tensorflow_datasets", "tensorboardX", "beartype")
"""What a machine that is lent with a GPU does not have."""


class Case(NamedTuple):
    """A check, and the scripts that it runs."""

    scripts: tuple[str, ...]
    check: Callable[[Path], None]


CASES: dict[str, Case] = {}


def runs(*scripts: str) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Register a check of scripts, which is called with an empty folder."""

    def register(check: Callable[[Path], None]) -> Callable[[Path], None]:
        CASES[check.__name__] = Case(scripts, check)
        return check

    return register


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the commands share compiled programs, and find no data of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AAE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("AAE_DATA_DIR", raising=False)
        yield


def call(*command: object, status: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command such as `benchmarks/run.py --toy` from the repository's root."""
    script, *arguments = map(str, command)
    interpreter = "bash" if script.endswith(".sh") else sys.executable
    if shutil.which(interpreter) is None:
        pytest.skip(f"{script} is a bash script, and there is no bash here")
    paths = [str(ROOT), *filter(None, [environment.pop("PYTHONPATH", "")])]
    done = subprocess.run(
        [interpreter, str(ROOT / script), *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "AAE_OFFLINE": "1",
            "PYTHON": sys.executable,
            "PYTHONPATH": ":".join(paths),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
    )
    assert done.returncode == status, f"{command}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def numbers_in(value: Any) -> list[float]:
    """Return all numbers of a parsed JSON file."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in numbers_in(item)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


def read(path: Path) -> dict[str, Any]:
    """Return a result file, all of whose numbers are finite."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    numbers = numbers_in(found)
    assert numbers
    assert all(math.isfinite(number) for number in numbers)
    return found


def module_of(path: Path) -> ModuleType:
    """Return a script as a module of its own, importing others from its folder."""
    spec = importlib.util.spec_from_file_location(f"script_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(path.parent))
        spec.loader.exec_module(module)
    return module


def speed_tables(folder: Path) -> ModuleType:
    """Return the functions that write the tables of docs/performance.md, reading a folder's result files."""
    tables = module_of(ROOT / "reproduce" / "pages" / "speed.py")
    tables.BENCHMARKS = folder
    return tables


def cells(table: str) -> list[list[str]]:
    """Return the rows of a table in Markdown, without its head."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def python_with_torch(folder: Path) -> Path:
    """Return an interpreter that has the stand-in for PyTorch."""
    wrapper = folder / "python_with_torch"
    wrapper.write_text(f'#!/bin/sh\nPYTHONPATH="{STAND_IN}:$PYTHONPATH" exec "{sys.executable}" "$@"\n')
    wrapper.chmod(0o755)
    return wrapper


def forbidding(folder: Path, *modules: str) -> str:
    """Return a folder for PYTHONPATH in which these modules cannot be imported."""
    for module in modules:
        text = f"raise ModuleNotFoundError({f'No module named {module!r}'!r}, name={module!r})\n"
        (folder / f"{module}.py").write_text(text)
    return str(folder)


@runs("run.py", "scale.py", "machine.py", "floor.py", "torch_worker.py", "jax_worker.py", "serving.py")
def times_of_the_step(folder: Path) -> None:
    """Both libraries compute the same, and all tables of docs/performance.md find their numbers."""
    out = folder / "cpu.json"
    toy = ("benchmarks/run.py", "--toy", "--out", out)
    call(*toy, "--torch-python", python_with_torch(folder), "--only", "steps")
    first = read(out)
    assert first["torch"] == {"torch": "stand-in", "device": "cpu"}
    for optimizer, most in (("sgd", 1e-3), ("adam", 0.2)):
        distances = first["distance_after_3_updates"][optimizer]
        assert set(distances) == {"encoder", "decoder", "discriminator_z", "discriminator_y"}
        assert 0 < max(distances.values()) < most
    call(*toy, "--only", "floor", "seeds", "classification")
    found = read(out)
    assert {name: found[name] for name in first} == first
    assert found["later"]["command"].endswith("--only floor seeds classification")
    assert str(folder) not in out.read_text(encoding="utf-8")

    tables = speed_tables(folder)
    steps = cells(tables.steps_table())
    names = {name for _, _, name, _, _ in steps}
    assert names >= {"ours float32", "ours bfloat16", "torch eager", "torch compile"}
    assert {batch for batch, *_ in steps} == {"100", "1,000"}
    assert {ratio for _, _, name, _, ratio in steps if name == "ours float32"} == {"1.00"}
    floors = cells(tables.floor_table())
    assert [row[:2] for row in floors] == [[b, p] for b in ("100", "1,000") for p in ("float32", "bfloat16")]
    assert len(cells(tables.other_table())) == 4
    assert found["seeds_8"]["peak_bytes"] > 2**27


@runs("conv.py", "torch_conv.py", "layers.py", "floor.py")
def times_of_a_convolutional_step(folder: Path) -> None:
    """Both compute the same, on images of even and of odd sides; the best rival of each precision is named."""
    out = folder / "conv.json"
    rival = ("--torch-python", python_with_torch(folder))
    call("benchmarks/conv.py", "--toy", "--quick", *rival, "--only", "colour", "--out", out)
    call("benchmarks/conv.py", "--toy", "--quick", "--only", "mnist", "--out", out)
    found = read(out)
    distances = found["distance_after_updates_colour"]
    assert 0 < min(max(networks.values()) for networks in distances.values()) < 1e-4
    seconds = found["conv_colour"]["seconds"]
    assert len(seconds) == 2 + 2 * 2 * 2
    for precision, best in found["conv_colour"]["best"].items():
        assert best["contender"].endswith(f", {precision}")
        medians = {name: statistics.median(seconds[name]) for name in (best["contender"], f"ours {precision}")}
        assert best["ratio"] == pytest.approx(medians[best["contender"]] / medians[f"ours {precision}"])
    assert found["conv_mnist"]["best"] == {}
    for name in ("mnist", "colour"):
        for precision in ("float32", "bfloat16"):
            assert found[f"floor_{name}_{precision}"]["seconds"] > 0
    tables = speed_tables(folder)
    assert [row[:3] for row in cells(tables.conv_table())][:2] == [
        ["colour", "float32", "ours"],
        ["colour", "float32", f"torch {found['conv_colour']['best']['float32']['contender'][6:-9]}"],
    ]


@runs("floor.py")
def products_of_the_convolutional_floor(_: Path) -> None:
    """The products of a step with one convolution are those written down by hand."""
    floor = module_of(BENCHMARKS / "floor.py")
    sizes = floor.ConvSizes(2, (4, 4), 1, (3,), width=5, latent_dim=1, classes=4)
    products = floor.conv_products_by_phase(sizes)
    convolution, dense = 2 * 2 * (2 * 2 * 9 * 3), 2 * 2 * (12 * 5 + 5 * 4)
    # Forward and weights of the convolution, whose input needs no gradient; all three of 12→5→4.
    assert sum(p.flops for p in products["classification"]) == 2 * convolution + 3 * dense
    assert sum(p.flops for p in products["codes"]) == convolution + dense + 2 * 2 * 5
    decoder = 2 * 2 * (5 * 5 + 5 * 12) + 2 * 2 * (2 * 2 * 27 * 4)
    encoder = 2 * convolution + 3 * (dense + 2 * 2 * 5)
    assert sum(p.flops for p in products["reconstruction"]) == encoder + 3 * decoder


@runs("run.py")
def times_without_torch(folder: Path) -> None:
    """Without an interpreter for PyTorch its rows are left out; a worker that ends is an error that names it."""
    call("benchmarks/run.py", "--toy", "--quick", "--only", "steps", "--out", folder / "quick.json")
    found = read(folder / "quick.json")
    (steps,) = (value for name, value in found.items() if name.startswith("steps_"))
    assert set(steps["seconds"]) == {"ours float32", "ours bfloat16"}
    assert "torch" not in found
    without = forbidding(folder, "torch")
    arguments = ("--torch-python", sys.executable, "--only", "steps", "--out", folder / "none.json")
    failed = call("benchmarks/run.py", "--toy", *arguments, status=1, PYTHONPATH=without)
    assert "torch_worker.py ended (status 1) when asked to setup" in failed.stderr
    assert not (folder / "none.json").exists()


@runs("jax_worker.py", "torch_worker.py", "serving.py")
def workers_by_themselves(folder: Path) -> None:
    """Each answers what it is asked for, and a comparison of unequal weights is far from 0."""
    serving = module_of(BENCHMARKS / "serving.py")
    ours = serving.Contender("jax_worker.py")
    facts = ours.ask("setup", batch=10, width=16, pool=40, updates=2, seeds=2)
    assert facts["parameters"] == sum(facts["trained_parameters"][phase] for phase in DISJOINT)
    assert ours.ask("run") > 0
    assert ours.ask("peak_bytes") > 2**27
    assert ours.ask("bandwidth", width=16, leaves=2, repeats=1) > 0
    assert ours.ask("product", left=[4, 8], right=[8, 2], precision="bfloat16", repeats=1) > 0
    assert ours.ask("classify", count=50, repeats=1) > 0
    path = str(folder / "updates.npz")
    ours.ask("prepare_comparison", path=path, updates=2, optimizer="sgd")
    rival = serving.Contender("torch_worker.py", python=str(python_with_torch(folder)))
    assert rival.ask("setup", variant="eager", batch=10, threads=1, width=16, pool=40)["device"] == "cpu"
    assert rival.ask("run", updates=5) > 0
    assert rival.ask("matrix_rate", rows=4, inner=8, columns=2, repeats=1) > 0
    assert max(rival.ask("compare", path=path, optimizer="sgd").values()) < 1e-3
    assert max(rival.ask("compare", path=path, optimizer="adam").values()) > 0.1, "another optimizer is seen"
    for worker in (ours, rival):
        worker.close()


DISJOINT = ("reconstruction", "discriminator_z", "discriminator_y")
"""Phases that between them train every network once."""


@runs("floor.py")
def products_of_the_floor(_: Path) -> None:
    """The products of a step with layers of 3 are those written down by hand."""
    floor = module_of(BENCHMARKS / "floor.py")
    products = floor.products_by_phase(floor.Sizes(batch=2, width=3, latent_dim=1, classes=4, pixels=5))
    encoder = 5 * 3 + 3 * 3 + 3 * 1 + 3 * 4
    assert sum(p.flops for p in products["codes"]) == 2 * 2 * encoder
    # Forward and weights of 5→3→3→4, and the inputs of its two last layers.
    assert sum(p.flops for p in products["classification"]) == 2 * 2 * (2 * (15 + 9 + 12) + 9 + 12)
    assert set(products) == {
        "codes",
        "reconstruction",
        "discriminator_z",
        "discriminator_y",
        "generator",
        "classification",
    }


@runs("growth.py", "machine.py")
def growth(folder: Path) -> None:
    """Sizes come one after the other into one file, its figure and its table."""
    out = folder / "growth.json"
    call("benchmarks/growth.py", "--toy", "--only", "batch", "--out", out)
    call("benchmarks/growth.py", "--toy", "--only", "seeds", "pool", "--out", out)
    found = read(out)
    assert list(found["growth"]) == ["batch", "seeds", "pool"]
    (folder / "growth.png").unlink()
    call("benchmarks/growth.py", "--toy", "--only", "latent_dim", "--quick", "--out", out)
    assert (folder / "growth.png").stat().st_size > 5000
    assert (folder / "growth.svg").is_file()
    rows = cells(speed_tables(folder).growth_table())
    assert [row[:3] for row in rows] == [
        ["batch", "10", "20"],
        ["seeds", "1", "2"],
        ["pool", "100", "200"],
        ["latent_dim", "2", "4"],
    ]
    exponent = module_of(BENCHMARKS / "growth.py").exponent
    assert exponent([10, 20], [1.0, 4.0]) == pytest.approx(2), "two sizes are enough"
    assert exponent([1, 2, 4, 8], [9.0, 9.0, 1.0, 8.0]) == pytest.approx(3), "the larger half decides"


@runs("start.py", "machine.py")
def second_start(folder: Path) -> None:
    out = folder / "start.json"
    call("benchmarks/start.py", "--toy", "--out", out)
    found = read(out)
    assert 0 < found["imports"] < found["seconds"][0]
    assert len(cells(speed_tables(folder).start_table())) == 2


@runs("interface.py", "machine.py")
def interface(folder: Path) -> None:
    out = folder / "interface.json"
    call("benchmarks/interface.py", "--toy", "--out", out)
    found = read(out)
    assert found["imports"]["ratio"] > 0
    assert found["callbacks"]["update_seconds"] > 0
    assert found["search"]["trials"] == 4
    assert found["search"]["compiled"] == 1


@runs("ablation.py")
def ablation(folder: Path) -> None:
    """Rows are trained and recorded once; a finished run of other settings is refused."""
    where = ("--out-dir", folder / "runs", "--results", folder / "ablation.json")
    toy = (
        "benchmarks/ablation.py",
        "--dataset",
        "digits",
        "--seeds",
        0,
        *where,
        "--rows",
        "02_no_shifts",
        "14_plain_preset",
    )
    call(*toy, "--epochs", 1)
    rows = {row["row"]: row for row in read_rows(folder / "ablation.json")}
    for row, flags in (("02 no shifts", "--views.max-shift 0"), ("14 plain preset", "--preset plain")):
        assert rows[row]["flags"] == flags
        (found,) = rows[row]["runs"]
        assert 0 <= found["validation_error"]["mean"] <= 0.95
        assert not found["tested"]
        assert found["config"]["seed"] == 0
    before = (folder / "runs" / "14_plain_preset-s0" / "metrics.jsonl").read_bytes()
    assert call(*toy, "--epochs", 1).stdout.count("is finished") == 2
    assert (folder / "runs" / "14_plain_preset-s0" / "metrics.jsonl").read_bytes() == before
    refused = call(*toy, "--epochs", 2, status=2)
    assert refused.stderr.strip().endswith("02_no_shifts-s0 holds a run with other epochs; remove it first.")


@runs("graph_clusters.py")
def clusters_of_a_graph(folder: Path) -> None:
    call("benchmarks/graph_clusters.py", "--dataset", "digits", "--out", folder / "new" / "clusters.json")
    found = read(folder / "new" / "clusters.json")
    assert [(row["shift"], row["clusters"]) for row in found["rows"]] == [
        (shift, count) for shift in (0, 1) for count in (10, 16, 20, 30)
    ]
    for row in found["rows"]:
        assert len(row["errors"]) == 3
        assert all(0 < error < 0.5 for error in row["errors"]), "ten digits; by chance it would be 0.9"


@runs("estimators.py", "machine.py")
def estimators(folder: Path) -> None:
    printed = call("benchmarks/estimators.py", "--toy", "--splits", 2, "--out", folder / "estimators.json").stdout
    found = read(folder / "estimators.json")
    assert {row["data"] for row in found["outliers"]} == {"breast cancer", "wine"}
    assert all(0 <= error <= 1 for row in found["classification"] for error in row["errors"])
    assert "| wine, 6 labels | " in printed


@runs("label_spreading.py")
def label_spreading(folder: Path) -> None:
    out = folder / "new" / "spreading.json"
    printed = call("benchmarks/label_spreading.py", "--splits", 1, "--labels", 200, "--out", out).stdout
    found = read(out)
    assert len(found["rows"]) == 10
    assert found["labels"] == 200
    assert found["best"]["mean"] == min(row["mean"] for row in found["rows"]) < 0.1
    assert f"best mean: {100 * found['best']['mean']:.2f} %" in printed


@runs("gpu_prepare.sh", "gpu_inputs.py", "gpu_ten.sh", "gpu_ten.py", "gpu_programs.py", "gpu_record.py")
def ten_minutes_on_a_gpu(folder: Path) -> None:
    """Inputs are collected by a stand-in for pip; every program is timed. Training: tests/repo/test_gpu_ten.py."""
    mnist, carried, asked = folder / "mnist", folder / "carried", folder / "pip.txt"
    mnist.mkdir()
    (mnist / "t10k-labels-idx1-ubyte.gz").write_bytes(b"labels")
    python = folder / "python"
    python.write_text(
        f'#!/bin/sh\nif [ "$1 $2" = "-m pip" ]; then echo "$@" >"{asked}"; else exec "{sys.executable}" "$@"; fi\n'
    )
    python.chmod(0o755)
    prepare = ("benchmarks/gpu_prepare.sh", "--folder", carried, "--toy")
    refused = call(*prepare, status=2)
    assert "give the folder with MNIST's files" in refused.stderr
    call(*prepare, mnist, "best-100", PYTHON=str(python))
    assert f"--target {carried}/site tyro" in asked.read_text()
    assert (carried / "mnist" / "t10k-labels-idx1-ubyte.gz").read_bytes() == b"labels"
    assert (carried / "targets-best-100.npz").is_file()

    out = folder / "out"
    out.mkdir()
    flags = ("--toy", "--no-train", "--inputs", carried, "--folder", folder / "work")
    call("benchmarks/gpu_ten.sh", *flags, OUT=str(out), PYTHONPATH=forbidding(folder, *NOT_THERE))
    found = read(out / "ten.json")
    assert found["machine"]["toy"] is True
    assert "failed" not in found
    programs = [value for value in found.values() if isinstance(value, dict) and "us an update" in value]
    assert len(programs) == 12
    assert all(program["us an update"] > 0 for program in programs)
    assert found["against a CPU, float32"]["largest difference"] < 1e-6
    assert found["against a CPU, float32"]["largest movement"] > 0.01


@runs("gpu_job.py", "jax_worker.py", "torch_worker.py", "floor.py")
def jobs_of_the_gpu_queue(folder: Path) -> None:
    """Those that need neither tyro nor data sets; the others are in tests/repo/test_gpu_queue.py."""
    bare = forbidding(folder, "tyro", *NOT_THERE)
    jobs = {"device": [], "step": ["--seeds", 2, "--batch", 100], "torch": ["--variant", "eager"]}
    for job, flags in jobs.items():
        out = folder / f"{job}.json"
        call("benchmarks/gpu_job.py", job, *flags, "--toy", "--out", out, PYTHONPATH=f"{STAND_IN}:{bare}")
        assert read(out)["job_seconds"] > 0
    assert read(folder / "device.json")["bandwidth GB/s"] > 0
    assert len(read(folder / "step.json")["seconds an update"]) == 2
    assert read(folder / "torch.json")["torch"] == "stand-in"
    assert "seconds an update: " in call("benchmarks/gpu_job.py", "show", folder / "step.json").stdout
    for needs, flags in (("the file of a finished job", ["show"]), ("needs --out FILE", ["step", "--toy"])):
        assert needs in call("benchmarks/gpu_job.py", *flags, status=2).stderr


@runs("gpu_queue.sh", "gpu_job.py")
def queue_for_a_gpu(folder: Path) -> None:
    """Two of its jobs, and one archive; all of them are in tests/repo/test_gpu_queue.py."""
    out = folder / "out"
    out.mkdir()
    jobs = ("device", "clustering_16")
    call("benchmarks/gpu_queue.sh", "--toy", folder / "queue", *jobs, OUT=str(out))
    assert {path.stem for path in (folder / "queue").glob("*.json")} == set(jobs)
    assert read(folder / "queue" / "clustering_16.json")["updates"] > 0
    assert (out / "gpu_queue.tar.gz").stat().st_size > 500


@runs("streaming.py")
def streaming(folder: Path) -> None:
    printed = call("benchmarks/streaming.py", "--toy", "--out", folder / "streaming.json").stdout
    found = read(folder / "streaming.json")
    assert set(found["speed"]) == {"convolutional", "perceptron"}
    assert all(0.1 < ratio < 10 for speed in found["speed"].values() for ratio in speed["ratio"].values())
    assert all(100 < memory["peak_mb"] < 10_000 for memory in found["memory"].values())
    assert "memory from the smallest to the largest: " in printed


@pytest.mark.parametrize("name", CASES)
def test_it_runs_at_toy_size(name: str, tmp_path: Path) -> None:
    CASES[name].check(tmp_path)
