"""The data types every backend shares, and how two of them promote: PyTorch's lattice."""

from __future__ import annotations

from typing import Any


class DType:
    """A data type by name, the same object on every backend (``ad.float32``).

    ``kind`` is ``"bool"``, ``"uint"``, ``"int"`` or ``"float"``; ``bits`` is its width. Wherever a dtype is taken, its name,
    NumPy's own dtype or Python's ``bool``, ``int`` and ``float`` do as well.
    """

    __slots__ = ("bits", "kind", "name")

    def __init__(self, name: str, kind: str, bits: int) -> None:
        self.name, self.kind, self.bits = name, kind, bits

    @property
    def is_floating_point(self) -> bool:
        return self.kind == "float"

    @property
    def itemsize(self) -> int:
        """Bytes an element."""
        return (self.bits + 7) // 8

    def __repr__(self) -> str:
        return f"adjoint.{self.name}"

    def __reduce__(self) -> str:
        return "bool_" if self.name == "bool" else self.name


bool_ = DType("bool", "bool", 1)
uint8 = DType("uint8", "uint", 8)
int8 = DType("int8", "int", 8)
int16 = DType("int16", "int", 16)
int32 = DType("int32", "int", 32)
int64 = DType("int64", "int", 64)
float16 = DType("float16", "float", 16)
float32 = DType("float32", "float", 32)
float64 = DType("float64", "float", 64)

ALL = (bool_, uint8, int8, int16, int32, int64, float16, float32, float64)
BY_NAME = {dtype.name: dtype for dtype in ALL} | {"float": float32, "double": float64, "half": float16, "int": int32, "long": int64}
_FOR_PYTHON: dict[Any, DType] = {bool: bool_, int: int64, float: float32}


def as_dtype(dtype: Any) -> DType:
    """The :class:`DType` that ``dtype`` means: one already, its name, Python's ``bool``/``int``/``float``, or NumPy's dtype.

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
    """The smallest dtype that holds both, any float outranking any integer (``torch.promote_types``).

    >>> promote(int64, float16), promote(uint8, int8), promote(bool_, uint8)
    (adjoint.float16, adjoint.int16, adjoint.uint8)
    """
    if a is b:
        return a
    if RANK[a.kind] < RANK[b.kind]:
        a, b = b, a
    if a.kind == b.kind:
        return a if a.bits >= b.bits else b
    if a.kind == "int" and b.kind == "uint" and a.bits <= b.bits:
        return BY_NAME[f"int{2 * b.bits}"]
    return a


def combine(stronger: DType | None, weaker: DType | None) -> DType | None:
    """Dtype of arrays with dimensions against 0-d arrays, and of these against Python numbers (``torch.result_type``).

    The weaker operand changes the dtype only where it is of a higher category: float over integer, integer over bool.
    """
    if stronger is None or weaker is None:
        return stronger or weaker
    if CATEGORY[weaker.kind] > CATEGORY[stronger.kind]:
        return promote(stronger, weaker)
    return stronger


def of_number(value: bool | int | float) -> DType:
    """The dtype a Python number brings to an operation: bool, int64 or the default float32."""
    return bool_ if isinstance(value, bool) else int64 if isinstance(value, int) else float32


RANK = {"bool": 0, "uint": 1, "int": 2, "float": 3}
CATEGORY = {"bool": 0, "uint": 1, "int": 1, "float": 2}
