"""Handwritten digits bundled with scikit-learn, available without network access."""

import numpy as np

from aae_jax.data.dataset import Dataset, build_dataset
from aae_jax.data.seeds import draw_test
from aae_jax.errors import InputError

__all__ = ["load_digits"]

NUM_CLASSES = 10
BRIGHTEST = 16


def load_digits(*, split_seed: int = 0) -> Dataset:
    """Load scikit-learn's 1,797 digits of 8 x 8 pixels, with a quarter of each class for testing.

    Their 17 grey levels are scaled to 0 to 255.

    Args:
        split_seed: Seed of the test images, drawn class by class.

    Raises:
        InputError: scikit-learn is not installed, or `split_seed` is negative.
    """
    try:
        from sklearn import datasets  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise InputError(
            "The data set 'digits' needs scikit-learn, which is not installed; install it with "
            "`pip install scikit-learn`."
        ) from error
    bundled = datasets.load_digits()
    images = np.rint(bundled.images * (255 / BRIGHTEST)).astype(np.uint8)
    labels = bundled.target.astype(np.int32)
    is_test = draw_test(labels, split_seed)
    return build_dataset(
        name="digits",
        source="scikit-learn's embedded digits",
        train_images=images[~is_test],
        train_labels=labels[~is_test],
        test_images=images[is_test],
        test_labels=labels[is_test],
        num_classes=NUM_CLASSES,
    )
