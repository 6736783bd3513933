"""CUDA source for the operations of a program: one kernel for a chain of elementwise ones, a reduction, a matrix product.

Shapes and strides are written into the source, so a kernel takes addresses alone. Of an array only ``shape``, ``dtype`` and
``strides`` are looked at here: nothing of CuPy is needed to write a kernel, or to read it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import inf, prod
from typing import Any, NamedTuple

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
WHOLE_AS_THEY_ARE = {"ceil", "floor", "round", "trunc"}
OPERATORS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^",
    "bitwise_left_shift": "<<", "bitwise_right_shift": ">>",
}  # fmt: skip
COMPARISONS = {"equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">="}
LOGICAL = {"logical_and": "&&", "logical_or": "||", "logical_xor": "!="}
TESTS = {"isfinite": "isfinite", "isinf": "isinf", "isnan": "isnan", "signbit": "signbit"}
COPIES = {"asarray", "astype", "contiguous", "positive"}
#: Made of no array's elements.
FILLED = {"zeros": 0, "zeros_like": 0, "ones": 1, "ones_like": 1, "full": None, "full_like": None}
OTHERS = {
    "abs", "bitwise_invert", "floor_divide", "logaddexp", "logical_not", "maximum", "minimum", "negative", "pow", "remainder",
    "sign", "square", "where",
}  # fmt: skip
ELEMENTWISE = {*FUNCTIONS, *OPERATORS, *COMPARISONS, *LOGICAL, *TESTS, *COPIES, *FILLED, *OTHERS}
REDUCTIONS = {"sum", "prod", "max", "min", "mean", "any", "all", "argmax", "argmin"}

#: What a kernel calls that CUDA does not have, before it in the source. {T} is the type, {f} its functions' ending.
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
    "left_over": (
        "__device__ {T} left_over({T} x, {T} y) {{  // with the sign of y\n    const {T} left = fmod{f}(x, y);\n"
        "    if (left == 0) return copysign{f}(({T})0, y);\n    return (y < 0) != (left < 0) ? left + y : left;\n}}"
    ),
    "floored": (
        "__device__ {T} floored({T} x, {T} y) {{  // exactly rounded down\n    if (y == 0) return x / y;\n"
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

#: Threads in a block; rows and columns of a block of a matrix product.
THREADS, BLOCK = 256, 16


class Unsupported(Exception):
    """There is no kernel for an operation; the message says which and why."""


class Kernel(NamedTuple):
    """A kernel's source, its name there, what it is called with, and on how many blocks of how many threads."""

    source: str
    name: str
    arrays: list[Any]
    grid: tuple[int, ...]
    block: tuple[int, ...]


def c_type(dtype: Any) -> str:
    """C's type for a dtype. Raises :class:`Unsupported` where there is none."""
    found = TYPES.get(dtype.name)
    if found is None:
        raise Unsupported(f"no kernel computes in {dtype.name}")
    return found


def suffix(dtype: Any) -> str:
    """The ending of C's constants of an integer dtype."""
    return ("U" if dtype.kind == "u" and dtype.itemsize >= 4 else "") + ("LL" if dtype.itemsize == 8 else "")


def literal(number: Any, dtype: Any) -> str:
    """A number of Python's as a constant of a dtype."""
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
    """What an operation of these dtypes, or Python's numbers, computes in."""
    if name in COPIES or name in FILLED:
        return out
    found = np.result_type(*(dtypes[1:] if name == "where" else dtypes))
    if (name in ("divide", "logaddexp") or (name in FUNCTIONS and name not in WHOLE_AS_THEY_ARE)) and found.kind != "f":
        return out if out.kind == "f" else np.dtype(np.float64)
    return found


