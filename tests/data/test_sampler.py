"""Samplers: what they draw, how often, from which generator, and how it is cut into batches."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, strategies as st

import adjoint as ad
from adjoint.data import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

pytestmark = pytest.mark.usefixtures("backend")


def test_the_sequential_sampler_counts():
    sampler = SequentialSampler("abc")
    assert list(sampler) == [0, 1, 2]
    assert len(sampler) == 3


@given(n=st.integers(1, 20), wanted=st.none() | st.integers(1, 50))
def test_without_replacement_each_sample_comes_as_often_as_any_other_to_within_one(n, wanted):
    sampler = RandomSampler(range(n), num_samples=wanted)
    drawn = list(sampler)
    assert len(drawn) == len(sampler) == (n if wanted is None else wanted)
    times = [drawn.count(i) for i in range(n)]
    assert sum(times) == len(drawn)
    assert max(times) - min(times) <= 1


def test_with_replacement_samples_repeat_and_stay_in_range():
    drawn = list(RandomSampler(range(5), replacement=True, num_samples=1000))
    assert set(drawn) == set(range(5))


@pytest.mark.parametrize(
    "make",
    [
        lambda g: RandomSampler(range(30), generator=g),
        lambda g: RandomSampler(range(30), True, 30, generator=g),
        lambda g: SubsetRandomSampler(list(range(30)), generator=g),
        lambda g: WeightedRandomSampler([1.0] * 30, 30, generator=g),
        lambda g: WeightedRandomSampler([1.0] * 30, 30, False, generator=g),
    ],
)
def test_the_same_seed_gives_the_same_order_and_each_pass_another(make):
    first = make(ad.Generator().manual_seed(5))
    once, again = list(first), list(first)
    assert once == list(make(ad.Generator().manual_seed(5)))
    assert once != again
    ad.manual_seed(5)
    by_default = list(make(None))
    ad.manual_seed(5)
    assert by_default == list(make(None)) == once


def test_a_subset_sampler_shuffles_its_indices():
    sampler = SubsetRandomSampler([7, 3, 9])
    assert sorted(sampler) == [3, 7, 9]
    assert len(sampler) == 3


def test_weights_are_probabilities():
    drawn = Counter(WeightedRandomSampler([0.0, 1.0, 3.0, 0.0], 4000))
    assert set(drawn) == {1, 2}
    assert 2.5 < drawn[2] / drawn[1] < 3.6


def test_a_draw_that_rounds_up_to_its_rows_end_is_the_last_index_with_a_weight():
    class Highest:
        def uniform(self, shape, dtype):
            return ad.full(shape, 1.0 - 2.0**-53, dtype="float64")._array

    generator = ad.Generator()
    generator.stream = Highest()
    weights = ad.tensor([[1.0, 1.0, 0.0], [1.0, 2.0, 0.0]])
    assert ad.multinomial(weights, 1, True, generator=generator).tolist() == [[1], [1]]


def test_weighted_without_replacement_takes_heavy_samples_first_and_none_of_weight_0():
    firsts = Counter(next(iter(WeightedRandomSampler([0.0, 1.0, 9.0], 2, replacement=False))) for _ in range(300))
    assert set(firsts) == {1, 2}
    assert firsts[2] > 220
    assert sorted(WeightedRandomSampler([0.0, 1.0, 9.0], 2, replacement=False)) == [1, 2]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: RandomSampler([]), "num_samples"),
        (lambda: RandomSampler([1], num_samples=0), "num_samples"),
        (lambda: WeightedRandomSampler([0.0, 0.0], 1), "above 0"),
        (lambda: WeightedRandomSampler([1.0, -1.0], 1), ">= 0"),
        (lambda: WeightedRandomSampler([1.0, float("nan")], 1), "finite"),
        (lambda: WeightedRandomSampler([[1.0]], 1), "one axis"),
        (lambda: WeightedRandomSampler([1.0, 0.0], 2, replacement=False), "only 1"),
        (lambda: WeightedRandomSampler([1.0], 1, replacement=1), "replacement"),
        (lambda: BatchSampler(range(3), 0, False), "batch_size"),
        (lambda: BatchSampler(range(3), 2, None), "drop_last"),
    ],
)
def test_wrong_arguments_are_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_a_number_of_samples_is_an_integer():
    for wrong in (True, 1.0, "1"):
        with pytest.raises(TypeError, match="WeightedRandomSampler: num_samples must be an integer"):
            WeightedRandomSampler([1.0], wrong)


def test_replacement_is_a_truth_value():
    with pytest.raises(TypeError, match="replacement"):
        RandomSampler([1], replacement=1)


def test_an_abstract_sampler_says_what_is_to_be_defined():
    with pytest.raises(NotImplementedError, match="order"):
        iter(Sampler())


@given(n=st.integers(0, 20), size=st.integers(1, 8), drop_last=st.booleans())
def test_batches_are_pytorchs(n, size, drop_last):
    torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
    ours, theirs = BatchSampler(range(n), size, drop_last), torch.utils.data.BatchSampler(range(n), size, drop_last)
    assert list(ours) == list(theirs)
    assert len(ours) == len(theirs)
