"""Replaying a program on NumPy: straight calls with ``out=``, in memory that is laid out once.

Each operation becomes a line of a Python function. What a ufunc, a reduction or a matrix product makes is written to a place that
is known beforehand, often the one of an operand that is not needed any more; so views of it are made once, not at each call. What
NumPy gives only as a new array (picking by index, sorting) is one here too.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, prod
from typing import Any

import numpy as np

from . import numpy_chains
from .numpy import as_product, extent
from .numpy_chains import Chain, Step, in_two
from .program import Op, Program, Value, is_basic, kept_an_array, mapped, overlap, values_in
from .standard import BINARY, OLD_NAMES, UNARY

REDUCTIONS = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum, "all": np.logical_and, "any": np.logical_or}
_FOUND = {name: getattr(np, name, None) or getattr(np, OLD_NAMES.get(name, name), None) for name in [*UNARY, *BINARY, "positive"]}
UFUNCS: dict[str, Any] = {name: found for name, found in _FOUND.items() if isinstance(found, np.ufunc)}
#: What ``x ** n`` computes for these numbers, which is not what ``np.pow`` does.
POWERS = {2: np.square, 0.5: np.sqrt}
COPIES = {"asarray", "astype", "contiguous"}
ALIGNMENT = 64


def compile(program: Program, numbers: list[Value]) -> Replay:
    """The program ready to be replayed; ``numbers`` are its values that are computed anew at each call."""
    return Replay(program, numbers)


class Replay:
    """A program as two functions of straight calls: what its checks need, and the rest.

    Attributes:
        source: the functions, to be read.
        calls, buffers, bytes: how many calls a replay makes, and in how many pieces of memory of which size together it works.
    """

    def __init__(self, program: Program, numbers: list[Value]) -> None:
        self.program, self.numbers = program, numbers
        self._names: dict[str, Any] = {"copyto": np.copyto}  # what the functions' source refers to
        self._of: dict[Value, str] = {}  # the name that each value has there
        self._arrays: dict[Value, Any] = {}  # those whose memory is known
        self._scalars: dict[Any, Any] = {}
        self._opposites: dict[Op, Value] = {}
        self._known: set[Value] = set()  # what has a place, or will have one
        self._taken: dict[int, str] = {}
        self._memory()
        self._compile()

    def ahead(self, arrays: list[Any]) -> bool:
        """Take the arguments' arrays, and tell whether the program holds for them."""
        result: bool = self._names["ahead"](*arrays)
        return result

    def body(self, numbers: tuple[float, ...]) -> Any:
        """Do the rest, with these numbers, and give the outputs as arrays of their own."""
        return self._names["body"](numbers)

    # --- where everything lies -----------------------------------------------------------------------------------------------

    def _memory(self) -> None:
        """Give every value that a line can write to a place."""
        ops = self.program.ops
        for value in self.program.arguments:
            self._arrays[value] = np.empty_like(_model(value))
        for value in self.program.values():
            if value.array is not None and value.kind != "argument":
                self._arrays[value] = value.array
        last: dict[Any, int] = {value.memory: len(ops) for value in self.program.outputs}
        for i, op in enumerate(ops):
            for value in [*op.values(), *([op.out] if op.out else [])]:
                last[value.memory] = max(i, last.get(value.memory, 0))
        written = _Destinations(ops, last)
        self._chains = {chain.ops[0]: chain for chain in self._chained(last)}
        within = {op: chain for chain in self._chains.values() for op in chain.ops}
        pool = _Pool()
        place: dict[Any, _Block] = {}
        ends: dict[int, list[_Block]] = {}
        self._skipped: set[Op] = set()
        begun = False
        for i, op in enumerate(ops):
            out = op.out
            if op in within:
                begun = op is not within[op].ops[-1]
            if out is not None and out not in self._arrays:
                if op.is_view:
                    if out.base in self._arrays:
                        args = mapped(op.args, self._array)
                        self._arrays[out] = op.function(*args, **{k: mapped(v, self._array) for k, v in op.kwargs.items()})
                elif self._line_of(op) is not None:
                    target = written.of(op, self._array)
                    if target is not None and op in within and not self._meets(within[op], *target):
                        target = None
                    if target is None and op in within and out in within[op].inner:
                        continue
                    if target is not None:
                        self._arrays[out] = target[0]
                        self._skipped.add(target[1])
                    else:
                        block = self._reused(op, i, last, place, within.get(op)) or pool.take(_bytes(out))
                        place[out.memory] = block
                        block.until = last[out.memory]
                        ends.setdefault(block.until, []).append(block)
                        self._arrays[out] = block.array(out)
            if begun:
                continue  # a chain is done at once: nothing that it reads is free before its end, whatever views lie between
            for until in [until for until in ends if until <= i]:
                for block in ends.pop(until):
                    if block.until == until:
                        pool.give_back(block)
        self._within = within
        self.buffers = len(pool.blocks) + sum(chain.places()[1] for chain in self._chains.values())
        self.bytes = sum(block.size for block in pool.blocks) + sum(chain.scratch() for chain in self._chains.values())

    def _array(self, value: Value) -> Any:
        return self._arrays[value]

    def _meets(self, chain: Chain, part: Any, write: Op) -> bool:
        """Whether a chain that writes to ``part`` of an array meets it in place wherever it reads that array."""
        assert write.writes is not None
        first, last = extent(part.ctypes.data, part)
        for op in chain.ops:
            for value in op.values():
                apart = value.extent is not None and (value.extent[1] <= first or last <= value.extent[0])
                if value.memory is write.writes.memory and not apart and not _same(part, self._arrays.get(value)):
                    return False
        return True

    def _reused(self, op: Op, i: int, last: dict[Any, int], place: dict[Any, Any], chain: Chain | None) -> Any:
        """The place of an operand that an elementwise operation is the last to need, and that has its result's form.

        In a chain, whose other operations have still to come to the next tile, no view of the operand may be read.
        """
        out = op.out
        assert out is not None
        if op.name not in UFUNCS and op.name not in COPIES:
            return None
        for value in op.values():
            fits = value.kind == "made" and value.base is None and last[value.memory] == i
            if fits and value.memory in place and (value.shape, value.dtype, value.strides) == (out.shape, out.dtype, out.strides):
                others = (other for one in (chain.ops if chain else ()) for other in one.values())
                if all(other is value or other.memory is not value.memory for other in others):
                    return place[value.memory]
        return None

    # --- chains --------------------------------------------------------------------------------------------------------------

    def _chained(self, last: dict[Any, int]) -> list[Chain]:
        """The runs of elementwise operations that are large enough to be done tile by tile."""
        known = self._known
        known |= {value for value in self.program.values() if value in self._arrays or value.kind == "number"}
        chains: list[Chain] = []
        chain: Chain | None = None
        for i, op in enumerate(self.program.ops):
            out = op.out
            if op.is_view:
                if out.base in known:
                    known.add(out)
                    continue
            elif out is not None and (out in known or self._line_of(op) is not None):
                known.add(out)
            target = op.writes if out is None else out
            steps = self._steps(op) if i >= self.program.ahead and target in known else None
            if steps is None or prod(target.shape) * 4 < 2 * numpy_chains.TILE or not all(value in known for value in op.values()):
                chain = None
                continue
            if chain is None or chain.shape != target.shape or not chain.takes(op):
                chain = Chain(target.shape)
                chains.append(chain)
            chain.add(op, steps)
        chains = [chain for chain in chains if len(chain.ops) > 1]
        at = {op: i for i, op in enumerate(self.program.ops)}
        for chain in chains:
            first, end, own = at[chain.ops[0]], at[chain.ops[-1]], set(chain.ops)
            elsewhere = {v.memory for op in self.program.ops[first : end + 1] for v in op.values() if op not in own or v.base}
            made = [op.out for op in chain.ops if op.out is not None and op.out not in self._arrays]
            chain.inner |= {value for value in made if last[value.memory] <= end and value.memory not in elsewhere}
            chain.inner |= {self._opposites[op] for op in chain.ops if op in self._opposites}
        return chains

    def _steps(self, op: Op) -> list[Step] | None:
        """What an elementwise operation does, as calls of functions that work on any rows; None of another one."""
        target = op.writes if op.out is None else op.out
        if op.name in UFUNCS and op.name != "pow" and not op.kwargs:
            like = next((v.dtype for v in op.values() if v.kind != "number"), None)
            return [Step(UFUNCS[op.name], *(self._single(part, like) for part in op.args), target)]
        if op.name in COPIES and self._line_of(op) is not None:
            return [Step(_copied, target, op.args[0])]
        if op.name == "where" and _picks(op):
            condition, x, y = op.args
            numbers, steps = (y, []) if isinstance(y, Value) else (x, [])
            if numbers is y:
                opposite = self._opposites.setdefault(op, Value("made", np.broadcast_to(np.False_, condition.shape)))
                steps = [Step(np.logical_not, condition, opposite)]
                condition = opposite
            return [*steps, Step(np.multiply, numbers, condition, op.out, bits=True)]
        return None

    # --- the lines -----------------------------------------------------------------------------------------------------------

    def _line_of(self, op: Op) -> Callable[[Op], str] | None:
        """The method that writes the operation's line where its result has a place, if there is a way."""
        if op.draws:
            return None
        if op.name in REDUCTIONS:
            known = op.name != "sum" or op.args[0] in self._arrays or op.args[0] in self._known
            return self._reduction if known and op.kwargs.keys() <= {"axis", "keepdims"} and len(op.args) == 1 else None
        if op.name == "pow" and not isinstance(op.function, np.ufunc):
            return self._power if op.out.shape and type(op.args[1]) in (int, float) and op.args[1] in POWERS else None
        if op.name in UFUNCS:
            return self._ufunc if not op.kwargs else None
        if op.name == "matmul":
            return self._matmul
        if op.name == "where":
            return self._where if _picks(op) else None
        if op.name in COPIES:
            return self._copy if isinstance(op.args[0], Value) and op.args[0].shape == op.out.shape else None
        if op.name in ("zeros", "zeros_like"):
            return self._zeros
        if op.name in ("empty", "empty_like"):
            return lambda op: ""
        if op.name == "scatter_add":
            return self._spread if is_basic(op.args[1]) else None
        if op.name == "concat":
            return self._concat
        return None

    def _chain(self, chain: Chain) -> str:
        run, tiles = chain.compiled(self._array)
        if len(tiles) == 1:
            return f"{self._held(run)}({self._held(tiles[0])})"
        return f"{self._held(in_two)}({self._held(run)}, {self._held(tiles[0])}, {self._held(tiles[1])})"

    def _ufunc(self, op: Op) -> str:
        like = next((v.dtype for v in op.values() if v.kind != "number"), None)
        operands = [self._operand(part, like) for part in op.args]
        return self._into(UFUNCS[op.name], operands, op.out)

    def _into(self, ufunc: Any, operands: list[str], out: Value | None) -> str:
        """A call whose result is written to ``out``, by position where NumPy allows it, which is sooner done."""
        return f"{self._bound(ufunc)}({', '.join(operands)}, {'out=' if ufunc in numpy_chains.NAMED else ''}{self._name(out)})"

    def _power(self, op: Op) -> str:
        return f"{self._bound(POWERS[op.args[1]])}({self._name(op.args[0])}, {self._name(op.out)})"

    def _reduction(self, op: Op) -> str:
        axis, keepdims = op.kwargs.get("axis"), op.kwargs.get("keepdims", False)
        factors = as_product(self._arrays[op.args[0]], axis) if op.name == "sum" else None
        if factors is not None:
            a, b = map(self._held, factors)
            return f"{self._bound(np.matmul)}({a}, {b}, {self._held(self._arrays[op.out].reshape(-1))})"
        axis = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
        reduce = self._bound(REDUCTIONS[op.name].reduce)
        return f"{reduce}({self._name(op.args[0])}, {axis!r}, None, {self._name(op.out)}, {keepdims!r})"

    def _matmul(self, op: Op) -> str:
        return f"{self._bound(np.matmul)}({self._name(op.args[0])}, {self._name(op.args[1])}, {self._name(op.out)})"

    def _where(self, op: Op) -> str:
        """As :func:`adjoint.backends.numpy.where` does it: the bits of the numbers times the condition, which has no branches."""
        condition, x, y = op.args
        numbers, out = (y, op.out) if isinstance(y, Value) else (x, op.out)
        chosen = self._name(condition)
        lines = ""
        if numbers is y:
            opposite = self._held(np.empty(condition.shape, np.bool_))
            lines, chosen = f"{self._bound(np.logical_not)}({chosen}, {opposite}); ", opposite
        bits = np.dtype(f"i{out.dtype.itemsize}")
        into = self._held(self._arrays[out].view(bits))
        known = self._arrays.get(numbers)
        source = f"{self._name(numbers)}.view({self._held(bits)})" if known is None else self._held(known.view(bits))
        return f"{lines}{self._bound(np.multiply)}({source}, {chosen}, {into})"

    def _copy(self, op: Op) -> str:
        if self._name(op.out) == self._name(op.args[0]) or _same(self._arrays[op.out], self._arrays.get(op.args[0])):
            return ""  # of what nobody needs any more, and in its place
        return f"copyto({self._name(op.out)}, {self._name(op.args[0])}, 'unsafe')"

    def _zeros(self, op: Op) -> str:
        return f"{self._name(op.out)}.fill(0)"

    def _spread(self, op: Op) -> str:
        """Zeros, with ``x`` where the index points to."""
        part = self._held(self._arrays[op.out][kept_an_array(op.args[1])])
        return f"{self._name(op.out)}.fill(0); copyto({part}, {self._name(op.args[0])})"

    def _concat(self, op: Op) -> str:
        parts, axis, start = op.args[0], op.kwargs.get("axis", 0), 0
        lines = []
        for part in parts:
            stop = start + part.shape[axis]
            place = self._held(np.moveaxis(np.moveaxis(self._arrays[op.out], axis, 0)[start:stop], 0, axis))
            lines.append(f"copyto({place}, {self._name(part)})")
            start = stop
        return "; ".join(lines)

    def _write(self, op: Op) -> str:
        """A line that changes an array in place."""
        target = op.writes
        assert target is not None
        if op.name != "setitem":
            like = target.dtype
            operands = [self._operand(part, like) for part in op.args]
            if op.name in UFUNCS and op.name != "pow":
                return self._into(UFUNCS[op.name], operands, target)
            return f"{self._bound(op.function)}({', '.join(operands)})"
        _, value, index = op.args
        source = self._operand(value, target.dtype)
        if target in self._arrays and is_basic(index):
            found = self._arrays[target]
            part = found[kept_an_array(index)]
            shape = value.shape if isinstance(value, Value) else ()
            if len(shape) <= part.ndim:
                return f"copyto({self._held(part)}, {source}, 'unsafe')"
        if isinstance(value, Value) and len(value.shape) > len(target.shape):
            return f"{self._bound(op.function)}({self._name(target)}, {source}, {self._text(index)})"
        return f"{self._name(target)}[{self._text(index)}] = {source}"

    def _fresh(self, op: Op) -> str:
        """A line whose result is a new array, or a view of one."""
        if op.name == "getitem" and isinstance(op.args[1], Value) and not op.is_view and op.args[1].dtype.kind != "b":
            call = f"{self._name(op.args[0])}.take({self._name(op.args[1])}, 0)"
        elif op.name == "getitem" and not op.is_view and op.out.shape:
            call = f"{self._name(op.args[0])}[{self._text(op.args[1])}]"
        else:
            parts = [self._text(part) for part in op.args] + [f"{k}={self._text(v)}" for k, v in op.kwargs.items()]
            call = f"{self._bound(op.function)}({', '.join(parts)})"
        return f"{self._name(op.out)} = {call}" if op.out is not None else call

    # --- names ---------------------------------------------------------------------------------------------------------------

    def _held(self, thing: Any) -> str:
        """A name for something that the functions refer to."""
        name = self._taken.get(id(thing))
        if name is None:
            name = self._taken[id(thing)] = f"k{len(self._taken)}"
            self._names[name] = thing
        return name

    _bound = _held

    def _name(self, value: Value | None) -> str:
        assert value is not None
        if value in self._arrays:
            return self._held(self._arrays[value])
        return self._of.setdefault(value, f"d{len(self._of)}")

    def _single(self, part: Any, like: Any) -> Any:
        """A single number as an array of dtype ``like``, which NumPy takes sooner than Python's; anything else as it is."""
        number = isinstance(part, Value) and part.kind == "number"
        if not (number or (type(part) in (int, float) and like is not None and like.kind == "f")):
            return part
        key = (part if number else repr(part), like)
        if key not in self._scalars:
            self._scalars[key] = np.asarray(0.0 if number else part, like)
        return self._scalars[key]

    def _operand(self, part: Any, like: Any) -> str:
        single = self._single(part, like)
        return self._text(part) if single is part else self._held(single)

    def _text(self, part: Any) -> str:
        """An argument as source."""
        if isinstance(part, Value):
            return self._held(self._single(part, np.dtype(np.float64))) if part.kind == "number" else self._name(part)
        if not any(values_in(part)):
            return (
                repr(part) if isinstance(part, (int, type(None))) or (type(part) is float and isfinite(part)) else self._held(part)
            )
        opening, closing = "[]" if isinstance(part, list) else "()"
        return f"{opening}{''.join(f'{self._text(inner)}, ' for inner in part)}{closing}"

    # --- the functions -------------------------------------------------------------------------------------------------------

    def _compile(self) -> None:
        program = self.program
        ahead = [f"copyto({self._name(v)}, a{i})" for i, v in enumerate(program.arguments)]
        body = []
        self.calls = 0
        for i, op in enumerate(program.ops):
            if op in self._skipped or (op.is_view and op.out in self._arrays):
                continue
            if op in self._within:
                line = self._chain(self._chains[op]) if op in self._chains else ""
            elif op.writes is not None:
                line = self._write(op)
            elif op.out in self._arrays:
                line = self._line_of(op)(op)  # type: ignore[misc]
            else:
                line = self._fresh(op)
            if line:
                self.calls += line.count(";") + 1
                (ahead if i < program.ahead else body).append(line)
            for check in program.checks:
                if check.late and check.condition is op.out:
                    body.append(f"if bool({self._name(op.out)}) is not {check.outcome}: raise {self._held(check)}.failed()")
        for check in program.checks:
            if not check.late:
                ahead.append(f"if bool({self._name(check.condition)}) is not {check.outcome}: return False")
        shared = [self._of[v] for v in self._of if any(line.startswith(f"{self._of[v]} = ") for line in ahead)]
        outputs = ", ".join(self._output(value) for value in program.outputs)
        numbers = [
            f"{self._held(array)}[()] = numbers[{self.numbers.index(key[0])}]"
            for key, array in self._scalars.items()
            if isinstance(key[0], Value)
        ]
        arguments = ", ".join(f"a{i}" for i in range(len(program.arguments)))
        everywhere = [f"global {', '.join(shared)}"] if shared else []
        self.source = "\n    ".join(
            [
                f"def ahead({arguments}):",
                *everywhere,
                *ahead,
                "return True\n\ndef body(numbers):",
                *numbers,
                *body,
                f"return [{outputs}]",
            ]
        ).replace("    return True\n\ndef", "    return True\n\ndef")
        exec(self.source, self._names)

    def _output(self, value: Value) -> str:
        name = self._name(value)
        if value not in self._arrays:
            return name if value.base is None else f"{name}.copy()"
        return f"{name}.copy()" if value.shape else f"{name}[()]"


