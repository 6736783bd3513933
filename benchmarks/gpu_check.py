"""The whole suite on CuPy, then the benchmark's GPU rows, where there is a GPU; the results are kept in ``benchmarks/results/``.

The suite's is ``gpu-check.txt``, the benchmark's ``bench-cupy.json`` and its chart.
``make gpu-check`` runs it. Where CuPy or a GPU is missing it says so in a line and exits with 2: nothing was checked.
"""

from __future__ import annotations

import datetime
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from adjoint import __version__, backends  # noqa: E402
from adjoint.errors import BackendError  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "gpu-check.txt"
SUITES = ["tests/autograd", "tests/backends", "tests/capture", "tests/nn", "tests/optim", "tests/data"]


def command(backend: str) -> list[str]:
    """The suites, run on that backend alone."""
    return [sys.executable, "-m", "pytest", "--backend", backend, "-o", "addopts=", "-q", *SUITES]


def main() -> int:
    try:
        backend = backends.get("cupy")
    except BackendError as error:
        print(f"gpu-check: not run. {error}", file=sys.stderr)
        return 2
    import cupy

    name = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()
    head = [
        f"adjoint {__version__} on {backend.device}: {name}",
        f"{datetime.date.today()}, Python {platform.python_version()}, CuPy {cupy.__version__}, "
        f"CUDA runtime {cupy.cuda.runtime.runtimeGetVersion()}",
    ]
    run = subprocess.run(command("cupy"), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = run.stdout.splitlines()
    print("\n".join([*head, *lines]))
    if run.returncode not in (0, 1):  # interrupted, or pytest could not run: no test has said anything
        print("gpu-check: not run to its end; the last result is kept", file=sys.stderr)
        return run.returncode
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text("\n".join([*head, *failed, *lines[-1:]]) + "\n", encoding="utf-8")
    measured = subprocess.run([sys.executable, ROOT / "benchmarks" / "bench.py", "--backend", "cupy"], cwd=ROOT)
    with RESULT.open("a", encoding="utf-8") as result:
        result.write(f"benchmarks: {'bench-cupy.json' if measured.returncode == 0 else f'failed with {measured.returncode}'}\n")
    return run.returncode or measured.returncode


if __name__ == "__main__":
    sys.exit(main())
