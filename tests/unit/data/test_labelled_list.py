"""Lists of labelled images: read in each form, refused in a sentence, and what they make of a split."""

import numpy as np
import pytest

from aae_jax.data import split_indices
from aae_jax.data.labelled_list import read_labelled_list
from aae_jax.errors import InputError

INDICES = np.asarray([41, 3, 17, 8])


@pytest.fixture
def forms(tmp_path):
    (tmp_path / "list.txt").write_text("# those with a label\n41\n3  # a comment\n\n 17\n8\n")
    np.save(tmp_path / "list.npy", INDICES)
    np.savez(tmp_path / "list.npz", index=INDICES.astype(np.int16), x=np.zeros((4, 2)))
    return [tmp_path / f"list.{suffix}" for suffix in ("txt", "npy", "npz")]


def test_every_form_is_the_same_list(forms):
    lists = [read_labelled_list(form) for form in forms]
    for each in lists:
        np.testing.assert_array_equal(each.indices, [3, 8, 17, 41])
        assert each.indices.dtype == np.int32
    assert len({each.sha256 for each in lists}) == 1
    assert read_labelled_list(forms[1], expected=lists[0].sha256).sha256 == lists[0].sha256
    forms[0].write_text("41\n")
    with pytest.raises(InputError, match="has changed since the run was configured"):
        read_labelled_list(forms[0], expected=lists[0].sha256)


BAD = {
    "a word": ("1\ntwo\n", "Line 2 of .* is 'two'; give the index of a training image"),
    "a float": ("1.5", "Line 1 of .* is '1.5'"),
    "nothing": ("# none\n", "is empty; give the indices"),
    "a negative number": ("-1\n3", "holds -1; give indices from 0"),
    "twice": ("5\n5\n", "holds 5 more than once"),
    "too large": ("99999999999\n", "holds 99999999999"),
    "bytes": (b"\xff\xfe", "is not a text file of indices"),
}


@pytest.mark.parametrize(("content", "complaint"), BAD.values(), ids=BAD)
def test_lists_that_are_none(tmp_path, content, complaint):
    path = tmp_path / "list.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=complaint):
        read_labelled_list(path)


def test_files_that_are_no_lists(tmp_path):
    with pytest.raises(InputError, match=r"The list of labelled images none\.txt does not exist in"):
        read_labelled_list("none.txt")
    np.save(tmp_path / "floats.npy", np.zeros(3))
    with pytest.raises(InputError, match=r"has shape \(3,\) and type float64"):
        read_labelled_list(tmp_path / "floats.npy")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(InputError, match="holds x; give the arrays index"):
        read_labelled_list(tmp_path / "other.npz")
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(InputError, match="is not a complete npy file"):
        read_labelled_list(tmp_path / "cut.npy")


def split(labels, listed, **options):
    return split_indices(
        np.asarray(labels, np.int32),
        num_classes=2,
        num_labels=10,
        label_seed=options.pop("label_seed", 0),
        listed=np.asarray(listed, np.int32),
        **options,
    )


HUNDRED = np.arange(100) % 2


def test_the_labelled_images_are_those_listed():
    listed = np.arange(0, 100, 9)
    drawn, other = split(HUNDRED, listed), split(HUNDRED, listed, label_seed=1)
    assert sorted(drawn.labelled) == listed.tolist()
    assert drawn.labelled.tolist() != other.labelled.tolist()  # another order
    assert set(listed) <= set(drawn.unlabelled)
    assert not set(drawn.validation) & set(drawn.unlabelled)
    assert len(drawn.validation) == 10  # a tenth, as without a list
    np.testing.assert_array_equal(drawn.validation, other.validation)
    assert len(drawn.validation) + len(drawn.unlabelled) == 100


def test_a_pool_keeps_the_listed_images():
    drawn = split(HUNDRED, [98, 99], pool_size=20)
    assert {98, 99} <= set(drawn.unlabelled)
    assert len(drawn.unlabelled) == 20
    assert len(split(HUNDRED, [98, 99], validation_size=98).validation) == 98
    with pytest.raises(InputError, match="validation_size is 99, but there are 98 images to hold out beside the 2"):
        split(HUNDRED, [98, 99], validation_size=99)
    with pytest.raises(InputError, match="pool_size is 1, fewer than the 2 labelled images"):
        split(HUNDRED, [98, 99], pool_size=1)


def test_images_without_a_label_are_in_the_pool():
    labels = np.where(np.arange(100) < 40, HUNDRED, -1)
    drawn = split(labels, [0, 1, 2])
    assert set(range(40, 100)) <= set(drawn.unlabelled)
    assert (labels[drawn.validation] >= 0).all()


@pytest.mark.parametrize(
    ("listed", "complaint"),
    [
        ([0, 1, 100], "holds 100, but there are 100 training images; give indices from 0 to 99"),
        ([0, 2, 4], "holds none of class '1'"),
        ([], "is empty"),
    ],
)
def test_lists_that_do_not_suit_the_data(listed, complaint):
    with pytest.raises(InputError, match=complaint):
        split(HUNDRED, listed)


def test_a_listed_image_needs_a_label():
    with pytest.raises(InputError, match="holds 7, an image without a label; leave it out"):
        split(np.where(np.arange(100) == 7, -1, HUNDRED), [0, 1, 7])


def test_a_list_leaves_the_validation_images_as_they_were():
    labels = (np.arange(50_000) % 10).astype(np.int32)
    drawn = split_indices(labels, num_classes=10, num_labels=100, label_seed=3)
    listed = split_indices(labels, num_classes=10, num_labels=100, label_seed=3, listed=np.sort(drawn.labelled))
    np.testing.assert_array_equal(listed.validation, drawn.validation)
    np.testing.assert_array_equal(listed.unlabelled, drawn.unlabelled)
    assert sorted(listed.labelled) == sorted(drawn.labelled)


def test_a_text_file_of_windows(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf0\r\n5\r\n")
    np.testing.assert_array_equal(read_labelled_list(tmp_path / "list.txt").indices, [0, 5])
