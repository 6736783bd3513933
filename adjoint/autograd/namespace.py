"""The differentiable namespace: the Array API's functions on Tensors, which makes any code written against it differentiable.

Its primitives entered it as they were declared, under the standard's names. Here are the functions whose signature in the standard
is not the primitive's (https://data-apis.org/array-api/2025.12/), dtypes and constants. What the standard takes by keyword only may
be given by position too, in NumPy's order. A 0-d tensor is weaker than one with dimensions where dtypes promote, as everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from .. import backends
from ..backends import DType, as_dtype, dtypes
from ..backends.standard import VERSIONS, constants
from . import arguments, creation, functions as f, graph
from .functions.linalg import decompositions as factors
from .functions.sorting import firsts, in_order
from .rules import elementwise, reductions, shapes
from .rules.linalg import matrix_transpose
from .tensor import Tensor

xp = graph.differentiable
__array_api_version__ = VERSIONS[-1]
Axes = int | tuple[int, ...] | None
Shape = int | tuple[int, ...]

#: What of this file is in the namespace.
OFFERED = (
    "asarray from_dlpack zeros ones full empty arange zeros_like ones_like full_like empty_like eye linspace meshgrid "
    "astype isdtype result_type can_cast finfo iinfo reciprocal positive conj real clip signbit "
    "broadcast_shapes broadcast_arrays matmul moveaxis concat stack reshape repeat tile unstack take take_along_axis "
    "sum prod mean var std count_nonzero cumulative_sum cumulative_prod diff vecdot tensordot "
    "argsort sort searchsorted nonzero isin unique_all unique_counts unique_inverse unique_values linalg "
    "__array_namespace_info__ __array_api_version__"
).split()

# --- new arrays --------------------------------------------------------------------------------------------------------------


from_dlpack = creation.from_dlpack


def asarray(obj: Any, dtype: Any = None, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """``obj`` as a tensor, which stays on the graph. Raises ``ValueError`` where it must be copied and ``copy`` is False."""
    shared = isinstance(obj, Tensor) or (hasattr(obj, "__array_namespace__") and hasattr(obj, "dtype"))
    tensor = creation.as_tensor(obj, dtype=dtype, device=device) if shared and not copy else None
    if tensor is None and isinstance(obj, Tensor):
        return obj.to(device=device, dtype=dtype, copy=True)
    if copy is False and (tensor is None or (tensor is not obj and isinstance(obj, Tensor))):
        raise ValueError("asarray: this cannot be done without a copy, which copy=False forbids")
    return creation.tensor(obj, dtype=dtype, device=device) if tensor is None else tensor


def zeros(shape: Shape, dtype: Any = None, *, device: Any = None) -> Tensor:
    return creation.zeros(shape, dtype=dtype, device=device)


def ones(shape: Shape, dtype: Any = None, *, device: Any = None) -> Tensor:
    return creation.ones(shape, dtype=dtype, device=device)


def empty(shape: Shape, dtype: Any = None, *, device: Any = None) -> Tensor:
    return creation.empty(shape, dtype=dtype, device=device)


def full(shape: Shape, fill_value: float, dtype: Any = None, *, device: Any = None) -> Tensor:
    return creation.full(shape, fill_value, dtype=dtype, device=device)


def zeros_like(x: Tensor, dtype: Any = None, *, device: Any = None) -> Tensor:
    return full_like(x, 0, dtype, device=device)


def ones_like(x: Tensor, dtype: Any = None, *, device: Any = None) -> Tensor:
    return full_like(x, 1, dtype, device=device)


def empty_like(x: Tensor, dtype: Any = None, *, device: Any = None) -> Tensor:
    return empty(x.shape, x.dtype if dtype is None else dtype, device=x.backend if device is None else device)


def full_like(x: Tensor, fill_value: float, dtype: Any = None, *, device: Any = None) -> Tensor:
    return full(x.shape, fill_value, x.dtype if dtype is None else dtype, device=x.backend if device is None else device)


def arange(start: float, stop: float | None = None, step: float = 1, dtype: Any = None, *, device: Any = None) -> Tensor:
    return creation.arange(start, stop, step, dtype=dtype, device=device)


def eye(n_rows: int, n_cols: int | None = None, *, k: int = 0, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones on the ``k``-th diagonal of a matrix of zeros."""
    rows = f.unsqueeze(arange(n_rows, device=device), 1)
    columns = arange(n_rows if n_cols is None else n_cols, device=device)
    return (rows + k == columns).to(dtypes.float32 if dtype is None else dtype)


