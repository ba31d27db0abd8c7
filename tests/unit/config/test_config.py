"""Presets, what goes by the data, and what is refused."""

import dataclasses

import pytest

from aae_jax.config import require_resolved, resolve
from aae_jax.config.run import EPOCHS, EVALUATIONS, MIN_IMAGES
from aae_jax.config.text import from_mapping
from aae_jax.errors import InputError
from aae_jax.models import preset
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig, validate
from aae_jax.models.semi_supervised.presets import PRESETS
from aae_jax.run.setup import _check_shift

SIZES = [(8, 8), (28, 28), (32, 32, 3), (30,)]


def open_fields(config):
    """Return the names of the fields that are None, at any depth."""
    found = set()
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        found |= open_fields(value) if dataclasses.is_dataclass(value) else {field.name} if value is None else set()
    return found


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("size", SIZES)
def test_every_preset_can_be_trained_with(name, size):
    resolved = resolve(preset(name), size)
    validate(resolved)
    assert open_fields(resolved) <= {
        *(
            "data_dir",
            "label_seed",
            "figures_every",
            "pool_size",
            "validation_size",
            "file",
            "labelled_list",
            "labelled_list_sha256",
        ),
        *("stream_updates", "transform"),
    }
    assert resolved.network.precision in ("float32", "bfloat16")


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("size", SIZES)
def test_resolving_twice_changes_nothing(name, size):
    once = resolve(preset(name), size, precision="bfloat16")
    assert resolve(once, (500, 500), precision="float32") == once


@pytest.mark.parametrize(
    ("shape", "shift"),
    [
        ((8, 28), 0),
        ((13, 28), 0),
        ((14, 28), 1),
        ((28, 28), 2),
        ((32, 32, 3), 2),
        ((64, 64), 4),
        ((300, 20), 1),
        ((20, 300), 1),
        ((200, 7, 3), 0),
        ((7, 200, 3), 0),
        ((64,), 0),
    ],
)
def test_the_shift_goes_by_the_shorter_side(shape, shift):
    assert resolve(preset("default"), shape).views.max_shift == shift
    _check_shift(shift, shape)


@pytest.mark.parametrize(
    ("shape", "given", "said"),
    [
        (
            (300, 20),
            20,
            r"max_shift is 20, but the images have 300 × 20 pixels; give less than 20 \(the default is 1\)",
        ),
        ((5, 9, 3), 6, r"max_shift is 6, but the images have 5 × 9 pixels; give less than 5 \(the default is 0\)"),
        ((64,), 1, "max_shift is 1, but plain vectors cannot be shifted; give 0, the default"),
    ],
)
def test_a_shift_of_the_whole_image_is_refused(shape, given, said):
    with pytest.raises(InputError, match=said):
        _check_shift(given, shape)


def test_a_given_shift_stays():
    views = dataclasses.replace(preset("default").views, max_shift=1)
    assert resolve(dataclasses.replace(preset("default"), views=views), (28, 28)).views.max_shift == 1
    assert resolve(preset("plain"), (28, 28)).views.max_shift == 0


@pytest.mark.parametrize(
    ("pool", "given", "epochs", "every"),
    [
        (None, {}, EPOCHS, 1),
        (50_000, {}, EPOCHS, 1),
        (MIN_IMAGES // EPOCHS, {}, EPOCHS, 1),
        (1213, {}, 60, 1),
        (100, {}, MIN_IMAGES // 100, MIN_IMAGES // 100 // EVALUATIONS),
        (1213, {"epochs": 10}, 10, 1),
        (1213, {"epochs": 1000}, 1000, 1000 // EVALUATIONS),
        (1213, {"evaluate_every": 4}, 60, 4),
    ],
)
def test_length_and_evaluations_go_by_the_pool(pool, given, epochs, every):
    resolved = resolve(dataclasses.replace(preset("plain"), **given), (8, 8), pool_size=pool)
    assert (resolved.epochs, resolved.evaluate_every) == (epochs, every)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_only_an_automatic_precision_is_replaced(precision):
    assert resolve(preset("default"), (8, 8), precision=precision).network.precision == precision
    assert resolve(preset("plain"), (8, 8), precision=precision).network.precision == "float32"


@pytest.mark.parametrize(
    ("name", "offered"), [("smoky", "did you mean 'smoke'"), ("zzz", "conan7882, default, fducau")]
)
def test_an_unknown_preset_offers_others(name, offered):
    with pytest.raises(InputError, match=offered):
        preset(name)


def nested(path, value):
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


@pytest.mark.parametrize(
    ("path", "bad", "good"),
    [
        ("num_seeds", 0, 1),
        ("epochs", 0, 1),
        ("batch_size", 1, 2),
        ("labelled_batch_size", 0, 1),
        ("evaluate_every", -1, 1),
        ("seed", -1, 0),
        ("seed", 2**31, 2**31 - 1),
        ("label_seed", -1, 0),
        ("split_seed", -1, 0),
        ("checkpoint_seconds", -1.0, 0.0),
        ("baseline_share", -0.1, 0),
        ("network.latent_dim", 0, 1),
        ("network.noise_dim", 0, 1),
        ("network.dropout", 1.0, 0.5),
        ("views.noise_std", -0.1, 0.0),
        ("views.noise_std", float("nan"), 1.0),
        ("views.max_shift", -1, 0),
        ("averaging.decay", 1.0, 0.999),
        ("prior.std", 0.0, 1.0),
        ("weights.consistency", -1.0, 0.0),
        ("weights.sharpness", float("inf"), 2.0),
        ("weights.confidence", 1.5, 0.9),
        ("weights.confidence", float("nan"), 0.0),
        ("weights.adversarial_norm", -1.0, 2.0),
        ("optimizers.generator.learning_rate", -1e-3, 0.0),
        ("optimizers.classification.learning_rate", float("nan"), 1e30),
        ("optimizers.reconstruction.momentum", 1.0, 0.0),
    ],
)
def test_a_value_out_of_range_is_named(path, bad, good):
    validate(from_mapping(SemiSupervisedConfig, nested(path, good)))
    with pytest.raises(InputError) as refused:
        validate(from_mapping(SemiSupervisedConfig, nested(path, bad)))
    assert str(refused.value).startswith(f"{path} is {bad}; give a number from ")


def test_a_width_out_of_range_is_named_by_its_place():
    config = from_mapping(SemiSupervisedConfig, {"network": {"hidden": [8, 0]}})
    with pytest.raises(InputError, match=r"network\.hidden\[1\] is 0"):
        validate(config)


def test_configurations_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        preset("default").seed = 1


def test_an_unresolved_configuration_is_not_trained_with():
    unresolved = preset("default")
    with pytest.raises(InputError, match="resolve"):
        require_resolved(unresolved)
    require_resolved(resolve(unresolved, (28, 28)))


def test_bernoulli_needs_a_sigmoid():
    base = preset("plain")
    odd = dataclasses.replace(
        base,
        weights=dataclasses.replace(base.weights, reconstruction_loss="bernoulli"),
        network=dataclasses.replace(base.network, output="tanh"),
    )
    with pytest.raises(InputError, match="bernoulli"):
        validate(odd)
