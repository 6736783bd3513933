"""The data types every backend shares, and how two of them promote: PyTorch's lattice, and the standard's for unsigned integers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

__all__ = [
    "bool_", "finfo", "float16", "float32", "float64", "iinfo", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
    "uint64",
]  # fmt: skip


class DType:
    """A data type, the same object on every backend (``ad.float32``).

    Wherever a dtype is accepted, so are its name, NumPy's dtype, and Python's ``bool``, ``int`` and ``float``.

    Args:
        name: such as ``"float32"``.
        kind: ``"bool"``, ``"uint"``, ``"int"`` or ``"float"``.
        bits: the width.
    """

    __slots__ = ("bits", "kind", "name")

    def __init__(self, name: str, kind: str, bits: int) -> None:
        self.name, self.kind, self.bits = name, kind, bits

    @property
    def is_floating_point(self) -> bool:
        """Whether it is float16, float32 or float64."""
        return self.kind == "float"

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return (self.bits + 7) // 8

    def __repr__(self) -> str:
        return f"adjoint.{self.name}"

    def __reduce__(self) -> str:
        return "bool_" if self.name == "bool" else self.name


bool_ = DType("bool", "bool", 1)
uint8 = DType("uint8", "uint", 8)
uint16 = DType("uint16", "uint", 16)
uint32 = DType("uint32", "uint", 32)
uint64 = DType("uint64", "uint", 64)
int8 = DType("int8", "int", 8)
int16 = DType("int16", "int", 16)
int32 = DType("int32", "int", 32)
int64 = DType("int64", "int", 64)
float16 = DType("float16", "float", 16)
float32 = DType("float32", "float", 32)
float64 = DType("float64", "float", 64)

ALL = (bool_, uint8, uint16, uint32, uint64, int8, int16, int32, int64, float16, float32, float64)
BY_NAME = {dtype.name: dtype for dtype in ALL} | {"float": float32, "double": float64, "half": float16, "int": int32, "long": int64}
_FOR_PYTHON: dict[Any, DType] = {bool: bool_, int: int64, float: float32}


def as_dtype(dtype: Any) -> DType:
    """The :class:`DType` for ``dtype``: a DType, its name, Python's ``bool``/``int``/``float``, or NumPy's dtype.

    Raises ``TypeError`` on an unknown one.

    >>> as_dtype("float64"), as_dtype(int)
    (adjoint.float64, adjoint.int64)
    """
    if isinstance(dtype, DType):
        return dtype
    if (by_type := _FOR_PYTHON.get(dtype)) is not None:
        return by_type
    name = dtype if isinstance(dtype, str) else getattr(dtype, "name", None) or getattr(dtype, "__name__", None)
    if name not in BY_NAME:
        raise TypeError(f"unknown dtype {dtype!r}: use one of {', '.join(d.name for d in ALL)}")
    return BY_NAME[name]


def promote(a: DType, b: DType) -> DType:
    """The smallest dtype that holds ``a`` and ``b``, where floats outrank integers (``torch.promote_types``).

    Of the unsigned integers PyTorch promotes only uint8; the others follow the Array API standard. Raises ``TypeError`` for uint64
    and a signed integer, since no integer dtype holds both.

    >>> promote(int64, float16), promote(uint32, int8), promote(bool_, uint8)
    (adjoint.float16, adjoint.int64, adjoint.uint8)
    """
    if a is b:
        return a
    if RANK[a.kind] < RANK[b.kind]:
        a, b = b, a
    if a.kind == b.kind:
        return a if a.bits >= b.bits else b
    if a.kind == "int" and b.kind == "uint" and a.bits <= b.bits:
        if b.bits == 64:
            raise TypeError(f"no integer dtype holds both {b.name} and {a.name}; convert one of them with .to(…) first")
        return BY_NAME[f"int{2 * b.bits}"]
    return a


def combine(stronger: DType | None, weaker: DType | None) -> DType | None:
    """The dtype of arrays with dimensions and 0-d arrays, or of these and Python numbers (``torch.result_type``).

    The weaker operand changes the dtype only if it is of a higher category: float over integer, integer over bool.
    """
    if stronger is None or weaker is None:
        return stronger or weaker
    if CATEGORY[weaker.kind] > CATEGORY[stronger.kind]:
        return promote(stronger, weaker)
    return stronger


def common(dims: Sequence[DType], zeros: Sequence[DType], numbers: Sequence[DType]) -> DType | None:
    """The dtype of an operation on arrays with dimensions (``dims``), 0-d arrays (``zeros``) and Python ``numbers``; or None."""
    first, second, third = (reduce(promote, kind) if kind else None for kind in (dims, zeros, numbers))
    return combine(first, combine(second, third))


def of_number(value: bool | int | float) -> DType:
    """The dtype a Python number brings to an operation: bool, int64 or the default float32."""
    return bool_ if isinstance(value, bool) else int64 if isinstance(value, int) else float32


RANK = {"bool": 0, "uint": 1, "int": 2, "float": 3}
CATEGORY = {"bool": 0, "uint": 1, "int": 1, "float": 2}


class FloatInfo(NamedTuple):
    """The result of :func:`finfo`."""

    bits: int
    eps: float  #: from 1 to the next larger number
    max: float
    min: float
    smallest_normal: float
    dtype: DType

    @property
    def tiny(self) -> float:
        """The smallest normal number, under its older name."""
        return self.smallest_normal


class IntegerInfo(NamedTuple):
    """The result of :func:`iinfo`."""

    bits: int
    max: int
    min: int
    dtype: DType


def finfo(type: Any = float) -> FloatInfo:
    """The range and precision of the floating-point dtype ``type`` (IEEE 754). Raises ``TypeError`` on another.

    >>> finfo("float32").eps == 2.0**-23
    True
    """
    dtype = as_dtype(type)
    if dtype.kind != "float":
        raise TypeError(f"finfo requires a floating-point dtype, not {dtype}; use iinfo for integers")
    digits, exponent = {16: (10, 15), 32: (23, 127), 64: (52, 1023)}[dtype.bits]
    largest = (2.0 - 2.0**-digits) * 2.0**exponent
    return FloatInfo(dtype.bits, 2.0**-digits, largest, -largest, 2.0 ** (1 - exponent), dtype)


def iinfo(type: Any) -> IntegerInfo:
    """The range of the integer dtype ``type``. Raises ``TypeError`` on another."""
    dtype = as_dtype(type)
    if dtype.kind not in ("int", "uint"):
        raise TypeError(f"iinfo requires an integer dtype, not {dtype}; use finfo for floating point")
    signed = dtype.kind == "int"
    return IntegerInfo(dtype.bits, 2 ** (dtype.bits - signed) - 1, -(2 ** (dtype.bits - 1)) if signed else 0, dtype)
