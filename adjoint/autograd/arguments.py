"""How PyTorch's functions read their arguments: numbers, ``dim`` or ``axis``, sizes, tensors, and what they refuse."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Sequence
from types import CellType, FunctionType
from typing import Any, TypeVar, cast

from ..backends import DType, as_dtype, dtypes
from ..errors import CaptureError
from .primitive import Primitive, as_input
from .rules import reductions, shapes
from .tensor import Tensor

F = TypeVar("F", bound=Callable[..., Any])
Number = bool | int | float
Dims = int | Sequence[int] | None
NUMBERS = (int, float, bool)


# --- numbers -----------------------------------------------------------------------------------------------------------------


def integer(name: str, parameter: str, value: Any) -> int:
    """``value`` as a Python integer: one of Python's or NumPy's, or a 0-d integer tensor or array.

    Raises ``TypeError`` on anything else, floats and booleans included.
    """
    if type(value) is int:
        return value
    if isinstance(value, bool) or getattr(value, "shape", ()) != () or "bool" in str(getattr(value, "dtype", "")):
        raise TypeError(f"{name}: {parameter} must be an integer, not {_shown(value)}")
    try:
        return int(operator.index(value))
    except TypeError:
        raise TypeError(f"{name}: {parameter} must be an integer, not {_shown(value)}") from None
    except CaptureError as error:
        raise _recorded(name, parameter) from error


def number(name: str, parameter: str, value: Any) -> Any:
    """``value`` as a Python number: one of Python's or NumPy's, or a 0-d tensor or array.

    Raises ``TypeError`` on anything else, and on a tensor that requires a gradient, which would be lost.
    """
    if type(value) in NUMBERS:
        return value
    if getattr(value, "requires_grad", False):
        raise TypeError(
            f"{name}: {parameter} is a number, and the tensor given for it requires a gradient, which would be lost; pass "
            f"{parameter}.detach(), or write the formula with tensors"
        )
    if isinstance(value, str) or getattr(value, "shape", ()) != () or not hasattr(value, "__float__"):
        raise TypeError(f"{name}: {parameter} must be a number, not {_shown(value)}")
    try:
        return value.item() if hasattr(value, "item") else int(value) if hasattr(value, "__index__") else float(value)
    except CaptureError as error:
        raise _recorded(name, parameter) from error


def number_or_tensor(name: str, parameter: str, value: Any) -> Any:
    """A tensor as it is, anything else as :func:`number` reads it."""
    return value if hasattr(value, "_node") else number(name, parameter, value)


def flag(name: str, parameter: str, value: Any) -> Any:
    """NumPy's booleans, and 0-d arrays and tensors, as True or False; anything else as it is."""
    return bool(number(name, parameter, value)) if getattr(value, "shape", None) == () else value


def integers(name: str, parameter: str, value: Any) -> Any:
    """An integer, or a tuple of them where ``value`` is a sequence."""
    if type(value) is int:
        return value
    if isinstance(value, (str, dict)) or not (hasattr(value, "__iter__") and getattr(value, "shape", None) != ()):
        return integer(name, parameter, value)
    for part in value:
        if type(part) is not int:
            return tuple([integer(name, parameter, part) for part in value])
    return tuple(value)


def optional_integers(name: str, parameter: str, value: Any) -> Any:
    """:func:`integers`, of which some may be None."""
    if isinstance(value, (tuple, list)):
        return tuple([part if part is None else integer(name, parameter, part) for part in value])
    return value if value is None else integers(name, parameter, value)


def several_numbers(name: str, parameter: str, value: Any) -> Any:
    """A number, or a tuple or list of them where ``value`` is one."""
    if isinstance(value, (tuple, list)) or len(getattr(value, "shape", ())) == 1:
        return (list if isinstance(value, list) else tuple)(number(name, parameter, part) for part in value)
    return number(name, parameter, value)


def plain(name: str, parameter: str, value: Any) -> Any:
    """Numbers of NumPy and 0-d tensors as Python's, in tuples and lists too; anything else as it is."""
    if type(value) in (tuple, list):
        return type(value)(plain(name, parameter, part) for part in value)
    return number(name, parameter, value) if getattr(value, "shape", None) == () else value


def _shown(value: Any) -> str:
    shape = getattr(value, "shape", ())
    return f"{type(value).__name__} of shape {shape}" if shape != () else repr(value)


