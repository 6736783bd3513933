"""The command ``adjoint``, outside the package: Ctrl-C while that is still being imported ends in one line too."""

import sys


def main() -> int:
    """Import the command line and run it."""
    try:
        from adjoint.cli import main as run

        return run()
    except KeyboardInterrupt:
        print("adjoint: stopped; nothing was written", file=sys.stderr)
        return 2
