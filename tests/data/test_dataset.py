"""Datasets: samples by number, by slice and by array agree; splits keep every sample once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

import adjoint as ad
from adjoint.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    random_split,
)

pytestmark = pytest.mark.usefixtures("backend")
lengths = st.integers(0, 7)


def some(low, high):
    """Lists of whole numbers from ``low`` to below ``high``."""
    return st.lists(st.integers(low, high - 1), max_size=9) if low < high else st.just([])


def rows(n, start=0):
    x = ad.arange(start, start + n)
    return TensorDataset(x.float().reshape(n, 1), x)


def numbers(batch):
    return batch[1].tolist()


def test_a_sample_is_the_tuple_of_the_tensors_rows():
    x, y = rows(3)[1]
    assert x.tolist() == [1.0]
    assert y.item() == 1


def test_iteration_over_a_dataset_ends_with_its_samples():
    assert [y.item() for _, y in rows(3)] == [0, 1, 2]
    assert [y.item() for _, y in Subset(rows(5), [4, 1])] == [4, 1]
    assert [y.item() for _, y in rows(2) + rows(1, 2)] == [0, 1, 2]


def test_tensors_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="3 and 2 rows"):
        TensorDataset(ad.ones(3), ad.ones(2))
    with pytest.raises(ValueError, match="first axis"):
        TensorDataset(ad.tensor(1.0))
    with pytest.raises(ValueError, match="first axis"):
        TensorDataset()
    for wrong, name in ((np.ones(3), "ndarray"), ([1, 2], "list")):
        with pytest.raises(TypeError, match=rf"not a {name}; .*ad\.tensor"):
            TensorDataset(wrong)


@given(parts=st.lists(lengths, min_size=1, max_size=4), data=st.data())
def test_a_concatenation_indexed_by_an_array_gives_the_samples_of_one_by_one(parts, data):
    whole = ConcatDataset([rows(n, sum(parts[:i])) for i, n in enumerate(parts)])
    n = len(whole)
    index = data.draw(some(-n, n))
    assert numbers(whole[ad.tensor(index, dtype=ad.int64)]) == [whole[i][1].item() for i in index]
    start, stop = data.draw(st.integers(0, n)), data.draw(st.integers(0, n))
    assert numbers(whole[start:stop]) == list(range(n))[start:stop]
    assert numbers(whole[start:stop:2]) == list(range(n))[start:stop:2]


@given(n=st.integers(1, 9), data=st.data())
def test_a_subset_indexed_by_an_array_gives_the_samples_of_one_by_one(n, data):
    indices = data.draw(st.lists(st.integers(0, n - 1), max_size=9))
    subset = Subset(rows(n), indices)
    index = data.draw(some(0, len(indices)))
    assert numbers(subset[ad.tensor(index, dtype=ad.int64)]) == [indices[i] for i in index]
    assert numbers(subset[index]) == [indices[i] for i in index]
    assert numbers(subset[1:4]) == indices[1:4]
    assert numbers(Subset(subset, range(len(indices)))[0:2]) == indices[:2]


def test_a_slice_shares_the_tensors_memory(backend):
    data = rows(6)
    for view in (data[2:4], Subset(data, range(1, 6))[1:3], ConcatDataset([data, rows(2)])[2:4]):
        assert backend.owner(view[0]._array) is backend.owner(data.tensors[0]._array)
        assert numbers(view) == [2, 3]


def test_nested_structures_are_joined_part_by_part():
    class Named(Dataset):
        batch_device = ad.backends.default().device

        def __init__(self, start):
            self.x = ad.arange(start, start + 3)

        def __getitem__(self, index):
            return {"x": self.x[index], "pair": [self.x[index], (self.x[index],)]}

        def __len__(self):
            return 3

    batch = (Named(0) + Named(3))[ad.tensor([5, 0, 4])]
    assert batch["x"].tolist() == [5, 0, 4]
    assert batch["pair"][1][0].tolist() == [5, 0, 4]


@given(mask=st.lists(st.booleans(), min_size=1, max_size=7), cut=st.integers(0, 7))
def test_a_mask_stands_for_the_samples_it_is_true_at(mask, cut):
    n = len(mask)
    data, expected = rows(n), [i for i, true in enumerate(mask) if true]
    parts = ConcatDataset([rows(min(cut, n)), rows(n - min(cut, n), min(cut, n))])
    for of in (data, Subset(data, range(n)), Subset(data, list(range(n))), parts):
        assert numbers(of[ad.tensor(mask)]) == expected
        assert numbers(of[mask]) == expected
    for given_mask in (mask, ad.tensor(mask), np.array(mask)):
        assert list(Subset(data, given_mask).indices) == expected
    for wrong in (lambda: Subset(data, [*mask, True]), lambda: parts[[*mask, True]], lambda: Subset(data, mask)[[True] * 9]):
        with pytest.raises(IndexError, match="mask has"):
            wrong()


@pytest.mark.parametrize(
    "ask",
    [
        lambda: Subset(rows(4), [1.7, 2.2]),
        lambda: Subset(rows(4), [[0, 1]]),
        lambda: Subset(rows(4), [0, 1])[[0.5]],
        lambda: Subset(rows(4), [0, 1])[0.5],
        lambda: ConcatDataset([rows(4)])[[1.7]],
        lambda: ConcatDataset([rows(4)])[ad.tensor([1.7])],
        lambda: ConcatDataset([rows(4)])[1.7],
        lambda: list(DataLoader(rows(4), sampler=[1.7, 2.2])),
        lambda: list(DataLoader(rows(4), sampler=[True, False])),
        lambda: list(DataLoader(rows(4), sampler=SubsetRandomSampler([1.7, 2.2]))),
    ],
)
def test_samples_are_numbered_by_whole_numbers(ask):
    with pytest.raises(TypeError, match=r"integers along one axis|integer"):
        ask()


def test_a_change_to_the_list_of_indices_is_none_to_the_subset():
    indices = [3, 1]
    subset = Subset(rows(4), indices)
    indices.append(0)
    assert numbers(subset[:]) == list(subset.indices) == [3, 1]


def test_an_index_outside_a_concatenation_is_an_error():
    whole = ConcatDataset([rows(2), rows(2)])
    for index in (4, -5, ad.tensor([0, 4]), [-5]):
        with pytest.raises(IndexError, match="4"):
            whole[index]


def test_a_concatenation_needs_datasets_by_number():
    with pytest.raises(ValueError, match="empty"):
        ConcatDataset([])
    with pytest.raises(ValueError, match="IterableDataset"):
        rows(2) + IterableDataset()


def test_abstract_datasets_say_what_is_to_be_defined():
    with pytest.raises(NotImplementedError, match="__getitem__"):
        Dataset()[0]
    with pytest.raises(NotImplementedError, match="__iter__"):
        iter(IterableDataset())


def test_tensors_on_several_devices_are_taken_sample_by_sample():
    strict = ad.backends.get("strict")
    mixed = TensorDataset(ad.ones(3, device="cpu"), ad.ones(3, device=strict))
    assert mixed.batch_device is None
    assert [x.device for x in next(iter(ad.data.DataLoader(mixed, 2)))] == ["cpu", "strict"]


@given(n=st.integers(0, 40), cuts=st.lists(st.floats(0, 1), max_size=4))
def test_fractions_split_as_pytorch_does(n, cuts):
    torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
    fractions = np.diff([0.0, *sorted(cuts), 1.0]).tolist()
    if sum(fractions) > 1:  # PyTorch takes such sums, a rounding above 1, for lengths
        return
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of empty parts
        expected = [len(part) for part in torch.utils.data.random_split(range(n), fractions)]
    parts = random_split(range(n), fractions)
    assert [len(part) for part in parts] == expected
    assert sorted(i for part in parts for i in part.indices) == list(range(n))


def test_a_split_by_lengths_is_the_generators():
    first, second = (random_split(rows(6), [4, 2], generator=ad.Generator().manual_seed(3)) for _ in range(2))
    assert [part.indices for part in first] == [part.indices for part in second]
    assert [len(part) for part in first] == [4, 2]


@pytest.mark.parametrize("wrong", [[3, 2], [7, -1], [2.5, 3.5], [0.5, 0.4]])
def test_lengths_that_do_not_add_up_are_refused(wrong):
    with pytest.raises(ValueError, match="random_split"):
        random_split(rows(6), wrong)
