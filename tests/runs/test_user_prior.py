"""A prior of the user's own: samples in a file, or a sampler; trained with, resumed, saved, drawn from."""

import dataclasses
import shutil

import jax
import numpy as np
import pytest

from aae_jax import cli, load
from aae_jax.data import Quiet
from aae_jax.models.autoencoder import experiment as autoencoder
from aae_jax.models.clustering import experiment as clustering
from aae_jax.models.dim_reduction import experiment as dim_reduction
from aae_jax.models.label_regularized import experiment as label_regularized
from aae_jax.models.semi_supervised import experiment as semi_supervised
from aae_jax.models.shared.plan import main_plan
from aae_jax.models.supervised import experiment as supervised
from aae_jax.models.unsupervised import experiment as unsupervised
from aae_jax.priors.configured import configured_prior
from aae_jax.priors.custom import read_prior
from aae_jax.run.arguments import parse
from aae_jax.run.measures import build_seed_measure
from aae_jax.run.run import main as run_model
from aae_jax.run.setup import build_setup
from aae_jax.run.sweep import command as sweep
from aae_jax.train.state import evaluation_variables
from reproduce.models import MODELS
from tests.runs.running import ROOT, rows

SMOKE = (
    *("--preset", "smoke", "--dataset", "digits", "--checkpoint-seconds", "0"),
    *("--network.precision", "float32"),
)
SAMPLER = """
import jax
def corner(key, n):
    return 3.0 + jax.random.uniform(key, (n, 2))
def line(key, n):
    return jax.random.uniform(key, (n,))
def flat(key, n):
    return corner(key, n).at[:, 1].set(0.1)
def leaves(key, n):
    raise SystemExit(0)
def half(key, n):
    return corner(key, n).astype("bfloat16")
def neighbours(key, n):
    import beside_mine
    return beside_mine.shift + corner(key, n)
def wide(key, n):
    return jax.random.normal(key, (n, 200))
def infinite(key, n):
    return corner(key, n) / 0.0
def few(key, n):
    return corner(key, 10)
def broken(key, n):
    raise KeyError("no such thing")
number = 3
"""


