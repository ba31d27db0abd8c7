import dataclasses
import hashlib
import itertools

import numpy as np
import pytest

from aae_jax.data import load_digits, split_indices, training_arrays
from aae_jax.errors import InputError

LABELS = np.random.default_rng(7).integers(0, 10, 2000).astype(np.int32)


def split(labels=LABELS, *, num_labels=100, label_seed=0, **options):
    return split_indices(labels, num_classes=10, num_labels=num_labels, label_seed=label_seed, **options)


@pytest.mark.parametrize("num_labels", [10, 100, 137, "all"])
def test_validation_is_apart_and_the_pool_holds_the_labelled(num_labels):
    splits = split(num_labels=num_labels)
    everything = np.concatenate([splits.validation, splits.unlabelled])
    np.testing.assert_array_equal(np.sort(everything), np.arange(2000))
    assert set(splits.labelled) <= set(splits.unlabelled)
    assert len(set(splits.labelled)) == len(splits.labelled)
    assert all(part.dtype == np.int32 for part in splits)


@pytest.mark.parametrize("num_labels", [10, 100, 137, 999])
@pytest.mark.parametrize("label_seed", [0, 1, 2])
def test_classes_are_balanced_to_within_one(num_labels, label_seed):
    labelled = split(num_labels=num_labels, label_seed=label_seed).labelled
    counts = np.bincount(LABELS[labelled], minlength=10)
    assert counts.sum() == num_labels
    assert counts.max() - counts.min() == (num_labels % 10 != 0)


def test_the_seed_draws_the_classes_that_get_one_more():
    extras = [np.bincount(LABELS[split(num_labels=13, label_seed=seed).labelled]) for seed in range(20)]
    assert (np.sum(extras, axis=0) > 20).all()


def test_labelled_images_come_in_random_order():
    assert (np.diff(LABELS[split().labelled]) < 0).sum() > 20


def test_validation_depends_on_neither_seed_nor_labels():
    first = split()
    for seed in range(5):
        np.testing.assert_array_equal(split(label_seed=seed, num_labels=50).validation, first.validation)
    np.testing.assert_array_equal(split(labels=LABELS[::-1].copy()).validation, first.validation)


def test_label_seeds_draw_different_images_and_repeat_themselves():
    np.testing.assert_array_equal(split(label_seed=1).labelled, split(label_seed=1).labelled)
    assert set(split(label_seed=1).labelled) != set(split(label_seed=2).labelled)


def test_fewer_labels_are_among_more():
    nested = [set(split(num_labels=number).labelled) for number in (10, 13, 100, 105, 500)]
    assert all(fewer < more for fewer, more in itertools.pairwise(nested))


def test_all_labels_are_all_outside_validation():
    splits = split(num_labels="all")
    np.testing.assert_array_equal(np.sort(splits.labelled), splits.unlabelled)


def test_all_labels_include_every_class():
    """One image has class 2: it is held out at one of eleven places, where the class would have no label."""
    refused = []
    for place in range(11):
        labels = np.full(30, -1, np.int32)
        labels[:11] = np.insert([0, 1] * 5, place, 2)
        try:
            split_indices(labels, num_classes=3, num_labels="all", label_seed=0)
        except InputError as error:
            refused.append(str(error))
    assert len(refused) == 1
    assert "every image of class '2' is held out for validation" in refused[0]


@pytest.mark.parametrize(
    ("num_train", "validation_size", "expected"),
    [(60_000, None, 10_000), (50_000, None, 10_000), (49_999, None, 5_000), (2000, 0, 0), (2000, 1999, 1999)],
)
def test_validation_size(num_train, validation_size, expected):
    labels = np.arange(num_train, dtype=np.int32) % 10
    assert len(split(labels, num_labels=None, validation_size=validation_size).validation) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_labels": 0}, "number of labels is 0"),
        ({"num_labels": -5}, "number of labels is -5"),
        ({"num_labels": 9}, "fewer than the classes"),
        ({"num_labels": 1801}, "more than the 1800 images"),
        ({"num_labels": "most"}, "'most'"),
        ({"label_seed": -1}, "label_seed is -1"),
        ({"validation_size": 2000}, "validation_size is 2000"),
        ({"validation_size": -1}, "validation_size is -1"),
        ({"pool_size": 1801}, "pool_size is 1801, but there are 1800 images"),
        ({"pool_size": 0}, "pool_size is 0"),
        ({"pool_size": 50, "num_labels": 100}, "more than the 50 images"),
        ({"labels": np.where(LABELS == 4, 5, LABELS).astype(np.int32)}, "Class '4' has no images to train on; leave"),
    ],
)
def test_impossible_splits_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        split(**options)


