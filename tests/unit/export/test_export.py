"""Exported programs compute what the model computes, for any number of rows, and are refused where they cannot."""

import dataclasses
import importlib.util
import json
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import pytest

import aae_jax
from aae_jax import InputError, Model, Modules, NetworkConfig, PriorConfig
from aae_jax.data.scaling import fit_scaling
from aae_jax.export import export_model, model_parts
from aae_jax.export.onnx_model import to_onnx
from aae_jax.export.parts import Part, Row
from tests.conftest import quick_init

CLASSES, LATENT = 4, 3
PLAIN: dict[str, Any] = {"hidden": (9, 8), "discriminator_hidden": (4,), "latent_dim": LATENT}
CONV: dict[str, Any] = {**PLAIN, "kind": "conv", "channels": (4, 6), "batch_norm": True, "hidden": (9,)}
ROWS = np.random.default_rng(1).normal(size=(20, 5)) * [1, 1000, 0, 1e-4, 7] + [0, 50, 2, 0, -9]


def build(network: dict[str, Any], shape: tuple[int, ...] = (6, 5), **fields: Any) -> Model:
    """Return a model with weights and moments that are no rounder than trained ones."""
    fields = {"num_classes": CLASSES, "temperature": 1.7, **fields}
    empty = Model(
        network=NetworkConfig(**network),
        image_shape=shape,
        prior=PriorConfig(std=1.0),
        params={},
        stats={},
        data={"name": "made up", "sha256": "0"},
        **fields,
    )
    params, stats = quick_init(empty.networks).init(jax.random.key(4))
    draw = np.random.default_rng(5)

    def moved(leaf: Any, std: float) -> Any:
        return np.asarray(leaf + std * draw.normal(size=leaf.shape), leaf.dtype)

    params = jax.tree.map(lambda leaf: jnp.asarray(moved(np.asarray(leaf), 0.1)), params)
    stats = jax.tree.map(lambda leaf: jnp.asarray(np.abs(moved(np.asarray(leaf), 0.3))), stats)
    return dataclasses.replace(empty, params=params, stats=stats)


class OwnEncoder(nn.Module):
    """Layers that the library's networks do not have."""

    styles: int = LATENT
    classes: int = CLASSES

    @nn.compact
    def __call__(self, images: Any, extra: Any, *, train: bool) -> Any:
        """Encode images."""
        x = nn.Conv(6, (3, 3), strides=2)(images[..., None])
        x = nn.max_pool(nn.LayerNorm()(x), (2, 2), strides=(1, 1), padding="SAME")
        x = nn.avg_pool(nn.gelu(x), (2, 2), strides=(1, 1))
        x = nn.Conv(6, (2, 2), feature_group_count=3)(nn.silu(x))
        x = jnp.einsum("bhwc,bhwd->bcd", x, x) / 7
        x = nn.elu(x.reshape(x.shape[0], -1))
        x = jnp.concatenate([x[:, ::2], x[:, ::-1], jnp.pad(x[:, 1:5], ((0, 0), (1, 2)))], axis=1)
        attention = nn.softmax(nn.Dense(5)(x), axis=-1)
        return nn.Dense(self.styles)(attention), nn.Dense(self.classes)(jnp.square(x)), None


class OwnDecoder(nn.Module):
    """A transposed convolution."""

    @nn.compact
    def __call__(self, z: Any, y: Any, *, train: bool) -> Any:
        """Decode styles and labels."""
        x = nn.softplus(nn.Dense(3 * 3 * 4)(jnp.concatenate([y, z], 1))).reshape(-1, 3, 3, 4)
        x = nn.ConvTranspose(5, (3, 3), strides=(2, 2))(x)
        x = nn.ConvTranspose(1, (4, 4), strides=(1, 1), padding="VALID")(nn.leaky_relu(x))
        return x[:, :6, 1:6, 0]


class Sorts(OwnEncoder):
    """Does something that has no translation."""

    @nn.compact
    def __call__(self, images: Any, extra: Any, *, train: bool) -> Any:
        """Encode images."""
        x = jnp.sort(images.reshape(images.shape[0], -1), axis=1)
        return nn.Dense(self.styles)(x), nn.Dense(self.classes)(x), None


class Counts(OwnEncoder):
    """Takes the number of images for a number of Python."""

    @nn.compact
    def __call__(self, images: Any, extra: Any, *, train: bool) -> Any:
        """Encode images."""
        x = images.reshape(len(images), -1)
        return nn.Dense(self.styles)(x), nn.Dense(self.classes)(x), None


