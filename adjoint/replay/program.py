"""``Program``: what one call of a function did to arrays, as a straight list of operations in single-assignment form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any, NamedTuple

from ..backends.base import Array, Backend
from ..backends.special import is_basic, keeping_array
from ..errors import CaptureError


class Buffer:
    """Memory that one array and its views share; ``external`` if it outlives the call: a parameter, a data set."""

    __slots__ = ("external", "owner")

    def __init__(self, external: bool = False, owner: object = None) -> None:
        self.external, self.owner = external, owner


class Value:
    """One array of a program: its form, where it comes from, and its buffer.

    Attributes:
        kind: ``"argument"``, ``"external"``, ``"constant"``, ``"number"`` (a symbolic number, evaluated at each call) or
            ``"computed"`` by an operation.
        array: the array of an external or constant value; an argument's array at the first call.
        base: the value that this one is a view of, or None.
        extent: addresses of an external value's first byte and of the byte after its last.
        expression: how a symbolic number is computed.
    """

    __slots__ = ("_root", "array", "base", "buffer", "dtype", "expression", "extent", "kind", "label", "shape", "strides")

    def __init__(self, kind: str, array: Any, buffer: Buffer | None = None) -> None:
        self.kind, self.buffer = kind, buffer or Buffer()
        self.shape, self.dtype, self.strides = array.shape, array.dtype, getattr(array, "strides", None)
        self.array: Any = None
        self.base: Value | None = None
        self._root: Value | None = None
        self.extent: tuple[int, int] | None = None
        self.expression: Any = None
        self.label = ""

    @property
    def root(self) -> Value:
        """The end of the chain of bases: the value itself if it is no view."""
        return self if self.base is None or self._root is None else self._root

    def is_view_of(self, base: Value) -> None:
        """Make this value a view of ``base``, in its buffer."""
        self.base, self.buffer, self._root = base, base.buffer, base.root

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * int(self.dtype.itemsize)

    @property
    def layout(self) -> tuple[Any, Any, Any]:
        """Shape, dtype and strides: values of one layout can lie in one place."""
        return self.shape, self.dtype, self.strides

    def __repr__(self) -> str:
        return self.label or f"<{self.kind} {self.shape}>"


class Branch(NamedTuple):
    """One of the parallel branches of a region: operations of different branches of a region may run at the same time."""

    region: int
    number: int


class Op:
    """One operation: a function of arrays, and the value that it computes or writes to.

    Attributes:
        name: the standard's name of the function. An operation in place has the name of the function whose result it writes.
        args, kwargs: the call's arguments, a :class:`Value` for each array, in nested tuples and lists too.
        out: the result, or None.
        writes: the value changed in place, or None.
        draws: whether it draws random numbers, so that it must run, in program order.
        branch: the parallel branch that it belongs to, or None.
    """

    __slots__ = ("args", "branch", "draws", "function", "kwargs", "name", "out", "writes")

    def __init__(
        self, name: str, function: Callable[..., Any], args: Any, kwargs: Any, out: Value | None = None, writes: Value | None = None
    ) -> None:
        self.name, self.function, self.args, self.kwargs = name, function, args, kwargs
        self.out, self.writes, self.draws = out, writes, False
        self.branch: Branch | None = None

    def values(self) -> Iterator[Value]:
        """The values among its arguments, the one it writes to included."""
        yield from values_in(self.args)
        yield from values_in(tuple(self.kwargs.values()))

    def call(self, of: Any) -> Any:
        """The result of the function, with each value replaced by its array: ``of[value]`` of a dict, or ``of(value)``."""
        return self.function(*mapped(self.args, of), **{name: mapped(part, of) for name, part in self.kwargs.items()})

    def replace(self, changed: dict[Value, Value]) -> None:
        """Replace operands: each key of ``changed`` by its value."""
        self.args = mapped(self.args, changed)
        self.kwargs = {name: mapped(part, changed) for name, part in self.kwargs.items()}
        if self.writes is not None:
            self.writes = changed.get(self.writes, self.writes)

    @property
    def result(self) -> Value:
        """The result, of an operation that has one."""
        assert self.out is not None
        return self.out

    @property
    def target(self) -> Value:
        """The result, or else the value written to."""
        target = self.out if self.out is not None else self.writes
        assert target is not None
        return target

    @property
    def is_view(self) -> bool:
        """Whether the result is a view of an operand, so that nothing is computed."""
        return self.out is not None and self.out.base is not None


def values_in(part: Any) -> Iterator[Value]:
    """The values in nested tuples and lists."""
    if isinstance(part, Value):
        yield part
    elif isinstance(part, (tuple, list)):
        for inner in part:
            yield from values_in(inner)


def mapped(part: Any, changed: Any) -> Any:
    """Nested tuples and lists with each :class:`Value` replaced: by its entry in the dict ``changed``, or by what that returns."""
    if isinstance(part, Value):
        return changed.get(part, part) if isinstance(changed, dict) else changed(part)
    if isinstance(part, (tuple, list)):
        return type(part)(mapped(inner, changed) for inner in part)
    return part


class Guard:
    """A condition on which the recorded control flow depends: the program is valid only if it has the same outcome again.

    A ``deferred`` guard depends on what the call itself writes or draws, so it is checked where it stands, not beforehand.
    """

    __slots__ = ("condition", "deferred", "outcome")

    def __init__(self, condition: Value, outcome: bool) -> None:
        self.condition, self.outcome, self.deferred = condition, outcome, False

    def failed(self) -> CaptureError:
        """The error to raise when a deferred guard fails."""
        return CaptureError(
            "capture: the function would take another branch here than when it was recorded, because of values that it drew or "
            "changed itself; its writes up to this point stay. Test such values before the call"
        )


class Program:
    """Operations in order, on one backend, from arguments to outputs.

    Attributes:
        arguments, outputs: their values; outputs may also be arguments or external.
        guards: conditions that must hold; all that are not deferred depend on the guard prologue alone.
        ops: the operations.
        prologue: the number of operations in the guard prologue, which come first and change nothing.
        recorded: the number of operations before all passes.
    """

    def __init__(self, backend: Backend, ops: list[Op], arguments: list[Value], outputs: list[Value], guards: list[Guard]) -> None:
        self.backend, self.ops, self.arguments, self.outputs, self.guards = backend, ops, arguments, outputs, guards
        self.recorded, self.prologue = len(ops), 0

    def values(self) -> Iterator[Value]:
        """Every value once, in the order of their first appearance."""
        seen: dict[Value, None] = dict.fromkeys(self.arguments)
        for op in self.ops:
            seen.update(dict.fromkeys(op.values()))
            if op.out is not None:
                seen[op.out] = None
        seen.update(dict.fromkeys([*self.outputs, *(guard.condition for guard in self.guards)]))
        return iter(seen)

    def lifetimes(self) -> dict[Buffer, float]:
        """For each buffer, the number of the last operation that uses it; outputs and guards live to the end, ``len(ops)``."""
        end = len(self.ops)
        last: dict[Buffer, float] = {v.buffer: end for v in [*self.outputs, *(guard.condition for guard in self.guards)]}
        for i, op in enumerate(self.ops):
            for value in [*op.values(), *([op.out] if op.out else []), *([op.writes] if op.writes else [])]:
                last[value.buffer] = max(i, last.get(value.buffer, 0))
        return last

    def written(self) -> set[Buffer]:
        """The buffers that some operation writes to in place."""
        return {op.writes.buffer for op in self.ops if op.writes is not None}

    def deferred_guards(self) -> dict[Value, list[Guard]]:
        """The deferred guards by their condition."""
        guards: dict[Value, list[Guard]] = {}
        for guard in self.guards:
            if guard.deferred:
                guards.setdefault(guard.condition, []).append(guard)
        return guards

    def external_writes(self) -> list[tuple[Array, tuple[int, int]]]:
        """External arrays that the program writes to, each with the addresses between which it is written."""
        extent, writes = self.backend.extent, []
        for op in self.ops:
            if op.writes is not None and op.writes.buffer.external:
                array, byte_range = op.writes.root.array, op.writes.extent
                if op.name == "setitem" and op.writes.base is None and is_basic(op.args[2]):
                    byte_range = extent(array[keeping_array(op.args[2])])
                writes.append((array, byte_range or extent(array)))
        return writes

    def labelled(self) -> Program:
        """Itself, with a label for each value: ``a0`` for arguments, ``w0`` for external, ``v0`` for computed values, …"""
        letters = {"argument": "a", "external": "w", "constant": "c", "number": "n", "computed": "v"}
        counts = dict.fromkeys(letters, 0)
        for value in self.values():
            value.label = f"{letters[value.kind]}{counts[value.kind]}"
            counts[value.kind] += 1
        return self

    def __str__(self) -> str:
        """One line an operation: its result, the call, and the result's dtype and shape."""
        self.labelled()
        lines = []
        for value in self.values():
            if value.kind in ("argument", "external"):
                lines.append(f"{value.label}: {value.kind} {self._form(value)}")
            elif value.kind == "number":
                lines.append(f"{value.label}: number {value.expression}")
        guards = {guard.condition: guard.outcome for guard in self.guards}
        for i, op in enumerate(self.ops):
            if self.prologue and i == self.prologue:
                lines.append("# end of the guard prologue")
            parts = [_shown(a) for a in op.args] + [f"{k}={_shown(v)}" for k, v in op.kwargs.items()]
            call = f"{op.name}({', '.join(parts)})"
            if op.out is not None:
                line = f"{op.out.label} = {call}"
                line = f"{line:<56} # {self._form(op.out)}{', a view' if op.is_view else ''}"
                if op.writes is not None:
                    line += f" in {op.writes.label}"
            elif op.name == "setitem":
                line = f"{op.writes}[{_shown(op.args[2])}] = {_shown(op.args[1])}"
            else:
                line = f"{op.writes}[...] = {call}"
            if op.out in guards:
                line += f", must be {guards[op.out]}"
            lines.append(line)
        lines.append(f"return {', '.join(value.label for value in self.outputs)}")
        return "\n".join(lines)

    def _form(self, value: Value) -> str:
        return f"{self.backend.dtypes[value.dtype].name}{list(value.shape)}"


def _shown(part: Any) -> str:
    """An argument as :meth:`Program.__str__` prints it."""
    if isinstance(part, (tuple, list)):
        return f"({', '.join(map(_shown, part))}{',' if len(part) == 1 else ''})"
    if isinstance(part, slice):
        return ":".join("" if x is None else str(x) for x in (part.start, part.stop, part.step)[: 2 + (part.step is not None)])
    return "..." if part is Ellipsis else str(part)


def may_overlap(a: Value, b: Value) -> bool:
    """Whether two values may share bytes."""
    if a.buffer is not b.buffer:
        return False
    if a.extent is None or b.extent is None:
        return True
    return a.extent[0] < b.extent[1] and b.extent[0] < a.extent[1]
