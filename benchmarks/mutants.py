"""Mutation testing of a seeded sample: which small changes to the source does no test notice?

``make mutants ARGS="adjoint/optim adjoint/capture/guards.py --sample 40 --seed 1"`` draws that many of Cosmic Ray's mutants from
each file or folder, runs for each the tests that concern it, prints the survivors as diffs, and resumes an earlier run of the same
sources. The mutants are made in a copy of the tree.

Excluded, since no test should notice them: annotations; expressions in ``raise``, ``assert``, ``warnings.warn`` and ``add_note``
(texts of errors); ``__repr__`` and ``__str__``; numbers that are module-level constants in capitals (thresholds of speed), and
unions (aliases of types); decorators that cache, wrap or inform a type checker; ``==`` in place of ``is`` and the reverse. Mutants
that a person has judged to be equivalent are in ``equivalent_mutants.json``, with the reason, and not counted either.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.operators.provider import OperatorProvider

OPERATORS = OperatorProvider()
ROOT = Path(__file__).parent.parent
RESULTS = ROOT / ".mutants.jsonl"
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.json")

_AUTOGRAD = [*(f"tests/autograd/test_{name}.py" for name in (
    "retain_grad", "gradients", "graph", "inplace", "tensor", "declaring_primitives", "no_lost_graphs", "random_programs",
    "function", "checkpoint", "dtypes", "precision", "transforms", "array_api_extensions", "interop", "primitives",
)), "tests/testing"]  # fmt: skip
_REPLAY = ["tests/replay", *[f"tests/capture/test_{name}.py" for name in (
    "program", "random_programs", "constants", "branches", "picks", "layers", "optimizers",
)], "tests/autograd/test_replays.py"]  # fmt: skip
#: The tests that concern a file: those of the longest entry that its path begins with, in the order in which they run.
TESTS = {
    "adjoint/autograd": _AUTOGRAD,
    "adjoint/autograd/versions.py": ["tests/autograd/test_inplace.py", "tests/optim/test_stale_graphs.py", *_AUTOGRAD],
    "adjoint/autograd/checkpoint.py": ["tests/autograd/test_checkpoint.py"],
    "adjoint/autograd/function.py": ["tests/autograd/test_function.py"],
    "adjoint/autograd/gradients.py": [*_AUTOGRAD[:4], *_AUTOGRAD[6:9], "tests/optim/test_optimizer.py"],
    "adjoint/autograd/transforms.py": ["tests/autograd/test_transforms.py"],
    "adjoint/backends/cupy": ["tests/backends/test_cuda_indices.py", "tests/backends/test_cupy_replay.py"],
    "adjoint/backends/numpy": [
        *_REPLAY,
        "tests/backends/test_numpy_threads.py",
        "tests/backends/test_conformance.py",
        "tests/autograd/test_primitives.py",
    ],
    "adjoint/capture": ["tests/capture"],
    "adjoint/optim": ["tests/optim", "tests/project/test_numbers.py", "tests/capture/test_optimizers.py"],
    "adjoint/replay": [*_REPLAY, "tests/backends/test_cupy_replay.py"],
    "adjoint/train": ["tests/train"],
    "adjoint/train/callbacks": ["tests/train/test_callback_rules.py", "tests/train/test_callbacks.py", "tests/train/test_fit.py"],
}
SKIPPED_FUNCTIONS = ("__repr__", "__str__")
SKIPPED_CALLS = ("warn", "add_note", "cast")
SKIPPED_DECORATORS = ("cache", "lru_cache", "wraps", "overload", "abstractmethod", "runtime_checkable", "final")
SKIPPED_OPERATORS = ("_Is_Eq", "_Eq_Is", "_IsNot_NotEq", "_NotEq_IsNot")


class Mutant(NamedTuple):
    """A changed file.

    Attributes:
        path: of the file, from the root of the tree.
        operator: Cosmic Ray's name of the change.
        source, changed: the whole text before and after.
    """

    path: str
    operator: str
    source: str
    changed: str

    @property
    def key(self) -> str:
        return hashlib.sha256("\0".join([self.path, self.source, self.changed]).encode()).hexdigest()[:16]

    def lines(self) -> tuple[str, str]:
        """The changed lines, before and after, without indentation."""
        diff = list(difflib.ndiff(self.source.splitlines(), self.changed.splitlines()))
        return tuple(" ".join(line[2:].strip() for line in diff if line.startswith(sign)) for sign in "-+")  # type: ignore[return-value]

    def diff(self) -> str:
        before, after = self.source.splitlines(), self.changed.splitlines()
        return "\n".join(difflib.unified_diff(before, after, self.path, self.operator, "", "", 2, ""))


class Place(NamedTuple):
    """Where a file can be changed, and how: (operator, number of the node, number of the change there) of each change."""

    path: str
    changes: list[tuple[str, int, int]]


def places_of(root: Path, path: str) -> list[Place]:
    """The places of a file where a change can matter."""
    source = (root / path).read_text(encoding="utf-8")
    excluded = list(_excluded(ast.parse(source)))
    nodes = list(ast_nodes(get_ast(source)))
    places: dict[Any, list[tuple[str, int, int]]] = {}
    for name in OPERATORS:
        if name.startswith("Variable") or name.endswith(SKIPPED_OPERATORS):
            continue
        operator = OPERATORS[name]()
        for k, node in enumerate(nodes):
            for index, (start, stop) in enumerate(operator.mutation_positions(node)):
                if not any(first <= start and stop <= last for first, last in excluded):
                    places.setdefault((start, stop), []).append((name, k, index))
    return [Place(path, changes) for changes in places.values()]


def mutant_of(root: Path, path: str, name: str, number: int, index: int) -> Mutant | None:
    """One mutant; None where it is no other program."""
    source = (root / path).read_text(encoding="utf-8")
    tree = get_ast(source)
    node = list(ast_nodes(tree))[number]
    parent, changed = node.parent, OPERATORS[name]().mutate(node, index)
    if changed is not node:
        at = parent.children.index(node)
        parent.children[at : at + 1] = [] if changed is None else [changed]
    text = tree.get_code()
    try:
        same = ast.dump(ast.parse(text)) == ast.dump(ast.parse(source))
    except SyntaxError:
        return None
    return None if same else Mutant(path, name, source, text)


def _excluded(tree: ast.Module) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Where no test should notice a change: from a line and column to another."""
    nodes: list[ast.AST | None] = []
    for statement in tree.body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
            names = [t.id for t in getattr(statement, "targets", [getattr(statement, "target", None)]) if isinstance(t, ast.Name)]
            number = all(isinstance(n, (ast.Constant, ast.BinOp, ast.UnaryOp, ast.Tuple, ast.operator, ast.unaryop, ast.Load))
                         and not isinstance(getattr(n, "value", None), str) for n in ast.walk(statement.value))  # fmt: skip
            union = isinstance(statement.value, ast.BinOp) and isinstance(statement.value.op, ast.BitOr)
            if union or (number and all(name.strip("_").isupper() for name in names)) or "__all__" in names:
                nodes.append(statement)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            nodes += [node.returns, *(arg.annotation for arg in ast.walk(node.args) if isinstance(arg, ast.arg))]
            nodes += [d for d in node.decorator_list if ast.unparse(d).partition("(")[0].rpartition(".")[2] in SKIPPED_DECORATORS]
            nodes += [node] if node.name in SKIPPED_FUNCTIONS else []
        elif isinstance(node, ast.AnnAssign):
            nodes.append(node.annotation)
        elif isinstance(node, ast.Raise):
            nodes += [node.exc, node.cause]
        elif isinstance(node, ast.Assert) or _called(node) in SKIPPED_CALLS or _is_for_types(node):
            nodes.append(node)
    for node in nodes:
        if node is not None:
            at = (node.lineno, node.col_offset - isinstance(node, ast.expr))  # a decorator's own position is that of its @
            yield at, (node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined,misc]


