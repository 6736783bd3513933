"""``FunctionLayer``: the base of layers that only call a function with their input and their own parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ..autograd import Tensor
from .module import Module


class FunctionLayer(Module):
    """A layer declared by its function. A subclass sets

    * ``_function``, the function, as a static method;
    * ``_arguments``, the attributes passed to it after the input, in order;
    * ``_shown``, those that ``repr`` prints if not all of them; ``inplace`` is printed only where it is True.

    Layers whose function takes only a few microseconds write out ``forward``, which is faster.
    """

    _function: ClassVar[Callable[..., Any]]
    _arguments: ClassVar[tuple[str, ...]] = ()
    _shown: ClassVar[tuple[str, ...] | None] = None

    def forward(self, input: Tensor) -> Tensor:
        return self._function(input, *[getattr(self, name) for name in self._arguments])

    def extra_repr(self) -> str:
        names = self._arguments if self._shown is None else self._shown
        values = [(name, getattr(self, name)) for name in names]
        return ", ".join([f"{name}={value!r}" for name, value in values if name != "inplace" or value])