MODELS = {
    "perceptron": lambda: build(PLAIN),
    "batch-norm": lambda: build({**PLAIN, "batch_norm": True, "batch_norm_heads": True, "batch_norm_output": True}),
    "tanh": lambda: build({**PLAIN, "output": "tanh", "posterior": "gaussian"}),
    "linear": lambda: build({**PLAIN, "output": "linear", "posterior": "universal"}),
    "bfloat16": lambda: build({**PLAIN, "precision": "bfloat16"}),
    "no labels": lambda: build(PLAIN, num_classes=0, decoded_label=0, temperature=None),
    "no hidden layer": lambda: build({**PLAIN, "hidden": ()}),
    "supervised": lambda: build(PLAIN, num_classes=0, decoded_label=5, temperature=None),
    "heads": lambda: build(PLAIN, heads=True),
    "modes": lambda: build(PLAIN, mode_decoder=True, clusters=True),
    "unit": lambda: build(PLAIN, pixels="unit"),
    "rows": lambda: build(PLAIN, (5,), pixels="unit", scaling=fit_scaling(ROWS)),
    "conv": lambda: build(CONV),
    "conv residual": lambda: build({**CONV, "residual": True, "batch_norm_decoder": True}, (9, 7)),
    "conv colour": lambda: build({**CONV, "batch_norm_output": True, "kernel_size": 5}, (8, 8, 3)),
    "own modules": lambda: build(PLAIN, modules=Modules(encoder=OwnEncoder(), decoder=OwnDecoder())),
}


def inputs_of(model: Model, count: int) -> dict[str, np.ndarray]:
    """Return images, styles and labels for a model."""
    draw = np.random.default_rng(count)
    images = draw.integers(0, 256, (count, *model.image_shape)).astype(np.uint8)
    images[:, :1] = 7
    if model.scaling is not None:
        images = np.asarray(ROWS[draw.integers(0, 20, count)], np.float32)
    elif model.pixels == "unit":
        images = np.asarray(images / 255, np.float32)
    labels = draw.dirichlet(np.ones(model.decoded_label or 1), count).astype(np.float32)
    return {
        "images": images,
        "styles": draw.normal(size=(count, model.network.latent_dim)).astype(np.float32),
        "labels": labels,
    }


def expected_of(model: Model, given: dict[str, np.ndarray], *, calibrated: bool = False) -> dict[str, np.ndarray]:
    """Return what the model itself computes in float32."""
    model = dataclasses.replace(model, network=dataclasses.replace(model.network, precision="float32"))
    labels = (given["labels"],) if model.decoded_label else ()
    made = {
        "encoder": model.transform(given["images"]),
        "decoder": np.asarray(model.decode(given["styles"], *labels)),
    }
    if model.num_classes:
        made["classifier"] = np.asarray(model.predict_proba(given["images"], calibrated=calibrated))
    return made


def run_onnx(path: Any, given: dict[str, np.ndarray]) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {each.name: given[each.name] for each in session.get_inputs()})
    return np.asarray(made)


def same(made: Any, expected: np.ndarray) -> None:
    assert made.shape == expected.shape
    assert np.asarray(made).dtype == np.float32
    span = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(np.asarray(made) / span, expected / span, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in ("conv residual", "conv colour") else ())
        for name in MODELS
    ],
)
def test_onnx_computes_what_the_model_computes(name, tmp_path):
    model = MODELS[name]()
    files = export_model(model, tmp_path / "exported")
    signature = json.loads(files[-1].read_text())
    assert {path.name for path in files} == {path.name for path in (tmp_path / "exported").iterdir()}
    for count in (1, 3, 40):
        given = inputs_of(model, count)
        expected = expected_of(model, given)
        assert set(signature["parts"]) == set(expected)
        for part, described in signature["parts"].items():
            same(run_onnx(tmp_path / "exported" / described["file"], given), expected[part])
    for described in signature["parts"].values():
        session = onnxruntime.InferenceSession(tmp_path / "exported" / described["file"])
        for kind, edges in (("inputs", session.get_inputs()), ("outputs", session.get_outputs())):
            assert [(each.name, each.shape) for each in edges] == [
                (each["name"], each["shape"]) for each in described[kind]
            ]


@pytest.mark.parametrize("name", ["batch-norm", "supervised", "heads", "rows", "conv residual", "own modules"])
def test_stablehlo_computes_what_the_model_computes(name, tmp_path):
    model = MODELS[name]()
    export_model(model, tmp_path, "stablehlo", calibrated=bool(model.num_classes))
    signature = json.loads((tmp_path / "signature.json").read_text())
    assert signature["platforms"] == ["cpu", "cuda", "tpu"]
    for count in (1, 5):
        given = inputs_of(model, count)
        expected = expected_of(model, given, calibrated=bool(model.num_classes))
        for part, described in signature["parts"].items():
            program = jax.export.deserialize(bytearray((tmp_path / described["file"]).read_bytes()))
            assert program.platforms == ("cpu", "cuda", "tpu")
            same(program.call(*(given[each["name"]] for each in described["inputs"])), expected[part])