@pytest.fixture
def sampler(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(SAMPLER)
    return path


def own(file):
    return ["--prior.kind", "samples", "--prior.file", str(file)]


def config_of(file):
    return parse(unsupervised.SPEC, own(file)).config.prior


def status(module, *argv):
    try:
        return run_model(module.SPEC.name, [str(argument) for argument in argv])
    except SystemExit as stopped:
        return stopped.code


def corner_rows(path, count=2000, dim=2):
    table = 3.0 + np.random.default_rng(0).random((count, dim))
    np.save(path, table)
    return table.astype(np.float32)


@pytest.mark.slow
def test_a_run_by_a_sampler_is_resumed_saved_and_drawn_from_without_it(sampler, tmp_path, capsys, monkeypatch):
    whole, half = tmp_path / "whole", tmp_path / "half"
    argv = (*SMOKE, *own(f"{sampler}:corner"), "--epochs", "2")
    once = []
    spec = dataclasses.replace(unsupervised.SPEC, build_phases=_deleting(sampler, once))
    monkeypatch.setattr(unsupervised, "SPEC", spec)
    assert status(unsupervised, *argv, "--out-dir", whole) == 0
    assert once, "the user's file is gone before training begins"
    shutil.copytree(whole, half)
    sampler.write_text("raise KeyError('this code is not to be run again')")
    for path in (half / "summary.json", half / "checkpoints" / "last" / "1"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert status(unsupervised, "--resume", half) == 0
    assert rows(half) == rows(whole)
    kept = np.load(whole / "prior.npy")
    assert kept.shape == (100_000, 2)
    assert kept.min() >= 3.0
    for folder in (whole, half):
        model = load(folder)
        assert model.prior.kind == "samples"
        assert model.prior.file is None
        np.testing.assert_array_equal(model.prior_samples, kept)
        drawn = np.asarray(model.draw_styles(jax.random.key(1), 5000))
        assert {row.tobytes() for row in drawn} <= {row.tobytes() for row in kept}
        assert len(np.unique(drawn[:, 0])) > 4500
    gaps = [row["validation_code_mean_gap/z1"][0] for row in rows(whole)]
    assert gaps[0] < -2  # codes begin around the origin, in the samples' deviations
    capsys.readouterr()
    assert cli.main(["generate", str(whole), "--out", str(tmp_path / "made.png")]) == 0
    assert cli.main(["generate", str(whole), "--out", str(tmp_path / "made.png"), "--component", "0"]) == 2
    assert "a prior of kind samples has no parts" in capsys.readouterr().err


def _deleting(sampler, done):
    """Return what builds the phases, but removes the user's file first."""
    build = unsupervised.SPEC.build_phases

    def without_it(*args, **named):
        done.append(sampler.unlink(missing_ok=True))
        return build(*args, **named)

    return without_it


@pytest.mark.parametrize(
    "module",
    [
        semi_supervised,
        *(
            pytest.param(each, marks=pytest.mark.slow)
            for each in (unsupervised, clustering, supervised, dim_reduction)
        ),
    ],
)
def test_every_model_is_pulled_to_the_samples(module, tmp_path):
    argv = [*SMOKE, *own(tmp_path / "mine.npy")]
    dim = parse(module.SPEC, [*argv]).config.network.latent_dim
    table = corner_rows(tmp_path / "mine.npy", dim=dim)
    given, whole = [], module.SPEC.build_phases
    spec = dataclasses.replace(module.SPEC, build_phases=lambda *a, **k: given.append(k["prior"]) or whole(*a, **k))
    problem = build_setup(spec, parse(spec, argv).config, Quiet())
    task = main_plan(problem)
    drawn = np.asarray(given[0](jax.random.key(2), 300))
    assert {row.tobytes() for row in drawn} <= {row.tobytes() for row in table}
    images, labels = problem.validation_images, problem.validation_labels
    found = build_seed_measure(problem)(*evaluation_variables(task.build_state()), images, labels)
    assert (np.asarray(found["code_mean_gap"]) < -2).all()


@pytest.mark.parametrize("model", ["unsupervised", pytest.param("semi_supervised", marks=pytest.mark.slow)])
def test_a_sweep_reads_the_samples_once_and_resumes_without_the_file(model, sampler, tmp_path, monkeypatch):
    train, out = sweep._run_in, tmp_path / "out"
    monkeypatch.setattr(sweep, "chunk_size", lambda *_: 1)
    monkeypatch.setattr(sweep, "_run_in", lambda *given: (sampler.unlink(missing_ok=True), train(*given))[1])
    labels = ("--network.latent-dim", "2", "--labels", "50") if model == "semi_supervised" else ()
    small = (model, *SMOKE, *labels, "--epochs", "1")
    space = ("--vary", "views.noise_std=0,0.3")
    assert sweep.main([*small, *space, *own(f"{sampler}:corner"), "--out-dir", str(out)]) == 0
    table = (out / "table.csv").read_bytes()
    sampler.write_text("raise KeyError('this code is not to be run again')")
    for path in (out / "summary.json", out / "chunks" / "001" / "result.json"):
        path.unlink()
    assert sweep.main(["--resume", str(out)]) == 0
    assert (out / "table.csv").read_bytes() == table


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mixture", "uniform"])
def test_the_semi_supervised_model_takes_any_prior(kind, tmp_path):
    flags = [*SMOKE, "--labels", "50", "--epochs", "1", "--no-test", "--prior.kind", kind]
    assert run_model("semi_supervised", [*flags, "--out-dir", str(tmp_path / "run")]) == 0
    model = load(tmp_path / "run")
    assert model.prior.kind == kind
    drawn = np.asarray(model.draw_styles(jax.random.key(0), 500))
    np.testing.assert_array_equal(
        drawn, configured_prior(model.prior, model.network.latent_dim)(jax.random.key(0), 500)
    )


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("line", "gives float32 of shape [100000]; give samples [n, 2]"),
        ("leaves", "failed to draw 100000 samples (SystemExit: 0)"),
        ("flat", "constant in dimension 2"),
        ("infinite", "not all finite"),
        ("few", "gives 10 samples; give at least 1000"),
        ("broken", "failed to draw 100000 samples (KeyError: 'no such thing')"),
        ("number", "has no function 'number'"),
        ("absent", "has no function 'absent'"),
    ],
)
def test_a_sampler_that_is_none_is_said_to_be(function, said, sampler, capsys):
    assert status(unsupervised, *SMOKE, *own(f"{sampler}:{function}")) == 2
    assert said in capsys.readouterr().err