def _recorded(name: str, parameter: str) -> CaptureError:
    return CaptureError(
        f"{name}: {parameter} is a number, and the tensor given for it has none while the function is recorded; pass a Python "
        "number, or write the formula with tensors"
    )


#: How a parameter is read, by the types that its annotation names beside None and str, and which types need no reading.
_READERS: dict[frozenset[str], tuple[Callable[[str, str, Any], Any], tuple[str, ...]]] = {
    frozenset(words): (reader, plain)
    for reader, plain, *every in (
        (integer, ("int",), ("int",)),
        (number, ("float", "int"), ("float",), ("Number",)),
        (number_or_tensor, ("float", "int"), ("float", "Tensor"), ("Number", "Tensor")),
        (flag, ("bool",), ("bool",)),
        (integers, ("int",), ("int", "Sequence[int]"), ("int", "tuple[int, ...]"), ("Sequence[int]",), ("Sizes",)),
        (optional_integers, ("int",), ("OptionalSizes",)),
        (
            several_numbers,
            ("float",),
            ("float", "Sequence[float]"),
            ("float", "list[float]"),
            ("tuple[float, float]",),
            ("Sequence[float]",),
        ),
    )
    for words in every
}

_ALIASES = {"Bool": "bool", "Int": "int", "Float": "float"}  # where a class has methods of these names


def reads_numbers(function: F) -> F:
    """``function`` with Python's numbers for its parameters that are annotated as numbers, whatever holds them.

    Its place is taken by a function of the same parameters, which looks at their types before it calls. As a primitive's call
    (see :mod:`adjoint.autograd.primitive`), this is generated when it is first called.
    """

    def read(parameter: str | None, value: Any, owner: str | None) -> Any:
        if parameter is None:
            return _compiled(wrapper, function, readers)
        return readers[parameter](owner or function.__name__, parameter, value)

    readers: dict[str, Callable[[str, str, Any], Any]] = {}
    cells = CellType(function), CellType(read)
    code, names = _undecided(function, read).__code__, inspect.unwrap(function).__globals__
    wrapper: Any = FunctionType(code, names, function.__name__, None, cells)
    return cast(F, functools.update_wrapper(wrapper, function))


def _undecided(_call: Any, _read: Any) -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return (_read(None, None, None) or _call)(*args, **kwargs)

    return wrapper


def _compiled(wrapper: Any, function: Any, readers: dict[str, Any]) -> Any:
    """``wrapper`` with the code that reads the parameters of ``function``."""
    inner = inspect.unwrap(function)
    signature, owner = inspect.signature(inner), "type(self).__name__" if inner.__name__ == "__init__" else "None"
    declared, passed, lines, starred = [], [], [], False
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            declared.append(f"*{name}")
            passed.append(f"*{name}")
            starred = True
            continue
        by_keyword = parameter.kind is parameter.KEYWORD_ONLY
        if by_keyword and not starred:
            declared.append("*")
            starred = True
        declared.append(name if parameter.default is parameter.empty else f"{name}=None")
        passed.append(f"{name}={name}" if by_keyword else name)
        words = {_ALIASES.get(word, word) for word in str(parameter.annotation).split(" | ")}
        reader = _READERS.get(frozenset(words - {"None", "str"}))
        if reader is not None and (owner != "None" or not words & {"Sizes", "bool"}):  # functions count axes, test truth
            readers[name], plain = reader
            plain = (*plain, *(word for word in ("str",) if word in words))
            unread = " and ".join([f"type({name}) is not {t}" for t in plain] + [f"{name} is not None"] * ("None" in words))
            lines.append(f"  if {unread}: {name} = _read({name!r}, {name}, {owner})")
    names, body = ", ".join(declared), "\n".join(lines or ["  _read"])
    scope: dict[str, Any] = {}
    exec(
        f"def compiled(_call, _read):\n def wrapper({names}):\n{body}\n  return _call({', '.join(passed)})\n return wrapper", scope
    )
    place = {"co_filename": inner.__code__.co_filename, "co_firstlineno": inner.__code__.co_firstlineno}
    wrapper.__code__ = scope["compiled"](None, None).__code__.replace(co_name=inner.__name__, **place)
    wrapper.__defaults__, wrapper.__kwdefaults__ = inner.__defaults__, inner.__kwdefaults__
    return wrapper


