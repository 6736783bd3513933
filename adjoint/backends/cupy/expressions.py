"""C expressions: what an elementwise operation computes, and where an element of an array lies.

Only ``shape``, ``dtype`` and ``strides`` of arrays are read. The helpers are CUDA's device functions; the rest is plain C.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import inf, prod
from typing import Any

import numpy as np

#: C's types by the dtypes' names.
TYPES = {
    "bool": "bool", "uint8": "unsigned char", "uint16": "unsigned short", "uint32": "unsigned int", "uint64": "unsigned long long",
    "int8": "signed char", "int16": "short", "int32": "int", "int64": "long long", "float32": "float", "float64": "double",
}  # fmt: skip

#: C's functions of floats by the standard's names; those of float32 end in f.
FUNCTIONS = {
    "acos": "acos", "acosh": "acosh", "asin": "asin", "asinh": "asinh", "atan": "atan", "atan2": "atan2", "atanh": "atanh",
    "ceil": "ceil", "copysign": "copysign", "cos": "cos", "cosh": "cosh", "erf": "erf", "exp": "exp", "expm1": "expm1",
    "floor": "floor", "hypot": "hypot", "log": "log", "log10": "log10", "log1p": "log1p", "log2": "log2", "nextafter": "nextafter",
    "round": "rint", "sin": "sin", "sinh": "sinh", "sqrt": "sqrt", "tan": "tan", "tanh": "tanh", "trunc": "trunc",
}  # fmt: skip
INTEGER_IDENTITIES = {"ceil", "floor", "round", "trunc"}
OPERATORS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^",
    "bitwise_left_shift": "<<", "bitwise_right_shift": ">>",
}  # fmt: skip
COMPARISONS = {"equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">="}
LOGICAL = {"logical_and": "&&", "logical_or": "||", "logical_xor": "!="}
TESTS = {"isfinite": "isfinite", "isinf": "isinf", "isnan": "isnan", "signbit": "signbit"}
COPIES = {"asarray", "astype", "contiguous", "positive"}
#: Constants: no operand is read.
FILLED = {"zeros": 0, "zeros_like": 0, "ones": 1, "ones_like": 1, "full": None, "full_like": None}
OTHERS = {
    "abs", "bitwise_invert", "floor_divide", "logaddexp", "logical_not", "maximum", "minimum", "negative", "pow", "remainder",
    "sign", "square", "where",
}  # fmt: skip
ELEMENTWISE = {*FUNCTIONS, *OPERATORS, *COMPARISONS, *LOGICAL, *TESTS, *COPIES, *FILLED, *OTHERS}
REDUCTIONS = {"sum", "prod", "max", "min", "mean", "any", "all", "argmax", "argmin"}

#: Functions that CUDA lacks, put before the kernel. {T} is the type, {f} the suffix of its functions.
HELPERS = {
    "maximum": "__device__ {T} maximum({T} x, {T} y) {{ return x != x || x > y ? x : y; }}  // NaN if one is",
    "minimum": "__device__ {T} minimum({T} x, {T} y) {{ return x != x || x < y ? x : y; }}  // NaN if one is",
    "logaddexp": (
        "__device__ {T} logaddexp({T} x, {T} y) {{\n"
        "    return x == y ? x + ({T})0.6931471805599453 : fmax{f}(x, y) + log1p{f}(exp{f}(-fabs{f}(x - y)));\n}}"
    ),
    "power": (
        "__device__ {T} power({T} x, {T} n) {{\n    {T} result = 1;\n"
        "    for (; n > 0; n >>= 1, x *= x)\n        if (n & 1) result *= x;\n    return result;\n}}"
    ),
    "floor_mod": (
        "__device__ {T} floor_mod({T} x, {T} y) {{  // with the sign of y\n    const {T} left = fmod{f}(x, y);\n"
        "    if (left == 0) return copysign{f}(({T})0, y);\n    return (y < 0) != (left < 0) ? left + y : left;\n}}"
    ),
    "floor_div": (
        "__device__ {T} floor_div({T} x, {T} y) {{  // exactly rounded down\n    if (y == 0) return x / y;\n"
        "    const {T} left = fmod{f}(x, y);\n"
        "    const {T} times = (x - left) / y - (left != 0 && (y < 0) != (left < 0));\n"
        "    if (times == 0) return copysign{f}(({T})0, x / y);\n"
        "    const {T} down = floor{f}(times);\n    return down + (times - down > ({T})0.5);\n}}"
    ),
    "quotient": (
        "__device__ {T} quotient({T} x, {T} y) {{  // rounded down\n    if (y == 0) return 0;\n    {T} q = x / y;\n"
        "    return q - (((x < 0) != (y < 0)) && q * y != x);\n}}"
    ),
    "wrapped": "__device__ long long wrapped(long long i, long long n) {{ i %= n; return i < 0 ? i + n : i; }}",
}


class Unsupported(Exception):
    """No kernel supports an operation; the message says which, and why."""


def c_type(dtype: Any) -> str:
    """C's type for a dtype. Raises :class:`Unsupported` if there is none."""
    if dtype.name not in TYPES:
        raise Unsupported(f"no kernel computes in {dtype.name}")
    return TYPES[dtype.name]


