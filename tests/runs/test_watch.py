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
from tests.runs.running import EPOCHS, rows, status, train

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
    """The folder of a run that was stopped after its second epoch and gone on with, everything shown."""
    folder = tmp_path_factory.mktemp("watched") / "run"
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 1, signal.SIGTERM)
        assert train(folder, "--tensorboard", "--figures-every", "2", "--num-seeds", "2") == 128 + signal.SIGTERM
    assert len(rows(folder)) == 2
    assert status("--resume", folder) == 0
    return folder


def test_scalars_are_those_of_the_metrics(watched):
    found, purged = events_of(watched)
    assert len(purged) == 2
    for row in rows(watched):
        for name, values in row.items():
            if name in ("epoch", "update"):
                continue
            for seed, value in enumerate(values):
                assert found[f"{name}/s{seed}"][row["update"]] == pytest.approx(value, rel=1e-5)
    updates = [row["update"] for row in rows(watched)]
    for name, kind in (
        ("style_z", "histo"),
        ("prior_of_z", "histo"),
        ("largest_y", "histo"),
        ("reconstructions", "image"),
    ):
        assert found[name] == dict.fromkeys(updates, kind)


def test_the_table_has_a_row_for_each_line(watched):
    table = read_csv(watched)
    lines = [json.loads(line) for line in (watched / "metrics.jsonl").read_text().splitlines()]
    assert len(table) == len(lines) == EPOCHS
    for found, row in zip(table, lines, strict=True):
        assert int(found["update"]) == row["update"]
        assert [float(found[f"validation_error/s{seed}"]) for seed in (0, 1)] == row["validation_error"]
        assert float(found["generator/loss/s1"]) == row["generator/loss"][1]


def test_one_seed_needs_no_suffix(finished):
    (row, *_) = read_csv(finished)
    assert float(row["validation_error"]) == rows(finished)[0]["validation_error"][0]


def test_figures_are_drawn_on_the_way(watched, finished):
    drawn = {path.name for path in (watched / "figures").iterdir() if path.is_dir()}
    assert drawn == {"epoch-00002"}
    names = {path.name for path in (watched / "figures" / "epoch-00002").iterdir()}
    assert names == {path.name for path in (finished / "figures").iterdir()}


def test_without_tensorboardx_a_sentence_says_what_to_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", None)
    assert train(tmp_path / "run", "--tensorboard") == 2
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
