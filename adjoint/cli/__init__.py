"""The command ``adjoint``: train a model on a data set or a CSV file, predict with it, and show what is installed."""

from .command import main, parser

__all__ = ["main", "parser"]
