"""What a run shows while it trains, and that all of it goes on over a stop."""

import csv
import json
import signal

import jax
import numpy as np
import pytest

from aae_jax.data import default_cache_dir
from aae_jax.run import event_log
from aae_jax.train import compile_cache as compilation
from tests.runs.conftest import interrupt_after
from tests.runs.running import EPOCHS, PLAIN, SMALL, rows, status, train_plain

SCORE = "validation_reconstruction_error"
tensorboardx = pytest.importorskip("tensorboardX", reason="the extra tensorboard is not installed")


def events_of(folder):
    """Return the steps at which each name was written, the last writer winning: `{name: {step: value}}`."""
    from tensorboardX.proto import event_pb2

    found, purged = {}, []
    for path in sorted((folder / "tensorboard").iterdir(), key=lambda path: path.stat().st_mtime_ns):
        raw, at = path.read_bytes(), 0
        while at < len(raw):
            size = int.from_bytes(raw[at : at + 8], "little")
            event = event_pb2.Event.FromString(raw[at + 12 : at + 12 + size])
            at += 16 + size
            if event.session_log.status == event_pb2.SessionLog.START:
                purged.append(event.step)
                found = {n: {s: v for s, v in steps.items() if s < event.step} for n, steps in found.items()}
            for value in event.summary.value:
                kind = value.WhichOneof("value")
                found.setdefault(value.tag, {})[event.step] = value.simple_value if kind == "simple_value" else kind
    return found, purged


def read_csv(folder):
    with (folder / "metrics.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def watched(tmp_path_factory, figures_on_demand):
    """Return the folder of a model's run, stopped after its second epoch and gone on with, everything shown."""
    made = {}

    def folder_of(model):
        if model not in made:
            made[model] = tmp_path_factory.mktemp(model) / "run"
            shown = ("--tensorboard", "--figures-every", "2", "--num-seeds", "2", "--out-dir", made[model])
            with pytest.MonkeyPatch.context() as patch:
                interrupt_after(patch, 1, signal.SIGTERM)
                small = SMALL if model == "semi_supervised" else PLAIN
                assert status(*small, *shown, model=model) == 128 + signal.SIGTERM
            assert len(rows(made[model])) == 2
            assert status("--resume", made[model], model=model) == 0
        return made[model]

    return folder_of


OF_CLASSES = ("prior_of_z", "largest_y")


@pytest.mark.parametrize(
    ("model", "more"), [("autoencoder", ()), pytest.param("semi_supervised", OF_CLASSES, marks=pytest.mark.slow)]
)
def test_scalars_are_those_of_the_metrics(model, more, watched):
    watched = watched(model)
    found, purged = events_of(watched)
    assert len(purged) == 2
    for row in rows(watched):
        for name, values in row.items():
            if name in ("epoch", "update"):
                continue
            for seed, value in enumerate(values):
                assert found[f"{name}/s{seed}"][row["update"]] == pytest.approx(value, rel=1e-5)
    updates = [row["update"] for row in rows(watched)]
    shown = {"reconstructions": "image", **dict.fromkeys(("style_z", *more), "histo")}
    assert {name for name, steps in found.items() if set(steps.values()) <= {"histo", "image"}} == {*shown}
    for name, kind in shown.items():
        assert found[name] == dict.fromkeys(updates, kind)


def test_the_table_has_a_row_for_each_line(watched):
    watched = watched("autoencoder")
    table = read_csv(watched)
    lines = [json.loads(line) for line in (watched / "metrics.jsonl").read_text().splitlines()]
    assert len(table) == len(lines) == EPOCHS
    for found, row in zip(table, lines, strict=True):
        assert int(found["update"]) == row["update"]
        assert [float(found[f"{SCORE}/s{seed}"]) for seed in (0, 1)] == row[SCORE]
        assert float(found["reconstruction/loss/s1"]) == row["reconstruction/loss"][1]


def test_one_seed_needs_no_suffix(plain):
    (row, *_) = read_csv(plain)
    assert float(row[SCORE]) == rows(plain)[0][SCORE][0]


def test_figures_are_drawn_on_the_way(watched, plain):
    watched = watched("autoencoder")
    drawn = {path.name for path in (watched / "figures").iterdir() if path.is_dir()}
    assert drawn == {"epoch-00002"}
    names = {path.name for path in (watched / "figures" / "epoch-00002").iterdir()}
    assert names == {path.name for path in (plain / "figures").iterdir()}


def test_without_tensorboardx_a_sentence_says_what_to_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", None)
    assert train_plain(tmp_path / "run", "--tensorboard") == 2
    assert "tensorboardX is not installed; install it" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_values_that_are_not_finite_are_left_out(tmp_path):
    log = event_log.EventLog(tmp_path / "tensorboard", (0,), next_update=1)
    log.scalars({"update": 3, "epoch": 0, "a/loss": np.array([np.nan]), "b/loss": np.array([1.0])})
    log.histograms(3, {"style_z": np.full((5, 2), np.nan), "prior_of_z": np.zeros((5, 2))})
    log.close()
    assert set(events_of(tmp_path)[0]) == {"b/loss", "prior_of_z"}


def test_compiled_programs_are_kept_below_our_cache(monkeypatch):
    changed = {}
    monkeypatch.setattr(jax.config, "update", lambda name, value: changed.update({name: value}))
    compilation.keep_compiled_programs()
    assert changed == {}  # a folder that was chosen (the tests' own) stays
    monkeypatch.setattr(type(jax.config), "jax_compilation_cache_dir", None)
    compilation.keep_compiled_programs()
    assert changed["jax_compilation_cache_dir"].startswith(str(default_cache_dir() / "compiled"))
    assert changed["jax_compilation_cache_max_size"] == -1  # ours is kept at each start
    monkeypatch.setenv("AAE_CACHE_DIR", "/proc/none")
    changed.clear()
    compilation.keep_compiled_programs()
    assert changed == {}
