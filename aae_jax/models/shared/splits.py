"""Splits of a run's data by seed."""

from aae_jax.config import LabelledConfig, RunConfig
from aae_jax.data import Dataset, Splits, TrainingArrays, split_indices, training_arrays
from aae_jax.data.labelled_list import read_labelled_list
from aae_jax.errors import InputError

__all__ = ["indices_for_seed", "split_for_seed"]


def indices_for_seed(config: RunConfig, dataset: Dataset, seed: int) -> Splits:
    """Return the indices of a seed's training and validation images, and validate the number of labels.

    A model that does not learn from labels has no labelled images.

    Raises:
        InputError: The data have no labels, or fewer than the model needs.
    """
    own = config if isinstance(config, LabelledConfig) else None
    if own is not None and own.drawn_labels is not None and not dataset.num_classes:
        raise InputError(
            f"{dataset.name} has no labels, and this model learns from labels; give data with labels, or train "
            "unsupervised, autoencoder, likelihood, clustering, or dim_reduction with --num-clusters."
        )
    listed = None
    if own is not None and own.labelled_list is not None:
        if own.drawn_labels is None:
            raise InputError("labelled_list is given, but clusters are found without labels; leave one of them out.")
        listed = read_labelled_list(own.labelled_list, expected=own.labelled_list_sha256).indices
    return split_indices(
        dataset.train_labels,
        num_classes=dataset.num_classes,
        num_labels=None if own is None else own.drawn_labels,
        label_seed=seed if own is None or own.label_seed is None else own.label_seed,
        validation_size=config.validation_size,
        pool_size=config.pool_size,
        class_names=dataset.class_names,
        listed=listed,
    )


def split_for_seed(config: RunConfig, dataset: Dataset, seed: int) -> TrainingArrays:
    """Return the training and validation arrays of a seed."""
    return training_arrays(dataset, indices_for_seed(config, dataset, seed), stream=config.stream)
