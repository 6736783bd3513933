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
    "replay": {"backends"},  # the protocol, and what is asked of an index: the next test
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


def statements(path: Path) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Each import in the file, except for type checkers alone, and whether it stands inside a function."""
    pending: list[tuple[ast.AST, bool]] = [(ast.parse(path.read_text()), False)]
    while pending:
        node, inside = pending.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node, inside
        inside = inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        only_typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        pending += [(child, inside) for child in (node.orelse if only_typing else ast.iter_child_nodes(node))]  # type: ignore[attr-defined]


def named(path: Path, statement: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The full name of each module that the statement imports, and of each thing that it imports from one."""
    if isinstance(statement, ast.Import):
        yield from (name.name for name in statement.names)
        return
    package = module_name(path).split(".") if path.name == "__init__.py" else module_name(path).split(".")[:-1]
    base = package[: len(package) - statement.level + 1] if statement.level else []
    of = [*base, *(statement.module.split(".") if statement.module else [])]
    yield ".".join(of)
    yield from (".".join([*of, name.name]) for name in statement.names)


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """The full name of each module that the file imports, anywhere in it, and the line; not for type checkers alone."""
    for statement, _ in statements(path):
        yield from ((name, statement.lineno) for name in named(path, statement))


MODULES = {module_name(path): path for path in FILES}


def dependencies(path: Path) -> set[str]:
    """The modules of the package that the file imports. The package that a module lies in is not counted for it."""
    found = set()
    for statement, _ in statements(path):
        source, *parts = named(path, statement)
        submodules = {part for part in parts if part in MODULES}
        found |= submodules
        if source in MODULES and len(submodules) < max(len(parts), 1):  # something else than its submodules
            found.add(source)
    return found - {module_name(path)}


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected components of more than one module: modules each of which is reachable from each other one."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        seen, pending = set(), [start]
        while pending:
            for module in graph[pending.pop()] - seen:
                seen.add(module)
                pending.append(module)
        reached[start] = seen
    components = {frozenset({a, *(b for b in reached[a] if a in reached[b])}) for a in graph}
    return sorted(sorted(component) for component in components if len(component) > 1)


def test_no_modules_import_each_other() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]
    assert cycles({name: dependencies(path) for name, path in MODULES.items()}) == []


#: Modules of the standard library that are imported inside functions, since they are slow to import and most programs need none.
#: The package's own modules are lazy by ``adjoint.lazy`` alone.
SLOW = {
    "csv", "difflib", "gzip", "hashlib", "importlib.metadata", "inspect", "io", "json", "pickle", "queue", "random", "traceback",
    "zlib",
}  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_import_inside_a_function_is_of_a_slow_or_optional_module(path: Path) -> None:
    for statement, inside in statements(path):
        module = next(named(path, statement))
        if inside and module.split(".")[0] in {"adjoint", *sys.stdlib_module_names}:
            assert module in SLOW, f"{path}:{statement.lineno} imports {module} inside a function"


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


def test_the_compiler_knows_no_backend_and_only_emitters_know_the_compiler() -> None:
    for path in (ROOT / "replay").glob("*.py"):
        for module, line in imports(path):
            if layer(module) == "backends":
                assert module.split(".")[2] in ("base", "special"), f"{path}:{line} imports {module}"
    emitters = {
        ROOT / "backends" / name for name in ("numpy/emit.py", "numpy/lines.py", "numpy/tiles.py", "cupy/emit.py", "strict.py")
    }
    for path in (ROOT / "backends").rglob("*.py"):
        if path not in emitters:
            assert all(layer(module) != "replay" for module, _ in imports(path)), f"{path} imports the compiler"


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
