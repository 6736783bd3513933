"""Two threads for what is large, and BLAS on one."""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from adjoint.backends.numpy import threads
from adjoint.backends.numpy.kernels import namespace
from adjoint.backends.numpy.threads import blas_alone, dot, matmul, run_both, run_parallel


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHARED", "SHARED_BY_VECTOR", "LARGE"):
        monkeypatch.setattr(threads, name, 0)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADJOINT_NUM_THREADS", "2")


def whole(*shape: int, seed: int = 0, dtype: Any = np.float32, order: Any = "C") -> Any:
    """Small whole numbers, whose products and sums are exact in whatever order."""
    return np.asarray(np.random.default_rng(seed).integers(-8, 9, shape), dtype, order=order)


SIZES = st.integers(1, 9)


@pytest.mark.usefixtures("everything_is_large", "two")
@given(SIZES, SIZES, SIZES, st.sampled_from(["CC", "CF", "FC", "FF"]), st.booleans(), st.sampled_from([np.float32, np.float64]))
def test_a_product_in_halves_is_the_product(m: int, k: int, n: int, orders: str, into: bool, dtype: Any) -> None:
    x, y = whole(m, k, dtype=dtype, order=orders[0]), whole(k, n, seed=1, dtype=dtype, order=orders[1])
    expected = np.einsum("mk,kn->mn", x, y)
    place = np.full((m, n), 7, dtype) if into else None
    found = dot(x, y, place)
    assert found.dtype == dtype
    assert place is None or found is place
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(dot(x, y[:, 0]), expected[:, 0])
    np.testing.assert_array_equal(dot(x[0], y), expected[0])


@pytest.mark.usefixtures("everything_is_large", "two")
@given(st.lists(SIZES, max_size=2), SIZES, SIZES, SIZES, st.booleans(), st.sampled_from(["same", "one", "none"]))
def test_products_of_many_matrices_in_halves_are_the_products(
    batch: list[int], m: int, k: int, n: int, into: bool, other: str
) -> None:
    x = whole(*batch, m, k)
    y = whole(*{"same": batch, "one": [1] * len(batch), "none": []}[other], k, n, seed=1)
    place = np.empty((*batch, m, n), np.float32) if into else None
    found = matmul(x, y, place)
    assert found.dtype == np.float32
    assert place is None or found is place
    np.testing.assert_array_equal(found, np.einsum("...mk,...kn->...mn", x, y))


@pytest.mark.usefixtures("two")
def test_both_run_at_the_same_time_and_what_they_give_comes_in_order() -> None:
    meet = threading.Barrier(2, timeout=10)
    found = run_both(lambda: (meet.wait(), "first")[1], lambda: (meet.wait(), "second")[1])
    assert found == ["first", "second"]


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("which", [0, 1])
def test_what_one_of_them_raises_is_raised_when_both_are_done(which: int) -> None:
    done = []

    def fail() -> None:
        raise ValueError("no")

    both = [fail, lambda: done.append(1)]
    with pytest.raises(ValueError, match="no"):
        run_both(both[which], both[1 - which])
    assert done == [1]
    assert run_both(lambda: 1, lambda: 2) == [1, 2]


@pytest.mark.usefixtures("two")
def test_one_of_two_that_asks_for_two_more_does_both_itself() -> None:
    here = threading.get_ident
    nested = run_both(lambda: run_both(here, here), lambda: run_both(here, here))
    assert nested[0][0] == nested[0][1] == here()
    assert nested[1][0] == nested[1][1] != here()


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("mode", ["raise", "ignore"])
def test_both_threads_treat_overflow_alike(mode: Any) -> None:
    large = np.full(3, 1e38, np.float32)
    with np.errstate(over=mode):
        if mode == "raise":
            with pytest.raises(FloatingPointError):
                run_both(lambda: None, lambda: large * large)
        else:
            assert np.isinf(run_both(lambda: None, lambda: large * large)[1]).all()


