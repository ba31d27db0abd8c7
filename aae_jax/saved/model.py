"""The trained model as an object: classification, codes, reconstructions and samples of any number of images."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int

from aae_jax.config import NetworkConfig, PriorConfig
from aae_jax.data.scaling import Scaling
from aae_jax.errors import InputError
from aae_jax.networks import NO_MODULES, EncoderOutput, Modules, Networks
from aae_jax.priors.configured import configured_prior
from aae_jax.saved import format as saved_model
from aae_jax.saved.batching import as_rows, draw_rows
from aae_jax.saved.format import PixelKind
from aae_jax.saved.labels import label_rows, one_hot_labels
from aae_jax.saved.preprocessing import to_stored, to_units
from aae_jax.saved.programs import Programs, Structure, build_model_networks, build_programs
from aae_jax.saved.sharing import Shared
from aae_jax.saved.tree import register_tree
from aae_jax.saved.views import accuracy, sample_images
from aae_jax.text import count_numbers, described
from aae_jax.types import Array, Params, Pixels, PRNGKey, Stats

__all__ = ["Model"]

Decoded = Float[Array, "count *image"] | Float[np.ndarray, "count *image"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Model(Shared):
    """A trained model: immutable, its methods pure.

    `*image` is `height width`, `height width channels`, or `features` of plain vectors.

    Methods take any number of images or codes and compile few programs: outside jit, vmap and grad, batches are
    padded to powers of two (`aae_jax.saved.batching`). A row's result does not depend on the other rows, up to
    rounding in the last bits, which may differ between batch lengths. Models can be pickled and copied (joblib,
    multiprocessing); to keep one, call `save`. A model is a pytree of its weights: functions under jit may take one.

    "As the data hold them" also means rows of pixels `[count, pixels]`, and floats in [0, 1] for images of bytes.

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
        decoded_label: Length of the label that the decoder takes with the style; None: `num_classes`.
        heads: Whether the decoder gets W_C y + z instead of both (`represent`).
        mode_decoder: Whether there is a second decoder, of labels alone (`decode_mode`).
        clusters: Whether its classes are clusters, which nobody taught it.
        experiment: By which the model was trained, e.g. "clustering"; None: not known.
        pixels: What the images are: "bytes" (uint8), or "unit" (floats in [0, 1]).
        scaling: How rows of plain vectors are brought to [0, 1], or None; then `pixels` is "unit".
        prior_samples: `[count, latent]`, of a prior of kind "samples": what it is.
        temperature: What divides the logits in calibrated probabilities, as fitted on images that were not trained
            on, or None where nobody fitted it (`aae_jax.evaluation.fit_temperature`).
        modules: Encoder and decoder of a user's own, of which a saved model holds the weights only.
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
    modules: Modules = NO_MODULES

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

    def __repr__(self) -> str:
        """Describe the model in a line or two."""
        kind = "num_classes" if self.num_classes or not self.decoded_label else "decoded_label"
        length = getattr(self, kind)
        numbered = self.class_names == tuple(map(str, range(length)))
        shown = {
            "experiment": self.experiment,
            "image_shape": self.image_shape,
            "pixels": self.pixels,
            **({kind: length} if numbered else {"class_names": self.class_names}),
            "latent_dim": self.network.latent_dim,
            **({"channels": self.network.channels} if self.network.kind == "conv" else {}),
            "hidden": self.network.hidden,
            "prior": self.prior and self.prior.kind,
            "data": self.data.get("name"),
        }
        listed = ", ".join(f"{name}={described(value)}" for name, value in shown.items())
        return f"Model({listed}, {count_numbers(self.params):,} parameters)"

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields alone: compiled programs stay in their process, and are built again on use."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @property
    def _structure(self) -> Structure:
        assert self.decoded_label is not None, "set by __post_init__"
        label = self.num_classes, self.decoded_label
        return Structure(self.network, self.image_shape, *label, self.heads, self.mode_decoder, self.modules)

    @cached_property
    def networks(self) -> Networks:
        """The pure functions behind the methods."""
        return build_model_networks(self._structure)

    @cached_property
    def _programs(self) -> Programs:
        return build_programs(self._structure)

    @property
    def _weights(self) -> tuple[Params, Stats]:
        return self.params, self.stats

    def encode(self, images: Any) -> EncoderOutput:
        """Return style mean, label logits and posterior log-std of images `[count, *image]` as the data hold them.

        Raises:
            InputError: They are not of the type and shape that the model was trained on.
        """
        encoded: EncoderOutput = self._programs.encode(self._weights, self._as_stored(images))
        return encoded

    def encode_stored(self, images: Pixels) -> EncoderOutput:
        """Return what `encode` does, for images as a `Dataset` holds them: plain vectors already scaled.

        Of a model of bytes, floats in [0, 1] are taken too: derivatives with respect to images need floats.
        """
        encoded: EncoderOutput = self._programs.encode(self._weights, images)
        return encoded

    def predict_proba(self, images: Any, *, calibrated: bool = False) -> Float[Array, "count classes"]:
        """Return the probability of each class for images as the data hold them.

        Calibrated ones divide the logits by `temperature`, so that they match the accuracy on images like those it
        was fitted on. The most probable class is the same. Within a jit `calibrated` is not an array: bind
        it (`functools.partial`).

        Raises:
            InputError: `calibrated`, but the model has no temperature; or it has no classes.
        """
        self._require_classes()
        if calibrated and self.temperature is None:
            raise InputError(
                "The model has no temperature, so its probabilities cannot be calibrated; train it again, or fit one "
                "(aae_jax.evaluation.fit_temperature) and use dataclasses.replace(model, temperature=...)."
            )
        weights = *self._weights, self.temperature if calibrated else 1.0
        chances: Array = self._programs.predict_proba(weights, self._as_stored(images))
        return chances

    def predict(self, images: Any, *, names: bool = False) -> Int[Array, " count"] | np.ndarray:
        """Return the most probable class of images as the data hold them: its index, or by `names` its name."""
        self._require_classes()
        classes: Array = self._programs.predict(self._weights, self._as_stored(images))
        return np.asarray(self.class_names)[np.asarray(classes)] if names else classes

    def score(self, images: Any, labels: Any) -> float:
        """Return the accuracy on images as the data hold them, of labels `[count]` as the data had them.

        Raises:
            InputError: There is no such class, or the classes are clusters.
        """
        return accuracy(self, images, labels)

    def transform(self, images: Any) -> np.ndarray:
        """Return latent codes `[count, latent]` in NumPy: styles, or W_C y + z of a model with heads."""
        encoded = self.encode(images)
        if self.heads:
            return np.asarray(self.represent(encoded.mean, self.label_codes(encoded)))
        return np.asarray(encoded.mean)

    def sample(self, count: int, *, label: Any = None, seed: int = 0) -> Decoded:
        """Return decoded samples of the prior, of a class `label`, or one for each (names or indices); None: random.

        Raises:
            InputError: There is no prior, or no such class.
        """
        images: Decoded = sample_images(self, count, label, seed)
        return images

    def _require_classes(self) -> None:
        if not self.num_classes:
            raise InputError(
                "The model has no classes: its encoder predicts no label; train a semi-supervised one to classify."
            )

    def draw_styles(self, key: PRNGKey, count: int, component: int | None = None) -> Float[Array, "count latent"]:
        """Return so many samples of the prior, or of one component of a mixture, or part of a roll.

        Raises:
            InputError: Nothing pulled the codes to a prior, or it has no such component.
        """
        if self.prior is None:
            raise InputError(
                "The model has no prior to sample from: the codes of a plain autoencoder are not regularised. "
                "aae-jax generate --sampler mixture fits a mixture to them."
            )
        prior = configured_prior(self.prior, self.network.latent_dim, self.prior_samples)
        if component is None:
            return draw_rows(prior, key, count)
        return draw_rows(lambda key, n: prior.sample_part(key, n, component), key, count)

    def decode(self, z: Any, y: Any = None) -> Decoded:
        """Return images of styles `z` `[count, latent]` and labels `y`.

        Labels are `[count, classes]`, one-hot or probabilities, or classes `[count]`: names or indices. Images are in
        [0, 1]; plain vectors are in the units of the data, float64 in a NumPy array (a JAX array within jit, vmap or
        grad). A decoder without labels takes none.

        Raises:
            InputError: The two are not of these shapes.
        """
        length, example = self.decoded_label, "give styles alone"
        if length:
            example = f"jax.nn.one_hot(classes, {length}) gives such labels"
        codes = self._codes("decode", z, y, f"labels [n, {length}]" if length else "no labels", example)
        return to_units(self._programs.decode(self._weights, *codes), self.scaling)

    def decode_mode(self, y: Any) -> Decoded:
        """Return the mode decoder's images of labels `[count, classes]` alone.

        Raises:
            InputError: The model has no mode decoder, or the labels are not of this shape.
        """
        y = as_rows(y)
        if not self.mode_decoder:
            raise InputError("The model has no mode decoder; train clusters with --weights.mode 1.")
        if y.ndim != 2 or y.shape[1] != self.decoded_label:
            raise InputError(f"decode_mode takes labels [n, {self.decoded_label}], not {list(y.shape)}.")
        return to_units(self._programs.decode_mode(self._weights, y), self.scaling)

    def represent(self, z: Any, y: Any) -> Float[Array, "count latent"]:
        """Return W_C y + z of styles `[count, latent]` and labels `[count, classes]`: where images are embedded.

        Raises:
            InputError: The model has no heads, or the two are not of these shapes.
        """
        if not self.heads:
            raise InputError("The model has no cluster heads; train one with dim_reduction.")
        codes = self._codes("represent", z, y, f"labels [n, {self.decoded_label}]", "give one label for each style")
        places: Array = self._programs.represent(self._weights, *codes)
        return places

    def _codes(self, method: str, z: Any, y: Any, labels: str, advice: str) -> tuple[Any, Any]:
        """Return styles and labels as float32, of no length where there are none.

        Raises:
            InputError: They are not of the shapes that the decoder takes.
        """
        z = as_rows(z)
        count = z.shape[0] if z.ndim else 0
        y = label_rows(y, self.class_names, self.decoded_label or 0, z)
        if (z.shape, y.shape) != ((count, self.network.latent_dim), (count, self.decoded_label)):
            raise InputError(
                f"{method} takes styles [n, {self.network.latent_dim}] and {labels}, not "
                f"{list(z.shape)} and {list(y.shape)}; {advice}."
            )
        return z, y

    def reconstruct(self, images: Any, labels: Any = None) -> Decoded:
        """Return what `decode` makes of the codes of images as the data hold them.

        A model whose encoder gives no label, but whose decoder gets one, takes the classes `labels` `[count]` too.

        Raises:
            InputError: These are missing, no classes, or not one for each image; or the model takes none.
        """
        return self._reconstruct(self._as_stored(images), labels)

    def reconstruct_stored(self, images: Any, labels: Any = None) -> Decoded:
        """Return what `reconstruct` does, for images as a `Dataset` holds them: see `encode_stored`."""
        return self._reconstruct(images if isinstance(images, jax.Array) else np.asarray(images), labels)

    def _reconstruct(self, images: Any, labels: Any) -> Decoded:
        given = self._one_hot(labels, images.shape[0])
        rows = (images,) if given is None else (images, given)
        return to_units(self._programs.reconstruct(self._weights, *rows), self.scaling)

    def label_codes(self, encoded: EncoderOutput, labels: Any = None) -> Float[Array, "count classes"]:
        """Return the labels that the decoder takes with the styles: the encoder's, or one-hot ones of given classes.

        Raises:
            InputError: See `reconstruct`.
        """
        given = self._one_hot(labels, encoded.mean.shape[0])
        codes: Array = self._programs.label((), encoded.logits) if given is None else jax.device_put(given)
        return codes

    def _one_hot(self, labels: Any, count: Any) -> Any:
        """Return one-hot labels `[count, classes]` of given classes, or None where the encoder gives them.

        Raises:
            InputError: See `reconstruct`.
        """
        if labels is None:
            if self.decoded_label != self.num_classes:
                raise InputError("The decoder takes the class of each image as well as its style; give labels [n].")
            return None
        if not self.decoded_label:
            raise InputError("The model takes no labels: its decoder takes only the style; give none.")
        return one_hot_labels(labels, self.class_names, self.decoded_label, count)

    def _as_stored(self, images: Any) -> Any:
        """Return images as training saw them: bytes, or floats in [0, 1]."""
        return to_stored(images, self.image_shape, self.pixels, self.scaling)


register_tree(Model)
