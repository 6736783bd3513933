"""The command ``adjoint``: train a model on a data set or a CSV file, predict with it, and say what is installed."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from . import __version__, backends
from .errors import BackendError

OPTIONAL = ("cupy", "safetensors", "scikit-learn", "pooch", "matplotlib", "rich", "hypothesis")


def widths(text: str) -> list[int]:
    """``"50,50"`` as numbers; an empty text as none, for a linear model."""
    try:
        numbers = [int(part) for part in text.split(",")] if text else []
    except ValueError:
        numbers = [0]
    if any(n < 1 for n in numbers):
        raise argparse.ArgumentTypeError(f"layer widths are whole numbers from 1, separated by commas, not {text!r}")
    return numbers


def positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1, not {text!r}")
    return int(text)


def seed(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"a whole number from 0, not {text!r}")
    return int(text)


def rate(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"a number above 0, not {text!r}")
    return number


def penalty(text: str) -> float:
    return 0.0 if text in ("0", "0.0") else rate(text)


def share(text: str) -> float:
    number = rate(text)
    if number >= 1.0:
        raise argparse.ArgumentTypeError(f"a number between 0 and 1, not {text!r}")
    return number


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    root = argparse.ArgumentParser(prog="adjoint", description="Train models on tables, with gradients by adjoint.")
    root.add_argument("--version", action="version", version=f"adjoint {__version__}")
    commands = root.add_subparsers(dest="command", required=True, metavar="command")

    train = commands.add_parser("train", help="train a multilayer perceptron and save it")
    train.add_argument("data", help="iris, digits, a named data set, or a CSV file with a header")
    train.add_argument("--target", help="the column to predict (needed for a CSV file)")
    train.add_argument("--task", choices=("classification", "regression"), help="default: by the target's type")
    train.add_argument("--hidden", type=widths, default=[50, 50, 50], metavar="N,N,…", help="widths of the hidden layers")
    train.add_argument("--activation", default="relu", choices=("relu", "tanh", "sigmoid", "gelu", "silu", "elu"))
    train.add_argument("--optimizer", default="adam", help="sgd, adam, adamw, adamax, rmsprop or adagrad")
    train.add_argument(
        "--lr", type=rate, default=0.01, help="learning rate at the start; it falls to 0 along a cosine (default: 0.01)"
    )
    train.add_argument("--penalty", type=penalty, default=5.0, help="weight decay times the number of rows (default: 5)")
    train.add_argument("--epochs", type=positive, default=60)
    train.add_argument("--batch-size", type=positive, default=30)
    train.add_argument("--held-out", type=share, default=0.2, help="share of the rows that is kept for testing")
    train.add_argument("--backend", default=None, help="numpy, cupy, cuda:0, … (default: ADJOINT_BACKEND, else numpy)")
    train.add_argument("--seed", type=seed, default=0, help="same seed, same result")
    train.add_argument("--out", help="folder for weights and picture (default: runs/ and the data's name)")

    predict = commands.add_parser("predict", help="predict the rows of a CSV file with a saved model")
    predict.add_argument("model", help="the folder that train wrote, or its weights file")
    predict.add_argument("data", help="a CSV file with the columns the model was trained on")
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
            from .train.job import predict

            predict(options)
    except KeyboardInterrupt:
        print("adjoint: stopped; nothing was written", file=sys.stderr)
        return 2
    except (ValueError, TypeError, LookupError, RuntimeError, ImportError, OSError) as error:
        text = str(error) if not isinstance(error, OSError) or error.strerror is None else f"{error.filename}: {error.strerror}"
        print(f"adjoint {options.command}: {text}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