def linspace(start: float, stop: float, num: int, *, dtype: Any = None, device: Any = None, endpoint: bool = True) -> Tensor:
    """``num`` numbers evenly from ``start`` to ``stop``, which is the last of them, or would come next."""
    return creation.linspace(start, stop, num if endpoint else num + 1, dtype=dtype, device=device)[:num]


def meshgrid(*arrays: Tensor, indexing: str = "xy") -> tuple[Tensor, ...]:
    return f.meshgrid(*arrays, indexing=indexing)


# --- dtypes ------------------------------------------------------------------------------------------------------------------

_KINDS = {
    "bool": ("bool",), "signed integer": ("int",), "unsigned integer": ("uint",), "integral": ("int", "uint"),
    "real floating": ("float",), "complex floating": (), "numeric": ("int", "uint", "float"),
}  # fmt: skip


def astype(x: Tensor, dtype: Any, *, copy: bool = True, device: Any = None) -> Tensor:
    return x.to(device=device, dtype=dtype, copy=copy)


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether ``dtype`` is of the kind, or one of the kinds or dtypes in a tuple."""
    if isinstance(kind, tuple):
        return any(isdtype(dtype, one) for one in kind)
    if isinstance(kind, str) and kind not in _KINDS:
        raise ValueError(f"isdtype: the kind is one of {', '.join(_KINDS)}, not {kind!r}")
    return as_dtype(dtype).kind in _KINDS[kind] if isinstance(kind, str) else as_dtype(dtype) is as_dtype(kind)


result_type = arguments.result_type


def can_cast(from_: Any, to: Any) -> bool:
    """Whether a tensor or dtype promotes to ``to``."""
    to = as_dtype(to)
    try:
        return dtypes.promote(as_dtype(getattr(from_, "dtype", from_)), to) is to
    except TypeError:  # they do not promote
        return False


def finfo(type: Any) -> dtypes.FloatInfo:
    return dtypes.finfo(getattr(type, "dtype", type))


def iinfo(type: Any) -> dtypes.IntegerInfo:
    return dtypes.iinfo(getattr(type, "dtype", type))


# --- element by element ------------------------------------------------------------------------------------------------------

reciprocal, positive = f.reciprocal, f.positive
conj = real = f.positive  # there are no complex tensors


def clip(x: Tensor, min: Any = None, max: Any = None) -> Tensor:
    return x if min is None and max is None else f.clamp(x, min, max)


def signbit(x: Tensor) -> Tensor:
    """Whether the sign is negative, that of zeros and NaN too."""
    return elementwise.less(f.copysign(1.0, x), 0)


# --- arranging ---------------------------------------------------------------------------------------------------------------

broadcast_shapes, broadcast_arrays, matmul = f.broadcast_shapes, f.broadcast_tensors, f.matmul
moveaxis = f.movedim


def concat(arrays: Sequence[Tensor], axis: int | None = 0) -> Tensor:
    return f.concat([f.ravel(x) for x in arrays] if axis is None else arrays, axis or 0)


def stack(arrays: Sequence[Tensor], axis: int = 0) -> Tensor:
    return f.stack(arrays, axis)


def reshape(x: Tensor, shape: Any, *, copy: bool | None = None) -> Tensor:
    reshaped = shapes.reshape(x, shape=(shape,) if isinstance(shape, int) else tuple(shape))
    if copy is False and x.backend.owner(reshaped._array) is not x.backend.owner(x._array):
        raise ValueError(f"reshape: a tensor of shape {x.shape} and strides {x.stride()} must be copied, which copy=False forbids")
    return f.clone(reshaped) if copy else reshaped


def repeat(x: Tensor, repeats: Any, axis: int | None = None) -> Tensor:
    return f.repeat_interleave(x, repeats, axis)


def tile(x: Tensor, repetitions: Any) -> Tensor:
    return f.tile(x, repetitions)


def unstack(x: Tensor, axis: int = 0) -> tuple[Tensor, ...]:
    return f.unbind(x, axis)


def take(x: Tensor, indices: Any, axis: int | None = None) -> Tensor:
    """The slices along ``axis`` at ``indices``, of any shape; of the flattened tensor where there is none."""
    if axis is None:
        return f.getitem(f.ravel(x), indices)
    return f.getitem(x, arguments.index_at(arguments.axis_of("take", axis, x.ndim), indices))


def take_along_axis(x: Tensor, indices: Tensor, axis: int = -1) -> Tensor:
    return f.take_along_dim(x, indices, axis)


# --- reductions --------------------------------------------------------------------------------------------------------------


def _total_dtype(x: Tensor, dtype: Any) -> Any:
    """``dtype``, or where it is None uint64 for unsigned integers: PyTorch, and so this library, adds them up in int64."""
    return dtypes.uint64 if dtype is None and x.dtype.kind == "uint" else dtype


def sum(x: Tensor, axis: Axes = None, dtype: Any = None, *, keepdims: bool = False) -> Tensor:
    return f.sum(x, axis=axis, keepdims=keepdims, dtype=_total_dtype(x, dtype))


def prod(x: Tensor, axis: Axes = None, dtype: Any = None, *, keepdims: bool = False) -> Tensor:
    dtype = _total_dtype(x, dtype)
    if not isinstance(axis, tuple):
        return f.prod(x, axis, keepdims, dtype=dtype)
    x = arguments.widened(x) if dtype is None else x.to(dtype)
    for along in sorted(reductions.reduced_axes(x.ndim, axis), reverse=True):
        x = f.prod(x, along, keepdims, dtype=x.dtype)
    return x


def mean(x: Tensor, axis: Axes = None, dtype: Any = None, *, keepdims: bool = False) -> Tensor:
    return reductions.mean(x if dtype is None else x.to(dtype), axis=axis, keepdims=keepdims)


def var(x: Tensor, axis: Axes = None, dtype: Any = None, *, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    return f.var(x if dtype is None else x.to(dtype), axis=axis, correction=correction, keepdims=keepdims)


def std(x: Tensor, axis: Axes = None, dtype: Any = None, *, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    return f.std(x if dtype is None else x.to(dtype), axis=axis, correction=correction, keepdims=keepdims)


def count_nonzero(x: Tensor, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    return f.sum(x != 0, axis=axis, keepdims=keepdims)


def _cumulative(scan: Any, name: str) -> Any:
    def cumulative(x: Tensor, axis: int | None = None, dtype: Any = None, *, include_initial: bool = False) -> Tensor:
        if axis is None:
            if x.ndim > 1:
                raise ValueError(f"{name}: the axis is needed for a tensor of {x.ndim} axes")
            axis = 0
        result: Tensor = scan(x, axis, dtype=_total_dtype(x, dtype))
        if include_initial:
            shape = (*result.shape[:axis], 1, *result.shape[axis % x.ndim + 1 :])
            start = full(shape, int(scan is f.cumprod), dtype=result.dtype, device=x.backend)
            result = f.concat([start, result], axis)
        return result

    cumulative.__name__ = name
    return cumulative


cumulative_sum, cumulative_prod = _cumulative(f.cumsum, "cumulative_sum"), _cumulative(f.cumprod, "cumulative_prod")


def diff(x: Tensor, axis: int = -1, *, n: int = 1, prepend: Tensor | None = None, append: Tensor | None = None) -> Tensor:
    return f.diff(x, n, axis, prepend, append)


def vecdot(x: Tensor, y: Tensor, axis: int = -1) -> Tensor:
    """The sum of products along ``axis``, counted from the end, of two tensors of one length there; other axes broadcast.

    Raises ``ValueError`` where the lengths differ, or the axis is not one of both counted from the end.
    """
    ndim = min(x.ndim, y.ndim)
    if not -ndim <= axis < 0:
        raise ValueError(f"vecdot: axis is {axis}, and counts from the end of shapes {x.shape} and {y.shape}: -{ndim} to -1")
    if x.shape[axis] != y.shape[axis]:
        raise ValueError(f"vecdot: shapes {x.shape} and {y.shape} have different lengths along axis {axis}")
    products = elementwise.multiply(x, y)
    return f.sum(products, axis, dtype=products.dtype)


def tensordot(x: Tensor, y: Tensor, axes: Any = 2) -> Tensor:
    return f.tensordot(x, y, axes)


# --- sorting, searching, sets ------------------------------------------------------------------------------------------------


def argsort(x: Tensor, axis: int = -1, *, descending: bool = False, stable: bool = True) -> Tensor:
    return f.argsort(x, axis, descending)


def sort(x: Tensor, axis: int = -1, *, descending: bool = False, stable: bool = True) -> Tensor:
    return f.sort(x, axis, descending).values


def searchsorted(x: Tensor, values: Any, side: str = "left", sorter: Tensor | None = None) -> Tensor:
    return f.searchsorted(x, values, side=side, sorter=sorter)


def nonzero(x: Tensor) -> tuple[Tensor, ...]:
    return f.nonzero(x, as_tuple=True)


def isin(x: Any, values: Any, *, invert: bool = False) -> Tensor:
    return f.isin(x, values, invert=invert)


class UniqueAll(NamedTuple):
    """Different values in order, where each stands first, the place of each element among them, and how often each occurs."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    values: Tensor
    inverse_indices: Tensor