def _called(node: ast.AST) -> str | None:
    """The last name of what is called."""
    return ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else None


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def tests_of(path: str) -> list[str]:
    """The tests that concern a file."""
    entry = max((prefix for prefix in TESTS if path.startswith(prefix)), key=len, default=None)
    if entry is None:
        raise SystemExit(f"no tests are listed for {path}; add an entry to TESTS in {Path(__file__).name}")
    if missing := [test for test in TESTS[entry] if not (ROOT / test).exists()]:
        raise SystemExit(f"{', '.join(missing)}: no such tests; correct TESTS in {Path(__file__).name}")
    return TESTS[entry]


class Runner:
    """A copy of the tree, in which the tests of one mutant at a time run."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        keep = shutil.ignore_patterns(".*", "__pycache__", "results", "notebooks")
        shutil.copytree(ROOT, folder, ignore=keep)

    def passes(self, tests: list[str], timeout: float | None, bytecode: bool = False) -> bool | None:
        """Whether all tests pass; None where they take longer than ``timeout`` seconds."""
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", "--tb=no", *tests]
        environment = os.environ | {"PYTHONPATH": str(self.root), "CI": "1", "ADJOINT_NUM_THREADS": "2"}
        environment |= {} if bytecode else {"PYTHONDONTWRITEBYTECODE": "1"}
        process = subprocess.Popen(command, cwd=self.root, env=environment, start_new_session=True,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        try:
            return process.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def outcome(self, mutant: Mutant, tests: list[str], timeout: float) -> str:
        file = self.root / mutant.path
        for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
            compiled.unlink()
        file.write_text(mutant.changed, encoding="utf-8")
        try:
            return {True: "survived", False: "killed", None: "timeout"}[self.passes(tests, timeout)]
        finally:
            file.write_text(mutant.source, encoding="utf-8")


def sampled(root: Path, target: str, count: int, seed: int) -> list[Mutant]:
    """That many mutants of a file or folder: places at random, and one of each place's mutants."""
    where = root / target
    paths = sorted(where.rglob("*.py")) if where.is_dir() else [where]
    places = [place for path in paths for place in places_of(root, str(path.relative_to(root)))]
    draw = random.Random(f"{target} {seed}")
    draw.shuffle(places)
    mutants = (mutant_of(root, place.path, *draw.choice(place.changes)) for place in places)
    return list(islice(filter(None, mutants), count))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", default=list(TESTS), help="files or folders; all that TESTS has where none is given")
    parser.add_argument("--sample", type=int, default=20, help="mutants of each target (20)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (0)")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at a time (1)")
    args = parser.parse_args()
    judged = {(e["path"], e["before"], e["after"]): e["reason"] for e in json.loads(EQUIVALENT.read_text())}
    done = {}
    if RESULTS.exists():
        done = {e["key"]: e["outcome"] for e in map(json.loads, RESULTS.read_text().splitlines())}
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(args.jobs) as pool:
        runners: SimpleQueue[Runner] = SimpleQueue()
        for k in range(args.jobs):
            runners.put(Runner(Path(folder, str(k))))
        whole = Path(folder, "sources")  # as they are now, whatever is edited meanwhile
        shutil.copytree(ROOT / "adjoint", whole / "adjoint")
        limits: dict[str, float] = {}
        total: Counter[str] = Counter()
        for target in args.targets:
            mutants = sampled(whole, target, args.sample, args.seed)

            def run(mutant: Mutant) -> str:
                if (mutant.path, *mutant.lines()) in judged:
                    return "equivalent"
                if mutant.key in done:
                    return done[mutant.key]
                tests = tests_of(mutant.path)
                runner = runners.get()
                try:
                    if str(tests) not in limits:
                        start = time.monotonic()
                        if not runner.passes(tests, None, bytecode=True):
                            raise SystemExit(f"the tests of {mutant.path} fail without any change")
                        limits[str(tests)] = 20 + 3 * (time.monotonic() - start)
                    found = runner.outcome(mutant, tests, limits[str(tests)])
                finally:
                    runners.put(runner)
                with RESULTS.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"key": mutant.key, "outcome": found, "path": mutant.path}) + "\n")
                return found

            counts: Counter[str] = Counter()
            for mutant, found in zip(mutants, pool.map(run, mutants), strict=True):
                counts[found] += 1
                if found == "survived":
                    print(f"\n{mutant.diff()}", flush=True)
            total += counts
            print(f"\n{target}: {_summary(counts)}", flush=True)
        if len(args.targets) > 1:
            print(f"\nall: {_summary(total)}")


def _summary(counts: Counter[str]) -> str:
    killed, survived = counts["killed"] + counts["timeout"], counts["survived"]
    share = killed / max(1, killed + survived)
    late, same = counts["timeout"], counts["equivalent"]
    return f"{share:.0%}: {killed} killed, {late} of them by the time limit, {survived} survived, {same} equivalent"


if __name__ == "__main__":
    main()
