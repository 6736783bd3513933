"""Run the whole suite on CuPy, then the benchmark's GPU rows: ``make gpu-check``.

It writes ``gpu-check.txt`` for the suite, ``bench-cupy.json`` and a chart for the benchmark to ``benchmarks/results/``. Without
CuPy or a GPU, it prints which is missing and exits with status 2.
"""

from __future__ import annotations

import datetime
import importlib.util
import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy  # noqa: E402

from adjoint import __version__, backends  # noqa: E402
from adjoint.errors import BackendError  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "gpu-check.txt"
SUITES = ["tests/autograd", "tests/backends", "tests/capture", "tests/nn", "tests/optim", "tests/data", "tests/train"]


def command(backend: str) -> list[str]:
    """The command that runs the suites on one backend, in several processes if pytest-xdist is installed."""
    # a warning of pytest-benchmark, if installed, would fail the run
    several = ["-n", str(min(16, os.cpu_count() or 1))] if importlib.util.find_spec("xdist") else []
    return [sys.executable, "-m", "pytest", "--backend", backend, "-o", "addopts=", "-q", "-p", "no:benchmark", *several, *SUITES]


def suite() -> int:
    """Run the suites and write their result; return pytest's exit status."""
    import cupy

    name = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()
    head = [
        f"adjoint {__version__} on {backends.get('cupy').device}: {name}",
        f"{datetime.date.today()}, Python {platform.python_version()}, NumPy {numpy.__version__}, CuPy {cupy.__version__}, "
        f"CUDA runtime {cupy.cuda.runtime.runtimeGetVersion()}",
    ]
    run = subprocess.run(command("cupy"), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = run.stdout.splitlines()
    print("\n".join([*head, *lines]))
    if run.returncode not in (0, 1):  # interrupted, or pytest could not run
        print("gpu-check: incomplete run; the last result file is unchanged", file=sys.stderr)
        return run.returncode
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text("\n".join([*head, *failed, *lines[-1:]]) + "\n", encoding="utf-8")
    return run.returncode


def main() -> int:
    try:
        backends.get("cupy")
    except BackendError as error:
        print(f"gpu-check: not run. {error}", file=sys.stderr)
        return 2
    tested = suite()
    if tested not in (0, 1):
        return tested
    measured = subprocess.run([sys.executable, ROOT / "benchmarks" / "bench.py", "--backend", "cupy"], cwd=ROOT)
    return tested or measured.returncode


if __name__ == "__main__":
    sys.exit(main())
