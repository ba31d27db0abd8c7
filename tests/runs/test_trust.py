"""What a run's folder from somebody else can do: be read, be refused, and nothing more."""

import json
import os
import shutil
import signal

import numpy as np
import pytest
import yaml

from aae_jax import cli
from aae_jax.records import valid_rows
from aae_jax.run.run import main as run_model
from aae_jax.run.run_dir import RunFolder
from aae_jax.run.sweep import command as sweep
from aae_jax.train import checkpoint
from tests.killing import count_calls, kill_before_call
from tests.runs.conftest import interrupt_after
from tests.runs.running import contents, copied
from tests.runs.running import plain_status as status

PAYLOAD = """
import pathlib
pathlib.Path("PWNED").write_text("code of the run's folder was executed")

def sample(key, n):
    raise SystemExit(0)
"""


def refused(capsys, *words):
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1, said
    for word in words:
        assert word in said
    return said


@pytest.mark.parametrize("file", ["evil/payload.py:sample", "./evil/../evil/payload.py:sample"])
def test_a_resumed_folder_names_no_code(file, tmp_path, capsys):
    os.makedirs("evil")
    with open("evil/payload.py", "w") as stream:
        stream.write(PAYLOAD)
    with open("evil/config.yaml", "w") as stream:
        yaml.safe_dump({"dataset": "digits", "prior": {"kind": "samples", "file": file}}, stream)
    assert run_model("unsupervised", ["--resume", "evil"]) == 2
    refused(capsys, "payload.py:sample", "only if the command line names it")
    assert run_model("unsupervised", ["--config-path", "evil/config.yaml", "--out-dir", "out"]) == 2
    refused(capsys, "only if the command line names it")
    assert not os.path.exists("PWNED")


def test_samples_that_a_folder_holds_are_data(tmp_path, capsys):
    """A run that was given a sampler keeps its samples; pickled ones are not read."""
    os.makedirs("evil")
    config = {
        "dataset": "digits",
        "network": {"latent_dim": 2},
        "prior": {"kind": "samples", "file": "gone.py:sample"},
    }
    with open("evil/config.yaml", "w") as stream:
        yaml.safe_dump(config, stream)
    np.save("evil/prior.npy", np.array([print] * 2000, dtype=object), allow_pickle=True)
    assert run_model("unsupervised", ["--resume", "evil"]) == 2
    refused(capsys, "prior.npy")


@pytest.mark.parametrize(
    "name", ["config.yaml", "metrics.jsonl", "checkpoints", "checkpoints/last", "checkpoints/best", "figures", "new"]
)
def test_links_in_a_resumed_folder_are_refused(name, stopped, tmp_path, capsys):
    half, victim = copied(stopped, tmp_path / "half"), tmp_path / "victim"
    if (half / name).exists():
        (half / name).rename(victim)
    else:
        victim.mkdir()
    (half / name).symlink_to(victim)
    before = contents(tmp_path)
    assert status("--resume", half) == 2
    refused(capsys, "is a symbolic link")
    assert contents(tmp_path) == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["config.yaml", "metrics.jsonl", "checkpoints/last/1/notes.json"])
def test_pipes_in_a_resumed_folder_do_not_block(name, stopped, tmp_path, capsys):
    half = copied(stopped, tmp_path / "half")
    (half / name).unlink()
    os.mkfifo(half / name)
    assert status("--resume", half) == 2
    refused(capsys)


def edit_config(folder, change):
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text())
    change(config)
    path.write_text(yaml.safe_dump(config))