def suffix(dtype: Any) -> str:
    """The suffix of C's constants of an integer dtype."""
    return ("U" if dtype.kind == "u" and dtype.itemsize >= 4 else "") + ("LL" if dtype.itemsize == 8 else "")


def literal(number: Any, dtype: Any) -> str:
    """A Python number as a C constant of a dtype."""
    if dtype.kind == "f":
        single = dtype.itemsize == 4
        value = float(number)
        if value != value or value in (inf, -inf):
            bits = ("0x7fc00000", "0x7f800000") if single else ("0x7ff8000000000000LL", "0x7ff0000000000000LL")
            text = f"{'__int_as_float' if single else '__longlong_as_double'}({bits[value == value]})"
            return f"-{text}" if value == -inf else text
        return f"{value!r}f" if single else repr(value)
    if dtype.kind == "b":
        return "true" if number else "false"
    return f"{int(number)}{suffix(dtype)}"


def cast(text: str, dtype: Any, to: Any) -> str:
    if dtype == to:
        return text
    return f"({text} != 0)" if to.kind == "b" else f"({c_type(to)}){text}"


def loop_dtype(name: str, dtypes: Sequence[Any], out: Any) -> Any:
    """The dtype in which an operation on these dtypes, or Python numbers, computes."""
    if name in COPIES or name in FILLED:
        return out
    dtype = np.result_type(*(dtypes[1:] if name == "where" else dtypes))
    if (name in ("divide", "logaddexp") or (name in FUNCTIONS and name not in INTEGER_IDENTITIES)) and dtype.kind != "f":
        return out if out.kind == "f" else np.dtype(np.float64)
    return dtype


def expression(name: str, operands: Sequence[str], dtype: Any, raw: Any = None) -> tuple[str, Any, str]:
    """An operation as a C expression: its text, its dtype, and the helper that it calls or "".

    Args:
        name: the operation.
        operands: expressions of its operands.
        dtype: the dtype of the operands.
        raw: the exponent of a power as it was passed, which decides how the power is computed.

    Raises:
        Unsupported: there is no such expression.
    """
    is_integer, f = dtype.kind != "f", "f" if dtype == np.float32 else ""
    a, b = (*operands, "", "")[:2]
    boolean = np.dtype(bool)
    if name in COPIES or name in FILLED:
        return a, dtype, ""
    if name in COMPARISONS:
        return f"{a} {COMPARISONS[name]} {b}", boolean, ""
    if name in LOGICAL:
        return f"{cast(a, dtype, boolean)} {LOGICAL[name]} {cast(b, dtype, boolean)}", boolean, ""
    if name == "logical_not":
        return f"!{a}" if dtype == boolean else f"{a} == 0", boolean, ""
    if name in TESTS:
        text = {"isfinite": "true", "signbit": f"{a} < 0"}.get(name, "false") if is_integer else f"{TESTS[name]}({a})"
        return text, boolean, ""
    if name == "where":
        return f"{operands[0]} ? {operands[1]} : {operands[2]}", dtype, ""
    if dtype.kind == "b":
        logical = {"add": "||", "maximum": "||", "multiply": "&&", "minimum": "&&", "bitwise_and": "&&", "bitwise_or": "||",
                   "bitwise_xor": "!="}.get(name)  # fmt: skip
        if logical:
            return f"{a} {logical} {b}", dtype, ""
        if name == "bitwise_invert":
            return f"!{a}", dtype, ""
        if name in INTEGER_IDENTITIES or name == "abs":
            return a, dtype, ""
        raise Unsupported(f"no kernel computes {name} of booleans")
    if name in OPERATORS:
        if name == "divide" and is_integer:
            raise Unsupported("no kernel divides integers into integers")
        return f"{a} {OPERATORS[name]} {b}", dtype, ""
    if name in INTEGER_IDENTITIES and is_integer:
        return a, dtype, ""
    if name in FUNCTIONS:
        return f"{FUNCTIONS[name]}{f}({', '.join(operands)})", dtype, ""
    if name == "negative":
        return f"-{a}", dtype, ""
    if name == "abs":
        return (f"{a} < 0 ? -{a} : {a}" if is_integer else f"fabs{f}({a})"), dtype, ""
    if name == "sign":
        return f"{a} > 0 ? 1 : {a} < 0 ? -1 : {a} == 0 ? 0 : {a}", dtype, ""
    if name == "square" or (name == "pow" and type(raw) in (int, float) and raw == 2):
        return f"{a} * {a}", dtype, ""
    if name == "pow":
        if is_integer:
            return f"power({a}, {b})", dtype, "power"
        return (f"sqrt{f}({a})" if type(raw) is float and raw == 0.5 else f"pow{f}({a}, {b})"), dtype, ""
    if name == "bitwise_invert":
        return f"~{a}", dtype, ""
    if name in ("maximum", "minimum", "logaddexp"):
        return f"{name}({a}, {b})", dtype, name
    if name in ("floor_divide", "remainder"):
        if not is_integer:
            helper = "floor_div" if name == "floor_divide" else "floor_mod"
            return f"{helper}({a}, {b})", dtype, helper
        return (f"quotient({a}, {b})" if name == "floor_divide" else f"{a} - quotient({a}, {b}) * {b}"), dtype, "quotient"
    raise Unsupported(f"no kernel computes {name}")