def unique_all(x: Tensor) -> UniqueAll:
    values, inverse, counts = f.unique(x, return_inverse=True, return_counts=True)
    flat = f.ravel(x)
    order = in_order(flat)
    return UniqueAll(values, f.getitem(order, firsts(flat, order)), inverse, counts)


def unique_counts(x: Tensor) -> UniqueCounts:
    return UniqueCounts(*f.unique(x, return_counts=True))


def unique_inverse(x: Tensor) -> UniqueInverse:
    return UniqueInverse(*f.unique(x, return_inverse=True))


def unique_values(x: Tensor) -> Tensor:
    values: Tensor = f.unique(x)
    return values


# --- the extension linalg ----------------------------------------------------------------------------------------------------


def _vector_norm(x: Tensor, axis: Axes = None, keepdims: bool = False, ord: float = 2) -> Tensor:
    return f.linalg.vector_norm(x, ord, axis, keepdims)


def _trace(x: Tensor, offset: int = 0, dtype: Any = None) -> Tensor:
    return sum(f.linalg.diagonal(x, offset=offset), -1, dtype)


def _matrix_norm(x: Tensor, keepdims: bool = False, ord: Any = "fro") -> Tensor:
    return f.linalg.matrix_norm(x, ord, (-2, -1), keepdims)


