"""Arguments and results as nested tuples, lists and dicts: their form, and the tensors in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

from .. import backends
from ..autograd import Tensor
from ..autograd.creation import as_tensor
from .guards import PLAIN

#: A recording depends on these of a tensor; of the node only on whether there is one.
form_of_tensor: Any = attrgetter("backend", "_array.shape", "_array.dtype", "_requires_grad", "_node")


def form(part: Any, tensors: list[Tensor]) -> Any:
    """Everything of an argument that a recording depends on, hashable; the tensors in it are added to ``tensors``."""
    if isinstance(part, Tensor):
        tensors.append(part)
        *attributes, node = form_of_tensor(part)
        return *attributes, node is not None
    if isinstance(part, (tuple, list)):
        return type(part), *[form(inner, tensors) for inner in part]
    if isinstance(part, dict):
        return dict, *[(name, form(inner, tensors)) for name, inner in part.items()]
    if isinstance(part, PLAIN):
        return type(part), repr(part)
    if backends.of_array(part) is not None:
        return "array", form(as_tensor(part), tensors)
    return type(part), id(part)


def map_leaves(function: Callable[[Any], Any], part: Any) -> Any:
    """Nested tuples, lists and dicts with ``function`` of everything else in them."""
    if isinstance(part, (tuple, list)):
        parts, kind = [map_leaves(function, inner) for inner in part], type(part)
        return kind(*parts) if hasattr(kind, "_fields") else kind(parts)
    if isinstance(part, dict):
        return {name: map_leaves(function, inner) for name, inner in part.items()}
    return function(part)


def replace_tensors(part: Any, tensors: Iterator[Tensor]) -> Any:
    """Arguments with each tensor, and each array, replaced by the next of ``tensors``."""

    def replaced(leaf: Any) -> Any:
        is_array = isinstance(leaf, Tensor) or (not isinstance(leaf, PLAIN) and backends.of_array(leaf) is not None)
        return next(tensors) if is_array else leaf

    return map_leaves(replaced, part)


class Placeholder:
    """Stands for the output of this number in a result."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


def take_tensors(result: Any, outputs: list[Tensor]) -> Any:
    """A result with placeholders instead of its tensors, which are added to ``outputs``."""

    def taken(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        outputs.append(leaf)
        return Placeholder(len(outputs) - 1)

    return map_leaves(taken, result)


def put_tensors(template: Any, outputs: list[Tensor]) -> Any:
    """The result that :func:`take_tensors` made a template of, with these outputs."""
    return map_leaves(lambda leaf: outputs[leaf.number] if type(leaf) is Placeholder else leaf, template)
