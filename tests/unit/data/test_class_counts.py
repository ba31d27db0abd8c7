"""Counts of classes, and which differences between them are more than chance."""

import numpy as np
import pytest

from aae_jax.data import are_unequal, count_classes, estimate_frequencies, load_digits, split_indices

MNIST = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


def test_images_without_a_label_are_not_counted():
    np.testing.assert_array_equal(count_classes([2, -1, 0, 2, -1], 4), [1, 0, 2, 0])
    np.testing.assert_array_equal(count_classes(np.zeros(0, np.int32), 2), [0, 0])


def test_frequencies_are_smoothed_and_sum_to_one():
    np.testing.assert_allclose(estimate_frequencies(np.asarray([14, 121])), [14.5 / 136, 121.5 / 136])
    np.testing.assert_allclose(estimate_frequencies(np.asarray([0, 0, 0])), 1 / 3)


@pytest.mark.parametrize(
    ("counts", "unequal"),
    [
        ([14, 121], True),
        ([121, 14], True),
        ([3, 27], True),
        ([12, 48], True),
        ([2, 8], False),  # too few to tell
        ([40, 60], False),
        ([4500, 5500], False),  # certain, but small
        ([1000, 1000, 10], True),
        (MNIST, False),
        ([100], False),
        ([0, 0], False),
        ([], False),
    ],
)
def test_only_a_certain_and_large_difference_counts(counts, unequal):
    assert are_unequal(np.asarray(counts, np.int64)) is unequal


def test_the_digits_are_equal_whichever_test_set_is_drawn():
    for seed in range(40):
        digits = load_digits(split_seed=seed)
        held_out = split_indices(digits.train_labels, num_classes=10, num_labels=None, label_seed=0).validation
        assert not are_unequal(count_classes(digits.train_labels[held_out], 10))


def test_draws_of_equal_classes_are_hardly_ever_taken_for_unequal_ones():
    generator = np.random.default_rng(0)
    draws = generator.multinomial(135, np.full(10, 0.1), size=5000)
    assert sum(are_unequal(counts) for counts in draws) <= 3
