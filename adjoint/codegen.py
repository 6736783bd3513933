"""Generated functions, whose source tracebacks and debuggers show."""

from __future__ import annotations

import itertools
import linecache
import weakref
from collections.abc import Callable
from typing import Any

_number = itertools.count(1).__next__


def compile_function(source: str, name: str, namespace: dict[str, Any], title: str = "") -> Callable[..., Any]:
    """The function ``name`` that ``source`` defines.

    Its lines are registered with :mod:`linecache` under a pseudo-filename such as ``<adjoint call of exp 3>``, for as long as the
    function's code is alive.

    Args:
        source: Python source with a ``def name(…)`` at its top level.
        name: the function's name.
        namespace: its globals, in which the source is executed.
        title: what the pseudo-filename says; ``name`` where empty.
    """
    filename = f"<adjoint {title or name} {_number()}>"
    namespace.setdefault("__name__", __name__)  # by which modes.user_line tells that it is the library's
    exec(compile(source, filename, "exec"), namespace)
    function: Callable[..., Any] = namespace.pop(name)  # or it would hold itself
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    weakref.finalize(function.__code__, linecache.cache.pop, filename, None).atexit = False
    return function
