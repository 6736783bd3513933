"""CUDA source for the operations of a program: a kernel for a fusion group, a copy, a pick by index, a reduction, a product.

Shapes and strides are written into the source, so a kernel takes addresses only. Arrays are read for ``shape``, ``dtype`` and
``strides`` only: CuPy is not needed to write a kernel, or to read it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import inf, prod
from typing import Any, NamedTuple

import numpy as np

from .expressions import (
    Space,
    Unsupported,
    broadcast_strides,
    c_type,
    cast,
    element_strides,
    expression,
    helpers,
    literal,
    loop_dtype,
    suffix,
    times,
    total,
)  # fmt: skip

#: Threads in a block; rows and columns of a block of a matrix product.
THREADS, BLOCK = 256, 16


class Kernel(NamedTuple):
    """A kernel's source, its name there, what it is called with, and on how many blocks of how many threads."""

    source: str
    name: str
    arrays: list[Any]
    grid: tuple[int, ...]
    block: tuple[int, ...]


class Operand(NamedTuple):
    """An operand: a C expression and its dtype, or a Python number; ``weak`` takes the dtype's place in promotion."""

    text: Any
    dtype: Any = None
    weak: Any = None


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
        text, result, helper = expression(name, texts, dtype, raw)
        if helper:
            self.helper(helper, dtype)
        if result == out:
            return text if text.isidentifier() else self.register(text, out)
        return self.register(cast(f"({text})", result, out), out)

    def helper(self, name: str, dtype: Any) -> None:
        self._helpers[name, dtype] = None

    def build(self) -> Kernel:
        strides = self.space.strides
        self.space.strides = {name: strides[name] for name in sorted(strides, key=lambda name: name not in self._stored)}
        lines, offsets = self.space.written("i", "i")
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
            *(re.sub(r"@(x\d+)", lambda match: offsets[match[1]], line).replace("[0 + ", "[") for line in self._lines),
        ]
        name = f"adjoint_{self.name}"  # CUDA has functions of the plain names
        text = "\n    ".join([f'extern "C" __global__ void {name}({parameters}) {{', *body])
        threads = min(THREADS, max(32, size))
        return Kernel(
            f"{helpers(self._helpers)}{text}\n}}\n", name, list(self._arrays.values()), (-(-size // threads),), (threads,)
        )


def copy(target: Any, source: Any, name: str = "copy") -> Kernel:
    """``target[...] = source``, converted and broadcast; axes of length one that lead ``source`` are dropped."""
    kernel = Elementwise(name, target.shape)
    place = kernel.place(target)
    kernel.store(place, moved(kernel, source, target.dtype))
    return kernel.build()


def moved(kernel: Elementwise, source: Any, dtype: Any, strides: Sequence[int] | None = None, more: str = "") -> str:
    """An element of an array, or a number of Python's, as one of ``dtype``."""
    if not hasattr(source, "shape"):
        return literal(source, dtype)
    if strides is None:
        source = without_lead(source, len(kernel.space.shape))
    return cast(kernel.place(source, strides, more), source.dtype, dtype)


def without_lead(array: Any, ndim: int) -> Any:
    while len(array.shape) > ndim and array.shape[0] == 1:
        array = array[0]
    return array


def triangle(name: str, target: Any, source: Any, k: int) -> Kernel:
    """The part of matrices below (``tril``) or above (``triu``) the diagonal that is ``k`` above the main one, zeros elsewhere."""
    kernel = Elementwise(name, target.shape)
    place = kernel.place(target)
    rows, columns = target.shape[-2:]
    row, column = f"i / {columns} % {rows}", f"i % {columns}"
    kernel.space.ordered = True  # so that the number of an element tells its row and column
    inside = f"{column} - {row} {'<=' if name == 'tril' else '>='} {k}"
    kernel.store(place, f"{inside} ? {kernel.place(source)} : {literal(0, target.dtype)}")
    return kernel.build()


# --- picking by index -------------------------------------------------------------------------------------------------------


class Picked(NamedTuple):
    """The elements ``array[index]``: their shape, the view that slices pick, its strides in that shape, and the picked axes."""

    shape: tuple[int, ...]
    view: Any
    strides: tuple[int, ...]
    axes: list[tuple[Any, int, int]]  # for each: the index, the axis' length, and its stride in elements


def picked(array: Any, index: Any) -> Picked:
    """What NumPy's indexing by slices, integers and integer arrays picks."""
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
    others = [k for k, pick in enumerate(picks) if not pick]
    before = [k for k in others if together and k < where[0]]
    after = [k for k in others if k not in before]
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


def _at(kernel: Elementwise, pick: Picked) -> str:
    """The offset of the picked element, without its strides."""
    terms = []
    for part, n, step in pick.axes:
        if isinstance(part, tuple):
            kernel.helper("wrapped", np.dtype(np.int64))
            at = kernel.register(f"wrapped({kernel.place(*part)}, {n})", np.dtype(np.int64))
            terms.append(times(at, step))
        else:
            terms.append(f"{int(part) % n * step}LL" if int(part) % n * step else "")
    return " + ".join(filter(None, terms))


def gather(target: Any, array: Any, index: Any) -> Kernel:
    """``target = array[index]``."""
    pick = picked(array, index)
    kernel = Elementwise("gather", pick.shape)
    place = kernel.place(target)
    kernel.store(place, moved(kernel, pick.view, target.dtype, pick.strides, _at(kernel, pick)))
    return kernel.build()


def scatter(target: Any, index: Any, source: Any) -> Kernel:
    """``target[index] = source``; no element is indexed twice."""
    return _to_index("scatter", target, index, source)


def scatter_last(target: Any, index: Any, source: Any, last: Any) -> list[Kernel]:
    """``target[index] = source``, in which the last write to an element remains; ``last`` holds its number, int32."""
    pick = picked(target, index)
    if prod(pick.shape) >= 1 << 31:
        raise Unsupported("no kernel writes so many elements by index")
    numbers, values = Elementwise("last_to_index", pick.shape), Elementwise("scatter_last", pick.shape)
    for kernel in (numbers, values):
        kernel.space.ordered = True  # so that element numbers are in the order of the writes
        at = _at(kernel, pick)
        of_last = picked(last, index)
        place = kernel.place(of_last.view, of_last.strides, _at(kernel, of_last))
        if kernel is numbers:
            kernel.largest(place, "(int)i")
        else:
            value = moved(kernel, source, target.dtype)
            kernel.store(kernel.place(pick.view, pick.strides, at), value, f"{place} == (int)i")
    return [copy(last, -1, "last_to_index"), numbers.build(), values.build()]


def scatter_add(target: Any, index: Any, source: Any) -> Kernel:
    """``target[index] += source``, which sums repeated indices."""
    if target.dtype.name not in ("int32", "int64", "uint32", "uint64", "float32", "float64"):
        raise Unsupported(f"no kernel adds {target.dtype.name} up by index")
    return _to_index("scatter_add", target, index, source)


def _to_index(name: str, target: Any, index: Any, source: Any) -> Kernel:
    pick = picked(target, index)
    kernel = Elementwise(name, pick.shape)
    value = moved(kernel, source, target.dtype)
    at = _at(kernel, pick)
    place = kernel.place(pick.view, pick.strides, at)
    if name == "scatter":
        kernel.store(place, value)
    else:
        kernel.add(place, value, target.dtype)
    return kernel.build()


# --- reductions ---------------------------------------------------------------------------------------------------------------


def reduction(name: str, target: Any, array: Any, axis: Any) -> Kernel:
    """A reduction of ``array`` along axes to ``target``, by a block of threads or by one thread for each result.

    By a block if the reduced elements lie closer together than those of different results; else threads read neighbours.
    """
    ndim = len(array.shape)
    axes = range(ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    reduced = [a % ndim for a in axes]
    others = [a for a in range(ndim) if a not in reduced]
    count, size = prod(array.shape[a] for a in reduced), prod(array.shape[a] for a in others)
    steps, out = element_strides(array), element_strides(target)
    if len(out) == ndim:  # keepdims
        out = tuple(out[a] for a in others)
    outer, inner = Space([array.shape[a] for a in others]), Space([array.shape[a] for a in sorted(reduced)], name.startswith("arg"))
    outer.strides = {"y": out, "x": tuple(steps[a] for a in others)}
    inner.strides = {"x": tuple(steps[a] for a in sorted(reduced))}
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
    start, combine = _combination(name, dtype)
    outer_lines, at = outer.written("o", "o")
    inner_lines, within = inner.written("r", "r")
    place = " + ".join(part for part in (at["x"], within["x"]) if part != "0") or "0"
    read = cast(f"x[{place}]", source, dtype)
    helper = {"max": "maximum", "min": "minimum"}.get(name, "")
    head = helpers({(helper, dtype): None}) if helper and dtype.kind != "b" else ""
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
        body.append(f"    total = {combine('total', 'value')};")
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
            body.append(f"        part[threadIdx.x] = {combine('part[threadIdx.x]', 'part[threadIdx.x + half]')};")
        body += ["    }", "    __syncthreads();", "}", "if (threadIdx.x > 0) return;"]
        body.append("first = firsts[0];" if finds else "total = part[0];")
    final = J if finds else T
    body.append(f"y[{at['y']}] = {last if final == c_type(state) else f'({c_type(state)})({last})'};")
    text = "\n    ".join([f'extern "C" __global__ void adjoint_{name}({c_type(state)}* y, const {c_type(source)}* x) {{', *body])
    grid = size if by_block else -(-size // threads)
    return Kernel(f"{head}{text}\n}}\n", f"adjoint_{name}", [target, array], (grid,), (threads,))


def _combination(name: str, dtype: Any) -> tuple[str, Any]:
    """The initial value of a reduction, and how two partial results are combined."""
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
    """Whether ``a`` replaces ``b``, which came first: NaN before all else."""
    sign = ">" if name == "argmax" else "<"
    return f"{a} {sign} {b}" if dtype.kind != "f" else f"({a} {sign} {b} || ({a} != {a} && {b} == {b}))"


# --- matrix products ----------------------------------------------------------------------------------------------------------


def matmul(target: Any, a: Any, b: Any) -> Kernel:
    """``target = a @ b`` of matrices in the last two axes: a block of threads computes a square of the result."""
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
        terms += [times(f"{wide}{row}", steps[0]), times(f"{wide}{column}", steps[1])]
        return f"{name}[{total(terms)}]"

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
