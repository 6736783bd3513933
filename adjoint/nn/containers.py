"""Modules made of modules: ``Sequential``, ``ModuleList``, ``ModuleDict``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Self

from .module import Module, _bracketed, _indented


class _Ordered(Module):
    """Children in order, named by their number unless they were given names."""

    def _children(self) -> dict[str, Module]:
        return {name: value for name, value in self.__dict__.items() if isinstance(value, Module)}

    def _renumber(self, modules: Iterable[Module]) -> None:
        modules = list(modules)
        for name in self._children():
            del self.__dict__[name]
        self.extend(modules)

    def _name(self, index: int) -> str:
        names = list(self._children())
        if not -len(names) <= index < len(names):
            raise IndexError(f"{type(self).__name__}: there is no module {index} among {len(names)}")
        return names[index]

    def __len__(self) -> int:
        return len(self._children())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._children().values())

    def __getitem__(self, index: int | slice) -> Any:
        """The module at ``index``, or a container of those in a slice."""
        if isinstance(index, slice):
            return self._of(list(self._children().items())[index])
        return self._children()[self._name(index)]

    def _of(self, named: list[tuple[str, Module]]) -> Self:
        return type(self)(module for _, module in named)  # type: ignore[call-arg]

    def __setitem__(self, index: int, module: Module) -> None:
        self.add_module(self._name(index), module)

    def __delitem__(self, index: int | slice) -> None:
        modules = list(self)
        del modules[index]
        self._renumber(modules)

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def append(self, module: Module) -> Self:
        """Put a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Put modules at the end, in order."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before the one at ``index``."""
        modules = list(self)
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def pop(self, index: int = -1) -> Any:
        """Remove the module at ``index``, and return it."""
        module = self[index]
        del self[index]
        return module


class Sequential(_Ordered):
    """Modules applied one after the other, given as arguments or as one dict of names and modules.

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
            self.extend(modules)  # type: ignore[arg-type]

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
    """A list of modules, whose parameters are the owner's; it computes nothing itself."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        """As PyTorch prints it: equal neighbours on one line, ``(0-2): 3 x Linear(…)``."""
        parts, start = [], 0
        for text, alike in groupby(map(repr, self)):
            n = len(list(alike))
            parts.append(f"({start}): {_indented(text)}" if n == 1 else f"({start}-{start + n - 1}): {n} x {_indented(text)}")
            start += n
        return _bracketed(type(self).__name__, [], parts)


class ModuleDict(Module):
    """A dict of modules, whose parameters are the owner's; it computes nothing itself.

    Raises ``KeyError`` on a name that is empty, has a dot, or is one of the dict's own attributes.
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def _children(self) -> dict[str, Module]:
        return {name: value for name, value in self.__dict__.items() if isinstance(value, Module)}

    def __getitem__(self, name: str) -> Any:
        return self._children()[name]

    def __setitem__(self, name: str, module: Module) -> None:
        self.add_module(name, module)

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def __len__(self) -> int:
        return len(self._children())

    def __iter__(self) -> Iterator[str]:
        return iter(self._children())

    def __contains__(self, name: object) -> bool:
        return name in self._children()

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._children().keys()

    def values(self) -> Iterable[Any]:
        """The modules."""
        return self._children().values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and modules."""
        return self._children().items()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules by name, replacing those of the same names."""
        for name, module in modules.items() if isinstance(modules, Mapping) else modules:
            self[name] = module

    def pop(self, name: str) -> Any:
        """Remove the module called ``name``, and return it."""
        module = self[name]
        delattr(self, name)
        return module

    def clear(self) -> None:
        """Remove all modules."""
        for name in self._children():
            delattr(self, name)
