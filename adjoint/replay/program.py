"""``Program``: what one call of a function did to arrays, as a straight list of operations in single-assignment form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..backends.base import Array, Backend
from ..errors import CaptureError


class Memory:
    """What arrays that share bytes have in common. It is ``outside`` where it was there before the call and stays after it."""

    __slots__ = ("outside", "owner")

    def __init__(self, outside: bool = False, owner: object = None) -> None:
        self.outside, self.owner = outside, owner


class Value:
    """One array of a program: its form, where it comes from, and the memory it lies in.

    Attributes:
        kind: ``"argument"``, ``"outside"`` (there before the call: a parameter, a data set), ``"constant"``, ``"number"`` (a
            Python number that is computed anew at each call) or ``"made"`` by an operation.
        array: the array itself, of what is outside or constant; the first call's, of an argument.
        extent: the addresses of the first byte of what is outside and of that behind its last.
        expression: how a number is computed.
    """

    __slots__ = ("_root", "array", "base", "dtype", "expression", "extent", "kind", "label", "memory", "shape", "strides")

    def __init__(self, kind: str, array: Any, memory: Memory | None = None) -> None:
        self.kind, self.memory = kind, memory or Memory()
        self.shape, self.dtype, self.strides = array.shape, array.dtype, getattr(array, "strides", None)
        self.array: Any = None
        self.base: Value | None = None  #: what it is a view of
        self._root: Value | None = None
        self.extent: tuple[int, int] | None = None
        self.expression: Any = None
        self.label = ""

    @property
    def root(self) -> Value:
        """The value at the end of its chain of bases: itself, if it is not a view."""
        return self if self.base is None or self._root is None else self._root

    def is_view_of(self, base: Value) -> None:
        """Make it a view of ``base``, in the memory of ``base``."""
        self.base, self.memory, self._root = base, base.memory, base.root

    @property
    def size(self) -> int:
        size = 1
        for n in self.shape:
            size *= n
        return size

    def __repr__(self) -> str:
        return self.label or f"<{self.kind} {self.shape}>"


class Lane(NamedTuple):
    """Operations of one region, which stand together, may be done at the same time where their numbers differ."""

    region: int
    number: int


class Op:
    """One operation: a function of arrays, and the array it makes or the one it writes to.

    Attributes:
        name: the standard's name of the function.
        args, kwargs: as it was called, a :class:`Value` for each array, in nested tuples and lists too.
        out: what it makes, or None.
        writes: what it changes in place, or None. It has then the name of the function whose result is written.
        draws: whether it draws random numbers, so that it must happen, and in this order.
        lane: which of those that may be done at the same time it belongs to, if to one.
    """

    __slots__ = ("args", "draws", "function", "kwargs", "lane", "name", "out", "writes")

    def __init__(
        self, name: str, function: Callable[..., Any], args: Any, kwargs: Any, out: Value | None = None, writes: Value | None = None
    ) -> None:
        self.name, self.function, self.args, self.kwargs = name, function, args, kwargs
        self.out, self.writes, self.draws = out, writes, False
        self.lane: Lane | None = None

    def values(self) -> Iterator[Value]:
        """The arrays it reads or is told of, those it writes to among them."""
        yield from values_in(self.args)
        yield from values_in(tuple(self.kwargs.values()))

    def replace(self, changed: dict[Value, Value]) -> None:
        """Read other arrays instead of those that are keys of ``changed``."""
        self.args = mapped(self.args, changed)
        self.kwargs = {name: mapped(part, changed) for name, part in self.kwargs.items()}
        if self.writes is not None:
            self.writes = changed.get(self.writes, self.writes)

    @property
    def made(self) -> Value:
        """What it makes, of an operation that makes something."""
        assert self.out is not None
        return self.out

    @property
    def target(self) -> Value:
        """What it makes or writes to."""
        found = self.out if self.out is not None else self.writes
        assert found is not None
        return found

    @property
    def is_view(self) -> bool:
        """Whether what it makes shares the memory of what it reads, so that nothing is computed."""
        return self.out is not None and self.out.base is not None


def values_in(part: Any) -> Iterator[Value]:
    """The values in nested tuples, lists and slices."""
    if isinstance(part, Value):
        yield part
    elif isinstance(part, (tuple, list)):
        for inner in part:
            yield from values_in(inner)


def mapped(part: Any, changed: Any) -> Any:
    """Nested tuples and lists with each :class:`Value` replaced by what ``changed`` has, or makes, of it."""
    if isinstance(part, Value):
        return changed.get(part, part) if isinstance(changed, dict) else changed(part)
    if isinstance(part, (tuple, list)):
        return type(part)(mapped(inner, changed) for inner in part)
    return part


class Check:
    """A truth that decided which way the call went: the same program holds only where it is the same again.

    Where it is ``late``, it depends on what the call itself changes or draws, and is known only on the way.
    """

    __slots__ = ("condition", "late", "outcome")

    def __init__(self, condition: Value, outcome: bool) -> None:
        self.condition, self.outcome, self.late = condition, outcome, False

    def failed(self) -> CaptureError:
        """What to raise where a late one does not come out as it did."""
        return CaptureError(
            "capture: the function would go another way here than when it was recorded, for values that it drew or changed itself; "
            "what it changed until then stays changed. Check such values before the call"
        )


class Program:
    """Operations in order, on one backend, from arguments to outputs.

    Attributes:
        arguments, outputs: their values; outputs may also be among the arguments or outside.
        checks: what has to hold, computed from the first :attr:`ahead` operations alone unless it is late.
        ops: the operations.
        recorded: how many operations were recorded, before any pass.
    """

    def __init__(self, backend: Backend, ops: list[Op], arguments: list[Value], outputs: list[Value], checks: list[Check]) -> None:
        self.backend, self.ops, self.arguments, self.outputs, self.checks = backend, ops, arguments, outputs, checks
        self.recorded, self.ahead = len(ops), 0

    def values(self) -> Iterator[Value]:
        """Every value once, in the order of their first appearance."""
        seen: dict[Value, None] = dict.fromkeys(self.arguments)
        for op in self.ops:
            seen.update(dict.fromkeys(op.values()))
            if op.out is not None:
                seen[op.out] = None
        seen.update(dict.fromkeys([*self.outputs, *(check.condition for check in self.checks)]))
        return iter(seen)

    def lifetimes(self) -> dict[Memory, float]:
        """The number of the last operation that needs each memory; what is looked at when all is over is needed to the end."""
        end = len(self.ops)
        last: dict[Memory, float] = {v.memory: end for v in [*self.outputs, *(check.condition for check in self.checks)]}
        for i, op in enumerate(self.ops):
            for value in [*op.values(), *([op.out] if op.out else []), *([op.writes] if op.writes else [])]:
                last[value.memory] = max(i, last.get(value.memory, 0))
        return last

    def written(self) -> set[Memory]:
        """The memories that some operation writes to in place."""
        return {op.writes.memory for op in self.ops if op.writes is not None}

    def written_outside(self) -> list[tuple[Array, tuple[int, int]]]:
        """What is changed of what was there before: arrays, and between which addresses each is written to."""
        extent, found = self.backend.extent, []
        for op in self.ops:
            if op.writes is not None and op.writes.memory.outside:
                array, stretch = op.writes.root.array, op.writes.extent
                if op.name == "setitem" and op.writes.base is None and is_basic(op.args[2]):
                    stretch = extent(array[kept_an_array(op.args[2])])
                found.append((array, stretch or extent(array)))
        return found

    def labelled(self) -> Program:
        """Itself, with a name for every value: ``a0`` for arguments, ``w0`` for what is outside, ``v0`` for what is made, …"""
        letters = {"argument": "a", "outside": "w", "constant": "c", "number": "n", "made": "v"}
        counts = dict.fromkeys(letters, 0)
        for value in self.values():
            value.label = f"{letters[value.kind]}{counts[value.kind]}"
            counts[value.kind] += 1
        return self

    def __str__(self) -> str:
        """One line an operation: what it makes, from what, and in which form."""
        self.labelled()
        lines = []
        for value in self.values():
            if value.kind in ("argument", "outside"):
                lines.append(f"{value.label}: {value.kind} {self._form(value)}")
            elif value.kind == "number":
                lines.append(f"{value.label}: number {value.expression}")
        checks = {check.condition: check.outcome for check in self.checks}
        for i, op in enumerate(self.ops):
            if self.ahead and i == self.ahead:
                lines.append("# from here on the call is known to go this way")
            parts = [shown(a) for a in op.args] + [f"{k}={shown(v)}" for k, v in op.kwargs.items()]
            call = f"{op.name}({', '.join(parts)})"
            if op.out is not None:
                line = f"{op.out.label} = {call}"
                line = f"{line:<56} # {self._form(op.out)}{', a view' if op.is_view else ''}"
                if op.writes is not None:
                    line += f" in {op.writes.label}"
            elif op.name == "setitem":
                line = f"{op.writes}[{shown(op.args[2])}] = {shown(op.args[1])}"
            else:
                line = f"{op.writes}[...] = {call}"
            if op.out in checks:
                line += f", must be {checks[op.out]}"
            lines.append(line)
        lines.append(f"return {', '.join(value.label for value in self.outputs)}")
        return "\n".join(lines)

    def _form(self, value: Value) -> str:
        return f"{self.backend.dtypes[value.dtype].name}{list(value.shape)}"


def is_basic(index: Any) -> bool:
    """Whether what the index picks is a view."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or part is Ellipsis or isinstance(part, (int, slice)) for part in parts)


def kept_an_array(index: Any) -> Any:
    """The index such that what it picks is an array, of no axes too, and not a single number."""
    parts = index if isinstance(index, tuple) else (index,)
    return parts if any(part is Ellipsis for part in parts) else (*parts, ...)


def shown(part: Any) -> str:
    """An argument of an operation, as :meth:`Program.__str__` prints it."""
    if isinstance(part, (tuple, list)):
        return f"({', '.join(map(shown, part))}{',' if len(part) == 1 else ''})"
    if isinstance(part, slice):
        return ":".join("" if x is None else str(x) for x in (part.start, part.stop, part.step)[: 2 + (part.step is not None)])
    return "..." if part is Ellipsis else str(part)


def overlap(a: Value, b: Value) -> bool:
    """Whether two values may share bytes."""
    if a.memory is not b.memory:
        return False
    if a.extent is None or b.extent is None:
        return True
    return a.extent[0] < b.extent[1] and b.extent[0] < a.extent[1]
