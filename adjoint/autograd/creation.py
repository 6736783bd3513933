"""New tensors: from data, filled with one value, ranges.

Parameters that mean the same in all of them and in :mod:`adjoint.autograd.random`: ``dtype`` (default: float32, or int64 for
integers), ``device`` (default: that of :func:`adjoint.use_backend`), ``requires_grad`` (record operations on the tensor, default
False), ``size`` and ``shape`` (the shape by keyword), ``generator`` (the :class:`Generator` to draw from, default: the global one).
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from .. import backends
from ..backends import Backend, DType, as_dtype, dtypes
from ..errors import BackendError, GraphError
from .arguments import NUMBERS, also, number, reads_numbers, size_given, sizes_of
from .modes import state
from .rules import shapes, sorting
from .tensor import Tensor, leaf

__all__ = [
    "arange", "as_tensor", "asarray", "empty", "empty_like", "eye", "from_dlpack", "from_numpy", "full", "full_like",
    "linspace", "logspace", "ones", "ones_like", "tensor", "tril_indices", "triu_indices", "zeros", "zeros_like",
]  # fmt: skip

#: Kinds of memory, by the numbers DLPack gives them, and the backend that has it: the CPU's, what the CPU keeps pinned for CUDA,
#: CUDA's, and what CUDA manages in both.
_MEMORY = {1: "cpu", 3: "cpu", 2: "cuda", 13: "cuda"}


def _place(device: Any, dtype: Any) -> tuple[Any, DType | None]:
    return (backends.default() if device is None else backends.get(device)), (None if dtype is None else as_dtype(dtype))


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of ``data``: a number, nested lists, a NumPy array, a backend's array or a Tensor.

    Python floats become float32 and integers int64; arrays keep their dtype. Tensors and arrays of a device stay on it
    where ``device`` is not given; lists, numbers and NumPy arrays go to :func:`adjoint.use_backend`'s.

    Raises:
        ValueError: the nested lists are ragged.
        TypeError: the values are not numbers or out of int64's range, or ``requires_grad`` is asked of integers.
        GraphError: a Tensor, or one in the lists, requires a gradient, which the copy would lose in silence.

    >>> tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    >>> tensor([1.0, 2.0], requires_grad=True)
    tensor([1., 2.], requires_grad=True)
    """
    if isinstance(data, Tensor):
        keep_graph("tensor", data, "the data is a tensor that", ".clone() and .to()")
        device = data.backend if device is None else device
        data, source = data._array, data.backend
    else:
        backend = backends.of_array(data)
        source = backend if backend is not None else backends.get("numpy")
        if device is None and source.name != "numpy":
            device = source  # nothing is silently moved off its device
        if backend is None:
            typed = _has_dtype(data)
            data = backends.parse(_plain(data), None if dtype is None else as_dtype(dtype))
            if dtype is None and not typed:
                if data.dtype.kind == "u":
                    raise TypeError(f"tensor: {data.max()} is out of int64's range; pass dtype='uint64' or 'float64'")
                dtype = dtypes.float32 if data.dtype.kind == "f" else None
    array: Any = data  # an array of source's now
    target, dtype = _place(device, dtype)
    if array.dtype not in source.dtypes and dtype is None:
        names = ", ".join(d.name for d in dtypes.ALL)
        raise TypeError(f"tensor: cannot hold dtype {array.dtype} without loss; convert it to one of {names}")
    if source is target:
        return leaf(target.asarray(array, dtype, copy=True), target, requires_grad)
    return leaf(target.asarray(source.to_numpy(array), dtype, copy=True), target, requires_grad)


def keep_graph(name: str, x: Tensor, what: str, kept: str) -> None:
    """Raise ``GraphError`` where the values of ``x`` are about to be taken out of its graph."""
    if state.recording and x.requires_grad:
        raise GraphError(f"{name}: {what} requires a gradient, which would be lost; use {kept}, or .detach() it first")


