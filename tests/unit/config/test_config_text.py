"""Configurations as YAML: there and back, strict about names and types."""

import dataclasses

import pytest

from aae_jax.config import OptimizerConfig, resolve
from aae_jax.config.text import differences, from_mapping, read_yaml, to_yaml
from aae_jax.errors import InputError
from aae_jax.models import preset
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig
from aae_jax.models.semi_supervised.presets import PRESETS


def parse(text, tmp_path, base=None):
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return from_mapping(SemiSupervisedConfig, read_yaml(path), base=base)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("resolved", [False, True])
def test_there_and_back(name, resolved, tmp_path):
    config = resolve(preset(name), (28, 28)) if resolved else preset(name)
    text = to_yaml(config)
    assert parse(text, tmp_path) == config
    assert to_yaml(parse(text, tmp_path)) == text
    assert parse(text, tmp_path, base=preset("smoke")) == config


@pytest.mark.parametrize("value", [1e-3, 1e-7, 1 / 3, 1e30, 0.1 + 0.2, 5e-324])
def test_numbers_come_back_exactly(value, tmp_path):
    config = dataclasses.replace(preset("plain"), checkpoint_seconds=value)
    assert parse(to_yaml(config), tmp_path).checkpoint_seconds == value


@pytest.mark.parametrize("labels", [100, "all"])
def test_labels_are_a_number_or_all(labels, tmp_path):
    assert parse(f"labels: {labels}", tmp_path).labels == labels


@pytest.mark.parametrize(("text", "value"), [("1e-3", 1e-3), ("1", 1.0), ("0.5", 0.5), ("1E3", 1000.0), ("-2", -2.0)])
def test_any_spelling_of_a_number_is_a_float(text, value, tmp_path):
    found = parse(f"optimizers: {{generator: {{learning_rate: {text}}}}}", tmp_path)
    assert found.optimizers.generator.learning_rate == value
    assert type(found.optimizers.generator.learning_rate) is float
    assert found.optimizers.generator.momentum == 0.5


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}"])
def test_an_empty_file_changes_nothing(text, tmp_path):
    assert parse(text, tmp_path, base=preset("smoke")) == preset("smoke")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("baseline_share: fast", ["baseline_share is 'fast'", "a number"]),
        ("baseline_share: true", ["baseline_share is True"]),
        (f"baseline_share: {10**400}", ["baseline_share is 1000"]),
        ("baseline_share: [1]", ["baseline_share is [1]"]),
        ("epochs: 1e3", ["epochs is '1e3'", "a whole number"]),
        ("epochs: 3.0", ["epochs is 3.0"]),
        ("epochs: true", ["epochs is True"]),
        ("batch_size: null", ["batch_size is None"]),
        ("labels: most", ["labels is 'most'", "a whole number or 'all'"]),
        ("labels: true", ["labels is True"]),
        ("dataset: 3", ["dataset is 3", "text"]),
        ("network: {batch_norm: 'yes'}", ["network.batch_norm is 'yes'", "true or false"]),
        ("network: {hidden: [8, a]}", ["network.hidden[1] is 'a'"]),
        ("network: {hidden: 8}", ["network.hidden is 8", "a list"]),
        ("network: {posterior: gausian}", ["network.posterior is 'gausian'", "'gaussian'"]),
        ("network: {posterior: [x]}", ["network.posterior is ['x']"]),
        ("network:", ["network is None", "mapping"]),
        ("network: {precison: auto}", ["'network.precison'", "did you mean 'network.precision'"]),
        (
            "optimizers: {generator: {lr: 1}}",
            ["'optimizers.generator.lr'", "optimizers.generator.learning_rate"],
        ),
        ("label: 3", ["'label'", "did you mean 'labels'"]),
        ("1: 3", ["'1'", "known are"]),
    ],
)
def test_what_does_not_fit_is_named(text, words, tmp_path):
    with pytest.raises(InputError) as refused:
        parse(text, tmp_path)
    assert [word for word in words if word not in str(refused.value)] == []
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "content", [b"a: [1", b"seed: 2020-13-45", b"\x00", b"\xff\xfe\xff", b"a: b: c", b"- 1", b"3"]
)
def test_a_file_that_is_no_mapping(content, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"config\.yaml") as refused:
        read_yaml(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["no.yaml", "."])
def test_a_file_that_cannot_be_read(name, tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_yaml(tmp_path / name)


def test_yaml_makes_no_objects(tmp_path):
    with pytest.raises(InputError, match="not valid YAML"):
        parse("seed: !!python/object/apply:os.getpid []", tmp_path)


def test_differences_are_named_by_their_path():
    base = preset("plain")
    generator = OptimizerConfig(learning_rate=0.5, momentum=0.5)
    optimizers = dataclasses.replace(base.optimizers, generator=generator)
    assert differences(base, base) == []
    assert differences(base, dataclasses.replace(base, seed=3, optimizers=optimizers)) == [
        "seed",
        "optimizers.generator.learning_rate",
    ]
