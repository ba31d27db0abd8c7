"""The commands other than training and prediction: figures of a saved model, interpolations, splits, old names."""

import dataclasses
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from aae_jax import cli, load, save_model
from aae_jax.commands.evaluate import validation_of
from aae_jax.compat.command_names import translate
from aae_jax.data import Quiet, load_digits, split_indices
from aae_jax.errors import InputError
from aae_jax.figures.of_models.parts import draw_posterior
from aae_jax.models.clustering import experiment as clustering
from aae_jax.models.dim_reduction import experiment as dim_reduction
from aae_jax.models.label_regularized import experiment as label_regularized
from aae_jax.models.shared.plan import main_plan
from aae_jax.models.supervised import experiment as supervised
from aae_jax.models.unsupervised import experiment as unsupervised
from aae_jax.priors.configured import configured_prior
from aae_jax.run.arguments import parse
from aae_jax.run.setup import build_setup
from aae_jax.run.watch import model_of
from aae_jax.train.state import evaluation_variables, used_networks

MODULES = {
    module.SPEC.name: module for module in (clustering, dim_reduction, label_regularized, supervised, unsupervised)
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return the folder of an untrained model of an experiment, saved once."""
    made = {}

    def folder_of(name):
        if name not in made:
            experiment = MODULES[name].SPEC
            problem = build_setup(
                experiment, parse(experiment, ["--preset", "smoke", "--dataset", "digits"]).config, Quiet()
            )
            params, stats = evaluation_variables(main_plan(problem).build_state())
            made[name] = tmp_path_factory.mktemp(name) / "saved"
            save_model(model_of(problem, used_networks(params), stats, 0), made[name])
        return str(made[name])

    return folder_of


OF_CODES = {"latent_features_tsne", "latent_features_tnse", "z_distribution", "reconstruction_example"}
OF_LABELS = {"predicted_label_distribution", "y_distribution", "modes_and_samples_from_each_label"}
OF_STYLES = {"learned_latent_features"}
DRAWN = {
    "clustering": OF_CODES | OF_LABELS | OF_STYLES | {"learned_modes"},
    "dim_reduction": OF_CODES | OF_LABELS | OF_STYLES,
    "supervised": OF_CODES | OF_STYLES,
    "unsupervised": OF_CODES,
    "label_regularized": OF_CODES,
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in ("clustering", "unsupervised") else pytest.mark.slow) for name in DRAWN],
)
def test_visualize_draws_all_that_a_saved_model_has(name, saved, tmp_path):
    argv = [saved(name), "--dataset", "digits", "--images", "60", "--out-dir", str(tmp_path / "drawn")]
    assert cli.main(["visualize", *argv]) == 0
    assert {path.stem for path in (tmp_path / "drawn").iterdir()} == DRAWN[name]
    assert all(path.stat().st_size > 1000 for path in (tmp_path / "drawn").iterdir())


@pytest.mark.parametrize("name", ["clustering", "supervised", "label_regularized"])
def test_evaluate_measures_what_the_model_is_about(name, saved, tmp_path, capsys):
    out = tmp_path / "found.json"
    assert cli.main(["evaluate", saved(name), "--dataset", "digits", "--out", str(out)]) == 0
    said, found = capsys.readouterr().out, out.read_text()
    if name == "clustering":
        assert said.count("\nLabel ") == 12
        assert "by the paper's rule" in said
        assert "majority_error" in found
    else:
        assert "reconstruction error" in said
        assert ("component_error" in found) == (name == "label_regularized")


@pytest.fixture
def pictures(tmp_path):
    np.save(tmp_path / "some.npy", load_digits().test_images[:6])
    return str(tmp_path / "some.npy")


def test_interpolation_goes_from_one_reconstruction_to_the_other(saved, pictures, tmp_path):
    folder, out = saved("clustering"), tmp_path / "between.npz"
    assert cli.main(["interpolate", folder, pictures, "--steps", "5", "--out", str(out)]) == 0
    rebuilt = np.asarray(load(folder).reconstruct(np.load(pictures)))
    with np.load(out) as found:
        np.testing.assert_array_equal([found["first"], found["second"]], [[0, 2, 4], [1, 3, 5]])
        np.testing.assert_allclose(found["images"][:, 0], rebuilt[::2], atol=1e-5)
        np.testing.assert_allclose(found["images"][:, -1], rebuilt[1::2], atol=1e-5)
        assert found["images"].shape == (3, 5, 8, 8)


def test_the_nearest_is_another_image_and_the_way_may_be_smooth(saved, pictures, tmp_path):
    folder, out = saved("unsupervised"), tmp_path / "between.npz"
    argv = ["interpolate", folder, pictures, "--nearest", "--smooth", "--steps", "3", "--out", str(out)]
    assert cli.main(argv) == 0
    model = load(folder)
    codes = np.asarray(model.encode(np.load(pictures)).mean)
    apart = np.linalg.norm(codes[:, None] - codes, axis=2) + np.diag(np.full(6, np.inf))
    with np.load(out) as found:
        np.testing.assert_array_equal(found["second"], apart.argmin(axis=1))
        middle = 0.5 * (codes[found["first"]] + codes[found["second"]])
        np.testing.assert_allclose(found["images"][:, 1], model.decode(middle), atol=1e-5)


def test_an_animation_goes_there_and_back(saved, pictures, tmp_path):
    out = tmp_path / "there.gif"
    assert cli.main(["interpolate", saved("clustering"), pictures, "--steps", "4", "--out", str(out)]) == 0
    with Image.open(out) as animation:
        assert (animation.n_frames, animation.size) == (6, (3 * 3 * 8, 3 * 8))


def test_a_class_is_generated_by_a_decoder_that_gets_labels(saved, tmp_path):
    out = tmp_path / "made.npz"
    assert cli.main(["generate", saved("supervised"), "--count", "2", "--label", "7", "--out", str(out)]) == 0
    model = load(saved("supervised"))
    with np.load(out) as made:
        np.testing.assert_array_equal(made["labels"], [7, 7])
        expected = model.decode(made["styles"], jax.nn.one_hot(made["labels"], 10))
        np.testing.assert_allclose(made["images"], expected, atol=1e-6)


def test_codes_beside_the_prior_are_samples_of_posteriors(tmp_path):
    experiment = MODULES["unsupervised"].SPEC
    argv = ["--preset", "smoke", "--dataset", "digits", "--network.posterior", "gaussian"]
    problem = build_setup(experiment, parse(experiment, argv).config, Quiet())
    params, stats = evaluation_variables(main_plan(problem).build_state())
    model = model_of(problem, used_networks(params), stats, 0)
    images = jnp.broadcast_to(jnp.asarray(load_digits().test_images[0]), (4000, 8, 8))
    drawn, encoded = draw_posterior(model, images, jax.random.key(3)), model.encode_stored(images[:1])
    np.testing.assert_allclose(drawn.mean(axis=0), encoded.mean[0], atol=0.1)
    np.testing.assert_allclose(drawn.std(axis=0), np.exp(encoded.log_std[0]), rtol=0.1)


def test_one_component_of_the_prior_is_generated(saved, tmp_path, capsys):
    model = load(saved("label_regularized"))
    out = tmp_path / "third.npz"
    folder = saved("label_regularized")
    assert cli.main(["generate", folder, "--component", "3", "--count", "40", "--out", str(out)]) == 0
    with np.load(out) as made:
        parts = configured_prior(model.prior, 2).part_of(jnp.asarray(made["styles"]))
        assert np.mean(parts == 3) > 0.7  # ends of neighbouring components lie over each other
        assert made["styles"].shape == (40, 2)
        np.testing.assert_allclose(made["images"], model.decode(made["styles"]), atol=1e-6)
    assert cli.main(["generate", folder, "--component", "3", "--out", str(tmp_path / "third.png")]) == 0
    assert cli.main(["generate", folder, "--component", "10"]) == 2
    assert "component is 10; give a component of the prior, from 0 to 9" in capsys.readouterr().err
    assert cli.main(["generate", saved("supervised"), "--component", "0"]) == 2
    assert "a prior of kind gaussian has no parts" in capsys.readouterr().err


def test_styles_are_sampled_from_a_mixture_fitted_to_codes(saved, tmp_path, capsys):
    model, out = load(saved("unsupervised")), tmp_path / "made.npz"
    asked = ["generate", saved("unsupervised"), "--sampler", "mixture", "--count", "2000", "--out", str(out)]
    assert cli.main(asked) == 0
    codes = model.encode(load_digits().train_images).mean
    with np.load(out) as made:
        np.testing.assert_allclose(made["styles"].mean(axis=0), codes.mean(axis=0), atol=0.1)
        np.testing.assert_allclose(made["styles"].std(axis=0), codes.std(axis=0), rtol=0.1)
        np.testing.assert_allclose(made["images"], model.decode(made["styles"]), atol=1e-6)
    capsys.readouterr()
    for wrong, said in (
        (["--component", "1"], "leave it out with --sampler mixture"),
        (["--mixture-components", "5000"], "A mixture of 5000 components cannot be fitted"),
        (["--dataset", f"npz:{out}"], "error: "),
        (["--sampler", "prior", "--mixture-components", "3"], "give --sampler mixture too"),
    ):
        assert cli.main([*asked, *wrong]) == 2
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("command", [["evaluate"], ["generate", "--sampler", "mixture"]])
def test_the_data_that_a_runs_configuration_names_are_not_overwritten(command, plain, tmp_path, capsys):
    run, data = tmp_path / "run", tmp_path / "data.npz"
    shutil.copytree(plain, run)
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("dataset: digits", f"dataset: npz:{data}"))
    data.write_bytes(b"precious")
    assert cli.main([*command, str(run), "--out", str(data)]) == 2
    assert "would overwrite a file read from" in capsys.readouterr().err
    assert data.read_bytes() == b"precious"


def test_an_autoencoder_without_a_prior_generates_from_a_mixture(plain, tmp_path):
    asked = ["generate", str(plain), "--count", "3", "--out", str(tmp_path / "made.npz")]
    assert cli.main(asked) == 2
    assert cli.main([*asked, "--sampler", "mixture"]) == 0
    with np.load(tmp_path / "made.npz") as made:
        assert made["images"].shape == (3, 8, 8)


def test_split_files_hold_what_a_run_trains_on(tmp_path):
    folder = tmp_path / "splits"
    argv = ["--dir-path", str(folder), "--dataset", "digits", "--labels", "50", "--label-seed", "3"]
    assert cli.main(["init-datasets", *argv]) == 0
    digits = load_digits()
    splits = split_indices(digits.train_labels, num_classes=10, num_labels=50, label_seed=3)
    found = {path.stem: dict(np.load(path)) for path in folder.iterdir()}
    assert set(found) == {"train_labeled", "train_unlabeled", "validation", "test"}
    np.testing.assert_array_equal(found["train_labeled"]["index"], splits.labelled)
    np.testing.assert_array_equal(found["train_labeled"]["x"], digits.train_images[splits.labelled])
    np.testing.assert_array_equal(found["validation"]["y"], digits.train_labels[splits.validation])
    assert set(found["train_unlabeled"]["y"]) == {-1}
    places = [found[name]["index"] for name in ("train_labeled", "train_unlabeled", "validation")]
    np.testing.assert_array_equal(np.sort(np.concatenate(places)), np.arange(len(digits.train_labels)))
    assert cli.main(["init-datasets", *argv, "--pool-size", "400"]) == 0
    assert len(np.load(folder / "train_unlabeled.npz")["y"]) == 350
    assert cli.main(["init-datasets", *argv, "--validation-size", "20"]) == 0
    assert len(np.load(folder / "validation.npz")["y"]) == 20


@pytest.mark.parametrize(("held_out", "count"), [(None, 135), (20, 20), (5000, 135)])
def test_validation_images_are_those_of_the_run(held_out, count, tmp_path):
    """A number that the data given now cannot hold out is that of other data."""
    (tmp_path / "config.yaml").write_text(f"validation_size: {'null' if held_out is None else held_out}\n")
    digits = load_digits()
    expected = split_indices(
        digits.train_labels, num_classes=10, num_labels=None, label_seed=0, validation_size=count
    ).validation
    np.testing.assert_array_equal(validation_of(digits, str(tmp_path)), expected)


@pytest.mark.parametrize(
    ("name", "argv", "ours"),
    [
        (
            "train_semi_supervised",
            ["--dir-path", "d", "--n-epochs", "35", "--z-size", "2", "--n-classes", "10", "--output-dir-path", "o"],
            "train semi-supervised --preset shaharazulay --dataset mnist --batch-size 100 --epochs 35 "
            "--network.latent-dim 2 --labelled-batch-size 100 --data-dir d --out-dir o",
        ),
        (
            "train_unsupervised",
            ["--n-classes", "16", "--batch-size", "50"],
            "train clustering --preset shaharazulay --dataset mnist --batch-size 50 --epochs 10 "
            "--network.latent-dim 5 --num-clusters 16",
        ),
        (
            "train_unsupervised",
            ["--config-path", "theirs.yml"],
            "train clustering --config-path theirs.yml --dataset mnist --batch-size 100 --epochs 10 "
            "--network.latent-dim 5 --num-clusters 10",
        ),
        (
            "generate_model_visualization",
            ["--dir-path", "d", "--model-dir-path", "m", "--mode", "unsupervised"],
            "visualize m --data-dir d --out-dir m/visualization",
        ),
        ("init_datasets", ["--dir-path", "d"], "init-datasets --dir-path d --dataset mnist"),
    ],
)
def test_old_names_are_said_in_ours(name, argv, ours):
    assert translate(name, argv) == ours.split()


def test_what_an_old_name_says_can_be_parsed():
    words = translate("train_unsupervised", ["--n-classes", "16"])
    config = parse(clustering.SPEC, words[2:]).config
    assert (config.num_clusters, config.network.hidden, config.epochs) == (16, (3000, 3000), 10)


def test_an_old_name_does_what_ours_does(saved, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("aae_jax.commands.visualize.run_visualize", lambda argv: print(*argv) or 0)
    assert cli.main(["generate_model_visualization", "--model-dir-path", "m"]) == 0
    assert capsys.readouterr().out == "m --out-dir m/visualization\n"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["interpolate", "{supervised}", "{some}"], "which is unknown here"),
        (["interpolate", "{clustering}", "{some}", "--steps", "1"], "--steps is 1"),
        (["interpolate", "{clustering}", "{one}"], "has only one image; give at least two"),
        (["visualize", "{clustering}", "--dataset", "digits", "--images", "3"], "--images is 3"),
        (["init-datasets", "--dataset", "digits", "--labels", "99999", "--dir-path", "{here}"], "99999"),
        (["doctor", "{here}"], "is not the folder of a run"),
        (["train_semi_supervised", "--n-classes", "12"], "MNIST has 10 classes"),
        (["train_everything"], "There is no command 'train_everything'"),
    ],
)
def test_bad_input_is_one_sentence(argv, words, saved, pictures, tmp_path, capsys):
    np.save(tmp_path / "one.npy", load_digits().test_images[:1])
    names = {"some": pictures, "one": str(tmp_path / "one.npy"), "here": str(tmp_path / "empty")}
    (tmp_path / "empty").mkdir()
    filled = [word.format(**names, **{n: saved(n) for n in ("supervised", "clustering")}) for word in argv]
    assert cli.main(filled) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert words in said


THEIRS = """
unsupervised:
  learning_rates: {auto_encoder_lr: 0.1, generator_lr: 0.2, info_lr: 0.3, mode_lr: 0.4, disentanglement_lr: 0.5}
  model: {hidden_size: 300, encoder_dropout: 0.1}
  training:
    use_mutual_info: True
    use_mode_decoder: False
    use_disentanglement: True
    use_adam_optimization: True
    use_adversarial_categorial_weights: True
    lambda_z_l2_regularization: 0.25
semi_supervised:
  learning_rates: {auto_encoder_lr: 0.1}
"""


def test_a_yaml_of_another_project_trains_clusters(tmp_path):
    (tmp_path / "theirs.yml").write_text(THEIRS)
    request = parse(clustering.SPEC, ["--config-path", str(tmp_path / "theirs.yml")])
    config, rates = request.config, {}
    for name in ("reconstruction", "generator", "discriminator", "cyclic", "mode", "mode_separation"):
        rates[name] = getattr(config.optimizers, name).learning_rate
    assert list(rates.values()) == [0.1, 0.2, 2e-4, 0.3, 0.4, 0.5]
    assert (config.network.hidden, config.network.dropout) == ((300, 300), 0.1)
    weights = config.weights
    assert (weights.cyclic, weights.mode, weights.mode_separation) == (1.0, 0.0, 1.0)
    assert (weights.style_penalty, weights.style_penalty_kind) == (0.25, "frobenius")
    assert config.inverse_frequency
    assert any("ignored" in note for note in request.notes)


def test_without_adam_their_rates_are_the_papers(tmp_path):
    (tmp_path / "theirs.yml").write_text("unsupervised:\n  training: {use_adam_optimization: False}\n")
    optimizers = parse(clustering.SPEC, ["--config-path", str(tmp_path / "theirs.yml")]).config.optimizers
    found = [optimizers.reconstruction, optimizers.generator, optimizers.discriminator]
    assert [(o.kind, o.learning_rate, o.momentum) for o in found] == [
        ("sgd", 0.01, 0.9),
        ("sgd", 0.1, 0.1),
        ("sgd", 0.1, 0.1),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("semi_supervised:\n  learning_rates: {}\n", "no block unsupervised"),
        ("unsupervised:\n  training: {use_magic: True}\n", "unsupervised.training.use_magic"),
        ("unsupervised:\n  model: {hidden_size: wide}\n", "unsupervised.model.hidden_size"),
    ],
)
def test_a_yaml_that_does_not_fit_is_refused(text, words, tmp_path):
    (tmp_path / "theirs.yml").write_text(text)
    with pytest.raises(InputError, match=words):
        parse(clustering.SPEC, ["--config-path", str(tmp_path / "theirs.yml")])


def test_plain_vectors_are_interpolated_in_their_own_units(tmp_path):
    """As the model takes them, not scaled: the ends are the reconstructions."""
    rows = np.random.default_rng(0).normal(100.0, 20.0, (60, 5))
    labels = np.arange(60) % 3
    np.savez(tmp_path / "rows.npz", x_train=rows, y_train=labels, x_test=rows[:12], y_test=labels[:12])
    experiment = MODULES["unsupervised"].SPEC
    argv = ["--preset", "smoke", "--batch-size", "10", "--dataset", f"npz:{tmp_path / 'rows.npz'}"]
    problem = build_setup(experiment, parse(experiment, argv).config, Quiet())
    params, stats = evaluation_variables(main_plan(problem).build_state())
    save_model(model_of(problem, used_networks(params), stats, 0), tmp_path / "saved")
    np.save(tmp_path / "some.npy", rows[:4])
    out = tmp_path / "between.npz"
    words = ["interpolate", str(tmp_path / "saved"), str(tmp_path / "some.npy"), "--steps", "3", "--out", str(out)]
    assert cli.main(words) == 0
    rebuilt = np.asarray(load(tmp_path / "saved").reconstruct(rows[:4]))
    with np.load(out) as found:
        np.testing.assert_allclose(found["images"][:, 0], rebuilt[::2], rtol=1e-4)


def test_codes_that_have_collapsed_have_no_map(saved, tmp_path):
    model = load(saved("unsupervised"))
    dead = jax.tree.map(np.zeros_like, model.params["encoder"])
    save_model(dataclasses.replace(model, params={**model.params, "encoder": dead}), tmp_path / "dead")
    argv = [str(tmp_path / "dead"), "--dataset", "digits", "--images", "40", "--out-dir", str(tmp_path / "drawn")]
    assert cli.main(["visualize", *argv]) == 0
    assert {path.stem for path in (tmp_path / "drawn").iterdir()} == {"z_distribution", "reconstruction_example"}


def test_clusters_with_the_classes_names_are_clusters(tmp_path, capsys):
    """Ten clusters are called 0 to 9, as digits are."""
    experiment = MODULES["dim_reduction"].SPEC
    argv = ["--preset", "smoke", "--dataset", "digits", "--num-clusters", "10"]
    problem = build_setup(experiment, parse(experiment, argv).config, Quiet())
    params, stats = evaluation_variables(main_plan(problem).build_state())
    save_model(model_of(problem, used_networks(params), stats, 0), tmp_path / "saved")
    assert cli.main(["evaluate", str(tmp_path / "saved"), "--dataset", "digits"]) == 0
    assert "by majority vote" in capsys.readouterr().out
