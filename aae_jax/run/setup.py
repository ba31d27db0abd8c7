"""Run setup: data splits, networks, prior and PRNG keys, from configuration and data."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aae_jax.config import LabelledConfig, RunConfig, ViewConfig, default_shift, resolve
from aae_jax.config.run import default_judge_updates
from aae_jax.data import Dataset, Reporter, TrainingArrays, load_dataset
from aae_jax.data.labelled_list import read_labelled_list
from aae_jax.data.stored import StoredImages
from aae_jax.errors import InputError
from aae_jax.figures.of_models.drawing import Shown
from aae_jax.models.shared.class_frequencies import announce_frequencies, assumed_frequencies, class_shares
from aae_jax.models.shared.splits import split_for_seed
from aae_jax.models.spec import Keys, ModelSpec, RunSetup
from aae_jax.networks import fastest_precision, require_precision
from aae_jax.priors.custom import read_prior
from aae_jax.priors.prior import Prior
from aae_jax.train.epoch import TrainData
from aae_jax.user_code import check_transform

__all__ = ["adapted", "assemble", "build_setup", "images_of", "load_data", "prior_of", "settle"]


def images_of(setup: RunSetup, *, test: bool) -> Shown:
    """Return the images for figures: the test set at the end of a run with testing, else the validation set.

    They are in a fixed random order: figures show the first, and data may be sorted by class.
    """
    dataset = setup.dataset
    validation = setup.validation_images, setup.validation_labels
    images, labels = (dataset.test_images, dataset.test_labels) if test else validation
    order = np.random.default_rng(0).permutation(len(labels))
    return Shown(np.asarray(images)[order], np.asarray(labels)[order], dataset.class_names, setup.data.pool)


def load_data(config: RunConfig, reporter: Reporter) -> Dataset:
    """Load the data set of a configuration."""
    return load_dataset(
        config.dataset,
        data_dir=config.data_dir,
        split_seed=config.split_seed,
        image_size=config.image_size,
        skip_bad_images=config.skip_bad_images,
        mapped=config.stream,
        reporter=reporter,
    )


def build_setup(
    spec: ModelSpec,
    config: Any,
    reporter: Reporter,
    prior: Prior | None = None,
    dataset: Dataset | None = None,
    *,
    validate: bool = True,
) -> RunSetup:
    """Build the setup of a run; values left open in the configuration are resolved from data and device.

    Args:
        spec: Specification of the model.
        config: Configuration of the model's class, not yet resolved.
        reporter: Receiver of the messages of data loading.
        prior: Configured prior, if already read; None: it is read now.
        dataset: The data; None: they are loaded as configured.
        validate: Whether the run is validated, and needs images for it.

    Raises:
        InputError: Data or values are unsuitable for training.
    """
    dataset = load_data(config, reporter) if dataset is None else dataset
    seeds = tuple(range(config.seed, config.seed + config.num_seeds))
    arrays = [split_for_seed(config, dataset, seed) for seed in seeds]
    spec = adapted(spec, dataset, arrays[0].validation_labels)
    config = settle(spec, config, dataset, arrays[0].pool, validate=validate)
    frequencies = assumed_frequencies(config, dataset, arrays[0].validation_labels)
    announce_frequencies(config, dataset, arrays[0].validation_labels, frequencies, reporter)
    labelled = np.stack([a.labelled_images for a in arrays]), np.stack([a.labelled_labels for a in arrays])
    targets = neighbours = None
    if spec.find_targets is not None:
        members, shift = [(config, seed) for seed in seeds], config.views.max_shift or 0
        targets = spec.find_targets(dataset, members, shift, reporter)
    if spec.find_neighbours is not None:
        neighbours = spec.find_neighbours(config, arrays[0].pool, reporter)
    prior = prior or prior_of(config)
    setup = assemble(spec, config, dataset, arrays[0], seeds, labelled, targets, neighbours, prior=prior)
    shares = class_shares([frequencies] * len(seeds), labelled[1], None)
    return setup._replace(data=setup.data._replace(class_shares=shares), frequencies=frequencies)


def adapted(spec: ModelSpec, dataset: Dataset, validation_labels: np.ndarray) -> ModelSpec:
    """Return the specification for data in which all images, or all validation images, lack a label.

    Raises:
        InputError: The model needs labels of validation images.
    """
    if not dataset.num_classes:
        return dataclasses.replace(spec, **spec.without_classes)
    if not len(validation_labels) or (validation_labels >= 0).any():
        return spec
    if spec.without_validation_labels is None:
        raise InputError(
            f"labels is given, so that no validation image has a label, but {spec.name} needs such labels; give "
            "--labels all, which holds some out."
        )
    return dataclasses.replace(spec, **spec.without_validation_labels)


def prior_of(config: Any) -> Prior | None:
    """Read the prior of a configuration; None if it has none.

    Raises:
        InputError: See `priors.custom.read_prior`.
    """
    return read_prior(config.prior, config.network.latent_dim) if hasattr(config, "prior") else None


def settle(
    spec: ModelSpec, config: Any, dataset: Dataset, pool: np.ndarray | StoredImages, *, validate: bool = True
) -> Any:
    """Resolve the values left open in a configuration from data and device.

    Raises:
        InputError: The configuration is unsuitable for these data or this device.
    """
    if config.judge_updates is None:  # the judge sees every training image, not the pool alone
        config = dataclasses.replace(config, judge_updates=default_judge_updates(len(dataset.train_images)))
    config = resolve(config, dataset.image_shape, pool_size=len(pool), precision=fastest_precision())
    config = dataclasses.replace(
        config,
        dataset=dataset.name if config.dataset == "auto" else config.dataset,
    )
    if isinstance(config, LabelledConfig) and config.labelled_list is not None:
        listed = read_labelled_list(config.labelled_list, expected=config.labelled_list_sha256)
        config = dataclasses.replace(config, labels=len(listed.indices), labelled_list_sha256=listed.sha256)
    spec.validate(config)
    if validate and config.validation_size == 0:
        raise InputError("validation_size is 0, but every run is validated; give 1 or more, or leave it out.")
    if config.test and not len(dataset.test_images):
        raise InputError("test is True, but the data have no test images; give some, or test=False.")
    require_precision(config.network.precision)
    if len(pool) < config.batch_size:
        raise InputError(
            f"batch_size is {config.batch_size}, but the unlabelled pool has {len(pool)} images; give less."
        )
    _check_shift(config.views.max_shift or 0, dataset.image_shape)
    _check_colours(config.views, dataset.image_shape)
    if config.views.transform is not None:
        check_transform(config.views.transform, dataset.image_shape)
    if config.stream:
        _refuse_graphs(config)
    return config


def assemble(
    spec: ModelSpec,
    config: Any,
    dataset: Dataset,
    shared: TrainingArrays,
    seeds: Sequence[int],
    labelled: Sequence[np.ndarray],
    targets: np.ndarray | None = None,
    neighbours: np.ndarray | None = None,
    *,
    prior: Prior | None = None,
) -> RunSetup:
    """Assemble a setup from resolved parts.

    Args:
        spec: Specification of the model.
        config: Resolved configuration of the networks.
        dataset: Data set of all splits.
        shared: Pool and validation images, common to all seeds.
        seeds: Seeds of the root keys, possibly repeated.
        labelled: Images, labels, and their counts if they are padded, each with a leading seed axis.
        targets: Result of the specification's `find_targets`.
        neighbours: Result of the specification's `find_neighbours`.
        prior: Prior of the style code.
    """
    own: list[Any] = [jnp.asarray(array) for array in labelled]
    pool: Any = shared.pool if isinstance(shared.pool, StoredImages) else jnp.asarray(shared.pool)
    data = TrainData(pool, *own)._replace(
        targets=None if targets is None else jnp.asarray(targets),
        neighbours=None if neighbours is None else jnp.asarray(neighbours),
    )
    return RunSetup(
        spec=spec,
        config=config,
        dataset=dataset,
        seeds=tuple(seeds),
        networks=spec.build_networks(config, dataset.image_shape, dataset.num_classes),
        prior=prior,
        keys=_root_keys(seeds),
        data=data,
        validation_images=jnp.asarray(shared.validation_images),
        validation_labels=jnp.asarray(shared.validation_labels),
    )


def _check_shift(max_shift: int, image_shape: tuple[int, ...]) -> None:
    if max_shift and len(image_shape) == 1:
        raise InputError(f"views.max_shift is {max_shift}, but plain vectors cannot be shifted; give 0, the default.")
    height, width = (*image_shape, 1)[:2]
    if max_shift >= min(height, width):
        raise InputError(
            f"views.max_shift is {max_shift}, but the images have {height} × {width} pixels; give less than "
            f"{min(height, width)} (the default is {default_shift(image_shape)})."
        )


def _check_colours(views: ViewConfig, image_shape: tuple[int, ...]) -> None:
    """Refuse mirroring and jitter that the images do not have."""
    of_images = {"flip": views.flip, "brightness": views.brightness, "contrast": views.contrast}
    given = next((name for name, value in of_images.items() if value), None)
    if given is not None and len(image_shape) == 1:
        raise InputError(
            f"views.{given} is {of_images[given]:g}, but the data are plain vectors; give 0, the default."
        )
    if views.saturation and tuple(image_shape[2:]) != (3,):
        raise InputError(
            f"views.saturation is {views.saturation:g}, but the images are not RGB; give 0, the default."
        )
    if views.border != "black" and not views.max_shift:
        raise InputError(f"views.border is {views.border}, but views.max_shift is 0; give a shift, or black.")


def _refuse_graphs(config: Any) -> None:
    """Refuse settings for which all images are compared with each other before training."""
    of_graphs = {"weights.propagation": getattr(config.weights, "propagation", 0)}
    of_graphs["neighbours"] = getattr(config, "neighbours", 0)
    given = next((name for name, value in of_graphs.items() if value), None)
    if given is not None:
        raise InputError(
            f"{given} is {of_graphs[given]:g}, which needs a graph of all training images in memory; give 0 (in "
            "clustering the preset no_graph), or leave out --stream."
        )


def _root_keys(seeds: Sequence[int]) -> Keys:
    @jax.jit  # one program instead of one compilation per operation
    def draw(seeds: jax.Array) -> Keys:
        keys = jax.vmap(lambda seed: jax.random.split(jax.random.key(seed), len(Keys._fields)))(seeds)
        return Keys(*(keys[:, i] for i in range(len(Keys._fields))))

    keys: Keys = draw(jnp.asarray(seeds, jnp.int32))
    return keys
