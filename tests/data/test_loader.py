"""The loader: PyTorch's batches, one gather each, the same with any number of workers, and nothing left behind."""

from __future__ import annotations

import gc
import multiprocessing
import os
import random
import threading
import time
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, strategies as st

import adjoint as ad
from adjoint.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    Subset,
    TensorDataset,
    default_collate,
)

pytestmark = [
    pytest.mark.usefixtures("backend"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]


@pytest.fixture
def fork(backend):
    """The name of the context, where processes can be forked."""
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system cannot fork")
    if backend.name == "cupy":
        pytest.skip("a process that has used a GPU cannot be forked")
    return "fork"


@pytest.fixture(params=["threads", "processes"])
def context(request):
    """What ``multiprocessing_context`` is for worker threads, and for processes."""
    return None if request.param == "threads" else request.getfixturevalue("fork")


def rows(n):
    x = ad.arange(n)
    return TensorDataset(x.float().reshape(n, 1), x)


class Squares(Dataset):
    """Samples that are made one at a time."""

    def __init__(self, n, wrong=None):
        self.n, self.wrong = n, wrong

    def __getitem__(self, index):
        if index == self.wrong:
            raise KeyError("no square here")
        return index, float(index * index)

    def __len__(self):
        return self.n


class Awkward(Exception):
    """An exception that can be pickled and not be unpickled."""

    def __init__(self, what, where):
        super().__init__(f"{what} at {where}")


class Raising(Squares):
    def __getitem__(self, index):
        raise Awkward("trouble", index)


class Drawing(Squares):
    """Samples that have random numbers in them."""

    def __getitem__(self, index):
        return index, ad.rand(1).item(), random.random(), np.random.rand()


class Count(IterableDataset):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return iter(range(self.n))

    def __len__(self):
        return self.n


def order(loader):
    return [batch[1].tolist() for batch in loader]


# --- batches -----------------------------------------------------------------------------------------------------------------


@given(n=st.integers(0, 25), size=st.integers(1, 9), drop_last=st.booleans(), shuffle=st.booleans(), kind=st.integers(0, 4))
def test_the_batches_have_pytorchs_number_and_shapes(n, size, drop_last, shuffle, kind):
    torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
    shuffle = shuffle and n > 0
    ours = [
        lambda: rows(n),
        lambda: Subset(rows(n + 3), range(3, n + 3)),
        lambda: ConcatDataset([rows(n // 2), rows(n - n // 2)]),
        lambda: [(np.full((1,), i, np.float32), i) for i in range(n)],
        lambda: Count(n),
    ][kind]()
    if kind == 4:
        shuffle = False
        theirs = range(n)
    else:
        theirs = torch.utils.data.TensorDataset(torch.zeros(n, 1), torch.arange(n))
    ours = DataLoader(ours, size, shuffle, drop_last=drop_last)
    theirs = torch.utils.data.DataLoader(theirs, size, shuffle, drop_last=drop_last)
    assert len(ours) == len(theirs)
    shapes = [tuple(x.shape) if kind == 4 else [tuple(part.shape) for part in x] for x in theirs]
    assert [x.shape if kind == 4 else [part.shape for part in x] for x in ours] == shapes
    if not shuffle and kind in (0, 3):
        assert order(ours) == [y.tolist() for _, y in theirs]
        assert [type(batch) for batch in ours] == [type(batch) for batch in theirs]


@given(n=st.integers(1, 25), size=st.integers(1, 9))
def test_a_shuffled_pass_has_every_row_once_and_rows_stay_together(n, size):
    seen = []
    for x, y in DataLoader(rows(n), size, shuffle=True):
        assert x.reshape(-1).tolist() == y.tolist()
        seen += y.tolist()
    assert sorted(seen) == list(range(n))


class Watched(TensorDataset):
    """Keeps what it was indexed by."""

    def __getitem__(self, index):
        self.__dict__.setdefault("indices", []).append(index)
        return super().__getitem__(index)


@pytest.mark.parametrize("wrap", [lambda d: d, lambda d: Subset(d, [*range(20)]), lambda d: ConcatDataset([d])])
def test_a_batch_of_an_indexable_dataset_is_one_index(wrap, backend):
    watched = Watched(ad.arange(20))
    for loader in (
        DataLoader(wrap(watched), 6, shuffle=True),
        DataLoader(wrap(watched), sampler=[*range(20)], batch_size=6),
        DataLoader(wrap(watched), batch_sampler=[[0, 1, 2], [5], [7], [4, 2]]),
    ):
        watched.indices = []
        assert len(list(loader)) == len(watched.indices) == 4
        assert all(isinstance(index, ad.Tensor) and index.backend is backend for index in watched.indices)


def test_batches_in_sequence_are_views(backend):
    data = rows(10)
    for x, _ in DataLoader(data, 4):
        assert backend.owner(x._array) is backend.owner(data.tensors[0]._array)


def test_the_order_moves_to_the_device_of_the_tensors():
    far = TensorDataset(ad.arange(7, device="strict"))
    with ad.use_backend("numpy"):
        batches = [x for (x,) in DataLoader(far, 3, shuffle=True)]
    assert {x.device for x in batches} == {"strict"}
    assert sorted(i for x in batches for i in x.tolist()) == list(range(7))


def test_a_plain_list_of_samples_is_collated():
    x, name = next(iter(DataLoader([(1.0, "a"), (2.0, "b")], 2)))
    assert x.tolist() == [1.0, 2.0]
    assert name == ("a", "b")


def test_getitems_is_asked_for_all_samples_of_a_batch():
    class Bulk(Squares):
        def __getitems__(self, indices):
            return [-i for i in indices]

    assert [x.tolist() for x in DataLoader(Bulk(3), 2)] == [[0, -1], [-2]]


def test_a_collate_fn_gets_the_list_of_samples():
    batches = list(DataLoader(rows(3), 2, collate_fn=lambda samples: [y.item() for _, y in samples]))
    assert batches == [[0, 1], [2]]


def test_without_batches_come_single_samples():
    assert [y.item() for _, y in DataLoader(rows(3), None)] == [0, 1, 2]
    (x,) = DataLoader([{"x": np.ones(2)}], None)
    assert isinstance(x["x"], ad.Tensor)
    assert list(DataLoader(Count(3), None)) == [0, 1, 2]
    assert len(DataLoader(Count(3), None)) == 3


def test_a_sampler_of_ones_own_sets_the_order():
    class Backwards(Sampler):
        def __iter__(self):
            return iter([2, 1, 0])

        def __len__(self):
            return 3

    class Odd(Sampler):
        def order(self):
            return range(5, -1, -2)

        def __len__(self):
            return 3

    assert order(DataLoader(rows(3), 2, sampler=Backwards())) == [[2, 1], [0]]
    assert order(DataLoader(rows(6), 2, sampler=Odd())) == [[5, 3], [1]]
    assert order(DataLoader(rows(6), None, sampler=BatchSampler(Odd(), 2, True))) == [[5, 3]]
    assert len(DataLoader(rows(6), None, sampler=Odd())) == 3


# --- randomness --------------------------------------------------------------------------------------------------------------


def passes(num_workers, **options):
    ad.manual_seed(11)
    loader = DataLoader(rows(20), 6, shuffle=True, num_workers=num_workers, **options)
    return order(loader), order(loader), ad.rand(1).item()


def test_the_same_seed_gives_the_same_passes_with_any_number_of_workers_and_each_pass_shuffles_anew():
    first, second, after = passes(0)
    assert first != second
    for workers in (1, 3):
        assert passes(workers) == (first, second, after)


def test_a_generator_sets_the_order_alone():
    def shuffled(seed):
        return order(DataLoader(rows(9), 4, shuffle=True, generator=ad.Generator().manual_seed(seed)))

    assert shuffled(1) == shuffled(1) != shuffled(2)
    before = ad.default_generator().get_state()
    shuffled(1)
    order(DataLoader(rows(9), 4))
    assert ad.default_generator().get_state() == before


# --- workers -----------------------------------------------------------------------------------------------------------------


def test_workers_keep_the_order_and_the_values(context):
    for data, values in ((Squares(9), [[0.0, 1.0], [4.0, 9.0], [16.0, 25.0], [36.0, 49.0], [64.0]]), (rows(9), None)):
        loader = DataLoader(data, 2, num_workers=2, multiprocessing_context=context)
        assert order(loader) == (values or [[0, 1], [2, 3], [4, 5], [6, 7], [8]])


def test_spawned_workers_give_the_same_batches():
    loader = DataLoader(Squares(3), 2, num_workers=1, multiprocessing_context=multiprocessing.get_context("spawn"))
    assert order(loader) == [[0.0, 1.0], [4.0]]


def test_workers_record_the_graph_only_where_the_caller_does(context):
    class Recorded(Squares):
        def __getitem__(self, index):
            return (ad.ones(1, requires_grad=True) * 2.0).requires_grad

    loader = DataLoader(Recorded(2), 2, num_workers=1, multiprocessing_context=context)
    with ad.no_grad():
        assert [batch.tolist() for batch in loader] == [[False, False]]
    assert [batch.tolist() for batch in loader] == [[True, True]]


def test_slow_batches_are_made_ahead_and_handed_out_in_order():
    class Uneven(Squares):
        def __getitem__(self, index):
            time.sleep(0.02 if index == 0 else 0)
            return super().__getitem__(index)

    assert [x.tolist() for x, _ in DataLoader(Uneven(4), 1, num_workers=4)] == [[0], [1], [2], [3]]


def test_a_stream_is_read_once_however_many_workers(context):
    loader = DataLoader(Count(7), 3, num_workers=3, multiprocessing_context=context)
    assert [x.tolist() for x in loader] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [x.tolist() for x in loader] == [[0, 1, 2], [3, 4, 5], [6]]


def test_what_worker_processes_draw_does_not_depend_on_their_number(fork):
    def drawn(workers):
        ad.manual_seed(3)
        loader = DataLoader(Drawing(6), 2, num_workers=workers, multiprocessing_context=fork)
        return [[part.tolist() for part in batch] for _ in range(2) for batch in loader]

    two = drawn(2)
    assert two == drawn(1)
    for source in (1, 2, 3):
        assert len({number for batch in two for number in batch[source]}) == 12


def test_an_error_in_a_worker_is_raised_here_with_its_traceback(context):
    import traceback

    loader = DataLoader(Squares(6, wrong=3), 2, num_workers=2, multiprocessing_context=context)
    batches = iter(loader)
    next(batches)
    with pytest.raises(KeyError, match="no square here") as caught:
        next(batches)
    assert 'raise KeyError("no square here")' in "".join(traceback.format_exception(caught.value))
    assert list(batches) == []


def test_an_error_that_can_not_be_sent_is_told_in_words(fork):
    with pytest.raises(RuntimeError, match=r"(?s)in __getitem__.*Awkward: trouble at 0"):
        list(DataLoader(Raising(2), 2, num_workers=1, multiprocessing_context=fork))


def die(worker):
    os._exit(1)


def test_a_worker_process_that_dies_is_told(fork):
    with pytest.raises(RuntimeError, match="a worker process died"):
        list(DataLoader(Squares(2), num_workers=1, multiprocessing_context=fork, worker_init_fn=die))


@pytest.mark.parametrize("data", [rows, Count])
def test_worker_init_fn_is_called_once_a_worker_and_its_error_is_raised(data):
    called = []
    list(DataLoader(data(8), 1, num_workers=3, worker_init_fn=called.append))
    assert called
    assert len(set(called)) == len(called)
    assert set(called) <= {0, 1, 2}

    def refuse(worker):
        raise OSError("not today")

    with pytest.raises(OSError, match="not today"):
        list(DataLoader(data(3), num_workers=1, worker_init_fn=refuse))


def workers_alive():
    gc.collect()
    return [t for t in threading.enumerate() if t.name.startswith("DataLoader")] + multiprocessing.active_children()


def test_no_worker_is_left_when_a_pass_ends_fails_or_is_abandoned(context):
    def loader(n=50, wrong=None):
        return DataLoader(Squares(n, wrong), 1, num_workers=2, multiprocessing_context=context)

    list(loader(4))
    assert workers_alive() == []
    for batch in loader():
        assert len(batch) == 2
        break
    assert workers_alive() == []
    batches = iter(loader())
    next(batches)
    assert workers_alive() != []
    del batches
    assert workers_alive() == []
    with pytest.raises(KeyError):
        list(loader(wrong=1))
    assert workers_alive() == []


def test_no_more_than_prefetch_factor_batches_a_worker_are_made_ahead():
    made = []

    class Noting(Squares):
        def __getitem__(self, index):
            made.append(index)
            return index

    batches = iter(DataLoader(Noting(50), 1, num_workers=2, prefetch_factor=3))
    next(batches)
    time.sleep(0.05)
    assert len(made) <= 1 + 2 * 3
    del batches


# --- wrong arguments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"sampler": [0], "shuffle": True}, "exclude"),
        ({"batch_sampler": [[0]], "batch_size": 2}, "batch_sampler"),
        ({"batch_sampler": [[0]], "shuffle": True}, "batch_sampler"),
        ({"batch_sampler": [[0]], "drop_last": True}, "batch_sampler"),
        ({"batch_size": None, "drop_last": True}, "drop_last"),
        ({"batch_size": 0}, "batch_size"),
        ({"num_workers": -1}, "num_workers"),
        ({"prefetch_factor": 2}, "num_workers"),
        ({"multiprocessing_context": "fork"}, "num_workers"),
        ({"num_workers": 1, "prefetch_factor": 0}, "prefetch_factor"),
        ({"num_workers": 1, "multiprocessing_context": "spoon"}, "spoon"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        DataLoader(rows(3), **options)


def test_a_generator_is_a_generator():
    with pytest.raises(TypeError, match=r"ad\.Generator, not a int; seed one by manual_seed"):
        DataLoader(rows(3), shuffle=True, generator=3)


def test_a_context_is_a_context():
    with pytest.raises(TypeError, match="int"):
        DataLoader(rows(3), num_workers=1, multiprocessing_context=3)


def test_a_stream_can_not_be_sampled():
    for options in ({"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}):
        with pytest.raises(ValueError, match="IterableDataset"):
            DataLoader(Count(3), **options)


def test_an_empty_dataset_can_not_be_shuffled():
    with pytest.raises(ValueError, match="num_samples"):
        DataLoader(rows(0), shuffle=True)


def test_a_length_that_nobody_knows_is_an_error():
    class Endless(IterableDataset):
        pass

    with pytest.raises(TypeError, match="len"):
        len(DataLoader(Endless()))


# --- collating ---------------------------------------------------------------------------------------------------------------


class Point(NamedTuple):
    x: int
    y: float


SAMPLES = {
    "ints": [1, 2],
    "floats": [1.5, 2.5],
    "bools": [True, False],
    "strings": ["a", "b"],
    "bytes": [b"a", b"b"],
    "arrays": [np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)],
    "numpy numbers": [np.float32(1), np.float32(2)],
    "numpy float64": [np.float64(1), np.float64(2)],
    "tuples": [(1, "a"), (2, "b")],
    "lists": [[1, 2.0], [3, 4.0]],
    "dicts": [{"a": 1, "b": (2, 3)}, {"a": 4, "b": (5, 6)}],
    "named tuples": [Point(1, 2.0), Point(3, 4.0)],
}


def described(batch):
    if hasattr(batch, "dtype"):
        return str(batch.dtype).partition(".")[2], tuple(batch.shape), batch.tolist()
    if isinstance(batch, dict):
        return {key: described(part) for key, part in batch.items()}
    if isinstance(batch, (tuple, list)):
        return type(batch), [described(part) for part in batch]
    return batch


@pytest.mark.parametrize("kind", SAMPLES)
def test_collating_gives_what_pytorch_gives(kind):
    torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
    assert described(default_collate(SAMPLES[kind])) == described(torch.utils.data.default_collate(SAMPLES[kind]))


def test_samples_that_do_not_fit_together_are_refused():
    with pytest.raises(TypeError, match="object"):
        default_collate([object()])
    for samples, match in (
        ([(1, 2), (1,)], "a tuple of 2 parts and another a tuple of 1 parts"),
        ([(1, 2), 3], "a tuple of 2 parts and another a int"),
        ([{"a": 1, "b": 2}, {"a": 1}], "a dict of 'a', 'b' and another a dict of 'a'"),
        ([{"a": 1}, {"a": 1, "b": 2}], "a dict of 'a' and another a dict of 'a', 'b'"),
        ([{"a": 1}, [1]], "a dict of 'a' and another a list of 1 parts"),
    ):
        with pytest.raises(RuntimeError, match=match):
            default_collate(samples)
    with pytest.raises(ValueError, match="no samples; leave empty lists out of the batch_sampler"):
        list(DataLoader(Squares(2), batch_sampler=[[]]))
    with pytest.raises(ValueError, match="shape"):
        default_collate([ad.ones(2), ad.ones(3)])


def test_a_random_sampler_draws_with_replacement_through_the_loader():
    drawn = order(DataLoader(rows(4), 5, sampler=RandomSampler(rows(4), True, 10)))
    assert [len(batch) for batch in drawn] == [5, 5]