SETTINGS = {
    "seed": lambda config: config.update(seed=7),
    "optimizers.reconstruction.learning_rate": lambda config: config["optimizers"]["reconstruction"].update(
        learning_rate=0.5
    ),
    "views.noise_std": lambda config: config["views"].update(noise_std=0.1),
    "batch_size": lambda config: config.update(batch_size=60),
    "pool_size": lambda config: config.update(pool_size=600),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_other_settings_than_the_checkpoints_are_refused(name, stopped, tmp_path, capsys):
    half = copied(stopped, tmp_path / "half")
    edit_config(half, SETTINGS[name])
    before = contents(half)
    assert status("--resume", half) == 2
    refused(capsys, "trained with other settings", name, "restore the run's config.yaml")
    assert contents(half) == before


def test_settings_without_effect_may_change(stopped, tmp_path):
    half = copied(stopped, tmp_path / "half")
    edit_config(half, lambda config: config.update(checkpoint_seconds=5.0, figures_every=100))
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 2, signal.SIGTERM)
        assert status("--resume", half) == 128 + signal.SIGTERM


def change_notes(folder, change):
    """Change the notes of both checkpoints, with checksums that fit."""
    for place in (folder / "checkpoints" / "last").iterdir():
        notes = json.loads((place / "notes.json").read_text())
        notes = change(notes)
        (place / "notes.json").write_text(json.dumps(notes))
        (place / "checksums.json").write_text(json.dumps(checkpoint._checksums(place)))


def test_a_checkpoint_of_an_earlier_version_is_resumed(stopped, tmp_path):
    half = copied(stopped, tmp_path / "half")
    change_notes(half, lambda notes: {k: notes[k] for k in ("epoch", "seconds", "failed", "data_sha256")})
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 2, signal.SIGTERM)
        assert status("--resume", half) == 128 + signal.SIGTERM


NOTES = {
    "no epoch": lambda notes: {k: v for k, v in notes.items() if k != "epoch"},
    "a negative epoch": lambda notes: {**notes, "epoch": -5},
    "a text": lambda notes: {**notes, "epoch": "1"},
    "seconds of NaN": lambda notes: {**notes, "seconds": float("nan")},
    "failures in a list": lambda notes: {**notes, "failed": [1]},
    "a failure without its phase": lambda notes: {**notes, "failed": {"0": {"update": 1}}},
    "a configuration in a list": lambda notes: {**notes, "config": [1], "config_sha256": "0"},
    "an unknown setting": lambda notes: {**notes, "config": {"evil": 1}, "config_sha256": "0"},
    "a digest that is none": lambda notes: {**notes, "config_sha256": 3},
}


@pytest.mark.parametrize("harm", NOTES)
def test_notes_of_another_kind_are_refused(harm, stopped, tmp_path, capsys):
    half = copied(stopped, tmp_path / "half")
    change_notes(half, NOTES[harm])
    assert status("--resume", half) == 2
    refused(capsys)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"resumed": 3}', "[" * 10**5, '"\\ud800"'])
def test_a_damaged_origin_is_refused(text, stopped, tmp_path, capsys):
    half = copied(stopped, tmp_path / "half")
    (half / "origin.json").write_text(text)
    assert status("--resume", half) == 2
    refused(capsys, "origin.json")


def test_only_what_the_library_wrote_is_deleted(stopped, tmp_path):
    half = copied(stopped, tmp_path / "half")
    foreign = (
        "thesis.tex",
        "checkpoints/thesis.tex",
        "checkpoints/last/thesis/a",
        "checkpoints/best/2019/a",
        ".x.unfinished",
    )
    for name in foreign:
        (half / name).parent.mkdir(parents=True, exist_ok=True)
        (half / name).write_text("precious")
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, 2, signal.SIGTERM)
        assert status("--resume", half) == 128 + signal.SIGTERM
    assert all((half / name).read_text() == "precious" for name in foreign)


ROW = {"epoch": 0, "update": 10, "reconstruction/loss": [1.0, 2.0], "seconds": 1.5}
BAD_ROWS = {
    "no losses": {"epoch": 0, "update": 1},
    "a number for a list": {**ROW, "reconstruction/loss": 1.0},
    "a text in a list": {**ROW, "reconstruction/loss": ["x", "y"]},
    "a list in a list": {**ROW, "reconstruction/loss": [[1.0], [2.0]]},
    "an object": {**ROW, "reconstruction/loss": {"0": 1.0}},
    "an empty list": {**ROW, "reconstruction/loss": []},
    "lists of two lengths": {**ROW, "validation_error": [0.5]},
    "a number beyond a float": {**ROW, "reconstruction/loss": [10**400, 1.0]},
    "true": {**ROW, "reconstruction/loss": [True, False]},
    "an epoch of text": {**ROW, "epoch": "0"},
    "an update that is true": {**ROW, "update": True},
    "a negative epoch": {**ROW, "epoch": -1},
    "a list": [1, 2],
}


