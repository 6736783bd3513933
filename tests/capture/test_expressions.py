"""Numbers that change from call to call: the function generated for a recording computes them as Python does."""

from __future__ import annotations

import linecache
from typing import Any

import pytest
from hypothesis import assume, given, strategies as st

import adjoint as ad
from adjoint import optim
from adjoint.capture.expressions import ScalarProgram, SymbolicNumber
from adjoint.errors import CaptureError

NUMBERS = st.floats(0.25, 4.0)
OPERATIONS: dict[str, Any] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
    "power of a constant": lambda a, b: (-2.0) ** 3 * 2.0**a + b, "negative": lambda a, b: -a - -b,
    "inf": lambda a, b: a * float("inf") + b,
}  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(sorted(OPERATIONS)), st.integers(0, 9), st.integers(0, 9)), max_size=8),
       st.tuples(NUMBERS, NUMBERS), st.tuples(NUMBERS, NUMBERS))  # fmt: skip
def test_expressions_are_evaluated_as_python_does(steps: list[Any], first: tuple[float, float], later: tuple[float, float]) -> None:
    def compute(a: Any, b: Any) -> list[Any]:
        results = [a, b]
        for name, i, j in steps:
            x, y = results[i % len(results)], results[j % len(results)]
            results.append(OPERATIONS[name](x, y))
        return results

    try:
        expected = compute(*first)
    except (OverflowError, ZeroDivisionError):
        assume(False)
    values = {"a": first[0], "b": first[1]}
    program = ScalarProgram()
    numbers = program.scalars(lambda: values, values)
    symbols = compute(numbers["a"], numbers["b"])
    assert [repr(x.value) for x in symbols] == [repr(x) for x in expected]
    scalars = program.compile([x.expression for x in symbols])
    values = {"a": later[0], "b": later[1]}
    try:
        results = scalars(True)
    except (OverflowError, ZeroDivisionError):
        return
    assert results is not None
    assert [repr(x) for x in results] == [repr(x) for x in compute(*later)]


def test_each_expression_is_computed_once_and_shown_in_tracebacks() -> None:
    program, calls = ScalarProgram(), []
    lr = program.scalars(lambda: calls.append(0) or {"lr": 0.0}, {"lr": 0.5})["lr"]
    first, second = 1.0 / lr, 1.0 / lr
    assert first.expression is second.expression
    assert str(first.expression) == "(1.0 / scalars0.lr)"
    scalars = program.compile([first.expression, second.expression])
    with pytest.raises(ZeroDivisionError) as raised:
        scalars(True)
    assert len(calls) == 1
    code = raised.tb.tb_next.tb_frame.f_code if raised.tb.tb_next else raised.tb.tb_frame.f_code
    assert "/ x0" in "".join(linecache.getlines(code.co_filename))


def test_constants_of_another_kind_or_sign_are_other_constants() -> None:
    program = ScalarProgram()
    lr = program.scalars(lambda: {"lr": -0.5}, {"lr": -0.5})["lr"]
    symbols = [lr * 0.0, lr * -0.0, lr * 0, lr + 1, lr + 1.0]
    results = program.compile([x.expression for x in symbols])(True)
    assert results is not None
    assert [repr(x) for x in results] == [repr(x.value) for x in symbols] == ["-0.0", "0.0", "-0.0", "0.5", "0.5"]
    assert len({x.expression for x in symbols}) == len(symbols)


def test_a_decision_that_comes_out_differently_is_no_replay() -> None:
    program = ScalarProgram()
    values: dict[str, Any] = {"lr": 0.5, "kept": ("m",)}
    numbers = program.scalars(lambda: values, values)
    assert numbers["lr"] > 0.25
    assert numbers["kept"] == ("m",)
    scalars = program.compile([])
    assert scalars(True) == ()
    for changed in ({"lr": 0.25}, {"kept": ("m", "v")}):
        values = {"lr": 0.5, "kept": ("m",)} | changed
        assert scalars(True) is None


def test_a_decision_is_made_before_what_python_computes_after_it() -> None:
    program, rate = ScalarProgram(), 2.0
    temperature = program.scalars(lambda: {"temperature": rate}, {"temperature": rate})["temperature"]
    assert temperature != 0
    scalars = program.compile([(1.0 / temperature).expression])
    assert scalars(True) == (0.5,)
    rate = 0.0
    assert scalars(True) is None


def test_a_decision_after_a_side_effect_is_foreseen_and_else_refused() -> None:
    program, effects = ScalarProgram(), []
    values = {"n": 1.0}
    program.scalars(lambda: values, values)
    program.steps.append(lambda: effects.append(1))
    assert program.scalars(lambda: values, values)["n"] < 2.0
    program.steps.append(lambda: effects.append(2))
    assert program.has_early_effects()
    assert [effect() for effect in program.trailing_effects()] == [None]
    scalars = program.compile([])
    values = {"n": 3.0}
    assert scalars(False) is None
    assert effects == [2]
    with pytest.raises(CaptureError, match=r"second optimizer step took a different code path.*capture each step separately"):
        scalars(True)


@pytest.mark.parametrize("function", [float, int, abs, round, lambda x: x // 1.0, lambda x: x % 1.0])
def test_other_functions_of_a_number_that_changes_are_refused(function: Any) -> None:
    program = ScalarProgram()
    lr = program.scalars(dict, {"lr": 0.5})["lr"]
    assert type(lr) is SymbolicNumber
    with pytest.raises(CaptureError, match=r"scalars0\.lr changes from call to call.*numbers\(\)"):
        function(lr)


def test_a_program_prints_the_numbers_of_an_optimizer() -> None:
    w = ad.ones(2, requires_grad=True)
    optimizer = optim.SGD([w], lr=0.5)

    @ad.capture
    def step() -> Any:
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(3):
        step()
    assert "n0: number scalars0.lr" in str(step.program)
