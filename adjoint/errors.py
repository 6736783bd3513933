"""The exceptions this library adds to Python's own."""

from __future__ import annotations

import threading
from collections.abc import Iterable


class BackendError(RuntimeError):
    """A backend was asked for that is unknown, not installed or without a device, or two were mixed in one operation."""


class MissingExtra(ImportError):
    """A feature was used whose optional dependency is not installed; the message names the extra to install."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package '{package}': pip install 'adjoint[{extra}]'")


class FileFormatError(ValueError):
    """A file is truncated, corrupt or of another kind than the one asked for; the message names the file."""


class GraphError(RuntimeError):
    """The graph cannot be differentiated: freed, changed in place since, absent, or without a scalar root."""


class LinAlgError(ValueError, RuntimeError):
    """A matrix has no factors or inverse of the kind asked for, or its iteration did not converge."""


class _Refusals(threading.local):
    messages: list[str] | None = None


class CaptureError(RuntimeError):
    """A captured function did what cannot be replayed, or was called where its recording does not hold any more.

    While a function is recorded, ``refusals.messages`` collects those of its thread: one that the function catches refuses the
    recording all the same. Code of this library that catches one and does otherwise calls :meth:`dismiss`.
    """

    refusals = _Refusals()

    def __init__(self, message: str) -> None:
        super().__init__(message)
        if self.refusals.messages is not None:
            self.refusals.messages.append(message)

    def dismiss(self) -> None:
        """Let the recording continue, since nothing depends on what was refused."""
        if self.refusals.messages is not None:
            self.refusals.messages.remove(str(self))


def nearest(name: str, names: Iterable[str]) -> str:
    """``" (did you mean 'x' or 'y'?)"`` for the ``names`` most similar to ``name``, or an empty string: the end of a message."""
    from difflib import get_close_matches  # which few programs need

    by_lower = {other.lower(): other for other in names}
    similar = [repr(by_lower[match]) for match in get_close_matches(name.lower(), by_lower, 3, 0.6)]
    return f" (did you mean {' or '.join(similar)}?)" if similar else ""
