"""Preparing tensors: against scikit-learn and PyTorch, and on constant columns."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

import adjoint as ad
from adjoint.data import one_hot, standardize, to_categorical, train_test_split

pytestmark = pytest.mark.usefixtures("backend")
finite = st.floats(-1000, 1000, width=32)


@given(x=arrays.arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 4)), elements=finite))
def test_standardizing_is_scikit_learns(x):
    preprocessing = pytest.importorskip("sklearn.preprocessing", reason="scikit-learn is in the data extra")
    if ((x.std(0) < 1e-9) & (np.ptp(x, 0) > 0)).any():
        return  # it takes columns that vary in their last digits for constant ones
    ours = standardize(ad.tensor(x))
    scaler = preprocessing.StandardScaler().fit(x)
    assert np.allclose(ours.values.cpu().numpy(), scaler.transform(x), atol=1e-6)
    new = standardize(ad.tensor(x + 1), ours.mean, ours.std).values
    assert np.allclose(new.cpu().numpy(), scaler.transform(x + 1), atol=1e-6)


def test_a_constant_column_becomes_zero_exactly():
    x = ad.tensor([[0.1], [0.1], [0.1]], dtype=ad.float64)
    values, mean, std = standardize(x)
    assert values.tolist() == [[0.0]] * 3
    assert (mean.item(), std.item()) == (0.1, 0.0)


def test_standardizing_along_another_axis():
    assert standardize(ad.tensor([[1.0, 3.0], [5.0, 5.0]]), dim=1).values.tolist() == [[-1.0, 1.0], [0.0, 0.0]]


def test_half_precision_is_standardized_without_overflow(backend):
    if not hasattr(backend.xp, "float16"):
        return
    values, mean, std = standardize(ad.tensor([[60000.0], [-60000.0], [50000.0], [-50000.0]], dtype=ad.float16))
    assert values.dtype is mean.dtype is std.dtype is ad.float16
    assert np.allclose(values.reshape(-1).tolist(), np.array([6, -6, 5, -5]) / np.sqrt(30.5), atol=1e-3)


def test_what_can_not_be_standardized_is_refused():
    with pytest.raises(TypeError, match="int64"):
        standardize(ad.tensor([1, 2]))
    with pytest.raises(ValueError, match="no mean"):
        standardize(ad.ones(0, 3))
    with pytest.raises(ValueError, match="both"):
        standardize(ad.ones(2), ad.ones(1))


@given(
    labels=arrays.arrays(np.int64, arrays.array_shapes(max_dims=2, max_side=4), elements=st.integers(0, 5)),
    n=st.sampled_from([-1, 6, 8]),
)
def test_one_hot_is_pytorchs(labels, n):
    torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
    ours, theirs = one_hot(ad.tensor(labels), n), torch.nn.functional.one_hot(torch.tensor(labels), n)
    assert ours.dtype is ad.int64
    assert ours.tolist() == theirs.tolist()


def test_to_categorical_takes_lists_and_gives_floats():
    x = to_categorical([0, 2], 4)
    assert (x.dtype, x.tolist()) == (ad.float32, [[1, 0, 0, 0], [0, 0, 1, 0]])
    assert to_categorical(np.array([1], np.uint8)).tolist() == [[0, 1]]
    assert one_hot(ad.tensor([], dtype=ad.int64), 3).shape == (0, 3)


@pytest.mark.parametrize(
    ("labels", "n", "match"), [([0, -1], 3, "from 0 to 2, and one is -1"), ([3], 3, "one is 3"), ([], -1, "pass num_classes")]
)
def test_wrong_class_numbers_are_refused(labels, n, match):
    with pytest.raises(ValueError, match=match):
        one_hot(ad.tensor(labels, dtype=ad.int64), n)


def test_class_numbers_are_integers():
    with pytest.raises(TypeError, match="float32"):
        one_hot(ad.ones(2))


@given(n=st.integers(2, 40), share=st.floats(0.01, 0.99) | st.integers(1, 39), shuffle=st.booleans())
def test_a_split_has_scikit_learns_sizes_and_each_row_once(n, share, shuffle):
    selection = pytest.importorskip("sklearn.model_selection", reason="scikit-learn is in the data extra")
    x = ad.arange(n)
    try:
        expected = [len(part) for part in selection.train_test_split(range(n), test_size=share)]
    except ValueError:
        with pytest.raises(ValueError, match="test_size"):
            train_test_split(x, test_size=share)
        return
    train, test, y_train, y_test = train_test_split(x, x * 2, test_size=share, shuffle=shuffle)
    assert [len(train), len(test)] == expected
    assert sorted(train.tolist() + test.tolist()) == list(range(n))
    assert (y_train.tolist(), y_test.tolist()) == ((train * 2).tolist(), (test * 2).tolist())
    if not shuffle:
        assert train.tolist() + test.tolist() == list(range(n))


@given(counts=st.lists(st.integers(2, 12), min_size=2, max_size=4), share=st.floats(0.2, 0.8))
def test_a_stratified_split_gives_each_label_its_share(counts, share):
    labels = ad.tensor([label for label, n in enumerate(counts) for _ in range(n)])
    n_test = int(np.ceil(share * len(labels)))
    if min(n_test, len(labels) - n_test) < len(counts):
        return
    _, test = train_test_split(labels, test_size=share, stratify=labels)
    found = Counter(test.tolist())
    assert len(test) == n_test
    for label, n in enumerate(counts):
        assert abs(found[label] - n * n_test / len(labels)) < 1


def test_the_same_generator_gives_the_same_split():
    def split(seed):
        return train_test_split(ad.arange(30), generator=ad.Generator().manual_seed(seed))[1].tolist()

    assert split(1) == split(1) != split(2)
    names = ["a", "b"] * 15
    test = train_test_split(ad.arange(30), test_size=10, stratify=names)[1].tolist()
    assert Counter(names[i] for i in test) == {"a": 5, "b": 5}


def test_arrays_and_lists_are_split_as_tensors():
    x, y = np.arange(8.0).reshape(4, 2), [0, 1, 0, 1]
    train, test, y_train, y_test = train_test_split(x, y, test_size=1, shuffle=False)
    assert (train.tolist(), test.tolist()) == (x[:3].tolist(), x[3:].tolist())
    assert (y_train.tolist(), y_test.tolist(), y_test.dtype) == ([0, 1, 0], [1], ad.int64)


@pytest.mark.parametrize("wrong", ["a", True, None])
def test_the_size_of_a_test_is_a_number(wrong):
    with pytest.raises(TypeError, match="train_test_split: test_size"):
        train_test_split(ad.arange(6), test_size=wrong)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"test_size": float("nan")}, "test_size=nan is not a fraction"),
        ({"test_size": 0.0}, "test_size"),
        ({"test_size": 6}, "leaves 0 to train"),
        ({"test_size": 1.5}, "fraction"),
        ({"stratify": [0, 0, 0, 0, 0, 1]}, "label 1 has a single row.*leave that row out"),
        ({"stratify": [0, 0, 1, 1, 2, 2]}, "3 labels"),
        ({"stratify": [0, 1]}, "2 labels for 6 rows"),
        ({"stratify": [0, 0, 0, 1, 1, 1], "shuffle": False}, "shuffle"),
    ],
)
def test_a_split_that_can_not_be_made_is_refused(options, match):
    with pytest.raises(ValueError, match=match):
        train_test_split(ad.arange(6), **options)


def test_tensors_of_different_lengths_are_not_split():
    with pytest.raises(ValueError, match="3 and 2 rows"):
        train_test_split(ad.ones(3), ad.ones(2))
    with pytest.raises(ValueError, match="no rows"):
        train_test_split()
    with pytest.raises(ValueError, match="3 and 0 rows"):
        train_test_split(ad.ones(3), ad.tensor(1.0))
