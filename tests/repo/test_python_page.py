"""The code of docs/python.md runs; its adapters pass settings and metrics on to the libraries they are for."""

import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"
TRAINING, ADAPTERS, SEARCH, FUNCTIONS = re.findall(
    r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL
)
VALUES, METRICS = {"network.latent_dim": 2, "dataset": "digits"}, {"generator/loss": 0.5, "validation_error": 0.25}


class Recorder:
    """Stands in for a module; notes the calls of its functions, and of those of its attributes."""

    def __init__(self, name="", calls=None):
        self.name, self.calls = name, [] if calls is None else calls

    def __getattr__(self, name):
        return Recorder(f"{self.name}.{name}", self.calls)

    def __call__(self, *args, **kwargs):
        self.calls.append((self.name, args, kwargs))
        return self


@pytest.mark.parametrize(
    ("adapter", "module", "expected"),
    [
        (
            "TensorBoard",
            "tensorboardX",
            [
                (".SummaryWriter", ("folder",), {}),
                (".SummaryWriter.add_text", ("settings", str(VALUES)), {}),
                (".SummaryWriter.add_scalar", ("generator/loss", 0.5, 40), {}),
                (".SummaryWriter.add_scalar", ("validation_error", 0.25, 40), {}),
            ],
        ),
        (
            "MLflow",
            "mlflow",
            [
                *((".log_param", item, {}) for item in VALUES.items()),
                (".log_metrics", (METRICS,), {"step": 40}),
            ],
        ),
        ("WeightsAndBiases", "wandb", [(".config.update", (VALUES,), {}), (".log", (METRICS,), {"step": 40})]),
    ],
)
def test_an_adapter_passes_on_what_it_gets(adapter, module, expected, monkeypatch, tmp_path):
    fake = Recorder()
    if module == "tensorboardX":
        writer = Recorder(".SummaryWriter", fake.calls)
        fake = SimpleNamespace(SummaryWriter=writer, calls=fake.calls)
    monkeypatch.setitem(sys.modules, module, fake)
    (tmp_path / "adapters.py").write_text(ADAPTERS, encoding="utf-8")
    adapters = runpy.run_path(str(tmp_path / "adapters.py"))
    logger = adapters[adapter](*(["folder"] if adapter == "TensorBoard" else []))
    logger.settings(VALUES)
    logger.metrics(METRICS, 40)
    assert fake.calls == expected


def test_adapters_are_short():
    for adapter in re.split(r"\n\n\n", ADAPTERS.strip()):
        assert len(adapter.splitlines()) <= 20


@pytest.mark.slow
def test_the_search_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = SEARCH.replace("trials=20", "trials=2").replace("labels=100", "labels=100, epochs=1, judge_updates=0")
    code = code.replace("epochs=20, ", "").replace("(256, 256)", "(16,)")
    (tmp_path / "search.py").write_text(code, encoding="utf-8")
    made = runpy.run_path("search.py")
    assert set(made["study"].best_params) == set(made["space"])
    assert made["best"].config.views.noise_std == made["study"].best_params["views.noise_std"]


@pytest.mark.slow
@pytest.mark.parametrize(("code", "error"), [(TRAINING, r"'mean': ([\d.]+)"), (FUNCTIONS, r"'error': ([\d.]+)")])
def test_an_example_learns(code, error, tmp_path):
    (tmp_path / "example.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(re.search(error, done.stdout).group(1)) < 0.25