@pytest.mark.parametrize("count", ["1", "2"])
def test_lanes_do_the_first_half_and_the_others(count: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADJOINT_NUM_THREADS", count)
    assert run_parallel(list, [1, 2, 3, 4, 5]) == [[1, 2, 3], [4, 5]]
    assert run_parallel(list, [1]) == [[1]]
    assert run_parallel(list, []) == [[]]


@pytest.mark.usefixtures("two")
def test_what_is_called_on_overflow_is_called_for_the_second_thread_too() -> None:
    heard: list[str] = []
    large = np.full(3, 1e38, np.float32)
    with np.errstate(over="call", call=lambda kind, _: heard.append(kind)):
        run_both(lambda: None, lambda: large * large)
    assert heard == ["overflow"]


class Interrupted:
    """A lock at which Ctrl-C comes while it is waited for, or when it is ours already."""

    def __init__(self, when: str) -> None:
        self.lock, self.when, self.calls = threading.Lock(), when, 0

    def acquire(self) -> None:
        self.calls += 1
        if self.calls == 2 and self.when == "before":  # the first is that of the one who makes it
            raise KeyboardInterrupt
        self.lock.acquire()
        if self.calls == 2:
            raise KeyboardInterrupt

    def release(self) -> None:
        self.lock.release()


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("when", ["before", "after"])
def test_ctrl_c_is_heard_when_the_second_thread_is_done(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    run_both(lambda: None, lambda: None)  # so that there is a second thread
    monkeypatch.setattr(threads, "threading", SimpleNamespace(Lock=lambda: Interrupted(when)))
    with pytest.raises(KeyboardInterrupt):
        run_both(lambda: None, lambda: (time.sleep(0.1), done.append(1)))
    assert done == [1]
    monkeypatch.undo()
    assert run_both(lambda: 1, lambda: 2) == [1, 2]


@pytest.mark.usefixtures("two")
def test_what_the_second_thread_raised_keeps_no_array() -> None:
    kept = np.ones(3)
    alive = weakref.ref(kept)

    def fail(held: Any) -> None:
        raise ValueError(held.sum())

    gc.disable()
    try:
        with pytest.raises(ValueError, match="3"):
            run_both(lambda: None, partial(fail, kept))
        del kept
        run_both(lambda: None, lambda: None)
        assert alive() is None
    finally:
        gc.enable()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_a_second_thread_and_blas_of_its_own() -> None:
    found = threads._openblas()
    x = np.ones((2048, 64), np.float32)
    dot(x, x.T[:, :64])
    with blas_alone:
        child = os.fork()
        if not child:
            before = found[0]() if found else 0
            fine = run_both(lambda: 1, lambda: 2) == [1, 2] and dot(x, x.T[:, :64]).sum() > 0
            os._exit(0 if fine and before == (threads.blas_alone._before if found else 0) else 1)
        assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("number", ["two", "0", "-1", "1.5"])
def test_a_number_of_threads_that_is_none_is_refused_by_name(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADJOINT_NUM_THREADS", number)
    with pytest.raises(ValueError, match="ADJOINT_NUM_THREADS is"):
        threads.thread_count()


@pytest.mark.usefixtures("everything_is_large")
@given(
    st.sampled_from([np.float32, np.float64, np.int32, np.float16]),
    st.sampled_from([np.float32, np.float64, np.int32]),
    SIZES,
    SIZES,
)
def test_dtypes_of_a_product_do_not_depend_on_its_size(a: Any, b: Any, m: int, n: int) -> None:
    x, y = whole(m, 3, dtype=a), whole(3, n, seed=1, dtype=b)
    found = namespace().matmul(x, y)
    assert found.dtype == np.result_type(a, b)
    np.testing.assert_array_equal(found, x.astype(np.float64) @ y)


def test_large_whole_numbers_have_the_error_function_of_small_ones() -> None:
    x = np.arange(-3, 4, dtype=np.int32)
    np.testing.assert_array_equal(namespace().erf(np.tile(x, 1 << 16)), np.tile(namespace().erf(x), 1 << 16))


def test_blas_has_its_threads_back_afterwards() -> None:
    found = threads._openblas()
    if found is None:
        pytest.skip("this NumPy is not built with OpenBLAS, or its library cannot be reached")
    get, put = found
    before = get()
    put(2)

    def fail() -> None:
        with blas_alone:
            assert get() == 1
            raise KeyError

    try:
        with blas_alone:
            with pytest.raises(KeyError):
                fail()
            assert get() == 1
        assert get() == 2
    finally:
        put(before)
