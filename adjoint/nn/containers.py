"""Containers: ``Sequential``, and lists and dicts of modules or parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Self

from ..autograd import Tensor
from ..autograd.arguments import reads_numbers
from .module import Module, _bracketed, _indented
from .parameter import Parameter

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]


class _Holder(Module):
    """A container of children of one kind: modules or parameters."""

    _kind: type = Module

    def _children(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if isinstance(value, self._kind)}

    def _put(self, name: str, value: Any) -> None:
        self.add_module(name, value)

    def __len__(self) -> int:
        return len(self._children())


class _OfParameters(_Holder):
    """A container of parameters; tensors become parameters."""

    _kind = Parameter

    def _put(self, name: str, value: Any) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"{type(self).__name__}: a value must be a tensor, not {type(value).__name__}")
        self.register_parameter(name, value if isinstance(value, Parameter) else Parameter(value, value.dtype.is_floating_point))

    def __repr__(self) -> str:
        """Each parameter's dtype and size, as PyTorch prints them."""
        parts = []
        for name, p in self._children().items():
            size = "x".join(map(str, p.shape))
            parts.append(f"({name}): Parameter containing: [{p.dtype} of size {size}]")
        return _bracketed(type(self).__name__, [], parts)


class _Ordered(_Holder):
    """Children in order, named by their index unless they have names."""

    def _renumber(self, modules: Iterable[Any]) -> None:
        modules = list(modules)
        for name in self._children():
            del self.__dict__[name]
        self.extend(modules)

    def _name(self, index: int) -> str:
        names = list(self._children())
        if not -len(names) <= index < len(names):
            raise IndexError(
                f"{type(self).__name__}: no {self._kind.__name__.lower()} {index} among {len(names)}: the index is out of range"
            )
        return names[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._children().values())

    def __getitem__(self, index: int | slice) -> Any:
        """The one at ``index``, or a container of those in a slice."""
        if isinstance(index, slice):
            return self._of(list(self._children().items())[index])
        return self._children()[self._name(index)]

    def _of(self, named: list[tuple[str, Any]]) -> Self:
        return type(self)(module for _, module in named)  # type: ignore[call-arg]

    def __setitem__(self, index: int, module: Any) -> None:
        self._put(self._name(index), module)

    def __delitem__(self, index: int | slice) -> None:
        modules = list(self)
        del modules[index]
        self._renumber(modules)

    def __iadd__(self, modules: Iterable[Any]) -> Self:
        return self.extend(modules)

    def append(self, module: Any) -> Self:
        """Append a child."""
        self._put(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Any]) -> Self:
        """Append several children, in order."""
        for module in list(modules):
            self.append(module)
        return self

    @reads_numbers
    def insert(self, index: int, module: Any) -> Self:
        """Insert a child before the one at ``index``."""
        modules = list(self)
        modules.insert(index, module)
        self._renumber(modules)
        return self

    @reads_numbers
    def pop(self, index: int = -1) -> Any:
        """Remove the child at ``index``, and return it."""
        module = self[index]
        del self[index]
        return module


class Sequential(_Ordered):
    """Modules applied in sequence, given as arguments or as one dict of names and modules.

    >>> from adjoint import nn
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> model[0]
    Linear(in_features=4, out_features=8, bias=True)
    >>> len(model[:2])
    2
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.add_module(name, module)
        else:
            self.extend(modules)

    def _of(self, named: list[tuple[str, Module]]) -> Self:
        return type(self)(dict(named))

    def __add__(self, other: Sequential) -> Sequential:
        return Sequential(*self, *other)

    def forward(self, input: Any) -> Any:
        for module in self.__dict__.values():
            if isinstance(module, Module):
                input = module(input)
        return input


class ModuleList(_Ordered):
    """A list of ``modules``, whose parameters belong to the owner; it has no ``forward``."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        """As in PyTorch, with equal neighbours on one line: ``(0-2): 3 x Linear(…)``."""
        parts, start = [], 0
        for text, alike in groupby(map(repr, self)):
            n = len(list(alike))
            parts.append(f"({start}): {_indented(text)}" if n == 1 else f"({start}-{start + n - 1}): {n} x {_indented(text)}")
            start += n
        return _bracketed(type(self).__name__, [], parts)


class _Named(_Holder):
    """Children by name."""

    def __getitem__(self, name: str) -> Any:
        return self._children()[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._put(name, value)

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._children())

    def __contains__(self, name: object) -> bool:
        return name in self._children()

    def keys(self) -> Iterable[str]:
        """The names of the children."""
        return self._children().keys()

    def values(self) -> Iterable[Any]:
        """The children."""
        return self._children().values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """The names and the children."""
        return self._children().items()

    def update(self, named: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Add children from ``named``, a mapping or pairs, replacing those of the same names."""
        for name, value in named.items() if isinstance(named, Mapping) else named:
            self[name] = value

    def pop(self, name: str) -> Any:
        """Remove the child called ``name``, and return it."""
        value = self[name]
        delattr(self, name)
        return value

    def clear(self) -> None:
        """Remove all children."""
        for name in self._children():
            delattr(self, name)


class ModuleDict(_Named):
    """A dict of ``modules``, whose parameters belong to the owner; it has no ``forward``.

    Raises ``KeyError`` on a name that is empty, contains a dot, or is one of the dict's own attributes.
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)


class ParameterList(_OfParameters, _Ordered):
    """A list of parameters, which belong to the owner; a tensor in ``values`` becomes one that shares its memory.

    Raises ``TypeError`` on anything but tensors.

    >>> import adjoint as ad
    >>> from adjoint import nn
    >>> nn.ParameterList([ad.ones(2, 3), ad.zeros(3)])
    ParameterList(
      (0): Parameter containing: [adjoint.float32 of size 2x3]
      (1): Parameter containing: [adjoint.float32 of size 3]
    )
    """

    def __init__(self, values: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.extend(values)


class ParameterDict(_OfParameters, _Named):
    """A dict of ``parameters``, which belong to the owner; a tensor becomes one that shares its memory.

    Raises ``TypeError`` on anything but tensors, ``KeyError`` on a name that is empty, contains a dot, or is one of the dict's own
    attributes.
    """

    def __init__(self, parameters: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] | None = None) -> None:
        super().__init__()
        if parameters is not None:
            self.update(parameters)
