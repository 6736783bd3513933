"""Lazy imports: what many programs do without is imported when it is first used, so that ``import adjoint`` is fast.

Everything else is imported at the top of its file.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from .errors import MissingExtra


def attach(module: dict[str, Any], sources: dict[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` for a module whose names in ``sources`` are imported when they are first asked for.

    Args:
        module: the module's ``globals()``.
        sources: by name, the module that defines it, relative to this one's package; ``{"nn": ".nn"}`` is the module ``nn`` itself.
    """
    name_of_module, package = module["__name__"], module["__package__"]

    def __getattr__(name: str) -> Any:
        if name not in sources:
            raise AttributeError(f"module '{name_of_module}' has no attribute '{name}'")
        source = import_module(sources[name], package)
        value = module[name] = source if sources[name] == f".{name}" else getattr(source, name)
        return value

    def __dir__() -> list[str]:
        return sorted({*module, *sources})

    return __getattr__, __dir__


class LazyModule:
    """Stands for the module ``name`` of ``package``, which is imported when an attribute is first asked for.

    To let type checkers see the module::

        if TYPE_CHECKING:
            from . import interop
        else:
            interop = LazyModule(".interop", __package__)
    """

    def __init__(self, name: str, package: str | None) -> None:
        self._name, self._package = name, package

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(import_module(self._name, self._package), attribute)
        setattr(self, attribute, value)
        return value


def import_extra(module: str, extra: str, purpose: str, package: str | None = None) -> Any:
    """Import a module of an optional dependency, whose name on PyPI is ``package``, or else the module's top level.

    Raises :class:`~adjoint.errors.MissingExtra`, with ``extra`` and the ``purpose``, where it is not installed.
    """
    top = module.partition(".")[0]
    try:
        import_module(top)
        return import_module(module)
    except ImportError as error:
        raise MissingExtra(package or top, extra, purpose) from error
