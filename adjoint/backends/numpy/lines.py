"""Writing operations as lines of Python source, each a call with ``out=`` if the result has a fixed place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import isfinite
from typing import Any

import numpy as np

from ...replay.memory import same_place
from ...replay.program import Op, Program, Value, values_in
from ..special import is_basic, keeping_array
from ..standard import CREATION
from . import threads
from .kernels import BITS, REDUCTIONS, UFUNCS, as_product, by_dot, clip, is_limit, masked_operand, matmul
from .threads import dot, run_both, shared
from .tiles import NAMED, Step, Tiles, as_bits

#: What ``x ** n`` computes for these Python numbers; ``np.power`` for all others.
POWERS = {2: np.square, 0.5: np.sqrt, 0: None, 1: None, -1: None}
COPIES = {"asarray", "astype", "contiguous"}
#: Python's operators, for scalars.
SIGNS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "negative": "-", "less": "<", "less_equal": "<=", "greater": ">",
    "greater_equal": ">=",
}  # fmt: skip


class Writer:
    """A program's operations as lines of Python source, and the objects that these refer to."""

    def __init__(self, program: Program, numbers: list[Value]) -> None:
        self.program, self.numbers = program, numbers
        self._at = {number: i for i, number in enumerate(numbers)}
        self._names: dict[str, Any] = {"copyto": np.copyto}  # globals of the generated functions
        self._of: dict[Value, str] = {}  # names of values that have no fixed place
        self._arrays: dict[Value, Any] = {}  # values with a fixed place
        self._scalars: dict[Any, Any] = {}
        self._negated: dict[Op, Value] = {}
        self._written = program.written()
        self._picked: dict[Any, str] = {}
        self._before: list[str] = []  # lines that must precede the next one
        self._read: dict[Value, str] = {}  # names of scalars that were read from memory
        self._placed: set[Value] = set()  # values with a fixed place in memory
        self._taken: dict[int, str] = {}
        self._assigned: list[str] = []  # names that the lines so far assign
        self._rows: dict[Value, int] = {}  # guarded upper bounds of indices
        for op in program.ops[: program.prologue]:
            if op.name == "are_indices":
                self._rows[op.args[0]] = min(op.args[1], self._rows.get(op.args[0], op.args[1]))
        self._shared = False  # whether BLAS would use several threads
        self._scratch: list[Any] = []  # of each thread, for one fusion group after another

    def _array(self, value: Value) -> Any:
        return self._arrays[value]

    # --- elementwise operations -----------------------------------------------------------------------------------------------

    def _steps(self, op: Op) -> list[Step] | None:
        """An elementwise operation as calls that work on any rows; None for another operation."""
        target = op.target
        if self._is_limit(op):
            x, least = op.args
            return [Step(clip, x, self._as_array(least, x.dtype), self._as_array(float("inf"), x.dtype), target)]
        if op.name in UFUNCS and not op.kwargs:
            like = next((value.dtype for value in op.values() if value.kind != "number"), None)
            return [Step(UFUNCS[op.name], *(self._as_array(part, like) for part in op.args), target)]
        if op.name in COPIES and self._line_of(op) is not None:
            return [Step(_copied, op.args[0], target)]
        if op.name == "where" and _picks(op):
            condition, x, y = op.args
            if not isinstance(y, Value):
                return [Step(np.multiply, x, condition, target, bits=True)]
            negated = self._negated.setdefault(op, Value("computed", np.broadcast_to(np.False_, condition.shape)))
            return [Step(np.logical_not, condition, negated), Step(np.multiply, y, negated, target, bits=True)]
        return None

    def _elementwise(self, op: Op) -> str:
        """The operation's steps, as lines."""
        steps = self._steps(op) or ()
        if op in self._negated:
            self._arrays.setdefault(self._negated[op], np.empty(op.result.shape, np.bool_))
        return "; ".join(map(self._step, steps))

    def _step(self, step: Step) -> str:
        *operands, out = [self._bits(part) if step.bits else self._text(part) for part in step.operands]
        return self._into(step.function, operands, out)

    def _bits(self, value: Value) -> str:
        """The name of a value, floats as the integers of their bits."""
        if value.dtype.kind == "b":
            return self._name(value)
        if value in self._arrays:
            return self._bound(as_bits(self._arrays[value]))
        return f"{self._name(value)}.view({self._bound(BITS[value.dtype])})"

    def _into(self, ufunc: Any, operands: list[str], out: str) -> str:
        """A call whose result is written to ``out``: by position where NumPy allows it, which is faster."""
        return f"{self._bound(ufunc)}({', '.join(operands)}, {'out=' if ufunc in NAMED else ''}{out})"

    def _is_limit(self, op: Op) -> bool:
        """Whether it is the maximum of an array and a number, which ``clip`` computes faster."""
        if op.name != "maximum" or op.writes is not None or not isinstance(op.args[0], Value) or not op.args[0].shape:
            return False
        return is_limit(np.empty(1, op.args[0].dtype), op.args[1])

    # --- the lines -----------------------------------------------------------------------------------------------------------

    def _line_of(self, op: Op) -> Callable[[Op], str] | None:
        """The method that emits the operation with its result in a fixed place; None if there is no way."""
        if op.draws or self._is_scalar(op):
            return None
        if op.name in REDUCTIONS:
            is_planned = op.name != "sum" or op.args[0] in self._placed
            return self._reduction if is_planned and op.kwargs.keys() <= {"axis", "keepdims"} and len(op.args) == 1 else None
        if op.name == "pow":
            return self._power if op.result.shape and self._raised(op) else None
        if op.name in UFUNCS:
            return self._elementwise if not op.kwargs else None
        if op.name == "matmul":
            return self._matmul
        if op.name == "where":
            return self._elementwise if _picks(op) else None
        if op.name in COPIES:
            return self._copy if isinstance(op.args[0], Value) and op.args[0].shape == op.result.shape else None
        if op.name == "reshape" and not op.is_view:
            return self._in_order if op.args[0] in self._placed else None
        if op.name in ("zeros", "zeros_like"):
            return self._zeros
        if op.name in ("empty", "empty_like"):
            return lambda op: ""
        if op.name == "scatter_add":
            return self._scatter if is_basic(op.args[1]) else None
        if op.name == "concat":
            return self._concat
        return None

    def _group(self, tiles: Tiles) -> str:
        branch = tiles.group.ops[0].branch
        run, parts = tiles.compiled(self._array, self._scratch[branch.number :] if branch else self._scratch)
        calls = [self._bound(partial(run, part)) for part in parts]
        return f"{self._bound(run_both)}({', '.join(calls)})" if len(calls) > 1 else f"{calls[0]}()"

    def _power(self, op: Op) -> str:
        power, operands = self._raised(op), op.args if self._raised(op) is np.power else op.args[:1]
        return self._into(power, [self._operand(part, op.result.dtype) for part in operands], self._name(op.out))

    def _raised(self, op: Op) -> Any:
        """The ufunc that computes ``x ** y``; None where NumPy decides by the value of a 0-d exponent."""
        exponent = op.args[1]
        if type(exponent) in (int, float):
            return POWERS.get(exponent, np.power)
        return np.power if isinstance(exponent, Value) and exponent.shape else None

    def _reduction(self, op: Op) -> str:
        axis, keepdims = op.kwargs.get("axis"), op.kwargs.get("keepdims", False)
        factors = as_product(self._arrays[op.args[0]], axis) if op.name == "sum" else None
        if factors is not None:
            out = self._bound(self._arrays[op.result].reshape(-1))
            return self._dot(*factors, *map(self._bound, factors), out)
        axis = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
        reduce = self._bound(REDUCTIONS[op.name].reduce)
        return f"{reduce}({self._name(op.args[0])}, {axis!r}, None, {self._name(op.out)}, {keepdims!r})"

    def _matmul(self, op: Op) -> str:
        x, y = op.args
        names = [self._name(value) for value in (x, y, op.out)]
        if op.function is matmul and by_dot(x, y):
            return self._dot(x, y, *names)
        return f"{self._bound(threads.matmul)}({', '.join(names)})"

    def _dot(self, x: Any, y: Any, *names: str) -> str:
        first, second, out = names
        if not shared(x, y):
            return f"{first}.dot({second}, {out})"
        self._shared = True
        return f"{self._bound(dot)}({first}, {second}, {out})"

    def _copy(self, op: Op) -> str:
        if same_place(self.program.backend, self._arrays[op.result], self._arrays.get(op.args[0])):
            return ""  # it overwrites its operand
        return f"copyto({self._name(op.out)}, {self._name(op.args[0])}, 'unsafe')"

    def _in_order(self, op: Op) -> str:
        """A reshape of an array that is not contiguous: a copy."""
        place = self._bound(self._arrays[op.result].reshape(op.args[0].shape))
        return f"copyto({place}, {self._name(op.args[0])})"

    def _zeros(self, op: Op) -> str:
        return f"{self._name(op.out)}.fill(0)"

    def _scatter(self, op: Op) -> str:
        """Zeros, and ``x`` copied to the indexed view."""
        part = self._bound(self._arrays[op.result][keeping_array(op.args[1])])
        return f"{self._name(op.out)}.fill(0); copyto({part}, {self._name(op.args[0])})"

    def _concat(self, op: Op) -> str:
        parts, axis, start = op.args[0], op.kwargs.get("axis", 0), 0
        lines = []
        for part in parts:
            stop = start + part.shape[axis]
            place = self._bound(np.moveaxis(np.moveaxis(self._arrays[op.result], axis, 0)[start:stop], 0, axis))
            lines.append(f"copyto({place}, {self._name(part)})")
            start = stop
        return "; ".join(lines)

    def _write(self, op: Op) -> str:
        """A line that writes to an array in place."""
        target = op.writes
        assert target is not None
        if op.name != "setitem":
            like = target.dtype
            operands = [self._operand(part, like) for part in op.args]
            if op.name in UFUNCS:
                return self._into(UFUNCS[op.name], operands, self._name(target))
            return f"{self._bound(op.function)}({', '.join(operands)})"
        _, value, index = op.args
        source = self._operand(value, target.dtype)
        single = not target.shape and not (isinstance(value, Value) and value.shape)
        if single and target in self._arrays and is_basic(index):
            return f"{self._name(target)}[()] = {source}"
        if target in self._arrays and is_basic(index):
            part = self._arrays[target][keeping_array(index)]
            shape = value.shape if isinstance(value, Value) else ()
            if len(shape) <= part.ndim:
                return f"copyto({self._bound(part)}, {source}, 'unsafe')"
        place = self._in_rows(target, index)
        if place and isinstance(value, Value) and len(value.shape) == 1:
            return f"{place[0]}[{place[1]}] = {source}"
        if not is_basic(index) or (isinstance(value, Value) and len(value.shape) > len(target.shape)):
            return f"{self._bound(op.function)}({self._name(target)}, {source}, {self._text(index)})"
        return f"{self._name(target)}[{self._text(index)}] = {source}"

    def _is_scalar(self, op: Op) -> bool:
        """Whether operands and result are 0-d: NumPy's scalars are faster than 0-d arrays, and what eager calls use."""
        out = op.out
        if out is None or out.shape or op.name in CREATION or out.buffer in self._written or out.buffer.external:
            return False
        return not op.is_view and not any(value.shape for value in op.values())

    def _on_scalars(self, op: Op) -> str:
        """The expression of an operation on scalars."""
        parts = [self._scalar(part) for part in op.args]
        if op.name in SIGNS and not op.kwargs:
            return f"{parts[0]} {SIGNS[op.name]} {parts[1]}" if len(parts) == 2 else f"{SIGNS[op.name]}{parts[0]}"
        floats = op.out is not None and op.out.dtype.kind == "f"
        if floats and op.name == "maximum" and type(op.args[1]) is int:
            return f"({self._bound(op.result.dtype.type(op.args[1]))} if {parts[0]} < {parts[1]} else {parts[0]})"
        if floats and op.name == "where" and type(op.args[1]) is float and isinstance(op.args[2], Value):
            return f"({self._bound(op.result.dtype.type(op.args[1]))} if {parts[0]} else {parts[2]})"
        return f"{self._bound(op.function)}({', '.join([*parts, *(f'{k}={self._text(v)}' for k, v in op.kwargs.items())])})"

    def _scalar(self, part: Any) -> str:
        """A 0-d operand as a scalar: read from memory once, until the next write."""
        if not isinstance(part, Value):
            return self._text(part)
        if part.kind == "number":
            return f"numbers[{self._at[part]}]"
        if part not in self._arrays:
            return self._name(part)
        if part.kind == "constant":
            return self._bound(self._arrays[part][()])
        if part not in self._read:
            self._read[part] = f"r{len(self._names)}_{len(self._read)}"
            self._before.append(f"{self._read[part]} = {self._name(part)}[()]")
        return self._read[part]

    def _fresh(self, op: Op) -> str:
        """A line that assigns a new array, or a view of one, to a name."""
        if self._is_scalar(op):
            call = self._on_scalars(op)
        elif op.name == "getitem" and self._takes(op):
            call = f"{self._name(op.args[0])}.take({self._name(op.args[1])}, 0)"
        elif op.name == "getitem" and not op.is_view and op.result.shape:
            place = self._in_rows(op.args[0], op.args[1])
            call = f"{place[0]}.take({place[1]})" if place else f"{self._name(op.args[0])}[{self._text(op.args[1])}]"
        elif op.name == "reshape":
            call = f"{self._name(op.args[0])}.reshape({self._text(op.args[1])})"
        else:
            parts = [self._text(part) for part in op.args] + [f"{k}={self._text(v)}" for k, v in op.kwargs.items()]
            call = f"{self._bound(op.function)}({', '.join(parts)})"
        if op.out is None:
            return call
        if not op.result.shape and op.result.buffer in self._written:
            call = f"{self._bound(np.asarray)}({call})"  # not NumPy's scalar, which cannot be written to
        self._assigned.append(self._name(op.out))
        return f"{self._assigned[-1]} = {call}"

    def _takes(self, op: Op) -> bool:
        """Whether ``x.take(index, 0)`` gives the same, in the same layout."""
        index = op.args[1]
        return isinstance(index, Value) and not op.is_view and index.dtype.kind != "b" and model(op.result).flags.c_contiguous

    def _in_rows(self, x: Value, index: Any) -> tuple[str, str] | None:
        """For ``x[rows, columns]``, an element of each row: the names of ``x`` flattened and of the flat indices; else None."""
        array = self._arrays.get(x)
        if array is None or array.ndim != 2 or not array.flags.c_contiguous or not isinstance(index, tuple) or len(index) != 2:
            return None
        rows, columns = index
        if not (isinstance(rows, Value) and rows.kind == "constant" and isinstance(columns, Value)):
            return None
        if columns.dtype != np.int64 or rows.shape != columns.shape or not np.array_equal(rows.array, np.arange(array.shape[0])):
            return None
        if columns not in self._rows or self._rows[columns] > array.shape[1]:
            return None  # a negative column would be in the row before
        key = (columns, array.shape)
        if key not in self._picked:
            first, flat = self._bound(rows.array * array.shape[1]), self._bound(np.empty(rows.shape, np.int64))
            self._picked[key] = flat
            self._before.append(f"{self._bound(np.add)}({self._name(columns)}, {first}, {flat})")
        return self._bound(array.reshape(-1)), self._picked[key]

    def _is_in_place(self, op: Op) -> bool:
        """Whether the result is written to a fixed place."""
        return op.out is not None and op.out in self._arrays and not op.is_view

    # --- names ---------------------------------------------------------------------------------------------------------------

    def _bound(self, thing: Any) -> str:
        """A global name for an object."""
        name = self._taken.get(id(thing))
        if name is None:
            name = self._taken[id(thing)] = f"k{len(self._taken)}"
            self._names[name] = thing
        return name

    def _name(self, value: Value | None) -> str:
        assert value is not None
        if value in self._arrays:
            return self._bound(self._arrays[value])
        return self._of.setdefault(value, f"d{len(self._of)}")

    def _as_array(self, part: Any, like: Any) -> Any:
        """A number as a 0-d array of dtype ``like``, which ufuncs take faster than Python's; any other operand unchanged."""
        number = isinstance(part, Value) and part.kind == "number"
        if not (number or type(part) in (int, float)) or like is None or like.kind != "f":
            return part
        key = (part if number else repr(part), like)
        if key not in self._scalars:
            self._scalars[key] = np.asarray(0.0 if number else part, like)
        return self._scalars[key]

    def _operand(self, part: Any, like: Any) -> str:
        single = self._as_array(part, like)
        return self._text(part) if single is part else self._bound(single)

    def _text(self, part: Any) -> str:
        """An argument as source."""
        if isinstance(part, Value):
            return f"numbers[{self._at[part]}]" if part.kind == "number" else self._name(part)
        if not any(values_in(part)):
            is_literal = isinstance(part, (int, type(None))) or (type(part) is float and isfinite(part))
            return repr(part) if is_literal else self._bound(part)
        opening, closing = "[]" if isinstance(part, list) else "()"
        return f"{opening}{''.join(f'{self._text(inner)}, ' for inner in part)}{closing}"


def model(value: Value) -> Any:
    """An array of the value's layout that takes no memory."""
    return np.lib.stride_tricks.as_strided(np.empty((), value.dtype), value.shape, value.strides)


def _copied(source: Any, target: Any) -> None:
    np.copyto(target, source, "unsafe")


def _picks(op: Op) -> bool:
    """Whether a ``where`` replaces elements of an array of its result's form by 0.0, as a product of bits."""
    condition, x, y = op.args
    masked, out = masked_operand(x, y), op.result
    if not isinstance(condition, Value) or not isinstance(masked, Value) or masked.dtype != out.dtype:
        return False
    return condition.shape == masked.shape == out.shape != ()
