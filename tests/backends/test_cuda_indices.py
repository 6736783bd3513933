"""CUDA kernels on arrays of more than 2^31 elements: the source's indices do not overflow.

The kernels run on the CPU, on memory that is reserved and hardly touched: of a large grid only the last block runs.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from math import prod
from typing import Any

import fake_cupy
import numpy as np
import pytest

from adjoint.backends.cupy import source

pytestmark = pytest.mark.skipif(fake_cupy.COMPILER is None, reason="needs g++ to run CUDA source on the CPU")

LAST = slice(-1, None)


def large(*shape: int, dtype: str = "uint8") -> Any:
    """Zeros of which only what is touched takes memory, between others that a wrong index of 32 bits falls into."""
    around = np.dtype(dtype).itemsize << 31
    size = prod(shape) * np.dtype(dtype).itemsize
    try:
        memory = mmap.mmap(
            -1, size + 2 * around, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)
        )
    except (OSError, ValueError, OverflowError):
        pytest.skip("no such range of addresses can be reserved")
    return np.frombuffer(memory, dtype, prod(shape), around).reshape(shape)


def run(kernels: Any, blocks: slice = slice(None)) -> None:
    """Run some blocks of each kernel."""
    for kernel in kernels if type(kernels) is list else [kernels]:
        raw = fake_cupy.RawKernel(kernel.source, kernel.name)
        raw.compile()
        raw(kernel.grid, kernel.block, [array.view(fake_cupy.ndarray) for array in kernel.arrays], blocks=blocks)


def far(x: Any, shape: tuple[int, ...], *strides: int) -> Any:
    """Elements of x, from the first, at strides counted in elements."""
    return np.lib.stride_tricks.as_strided(x, shape, [stride * x.itemsize for stride in strides])


def copies_in_order() -> tuple[Any, Any]:
    x, y = large(70000, 70000), large(70000, 70000)  # more than 2^32
    x[-1, -256:] = np.arange(256)
    run(source.copy(y, x), LAST)
    return y[-1, -256:], x[-1, -256:]


def copies_transposed() -> tuple[Any, Any]:
    x, y = large(60000, 40000), large(40000, 60000)
    x[-64:, -1] = np.arange(1, 65)
    run(source.copy(y, x.T), LAST)
    return y[-1, -64:], x[-64:, -1]


def copies_a_broadcast_row() -> tuple[Any, Any]:
    x, y = large(1, 40000), large(60000, 40000)
    x[0, -256:] = np.arange(256)
    run(source.copy(y, x), LAST)
    return y[-1, -256:], x[0, -256:]


def copies_elements_that_lie_far_apart() -> tuple[Any, Any]:
    x, y = far(large(5 << 30), (3, 2), 3 << 29, 1 << 29), np.zeros((3, 2), "uint8")
    x[...] = np.arange(6).reshape(3, 2)
    run(source.copy(y, x))
    return y, np.arange(6).reshape(3, 2)


def copies_backwards() -> tuple[Any, Any]:
    x, y = far(large(5 << 30), (3,), 3 << 29), np.zeros(3, "uint8")
    x[...] = [1, 2, 3]
    z = np.lib.stride_tricks.as_strided(x[2:], (3,), (-3 << 29,))
    run(source.copy(y, z))
    return y, np.array([3, 2, 1])


def fills_a_triangle() -> tuple[Any, Any]:
    x, y = large(60000, 40000), large(60000, 40000)
    x[-1, -100:], y[-1, -100:] = 7, 1
    run(source.triangle("tril", y, x, -20050), LAST)
    return y[-1, -100:], np.where(np.arange(39900, 40000) - 59999 <= -20050, 7, 0)


def gathers_a_row_by_number() -> tuple[Any, Any]:
    x, y = large(60000, 40000), large(1, 40000)
    x[-1, -256:] = np.arange(256)
    run(source.gather(y, x, np.array([59999])), LAST)
    return y[0, -64:], x[-1, -64:]


def gathers_behind_an_integer() -> tuple[Any, Any]:
    x, y = large(3, 1, 900_000_000), large(1, 900_000_000)
    x[2, 0, -64:] = np.arange(1, 65)
    run(source.gather(y, x, (2, np.array([0]))), LAST)
    return y[0, -64:], x[2, 0, -64:]


def gathers_from_a_long_vector() -> tuple[Any, Any]:
    x, y = large(3 << 30), np.zeros(3, "uint8")
    x[[-1, -3]] = 5, 6
    run(source.gather(y, x, np.array([(3 << 30) - 1, -3, 0])))
    return y, np.array([5, 6, 0])


def gathers_many() -> tuple[Any, Any]:
    x, y, rows = np.arange(40000 % 251, 40000 % 251 + 40000).astype("uint8")[None], large(60000, 40000), np.zeros(60000, np.int64)
    run(source.gather(y, x, rows), LAST)
    return y[-1, -64:], x[0, -64:]


def scatters_a_row() -> tuple[Any, Any]:
    x, y = large(1, 40000), large(60000, 40000)
    x[0, -64:] = np.arange(1, 65)
    run(source.scatter(y, np.array([59999]), x), LAST)
    return y[-1, -64:], x[0, -64:]


def scatters_behind_an_integer() -> tuple[Any, Any]:
    x, y = large(1, 900_000_000), large(3, 1, 900_000_000)
    x[0, -64:] = np.arange(1, 65)
    run(source.scatter(y, (2, np.array([0])), x), LAST)
    return y[2, 0, -64:], x[0, -64:]


def scatters_the_last_of_several() -> tuple[Any, Any]:
    x, y, last = np.array([[1], [2], [3]], "uint8"), large(60000, 40000)[:, :1], large(60000, 40000, dtype="int32")[:, :1]
    for kernel in source.scatter_last(y, np.array([59999, 5, 59999]), x, last):
        run(kernel)
    return y[[5, 59999], 0], np.array([2, 3])


def scatters_the_last_of_many() -> tuple[Any, Any]:
    x, y, last = large(60000, 40000), large(60000, 40000), large(60000, 40000, dtype="int32")
    x[-1, -64:] = np.arange(1, 65)
    for kernel in source.scatter_last(y, np.arange(60000), x, last):
        run(kernel, LAST)
    return y[-1, -64:], x[-1, -64:]


def adds_up_by_number() -> tuple[Any, Any]:
    x, y = large(1, 40000, dtype="int32"), large(60000, 40000, dtype="int32")
    x[0, -64:], y[-1, -64:] = np.arange(1, 65), 5
    run(source.scatter_add(y, np.array([59999]), x), LAST)
    return y[-1, -64:], x[0, -64:] + 5


def multiplies_rows_that_lie_far_apart() -> tuple[Any, Any]:
    a, b = far(large(5 << 30), (20, 3), 1 << 28, 1), np.arange(12, dtype="uint8").reshape(3, 4)
    a[...] = np.arange(60).reshape(20, 3) % 7
    y = np.zeros((20, 4), "uint8")
    run(source.matmul(y, a, b))
    return y, a @ b


def multiplies_columns_that_lie_far_apart() -> tuple[Any, Any]:
    a, b = np.arange(12, dtype="uint8").reshape(4, 3), far(large(5 << 30), (3, 20), 1, 1 << 28)
    b[...] = np.arange(60).reshape(3, 20) % 7
    y = np.zeros((4, 20), "uint8")
    run(source.matmul(y, a, b))
    return y, a @ b


def multiplies_along_an_axis_that_reaches_far() -> tuple[Any, Any]:
    a, b = far(large(5 << 30), (2, 20), 1, 1 << 28), far(large(5 << 30), (20, 2), 1 << 28, 1)
    a[...], b[...] = np.arange(40).reshape(2, 20) % 5, np.arange(40).reshape(20, 2) % 3
    y = np.zeros((2, 2), "uint8")
    run(source.matmul(y, a, b))
    return y, a @ b


def multiplies_into_rows_that_lie_far_apart() -> tuple[Any, Any]:
    a, b = np.arange(60, dtype="uint8").reshape(20, 3) % 7, np.arange(12, dtype="uint8").reshape(3, 4)
    y = far(large(5 << 30), (20, 4), 1 << 28, 1)
    run(source.matmul(y, a, b))
    return y, a @ b


def multiplies_batches_that_lie_far_apart() -> tuple[Any, Any]:
    a, b = far(large(5 << 30), (3, 2, 3), 3 << 29, 3, 1), np.arange(12, dtype="uint8").reshape(3, 4)
    a[...] = np.arange(18).reshape(3, 2, 3) % 7
    y = np.zeros((3, 2, 4), "uint8")
    run(source.matmul(y, a, b))
    return y, a @ b


def reduces_what_lies_far_apart() -> tuple[Any, Any]:
    x, y = far(large(5 << 30), (3, 2), 3 << 29, 1), np.zeros(2, "uint8")
    x[...] = np.arange(6).reshape(3, 2)
    run(source.reduction("max", y, x, 0))
    return y, x.max(0)


def reduces_each_of_what_lies_far_apart() -> tuple[Any, Any]:
    x, y = far(large(5 << 30), (40, 3), 1, 3 << 29), np.zeros(3, "uint8")
    x[...] = np.arange(120).reshape(40, 3)
    run(source.reduction("max", y, x, 0))
    return y, x.max(0)


def computes_many_elements() -> tuple[Any, Any]:
    x, y = large(60000, 40000), large(60000, 40000)
    x[-1, -64:] = np.arange(64)
    kernel = source.Elementwise("add", y.shape)
    number = kernel.compute("add", [source.Operand(kernel.place(x), x.dtype), source.Operand(3)], y.dtype)
    kernel.store(kernel.place(y), number)
    run(kernel.build(), LAST)
    return y[-1, -64:], x[-1, -64:] + 3


CASES: list[Callable[[], tuple[Any, Any]]] = [
    copies_in_order, copies_transposed, copies_a_broadcast_row, copies_elements_that_lie_far_apart, copies_backwards,
    fills_a_triangle, gathers_a_row_by_number, gathers_behind_an_integer, gathers_from_a_long_vector, gathers_many,
    scatters_a_row, scatters_behind_an_integer, scatters_the_last_of_several, scatters_the_last_of_many, adds_up_by_number,
    multiplies_rows_that_lie_far_apart, multiplies_columns_that_lie_far_apart, multiplies_along_an_axis_that_reaches_far,
    multiplies_into_rows_that_lie_far_apart, multiplies_batches_that_lie_far_apart, reduces_what_lies_far_apart,
    reduces_each_of_what_lies_far_apart, computes_many_elements,
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_kernel_finds_elements_beyond_32_bits_or_says_that_it_does_not(case: Callable[[], tuple[Any, Any]]) -> None:
    try:
        found, expected = case()
    except source.Unsupported:
        return
    np.testing.assert_array_equal(found, expected)
