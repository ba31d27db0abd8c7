"""A run with convolutional networks, and its saved model."""

import numpy as np
import pytest

from aae_jax.data import load_digits
from aae_jax.saved.storage import load
from tests.runs.running import drawing, status, summary, train

CONV = (
    *("--network.kind", "conv", "--network.channels", "4", "8", "--network.hidden", "16"),
    *("--epochs", "1", "--network.residual"),
)


@pytest.mark.slow
def test_a_convolutional_model_is_trained_saved_and_loaded(tmp_path, capsys, figures_on_demand):
    with drawing():
        assert train(tmp_path / "run", *CONV) == 0
    assert "network  convolutions 4×8, hidden 16, code" in capsys.readouterr().out
    assert (tmp_path / "run" / "figures" / "first_layer_features.png").is_file()
    model, data = load(tmp_path / "run"), load_digits(split_seed=0)
    assert model.network.kind == "conv"
    wrong = float(np.mean(np.asarray(model.predict(data.test_images)) != data.test_labels))
    assert wrong == pytest.approx(summary(tmp_path / "run")["test"]["error"]["mean"], abs=0.005)
    assert model.reconstruct(data.test_images[:3]).shape == (3, 8, 8)


@pytest.mark.parametrize(
    "model",
    [
        "autoencoder",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (
                "unsupervised",
                "supervised",
                "label_regularized",
                "clustering",
                "dim_reduction",
                "likelihood",
            )
        ),
    ],
)
def test_every_model_takes_convolutions(model, tmp_path):
    small = ("--preset", "smoke", "--dataset", "digits", *CONV, "--out-dir", str(tmp_path / "run"))
    assert status(*small, model=model) == 0
    loaded = load(tmp_path / "run")
    assert loaded.network.kind == "conv"
    assert loaded.encode(load_digits(split_seed=0).test_images[:3]).mean.shape == (3, loaded.network.latent_dim)