def test_calibrated_probabilities_are_another_program(tmp_path):
    model = MODELS["perceptron"]()
    given = inputs_of(model, 6)
    export_model(model, tmp_path, parts=["classifier"], calibrated=True)
    assert {path.name for path in tmp_path.iterdir()} == {"classifier.onnx", "signature.json"}
    made = run_onnx(tmp_path / "classifier.onnx", given)
    same(made, expected_of(model, given, calibrated=True)["classifier"])
    assert np.abs(made - expected_of(model, given)["classifier"]).max() > 1e-3


def test_methods_are_exported_with_a_symbolic_batch_by_users_too():
    model = MODELS["conv"]()
    (batch,) = jax.export.symbolic_shape("n")
    images = jax.ShapeDtypeStruct((batch, *model.image_shape), jnp.uint8)
    given = inputs_of(model, 9)
    program = jax.export.export(jax.jit(model.predict_proba))(images)
    np.testing.assert_allclose(program.call(given["images"]), model.predict_proba(given["images"]), atol=1e-6)
    styles = jax.ShapeDtypeStruct((batch, LATENT), jnp.float32)
    plain = MODELS["no labels"]()
    decoded = jax.export.export(jax.jit(plain.decode))(styles).call(given["styles"])
    np.testing.assert_allclose(decoded, plain.decode(given["styles"]), atol=1e-6)


def test_models_are_checked_files_of_a_fixed_opset(tmp_path):
    export_model(MODELS["conv"](), tmp_path)
    for path in tmp_path.glob("*.onnx"):
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        assert ([each.version for each in model.opset_import], model.ir_version) == ([18], 9)


def test_an_export_replaces_an_earlier_one_and_is_whole_with_its_signature(tmp_path, monkeypatch):
    model = MODELS["perceptron"]()
    export_model(model, tmp_path)
    before = (tmp_path / "encoder.onnx").read_bytes()
    monkeypatch.setattr("aae_jax.export.writing.to_onnx", lambda part: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export_model(model, tmp_path)
    assert (tmp_path / "encoder.onnx").read_bytes() == before
    assert (tmp_path / "signature.json").is_file()
    monkeypatch.undo()
    export_model(model, tmp_path, "stablehlo", parts=["decoder"])
    assert {path.name for path in tmp_path.iterdir()} == {"decoder.stablehlo", "signature.json"}


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("perceptron", {"format": "tflite"}, "There is no format 'tflite'"),
        ("no labels", {"parts": ["classifier"]}, "has no part 'classifier'; it has encoder, decoder"),
        ("no labels", {"calibrated": True}, "no temperature"),
        ("perceptron", {"calibrated": True, "parts": ["decoder"]}, "calibrated is of the classifier"),
        ("perceptron", {"parts": []}, "give at least one"),
    ],
)
def test_exports_that_are_refused(name, options, words, tmp_path):
    with pytest.raises(InputError, match=words):
        export_model(MODELS[name](), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("module", "formats", "words"),
    [
        (Sorts(), ["onnx"], "operation sort, which a module of the model uses, has no translation to ONNX"),
        (Counts(), ["onnx", "stablehlo"], r"len\(images\)"),
    ],
)
def test_own_modules_without_a_translation(module, formats, words, tmp_path):
    model = build(PLAIN, modules=Modules(encoder=module))
    for format in formats:
        with pytest.raises(InputError, match=words):
            export_model(model, tmp_path, format)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("format", "package"), [("onnx", "onnx"), ("stablehlo", "flatbuffers")])
def test_a_missing_extra_is_named(format, package, tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *rest: None if name == package else found(name, *rest)
    )
    extra = "onnx" if format == "onnx" else "export"
    with pytest.raises(InputError, match=rf"not installed; install the extra {extra}"):
        export_model(MODELS["perceptron"](), tmp_path, format)


