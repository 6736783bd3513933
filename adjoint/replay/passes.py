"""Passes over a recorded program, so that fewer operations give the same results."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from .program import Buffer, Op, Program, Value

#: Operations whose results hold no values yet.
_UNINITIALIZED = {"empty", "empty_like"}
#: Copies and cheap arithmetic: results of more than :data:`LARGE` elements are cheaper to recompute than to keep.
_CHEAP = {"reshape", "asarray", "astype", "contiguous", "concat", "permute_dims", "add", "subtract", "multiply", "negative"}
LARGE = 1 << 16


def optimize(program: Program) -> None:
    """Run all passes, in place, in their order."""
    fold_constants(program)
    eliminate_common_subexpressions(program)
    eliminate_dead_code(program)
    hoist_guards(program)


def fold_constants(program: Program) -> None:
    """Compute operations whose operands are all constant, and drop guards on constants, which always hold."""
    written = program.written()
    ops = []
    for op in program.ops:
        out = op.out
        impure = op.draws or op.writes or op.name in _UNINITIALIZED
        if out is None or impure or out.buffer in written or out.buffer.external or any(v.kind != "constant" for v in op.values()):
            ops.append(op)
            continue
        out.array = op.call(attrgetter("array"))
        if not hasattr(out.array, "__setitem__"):
            out.array = program.backend.xp.asarray(out.array)
        out.kind, out.base = "constant", None
    program.ops = ops
    program.guards = [guard for guard in program.guards if guard.condition.kind != "constant"]


def eliminate_common_subexpressions(program: Program) -> None:
    """Reuse the result of an earlier operation of the same name and operands, if none of these was written to in between."""
    written = program.written()
    versions: dict[Buffer, int] = {}  # how often each buffer was written to so far
    available: dict[Any, Op] = {}
    replaced: dict[Value, Value] = {}
    ops = []
    for op in program.ops:
        op.replace(replaced)
        if op.is_view:  # in program order, so the base already has its final buffer
            base = op.result.base
            assert base is not None
            op.result.is_view_of(replaced.get(base, base))
        if op.writes is not None:
            versions[op.writes.buffer] = versions.get(op.writes.buffer, 0) + 1
        out = op.out
        if (
            out is None
            or op.draws
            or op.name in _UNINITIALIZED
            or out.buffer.external
            or (out.buffer in written and not op.is_view)
        ):
            ops.append(op)
            continue
        if op.name in _CHEAP and not op.is_view and out.size > LARGE:
            ops.append(op)
            continue
        state = tuple(versions.get(value.buffer, 0) for value in op.values())
        key = (op.name, _key(op.args), tuple((name, _key(part)) for name, part in op.kwargs.items()), state)
        earlier = available.get(key)
        if earlier is not None and not _may_run_in_parallel(earlier, op):
            replaced[out] = earlier.result
        else:
            available[key] = op
            ops.append(op)
    program.ops = ops
    program.outputs = [replaced.get(value, value) for value in program.outputs]
    for guard in program.guards:
        guard.condition = replaced.get(guard.condition, guard.condition)


def _may_run_in_parallel(a: Op, b: Op) -> bool:
    return a.branch is not None and b.branch is not None and a.branch.region == b.branch.region and a.branch != b.branch


def _key(part: Any) -> Any:
    """A hashable form of an argument, in which 1, 1.0, True and 0.0, -0.0 differ."""
    if isinstance(part, Value):
        return part
    if isinstance(part, (tuple, list)):
        return tuple(map(_key, part))
    if isinstance(part, slice):
        return "slice", part.start, part.stop, part.step
    return type(part), repr(part) if isinstance(part, (int, float, str, bool, type(None), type(Ellipsis))) else id(part)


def eliminate_dead_code(program: Program) -> None:
    """Drop operations whose results nobody reads. Random draws and writes to external buffers stay."""
    live = {*program.outputs, *(guard.condition for guard in program.guards)}
    buffers = {value.buffer for value in live}
    ops = []
    for op in reversed(program.ops):
        writes = op.writes is not None and (op.writes.buffer.external or op.writes.buffer in buffers)
        is_read = op.out is not None and (op.out in live or (op.out.buffer.external and op.out.array is not None))
        if op.draws or writes or is_read:
            ops.append(op)
            operands = list(op.values())
            live.update(operands)
            buffers.update(value.buffer for value in operands)
    program.ops = ops[::-1]


def hoist_guards(program: Program) -> None:
    """Move the operations that guards depend on to the front, so that a failing guard leaves everything unchanged.

    A guard that depends on a draw, or on a buffer that the program writes to, is deferred: it is checked where it stands.
    """
    if not program.guards:
        return
    makers: dict[Value, int] = {op.out: i for i, op in enumerate(program.ops) if op.out is not None}
    written = program.written()
    changing: set[Value] = set()
    for op in program.ops:
        if op.out is not None:
            operands = list(op.values())
            changes = op.draws or op.out.buffer in written or any(value.buffer in written for value in operands)
            if changes or any(value.kind == "number" or value in changing for value in operands):
                changing.add(op.out)
    prologue: set[int] = set()
    stack = []
    for guard in program.guards:
        guard.deferred = guard.condition in changing
        if not guard.deferred:
            stack.append(guard.condition)
    while stack:
        i = makers.get(stack.pop())
        if i is not None and i not in prologue:
            prologue.add(i)
            stack.extend(program.ops[i].values())
    program.ops = [program.ops[i] for i in sorted(prologue)] + [op for i, op in enumerate(program.ops) if i not in prologue]
    program.prologue = len(prologue)
