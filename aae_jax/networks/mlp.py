"""Encoder with two heads, decoder and discriminators: perceptrons, or with convolutions (flax modules)."""

import itertools
import math
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from aae_jax.networks.precision import product_options
from aae_jax.types import Array

__all__ = ["ClusterHeads", "Decoder", "Discriminator", "Dropout", "Encoder", "Trunk", "count_mlp_weights"]

BATCH_NORM_MOMENTUM = 0.99
PAPER_STD = 0.01


def kernel_init(scheme: str, *, before_relu: bool) -> nn.initializers.Initializer:
    """Return the initialiser of a layer's weights: He or LeCun normal, or the paper's N(0, 0.01²)."""
    if scheme == "paper":
        return nn.initializers.normal(PAPER_STD)
    return nn.initializers.he_normal() if before_relu else nn.initializers.lecun_normal()


def dense(size: int, scheme: str, precision: str, *, before_relu: bool) -> nn.Dense:
    """Return a dense layer whose matrix products run in `precision`."""
    kernel = kernel_init(scheme, before_relu=before_relu)
    return nn.Dense(size, kernel_init=kernel, **product_options(precision))


def count_mlp_weights(hidden: Sequence[int], pixels: int, given: int, taken: int) -> int:
    """Return the number of entries of the weight matrices of encoder and decoder.

    Args:
        hidden: Widths of the hidden layers of each.
        pixels: Numbers per image.
        given: Numbers per code that the encoder outputs.
        taken: Numbers per code that the decoder takes.
    """
    encoder, decoder = (pixels, *hidden, given), (taken, *hidden, pixels)
    return sum(a * b for widths in (encoder, decoder) for a, b in itertools.pairwise(widths))


class Trunk(nn.Module):
    """Hidden layers: dense, optional batch norm, (leaky) ReLU, optional dropout: `[batch, in] -> [batch, out]`.

    Attributes:
        hidden: Width of each layer.
        batch_norm: Whether to normalise before each ReLU, with batch moments in training, else with running moments.
        dropout: Probability of dropping a unit after each ReLU in training.
        weight_init: `"he"`, or `"paper"` for N(0, 0.01²).
        precision: Precision of the operands of matrix products, as in `NetworkConfig`.
        slope: Slope of the non-linearity below zero; 0 for ReLU.
    """

    hidden: Sequence[int]
    batch_norm: bool
    dropout: float
    weight_init: str
    precision: str
    slope: float = 0.0

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """Apply the layers; if `train`, dropout uses the `"dropout"` stream."""
        for width in self.hidden:
            x = dense(width, self.weight_init, self.precision, before_relu=True)(x)
            if self.batch_norm:
                x = nn.BatchNorm(use_running_average=not train, momentum=BATCH_NORM_MOMENTUM)(x)
            x = nn.leaky_relu(x, self.slope) if self.slope else nn.relu(x)
            x = Dropout(self.dropout)(x, train=train)
        return x


class Dropout(nn.Module):
    """Linen's dropout, with float32 random numbers regardless of `jax_enable_x64`.

    Attributes:
        rate: Probability of dropping a unit in training; the others are divided by 1 − rate.
    """

    rate: float

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """Drop units at random if `train`, using the `"dropout"` stream."""
        if self.rate == 0.0 or not train:
            return x
        kept = 1.0 - self.rate
        mask = jax.random.bernoulli(self.make_rng("dropout"), jnp.float32(kept), x.shape)
        return jnp.where(mask, x / kept, 0.0)


