"""Recording, passes, layout and emission do work in proportion to the operations (n log n at most), and recurse over none."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad
from adjoint.backends import Backend
from adjoint.backends.numpy.tiles import MOST

from .growing import PROGRAMS, bytecodes
from .steps import alike, arrays


@pytest.mark.parametrize("name", PROGRAMS)
def test_recording_four_times_the_operations_is_four_times_the_work(name: str) -> None:
    work = []
    for n in (16, 64, 256):
        function, args = PROGRAMS[name](n)
        work.append(bytecodes(ad.capture(function), *args))
    growth = (work[2] - work[1]) / (work[1] - work[0])
    assert growth < 4.25, f"{work} bytecodes for 16, 64 and 256 steps"


@pytest.mark.parametrize(
    "name", ["large arrays", "gradients of large arrays", "computed twice", "rows written inside", "runge kutta"]
)
def test_a_long_program_gives_the_same_bits(name: str, backend: Backend) -> None:
    function, args = PROGRAMS[name](MOST)  # twice as many operations as a chain may have
    captured = ad.capture(function)
    captured(*args)
    assert alike(arrays([captured(*args)]), arrays([function(*args)]), backend)


def test_views_may_be_nested_to_any_depth() -> None:
    w, x = ad.zeros(2, 2), ad.tensor([1.0, 2.0])

    def function(x: ad.Tensor) -> ad.Tensor:
        view = w
        for _ in range(4001):  # more than Python's calls may be nested
            view = view.t()
        view[0] = x
        return view * 1.0

    captured = ad.capture(function)
    for scale in (1.0, 2.0):
        assert captured(x * scale).tolist() == [[scale, 2 * scale], [0.0, 0.0]]
        assert w.tolist() == [[scale, 0.0], [2 * scale, 0.0]]


def test_outside_arrays_that_share_bytes_have_one_memory_whoever_owns_them() -> None:
    buffer = bytearray(24)
    first, last, whole = (np.ndarray(n, np.float32, buffer, offset) for n, offset in ((2, 0), (2, 16), (6, 0)))
    a, b, c = (ad.Tensor(array, ad.backends.get("numpy")) for array in (first, last, whole))

    def function(x: ad.Tensor) -> ad.Tensor:
        before = c * 1.0
        a.add_(x)
        b.add_(x)
        return before + c * 1.0  # computed anew, since both writes are seen through it

    captured = ad.capture(function)
    captured(ad.ones(2))
    assert captured(ad.ones(2)).tolist() == [3.0, 3.0, 0.0, 0.0, 3.0, 3.0]
