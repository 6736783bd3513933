"""NumPy's and CuPy's functions on Tensors: ``np.exp(tensor)``, ``array * tensor``, ``np.sum(tensor)`` stay on the graph.

NumPy asks a Tensor among the arguments of its ufuncs (``__array_ufunc__``, NEP 13) and of its other functions
(``__array_function__``, NEP 18) for the result, CuPy that among the arguments of its ufuncs. It is found by the function's name:
the differentiable namespace has the standard's names, which NumPy 2 has too; below is what goes by another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import backends
from ..backends.standard import OLD_NAMES, STANDARD
from . import functions as f
from .functions.linalg.products import multi_dot
from .functions.special import entr, expit, gammaln, log_ndtr, ndtr, psi, xlog1py
from .graph import differentiable as xp
from .namespace import OFFERED
from .primitive import as_input
from .tensor import Tensor

#: Ufuncs, NumPy's and SciPy's, by names that the namespace lacks or has for something else.
UFUNCS: dict[str, Callable[..., Any]] = {
    "absolute": f.abs, "fabs": f.abs, "power": f.pow, "float_power": f.float_power, "fmod": f.fmod, "rint": f.round,
    "radians": f.deg2rad, "deg2rad": f.deg2rad, "degrees": f.rad2deg, "rad2deg": f.rad2deg, "conjugate": f.positive,
    "fmax": f.fmax, "fmin": f.fmin, "exp2": f.exp2, "logaddexp2": f.logaddexp2, "ldexp": f.ldexp, "invert": f.bitwise_not,
    "left_shift": f.bitwise_left_shift, "right_shift": f.bitwise_right_shift, "where": f.where, "true_divide": f.true_divide,
    "erf": f.erf, "erfc": f.erfc, "erfinv": f.erfinv, "expit": expit, "logit": f.logit, "gammaln": gammaln, "psi": psi,
    "ndtr": ndtr, "log_ndtr": log_ndtr, "entr": entr, "xlogy": f.xlogy, "xlog1py": xlog1py,
}  # fmt: skip
for _new, _old in OLD_NAMES.items():
    if hasattr(xp, _new):
        UFUNCS.setdefault(_old, getattr(xp, _new))

#: The standard's functions, which NumPy has under the same names.
SHARED = frozenset((*STANDARD, *OFFERED))
HAND_OVER = "use adjoint's own functions, or hand over the values: x.detach().cpu().numpy()"


def ufunc(function: Any, method: str, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """What ``Tensor.__array_ufunc__`` returns.

    With ``out=``, as in ``array += tensor``, NumPy writes the tensor's values. Raises ``TypeError`` where there is no such function
    of tensors, or a gradient would be lost.
    """
    name = function.__name__
    if method != "__call__":
        raise TypeError(f"np.{name}.{method}: takes no tensors; ad.sum, ad.cumsum and their like reduce them")
    if keywords:
        if any(isinstance(x, Tensor) for x in keywords.get("out", ())):
            raise TypeError(f"np.{name}: NumPy cannot write into a tensor; write tensor[...] = value")
        if "out" not in keywords:
            raise TypeError(f"np.{name}: {', '.join(keywords)}= is not taken for tensors")
        return function(*_as_arrays(name, "the result is to be written into an array", inputs), **keywords)
    own = _found(UFUNCS, name)
    if own is None:
        raise TypeError(f"np.{name}: there is no such function of tensors; {HAND_OVER}")
    return own(*inputs)


def _found(table: dict[str, Callable[..., Any]], name: str) -> Callable[..., Any] | None:
    return table.get(name) or (getattr(xp, name, None) if name in SHARED else None)


def cupy_ufunc(kernel: Any, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """What CuPy's ufunc ``kernel`` returns of Tensors: the same, by the name without CuPy's prefix."""
    name = kernel.name.removeprefix("cupy_")
    own = _found(UFUNCS, name)
    if own is None or keywords:
        raise TypeError(f"cupy.{name}: there is no such function of tensors, or not with {', '.join(keywords) or 'these'}")
    return own(*inputs)


# --- functions that are not ufuncs: NumPy's arguments, by their positions ----------------------------------------------------


def _dot(a: Any, b: Any) -> Tensor:
    if not getattr(a, "ndim", 0) or not getattr(b, "ndim", 0):
        return f.multiply(a, b)
    if b.ndim > 2:
        raise TypeError("takes tensors of at most two axes on the right; use np.matmul or np.tensordot")
    return f.matmul(a, b)


def _of_several(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a list of arrays, of which some may be lists or numbers."""
    return lambda arrays, *args, **keywords: function([_made(x) for x in arrays], *args, **keywords)