@pytest.mark.parametrize("harm", BAD_ROWS)
def test_rows_that_are_none_are_no_reason_to_crash(harm, tmp_path, capsys):
    (tmp_path / "config.yaml").write_text("seed: 0\nnum_seeds: 2\n")
    (tmp_path / "metrics.jsonl").write_text(json.dumps(BAD_ROWS[harm]) + "\n")
    assert cli.main(["doctor", str(tmp_path)]) == 2
    refused(capsys, "metrics")
    (tmp_path / "metrics.jsonl").write_text(json.dumps(ROW) + "\n" + json.dumps(BAD_ROWS[harm]) + "\n")
    assert cli.main(["doctor", str(tmp_path)]) in (0, 2)


@pytest.mark.parametrize("seed", ["abc", "[1]", "1.5", "null", "true", "0x" + "f" * 5000])
def test_a_seed_that_is_none(seed, tmp_path, capsys):
    (tmp_path / "config.yaml").write_text(f"seed: {seed}\n")
    (tmp_path / "metrics.jsonl").write_text(json.dumps(ROW) + "\n")
    assert cli.main(["doctor", str(tmp_path)]) in (0, 2)
    said = capsys.readouterr()
    assert len(said.err) < 2000
    assert len(said.out) < 20_000


def test_rows_end_at_the_first_that_is_none():
    good = json.dumps(ROW).encode()
    other = json.dumps({**ROW, "reconstruction/loss": [1.0]}).encode()
    assert len(valid_rows([good, good, b'{"epoch": 1'])) == 2
    assert len(valid_rows([good, other, good])) == 1
    nothing = json.dumps({**ROW, "reconstruction/loss": [None, float("nan")]}).encode()
    assert len(valid_rows([nothing, good])) == 2


def test_metrics_of_another_number_of_seeds_are_refused(stopped, tmp_path, capsys):
    half = copied(stopped, tmp_path / "half")
    rows = RunFolder(half).read_metrics()
    doubled = [{k: v * 2 if isinstance(v, list) else v for k, v in row.items()} for row in rows]
    (half / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in doubled))
    assert status("--resume", half) == 2
    refused(capsys, "metrics.jsonl has rows of 2 seeds, but the run has 1")


PLANS = {
    "no JSON": "{",
    "a list": "[]",
    "no settings": json.dumps({"settings": [], "size": 1, "data_sha256": ""}),
    "settings of two kinds": json.dumps({"settings": [{"labels": 10}, {}], "size": 1, "data_sha256": ""}),
    "a size of 0": json.dumps({"settings": [{"labels": 10}], "size": 0, "data_sha256": ""}),
    "an unknown number": json.dumps({"settings": [{"evil": 10}], "size": 1, "data_sha256": "?"}),
    "a text": json.dumps({"settings": [{"weights.consistency": "x"}], "size": 1, "data_sha256": "?"}),
}


@pytest.mark.parametrize("harm", PLANS)
def test_a_damaged_plan_of_a_sweep_is_refused(harm, tmp_path, capsys):
    folder = tmp_path / "sweep"
    folder.mkdir()
    (folder / "config.yaml").write_text("dataset: digits\n")
    (folder / "sweep.json").write_text(PLANS[harm])
    assert sweep.main(["--resume", str(folder)]) == 2
    refused(capsys)


def doubled(first, line):
    """Return YAML in which each of nine values repeats the one before it nine times, as `line` writes it."""
    return first + "".join(line(chr(98 + i), ["*" + chr(97 + i)] * 9) for i in range(9))


