"""The names a kernel may use: the Array API standard's, and the few that every backend adds to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .dtypes import ALL

#: The versions of the standard whose namespace tensors have.
VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")

UNARY = (
    "abs acos acosh asin asinh atan atanh ceil cos cosh exp expm1 floor isfinite isinf isnan log log10 log1p log2 logical_not "
    "negative round sign signbit sin sinh sqrt square tan tanh trunc bitwise_invert"
).split()
BINARY = (
    "add atan2 bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift copysign divide equal floor_divide "
    "greater greater_equal hypot less less_equal logaddexp logical_and logical_or logical_xor maximum minimum multiply nextafter "
    "not_equal pow remainder subtract"
).split()
REDUCTIONS = "sum prod max min mean any all argmax argmin cumulative_sum".split()
SHAPES = "reshape permute_dims broadcast_to expand_dims squeeze flip concat stack roll matrix_transpose".split()
OTHERS = "where matmul tensordot take argsort sort zeros_like ones_like full_like empty_like nonzero tril triu searchsorted".split()
CREATION = "zeros ones full empty arange linspace eye asarray from_dlpack".split()

#: What a backend supplies beyond the standard. Signatures and meaning are in :class:`adjoint.backends.base.Extras`.
EXTRAS = (
    "astype contiguous getitem setitem index_put last_writes scatter_add diagonal are_indices erf normal_cdf sigmoid "
    "root_mean_square block_bytes run_parallel sliding_windows overlap_add cholesky eigh inv qr slogdet solve svd"
).split()

STANDARD = UNARY + BINARY + REDUCTIONS + SHAPES + OTHERS

#: Names NumPy and CuPy had before the standard renamed them, for their older releases.
OLD_NAMES = {
    "acos": "arccos", "acosh": "arccosh", "asin": "arcsin", "asinh": "arcsinh", "atan": "arctan", "atanh": "arctanh",
    "atan2": "arctan2", "bitwise_invert": "invert", "bitwise_left_shift": "left_shift", "bitwise_right_shift": "right_shift",
    "concat": "concatenate", "permute_dims": "transpose", "pow": "power", "cumulative_sum": "cumsum",
}  # fmt: skip


class Namespace:
    """A kernel's ``xp``: the standard's functions, dtypes and constants, and the :data:`EXTRAS`, given by keyword.

    Its creation functions take no ``device``, since the namespace is bound to one. Other names raise ``AttributeError``, so that a
    kernel cannot depend on one library.
    """

    def __init__(self, **members: Any) -> None:
        vars(self).update(members)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...


def collect(module: Any, names: list[str]) -> dict[str, Any]:
    """The functions called ``names`` in ``module``, under an older name where that is the one it has."""
    functions = {}
    for name in names:
        function = getattr(module, name, None) or getattr(module, OLD_NAMES.get(name, name), None)
        if function is not None:
            functions[name] = function
    return functions


def constants(dtypes: dict[str, Any]) -> dict[str, Any]:
    """Dtypes and constants of a namespace, from each dtype's name to the library's own object."""
    return {dtype.name: dtypes[dtype.name] for dtype in ALL if dtype.name in dtypes} | {
        "pi": 3.141592653589793, "e": 2.718281828459045, "inf": float("inf"), "nan": float("nan"), "newaxis": None,
    }  # fmt: skip