class Head(nn.Module):
    """Linear output layer, without a ReLU: `[batch, in] -> [batch, size]`."""

    size: int
    weight_init: str
    precision: str

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Apply the layer."""
        return dense(self.size, self.weight_init, self.precision, before_relu=False)(x)


def head(size: int, trunk: Trunk) -> Head:
    """Return a linear layer with the initialisation and precision of `trunk`."""
    return Head(size, trunk.weight_init, trunk.precision)


class Encoder(nn.Module):
    """q(z|x) and q(y|x) from a shared trunk (Makhzani et al. 2016, §5, fig. 8).

    Attributes:
        trunk: Hidden layers.
        latent_dim: Dimension of the style code z.
        num_classes: Size of the label code y; 0: no label head.
        log_std: Whether there is a head for the log-std of a Gaussian posterior.
        normalised_heads: Whether to apply batch norm to style and label logits.
        convolutions: Convolutions before the hidden layers, or None.
    """

    trunk: Trunk
    latent_dim: int
    num_classes: int
    log_std: bool
    normalised_heads: bool = False
    convolutions: nn.Module | None = None

    def setup(self) -> None:
        """Define the heads."""
        self.style = head(self.latent_dim, self.trunk)
        if self.num_classes:
            self.label = head(self.num_classes, self.trunk)
        if self.normalised_heads:
            self.style_norm = nn.BatchNorm(momentum=BATCH_NORM_MOMENTUM)
            if self.num_classes:
                self.label_norm = nn.BatchNorm(momentum=BATCH_NORM_MOMENTUM)
        if self.log_std:
            self.style_log_std = head(self.latent_dim, self.trunk)

    def __call__(self, images: Array, extra: Array | None, *, train: bool) -> tuple[Array, Array, Array | None]:
        """Map `[batch, *image]` (with `[batch, noise]`, if any) to z's mean, y's logits, and z's log-std or None."""
        if self.convolutions is None:
            x = images.reshape(images.shape[0], -1)
        else:
            x = self.convolutions(images, train=train)
        if extra is not None:
            x = jnp.concatenate([x, extra], axis=1)
        features = self.trunk(x, train=train)
        log_std = self.style_log_std(features) if self.log_std else None
        style = self.style(features)
        label = self.label(features) if self.num_classes else jnp.zeros((images.shape[0], 0), style.dtype)
        if self.normalised_heads:
            style = self.style_norm(style, use_running_average=not train)
            label = self.label_norm(label, use_running_average=not train) if self.num_classes else label
        return style, label, log_std


class Decoder(nn.Module):
    """p(x|y, z): `([batch, latent], [batch, classes]) -> [batch, *image]`, before the output non-linearity.

    Attributes:
        trunk: Hidden layers.
        image_shape: Shape of one image.
        deconvolutions: Convolutions after the hidden layers, or None for a dense layer.
        normalised_output: Whether to apply batch norm to the output, by pixel or, after convolutions, by colour.
    """

    trunk: Trunk
    image_shape: tuple[int, ...]
    deconvolutions: nn.Module | None = None
    normalised_output: bool = False

    @nn.compact
    def __call__(self, z: Array, y: Array, *, train: bool) -> Array:
        """Decode the concatenation of label and style."""
        features = self.trunk(jnp.concatenate([y, z], axis=1), train=train)
        if self.deconvolutions is not None:
            output: Array = self.deconvolutions(features, train=train)
        else:
            output = head(math.prod(self.image_shape), self.trunk)(features)
        if self.normalised_output:
            output = nn.BatchNorm(use_running_average=not train, momentum=BATCH_NORM_MOMENTUM)(output)
        return output.reshape(-1, *self.image_shape)


class ClusterHeads(nn.Module):
    """One point in style space per label, W_C y: `[batch, classes] -> [batch, latent]` (§7, figure 10)."""

    latent_dim: int

    @nn.compact
    def __call__(self, y: Array, *, train: bool) -> Array:
        """Return the heads of one-hot labels, or the expected head under class probabilities."""
        del train
        kernel = self.param("kernel", nn.initializers.normal(1.0), (y.shape[1], self.latent_dim), jnp.float32)
        return jnp.asarray(y @ kernel)


class Discriminator(nn.Module):
    """Logit of "this code is a sample of the prior": `[batch, dim] -> [batch]`.

    Attributes:
        trunk: Hidden layers.
        noise_std: Standard deviation of the noise on the input in training.
        draw: Index among the model's discriminators, whose noises differ.
    """

    trunk: Trunk
    noise_std: float = 0.0
    draw: int = 0

    @nn.compact
    def __call__(self, code: Array, *, train: bool) -> Array:
        """Return logits of codes; samples of the prior are "real". If `train`, noise uses the `"dropout"` stream."""
        if self.noise_std and train:
            key = jax.random.fold_in(self.make_rng("dropout"), self.draw)
            code = code + self.noise_std * jax.random.normal(key, code.shape, jnp.float32)
        return jnp.squeeze(head(1, self.trunk)(self.trunk(code, train=train)), axis=1)
