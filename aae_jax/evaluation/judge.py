"""Independent judge of generated images: a classifier trained on real images only.

Whether a decoder draws the class that it was given cannot be measured by the model's own encoder, which the decoder
was trained with. The judge never sees an image of the model before it is asked.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, Int

from aae_jax.augment import Border, Jitter, draw_view
from aae_jax.data.prefetch import prefetched
from aae_jax.data.stored import StoredImages
from aae_jax.errors import InputError
from aae_jax.evaluation.encoding import join_batches, split_batches
from aae_jax.losses import classification_loss
from aae_jax.networks.classifier import Classified, Classifier, build_classifier
from aae_jax.train.compile import compiler_options
from aae_jax.train.stream import CHUNK_BYTES
from aae_jax.types import Array, Params, Pixels, PRNGKey, Stats

__all__ = ["Judge", "JudgeTraining", "build_judge", "judge_network", "train_judge"]

State = tuple[Params, Stats, optax.OptState]
_Part = tuple[Array, Array, Array, Array | None]
"""Numbers of updates, images, labels, and the rows of each update, if they are not drawn from all images."""
LEARNING_RATE = 1e-3
BATCH, CHUNK = 1000, 500
"""Numbers of images classified, and of updates trained, at once."""


class JudgeTraining(NamedTuple):
    """Training of a judge, with the augmentation of a run.

    Attributes:
        hidden: Widths of the hidden layers; the last is that of the features.
        updates: Number of updates.
        batch_size: Images per update.
        dropout: Probability of dropping a hidden unit.
        noise_std: Standard deviation of the noise on pixels in [0, 1].
        max_shift: Maximum random shift, in pixels.
        flip: Probability of mirroring an image horizontally.
        border: What a shift uncovers.
        jitter: Largest relative changes of brightness, contrast and saturation, or None.
        channels: Feature maps of convolutions before the hidden layers; none: a perceptron.
    """

    hidden: tuple[int, ...] = (1000, 500)
    updates: int = 10_000
    batch_size: int = 100
    dropout: float = 0.2
    noise_std: float = 0.0
    max_shift: int = 0
    flip: float = 0.0
    border: Border = "black"
    jitter: tuple[float, float, float] | None = None
    channels: tuple[int, ...] = ()


class Judge(NamedTuple):
    """A trained classifier of images in [0, 1], or bytes.

    Attributes:
        params: Weights.
        stats: Batch-norm statistics.
        classify: `(params, stats, images [n, *image]) -> Classified`, in evaluation mode.
    """

    params: Params
    stats: Stats
    classify: Callable[[Params, Stats, Pixels], Classified]

    def __call__(self, images: Pixels | np.ndarray) -> Classified:
        """Return features and logits of any number of images."""
        return self.classify(self.params, self.stats, jnp.asarray(images))

    def accuracy(self, images: Pixels | np.ndarray, labels: Int[np.ndarray, " count"]) -> float:
        """Return the share of images whose most probable class is their label."""
        found = np.argmax(np.asarray(self(images).logits), axis=1)
        return float(np.mean(found == labels))


def train_judge(
    images: Pixels | np.ndarray | StoredImages,
    labels: Int[np.ndarray, " count"],
    num_classes: int,
    training: JudgeTraining,
    key: PRNGKey,
    *,
    on_progress: Callable[[int], None] | None = None,
) -> Judge:
    """Train a judge on real images.

    Args:
        images: Stored images `[count, *image]`, bytes or numbers in [0, 1]; of `StoredImages`, those of a few updates
            at a time are read.
        labels: Their classes.
        num_classes: Number of classes.
        training: Architecture, length and augmentation.
        key: PRNG key of weights, batches and views.
        on_progress: Called now and then with the number of finished updates.

    Raises:
        InputError: There are no images, or not one label for each.
    """
    if not len(images) or len(images) != len(labels):
        raise InputError(f"There are {len(images)} images and {len(labels)} labels; give one label per image.")
    network = judge_network(images.shape[1:], num_classes, training)
    optimizer = optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, training.updates))
    batch_size = min(training.batch_size, len(images))

    def loss(
        params: Params, stats: Stats, key: PRNGKey, pool: Array, classes: Array, read: Array | None
    ) -> tuple[Array, Stats]:
        key_batch, key_view, key_dropout = jax.random.split(key, 3)
        chosen = jax.random.randint(key_batch, (batch_size,), 0, classes.shape[0]) if read is None else read
        view = draw_view(
            key_view,
            _unit(pool[chosen]),
            noise_std=training.noise_std,
            max_shift=training.max_shift,
            border=training.border,
            flip=training.flip,
            jitter=None if training.jitter is None else Jitter(*training.jitter),
            output="sigmoid",
        )
        classified, stats = network.classify(params, stats, view.seen, key_dropout)
        return classification_loss(classified.logits, classes[chosen]), stats

    key_init, key_train = jax.random.split(key)

    def train(state: State, steps: Array, pool: Array, classes: Array, read: Array | None) -> State:
        def update(state: State, now: tuple[Array, Array | None]) -> tuple[State, None]:
            params, stats, moments = state
            step, rows = now
            key_step = jax.random.fold_in(key_train, step)
            gradients, stats = jax.grad(loss, has_aux=True)(params, stats, key_step, pool, classes, rows)
            updates, moments = optimizer.update(gradients, moments)
            return (optax.apply_updates(params, updates), stats, moments), None

        trained: State = jax.lax.scan(update, state, (steps, read))[0]
        return trained

    compiled = jax.jit(train, compiler_options=compiler_options(), donate_argnums=0)
    params, stats = network.init(key_init)
    state = params, stats, optimizer.init(params)
    parts = _parts(images, labels, training.updates, batch_size, key_train)
    with closing(parts):
        for steps, *part in parts:  # between calls, Ctrl-C is heard
            state = compiled(state, steps, *part)
            jax.tree.leaves(state)[0].block_until_ready()
            if on_progress is not None:
                on_progress(int(steps[-1]) + 1)
    return build_judge(network, state[0], state[1])


def _parts(
    images: Pixels | np.ndarray | StoredImages,
    labels: Int[np.ndarray, " count"],
    updates: int,
    batch_size: int,
    key_train: PRNGKey,
) -> Generator[_Part, None, None]:
    """Yield numbers of updates with their images and labels: all, or those that the updates read, and their rows."""
    if not isinstance(images, StoredImages):
        pool, classes = jnp.asarray(images), jnp.asarray(labels)
        for first in range(0, updates, CHUNK):
            yield jnp.arange(first, min(first + CHUNK, updates)), pool, classes, None
        return
    stored = images
    chunk = max(1, min(CHUNK, CHUNK_BYTES // (batch_size * stored.image_bytes)))

    @jax.jit
    @jax.vmap
    def draw_rows(step: Array) -> Array:
        key_batch = jax.random.split(jax.random.fold_in(key_train, step), 3)[0]
        return jax.random.randint(key_batch, (batch_size,), 0, len(labels))

    def read() -> Iterator[_Part]:
        for first in range(0, updates, chunk):
            steps = jnp.arange(first, min(first + chunk, updates))
            rows = np.asarray(draw_rows(steps)).reshape(-1)
            places = jnp.arange(len(rows)).reshape(len(steps), batch_size)
            yield steps, jnp.asarray(stored[rows]), jnp.asarray(labels[rows]), places

    yield from prefetched(read())


def judge_network(image_shape: tuple[int, ...], num_classes: int, training: JudgeTraining) -> Classifier:
    """Return the network of a judge."""
    return build_classifier(
        image_shape, num_classes, hidden=training.hidden, channels=training.channels, dropout=training.dropout
    )


def build_judge(network: Classifier, params: Params, stats: Stats) -> Judge:
    """Return the judge with these weights."""

    def classify(params: Params, stats: Stats, images: Array) -> Classified:
        def one_batch(batch: Array) -> Classified:
            return network.classify(params, stats, _unit(batch), None)[0]

        outputs = jax.lax.map(one_batch, split_batches(images, BATCH))
        return Classified(*(join_batches(each, images.shape[0]) for each in outputs))

    return Judge(params, stats, jax.jit(classify, compiler_options=compiler_options()))


def _unit(images: Array) -> Float[Array, "count *image"]:
    return images.astype(jnp.float32) / 255.0 if images.dtype == jnp.uint8 else images.astype(jnp.float32)