# --- names -------------------------------------------------------------------------------------------------------------------

Function = TypeVar("Function", bound=Callable[..., Any])


def also(**names: str) -> Callable[[Function], Function]:
    """A decorator: the function takes the keyword ``names[p]`` for its parameter ``p`` as well. Raises ``TypeError`` on both."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            if not kwargs:
                return function(*args)
            for own, other in names.items():
                if other in kwargs:
                    if own in kwargs:
                        raise TypeError(f"{function.__name__}: give {own} or {other}, not both")
                    kwargs[own] = kwargs.pop(other)
            return function(*args, **kwargs)

        return called  # type: ignore[return-value]

    return decorate


def publish(module: dict[str, Any]) -> None:
    """Complete a file of functions, whose ``globals()`` are given.

    Primitives become the plain functions that call them, which ``help()`` and ``inspect.signature`` can show. Functions that
    have parameters ``dim`` and ``keepdim`` take ``axis`` and ``keepdims`` as well.
    """
    for name, function in list(module.items()):
        if isinstance(function, Primitive):
            module[name] = function.call
        if not (isinstance(function, FunctionType) and function.__module__ == module["__name__"]):
            continue
        code = inspect.unwrap(function).__code__
        parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        pairs = (("dim", "axis"), ("keepdim", "keepdims"))
        names = {own: other for own, other in pairs if own in parameters and other not in parameters}
        if names:
            module[name] = also(**names)(function)
            module[name].__module__ = module["__name__"]


# --- axes and sizes ----------------------------------------------------------------------------------------------------------


def axes_of(name: str, x: Tensor, dim: Dims, axis: Dims) -> Any:
    """The one of PyTorch's and NumPy's arguments that was given, as an int, a tuple or None.

    A 0-d tensor has axis 0 too, of which nothing is left to say: None. Raises ``IndexError`` where there is no such axis, and
    ``ValueError`` where one is named twice.
    """
    chosen = dim if axis is None else axis
    if chosen is None:
        return None
    try:
        ndim = len(x._array.shape)
    except AttributeError:
        ndim = len(x.shape)
    if type(chosen) is int and -ndim <= chosen < ndim:
        return chosen
    if type(chosen) is tuple:
        for a in chosen:
            if type(a) is not int or not 0 <= a < ndim:
                break
        else:
            if len({*chosen}) == len(chosen):
                return chosen
    read = integers(name, "dim", chosen)
    axes = [axis_of(name, a, ndim) for a in ((read,) if type(read) is int else read)]
    if len(axes) > 1 and len({*axes}) < len(axes):
        raise ValueError(f"{name}: dim={read} names an axis twice")
    return None if axes and not ndim else read if type(read) is int else tuple(axes)


def reduced_of(name: str, x: Tensor, dim: Dims, axis: Dims) -> Any:
    """:func:`axes_of` to reduce over: no ``dim`` is all of them, as PyTorch has it, and no ``axis`` none, as NumPy does."""
    chosen = axes_of(name, x, dim, axis)
    return None if axis is None and chosen == () else chosen


def axis_of(name: str, dim: int, ndim: int, parameter: str = "dim") -> int:
    """``dim`` counted from 0; a 0-d tensor has axis 0 too. Raises ``IndexError`` where there is no such axis."""
    if type(dim) is not int:
        dim = integer(name, parameter, dim)
    if 0 <= dim < ndim:
        return dim
    n = ndim or 1
    if not -n <= dim < n:
        raise IndexError(f"{name}: there is no axis {dim} in {ndim} axes")
    return dim % n


def with_axis(name: str, x: Tensor, dim: int) -> tuple[Tensor, int]:
    """``x`` with at least one axis, and ``dim`` of it counted from 0: a 0-d tensor works as a vector of one element."""
    x = tensor_of(name, x)
    ndim = len(x._array.shape)
    if type(dim) is int and 0 <= dim < ndim:
        return x, dim
    at = axis_of(name, dim, ndim)
    return x if ndim else shapes.reshape(x, shape=(1,)), at


def shaped_like(x: Tensor, result: Tensor) -> Tensor:
    """The ``result`` of a function that keeps the shape of ``x``: 0-d again where :func:`with_axis` made ``x`` a vector."""
    return result if x.ndim else shapes.reshape(result, shape=())


def cut_along(name: str, x: Tensor, dim: int) -> int:
    """:func:`axis_of` for what takes parts of an axis, which a 0-d tensor has not. Raises ``ValueError`` on one."""
    ndim = len(x.shape)
    at = axis_of(name, dim, ndim)
    if not ndim:
        raise ValueError(f"{name}: takes at least 1 axis, not a 0-d tensor")
    return at


def sizes_of(name: str, size: tuple[Any, ...], parameter: str = "size") -> tuple[int, ...]:
    """Sizes that were given as numbers, or as one sequence of them."""
    for n in size:
        if type(n) is not int:
            break
    else:
        return size
    read = integers(name, parameter, size[0] if len(size) == 1 else size)
    return (read,) if isinstance(read, int) else read


def size_given(name: str, sizes: tuple[Any, ...], size: Any, shape: Any) -> tuple[Any, ...]:
    """For :func:`sizes_of`: sizes that were given by keyword, as ``size`` or ``shape``. Raises ``TypeError`` unless given once."""
    if sizes or (size is None) is (shape is None):
        raise TypeError(f"{name}: give the sizes once: as arguments, as size or as shape")
    return (shape if size is None else size,)


def destination(words: tuple[Any, ...], device: Any, dtype: Any) -> tuple[Any, Any]:
    """The device and dtype that the arguments of ``to`` name, in any order; None for one that is not given."""
    for word in words:
        if isinstance(word, Tensor):
            device, dtype = word.backend, word.dtype
        elif hasattr(word, "xp") or (isinstance(word, str) and word not in dtypes.BY_NAME):
            device = word
        else:
            dtype = word
    return device, dtype


# --- tensors -----------------------------------------------------------------------------------------------------------------


def tensor_of(name: str, x: Any) -> Tensor:
    """``x`` as a tensor. Raises ``TypeError`` on a Python number, which has no shape to work on."""
    if hasattr(x, "_node"):
        return x
    x = as_input(name, x)
    if type(x) in NUMBERS:
        raise TypeError(f"{name}: takes tensors, not the number {x}; ad.tensor({x}) makes one")
    return x


def floating(name: str, x: Tensor) -> Tensor:
    if x.dtype.kind != "float":
        raise TypeError(f"{name}: takes floating-point tensors, not {x.dtype}; convert with .float() first")
    return x


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The dtype to which tensors, dtypes and Python numbers promote: dimensioned over 0-d over numbers, by category.

    Raises ``ValueError`` without arguments.

    >>> import adjoint as ad
    >>> ad.result_type(ad.ones(2, dtype="float16"), ad.float64.name, 1.5)
    adjoint.float64
    """
    dims: list[DType] = []
    zeros: list[DType] = []
    numbers: list[DType] = []
    for part in arrays_and_dtypes:
        if type(part) in NUMBERS:
            numbers.append(dtypes.of_number(part))
        else:
            (zeros if getattr(part, "shape", None) == () else dims).append(as_dtype(getattr(part, "dtype", part)))
    common = dtypes.common(dims, zeros, numbers)
    if common is None:
        raise ValueError("result_type: give at least one tensor, dtype or number")
    return common


