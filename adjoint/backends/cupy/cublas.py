"""Matrix products by cuBLAS, called directly: CuPy itself does not call it while a stream is captured."""

from __future__ import annotations

import ctypes
import sys
from typing import Any, NamedTuple

import cupy as cp
import numpy as np

from .expressions import Space, broadcast_strides, element_strides

WORKSPACE = 32 << 20  # what cuBLAS recommends for the largest GPUs


class Product(NamedTuple):
    """A matrix product as the arguments of cuBLAS' function, without the handle."""

    dtype: Any
    arrays: list[Any]
    operations: tuple[int, int]
    sizes: tuple[int, int, int]
    leading: tuple[int, int, int]
    strides: tuple[int, int, int]
    batch: int


def product(target: Any, a: Any, b: Any) -> Product | None:
    """The product for cuBLAS, or None if it cannot compute it. Matrices are column-major there: target^T = b^T a^T."""
    dtype = target.dtype
    if dtype.name not in ("float32", "float64") or not (a.dtype == b.dtype == dtype) or not target.size or not a.size:
        return None
    forms = [_leading(array) for array in (b, a, target)]
    batch = _batch(target, a, b)
    if None in forms or batch is None or forms[2][0] or cublas() is None:  # type: ignore[index]
        return None
    (op_b, ld_b), (op_a, ld_a), (_, ld_y) = forms  # type: ignore[misc]
    rows, columns = target.shape[-2:]
    count, strides = batch
    return Product(dtype, [b, a, target], (op_b, op_a), (columns, rows, a.shape[-1]), (ld_b, ld_a, ld_y), strides, count)


def _leading(array: Any) -> tuple[int, int] | None:
    """Whether the matrices are transposed, and their leading dimension; None if neither rows nor columns are contiguous."""
    rows, columns = array.shape[-2:]
    down, right = element_strides(array)[-2:]
    if right == 1 or columns == 1:
        leading = down if rows > 1 else columns
        if leading >= columns:
            return 0, leading
    if down == 1 or rows == 1:
        leading = right if columns > 1 else rows
        if leading >= rows:
            return 1, leading
    return None


def _batch(target: Any, a: Any, b: Any) -> tuple[int, tuple[int, int, int]] | None:
    """The number of matrices, and the batch strides of b, a and the target; None if these are not even."""
    space = Space(target.shape[:-2])
    for name, array in (("y", target), ("b", b), ("a", a)):
        batch = array[..., 0, 0]
        space.strides[name] = broadcast_strides(batch, space.shape)
    lengths, strides = space.merged()
    if not lengths:
        return 1, (0, 0, 0)
    if len(lengths) > 1:
        return None
    return lengths[0], (strides["b"][0], strides["a"][0], strides["y"][0])


class Blas:
    """cuBLAS with its own handle and workspace, so that calls can be captured."""

    def __init__(self, library: Any) -> None:
        self._library, self._handle = library, ctypes.c_void_p()
        pointer, integer = ctypes.c_void_p, ctypes.c_int
        for name in ("cublasSgemmStridedBatched", "cublasDgemmStridedBatched"):
            number = ctypes.POINTER(ctypes.c_float if name[6] == "S" else ctypes.c_double)
            matrix = [pointer, integer, ctypes.c_longlong]
            getattr(library, name).argtypes = [pointer, *[integer] * 5, number, *matrix, *matrix, number, *matrix, integer]
        library.cublasCreate_v2.argtypes = [ctypes.POINTER(pointer)]
        library.cublasSetStream_v2.argtypes = [pointer, pointer]
        library.cublasSetWorkspace_v2.argtypes = [pointer, pointer, ctypes.c_size_t]
        self._do("cublasCreate_v2", ctypes.byref(self._handle))
        self._workspace = cp.empty(WORKSPACE, np.uint8)

    def _do(self, name: str, *args: Any) -> None:
        status = getattr(self._library, name)(*args)
        if status:
            raise RuntimeError(f"cuBLAS: {name} failed with status {status}")

    def use(self, stream: Any) -> None:
        """Use this stream. The workspace is set again, since setting a stream resets it."""
        self._do("cublasSetStream_v2", self._handle, stream.ptr)
        self._do("cublasSetWorkspace_v2", self._handle, self._workspace.data.ptr, WORKSPACE)

    def multiply(self, product: Product) -> None:
        """Put the product on the stream."""
        letter, number = ("S", ctypes.c_float) if product.dtype == np.float32 else ("D", ctypes.c_double)
        matrices = [
            (array.data.ptr, leading, stride)
            for array, leading, stride in zip(product.arrays, product.leading, product.strides, strict=True)
        ]
        one, zero = number(1.0), number(0.0)
        self._do(
            f"cublas{letter}gemmStridedBatched", self._handle, *product.operations, *product.sizes, ctypes.byref(one),
            *matrices[0], *matrices[1], ctypes.byref(zero), *matrices[2], product.batch,
        )  # fmt: skip


_blas: dict[int, Blas | None] = {}


def cublas() -> Blas | None:
    """The current device's cuBLAS; None if the library is not found, and a kernel computes products."""
    device = cp.cuda.Device().id
    if device not in _blas:
        try:
            _blas[device] = Blas(library())
        except (OSError, ImportError, AttributeError, RuntimeError):
            _blas[device] = None
    return _blas[device]


def library() -> Any:
    """The library that CuPy has already loaded, by its name."""
    from cupy_backends.cuda.libs import cublas as bindings

    major = bindings.getVersion(cp.cuda.Device().cublas_handle) // 10000
    return ctypes.CDLL(f"cublas64_{major}.dll" if sys.platform == "win32" else f"libcublas.so.{major}")
