"""Declarations of primitives that only name a function of the array namespace, each with its derivative beside it.

.. code-block:: python

    exp = unary("exp", "e^x, elementwise.", floating=True, x=lambda g, out: g * out)

A kernel declared like this is one of the templates below with the namespace's function as its only name, so it costs a call as a
written one does, and stands in tracebacks under that name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any

from ...backends import Array
from ..primitive import Primitive, primitive

Axes = int | tuple[int, ...] | None
Rule = Callable[..., Any]


def _unary(xp: Any, x: Array) -> Array:
    return xp.function(x)


def _binary(xp: Any, x: Array, y: Array) -> Array:
    return xp.function(x, y)


def _reduction(xp: Any, x: Array, *, axis: Axes = None, keepdims: bool = False) -> Array:
    return xp.function(x, axis=axis, keepdims=keepdims)


def unary(name: str, doc: str, *, x: Rule | None = None, **options: bool) -> Primitive:
    """The primitive ``xp.name(x)``.

    Args:
        name: of the namespace's function, and of the primitive.
        doc: the primitive's docstring.
        x: the derivative rule by ``x``.
        options: as for :func:`~adjoint.autograd.primitive.primitive`.
    """
    return _declared(_unary, name, doc, options, x=x)


def binary(
    name: str, doc: str, *, x: Rule | None = None, y: Rule | None = None, joint: Rule | None = None, **options: bool
) -> Primitive:
    """The primitive ``xp.name(x, y)``, with a derivative rule by each input, or one ``joint`` rule; otherwise as :func:`unary`."""
    return _declared(_binary, name, doc, options, joint, x=x, y=y)


def reduction(name: str, doc: str, *, x: Rule | None = None, **options: bool) -> Primitive:
    """The primitive ``xp.name(x, axis=axis, keepdims=keepdims)``, by default over all axes; otherwise as :func:`unary`."""
    return _declared(_reduction, name, doc, options, x=x)


def _declared(
    template: Any, name: str, doc: str, options: dict[str, bool], joint: Rule | None = None, **rules: Rule | None
) -> Primitive:
    code = template.__code__.replace(co_name=name, co_qualname=name, co_names=(name,))
    kernel = FunctionType(code, sys._getframe(2).f_globals, name)  # of the module that declares it
    kernel.__doc__, kernel.__kwdefaults__, kernel.__annotations__ = doc, template.__kwdefaults__, template.__annotations__
    declare: Any = primitive(**options)
    return declare(kernel).vjp(joint, **{input: rule for input, rule in rules.items() if rule is not None})
