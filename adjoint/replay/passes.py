"""What is done to a program before it is replayed: the same results by fewer operations."""

from __future__ import annotations

from typing import Any

from .program import Memory, Op, Program, Value

#: What gives new arrays of no values, or of none that are foreseen.
_NEW = {"empty", "empty_like"}
#: What copies, or computes next to nothing. More than so many elements are sooner made again than kept until they are needed again.
_CHEAP = {"reshape", "asarray", "astype", "contiguous", "concat", "permute_dims", "add", "subtract", "multiply", "negative"}
LARGE = 1 << 16


def improve(program: Program) -> None:
    """All passes, in their order."""
    fold(program)
    share(program)
    drop(program)
    check_first(program)


def fold(program: Program) -> None:
    """Compute now what depends on constants alone."""
    written = program.written()
    kept = []
    for op in program.ops:
        out = op.out
        constant = out is not None and not (op.draws or op.writes or op.name in _NEW or out.memory in written or out.memory.outside)
        if constant and all(value.kind == "constant" for value in op.values()):
            assert out is not None
            arrays = {value: value.array for value in op.values()}
            out.array = op.function(*_arrays(op.args, arrays), **{k: _arrays(v, arrays) for k, v in op.kwargs.items()})
            if not hasattr(out.array, "__setitem__"):
                out.array = program.backend.xp.asarray(out.array)
            out.kind, out.base = "constant", None
        else:
            kept.append(op)
    program.ops = kept
    program.checks = [check for check in program.checks if check.condition.kind != "constant"]  # which come out the same each time


def _arrays(part: Any, arrays: dict[Value, Any]) -> Any:
    if isinstance(part, Value):
        return arrays[part]
    return type(part)(_arrays(inner, arrays) for inner in part) if isinstance(part, (tuple, list)) else part


def share(program: Program) -> None:
    """Compute once what was computed twice from the same."""
    written = program.written()
    versions: dict[Memory, int] = {}
    found: dict[Any, Op] = {}
    same: dict[Value, Value] = {}
    kept = []
    for op in program.ops:
        op.replace(same)
        if op.is_view:  # in program order, so what it is a view of has its final memory
            base = op.made.base
            assert base is not None
            op.made.is_view_of(same.get(base, base))
        if op.writes is not None:
            versions[op.writes.memory] = versions.get(op.writes.memory, 0) + 1
        if op.out is None or op.draws or op.name in _NEW or op.out.memory.outside or (op.out.memory in written and not op.is_view):
            kept.append(op)
            continue
        if op.name in _CHEAP and not op.is_view and op.out.size > LARGE:
            kept.append(op)
            continue
        state = tuple(versions.get(value.memory, 0) for value in op.values())
        key = (op.name, _told(op.args), tuple((name, _told(part)) for name, part in op.kwargs.items()), state)
        before = found.get(key)
        if before is not None and not _at_once(before, op):
            same[op.out] = before.made
        else:
            found[key] = op
            kept.append(op)
    program.ops = kept
    program.outputs = [same.get(value, value) for value in program.outputs]
    for check in program.checks:
        check.condition = same.get(check.condition, check.condition)


def _at_once(a: Op, b: Op) -> bool:
    """Whether the two may be done at the same time."""
    return a.lane is not None and b.lane is not None and a.lane.region == b.lane.region and a.lane != b.lane


def _told(part: Any) -> Any:
    """An argument as something that can be looked up, numbers of different kinds and signs apart."""
    if isinstance(part, Value):
        return part
    if isinstance(part, (tuple, list)):
        return tuple(map(_told, part))
    if isinstance(part, slice):
        return "slice", part.start, part.stop, part.step
    return (
        (type(part), repr(part))
        if isinstance(part, (int, float, str, bool, type(None), type(Ellipsis)))
        else (type(part), id(part))
    )


def drop(program: Program) -> None:
    """Leave out what nobody reads."""
    needed = {*program.outputs, *(check.condition for check in program.checks)}
    memories = {value.memory for value in needed}
    kept = []
    for op in reversed(program.ops):
        writes = op.writes is not None and (op.writes.memory.outside or op.writes.memory in memories)
        makes = op.out is not None and (op.out in needed or (op.out.memory.outside and op.out.array is not None))
        if op.draws or writes or makes:
            kept.append(op)
            read = list(op.values())
            needed.update(read)
            memories.update(value.memory for value in read)
    program.ops = kept[::-1]


def check_first(program: Program) -> None:
    """Move what the checks are computed from to the front, so that nothing has happened where one fails.

    One that depends on what the call changes or draws stays where it is, and is late.
    """
    if not program.checks:
        return
    makers: dict[Value, int] = {op.out: i for i, op in enumerate(program.ops) if op.out is not None}
    written = program.written()
    late: set[Value] = set()  # what depends on such things
    for op in program.ops:
        if op.out is not None:
            read = list(op.values())
            changing = op.draws or op.out.memory in written or any(value.memory in written for value in read)
            if changing or any(value.kind == "number" or value in late for value in read):
                late.add(op.out)
    ahead: set[int] = set()
    stack = []
    for check in program.checks:
        check.late = check.condition in late
        if not check.late:
            stack.append(check.condition)
    while stack:
        i = makers.get(stack.pop())
        if i is not None and i not in ahead:
            ahead.add(i)
            stack.extend(program.ops[i].values())
    program.ops = [program.ops[i] for i in sorted(ahead)] + [op for i, op in enumerate(program.ops) if i not in ahead]
    program.ahead = len(ahead)
