"""Write ``docs/operations.md``: each primitive, the source of its derivative rule, and its checks. ``make op-report``."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import adjoint as ad  # noqa: E402
from adjoint.autograd import functions  # noqa: E402
from adjoint.autograd.primitive import Primitive, registry  # noqa: E402
from adjoint.nn import functional  # noqa: E402  (whose primitives enter the registry)
from tests.autograd.exemptions import CHECKS, EXEMPT  # noqa: E402

PAGE = Path(__file__).with_name("operations.md")

INTRODUCTION = """# Operations
<!-- Written by `make op-report` from the source; a test compares it. -->

Every primitive operation with its derivative, from the source. `g` is the cotangent of the output, `out` the output, and the other
names are the operation's inputs and parameters. The engine then sums each cotangent over broadcast axes and casts it to its input's
dtype. If a rule is a named function, its description is given. [How gradients are tested](gradients.md) describes the method.

## Checks
Each primitive is checked as below, on samples that hypothesis generates: shapes of up to three axes (more for images) of length 0
to 3, including 0-d and broadcast ones; elements away from kinks; contiguous, transposed, strided, reversed or offset memory; all
parameters of the operation. A primitive without a sample or a check fails the suite by name.

"""


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"


@cache
def parsed(path: str) -> tuple[str, ast.Module]:
    source = Path(path).read_text(encoding="utf-8")
    return source, ast.parse(source)


def places(instructions: CodeType) -> Iterator[tuple[int, int]]:
    """The line and column of every expression of a function, from its bytecode."""
    for line, end_line, column, end_column in instructions.co_positions():
        if None not in (line, end_line, column, end_column) and (line, column) != (end_line, end_column):
            yield line, column  # type: ignore[misc]


def lambda_text(rule: Any) -> str:
    """The body of a lambda on one line: the smallest lambda in the file that contains all expressions of its bytecode."""
    source, tree = parsed(rule.__code__.co_filename)
    inside = set(places(rule.__code__))

    def holds(node: ast.Lambda) -> bool:
        body = node.body
        first, last = (body.lineno, body.col_offset), (body.end_lineno or 0, body.end_col_offset or 0)
        return all(first <= place < last for place in inside if place != (node.lineno, node.col_offset))

    found = [node for node in ast.walk(tree) if isinstance(node, ast.Lambda) and holds(node)]
    closest = min(found, key=lambda node: len(ast.get_source_segment(source, node) or ""))
    return " ".join((ast.get_source_segment(source, closest.body) or "").split())


def description(function: Any) -> str:
    """The first paragraph of its docstring, else its statements if they are few, else its name."""
    if function.__doc__:
        return cell(inspect.cleandoc(function.__doc__).split("\n\n")[0].replace("``", "`"))
    source, tree = parsed(function.__code__.co_filename)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == function.__name__:
            statements = "; ".join(" ".join((ast.get_source_segment(source, part) or "").split()) for part in node.body)
            if len(statements) < 300 and "#" not in statements:
                return cell(code(statements.removeprefix("return ")))
    return cell(code(function.__name__))


def rule_text(rule: Any) -> str:
    function = inspect.unwrap(rule.function)
    function = getattr(function, "func", function)  # of a partial
    return cell(code(lambda_text(function))) if function.__name__ == "<lambda>" else description(function)


def derivatives(primitive: Primitive) -> str:
    if not primitive.differentiable:
        return "none"
    if primitive.joint is not None:
        return f"all: {rule_text(primitive.joint)}"
    return "<br>".join(f"{primitive.inputs[i]}: {rule_text(rule)}" for i, rule in sorted(primitive.rules.items()))


def signature(primitive: Primitive) -> str:
    several = (f"*{primitive.variadic}",) if primitive.variadic else ()
    return f"{primitive.name}({', '.join((*primitive.inputs, *several, *primitive.parameters))})"


def families(primitives: list[Primitive]) -> dict[str, list[Primitive]]:
    """The primitives by file, in the order of the source."""
    found: dict[str, list[Primitive]] = {}
    for primitive in primitives:
        found.setdefault(primitive.__module__.rpartition(".")[2], []).append(primitive)
    return dict(sorted(found.items()))


def page() -> str:
    primitives = [p for p in registry.values() if p.__module__.startswith("adjoint.autograd.")]
    text = INTRODUCTION + "| check | subject | backends | examples |\n| --- | --- | --- | --- |\n"
    text += "".join(f"| {check.title} | {check.of} | {check.on} | {check.examples} |\n" for check in CHECKS)
    text += "\n### Exemptions and their reasons\n| check | primitive | reason |\n| --- | --- | --- |\n"
    for check, exempt in EXEMPT.items():
        by_reason: dict[str, list[str]] = {}
        for name, reason in exempt.items():
            by_reason.setdefault(reason, []).append(code(name))
        text += "".join(f"| {check} | {', '.join(names)} | {reason} |\n" for reason, names in by_reason.items())
    text += f"\n## The {len(primitives)} primitives\n"
    for family, members in families(primitives).items():
        text += f"\n### {family}\n| operation | value | derivative |\n| --- | --- | --- |\n"
        text += "".join(f"| {code(signature(p))} | {description(p.kernel)} | {derivatives(p)} |\n" for p in members)
    text += "\n## Functions composed of primitives\n"
    for title, names in composed().items():
        text += f"\n### {title}\n{', '.join(code(name) for name in names)}\n"
    return text


def composed() -> dict[str, list[str]]:
    """The public functions composed of primitives, by module; their gradients follow from those of the primitives."""

    def names(module: Any, inside: str) -> list[str]:
        members = {name: value for name, value in vars(module).items() if inspect.isfunction(value) and name[0] != "_"}
        return sorted(name for name, value in members.items() if value.__module__.startswith(inside))

    tensor_methods = sorted(
        name
        for name, value in vars(ad.Tensor).items()
        if inspect.isfunction(value) and name[0] != "_" and name not in vars(functions)
    )
    return {
        "adjoint": [name for name in names(functions, "adjoint.autograd.functions") if hasattr(ad, name)],
        "adjoint.nn.functional": names(functional, "adjoint.nn.functional"),
        "Tensor methods only": tensor_methods,
    }


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
