"""What a run of any model is given: its data, seeds, length, what it leaves behind."""

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
EPOCHS = 32
"""Passes over the pool by default: 16,000 updates on MNIST."""
FEWEST_IMAGES = 72_000
"""Images that are shown at least, by default: a small pool is passed over more often."""


@dataclass(frozen=True, kw_only=True)
class ScheduledOptimizers:
    """How all rates of a model's phases change over a run; a model's own class adds an optimizer for each phase."""

    schedule: ScheduleKind = "cosine"
    """Factor on every rate over the planned updates."""
    drops: tuple[float, ...] = ()
    """With schedule steps: the shares of the run after which every rate is divided by ten, e.g. 0.5 0.75."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What every model is trained with; each model's own class adds its optimizers and weights."""

    dataset: str = "auto"
    """digits, mnist, fashion_mnist, kmnist, emnist/<split>, tfds:<name>, idx:<folder>, npz:<file>, or auto: mnist
    where it can be had, else digits, with a notice."""
    data_dir: str | None = None
    """Folder for data: IDX files or TFDS copies are read there, downloads go there. Also from $AAE_DATA_DIR."""
    split_seed: int = 0
    """Draws the test set of data that come without one (digits)."""
    pool_size: int | None = None
    """Train on a random subset of so many images, labelled ones among them. None: all but those of validation."""
    seed: int = 0
    """Fixes weights and order."""
    num_seeds: int = 1
    """Train this many seeds, seed, seed + 1, ..., in one program."""
    epochs: int | None = None
    """Passes over the unlabelled pool. None: 32, and more of a pool under 2,250 images."""
    batch_size: int = 100
    """Unlabelled images per update."""
    update_order: UpdateOrder = "sequential"
    """sequential: each phase of an update sees what the phases before it moved. simultaneous: every phase's gradient
    is taken where the update begins, and reconstruction and adversaries read one view: less work, other training."""
    test: bool = True
    """Evaluate the test images at the end. Without it they are never looked at: for choosing settings."""
    evaluate_every: int | None = None
    """Epochs between validations and rows of metrics. None: so that there are 50 to 99, or one an epoch."""
    checkpoint_seconds: float = 60.0
    """Save the state for --resume when at least this long has passed since the last time."""
    figures_every: int | None = None
    """Epochs after which the figures are drawn during training too, into figures/epoch-<n>. None: at the end only."""
    tensorboard: bool = False
    """Write TensorBoard events into tensorboard/ (extra tensorboard)."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    views: ViewConfig = field(default_factory=ViewConfig)
    averaging: AveragingConfig = field(default_factory=AveragingConfig)

    __repr__ = brief_config


@dataclass(frozen=True, kw_only=True)
class LabelledConfig(RunConfig):
    """What models that learn from labels are trained with beside that."""

    labels: int | Literal["all"] = 1000
    """Number of labelled training images, balanced over the classes, or all."""
    label_seed: int | None = None
    """Draws the labelled images. None: each seed draws its own."""
    labelled_batch_size: int = 100
    """Labelled images per update; fewer where there are fewer."""

    @property
    def drawn_labels(self) -> int | Literal["all"] | None:
        """How many labelled images there are; None: the model is trained without."""
        return self.labels

    __repr__ = brief_config


AnyConfig = TypeVar("AnyConfig", bound=RunConfig)


def default_shift(image_shape: tuple[int, ...]) -> int:
    """Return the largest random shift by default: a fourteenth of an image's shorter side, 0 for plain vectors."""
    return 0 if len(image_shape) == 1 else min(image_shape[:2]) // PIXELS_PER_SHIFT


