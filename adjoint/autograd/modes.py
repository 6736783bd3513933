"""What is switched on for a stretch of code: recording the graph, and looking for the operation that made a NaN."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any


class _State(threading.local):
    recording = True
    journals: tuple[Any, ...] = ()  # that take note of what is written to in place
    transforms = 0  # how many gradient transforms or tapes are open, so that an inner one knows it is differentiated


class _Process:
    anomaly = False


state = _State()  #: of this thread
process = _Process()  #: of all threads


GENERATOR = 0x20  #: the flag of a code object that is a generator's, ``inspect.CO_GENERATOR``


class _Switch:
    """Sets one attribute of :data:`state`, or of another :attr:`holder`, as a context manager or a decorator."""

    holder: Any = state
    attribute = ""
    value: Any = True

    def __new__(cls, function: Any = None, **options: Any) -> Any:
        return cls()(function) if callable(function) else super().__new__(cls)  # @no_grad without parentheses

    def __init__(self) -> None:
        self._before: list[Any] = []

    def again(self) -> _Switch:
        """Another one like this, for one call of the function it decorates."""
        switch: _Switch = type(self)()
        return switch

    def __enter__(self) -> None:
        self._before.append(getattr(self.holder, self.attribute))
        setattr(self.holder, self.attribute, self.value)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        setattr(self.holder, self.attribute, self._before.pop())

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def switched(*args: Any, **kwargs: Any) -> Any:
            with self.again():
                return function(*args, **kwargs)

        @functools.wraps(function)
        def switched_generator(*args: Any, **kwargs: Any) -> Any:
            steps, sent = function(*args, **kwargs), None
            while True:
                with self.again():  # while its body runs, not while the caller's does
                    try:
                        item = steps.send(sent)
                    except StopIteration as end:
                        return end.value
                sent = yield item

        code = getattr(function, "__code__", None)
        return switched_generator if code is not None and code.co_flags & GENERATOR else switched


class no_grad(_Switch):
    """Record nothing in this block or function: results require no gradient.

    >>> import adjoint as ad
    >>> x = ad.tensor(2.0, requires_grad=True)
    >>> with ad.no_grad():
    ...     (x * x).requires_grad
    False
    """

    attribute, value = "recording", False


class enable_grad(_Switch):
    """Record in this block or function, inside a :class:`no_grad` too."""

    attribute, value = "recording", True


class set_grad_enabled(_Switch):
    """Record or not, by ``mode``: from here on when called, inside a ``with`` block, or in the function it decorates."""

    attribute = "recording"

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self._before.append(state.recording)
        self.value = state.recording = bool(mode)

    def again(self) -> set_grad_enabled:
        return set_grad_enabled(self.value)

    def __enter__(self) -> None:
        state.recording = self.value

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        state.recording = self._before.pop()  # the function's calls alone run under the mode
        return super().__call__(function)


class detect_anomaly(_Switch):
    """Find the operation whose derivative made a NaN: ``backward`` raises, naming it and the line that called it.

    Each recorded operation costs several times more inside the block, in every thread.

    >>> import adjoint as ad
    >>> x = ad.tensor(0.0, requires_grad=True)
    >>> with ad.detect_anomaly():
    ...     y = ad.sqrt(x) * 0.0
    ...     y.backward()
    Traceback (most recent call last):
        ...
    adjoint.errors.GraphError: sqrt: its derivative by 'x' made a NaN; called at ...
    """

    holder, attribute, value = process, "anomaly", True


def is_grad_enabled() -> bool:
    """Whether operations are recorded here."""
    return state.recording


_PACKAGE = __name__.partition(".")[0]


def user_line() -> str:
    """The file and line outside this package that is being run."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
