"""The import directions of the design, read from the source: each layer knows only those below it, and arrays stay in backends."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import adjoint

ROOT = Path(adjoint.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py"))

#: What each package may import of the others. Every package may import ``SHARED``.
SHARED = ("codegen", "errors", "lazy")
BELOW = {
    "codegen": set(),
    "errors": set(),
    "lazy": set(),
    "backends": {"replay"},  # the files that compile a program, which are imported when one is compiled
    "replay": {"backends"},  # what a backend is
    "autograd": {"backends"},
    "files": {"backends", "autograd", "nn"},
    "nn": {"backends", "autograd", "files", "capture"},
    "optim": {"backends", "autograd", "nn", "capture"},  # gradient clipping, which PyTorch has in nn.utils
    "testing": {"backends", "autograd", "replay"},
    "capture": {"backends", "autograd", "replay"},
    "data": {"backends", "autograd", "nn", "optim"},
    "train": {"backends", "autograd", "capture", "nn", "optim", "data", "files"},
    "sklearn": {"backends", "autograd", "nn", "train"},
    "cli": {"backends", "autograd", "capture", "nn", "optim", "data", "train", "files"},
}


def module_name(path: Path) -> str:
    parts = ("adjoint", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """The full name of each module that the file imports, anywhere in it, but for type checking alone."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = [ast.Pass()]
    package = module_name(path).split(".") if path.name == "__init__.py" else module_name(path).split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            of = [*base, *(node.module.split(".") if node.module else [])]
            yield ".".join(of), node.lineno
            yield from ((".".join([*of, name.name]), node.lineno) for name in node.names)


def layer(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "adjoint" and parts[1] in BELOW else None


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_from_the_layers_below_its_own(path: Path) -> None:
    own = layer(module_name(path))
    if own is None:
        assert path == ROOT / "__init__.py" or path.name == "__main__.py", f"{path} is in no layer of the design"
        return
    for module, line in imports(path):
        other = layer(module)
        if other is not None and other not in (*SHARED, own):
            assert other in BELOW[own], f"{path}:{line} imports {module}: {own} may know {sorted(BELOW[own])}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_backends_import_an_array_library(path: Path) -> None:
    if layer(module_name(path)) == "backends":
        return
    for module, line in imports(path):
        assert module.split(".")[0] not in {"numpy", "cupy", "cupyx", "scipy", "torch"}, f"{path}:{line} imports {module}"


def test_importing_the_package_brings_in_nothing_foreign_but_numpy() -> None:
    code = "import sys; before = {*sys.modules}; import adjoint; print(*{m.split('.')[0] for m in {*sys.modules} - before})"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in [str(ROOT.parent), *sys.path] if p)},
    )  # fmt: skip
    foreign = {name for name in done.stdout.split() if name not in sys.stdlib_module_names and not name.startswith("_")}
    assert foreign == {"adjoint", "numpy"}


def test_importing_the_package_brings_in_few_modules_and_none_of_the_slow_ones() -> None:
    code = "import numpy, sys; before = set(sys.modules); import adjoint; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    new = set(done.stdout.split())
    assert not {"dataclasses", "inspect", "importlib.metadata", "json", "csv", "unittest"} & new
    assert len(new) < 68, "import adjoint has a limit on its time, and each module takes some of it"


def test_numpy_is_not_imported_from_within_the_engine_which_is_so_deep_that_it_takes_longer() -> None:
    code = """if True:
        import sys
        seen = []
        sys.addaudithook(lambda event, about: seen.append({*sys.modules}) if event == "import" and about[0] == "numpy" else None)
        import adjoint
        print(*seen[0])"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    there = set(done.stdout.split())
    assert "adjoint.backends.numpy" in there
    assert "adjoint.autograd" not in there


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_opens_with_a_sentence_on_its_subject(path: Path) -> None:
    source = path.read_text()
    if source.strip():
        docstring = ast.get_docstring(ast.parse(source))
        assert docstring, f"{path} has no docstring"
        assert docstring.split("\n\n")[0].rstrip().endswith((".", ":")), f"{path}: the docstring's first paragraph is a sentence"