def test_a_file_that_holds_no_samples_is_said_to(tmp_path, capsys):
    (tmp_path / "text.npy").write_text("no numbers")
    (tmp_path / "empty.npy").write_text("")
    (tmp_path / "torn.npy").write_bytes(b"PK\x03\x04 torn")
    (tmp_path / "bad.py").write_text("def of(key, n)\n")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object))
    np.savez(tmp_path / "several.npz", a=np.zeros((2000, 2)))
    np.save(tmp_path / "large.npy", np.random.default_rng(0).normal(size=(2000, 2)) * 1e300)
    corner_rows(tmp_path / "three.npy", dim=3)
    corner_rows(tmp_path / "short.npy")
    (tmp_path / "short.npy").write_bytes((tmp_path / "short.npy").read_bytes()[:1000])
    cases = {
        "absent.npy": "is not a file",
        "text.npy": "is not an array written by numpy.save",
        "empty.npy": "is not an array written by numpy.save",
        "torn.npy": "is not an array written by numpy.save",
        "short.npy": "is not an array written by numpy.save",
        "objects.npy": "is not an array written by numpy.save",
        "several.npz": "is not an array written by numpy.save",
        "large.npy": "not all finite in float32",
        "three.npy": "of shape [2000, 3]; give samples [n, 2]",
        "absent.py:of": "is not a file",
        "bad.py:of": "SyntaxError",
    }
    for name, said in cases.items():
        assert status(unsupervised, *SMOKE, *own(tmp_path / name), "--out-dir", tmp_path / "out") == 2
        assert said in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


def test_samplers_may_import_what_lies_beside_them_and_give_any_numbers(sampler):
    (sampler.parent / "beside_mine.py").write_text("shift = 10.0")
    found = {name: config_of(f"{sampler}:{name}") for name in ("neighbours", "half")}
    assert read_prior(found["neighbours"], 2).samples.min() >= 13.0
    assert read_prior(found["half"], 2).samples.dtype == np.float32
    assert read_prior(config_of(f"{sampler}:wide"), 200).samples.shape == (50_000, 200)  # ten million numbers


def test_a_file_that_changed_is_read_anew(tmp_path):
    first = corner_rows(tmp_path / "mine.npy")
    config = config_of(tmp_path / "mine.npy")
    np.testing.assert_array_equal(read_prior(config, 2).samples, first)
    with pytest.raises(ValueError, match="read-only"):
        read_prior(config, 2).samples[0, 0] = 1.0
    np.save(tmp_path / "mine.npy", first + 1)
    np.testing.assert_array_equal(read_prior(config, 2).samples, first + 1)


def test_a_file_of_settings_runs_no_code_and_takes_what_a_run_kept(sampler, tmp_path, capsys):
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"prior:\n  kind: samples\n  file: {sampler}:broken\n")
    argv = (*SMOKE, "--config-path", settings)
    assert status(unsupervised, *argv) == 2
    assert "only if the command line names it" in capsys.readouterr().err
    assert status(unsupervised, *argv, "--prior.file", f"{sampler}:broken") == 2
    assert "KeyError: 'no such thing'" in capsys.readouterr().err
    corner_rows(tmp_path / "prior.npy")
    asked = parse(unsupervised.SPEC, [*map(str, argv)]).config
    assert asked.prior.file == str(tmp_path / "prior.npy")


def test_samples_and_their_file_come_together(tmp_path, capsys):
    argv = (*SMOKE, "--prior.kind", "samples")
    assert status(unsupervised, *argv) == 2
    assert "--prior.file FILE.npy" in capsys.readouterr().err
    assert status(unsupervised, *SMOKE, "--prior.file", tmp_path / "mine.npy") == 2
    assert "with that kind alone" in capsys.readouterr().err
    for module, said in ((label_regularized, "has no part for each class"), (autoencoder, "codes have no prior")):
        assert status(module, *SMOKE, *own(tmp_path / "mine.npy")) == 2
        assert said in capsys.readouterr().err


def test_the_example_of_the_documents_is_a_heart():
    (row,) = (row for row in MODELS if row.name == "unsupervised-own")
    assert (ROOT / row.flags[-1].partition(":")[0]).is_file()
    config = config_of(f"{ROOT}/{row.flags[-1]}")
    samples = read_prior(config, 2).samples
    assert samples.shape == (100_000, 2)
    notch = np.abs(samples[:, 0]) < 0.1
    assert samples[notch][:, 1].max() < 0.8 * samples[:, 1].max()  # between its two arcs
    np.testing.assert_allclose(samples.mean(axis=0)[0], 0.0, atol=0.02)
    drawn = np.asarray(read_prior(config, 2)(jax.random.key(0), 4000))
    np.testing.assert_allclose(drawn.std(axis=0), samples.std(axis=0), rtol=0.05)