def promote_types(type1: Any, type2: Any) -> DType:
    """The dtype to which ``type1`` and ``type2`` promote: the smallest that holds both, where floats outrank integers.

    >>> promote_types("int64", "float16")
    adjoint.float16
    """
    return dtypes.promote(as_dtype(type1), as_dtype(type2))


def in_floats(name: str, *inputs: Any) -> Any:
    """The inputs in the floating-point dtype they promote to; Python numbers as they are."""
    inputs = tuple(as_input(name, x) for x in inputs)
    common = result_type(*inputs)
    dtype = common if common.kind == "float" else dtypes.float32
    return tuple(x if type(x) in NUMBERS else x.to(dtype) for x in inputs)


def widened(x: Tensor) -> Tensor:
    """Integers and booleans in int64, the dtype that sums and products of them have."""
    return x if x.dtype.kind == "float" else x.to(dtypes.int64)


def nonempty(name: str, x: Tensor, axis: Any) -> None:
    if reductions.count(x.shape, axis) == 0:
        raise ValueError(f"{name}: there is no element to choose from in shape {x.shape} along axis {axis}")


def index_at(axis: int, part: Any) -> tuple[Any, ...]:
    """The index that is ``part`` along ``axis`` and everything along the axes around it."""
    return (*(slice(None),) * axis, part)