def _made(x: Any) -> Tensor:
    tensor: Tensor = x if isinstance(x, Tensor) else xp.asarray(x)
    return tensor


def _transpose(a: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    return a.T if axes is None else f.permute(a, *axes)


def _moment(function: Callable[..., Any]) -> Callable[..., Any]:
    def moment(
        a: Tensor, axis: Any = None, dtype: Any = None, *, ddof: float = 0, correction: float = 0, keepdims: Any = False
    ) -> Any:
        return function(a, axis, dtype, correction=ddof or correction, keepdims=keepdims)

    return moment


def _flat(function: Callable[..., Any]) -> Callable[..., Any]:
    def of_all(a: Tensor, axis: int | None = None, dtype: Any = None) -> Any:
        return function(f.ravel(a), 0, dtype) if axis is None else function(a, axis, dtype)

    return of_all


def _clip(a: Tensor, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Tensor:
    result: Tensor = xp.clip(a, min if a_min is None else a_min, max if a_max is None else a_max)
    return result


def _quantile(a: Tensor, q: Any, axis: int | None = None, *, keepdims: bool = False, method: str = "linear") -> Tensor:
    q = q if isinstance(q, (int, float)) else xp.asarray(q, dtype=a.dtype, device=a.backend)
    return f.quantile(a, q, axis, keepdims, interpolation=method)


def _percentile(a: Tensor, q: Any, axis: int | None = None, *, keepdims: bool = False, method: str = "linear") -> Tensor:
    return _quantile(a, xp.asarray(q, dtype=a.dtype, device=a.backend) / 100, axis, keepdims=keepdims, method=method)


def _median(a: Tensor, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    return f.quantile(a, 0.5, axis, keepdims)


def _array_equal(a: Any, b: Any) -> bool:
    return a.shape == b.shape and bool(f.all(a == b))


def _array_split(ary: Tensor, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    return list(f.tensor_split(ary, indices_or_sections, axis))


def _split(ary: Tensor, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    if isinstance(indices_or_sections, int) and ary.shape[axis] % indices_or_sections:
        raise ValueError(f"np.split: axis {axis} of shape {ary.shape} does not divide into {indices_or_sections}")
    return _array_split(ary, indices_or_sections, axis)


def _where(condition: Any, *choices: Any) -> Any:
    return xp.where(condition, *choices) if choices else xp.nonzero(condition)


def _squeeze(a: Tensor, axis: Any = None) -> Tensor:
    return f.squeeze(a) if axis is None else xp.squeeze(a, axis)


def _trapezoid(y: Tensor, x: Any = None, dx: float = 1.0, axis: int = -1) -> Tensor:
    return f.trapezoid(y, x, dim=axis) if x is not None else f.trapezoid(y, dx=dx, dim=axis)


def _average(a: Tensor, axis: int | None = None, weights: Any = None) -> Tensor:
    if weights is None:
        return xp.mean(a, axis)
    if weights.ndim == 1 and axis is not None:  # one for each slice along the axis
        weights = f.movedim(f.reshape(weights, (-1, *(1,) * (a.ndim - 1))), 0, axis)
    total: Tensor = xp.sum(a * weights, axis) / xp.sum(f.broadcast_to(weights, a.shape), axis)
    return total


def _unique(
    a: Tensor, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False, axis: Any = None
) -> Any:
    if return_index:
        raise TypeError("return_index is not taken for tensors; np.unique_all has the indices")
    return f.unique(a, True, return_inverse, return_counts, axis)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "concatenate": _of_several(xp.concat), "stack": _of_several(xp.stack),
    "amax": xp.max, "amin": xp.min, "transpose": _transpose, "permute_dims": _transpose, "dot": _dot,
    "cumsum": _flat(xp.cumulative_sum), "cumprod": _flat(xp.cumulative_prod), "clip": _clip, "where": _where,
    "var": _moment(xp.var), "std": _moment(xp.std),
    "diag": f.diag, "diagflat": f.diagflat, "diagonal": f.diagonal, "kron": f.kron, "ravel": f.ravel, "swapaxes": f.transpose,
    "fliplr": f.fliplr, "flipud": f.flipud, "split": _split,
    "vstack": _of_several(f.vstack), "hstack": _of_several(f.hstack), "dstack": _of_several(f.dstack),
    "column_stack": _of_several(f.column_stack),
    "array_split": _array_split, "hsplit": f.hsplit, "vsplit": f.vsplit, "dsplit": f.dsplit,
    "atleast_1d": f.atleast_1d, "atleast_2d": f.atleast_2d, "atleast_3d": f.atleast_3d, "squeeze": _squeeze, "copy": f.clone,
    "trapezoid": _trapezoid, "average": _average, "median": _median, "quantile": _quantile, "percentile": _percentile,
    "unique": _unique, "argwhere": f.argwhere, "sinc": f.sinc, "fix": f.trunc, "isclose": f.isclose, "allclose": f.allclose,
    "array_equal": _array_equal, "vander": f.vander, "einsum": f.einsum, "cov": lambda m: f.cov(m), "corrcoef": f.corrcoef,
    "round": lambda a, decimals=0: f.round(a, decimals=decimals), "around": lambda a, decimals=0: f.round(a, decimals=decimals),
    "inner": f.inner, "outer": lambda a, b: f.outer(f.ravel(a), f.ravel(b)), "vdot": lambda a, b: f.dot(f.ravel(a), f.ravel(b)),
    "trace": lambda a, offset=0: f.sum(f.diagonal(a, offset), -1), "cross": lambda a, b: f.cross(a, b, -1),
    "rot90": lambda m, k=1, axes=(0, 1): f.rot90(m, k, axes), "ptp": lambda a, axis=None: xp.max(a, axis) - xp.min(a, axis),
    "diff": lambda a, n=1, axis=-1, prepend=None, append=None: f.diff(a, n, axis, prepend, append),
    "nansum": lambda a, axis=None, keepdims=False: f.nansum(a, axis, keepdims),
    "nanmean": lambda a, axis=None, keepdims=False: f.nanmean(a, axis, keepdims),
    "nan_to_num": lambda x, copy=True, nan=0.0, posinf=None, neginf=None: f.nan_to_num(x, nan, posinf, neginf),
    "append": lambda arr, values, axis=None: xp.concat([_made(arr), _made(values)], axis),
    "broadcast_arrays": lambda *arrays: f.broadcast_tensors(*map(_made, arrays)),
    "shape": lambda a: a.shape, "ndim": lambda a: a.ndim, "size": lambda a, axis=None: a.numel() if axis is None else a.shape[axis],
    "iscomplexobj": lambda x: False, "isrealobj": lambda x: True,
}  # fmt: skip


LINALG: dict[str, Callable[..., Any]] = {
    "norm": lambda x, ord=None, axis=None, keepdims=False: f.linalg.norm(x, ord, axis, keepdims),
    "cond": f.linalg.cond, "multi_dot": multi_dot, "tensorinv": f.linalg.tensorinv, "tensorsolve": f.linalg.tensorsolve,
}  # fmt: skip


def array_function(function: Any, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """What ``Tensor.__array_function__`` returns.

    Where there is no such function of tensors, or not with these arguments, NumPy computes it from the values, and gives what it
    gives; that is refused with a ``TypeError`` where it would lose a gradient or cross a device.
    """
    name, reason = function.__name__, "there is no such function of tensors"
    own = _of_tensors(function.__module__, name)
    if own is not None:
        try:
            return own(*_as_tensors(inputs), **{key: _as_tensors(value) for key, value in keywords.items()})
        except TypeError as error:
            reason = str(error)
    if isinstance(keywords.get("out"), Tensor):
        raise TypeError(f"np.{name}: NumPy cannot write into a tensor; write tensor[...] = value")
    return function(*_as_arrays(name, reason, inputs), **{key: _as_arrays(name, reason, value) for key, value in keywords.items()})


def _of_tensors(module: str, name: str) -> Callable[..., Any] | None:
    if module == "numpy.linalg":
        return LINALG.get(name) or getattr(xp.linalg, name, None)
    return _found(FUNCTIONS, name)


def _as_tensors(part: Any) -> Any:
    """The arguments with tensors in place of their arrays, at any depth."""
    if isinstance(part, (list, tuple)):
        return type(part)(_as_tensors(each) for each in part)
    return part if isinstance(part, Tensor) or backends.of_array(part) is None else as_input("array", part)


def _as_arrays(name: str, reason: str, part: Any) -> Any:
    """The arguments with arrays in place of their tensors, at any depth."""
    if isinstance(part, Tensor):
        if part.requires_grad or part.backend.name != "numpy":
            raise TypeError(f"np.{name}: {reason}, and NumPy would compute outside of the graph and the device; {HAND_OVER}")
        return part.numpy()
    if isinstance(part, (list, tuple)):
        return type(part)(_as_arrays(name, reason, each) for each in part)
    return part
