"""NVIDIA GPUs: CuPy's kernels, and how it replays a captured program. CuPy is imported when the backend is chosen."""

from typing import Any


def create(index: int | None) -> Any:
    """The backend's factory. Raises :class:`BackendError` where CuPy, a GPU, or the one of that number is missing."""
    from . import backend

    return backend.create(index)
