"""Import time, installed size, and peak memory in training.

``python benchmarks/processes.py ROW CONTENDER`` is the process whose memory is measured; it prints mebibytes.
"""

from __future__ import annotations

import gc
import importlib.util
import marshal
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path

from measure import Contender, LeftOut

ROOT = Path(__file__).resolve().parent.parent
MIB = 2**20
STEPS = 4


def imports(module: str) -> Contender:
    """A process that imports the module and exits; the first one compiles the modules, as an installation does."""
    if importlib.util.find_spec(module) is None:
        raise LeftOut(f"{module} is not installed")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    return Contender(partial(subprocess.run, [sys.executable, "-c", f"import {module}"], check=True, env=environment))


def distributions(name: str) -> set[str]:
    """The distribution and its installed requirements, without extras."""
    from packaging.requirements import Requirement

    found: set[str] = set()
    waiting = [name]
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in found:
            continue
        found.add(name)
        for text in metadata.requires(name) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


def files_of(name: str) -> int:
    """Bytes of the files in a distribution's record, including compiled ones."""
    paths = {Path(str(file.locate())) for file in metadata.files(name) or []}
    return sum(path.stat().st_size for path in paths if path.is_file())


def own_files() -> int:
    """Bytes of this package's files and their bytecode, which the record of an editable installation does not list."""
    import adjoint

    paths = [path for path in Path(adjoint.__file__).parent.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    compiled = [marshal.dumps(compile(path.read_bytes(), str(path), "exec")) for path in paths if path.suffix == ".py"]
    return sum(path.stat().st_size for path in paths) + sum(16 + len(code) for code in compiled)


def installed(name: str) -> Contender:
    """Mebibytes that ``pip install name`` adds to an empty environment: the installed size of it and its requirements.

    PyTorch without CUDA is far smaller than with it; the version shows which one is measured.
    """
    try:
        names = distributions(name) - {"adjoint"}
    except metadata.PackageNotFoundError as error:
        raise LeftOut(str(error)) from error
    size = (sum(map(files_of, names)) + (own_files() if name == "adjoint" else 0)) / MIB
    return Contender(lambda: size)


def peak(row: str, contender: str) -> Contender:
    """Mebibytes by which training raises a process's peak resident memory, measured in a new process each time.

    The process imports the libraries, creates the data and trains a tiny model of the same kind for a few steps, so that lazily
    loaded code does not count. It then resets the kernel's high-water mark (``/proc/self/clear_refs``), reads the resident size,
    builds and trains the model for four steps, and reads the mark. Parameters, gradients, optimizer state, activations and
    workspaces count; imports and the data set do not.
    """
    if not Path("/proc/self/clear_refs").exists():
        raise LeftOut("needs Linux's /proc for the kernel's high-water mark")
    command = [sys.executable, __file__, row, contender]

    def measure() -> float:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise LeftOut((done.stderr.strip().splitlines() or ["failed"])[-1])
        return float(done.stdout)

    first = [measure()]  # raises LeftOut if there is no such contender
    return Contender(lambda: first.pop() if first else measure())


def status(field: str) -> int:
    """Bytes, from ``/proc/self/status``: ``VmRSS``, ``VmHWM``."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


def train(build: Callable[..., Contender], task: object) -> None:
    contender = build(task)
    for _ in range(STEPS):
        contender.step()


def main(row: str, contender: str) -> None:
    from dataclasses import replace

    from rows import TASKS, TRAINING

    task = next(task for name, _, task in TASKS if name == row)
    arrays = task.data()
    task = replace(task, data=lambda: arrays)
    train(TRAINING[contender], task.shrunk())
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    train(TRAINING[contender], task)
    print((status("VmHWM") - before) / MIB)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(*sys.argv[1:])