TABLE = np.arange(40, dtype=np.float32).reshape(10, 4)
OPERATIONS = {
    "no axes": lambda x: jnp.sum(x, axis=()) + jnp.max(x, axis=()),
    "clipped index": lambda x: jnp.take(x, jnp.array([-1, 0, 99]), axis=1, mode="clip"),
    "filled index": lambda x: jnp.nan_to_num(jnp.asarray(TABLE)[(3 * x[..., 0] - 1).astype(jnp.int32)], nan=-1),
    "filled place": lambda x: jnp.nan_to_num(jnp.take(x, jnp.array([1, 12]), axis=1, mode="fill"), nan=-1),
    "saturation": lambda x: (300 * x).astype(jnp.uint8).astype(jnp.float32),
    "expm1 and log1p near 0": lambda x: 1e6 * (jnp.expm1(1e-6 * x) + jnp.log1p(-1e-6 * x)) + jnp.log1p(x**2),
    "expm1 far from 0": lambda x: jnp.expm1(jnp.where(x < 0, -jnp.inf, 3 * x)),
    "elu": lambda x: nn.elu(x) + nn.softplus(30 * x),
    "remainders": lambda x: jnp.fmod(x, 0.3) + (7 * x).astype(jnp.int32) % 3,
    "rounding": lambda x: jnp.round(2 * x) / 2 + jax.lax.round(jnp.floor(4 * x) / 2),
    "running sums": lambda x: jnp.cumsum(x, axis=1) + jax.lax.cumsum(x, axis=2, reverse=True),
    "parts": lambda x: jnp.concatenate(jnp.split(x, [1, 4], axis=1)[::-1], axis=1),
    "parts of a constant": lambda x: x + jnp.split(jnp.sin(jnp.arange(7.0)), [3])[1][None, None],
    "one part": lambda x: jnp.split(x, 1, axis=2)[0] + 1,
    "parts of ones": lambda x: x + sum(jnp.split(jnp.ones((x.shape[0], 6, 8)), 2, axis=2)),
    "batched product": lambda x: jnp.einsum("nhc,nkc->nhk", x, x),
}
REFUSED = {
    "own reduction": (lambda x: jax.lax.reduce(x, 0.0, lambda a, b: jnp.maximum(a, -b), (2,)), "operation reduce"),
    "bfloat16": (lambda x: x.astype(jnp.bfloat16).astype(jnp.float32), "with a result of type bfloat16"),
    "bits": (lambda x: (x.astype(jnp.int32) & 3).astype(jnp.float32), "operation and with a result of type int32"),
    "mean of the batch": (lambda x: x - x.mean(0, keepdims=True), "operation dim_as_value"),
    "parts of the batch": (lambda x: jnp.split(x, [1], axis=0)[1], "A cut that depends on the batch"),
    "sums of bytes": (lambda x: jnp.cumsum(x.astype(jnp.uint8), axis=1, dtype=jnp.uint8) + x, "of type uint8"),
    "sorting": (lambda x: jnp.sort(x, axis=1), "operation sort"),
    "index out of bounds": (lambda x: x[:, jnp.int32(20)], "beyond the end|no translation"),
}


def part_of(function):
    return Part("encoder", function, {"x": Row((6, 4), np.dtype(np.float32))}, "codes", ())


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_of_a_users_module(name, tmp_path):
    x = np.random.default_rng(0).normal(size=(3, 6, 4)).astype(np.float32)
    (tmp_path / "x.onnx").write_bytes(to_onnx(part_of(OPERATIONS[name])))
    np.testing.assert_allclose(
        run_onnx(tmp_path / "x.onnx", {"x": x}), jax.jit(OPERATIONS[name])(jnp.asarray(x)), atol=1e-5
    )


@pytest.mark.parametrize("name", REFUSED)
def test_an_operation_without_a_translation(name):
    function, words = REFUSED[name]
    with pytest.raises(InputError, match=words):
        to_onnx(part_of(function))


def test_weights_in_float64_are_exported_in_float32(tmp_path):
    model = MODELS["perceptron"]()
    wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), model.params)
    export_model(dataclasses.replace(model, params=wide), tmp_path, parts="decoder")
    given = inputs_of(model, 3)
    same(run_onnx(tmp_path / "decoder.onnx", given), expected_of(model, given)["decoder"])


def test_a_signature_of_somebody_else_is_kept(tmp_path):
    (tmp_path / "signature.json").write_text("{}")
    with pytest.raises(InputError, match="was not written by an export of aae_jax"):
        export_model(MODELS["perceptron"](), tmp_path)
    assert (tmp_path / "signature.json").read_text() == "{}"


def test_rows_too_coarse_for_float32_are_refused(tmp_path):
    rows = np.random.default_rng(0).random((20, 2)) + np.array([1e9, 0])
    model = build(PLAIN, (2,), pixels="unit", scaling=fit_scaling(rows))
    with pytest.raises(InputError, match="float32"):
        export_model(model, tmp_path)


def test_parts_are_functions_of_arrays():
    model = MODELS["perceptron"]()
    parts = {part.name: part for part in model_parts(model)}
    assert list(parts) == ["encoder", "classifier", "decoder"]
    given = inputs_of(model, 2)
    same(parts["encoder"].function(given["images"]), model.transform(given["images"]))
    assert parts["decoder"].inputs["labels"].shape == (CLASSES,)
    assert aae_jax.export_model is export_model
