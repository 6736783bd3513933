"""Numbers that change from call to call, and the Python function that computes them before each replay.

An optimizer's scalars (a learning rate, a step count) come from a function that each replay calls again: :class:`DynamicScalars`.
While a call is recorded, each float among them is a :class:`SymbolicNumber`, arithmetic on it builds an :class:`Expression`, and
comparing it is a decision, which has to come out the same at each replay.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from ..codegen import compile_function
from ..errors import CaptureError


class Expression:
    """A field of dynamic scalars, or Python's ``operator`` applied to other expressions and constants.

    Attributes:
        operator: ``"field"``, or Python's sign of the operation.
        operands: expressions and constants; of a field, its name.
        source: the number of the last :class:`DynamicScalars` that it depends on.
    """

    __slots__ = ("operands", "operator", "source")

    def __init__(self, operator: str, operands: tuple[Any, ...], source: int) -> None:
        self.operator, self.operands, self.source = operator, operands, source

    def __str__(self) -> str:
        if self.operator == "field":
            return f"scalars{self.source}.{self.operands[0]}"
        return self.code(str)

    def code(self, name: Callable[[Any], str]) -> str:
        """Python source of the operation, with operands as ``name`` names them."""
        parts = [name(part) for part in self.operands]
        return f"({self.operator}{parts[0]})" if len(parts) == 1 else f"({parts[0]} {self.operator} {parts[1]})"


class DynamicScalars(NamedTuple):
    """The function that returns scalars by name, and how many of its kind the recording called before."""

    function: Callable[[], dict[str, Any]]
    number: int


class ScalarProgram:
    """Everything that a replay does in Python before it computes: dynamic scalars, side effects and decisions, in order.

    Attributes:
        steps: the :class:`DynamicScalars` and the functions without arguments to call, in order.
        decisions: each comparison of numbers, and how it came out.
    """

    def __init__(self) -> None:
        self.steps: list[DynamicScalars | Callable[[], Any]] = []
        self.decisions: dict[Expression, bool] = {}
        self._sources = 0
        self._expressions: dict[Any, Expression] = {}  # each distinct one once, operands before what is computed from them

    def scalars(self, function: Callable[[], dict[str, Any]], values: dict[str, Any]) -> dict[str, Any]:
        """``values``, which ``function`` returned, floats as symbolic numbers. Others have to be equal at each replay."""
        source = DynamicScalars(function, self._sources)
        self._sources += 1
        self.steps.append(source)
        numbers = dict(values)
        for name, value in values.items():
            field = self._expression("field", (name,), source.number)
            if type(value) is float:
                numbers[name] = SymbolicNumber(value, field, self)
            else:
                self.decisions[self.apply("==", field, value)] = True
        return numbers

    def apply(self, operator: str, *operands: Any) -> Expression:
        """The expression of an operation, at least one of whose operands is an expression."""
        return self._expression(operator, operands, max(part.source for part in operands if isinstance(part, Expression)))

    def _expression(self, operator: str, operands: tuple[Any, ...], source: int) -> Expression:
        key = operator, source, *[part if isinstance(part, Expression) else (type(part), repr(part)) for part in operands]
        if key not in self._expressions:
            self._expressions[key] = Expression(operator, operands, source)
        return self._expressions[key]

    def trailing_effects(self) -> list[Callable[[], Any]]:
        """The side effects after the last dynamic scalars, which a replay calls at its end, when nothing can fail any more."""
        at = len(self.steps)
        while at and not isinstance(self.steps[at - 1], DynamicScalars):
            at -= 1
        return self.steps[at:]  # type: ignore[return-value]

    def has_early_effects(self) -> bool:
        """Whether a replay has to call a side effect before it knows all scalars."""
        return any(not isinstance(step, DynamicScalars) for step in self.steps[: len(self.steps) - len(self.trailing_effects())])

    def compile(self, numbers: list[Expression]) -> Callable[[bool], tuple[float, ...] | None]:
        """The function that computes ``numbers``: called with whether to call side effects too.

        It returns None where a decision comes out differently; after a side effect it raises :class:`CaptureError` then.
        """
        needed: set[Expression] = set()
        stack = [*numbers, *self.decisions]
        while stack:
            expression = stack.pop()
            if expression not in needed:
                needed.add(expression)
                stack.extend(part for part in expression.operands if isinstance(part, Expression))
        namespace: dict[str, Any] = {"inf": float("inf"), "nan": float("nan"), "changed": _changed}
        names: dict[Any, str] = {}

        def name(part: Any) -> str:
            if isinstance(part, Expression):
                return names[part]
            if type(part) in (int, float, bool, str):
                return f"({part!r})"
            return _symbol(namespace, "constant", part)

        by_source: list[list[Expression]] = [[] for _ in range(self._sources)]
        for expression in self._expressions.values():
            if expression in needed:
                by_source[expression.source].append(expression)
        lines, effects = ["def scalars(effects):"], False
        tests: list[str] = []

        def write_tests() -> None:
            for at in range(0, len(tests), 8):
                lines.append(f"    if not ({' and '.join(tests[at : at + 8])}):")
                lines.extend(["        if effects: raise changed()"] if effects else [])
                lines.append("        return None")
            tests.clear()

        for step in self.steps[: len(self.steps) - len(self.trailing_effects())]:
            if not isinstance(step, DynamicScalars):
                lines.append(f"    if effects: {_symbol(namespace, 'effect', step)}()")
                effects = True
                continue
            lines.append(f"    fields = {_symbol(namespace, 'source', step.function)}()")
            for expression in by_source[step.number]:
                is_field = expression.operator == "field"
                code = f"fields[{expression.operands[0]!r}]" if is_field else expression.code(name)
                if expression in self.decisions:
                    tests.append(code if self.decisions[expression] else f"not {code}")
                else:
                    if not is_field:
                        write_tests()  # which it may rely on, as a quotient on a divisor that is not 0
                    names[expression] = f"x{len(names)}"
                    lines.append(f"    {names[expression]} = {code}")
            write_tests()
        lines.append(f"    return ({''.join(f'{names[number]}, ' for number in numbers)})")
        return compile_function("\n".join(lines), "scalars", namespace, "scalars of a replay")


def _symbol(namespace: dict[str, Any], kind: str, value: Any) -> str:
    name = f"{kind}{len(namespace)}"
    namespace[name] = value
    return name


def _changed() -> CaptureError:
    return CaptureError(
        "capture: the second optimizer step took a different code path than when it was recorded, after the first one had changed "
        "its parameters; capture each step separately"
    )


class SymbolicNumber:
    """A Python number that each call computes again: its ``value`` at the recorded call, and its ``expression``.

    Arithmetic with it gives another one, and a comparison is a decision. Anything else that can be done with a float is refused,
    since a replay would not do it again.
    """

    __slots__ = ("expression", "program", "value")
    __array_ufunc__ = None  # NumPy's arrays, which are not recorded, do not take it

    def __init__(self, value: float, expression: Expression, program: ScalarProgram) -> None:
        self.value, self.expression, self.program = value, expression, program

    def __neg__(self) -> SymbolicNumber:
        return SymbolicNumber(-self.value, self.program.apply("-", self.expression), self.program)

    def __bool__(self) -> bool:
        return bool(self.__ne__(0.0))

    __hash__ = object.__hash__

    def _refused(self, *_: Any) -> Any:
        raise CaptureError(
            f"capture: {self.expression} changes from call to call, and is given to a function of numbers, which a replay would "
            "not call again; compute it where the scalars come from (an optimizer's numbers())"
        )

    __float__ = __int__ = __index__ = __abs__ = __round__ = __trunc__ = __floor__ = __ceil__ = _refused
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __divmod__ = __rdivmod__ = _refused


def _parts(number: Any) -> tuple[float, Any]:
    return (number.value, number.expression) if type(number) is SymbolicNumber else (number, number)


def _arithmetic(name: str, sign: str, reflected: bool) -> Any:
    function = getattr(operator, f"__{name}__")

    def method(self: SymbolicNumber, other: Any) -> Any:
        if type(other) not in (int, float, SymbolicNumber):
            return NotImplemented
        pair = (_parts(other), _parts(self)) if reflected else (_parts(self), _parts(other))
        (a, left), (b, right) = pair
        return SymbolicNumber(function(a, b), self.program.apply(sign, left, right), self.program)

    return method


def _comparison(name: str, sign: str) -> Any:
    function = getattr(operator, f"__{name}__")

    def method(self: SymbolicNumber, other: Any) -> Any:
        if type(other) not in (int, float, bool, SymbolicNumber):
            return NotImplemented
        value, expression = _parts(other)
        outcome = function(self.value, value)
        self.program.decisions[self.program.apply(sign, self.expression, expression)] = outcome
        return outcome

    return method


for _name, _sign in {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**"}.items():
    setattr(SymbolicNumber, f"__{_name}__", _arithmetic(_name, _sign, False))
    setattr(SymbolicNumber, f"__r{_name}__", _arithmetic(_name, _sign, True))
for _name, _sign in {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}.items():
    setattr(SymbolicNumber, f"__{_name}__", _comparison(_name, _sign))
