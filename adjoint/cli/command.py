"""The command ``adjoint``: its options, its dispatch, and how it reports errors."""

from __future__ import annotations

import argparse
import math
import os
import platform
import re
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn

from .. import __version__, backends
from ..errors import BackendError
from ..train.registry import ACTIVATIONS, OPTIMIZERS
from .predict import predict
from .train import train

OPTIONAL = ("cupy", "safetensors", "scikit-learn", "pooch", "matplotlib", "rich", "hypothesis")

#: Library names in error messages, and the command-line options that replace them.
OPTION_NAMES = {
    "Encoder: ": "",
    "train_test_split: test_size=": "--held-out ",
    "train_test_split: ": "--held-out: ",
    "task='classification'": "--task classification",
}


def integer(least: int) -> Callable[[str], int]:
    """A parser of integers >= ``least`` in ASCII digits, for ``argparse``."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or int(text) < least:
            raise argparse.ArgumentTypeError(f"must be a {'positive' if least else 'non-negative'} integer (got {text})")
        return int(text)

    return parse


def number(expected: str, is_valid: Callable[[float], bool]) -> Callable[[str], float]:
    """A parser of finite numbers that pass ``is_valid``, for ``argparse``; ``expected`` describes them in the error."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and is_valid(value)):
            raise argparse.ArgumentTypeError(f"must be {expected} (got {text})")
        return value

    return parse


positive_integer = integer(1)
positive = number("> 0", lambda value: value > 0)
non_negative = number(">= 0", lambda value: value >= 0)
fraction = number("between 0 and 1", lambda value: 0 < value < 1)


def widths(text: str) -> list[int]:
    """Parse ``"50,50"`` into layer widths; an empty string into none, for a linear model."""
    return [positive_integer(part.strip()) for part in text.split(",")] if text else []


class Parser(argparse.ArgumentParser):
    """Reports wrong options in one line, like all other errors."""

    def error(self, message: str) -> NoReturn:
        message = re.sub(r"^argument (\S+): must", r"\1 must", message)
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser() -> Parser:
    """The parser of the command line: the commands ``train``, ``predict`` and ``info`` with their options."""
    root = Parser(prog="adjoint", description="Train models on tables, with gradients by adjoint.")
    root.add_argument("--version", action="version", version=f"adjoint {__version__}")
    commands = root.add_subparsers(dest="command", required=True, metavar="command")

    training = commands.add_parser("train", help="train a multilayer perceptron and save it")
    training.add_argument("data", help="iris, digits, a named data set, or a CSV file with a header")
    training.add_argument("--target", help="the column to predict (needed for a CSV file)")
    training.add_argument("--task", choices=("classification", "regression"), help="default: by the target's type")
    shown = "(default: %(default)s)"
    training.add_argument(
        "--hidden", type=widths, default="50,50,50", metavar="N,N,...", help=f"widths of the hidden layers, none for '' {shown}"
    )
    training.add_argument("--activation", default="relu", choices=tuple(ACTIVATIONS), help=shown)
    training.add_argument("--optimizer", default="adam", metavar="NAME", help=f"{', '.join(OPTIMIZERS)} {shown}")
    training.add_argument("--lr", type=positive, default=0.01, help=f"initial learning rate, annealed to 0 by a cosine {shown}")
    training.add_argument("--penalty", type=non_negative, default=5.0, help=f"weight decay times the number of rows {shown}")
    training.add_argument("--epochs", type=positive_integer, default=60, help=f"passes over the rows {shown}")
    training.add_argument("--batch-size", type=positive_integer, default=30, help=f"rows per step {shown}")
    training.add_argument("--capture", action="store_true", help="record a step once and replay it: same results, faster")
    training.add_argument("--held-out", type=fraction, default=0.2, help=f"fraction of the rows held out for testing {shown}")
    training.add_argument("--backend", default=None, help="numpy, cupy, cuda:0, ... (default: ADJOINT_BACKEND, else numpy)")
    training.add_argument("--seed", type=integer(0), default=0, help=f"same seed, same result {shown}")
    training.add_argument("--out", help="folder for weights and learning curve (default: runs/ and the data's name)")

    prediction = commands.add_parser(
        "predict",
        help="predict the rows of a CSV file with a saved model",
        description="Write the predictions as CSV. Its column 'row' counts the rows from 1, without the header.",
    )
    prediction.add_argument("model", help="the folder that train wrote, or its weights file")
    prediction.add_argument("data", help="a CSV file with the columns the model was trained on, or a name as in train")
    prediction.add_argument("--out", help="CSV file to write (default: standard output)")
    prediction.add_argument("--backend", default=None)

    commands.add_parser("info", help="versions, backends and devices found")
    return root


def info() -> None:
    """Print the versions of adjoint, Python and the optional packages, the backends and their devices."""
    print(f"adjoint {__version__}, Python {platform.python_version()}, {platform.platform()}")
    for name in ("numpy", *OPTIONAL):
        try:
            print(f"  {name} {version(name)}")
        except PackageNotFoundError:
            if name != "cupy":
                print(f"  {name} not installed")
    print("backends")
    for name in backends.names():
        try:
            backend = backends.get(name)
        except BackendError as error:
            print(f"  {name}: no ({error})")
        else:
            print(f"  {name}: {backend.device_count()} device(s), '{backend.device}'")
    print(f"default backend: {backends.default().name}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after ``adjoint``; by default those of ``sys.argv``.

    Returns:
        The exit code: 0, 2 after an error, which is one line on standard error, or 1 where the reader of the output has left.
    """
    options = parser().parse_args(arguments)
    try:
        if options.command == "info":
            info()
        else:
            (train if options.command == "train" else predict)(options)
        sys.stdout.flush()  # to report a failed write here, not when Python exits
    except KeyboardInterrupt:
        print("adjoint: stopped; nothing was written", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of the output, such as head, has left
        discard_output()
        return 1
    except (ValueError, TypeError, LookupError, RuntimeError, ImportError, OSError, MemoryError) as error:
        text = str(error) or type(error).__name__
        for name, option in OPTION_NAMES.items():
            text = text.replace(name, option)
        if isinstance(error, OSError) and error.strerror:
            text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        print(f"adjoint {options.command}: {text}", file=sys.stderr)
        discard_output()
        return 2
    return 0


def discard_output() -> None:
    """Discard buffered output that cannot be written, so that Python does not fail on it again when it exits."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