def test_a_class_is_called_by_its_name_and_what_would_work_works():
    labels = np.concatenate([np.zeros(40), np.ones(300), np.full(300, 2)]).astype(np.int32)
    names = ("ant", "bee\x1b[2J", "cat")

    def draw(num_labels, seed=0, **options):
        return split_indices(
            labels, num_classes=3, num_labels=num_labels, label_seed=seed, class_names=names, **options
        )

    for wanted, options in ((300, {}), (570, {}), (9999, {}), (150, {"pool_size": 200})):
        with pytest.raises(InputError, match="give at most") as caught:
            draw(wanted, **options)
        most = int(str(caught.value).split("give at most ")[1].split(",")[0])
        for seed in range(5):
            assert len(draw(most, seed, **options).labelled) == most
        shown = split_indices(labels, num_classes=3, num_labels="all", label_seed=0, **options).labelled
        assert most == 3 * np.bincount(labels[shown]).min()
    with pytest.raises(InputError, match=r"^Class 'ant' has \d+ images .* share of 100 of 300 labels"):
        draw(300)
    with pytest.raises(InputError, match="Class 'ant' has no images to train on; give a larger pool_size"):
        draw(3, pool_size=2)
    with pytest.raises(InputError, match=r"Class 'bee\\x1b\[2J' has no images to train on; leave the class out"):
        split_indices(np.where(labels == 1, 2, labels), num_classes=3, num_labels=1, label_seed=0, class_names=names)


MIXED = np.where(np.arange(2000) % 4 == 0, LABELS, -1).astype(np.int32)


@pytest.mark.parametrize("num_labels", [None, 10, 100, "all"])
def test_images_without_a_label_are_in_the_pool_alone(num_labels):
    splits = split(labels=MIXED, num_labels=num_labels)
    np.testing.assert_array_equal(np.sort(np.concatenate([splits.validation, splits.unlabelled])), np.arange(2000))
    assert len(splits.validation) == 50  # a tenth of the 500 that have a label
    assert (MIXED[splits.validation] >= 0).all()
    assert (MIXED[splits.labelled] >= 0).all()
    assert len(splits.labelled) == {None: 0, "all": 450}.get(num_labels, num_labels)
    assert set(splits.labelled) <= set(splits.unlabelled)
    assert all(part.dtype == np.int32 for part in splits)


def test_a_small_pool_has_images_with_a_label_first():
    whole, large, small = (split(labels=MIXED, pool_size=size).unlabelled for size in (None, 1000, 300))
    assert (len(large), len(small)) == (1000, 300)
    assert set(small) < set(large) < set(whole)
    assert (MIXED[small] >= 0).all()
    assert (MIXED[large] >= 0).sum() == 450
    np.testing.assert_allclose(large[MIXED[large] < 0].mean(), 1000, atol=5 * 2000 / (12 * 550) ** 0.5)


def test_few_images_with_a_label_leave_one_for_validation():
    labels = np.full(100, -1, np.int32)
    labels[[3, 50, 70, 98]] = [0, 0, 1, 1]
    for number in (2, "all"):
        splits = split_indices(labels, num_classes=2, num_labels=number, label_seed=0)
        assert (len(splits.validation), len(splits.unlabelled)) == (1, 99)
    with pytest.raises(InputError, match="more than the 3 images with a label"):
        split_indices(labels, num_classes=2, num_labels=4, label_seed=0)
    with pytest.raises(InputError, match=r"4 training images with a label; give a number from 0 to 3"):
        split_indices(labels, num_classes=2, num_labels=2, label_seed=0, validation_size=4)


def test_data_without_labels_are_split_as_others_are():
    bare = np.full(2000, -1, np.int32)
    splits = split_indices(bare, num_classes=0, num_labels=None, label_seed=0)
    np.testing.assert_array_equal(splits.validation, split().validation)
    np.testing.assert_array_equal(splits.unlabelled, split().unlabelled)
    for number in (10, "all"):
        with pytest.raises(InputError, match="The data have no labels"):
            split_indices(bare, num_classes=0, num_labels=number, label_seed=0)


