"""The CPU: NumPy's kernels, threads, and how it replays a captured program."""

from .backend import NumpyBackend, create, parse, seed_global

__all__ = ["NumpyBackend", "create", "parse", "seed_global"]
