"""Configuration of a run of any model: data, seeds, number of epochs, outputs."""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from aae_jax.config.parts import (
    AveragingConfig,
    NetworkConfig,
    OptimizerConfig,
    Precision,
    ScheduleKind,
    UpdateOrder,
    ViewConfig,
    check_bounds,
    validate_network,
)
from aae_jax.config.traced import Padded
from aae_jax.errors import InputError
from aae_jax.text import brief_config

__all__ = [
    "LabelledConfig",
    "RunConfig",
    "ScheduledOptimizers",
    "default_shift",
    "refuse_noise_in_one_view",
    "require_resolved",
    "resolve",
    "validate_labels",
    "validate_optimizers",
    "validate_run",
]

PIXELS_PER_SHIFT = 14
EVALUATIONS = 50
JUDGE_PASSES, JUDGE_BATCH, MIN_JUDGE_UPDATES, MAX_JUDGE_UPDATES = 20, 100, 2_000, 20_000
EPOCHS = 32
"""Default number of passes over the pool: 16,000 updates on MNIST."""
MIN_IMAGES = 72_000
"""Default minimum number of images over all epochs: a small pool gets more epochs."""


@dataclass(frozen=True, kw_only=True)
class ScheduledOptimizers:
    """Learning-rate schedule of all phases; each model's subclass adds an optimizer per phase."""

    schedule: ScheduleKind = "cosine"
    """Schedule of every learning rate over the planned updates."""
    drops: tuple[float, ...] = ()
    """With schedule steps: shares of the run after which every learning rate is divided by ten, e.g. 0.5 0.75."""
    encoder_share: float = 1.0
    """Learning rate of the encoder in the reconstruction phase, as a share of the decoder's: below 1, reconstruction
    gives way to the other phases that train the encoder."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Settings of every model; each model's subclass adds its optimizers and loss weights."""

    dataset: str = "auto"
    """digits, mnist, fashion_mnist, kmnist, emnist/<split>, svhn, cifar10, lfw, tfds:<name>, idx:<folder>,
    npz:<file>, folder:<folder> or zip:<file> of image files, or auto: mnist if it is available, else digits, with a
    notice."""
    data_dir: str | None = None
    """Folder of the data, also set by $AAE_DATA_DIR: IDX files and TFDS copies are read from it, downloads are saved
    in it."""
    split_seed: int = 0
    """Seed for drawing the test set of data that come without one (digits)."""
    image_size: tuple[int, ...] = ()
    """Height and width in pixels, or one number for both, that image files are scaled to cover and cropped to. Needed
    where their sizes differ."""
    skip_bad_images: bool = False
    """Leave out image files that cannot be read, with a notice; otherwise the first is an error."""
    stream: bool = False
    """Read the training images from their file, or from the host's memory, while the device computes, instead of
    keeping them on the device: for data larger than memory. Training is the same."""
    stream_updates: int | None = None
    """Updates whose images are read at once with stream. None: as many as read 8 MiB. The images of three times as
    many are in memory."""
    pool_size: int | None = None
    """Number of training images, a random subset that includes the labelled ones. None: all but the validation
    images."""
    validation_size: int | None = None
    """Number of images held out for validation. None: 10,000 of 50,000 training images or more, a tenth of fewer."""
    seed: int = 0
    """Random seed of the initial weights and the order of images."""
    num_seeds: int = 1
    """Number of seeds (seed, seed + 1, ...) to train in one program."""
    epochs: int | None = None
    """Passes over the unlabelled pool. None: 32, or more for a pool under 2,250 images."""
    batch_size: int = 100
    """Unlabelled images per update."""
    update_order: UpdateOrder = "sequential"
    """sequential: each phase of an update sees the weights trained by the phases before it. simultaneous: all
    gradients are evaluated at the weights before the update, and reconstruction and discriminators read one view,
    which takes less work but changes training."""
    test: bool = True
    """Evaluate the test images at the end. Turn it off to choose settings without using the test images."""
    judge_updates: int | None = None
    """Updates of a classifier of real images, trained at the end of the run to judge generated ones; then label
    leakage, the match of codes and prior, and the quality of samples and codes are measured too. None: 20 passes over
    the training images, between 2,000 and 20,000 updates. 0: none of this is measured."""
    evaluate_every: int | None = None
    """Epochs between validations and rows of metrics. None: chosen to give 50 to 99 of them, or one per epoch."""
    checkpoint_seconds: float = 60.0
    """Minimum number of seconds between checkpoints for --resume."""
    figures_every: int | None = None
    """Epochs between figures drawn during training, in figures/epoch-<n>. None: draw figures at the end only."""
    tensorboard: bool = False
    """Write TensorBoard events to tensorboard/ (requires the extra tensorboard)."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    views: ViewConfig = field(default_factory=ViewConfig)
    averaging: AveragingConfig = field(default_factory=AveragingConfig)

    __repr__ = brief_config


LabelCount = int | Literal["all", "given"]
"""Number of labelled images; all: every image to train on that has a label; given: every image that has a label."""


@dataclass(frozen=True, kw_only=True)
class LabelledConfig(RunConfig):
    """Additional settings of models that learn from labels."""

    labels: Padded[LabelCount] = 1000
    """Number of labelled training images, balanced over the classes; all that are not held out; or given, for data of
    which only some images have a label: all of these, and validation images without."""
    labelled_list: str | None = None
    """File of the indices of the labelled training images (text, .npy, or .npz with `index`, such as the
    train_labeled.npz of init-datasets), instead of `labels` images drawn by seed."""
    labelled_list_sha256: str | None = None
    """Hash of that list, filled in by a run, so that one that has changed is refused."""
    label_seed: int | None = None
    """Seed for drawing the labelled images. None: each training seed draws different ones."""
    labelled_batch_size: int = 100
    """Labelled images per update; all of them if there are fewer."""

    @property
    def drawn_labels(self) -> LabelCount | None:
        """Number of labelled images, all or given; None: the model is trained without labels."""
        return self.labels

    __repr__ = brief_config


AnyConfig = TypeVar("AnyConfig", bound=RunConfig)


def default_shift(image_shape: tuple[int, ...]) -> int:
    """Return the default maximum shift: a fourteenth of an image's shorter side, in pixels; 0 for plain vectors."""
    return 0 if len(image_shape) == 1 else min(image_shape[:2]) // PIXELS_PER_SHIFT