def resolve(
    config: AnyConfig,
    image_shape: tuple[int, ...],
    *,
    pool_size: int | None = None,
    precision: Precision = "float32",
) -> AnyConfig:
    """Replace every `None` that goes by the data, and precision `auto` by `precision`.

    Args:
        config: What the user chose.
        image_shape: Shape of one image; random shifts go by its shorter side, and plain vectors have none.
        pool_size: Images that an epoch passes over; a small pool gets more epochs. None: a large one.
        precision: What `auto` stands for.
    """
    passes = EPOCHS if pool_size is None else max(EPOCHS, math.ceil(FEWEST_IMAGES / pool_size))
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
        views=dataclasses.replace(config.views, max_shift=shift),
        network=network,
    )


def require_resolved(config: RunConfig) -> None:
    """Refuse a configuration in which `None` still stands for "by the data".

    Raises:
        InputError: Says to call `resolve`.
    """
    if config.views.max_shift is None:
        raise InputError(
            "The configuration has settings of None, which go by the data; "
            "call aae_jax.resolve(config, image_shape) first."
        )


def validate_run(config: RunConfig) -> None:
    """Refuse values that no model can be trained with.

    Raises:
        InputError: Names the first such value.
    """
    views = config.views
    validate_network(config.network)
    check_bounds(
        ("num_seeds", config.num_seeds, 1, 1000),
        ("epochs", config.epochs, 1, 10**7),
        ("batch_size", config.batch_size, 2, 10**6),
        ("figures_every", config.figures_every, 1, 10**7),
        ("evaluate_every", config.evaluate_every, 1, 10**7),
        ("seed", config.seed, 0, 2**31 - 1),
        ("split_seed", config.split_seed, 0, 2**31 - 1),
        ("checkpoint_seconds", config.checkpoint_seconds, 0, 10**7),
        ("views.noise_std", views.noise_std, 0, 100),
        ("views.dropout", views.dropout, 0, 0.99),
        ("views.max_shift", views.max_shift, 0, 1000),
        ("views.probability", views.probability, 1e-3, 1),
        ("pool_size", config.pool_size, 1, 10**9),
        ("averaging.decay", config.averaging.decay, 0, 0.999999),
    )


def refuse_noise_in_one_view(config: RunConfig, *, joint: bool = False) -> None:
    """Refuse noise for some phases alone where all phases read one view of an image.

    Args:
        config: Of a model whose reconstruction and adversaries share a view under simultaneous updates.
        joint: Whether one step holds reconstruction and generator.

    Raises:
        InputError: Says what to give instead.
    """
    if config.views.noise_in != "all" and (joint or config.update_order == "simultaneous"):
        raise InputError(
            f"views.noise_in is {config.views.noise_in}, but reconstruction and adversaries read one view here; "
            f"give all, or update_order sequential{' and no joint step' if joint else ''}."
        )


def validate_labels(config: LabelledConfig) -> None:
    """Refuse batches and seeds of labelled images that cannot be trained with; their number goes by the data.

    Raises:
        InputError: Names the first such value.
    """
    check_bounds(
        ("labelled_batch_size", config.labelled_batch_size, 1, 10**6),
        ("label_seed", config.label_seed, 0, 2**31 - 1),
    )


def validate_optimizers(optimizers: ScheduledOptimizers) -> None:
    """Refuse rates, momenta and drops that cannot be trained with.

    Raises:
        InputError: Names the first such value.
    """
    found = {name: value for name, value in vars(optimizers).items() if isinstance(value, OptimizerConfig)}
    check_bounds(
        *((f"optimizers.{name}.learning_rate", one.learning_rate, 0, 1e38) for name, one in found.items()),
        *((f"optimizers.{name}.clip_norm", one.clip_norm, 0, 1e38) for name, one in found.items()),
        *((f"optimizers.{name}.momentum", one.momentum, 0, 0.999999) for name, one in found.items()),
        *((f"optimizers.drops[{i}]", share, 0, 1) for i, share in enumerate(optimizers.drops)),
    )
    if bool(optimizers.drops) != (optimizers.schedule == "steps"):
        raise InputError(
            f"optimizers.schedule is {optimizers.schedule} and optimizers.drops is {list(optimizers.drops)}; "
            "give drops with the schedule steps, and with it alone."
        )