def _same(a: Any, b: Any) -> bool:
    """Whether two arrays are the same stretch of memory in the same form."""
    return b is not None and a.ctypes.data == b.ctypes.data and (a.shape, a.strides, a.dtype) == (b.shape, b.strides, b.dtype)


def _copied(target: Any, source: Any) -> None:
    np.copyto(target, source, "unsafe")


def _model(value: Value) -> Any:
    """An array of the value's form that takes no memory."""
    return np.lib.stride_tricks.as_strided(np.empty((), value.dtype), value.shape, value.strides)


def _bytes(value: Value) -> int:
    return value.size * int(value.dtype.itemsize)


def _picks(op: Op) -> bool:
    """Whether a ``where`` chooses between an array of floats, in its result's shape, and 0.0."""
    condition, x, y = op.args
    numbers, zero = (y, x) if isinstance(y, Value) else (x, y)
    out = op.out
    assert out is not None
    return (
        isinstance(condition, Value) and isinstance(numbers, Value) and type(zero) is float and str(zero) == "0.0"
        and out.dtype.kind == "f" and out.dtype.itemsize in (4, 8) and numbers.dtype == out.dtype
        and condition.shape == numbers.shape == out.shape and out.shape != ()
    )  # fmt: skip


class _Destinations:
    """Where a result can be made that is only written into another array: there."""

    def __init__(self, ops: list[Op], last: dict[Any, int]) -> None:
        self._ops, self._last = ops, last
        self._at = {op: i for i, op in enumerate(ops)}
        self._makers = {op.out: op for op in ops if op.out is not None}
        self._writers: dict[Any, list[Op]] = {}
        for op in ops:
            if op.name == "setitem" and op.writes is not None and isinstance(op.args[1], Value) and is_basic(op.args[2]):
                self._writers.setdefault(op.args[1].memory, []).append(op)

    def of(self, op: Op, array_of: Callable[[Value], Any]) -> tuple[Any, Op] | None:
        """The array to make the result of ``op`` in, and the write that is not needed then."""
        out = op.out
        assert out is not None
        writers = self._writers.get(out.memory, [])
        if len(writers) != 1 or self._last[out.memory] != self._at[writers[0]]:
            return None
        write, begun = writers[0], self._at[op]
        target, value, index = write.args
        if target.kind != "outside" and not (target.memory.outside and target.extent):
            return None
        try:
            part = array_of(target)[index]
        except KeyError:  # a view that is not made yet, or of memory that has no place
            return None
        if not isinstance(part, np.ndarray) or part.shape != value.shape or part.dtype != out.dtype or part.size != out.size:
            return None
        for other in self._ops[begun : self._at[write]]:
            for used in [*other.values(), *([other.writes] if other.writes else [])]:
                aligned = other is op and op.name in UFUNCS and (used.shape, used.strides) == (part.shape, part.strides)
                if used.memory is target.memory and overlap(used, target) and not aligned:
                    return None
        if value is not out and not (part.flags.c_contiguous and self._is_reshaped(value, out)):
            return None
        if value is out and (part.strides != out.strides and op.name not in UFUNCS):
            return None
        return part.reshape(out.shape) if value is not out else part, write

    def _is_reshaped(self, value: Value, root: Value) -> bool:
        while value is not root:
            maker = self._makers[value]
            if maker.name != "reshape" or value.base is None:
                return False
            value = value.base
        return True


class _Block:
    """A piece of memory that values take in turn."""

    def __init__(self, size: int) -> None:
        self.size, self.until = size, 0
        whole = np.empty(size + ALIGNMENT, np.uint8)
        start = -whole.ctypes.data % ALIGNMENT
        self._memory = whole[start : start + size]

    def array(self, value: Value) -> Any:
        """An array of the value's form in it."""
        return np.ndarray(value.shape, value.dtype, self._memory, 0, value.strides)


class _Pool:
    """Blocks that are free again, the smallest that does taken first."""

    def __init__(self) -> None:
        self.blocks: list[_Block] = []
        self._free: list[_Block] = []

    def take(self, size: int) -> _Block:
        fitting = [block for block in self._free if size <= block.size <= 4 * size + 4096]
        if fitting:
            block = min(fitting, key=lambda block: block.size)
            self._free.remove(block)
            return block
        block = _Block(size)
        self.blocks.append(block)
        return block

    def give_back(self, block: _Block) -> None:
        self._free.append(block)