def default_judge_updates(num_images: int | None) -> int:
    """Return the default length of a judge's training: 20 passes over the images, bounded; None: many images."""
    if num_images is None:
        return MAX_JUDGE_UPDATES
    return min(max(JUDGE_PASSES * num_images // JUDGE_BATCH, MIN_JUDGE_UPDATES), MAX_JUDGE_UPDATES)


def resolve(
    config: AnyConfig,
    image_shape: tuple[int, ...],
    *,
    pool_size: int | None = None,
    precision: Precision = "float32",
) -> AnyConfig:
    """Replace every `None` by a value that depends on the data, and precision `auto` by `precision`.

    Args:
        config: The user's configuration.
        image_shape: Shape of one image; its shorter side determines random shifts, which plain vectors do not have.
        pool_size: Number of images in the pool; a small pool gets more epochs. None: a large pool.
        precision: Replacement of `auto`.
    """
    passes = EPOCHS if pool_size is None else max(EPOCHS, math.ceil(MIN_IMAGES / pool_size))
    epochs = config.epochs if config.epochs is not None else passes
    every = config.evaluate_every if config.evaluate_every is not None else max(1, epochs // EVALUATIONS)
    shift = config.views.max_shift if config.views.max_shift is not None else default_shift(image_shape)
    network = config.network
    if network.precision == "auto":
        network = dataclasses.replace(network, precision=precision)
    return dataclasses.replace(
        config,
        epochs=epochs,
        evaluate_every=every,
        judge_updates=default_judge_updates(pool_size) if config.judge_updates is None else config.judge_updates,
        views=dataclasses.replace(config.views, max_shift=shift),
        network=network,
    )


def require_resolved(config: RunConfig) -> None:
    """Check that no setting is still `None` because it depends on the data.

    Raises:
        InputError: The configuration is not resolved; the message suggests calling `resolve`.
    """
    if config.views.max_shift is None:
        raise InputError(
            "The configuration has settings of None, which go by the data; "
            "call aae_jax.resolve(config, image_shape) first."
        )


def validate_run(config: RunConfig) -> None:
    """Check the settings common to all models.

    Raises:
        InputError: A value is invalid; the message names the first.
    """
    views = config.views
    validate_network(config.network)
    if config.stream_updates is not None and not config.stream:
        raise InputError(
            f"stream_updates is {config.stream_updates}, but stream is off; give --stream, or leave it out."
        )
    check_bounds(
        ("num_seeds", config.num_seeds, 1, 1000),
        ("epochs", config.epochs, 1, 10**7),
        ("batch_size", config.batch_size, 2, 10**6),
        ("judge_updates", config.judge_updates, 0, 10**7),
        ("figures_every", config.figures_every, 1, 10**7),
        ("evaluate_every", config.evaluate_every, 1, 10**7),
        ("seed", config.seed, 0, 2**31 - 1),
        ("split_seed", config.split_seed, 0, 2**31 - 1),
        ("checkpoint_seconds", config.checkpoint_seconds, 0, 10**7),
        ("views.noise_std", views.noise_std, 0, 100),
        ("views.dropout", views.dropout, 0, 0.99),
        ("views.max_shift", views.max_shift, 0, 1000),
        ("views.probability", views.probability, 1e-3, 1),
        ("views.flip", views.flip, 0, 1),
        *((f"views.{name}", getattr(views, name), 0, 1) for name in ("brightness", "contrast", "saturation")),
        ("pool_size", config.pool_size, 1, 10**9),
        ("validation_size", config.validation_size, 0, 10**9),
        ("stream_updates", config.stream_updates, 1, 10**7),
        ("averaging.decay", config.averaging.decay, 0, 0.999999),
    )


def refuse_noise_in_one_view(config: RunConfig, *, joint: bool = False) -> None:
    """Reject noise in only some phases if all phases read one view of an image.

    Args:
        config: Configuration of a model whose phases share a view under simultaneous updates.
        joint: Whether reconstruction and generator share one step.

    Raises:
        InputError: The settings are incompatible; the message suggests an alternative.
    """
    if config.views.noise_in != "all" and (joint or config.update_order == "simultaneous"):
        raise InputError(
            f"views.noise_in is {config.views.noise_in}, but reconstruction and adversaries read one view here; "
            f"give all, or update_order sequential{' and no joint step' if joint else ''}."
        )


def validate_labels(config: LabelledConfig) -> None:
    """Check the batch size and seed of labelled images; their number is checked against the data later.

    Raises:
        InputError: A value is invalid; the message names the first.
    """
    check_bounds(
        ("labelled_batch_size", config.labelled_batch_size, 1, 10**6),
        ("label_seed", config.label_seed, 0, 2**31 - 1),
    )


def validate_optimizers(optimizers: ScheduledOptimizers) -> None:
    """Check learning rates, gradient norms, momenta and drops.

    Raises:
        InputError: A value is invalid; the message names the first.
    """
    found = {name: value for name, value in vars(optimizers).items() if isinstance(value, OptimizerConfig)}
    check_bounds(
        *((f"optimizers.{name}.learning_rate", one.learning_rate, 0, 1e38) for name, one in found.items()),
        *((f"optimizers.{name}.clip_norm", one.clip_norm, 0, 1e38) for name, one in found.items()),
        *((f"optimizers.{name}.momentum", one.momentum, 0, 0.999999) for name, one in found.items()),
        *((f"optimizers.drops[{i}]", share, 0, 1) for i, share in enumerate(optimizers.drops)),
        ("optimizers.encoder_share", optimizers.encoder_share, 0, 100),
    )
    if bool(optimizers.drops) != (optimizers.schedule == "steps"):
        raise InputError(
            f"optimizers.schedule is {optimizers.schedule} and optimizers.drops is {list(optimizers.drops)}; "
            "give drops with the schedule steps, and with it alone."
        )