def helpers(calls: dict[tuple[str, Any], None]) -> str:
    """The source of helpers, by name and dtype."""
    texts = [HELPERS[name].format(T=c_type(dtype), f="f" if dtype == np.float32 else "") for name, dtype in calls]
    return "".join(f"{text}\n\n" for text in texts)


def element_strides(array: Any) -> tuple[int, ...]:
    """Strides counted in elements."""
    size = array.dtype.itemsize
    if any(stride % size for stride in array.strides):
        raise Unsupported("the strides of an array are no multiples of its item size")
    return tuple(stride // size for stride in array.strides)


def broadcast_strides(array: Any, shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of an array broadcast to ``shape``, counted in elements."""
    strides = element_strides(array)
    lead = len(shape) - len(array.shape)
    return (0,) * lead + tuple(
        0 if n == 1 and shape[lead + k] != 1 else step for k, (n, step) in enumerate(zip(array.shape, strides, strict=True))
    )


class Space:
    """An index space, and the strides of arrays in it. Axes that are contiguous in all arrays are merged."""

    def __init__(self, shape: Sequence[int], ordered: bool = False) -> None:
        self.shape, self.ordered = tuple(shape), ordered
        self.strides: dict[str, tuple[int, ...]] = {}

    def merged(self) -> tuple[list[int], dict[str, list[int]]]:
        """The axes' lengths and each array's strides, after merging; the first array's fastest axis is last.

        The axes of an ``ordered`` space stay in their order.
        """
        axes = [k for k, n in enumerate(self.shape) if n != 1]
        first = next(iter(self.strides.values()), ())
        if first and not self.ordered:
            axes.sort(key=lambda k: -abs(first[k]))
        lengths: list[int] = []
        strides: dict[str, list[int]] = {name: [] for name in self.strides}
        for k in axes:
            n = self.shape[k]
            joined = bool(lengths) and all(strides[name][-1] == steps[k] * n for name, steps in self.strides.items())
            for name, steps in self.strides.items():
                if joined:
                    strides[name].pop()
                strides[name].append(steps[k])
            if joined:
                n *= lengths.pop()
            lengths.append(n)
        return lengths, strides

    def written(self, index: str, prefix: str) -> tuple[list[str], dict[str, str]]:
        """Lines that compute the coordinates of element number ``index``, and for each array the offset of its element."""
        lengths, strides = self.merged()
        wide = "long long" if self.is_wide() else "int"
        if 0 in lengths:
            return [], dict.fromkeys(strides, "0")
        if len(lengths) < 2:
            return [], {name: total([times(index, steps[0])] if steps else []) for name, steps in strides.items()}
        lines, step = [], prod(lengths)
        for k, n in enumerate(lengths):
            step //= n
            part = index if step == 1 else f"{index} / {step}"
            lines.append(f"const {wide} {prefix}{k} = {part}{f' % {n}' if k else ''};")
        contiguous = [prod(lengths[k + 1 :]) for k in range(len(lengths))]
        offsets = {}
        for name, steps in strides.items():
            terms = [times(f"{prefix}{k}", s) for k, s in enumerate(steps)]
            offsets[name] = index if steps == contiguous else total(terms)
        texts = " ".join(offsets.values())
        return [line for k, line in enumerate(lines) if re.search(rf"\b{prefix}{k}\b", texts)], offsets

    def is_wide(self) -> bool:
        """Whether offsets need 64 bits."""
        reach = [sum(abs(s) * (n - 1) for s, n in zip(steps, self.shape, strict=True)) for steps in self.strides.values()]
        return max([prod(self.shape), *reach]) >= 1 << 30


def times(index: str, step: int) -> str:
    return "" if step == 0 else index if step == 1 else f"{index} * {step}"


def total(terms: list[str]) -> str:
    return " + ".join(filter(None, terms)) or "0"