def expression(name: str, operands: Sequence[str], dtype: Any, raw: Any = None) -> tuple[str, Any, str]:
    """What an operation computes of operands of its dtype: the expression, its dtype, and the helper that it calls or nothing.

    ``raw`` is the second operand as it was given, which decides how a power is computed.
    """
    whole, f = dtype.kind != "f", "f" if dtype == np.float32 else ""
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
        found = {"isfinite": "true", "signbit": f"{a} < 0"}.get(name, "false") if whole else f"{TESTS[name]}({a})"
        return found, boolean, ""
    if name == "where":
        return f"{operands[0]} ? {operands[1]} : {operands[2]}", dtype, ""
    if dtype.kind == "b":
        logical = {"add": "||", "maximum": "||", "multiply": "&&", "minimum": "&&", "bitwise_and": "&&", "bitwise_or": "||",
                   "bitwise_xor": "!="}.get(name)  # fmt: skip
        if logical:
            return f"{a} {logical} {b}", dtype, ""
        if name == "bitwise_invert":
            return f"!{a}", dtype, ""
        if name in WHOLE_AS_THEY_ARE or name == "abs":
            return a, dtype, ""
        raise Unsupported(f"no kernel computes {name} of booleans")
    if name in OPERATORS:
        if name == "divide" and whole:
            raise Unsupported("no kernel divides whole numbers into whole numbers")
        return f"{a} {OPERATORS[name]} {b}", dtype, ""
    if name in WHOLE_AS_THEY_ARE and whole:
        return a, dtype, ""
    if name in FUNCTIONS:
        return f"{FUNCTIONS[name]}{f}({', '.join(operands)})", dtype, ""
    if name == "negative":
        return f"-{a}", dtype, ""
    if name == "abs":
        return (f"{a} < 0 ? -{a} : {a}" if whole else f"fabs{f}({a})"), dtype, ""
    if name == "sign":
        return f"{a} > 0 ? 1 : {a} < 0 ? -1 : {a} == 0 ? 0 : {a}", dtype, ""
    if name == "square" or (name == "pow" and type(raw) in (int, float) and raw == 2):
        return f"{a} * {a}", dtype, ""
    if name == "pow":
        if whole:
            return f"power({a}, {b})", dtype, "power"
        return (f"sqrt{f}({a})" if type(raw) is float and raw == 0.5 else f"pow{f}({a}, {b})"), dtype, ""
    if name == "bitwise_invert":
        return f"~{a}", dtype, ""
    if name in ("maximum", "minimum", "logaddexp"):
        return f"{name}({a}, {b})", dtype, name
    if name in ("floor_divide", "remainder"):
        if not whole:
            helper = "floored" if name == "floor_divide" else "left_over"
            return f"{helper}({a}, {b})", dtype, helper
        return (f"quotient({a}, {b})" if name == "floor_divide" else f"{a} - quotient({a}, {b}) * {b}"), dtype, "quotient"
    raise Unsupported(f"no kernel computes {name}")


def _helpers(wanted: dict[tuple[str, Any], None]) -> str:
    """The source of helpers, by name and dtype."""
    texts = [HELPERS[name].format(T=c_type(dtype), f="f" if dtype == np.float32 else "") for name, dtype in wanted]
    return "".join(f"{text}\n\n" for text in texts)


class Operand(NamedTuple):
    """What an operation is given: an expression of C and its dtype, or a number of Python's; and how it takes part in promotion."""

    text: Any
    dtype: Any = None
    weak: Any = None