def _plain(data: Any) -> Any:
    """Nested lists with the tensors in them replaced by their values."""
    if isinstance(data, Tensor):
        keep_graph("tensor", data, "the lists hold a tensor that", "ad.stack")
        return data.backend.to_numpy(data._array)
    return [_plain(part) for part in data] if isinstance(data, (list, tuple)) else data


def _has_dtype(data: Any) -> bool:
    """Whether the first element in nested lists brings a dtype of its own, as arrays and tensors do and Python's numbers do not."""
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return hasattr(data, "dtype")


def as_tensor(data: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """``data`` as a tensor without a copy where its memory can be shared: a Tensor itself, a backend's array by reference."""
    if isinstance(data, Tensor):
        same = (device is None or backends.get(device) is data.backend) and (dtype is None or as_dtype(dtype) is data.dtype)
        return data if same else data.to(device=device, dtype=dtype)
    backend = backends.of_array(data)
    if backend is None or (device is not None and backends.get(device) is not backend) or data.dtype not in backend.dtypes:
        return tensor(data, dtype=dtype, device=device)
    if device is None and backend is not backends.default():
        return tensor(data, dtype=dtype)
    return leaf(backend.asarray(data, None if dtype is None else as_dtype(dtype)), backend)


def asarray(obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool = False) -> Tensor:
    """``obj`` as a tensor outside of any graph: a copy, memory shared with it (``copy=False``), or shared where it can be (None).

    Raises ``ValueError`` where memory that may not be copied cannot be shared, and ``GraphError`` where a tensor in a list
    requires a gradient.

    >>> import numpy
    >>> array = numpy.zeros(2)
    >>> asarray(array, copy=False).fill_(1.0)
    tensor([1., 1.], dtype=adjoint.float64)
    >>> array
    array([1., 1.])
    """
    if copy:
        return tensor(obj.detach() if isinstance(obj, Tensor) else obj, dtype=dtype, device=device, requires_grad=requires_grad)
    result = as_tensor(obj, dtype=dtype, device=device)
    if copy is False and result is not obj and result._array is not obj:
        raise ValueError(f"asarray: {type(obj).__name__} cannot be given as {result.dtype} on '{result.device}' without a copy")
    return result.detach().requires_grad_(requires_grad)


def from_numpy(array: Any) -> Tensor:
    """A CPU tensor that shares the memory of the NumPy ``array``. Raises ``TypeError`` on others and on unknown dtypes."""
    backend = backends.get("numpy")
    if backends.of_array(array) is not backend:
        raise TypeError(f"from_numpy: takes a NumPy array, not {type(array).__name__}")
    if array.dtype not in backend.dtypes:
        raise TypeError(f"from_numpy: cannot share memory of dtype {array.dtype}; convert it with .astype first")
    return leaf(array, backend)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor over the memory of another library's array: a change to one shows in the other.

    Args:
        x: an array that has ``__dlpack__`` and ``__dlpack_device__``: of NumPy, PyTorch, JAX, CuPy, …, or a tensor.
        device: where the tensor is to be; where the array is, if None.
        copy: whether the memory is copied: always, never (False), or, where None, if it cannot be shared.

    Raises:
        TypeError: ``x`` has no ``__dlpack__``, or holds a dtype that tensors cannot.
        BackendError: there is no backend for the memory it is in.
        ValueError: a copy is needed where ``copy`` is False.

    >>> import array, numpy
    >>> shared = numpy.ones(2)
    >>> tensor = from_dlpack(shared)
    >>> shared[0] = 5.0
    >>> tensor
    tensor([5., 1.], dtype=adjoint.float64)
    """
    if not (hasattr(x, "__dlpack__") and hasattr(x, "__dlpack_device__")):
        raise TypeError(f"from_dlpack: takes an array with __dlpack__ and __dlpack_device__, not {type(x).__name__}")
    source = _home(x)
    try:
        array = source.xp.from_dlpack(x)
    except (RuntimeError, BufferError) as error:
        if isinstance(error, BufferError) and "dtype" not in str(error):
            raise
        raise TypeError(f"from_dlpack: {error}; convert the array to a dtype that tensors have first") from error
    if array.dtype not in source.dtypes:
        raise TypeError(f"from_dlpack: cannot hold dtype {array.dtype}; convert it first")
    target = source if device is None else backends.get(device)
    if copy is False and target is not source:
        raise ValueError(f"from_dlpack: the array is on '{source.device}'; without a copy it cannot be on '{target.device}'")
    result = leaf(source.asarray(array, copy=bool(copy) and target is source), source)
    return result if target is source else result.to(target)


def _home(x: Any) -> Backend:
    if isinstance(x, Tensor):
        return x.backend
    if (backend := backends.of_array(x)) is not None:
        return backend
    kind, index = x.__dlpack_device__()
    name = _MEMORY.get(int(kind))
    if name is None:
        raise BackendError(f"from_dlpack: no backend has memory of DLPack's kind {int(kind)}; copy the array to the CPU first")
    return backends.get(name if name == "cpu" else f"{name}:{index}")


def full(
    size: int | tuple[int, ...] | None = None,
    fill_value: float | None = None,
    *,
    shape: int | tuple[int, ...] | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of ``size`` (or ``shape``) filled with ``fill_value``. Raises ``TypeError`` without ``fill_value``."""
    if size is None or shape is not None:
        (size,) = size_given("full", () if size is None else (size,), None, shape)
    if fill_value is None:
        raise TypeError("full: give a fill_value")
    backend, dtype = _place(device, dtype)
    if type(fill_value) not in NUMBERS:
        fill_value = number("full", "fill_value", fill_value)
    name = (dtypes.of_number(fill_value) if dtype is None else dtype).name
    sizes = sizes_of("full", size if type(size) is tuple else (size,))
    return leaf(backend.xp.full(sizes, fill_value, dtype=getattr(backend.xp, name)), backend, requires_grad)


def zeros(
    *sizes: Any, size: Any = None, shape: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Zeros, float32 unless ``dtype`` says otherwise; the sizes as numbers, one tuple, or the keyword ``size`` or ``shape``.

    >>> zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    if size is not None or shape is not None:
        sizes = size_given("zeros", sizes, size, shape)
    return full(sizes_of("zeros", sizes), 0.0, dtype=dtype or dtypes.float32, device=device, requires_grad=requires_grad)


def ones(
    *sizes: Any, size: Any = None, shape: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Ones, float32 unless ``dtype`` says otherwise; the sizes as numbers, one tuple, or the keyword ``size`` or ``shape``."""
    if size is not None or shape is not None:
        sizes = size_given("ones", sizes, size, shape)
    return full(sizes_of("ones", sizes), 1.0, dtype=dtype or dtypes.float32, device=device, requires_grad=requires_grad)


def empty(
    *sizes: Any, size: Any = None, shape: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor with uninitialized values."""
    if size is not None or shape is not None:
        sizes = size_given("empty", sizes, size, shape)
    backend, dtype = _place(device, dtype or dtypes.float32)
    assert dtype is not None
    return leaf(backend.xp.empty(sizes_of("empty", sizes), dtype=getattr(backend.xp, dtype.name)), backend, requires_grad)


def zeros_like(x: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros in the shape of ``x``, and in its dtype and on its device unless others are given."""
    return zeros(x.shape, dtype=dtype or x.dtype, device=x.backend if device is None else device, requires_grad=requires_grad)


def ones_like(x: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones in the shape of ``x``, and in its dtype and on its device unless others are given."""
    return ones(x.shape, dtype=dtype or x.dtype, device=x.backend if device is None else device, requires_grad=requires_grad)


def empty_like(x: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """:func:`empty` in the shape of ``x``, and in its dtype and on its device unless others are given."""
    return empty(x.shape, dtype=dtype or x.dtype, device=x.backend if device is None else device, requires_grad=requires_grad)


@reads_numbers
def full_like(x: Tensor, fill_value: float, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """``fill_value`` in the shape of ``x``, and in its dtype and on its device unless others are given."""
    return full(
        x.shape, fill_value, dtype=dtype or x.dtype, device=x.backend if device is None else device, requires_grad=requires_grad
    )


@also(end="stop")
def arange(
    start: float, end: float | None = None, step: float = 1, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """``start``, ``start + step``, … up to but excluding ``end``; int64, or float32 if an argument is a float.

    Args:
        start: the first value; ``arange(end)`` starts from 0.
        end: the exclusive bound.
        step: the difference of neighbouring values.

    Raises ``ValueError`` if ``step`` is 0.

    >>> arange(3), arange(0.0, 1.0, 0.5)
    (tensor([0, 1, 2]), tensor([0.0000, 0.5000]))
    """
    backend, dtype = _place(device, dtype)
    if not (type(start) in NUMBERS and type(step) in NUMBERS and (end is None or type(end) in NUMBERS)):
        start, step = number("arange", "start", start), number("arange", "step", step)
        end = None if end is None else number("arange", "end", end)
    if step == 0:
        raise ValueError("arange: the step is 0; it must lead from start towards end")
    if end is None:
        start, end = 0, start
    if dtype is None:
        dtype = dtypes.float32 if any(isinstance(v, float) for v in (start, end, step)) else dtypes.int64
    xp = backend.xp
    first = xp.float64 if dtype.kind == "float" else getattr(xp, dtype.name)  # a rounded step would add up
    return leaf(xp.astype(xp.arange(start, end, step, dtype=first), getattr(xp, dtype.name)), backend, requires_grad)


@also(end="stop", steps="num")
@reads_numbers
def linspace(start: float, end: float, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """``start + i (end - start) / (steps - 1)`` for i = 0, …, ``steps - 1``.

    Args:
        start: the first value.
        end: the last value, included.
        steps: the number of values.
    """
    backend, dtype = _place(device, dtype or dtypes.float32)
    assert dtype is not None
    return leaf(backend.xp.linspace(start, end, steps, dtype=getattr(backend.xp, dtype.name)), backend, requires_grad)


@reads_numbers
def logspace(
    start: float,
    end: float,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``base`` to the powers of ``linspace(start, end, steps)``.

    Args:
        start: the first exponent.
        end: the last exponent, included.
        steps: the number of values.
        base: the base of the powers.

    >>> logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    exponents = linspace(start, end, steps, dtype=dtypes.float64, device=device)
    return (base**exponents).to(dtype or dtypes.float32).requires_grad_(requires_grad)


@reads_numbers
def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The indices (2, N) of the lower triangle of a matrix, row by row; int64.

    Args:
        row: the matrix's number of rows.
        col: its number of columns.
        offset: the last diagonal included; 0 is the main one, positive ones lie above.

    >>> tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    return _indices([0] * row, [min(max(i + offset + 1, 0), col) for i in range(row)], dtype, device)


@reads_numbers
def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The indices (2, N) of the upper triangle of a matrix, row by row; int64.

    Args:
        row: the matrix's number of rows.
        col: its number of columns.
        offset: the first diagonal included; 0 is the main one, positive ones lie above.
    """
    return _indices([min(max(i + offset, 0), col) for i in range(row)], [col] * row, dtype, device)


def _indices(begins: list[int], ends: list[int], dtype: Any, device: Any) -> Tensor:
    """The rows and columns, (2, N), of the columns from ``begins`` to before ``ends`` of each row."""
    starts = [0, *accumulate(end - begin for begin, end in zip(begins, ends, strict=True))]
    at = arange(starts[-1], device=device)
    rows = sorting.searchsorted(tensor(starts[1:], dtype=dtypes.int64, device=device), at, side="right")
    shifts = tensor([begin - start for begin, start in zip(begins, starts, strict=False)], dtype=dtypes.int64, device=device)
    columns = at + shifts[rows]
    return shapes.concat(shapes.expand_dims(rows, axis=0), shapes.expand_dims(columns, axis=0)).to(dtype or dtypes.int64)


@reads_numbers
def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones on the diagonal of an n by m matrix of zeros."""
    backend, dtype = _place(device, dtype or dtypes.float32)
    assert dtype is not None
    return leaf(backend.xp.eye(n, n if m is None else m, dtype=getattr(backend.xp, dtype.name)), backend, requires_grad)
