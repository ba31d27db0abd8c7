"""Whatever bytes a file holds, a reader returns or says one sentence; `tools/fuzz_readers.py` does it at length."""

import gzip
import json

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import aae_jax
from aae_jax.config.text import from_mapping, read_yaml
from aae_jax.data import load_npz, read_idx
from aae_jax.data.cache import read_cache
from aae_jax.data.readers.pictures import read_pictures
from aae_jax.errors import InputError
from aae_jax.models.semi_supervised.config import SemiSupervisedConfig
from aae_jax.run.run_dir import RunFolder
from tests.unit.data.conftest import idx_bytes

EVERY = settings(
    max_examples=150,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def said(read):
    """Return the sentence with which a reader refuses, or nothing."""
    try:
        read()
    except InputError as error:
        return str(error)
    return ""


def configured(path):
    return from_mapping(SemiSupervisedConfig, read_yaml(path))


READERS = {
    "idx": ("input", read_idx),
    "npz": ("input.npz", load_npz),
    "npy": ("input.npy", lambda path: read_pictures(path, (4, 4))),
    "png": ("input.png", lambda path: read_pictures(path, (4, 4))),
    "yaml": ("input.yaml", configured),
    "model": ("config.json", lambda path: aae_jax.load(path.parent)),
}


@pytest.mark.parametrize(("name", "read"), READERS.values(), ids=READERS.keys())
@EVERY
@given(content=st.binary(max_size=300))
def test_random_bytes(name, read, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    assert "\n" not in said(lambda: read(tmp_path / name))


@EVERY
@given(content=st.binary(max_size=300))
def test_a_cache_of_random_bytes_is_none(content, tmp_path):
    (tmp_path / "mnist.npz").write_bytes(content)
    assert read_cache(tmp_path / "mnist.npz") is None


@EVERY
@given(content=st.lists(st.one_of(st.binary(max_size=30), st.just(b'{"epoch": 1, "update": 2}')), max_size=5))
def test_rows_of_metrics_end_at_the_first_that_is_none(content, tmp_path):
    (tmp_path / "metrics.jsonl").write_bytes(b"\n".join(content))
    whole = [line == b'{"epoch": 1, "update": 2}' for line in content]
    first = whole.index(False) if False in whole else len(whole)
    assert len(RunFolder(tmp_path).read_metrics()) >= first


@EVERY
@given(
    shape=st.lists(st.integers(0, 5), min_size=1, max_size=4),
    packed=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_every_array_of_bytes_comes_back(shape, packed, seed, tmp_path):
    array = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    raw = idx_bytes(array)
    (tmp_path / "input").write_bytes(gzip.compress(raw) if packed else raw)
    np.testing.assert_array_equal(read_idx(tmp_path / "input"), array)


@EVERY
@given(sizes=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=255), content=st.binary(max_size=50))
def test_sizes_in_an_idx_header_are_not_believed(sizes, content, tmp_path):
    raw = bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes) + content
    (tmp_path / "input").write_bytes(raw)
    try:
        array = read_idx(tmp_path / "input")
    except InputError:
        return
    assert array.size <= len(content)


@EVERY
@given(
    shape=st.lists(st.integers(-5, 2**40), max_size=6),
    kind=st.sampled_from(["|u1", "<f8", "|O", "<U9", "|V0", "<M8[s]"]),
)
def test_shapes_in_an_npy_header_are_not_believed(shape, kind, tmp_path):
    header = repr({"descr": kind, "fortran_order": False, "shape": tuple(shape)}).encode() + b"\n"
    raw = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64)
    (tmp_path / "input.npy").write_bytes(raw)
    assert "\n" not in said(lambda: read_pictures(tmp_path / "input.npy", (4, 4)))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    ["network", "views", "weights", "optimizers", "labels", "epochs", "seed", "dataset", "other"]
)


@EVERY
@given(values=st.dictionaries(FIELDS, PLAIN, max_size=4))
def test_any_mapping_is_a_configuration_or_a_sentence(values, tmp_path):
    (tmp_path / "input.yaml").write_text(yaml.safe_dump(values, allow_unicode=False))
    assert "\n" not in said(lambda: aae_jax.validate(configured(tmp_path / "input.yaml")))


KEYS = st.sampled_from(
    [
        *("network", "image_shape", "num_classes", "prior", "decoded_label", "class_names"),
        *("preprocessing", "data", "seed", "format_version"),
    ]
)


@EVERY
@given(changes=st.dictionaries(KEYS, PLAIN, max_size=3))
def test_any_change_of_a_models_configuration_is_refused_in_a_sentence(changes, tmp_path):
    config = {
        "format": "aae_jax",
        "format_version": 3,
        "network": {"hidden": [3]},
        "image_shape": [2, 2],
        "num_classes": 2,
        "class_names": ["a", "b"],
        "preprocessing": {"pixels": "bytes", "scaled_by_feature": False},
        "prior": {"kind": "mixture"},
        "decoded_label": 2,
        "data": {"name": "x"},
        **changes,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError) as refused:
        aae_jax.load(tmp_path)
    assert "\n" not in str(refused.value)
