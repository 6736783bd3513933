"""Fusion groups: which operations may be done together, and which values need no memory."""

from __future__ import annotations

from typing import Any

from adjoint.backends import get
from adjoint.replay.fusion import fuse
from adjoint.replay.program import Guard, Op, Program, Value

BACKEND = get("numpy")
ARRAY = BACKEND.xp.zeros((4, 4))


def value(kind: str = "computed", **attributes: Any) -> Value:
    result = Value(kind, ARRAY)
    for name, attribute in attributes.items():
        setattr(result, name, attribute)
    return result


def op(name: str, *operands: Value, out: Value | None = None, writes: Value | None = None) -> Op:
    return Op(name, None, operands, {}, out, writes)  # type: ignore[arg-type]  # which is not called


def view_of(base: Value, **attributes: Any) -> Value:
    result = value(**attributes)
    result.is_view_of(base)
    return result


def groups_of(ops: list[Op], outputs: list[Value], prologue: int = 0, limit: int = 10) -> list[Any]:
    program = Program(BACKEND, ops, [], outputs, [])
    program.prologue = prologue
    return fuse(program, lambda o: None if o.name == "matmul" else o.target.shape, lambda o: o.is_view, limit)


def names(groups: list[Any]) -> list[list[str]]:
    return [[member.name for member in group.ops] for group in groups]


def chain(length: int) -> tuple[list[Op], list[Value]]:
    values = [value("argument"), *(value() for _ in range(length))]
    return [op(f"f{i}", values[i], out=values[i + 1]) for i in range(length)], values


def test_what_only_a_group_uses_is_inner_to_it() -> None:
    ops, values = chain(3)
    (group,) = groups_of(ops, [values[3]])
    assert names([group]) == [["f0", "f1", "f2"]]
    assert group.inner == {values[1], values[2]}
    assert (group.first, group.last) == (0, 2)


def test_an_output_a_guards_condition_and_what_another_operation_reads_are_not_inner() -> None:
    ops, values = chain(4)
    program = Program(BACKEND, [*ops, op("matmul", values[3], out=value())], [], [values[1]], [Guard(values[2], True)])
    (group,) = fuse(program, lambda o: None if o.name == "matmul" else o.target.shape, lambda o: o.is_view, 10)
    assert group.inner == {values[4]}, "which nobody reads"


def test_a_group_does_not_cross_the_end_of_the_guard_prologue_even_where_a_view_stands_there() -> None:
    ops, values = chain(4)
    transposed = view_of(values[2])
    for between in ([], [op("permute_dims", values[2], out=transposed)]):
        assert names(groups_of([*ops[:2], *between, *ops[2:]], [values[4]], prologue=2)) == [["f0", "f1"], ["f2", "f3"]]


def test_a_group_ends_at_other_operations_and_at_its_limit() -> None:
    ops, values = chain(5)
    ops[2].name = "matmul"
    assert names(groups_of(ops, [values[5]])) == [["f0", "f1"], ["f3", "f4"]]
    ops, values = chain(5)
    assert names(groups_of(ops, [values[5]], limit=2)) == [["f0", "f1"], ["f2", "f3"], ["f4"]]


def test_what_is_read_through_a_view_is_not_written_in_the_same_group() -> None:
    x, a, b = value("external", extent=(0, 128)), value(), value()
    x.buffer.external = True
    transposed = view_of(x, extent=(0, 128), strides=ARRAY.T.strides)
    apart = [op("exp", transposed, out=a), op("add", x, a, writes=x), op("sin", a, out=b)]
    assert names(groups_of(apart, [b])) == [["exp"], ["add", "sin"]]
    apart = [op("add", x, x, writes=x), op("exp", transposed, out=a)]
    assert names(groups_of(apart, [a])) == [["add"], ["exp"]]


def test_disjoint_parts_and_the_same_place_of_a_buffer_may_be_used_in_one_group() -> None:
    x, a = value("external", extent=(0, 256)), value()
    x.buffer.external = True
    low, high, again = view_of(x, extent=(0, 128)), view_of(x, extent=(128, 256)), view_of(x, extent=(0, 128))
    ops = [op("add", low, a, writes=low), op("sin", high, out=value()), op("exp", again, out=value())]
    assert names(groups_of(ops, [])) == [["add", "sin", "exp"]]


def test_a_value_of_which_a_view_is_used_is_not_inner() -> None:
    ops, values = chain(1)
    values[1].extent = (0, 128)
    view, last = view_of(values[1], extent=(0, 128)), value()
    ops = [ops[0], op("reshape", values[1], out=view), op("add", values[1], view, out=last)]
    (group,) = groups_of(ops, [last])
    assert group.inner == set()
    assert group.viewed == {values[1].buffer}