def test_splits_of_data_with_all_labels_are_those_they_always_were():
    digest = hashlib.sha256()
    for options in ({}, {"num_labels": "all"}, {"num_labels": 137, "label_seed": 3}, {"pool_size": 300}):
        for part in split(**options):
            digest.update(np.sort(part).tobytes())
    assert digest.hexdigest()[:16] == "00b25638151866d8"


@pytest.mark.parametrize("label_seed", [0, 3])
def test_labelled_images_are_in_one_order_however_they_are_chosen(label_seed):
    labels = np.arange(2000, dtype=np.int32) % 10
    drawn = split_indices(labels, num_classes=10, num_labels=50, label_seed=label_seed)
    hidden = np.full_like(labels, -1)
    hidden[drawn.labelled] = labels[drawn.labelled]
    given = split_indices(hidden, num_classes=10, num_labels="given", label_seed=label_seed)
    listed = split_indices(
        labels, num_classes=10, num_labels="all", label_seed=label_seed, listed=np.sort(drawn.labelled)
    )
    for other in (given, listed):
        for one, two in zip(drawn, other, strict=True):
            np.testing.assert_array_equal(one, two)


def test_no_given_label_is_held_out_or_left_out_of_a_smaller_pool():
    labels = np.full(100, -1, np.int32)
    labels[:40] = np.arange(40) % 4
    splits = split_indices(labels, num_classes=4, num_labels="given", label_seed=0, pool_size=50)
    assert set(splits.labelled) == set(range(40)) <= set(splits.unlabelled)
    assert len(splits.unlabelled) == 50
    assert len(splits.validation) == 10
    assert not (labels[splits.validation] >= 0).any()
    with pytest.raises(InputError, match="pool_size is 39, fewer than the 40 labelled images"):
        split_indices(labels, num_classes=4, num_labels="given", label_seed=0, pool_size=39)
    with pytest.raises(InputError, match=r"no training image has the label '4'; label some, or leave the class out"):
        split_indices(labels, num_classes=5, num_labels="given", label_seed=0)


def test_a_smaller_pool_is_a_random_part_of_a_larger_one_and_has_the_labelled_images():
    whole, large, small = (split(num_labels=100, pool_size=size) for size in (None, 900, 300))
    assert (len(large.unlabelled), len(small.unlabelled)) == (900, 300)
    assert set(small.unlabelled) < set(large.unlabelled) < set(whole.unlabelled)
    assert set(small.labelled) <= set(small.unlabelled)
    np.testing.assert_array_equal(small.validation, whole.validation)
    np.testing.assert_allclose(small.unlabelled.mean(), 1000, atol=5 * 2000 / (12 * 300) ** 0.5)


def test_training_arrays_are_the_indexed_ones():
    dataset = load_digits()
    splits = split(dataset.train_labels, num_labels=20)
    arrays = training_arrays(dataset, splits)
    np.testing.assert_array_equal(arrays.pool, dataset.train_images[splits.unlabelled])
    np.testing.assert_array_equal(arrays.labelled_images, dataset.train_images[splits.labelled])
    np.testing.assert_array_equal(arrays.labelled_labels, dataset.train_labels[splits.labelled])
    np.testing.assert_array_equal(arrays.validation_images, dataset.train_images[splits.validation])
    np.testing.assert_array_equal(arrays.validation_labels, dataset.train_labels[splits.validation])


def test_shuffled_pool_labels_change_nothing_that_training_sees():
    dataset = load_digits()
    splits = split(dataset.train_labels, num_labels=20)
    hidden = np.setdiff1d(splits.unlabelled, splits.labelled)
    labels = dataset.train_labels.copy()
    labels[hidden] = np.random.default_rng(0).permutation(labels[hidden])
    assert (labels != dataset.train_labels).any()
    shuffled = dataclasses.replace(dataset, train_labels=labels)
    for seen, seen_shuffled in zip(training_arrays(dataset, splits), training_arrays(shuffled, splits), strict=True):
        assert seen.dtype == seen_shuffled.dtype
        assert seen.tobytes() == seen_shuffled.tobytes()