HOSTILE = {
    "aliases": "labels: ["
    + doubled("&a [1,1,1,1,1,1,1,1,1]", lambda name, before: f", &{name} [{','.join(before)}]")
    + "]",
    "aliases of mappings": doubled(
        "a: &a {x: 1}\n",
        lambda name, before: f"{name}: &{name} {{{', '.join(f'k{j}: {one}' for j, one in enumerate(before))}}}\n",
    ),
    "merged mappings": doubled(
        "a: &a {x: 1}\n", lambda name, before: f"{name}: &{name} {{<<: [{', '.join(before)}]}}\n"
    ),
    "a value that contains itself": "labels: &a [*a]",
    "a mapping that contains itself": "&a {labels: *a}",
    "deep nesting": "labels: " + "[" * 5000 + "]" * 5000,
    "deep mappings": "labels: " + "{a: " * 3000 + "1" + "}" * 3000,
    "an unclosed list": "labels: " + "[" * 50_000,
    "a long text": "labels: " + "x" * 200_000,
    "a long number": "labels: 0x" + "f" * 100_000,
    "a long key": "x" * 100_000 + ": 1",
    "many keys": "\n".join(f"k{i}: 1" for i in range(20_000)),
    "a tag": "labels: !!python/object/apply:os.system [echo]",
    "a list as a key": "[1, 2]: 3",
    "control characters": 'labels: "\\e[31m\\a\\0"',
    "too large": "# " + "x" * 2**18,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_yaml_is_refused_in_a_short_sentence(name, tmp_path, capsys):
    path = tmp_path / "c.yaml"
    path.write_text(HOSTILE[name])
    assert status("--config-path", path, "--out-dir", tmp_path / "out") == 2
    said = refused(capsys)
    assert len(said) < 2000
    assert said.strip().isprintable()
    assert not (tmp_path / "out").exists()


def test_a_few_aliases_are_taken(tmp_path):
    from aae_jax.config.text import read_yaml

    (tmp_path / "c.yaml").write_text("a: &a [1, 2]\nb: *a\nc: {<<: &m {x: 1}, y: *m}\n")
    assert read_yaml(tmp_path / "c.yaml") == {"a": [1, 2], "b": [1, 2], "c": {"x": 1, "y": {"x": 1}}}


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs devices")
@pytest.mark.parametrize("option", ["--config-path", "--resume"])
def test_a_device_for_a_configuration(option, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").symlink_to("/dev/zero")
    path = tmp_path / "run" if option == "--resume" else tmp_path / "run" / "config.yaml"
    assert status(option, path) == 2
    refused(capsys)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs devices")
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("kind", ["a device", "a pipe", "a folder"])
def test_a_model_whose_file_is_none(name, kind, plain, tmp_path, capsys):
    model = tmp_path / "model"
    shutil.copytree(plain / "model", model)
    (model / name).unlink()
    {
        "a device": lambda path: path.symlink_to("/dev/zero"),
        "a pipe": os.mkfifo,
        "a folder": os.mkdir,
    }[kind](model / name)
    assert cli.main(["generate", str(model), "--out", str(tmp_path / "out.png")]) == 2
    refused(capsys)


def test_killed_at_any_system_call_the_old_or_the_new_summary_is_whole(tmp_path):
    run, seen = RunFolder(tmp_path), set()
    old, new = {"test_error": 0.5}, {"test_error": 0.25, "rows": list(range(1000))}
    run.write_summary(old)
    for moment in range(count_calls(lambda: run.write_summary(new)) + 2):
        run.write_summary(old)
        kill_before_call(moment, lambda: run.write_summary(new))
        seen.add(json.loads((tmp_path / "summary.json").read_text())["test_error"])
        run.claim()  # sweeps what the kill left
        run.release()
        assert [path.name for path in tmp_path.iterdir() if path.name != "here"] == ["summary.json"]
    assert seen == {0.5, 0.25}
