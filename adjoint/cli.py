"""The command ``adjoint``: train a model on a data set or a CSV file, predict with it, and say what is installed."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn

from . import __version__, backends
from .errors import BackendError
from .train.names import ACTIVATIONS, OPTIMIZERS

OPTIONAL = ("cupy", "safetensors", "scikit-learn", "pooch", "matplotlib", "rich", "hypothesis")

#: What the library's messages call by its own names, as the command line calls it.
SPOKEN = {
    "Encoder: ": "",
    "train_test_split: test_size=": "--held-out ",
    "train_test_split: ": "--held-out: ",
    "task='classification'": "--task classification",
}


def whole(text: str, least: int = 0) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) < least:
        raise argparse.ArgumentTypeError(f"a whole number from {least}, not {text!r}")
    return int(text)


def positive(text: str) -> int:
    return whole(text, 1)


def widths(text: str) -> list[int]:
    """``"50,50"`` as numbers; an empty text as none, for a linear model."""
    return [positive(part.strip()) for part in text.split(",")] if text else []


def penalty(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0.0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"a number from 0, not {text!r}")
    return number


def rate(text: str) -> float:
    number = penalty(text)
    if number == 0.0:
        raise argparse.ArgumentTypeError(f"a number above 0, not {text!r}")
    return number


def share(text: str) -> float:
    number = rate(text)
    if number >= 1.0:
        raise argparse.ArgumentTypeError(f"a number between 0 and 1, not {text!r}")
    return number


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the options in one line, as everything else is said."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser() -> Parser:
    """The commands and their options."""
    root = Parser(prog="adjoint", description="Train models on tables, with gradients by adjoint.")
    root.add_argument("--version", action="version", version=f"adjoint {__version__}")
    commands = root.add_subparsers(dest="command", required=True, metavar="command")

    train = commands.add_parser("train", help="train a multilayer perceptron and save it")
    train.add_argument("data", help="iris, digits, a named data set, or a CSV file with a header")
    train.add_argument("--target", help="the column to predict (needed for a CSV file)")
    train.add_argument("--task", choices=("classification", "regression"), help="default: by the target's type")
    shown = "(default: %(default)s)"
    train.add_argument(
        "--hidden", type=widths, default="50,50,50", metavar="N,N,...", help=f"widths of the hidden layers, none for '' {shown}"
    )
    train.add_argument("--activation", default="relu", choices=tuple(ACTIVATIONS), help=shown)
    train.add_argument("--optimizer", default="adam", metavar="NAME", help=f"{', '.join(OPTIMIZERS)} {shown}")
    train.add_argument("--lr", type=rate, default=0.01, help=f"learning rate at the start; it falls to 0 along a cosine {shown}")
    train.add_argument("--penalty", type=penalty, default=5.0, help=f"weight decay times the number of rows {shown}")
    train.add_argument("--epochs", type=positive, default=60, help=f"passes over the rows {shown}")
    train.add_argument("--batch-size", type=positive, default=30, help=f"rows in a step {shown}")
    train.add_argument("--capture", action="store_true", help="record a step once and replay it: the same numbers, sooner")
    train.add_argument("--held-out", type=share, default=0.2, help=f"share of the rows that is kept for testing {shown}")
    train.add_argument("--backend", default=None, help="numpy, cupy, cuda:0, ... (default: ADJOINT_BACKEND, else numpy)")
    train.add_argument("--seed", type=whole, default=0, help=f"same seed, same result {shown}")
    train.add_argument("--out", help="folder for weights and picture (default: runs/ and the data's name)")

    predict = commands.add_parser(
        "predict",
        help="predict the rows of a CSV file with a saved model",
        description="Write the predictions as CSV. Its column 'row' counts the rows from 1, without the header.",
    )
    predict.add_argument("model", help="the folder that train wrote, or its weights file")
    predict.add_argument("data", help="a CSV file with the columns the model was trained on, or a name as in train")
    predict.add_argument("--out", help="CSV file to write (default: standard output)")
    predict.add_argument("--backend", default=None)

    commands.add_parser("info", help="versions, backends and devices found")
    return root


def info() -> None:
    """Print versions, backends and devices."""
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
    """Run the command line. What goes wrong is one line on standard error and exit code 2."""
    options = parser().parse_args(arguments)
    try:
        if options.command == "info":
            info()
        elif options.command == "train":
            from .train.job import train

            train(options)
        else:
            from .train.predict import predict

            predict(options)
        sys.stdout.flush()  # what it can not take is known here, not when Python ends
    except KeyboardInterrupt:
        print("adjoint: stopped; nothing was written", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read the output, such as head, has seen enough
        drop_output()
        return 1
    except (ValueError, TypeError, LookupError, RuntimeError, ImportError, OSError, MemoryError) as error:
        text = str(error) or type(error).__name__
        for name, spoken in SPOKEN.items():
            text = text.replace(name, spoken)
        if isinstance(error, OSError) and error.strerror:
            text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        print(f"adjoint {options.command}: {text}", file=sys.stderr)
        drop_output()
        return 2
    return 0


def drop_output() -> None:
    """Let go of output that can not be written, which Python would try once more, and fail, when it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
