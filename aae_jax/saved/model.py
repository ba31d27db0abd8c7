"""The saved model that people load and share: `config.json` and `model.safetensors`, nothing executable."""

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from safetensors.numpy import save

from aae_jax.augment import activate, unscale_pixels
from aae_jax.config import NetworkConfig, PriorConfig
from aae_jax.data.scaling import Scaling
from aae_jax.errors import InputError
from aae_jax.evaluation import build_encode, class_probabilities
from aae_jax.files import write_whole
from aae_jax.networks import Codes, EncoderOutput, Networks, build_networks
from aae_jax.networks.precision import has_tf32
from aae_jax.priors.configured import configured_prior
from aae_jax.saved import format as saved_model
from aae_jax.saved.digest import EMBEDDED, digest_of
from aae_jax.saved.format import CONFIG_FILE, FORMAT_VERSION, WEIGHTS_FILE, PixelKind
from aae_jax.saved.preprocessing import to_stored, to_units
from aae_jax.train.compile import compiler_options
from aae_jax.train.state import used_networks
from aae_jax.types import Array, Params, Pixels, PRNGKey, Stats

__all__ = ["FORMAT_VERSION", "Model", "load", "save_model"]

Decoded = Float[Array, "count *image"] | Float[np.ndarray, "count *image"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A trained model: immutable, its methods pure.

    `*image` is `height width`, `height width channels`, or `features` of plain vectors.

    Attributes:
        network: Sizes and kinds of the networks.
        image_shape: Shape of one image.
        num_classes: Number of classes between which the encoder decides; 0 of a model without labels.
        prior: What styles are drawn from, or None, where nothing pulled them to a prior.
        params: Weights of encoder and decoder.
        stats: Running batch-norm moments.
        data: Name and SHA-256 of the data that the model was trained on.
        seed: The seed of its training, where known.
        class_names: The names of the classes, or of the labels that the decoder gets; counted from "0" where none
            are given.
        decoded_label: Length of the label that the decoder gets beside the style; None: `num_classes`.
        heads: Whether the decoder gets W_C y + z instead of both (`represent`).
        mode_decoder: Whether there is a second decoder, of labels alone (`decode_mode`).
        clusters: Whether its classes are clusters, which nobody taught it.
        experiment: By which the model was trained, e.g. "clustering"; None: not known.
        pixels: What the images are: "bytes" (uint8), or "unit" (floats in [0, 1]).
        scaling: How rows of plain vectors are brought to [0, 1], or None; then `pixels` is "unit".
        prior_samples: `[count, latent]`, of a prior of kind "samples": what it is.
        temperature: What divides the logits in calibrated probabilities, as fitted on images that were not trained
            on, or None where nobody fitted it (`aae_jax.evaluation.fit_temperature`).
    """

    network: NetworkConfig
    image_shape: tuple[int, ...]
    num_classes: int
    prior: PriorConfig | None
    params: Params
    stats: Stats
    data: Mapping[str, str]
    seed: int | None = None
    class_names: tuple[str, ...] = ()
    decoded_label: int | None = None
    heads: bool = False
    mode_decoder: bool = False
    clusters: bool = False
    experiment: str | None = None
    pixels: PixelKind = "bytes"
    scaling: Scaling | None = None
    prior_samples: Array | None = None
    temperature: float | None = None

    def __post_init__(self) -> None:
        """Name the classes where nobody did, and refuse a temperature that would turn probabilities round."""
        if self.temperature is not None and not 0 < self.temperature < math.inf:
            raise InputError(f"temperature is {self.temperature}; give a number above 0, or None.")
        saved_model.check_samples(self.prior, self.prior_samples, self.network.latent_dim)
        if self.decoded_label is None:
            object.__setattr__(self, "decoded_label", self.num_classes)
        if not self.class_names:
            count = self.num_classes or self.decoded_label or 0
            object.__setattr__(self, "class_names", tuple(str(i) for i in range(count)))

    @cached_property
    def networks(self) -> Networks:
        """The pure functions behind the methods."""
        assert self.decoded_label is not None, "as __post_init__ sets it"
        codes = Codes(self.num_classes, self.decoded_label, {}, self.heads, self.mode_decoder)
        return build_networks(self.network, self.image_shape, codes)

    @cached_property
    def _encode(self) -> Any:
        return jax.jit(build_encode(self.networks, self.network.output), compiler_options=compiler_options())

    def encode(self, images: Any) -> EncoderOutput:
        """Return style mean, label logits and posterior log-std of images `[count, *image]` as the data hold them.

        Raises:
            InputError: They are not of the type and shape that the model was trained on.
        """
        return self.encode_stored(self._as_stored(images))

    def encode_stored(self, images: Pixels) -> EncoderOutput:
        """Return what `encode` does, for images as a `Dataset` holds them: plain vectors already scaled.

        Of a model of bytes, floats in [0, 1] are taken too: derivatives with respect to images need floats.
        """
        encode = self._encode
        if isinstance(images, jax.core.Tracer):  # within a user's jit, which compiles it with its own options
            encode = build_encode(self.networks, self.network.output)
        encoded: EncoderOutput = encode(self.params, self.stats, images)
        return encoded

    def predict_proba(self, images: Any, *, calibrated: bool = False) -> Float[Array, "count classes"]:
        """Return the probability of each class for images as the data hold them.

        Calibrated ones divide the logits by `temperature`, so that answers are about as often right as they say, on
        images like those it was fitted on. The most probable class is the same. Within a jit `calibrated` is no
        array: bind it (`functools.partial`).

        Raises:
            InputError: They shall be calibrated, but the model has no temperature; or it has no classes.
        """
        logits = self._logits(images)
        if not calibrated:
            return jax.nn.softmax(logits)
        if self.temperature is None:
            raise InputError(
                "The model has no temperature, so its probabilities cannot be calibrated; train it anew, or fit one "
                "(aae_jax.evaluation.fit_temperature) and take dataclasses.replace(model, temperature=...)."
            )
        return jax.nn.softmax(logits / self.temperature)

    def predict(self, images: Any) -> Int[Array, " count"]:
        """Return the most probable class of images as the data hold them."""
        return jnp.argmax(self._logits(images), axis=1)

    def _logits(self, images: Any) -> Float[Array, "count classes"]:
        if not self.num_classes:
            raise InputError(
                "The model has no classes: its encoder gives no label; train a semi-supervised one to classify."
            )
        return self.encode(images).logits

    def draw_styles(self, key: PRNGKey, count: int, component: int | None = None) -> Float[Array, "count latent"]:
        """Return so many samples of the prior, or of one component of a mixture, or part of a roll.

        Raises:
            InputError: Nothing pulled the codes to a prior, or it has no such component.
        """
        if self.prior is None:
            raise InputError("The model has no prior to draw from: a plain autoencoder's codes lie where they like.")
        prior = configured_prior(self.prior, self.network.latent_dim, self.prior_samples)
        return prior(key, count) if component is None else prior.sample_part(key, count, component)

    def decode(self, z: Any, y: Any = None) -> Decoded:
        """Return images of styles `z` `[count, latent]` and labels `y` `[count, classes]`, one-hot or probabilities.

        They are in [0, 1]; plain vectors are in the units of the data, float64 in a NumPy array (a JAX array within
        jit, vmap or grad). A decoder without labels takes none.

        Raises:
            InputError: The two are not of these shapes.
        """
        z = jnp.asarray(z, jnp.float32)
        count, length = len(z) if z.ndim else 0, self.decoded_label
        y = jnp.zeros((count, 0), jnp.float32) if y is None else jnp.asarray(y, jnp.float32)
        if (z.shape, y.shape) != ((count, self.network.latent_dim), (count, length)):
            labels = f"labels [n, {length}]" if length else "no labels"
            how = f"jax.nn.one_hot(classes, {length}) makes the latter" if length else "give styles alone"
            raise InputError(
                f"decode takes styles [n, {self.network.latent_dim}] and {labels}, not "
                f"{list(z.shape)} and {list(y.shape)}; {how}."
            )
        return self._as_data(self.networks.decode(self.params, z, y, None))

    def decode_mode(self, y: Any) -> Decoded:
        """Return the mode decoder's images of labels `[count, classes]` alone.

        Raises:
            InputError: The model has no mode decoder, or the labels are not of this shape.
        """
        y, decode = jnp.asarray(y, jnp.float32), self.networks.decode_mode
        if decode is None:
            raise InputError("The model has no mode decoder; train clusters with --weights.mode 1.")
        if y.ndim != 2 or y.shape[1] != self.decoded_label:
            raise InputError(f"decode_mode takes labels [n, {self.decoded_label}], not {list(y.shape)}.")
        return self._as_data(decode(self.params, y, None))

    def represent(self, z: Any, y: Any) -> Float[Array, "count latent"]:
        """Return W_C y + z of styles `[count, latent]` and labels `[count, classes]`: where images are embedded.

        Raises:
            InputError: The model has no heads.
        """
        if self.networks.represent is None:
            raise InputError("The model has no heads around which styles lie; train one by dim_reduction.")
        z, y = jnp.asarray(z, jnp.float32), jnp.asarray(y, jnp.float32)
        return self.networks.represent(self.params, z, y, None)

    def _as_data(self, decoded: Array) -> Decoded:
        unit = unscale_pixels(activate(decoded, self.network.output), self.network.output)
        return to_units(unit, self.scaling)

    def reconstruct(self, images: Any, labels: Any = None) -> Decoded:
        """Return what `decode` makes of the codes of images as the data hold them.

        A model whose encoder gives no label, but whose decoder gets one, takes the classes `labels` `[count]` too.

        Raises:
            InputError: These are missing, no classes, or not one for each image; or the model takes none.
        """
        return self.reconstruct_stored(self._as_stored(images), labels)

    def reconstruct_stored(self, images: Any, labels: Any = None) -> Decoded:
        """Return what `reconstruct` does, for images as a `Dataset` holds them: see `encode_stored`."""
        encoded = self.encode_stored(jnp.asarray(images))
        return self.decode(encoded.mean, self.label_codes(encoded, labels))

    def label_codes(self, encoded: EncoderOutput, labels: Any = None) -> Float[Array, "count classes"]:
        """Return the labels that the decoder gets beside styles: the encoder's, or one-hot ones of given classes.

        Raises:
            InputError: See `reconstruct`.
        """
        if labels is None:
            if self.decoded_label != self.num_classes:
                raise InputError("The decoder gets the class of each image beside its style; give labels [n].")
            return class_probabilities(encoded.logits)
        traced, length = isinstance(labels, jax.core.Tracer), self.decoded_label or 0
        classes = labels if traced else np.asarray(labels)
        if not length:
            raise InputError("The model takes no labels: its decoder gets the style alone; give none.")
        fits = classes.shape == (len(encoded.mean),) and np.issubdtype(classes.dtype, np.integer)
        if not fits or (not traced and ((classes < 0) | (classes >= length)).any()):
            raise InputError(f"labels are one class from 0 to {length - 1} for each of {len(encoded.mean)} images.")
        return jax.nn.one_hot(classes, length, dtype=jnp.float32)

    def _as_stored(self, images: Any) -> Array:
        """Return images as training saw them: bytes, or floats in [0, 1]."""
        return to_stored(images, self.image_shape, self.pixels, self.scaling)


def save_model(model: Model, path: str | os.PathLike[str]) -> None:
    """Write `model.safetensors` and `config.json` into the folder `path`.

    The weights' file holds the configuration too: replacing it is what replaces an older model, and until
    `config.json` follows, `load` takes the configuration from there. Whenever the process is killed, the folder
    holds the older model or the new one.

    Raises:
        OSError: The folder cannot be written.
    """
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    tree: dict[str, Any] = {"params": used_networks(model.params), "stats": model.stats}
    if model.scaling is not None:
        tree["scaling"] = saved_model.scaling_tensors(model.scaling)
    if model.prior_samples is not None:
        tree["prior_samples"] = np.asarray(model.prior_samples, np.float32)
    config: dict[str, Any] = {
        "format": "aae_jax",
        "format_version": saved_model.version_of(model.prior_samples, tree.get("scaling")),
        "network": dataclasses.asdict(model.network),
        "image_shape": list(model.image_shape),
        "num_classes": model.num_classes,
        "class_names": list(model.class_names),
        "preprocessing": {"pixels": model.pixels, "scaled_by_feature": model.scaling is not None},
        "prior": saved_model.prior_to_json(model.prior),
        "decoded_label": model.decoded_label,
        "heads": model.heads,
        "mode_decoder": model.mode_decoder,
        "clusters": model.clusters,
        "experiment": model.experiment,
        "temperature": model.temperature,
        "data": dict(model.data),
        "seed": model.seed,
    }
    if model.prior_samples is not None:
        config["prior_samples"] = len(model.prior_samples)
    tensors = {name: np.ascontiguousarray(leaf) for name, leaf in saved_model.named(tree)}
    config["digest"] = digest_of(config, tensors)
    text = json.dumps(config, indent=2) + "\n"
    write_whole(folder / WEIGHTS_FILE, save(tensors, metadata={EMBEDDED: text}))
    write_whole(folder / CONFIG_FILE, text.encode())


def load(path: str | os.PathLike[str]) -> Model:
    """Load a model from its folder, or from the folder of the run that left it.

    Every format since version 1 is read.

    Raises:
        InputError: There is none, or its files do not belong together.
    """
    folder = Path(path)
    try:
        if not (folder / CONFIG_FILE).is_file() and (folder / "model" / CONFIG_FILE).is_file():
            folder = folder / "model"
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}); name the folder of a run or model.") from error
    described = saved_model.read_config(folder)
    saved_model.check_size(described, folder)
    config = {field.name: getattr(described, field.name) for field in dataclasses.fields(described)}
    scaled, wide, num_samples = (config.pop(name) for name in ("scaled_by_feature", "wide_scaling", "prior_samples"))
    if config["network"].precision == "tf32" and not has_tf32():
        config["network"] = dataclasses.replace(config["network"], precision="float32")
    prior = config.pop("prior")
    model = Model(**config, prior=None, params={}, stats={})
    try:
        params, stats = jax.eval_shape(model.networks.init, jax.random.key(0))
    except Exception as error:  # of whatever kind the sizes provoke inside the networks
        raise InputError(f"{folder / CONFIG_FILE} describes no network ({error}); save the model again.") from error
    expected: dict[str, Any] = {"params": dict(params), "stats": stats}
    if scaled:
        expected["scaling"] = saved_model.expected_scaling(model.image_shape, wide)
    if num_samples:
        table = num_samples, model.network.latent_dim
        expected["prior_samples"] = jax.eval_shape(lambda: jnp.zeros(table, jnp.float32))
    tensors = saved_model.read_tensors(folder / WEIGHTS_FILE, dict(saved_model.named(expected)))
    tree = jax.tree_util.tree_map_with_path(lambda path, _: tensors[saved_model.name_of(path)], expected)
    return dataclasses.replace(
        model,
        prior=prior,
        params=jax.tree.map(jnp.asarray, tree["params"]),
        stats=jax.tree.map(jnp.asarray, tree["stats"]),
        scaling=Scaling(**jax.tree.map(np.float64, tree["scaling"])) if scaled else None,
        prior_samples=jnp.asarray(tree["prior_samples"]) if num_samples else None,
    )