linalg = SimpleNamespace(
    cholesky=factors.cholesky, qr=factors.qr, svd=factors.svd, svdvals=factors.svdvals, eigh=factors.eigh, inv=f.linalg.inv,
    eigvalsh=factors.eigvalsh, det=f.linalg.det, slogdet=f.linalg.slogdet, solve=f.linalg.solve,
    matrix_power=f.linalg.matrix_power,
    pinv=lambda x, rtol=None: f.linalg.pinv(x, rtol=rtol),
    cross=lambda x, y, axis=-1: f.linalg.cross(x, y, dim=axis),
    diagonal=lambda x, offset=0: f.linalg.diagonal(x, offset=offset),
    matrix_rank=lambda x, rtol=None: f.linalg.matrix_rank(x, rtol=rtol),
    matrix_norm=_matrix_norm, vector_norm=_vector_norm, trace=_trace, outer=f.outer, matmul=matmul, tensordot=tensordot,
    vecdot=vecdot, matrix_transpose=matrix_transpose,
)  # fmt: skip

# --- the namespace about itself ----------------------------------------------------------------------------------------------


class Info:
    """What ``__array_namespace_info__()`` returns."""

    def capabilities(self) -> dict[str, Any]:
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        return backends.default().device

    def devices(self) -> list[str]:
        names = ["cpu", *(f"cuda:{i}" for i in range(backends.device_count("cuda"))), self.default_device()]
        return list(dict.fromkeys(names))

    def default_dtypes(self, *, device: Any = None) -> dict[str, DType | None]:
        whole = dtypes.int64
        return {"real floating": dtypes.float32, "complex floating": None, "integral": whole, "indexing": whole}

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, DType]:
        available = (backends.default() if device is None else backends.get(device)).dtypes.values()
        return {dtype.name: dtype for dtype in available if dtype is not dtypes.float16 and (kind is None or isdtype(dtype, kind))}


__array_namespace_info__ = Info


def complete() -> None:
    vars(xp).update(constants({dtype.name: dtype for dtype in dtypes.ALL}), __name__=__name__)
    vars(xp).update({name: globals()[name] for name in OFFERED})


complete()