def element_strides(array: Any) -> tuple[int, ...]:
    """Strides counted in elements."""
    size = array.dtype.itemsize
    if any(stride % size for stride in array.strides):
        raise Unsupported("an array's elements do not lie at multiples of their size")
    return tuple(stride // size for stride in array.strides)


def broadcast_strides(array: Any, shape: Sequence[int]) -> tuple[int, ...]:
    """The strides, counted in elements, by which an array is met that is broadcast to ``shape``."""
    strides = element_strides(array)
    lead = len(shape) - len(array.shape)
    return (0,) * lead + tuple(
        0 if n == 1 and shape[lead + k] != 1 else step for k, (n, step) in enumerate(zip(array.shape, strides, strict=True))
    )


class Space:
    """An index space, and the arrays that are met in it, each by strides of its own. Axes that all meet in one go become one."""

    def __init__(self, shape: Sequence[int], ordered: bool = False) -> None:
        self.shape, self.ordered = tuple(shape), ordered
        self.strides: dict[str, tuple[int, ...]] = {}

    def merged(self) -> tuple[list[int], dict[str, list[int]]]:
        """The axes' lengths and each array's strides, along as few axes as will do, the fastest of the first array last.

        Where the space is ``ordered``, the axes stay in their order.
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
        """Lines that give the coordinates of the element of number ``index``, and for each array where its element lies."""
        lengths, strides = self.merged()
        wide = "long long" if self.is_wide() else "int"
        if 0 in lengths:
            return [], dict.fromkeys(strides, "0")
        if len(lengths) < 2:
            return [], {name: _sum([_times(index, steps[0])] if steps else []) for name, steps in strides.items()}
        lines, step = [], prod(lengths)
        for k, n in enumerate(lengths):
            step //= n
            part = index if step == 1 else f"{index} / {step}"
            lines.append(f"const {wide} {prefix}{k} = {part}{f' % {n}' if k else ''};")
        contiguous = [prod(lengths[k + 1 :]) for k in range(len(lengths))]
        found = {}
        for name, steps in strides.items():
            terms = [_times(f"{prefix}{k}", s) for k, s in enumerate(steps)]
            found[name] = index if steps == contiguous else _sum(terms)
        texts = " ".join(found.values())
        return [line for k, line in enumerate(lines) if re.search(rf"\b{prefix}{k}\b", texts)], found

    def is_wide(self) -> bool:
        """Whether numbers of elements do not fit into 32 bits."""
        reach = [sum(abs(s) * (n - 1) for s, n in zip(steps, self.shape, strict=True)) for steps in self.strides.values()]
        return max([prod(self.shape), *reach]) >= 1 << 30


def _times(index: str, step: int) -> str:
    return "" if step == 0 else index if step == 1 else f"{index} * {step}"


def _sum(terms: list[str]) -> str:
    return " + ".join(filter(None, terms)) or "0"


class Elementwise:
    """The source of a kernel that does the same for every element of a shape, written line by line.

    ``load`` and ``store`` tell of arrays, and ``compute`` of what is done in between.
    """

    def __init__(self, name: str, shape: Sequence[int]) -> None:
        self.name, self.space = name, Space(shape)
        self._arrays: dict[str, Any] = {}
        self._named: dict[Any, str] = {}
        self._stored: set[str] = set()
        self._helpers: dict[tuple[str, Any], None] = {}
        self._lines: list[str] = []
        self._count = 0

    def place(self, array: Any, strides: Sequence[int] | None = None, more: str = "") -> str:
        """How the element of ``array`` is written, by ``strides`` or as broadcast, ``more`` added to where it lies."""
        strides = tuple(broadcast_strides(array, self.space.shape) if strides is None else strides)
        key = (id(array), strides)
        if key not in self._named:
            self._named[key] = f"x{len(self._arrays)}"
            self._arrays[self._named[key]] = array
            self.space.strides[self._named[key]] = strides
        name = self._named[key]
        return f"{name}[@{name}{f' + {more}' if more else ''}]"

    def register(self, text: str, dtype: Any) -> str:
        """A name for what an expression gives."""
        name = f"t{self._count}"
        self._count += 1
        self._lines.append(f"const {c_type(dtype)} {name} = {text};")
        return name

    def store(self, place: str, text: str, condition: str = "") -> None:
        self._stored.add(place.partition("[")[0])
        self._lines.append(f"{f'if ({condition}) ' if condition else ''}{place} = {text};")

    def add(self, place: str, text: str, dtype: Any) -> None:
        """Add to an element that other threads add to as well."""
        self._stored.add(place.partition("[")[0])
        kind = "unsigned long long" if dtype == np.int64 else ""  # in two's complement the sums are the same bits
        address, value = (f"({kind}*)&{place}", f"({kind}){text}") if kind else (f"&{place}", text)
        self._lines.append(f"atomicAdd({address}, {value});")

    def largest(self, place: str, text: str) -> None:
        """Have an element of int32 that other threads write to as well be the largest of what they write."""
        self._stored.add(place.partition("[")[0])
        self._lines.append(f"atomicMax(&{place}, {text});")

    def compute(self, name: str, operands: Sequence[Operand], out: Any, raw: Any = None) -> str:
        """A name for what an operation gives of operands."""
        dtypes = [type(text)(0) if dtype is None else dtype if weak is None else weak for text, dtype, weak in operands]
        dtype = loop_dtype(name, dtypes, out)
        c_type(dtype)
        texts = []
        for k, (text, own, _) in enumerate(operands):
            to = np.dtype(bool) if name == "where" and k == 0 else dtype
            texts.append(literal(text, to) if own is None else cast(text, own, to))
        text, found, helper = expression(name, texts, dtype, raw)
        if helper:
            self.helper(helper, dtype)
        if found == out:
            return text if text.isidentifier() else self.register(text, out)
        return self.register(cast(f"({text})", found, out), out)

    def helper(self, name: str, dtype: Any) -> None:
        self._helpers[name, dtype] = None

    def kernel(self) -> Kernel:
        strides = self.space.strides
        self.space.strides = {name: strides[name] for name in sorted(strides, key=lambda name: name not in self._stored)}
        lines, found = self.space.written("i", "i")
        size = prod(self.space.shape)
        wide = self.space.is_wide()
        parameters = ", ".join(
            f"{'' if name in self._stored else 'const '}{c_type(array.dtype)}* {name}" for name, array in self._arrays.items()
        )
        index = f"blockIdx.x * {'(long long)' if wide else ''}blockDim.x + threadIdx.x"
        body = [
            f"const {'long long' if wide else 'int'} i = {index};",
            f"if (i >= {size}) return;",
            *lines,
            *(re.sub(r"@(x\d+)", lambda match: found[match[1]], line).replace("[0 + ", "[") for line in self._lines),
        ]
        name = f"adjoint_{self.name}"  # CUDA has functions of the plain names
        text = "\n    ".join([f'extern "C" __global__ void {name}({parameters}) {{', *body])
        threads = min(THREADS, max(32, size))
        return Kernel(
            f"{_helpers(self._helpers)}{text}\n}}\n", name, list(self._arrays.values()), (-(-size // threads),), (threads,)
        )


def copy(target: Any, source: Any, name: str = "copy") -> Kernel:
    """``target[...] = source``, converted and broadcast; axes of length one that lead ``source`` are dropped."""
    chain = Elementwise(name, target.shape)
    place = chain.place(target)
    chain.store(place, moved(chain, source, target.dtype))
    return chain.kernel()


def moved(chain: Elementwise, source: Any, dtype: Any, strides: Sequence[int] | None = None, more: str = "") -> str:
    """An element of an array, or a number of Python's, as one of ``dtype``."""
    if not hasattr(source, "shape"):
        return literal(source, dtype)
    if strides is None:
        source = without_lead(source, len(chain.space.shape))
    return cast(chain.place(source, strides, more), source.dtype, dtype)


def without_lead(array: Any, ndim: int) -> Any:
    while len(array.shape) > ndim and array.shape[0] == 1:
        array = array[0]
    return array


def triangle(name: str, target: Any, source: Any, k: int) -> Kernel:
    """The part of matrices below (``tril``) or above (``triu``) the diagonal that is ``k`` above the main one, zeros elsewhere."""
    chain = Elementwise(name, target.shape)
    place = chain.place(target)
    rows, columns = target.shape[-2:]
    row, column = f"i / {columns} % {rows}", f"i % {columns}"
    chain.space.ordered = True  # so that the number of an element tells its row and column
    inside = f"{column} - {row} {'<=' if name == 'tril' else '>='} {k}"
    chain.store(place, f"{inside} ? {chain.place(source)} : {literal(0, target.dtype)}")
    return chain.kernel()


# --- picking by index -------------------------------------------------------------------------------------------------------


class Picked(NamedTuple):
    """What ``array[index]`` picks: the shape, a view without the picking axes' part, its strides in that shape, and the axes."""

    shape: tuple[int, ...]
    view: Any
    strides: tuple[int, ...]
    axes: list[tuple[Any, int, int]]  # what picks, how many it picks from, and their stride in elements


def picked(array: Any, index: Any) -> Picked:
    """The meaning of NumPy's indexing by slices, whole numbers and arrays of them."""
    parts = list(index) if isinstance(index, tuple) else [index]
    used = sum(part is not None and part is not Ellipsis for part in parts)
    rest = [slice(None)] * (len(array.shape) - used)
    at = next((k for k, part in enumerate(parts) if part is Ellipsis), None)
    parts = [*parts[:at], *rest, *parts[at + 1 :]] if at is not None else [*parts, *rest]
    if any(getattr(getattr(part, "dtype", None), "kind", "i") not in "iu" for part in parts):
        raise Unsupported("no kernel picks by a mask")
    picks = [not isinstance(part, slice) and part is not None for part in parts]
    view = array[tuple(slice(None) if pick else part for part, pick in zip(parts, picks, strict=True))]
    steps = element_strides(view)
    shapes = [getattr(part, "shape", ()) for part, pick in zip(parts, picks, strict=True) if pick]
    lead = np.broadcast_shapes(*shapes)
    where = [k for k, pick in enumerate(picks) if pick]
    together = where == list(range(where[0], where[-1] + 1))
    kept = [k for k, pick in enumerate(picks) if not pick]
    before = [k for k in kept if together and k < where[0]]
    after = [k for k in kept if k not in before]
    shape = (*(view.shape[k] for k in before), *lead, *(view.shape[k] for k in after))
    strides = (*(steps[k] for k in before), *(0,) * len(lead), *(steps[k] for k in after))
    axes = []
    for k in where:
        part = parts[k]
        if hasattr(part, "shape"):
            own = (*(0,) * len(before), *broadcast_strides(part, lead), *(0,) * len(after))
            axes.append(((part, own), view.shape[k], steps[k]))
        else:
            axes.append((part, view.shape[k], steps[k]))
    return Picked(shape, view, strides, axes)


def _at(chain: Elementwise, found: Picked) -> str:
    """Where the picked element lies, besides its strides."""
    terms = []
    for part, n, step in found.axes:
        if isinstance(part, tuple):
            chain.helper("wrapped", np.dtype(np.int64))
            at = chain.register(f"wrapped({chain.place(*part)}, {n})", np.dtype(np.int64))
            terms.append(_times(at, step))
        else:
            terms.append(f"{int(part) % n * step}LL" if int(part) % n * step else "")
    return " + ".join(filter(None, terms))


def gather(target: Any, array: Any, index: Any) -> Kernel:
    """``target = array[index]``."""
    found = picked(array, index)
    chain = Elementwise("gather", found.shape)
    place = chain.place(target)
    chain.store(place, moved(chain, found.view, target.dtype, found.strides, _at(chain, found)))
    return chain.kernel()


def scatter(target: Any, index: Any, source: Any) -> Kernel:
    """``target[index] = source``, where no place is named twice."""
    return _to_index("scatter", target, index, source)


def scatter_last(target: Any, index: Any, source: Any, last: Any) -> list[Kernel]:
    """``target[index] = source``, the last element of those for one place; in ``last``, int32 as ``target``, their numbers."""
    found = picked(target, index)
    if prod(found.shape) >= 1 << 31:
        raise Unsupported("no kernel writes so many elements by index")
    numbers, values = Elementwise("last_to_index", found.shape), Elementwise("scatter_last", found.shape)
    for chain in (numbers, values):
        chain.space.ordered = True  # so that the number of an element tells how late it is written
        at = _at(chain, found)
        of_last = picked(last, index)
        place = chain.place(of_last.view, of_last.strides, _at(chain, of_last))
        if chain is numbers:
            chain.largest(place, "(int)i")
        else:
            value = moved(chain, source, target.dtype)
            chain.store(chain.place(found.view, found.strides, at), value, f"{place} == (int)i")
    return [copy(last, -1, "last_to_index"), numbers.kernel(), values.kernel()]


def scatter_add(target: Any, index: Any, source: Any) -> Kernel:
    """``target[index] += source``, repeated indices adding up."""
    if target.dtype.name not in ("int32", "int64", "uint32", "uint64", "float32", "float64"):
        raise Unsupported(f"no kernel adds {target.dtype.name} up by index")
    return _to_index("scatter_add", target, index, source)


def _to_index(name: str, target: Any, index: Any, source: Any) -> Kernel:
    found = picked(target, index)
    chain = Elementwise(name, found.shape)
    value = moved(chain, source, target.dtype)
    at = _at(chain, found)
    place = chain.place(found.view, found.strides, at)
    if name == "scatter":
        chain.store(place, value)
    else:
        chain.add(place, value, target.dtype)
    return chain.kernel()


# --- reductions ---------------------------------------------------------------------------------------------------------------


def reduction(name: str, target: Any, array: Any, axis: Any) -> Kernel:
    """``target`` is what a reduction gives of ``array`` along axes, by a block of threads for an element or by a thread.

    A block where the elements that are reduced lie closer together than the results' do; else neighbouring threads read neighbours.
    """
    ndim = len(array.shape)
    axes = range(ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    gone = [a % ndim for a in axes]
    kept = [a for a in range(ndim) if a not in gone]
    count, size = prod(array.shape[a] for a in gone), prod(array.shape[a] for a in kept)
    steps, out = element_strides(array), element_strides(target)
    if len(out) == ndim:  # of axes that were kept
        out = tuple(out[a] for a in kept)
    outer, inner = Space([array.shape[a] for a in kept]), Space([array.shape[a] for a in sorted(gone)], name.startswith("arg"))
    outer.strides = {"y": out, "x": tuple(steps[a] for a in kept)}
    inner.strides = {"x": tuple(steps[a] for a in sorted(gone))}
    if outer.is_wide() or inner.is_wide():
        raise Unsupported("an array has more elements than a reduction counts")
    near = min((abs(s) for s, n in zip(inner.strides["x"], inner.shape, strict=True) if n > 1), default=0)
    far = min((abs(s) for s, n in zip(outer.strides["x"], outer.shape, strict=True) if n > 1), default=near + 1)
    by_block = count >= 32 and (near < far or size < 1024)
    threads = min(1024 if size < 64 else THREADS, 1 << (count - 1).bit_length()) if by_block else THREADS
    source, state = array.dtype, target.dtype
    finds = name in ("argmax", "argmin")
    dtype = source if finds or name in ("max", "min") else state
    T, J = c_type(dtype), c_type(np.dtype(np.int64))
    start, fold = _folded(name, dtype)
    outer_lines, at = outer.written("o", "o")
    inner_lines, within = inner.written("r", "r")
    place = " + ".join(part for part in (at["x"], within["x"]) if part != "0") or "0"
    read = cast(f"x[{place}]", source, dtype)
    helper = {"max": "maximum", "min": "minimum"}.get(name, "")
    head = _helpers({(helper, dtype): None}) if helper and dtype.kind != "b" else ""
    body = [f"const int o = {'blockIdx.x' if by_block else 'blockIdx.x * blockDim.x + threadIdx.x'};"]
    if not by_block:
        body.append(f"if (o >= {size}) return;")
    body += outer_lines
    body += [f"{T} total = {start};"]
    if finds:
        body.append("int first = -1;")
    body.append(
        f"for (int r = threadIdx.x; r < {count}; r += {threads}) {{" if by_block else f"for (int r = 0; r < {count}; r++) {{"
    )
    body += [f"    {line}" for line in inner_lines]
    body.append(f"    const {T} value = {read};")
    if finds:
        better = f"first < 0 || {_better(name, 'value', 'total', dtype)}"
        body += [f"    if ({better}) {{", "        total = value;", "        first = r;", "    }"]
    else:
        body.append(f"    total = {fold('total', 'value')};")
    body.append("}")
    last = "first" if finds else f"total / {literal(count, dtype)}" if name == "mean" else "total"
    if by_block:
        body += [f"__shared__ {T} part[{threads}];", "part[threadIdx.x] = total;"]
        if finds:
            body += [f"__shared__ int firsts[{threads}];", "firsts[threadIdx.x] = first;"]
        body += ["__syncthreads();", f"for (int half = {threads // 2}; half > 0; half /= 2) {{", "    if (threadIdx.x < half) {"]
        if finds:
            better = _better(name, "part[j]", "part[threadIdx.x]", dtype)
            same = f"!({_better(name, 'part[threadIdx.x]', 'part[j]', dtype)})"
            body += [
                "        const int j = threadIdx.x + half;",
                "        const bool none = firsts[threadIdx.x] < 0, other = firsts[j] >= 0;",
                f"        if (other && (none || {better} || ({same} && firsts[j] < firsts[threadIdx.x]))) {{",
                "            part[threadIdx.x] = part[j];",
                "            firsts[threadIdx.x] = firsts[j];",
                "        }",
            ]
        else:
            body.append(f"        part[threadIdx.x] = {fold('part[threadIdx.x]', 'part[threadIdx.x + half]')};")
        body += ["    }", "    __syncthreads();", "}", "if (threadIdx.x > 0) return;"]
        body.append("first = firsts[0];" if finds else "total = part[0];")
    final = J if finds else T
    body.append(f"y[{at['y']}] = {last if final == c_type(state) else f'({c_type(state)})({last})'};")
    text = "\n    ".join([f'extern "C" __global__ void adjoint_{name}({c_type(state)}* y, const {c_type(source)}* x) {{', *body])
    grid = size if by_block else -(-size // threads)
    return Kernel(f"{head}{text}\n}}\n", f"adjoint_{name}", [target, array], (grid,), (threads,))


def _folded(name: str, dtype: Any) -> tuple[str, Any]:
    """What a reduction begins with, and how two parts of it become one."""
    if name in ("sum", "mean"):
        return literal(0, dtype), (lambda a, b: f"{a} + {b}")
    if name == "prod":
        return literal(1, dtype), (lambda a, b: f"{a} * {b}")
    if name in ("any", "all"):
        return literal(name == "all", dtype), (lambda a, b: f"{a} {'&&' if name == 'all' else '||'} {b}")
    if name in ("argmax", "argmin"):
        return literal(0, dtype), None
    largest = name == "max"
    if dtype.kind == "b":
        return literal(not largest, dtype), (lambda a, b: f"{a} {'||' if largest else '&&'} {b}")
    if dtype.kind == "f":
        start = literal(-inf if largest else inf, dtype)
    else:
        info = np.iinfo(dtype)
        start = f"({c_type(dtype)}){info.min + 1 if largest and info.min else info.min if largest else info.max}"
        start = f"({start} - 1)" if largest and info.min else f"{start}{suffix(dtype)}"
    return start, (lambda a, b: f"{'maximum' if largest else 'minimum'}({a}, {b})")


def _better(name: str, a: str, b: str, dtype: Any) -> str:
    """Whether ``a`` takes the place of ``b``, which came first: NaN before all else."""
    sign = ">" if name == "argmax" else "<"
    return f"{a} {sign} {b}" if dtype.kind != "f" else f"({a} {sign} {b} || ({a} != {a} && {b} == {b}))"


# --- matrix products ----------------------------------------------------------------------------------------------------------


def matmul(target: Any, a: Any, b: Any) -> Kernel:
    """``target = a @ b`` of matrices in the last two axes: a block of threads for a square of the result, a square at a time."""
    rows, columns = target.shape[-2:]
    inner, batch = a.shape[-1], target.shape[:-2]
    dtype = target.dtype
    if dtype.kind == "b" or a.dtype != dtype or b.dtype != dtype:
        raise Unsupported(f"no kernel multiplies matrices of {a.dtype} and {b.dtype}")
    T = c_type(dtype)
    space = Space(batch)
    for name, array in (("y", target), ("a", a), ("b", b)):
        lead = len(target.shape) - len(array.shape)
        steps = (0,) * lead + tuple(
            0 if n == 1 and m != 1 else s
            for n, m, s in zip(array.shape[:-2], batch[lead:], element_strides(array)[:-2], strict=True)
        )
        space.strides[name] = steps
    lines, start = space.written("batch", "b")

    def place(name: str, array: Any, row: str, column: str) -> str:
        steps = element_strides(array)[-2:]
        reach = sum(abs(s) * n for s, n in zip(steps, array.shape[-2:], strict=True))
        wide = "(long long)" if reach >= 1 << 30 else ""
        terms = [f"(long long){start[name]}" if start[name] != "0" else ""]
        terms += [_times(f"{wide}{row}", steps[0]), _times(f"{wide}{column}", steps[1])]
        return f"{name}[{_sum(terms)}]"

    if prod(target.shape) >= 1 << 31 or prod(batch) > 65535:
        raise Unsupported("a matrix product is larger than a kernel counts")
    n = BLOCK
    body = [
        f"__shared__ {T} left[{n}][{n}], right[{n}][{n + 1}];",
        "const int batch = blockIdx.z, tx = threadIdx.x, ty = threadIdx.y;",
        *lines,
        f"const int row = blockIdx.y * {n} + ty, column = blockIdx.x * {n} + tx;",
        f"{T} total = 0;",
        f"for (int k = 0; k < {inner}; k += {n}) {{",
        f"    left[ty][tx] = row < {rows} && k + tx < {inner} ? {place('a', a, 'row', '(k + tx)')} : ({T})0;",
        f"    right[ty][tx] = k + ty < {inner} && column < {columns} ? {place('b', b, '(k + ty)', 'column')} : ({T})0;",
        "    __syncthreads();",
        f"    for (int j = 0; j < {n}; j++) total += left[ty][j] * right[j][tx];",
        "    __syncthreads();",
        "}",
        f"if (row < {rows} && column < {columns}) {place('y', target, 'row', 'column')} = total;",
    ]
    text = "\n    ".join([f'extern "C" __global__ void adjoint_matmul({T}* y, const {T}* a, const {T}* b) {{', *body])
    grid = (-(-columns // n), -(-rows // n), max(1, prod(batch)))
    return Kernel(f"{text}\n}}\n", "adjoint_matmul", [target, a, b], grid, (n, n))
