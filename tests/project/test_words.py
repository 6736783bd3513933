"""Names and phrases that this project does not use: each has a word of the field's in its place.

``python -m tests.project.test_words`` prints where they are.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: Identifiers, with what they are called instead.
NAMES = {
    **dict.fromkeys("found made held known told given asked kept wanted".split(), "the thing's own name"),
    **dict.fromkeys("Aside aside set_aside".split(), "NodeMetadata, metadata"),
    **dict.fromkeys("lane lanes halves in_two at_once".split(), "branches, run_parallel, split"),
    **dict.fromkeys("share drop fold check_first".split(), "eliminate_common_subexpressions, eliminate_dead_code, …"),
    "set_apart": "exempt", "told_apart": "MAX_RANGES", "steady": "what it is", "Feed": "DynamicScalars", "Flat": "ParameterBuffer",
    "settle": "what it does", "quiet": "suppress_warnings", "Tally": "Counts", "SPOKEN": "what it is", "Plain": "Loop",
    "ahead": "prologue", "late": "deferred", "outside": "external", "_straight": "fast path", "bring_up_to_date": "sync_views",
    "door": "wrapper", "lacking": "missing",
}  # fmt: skip
#: Words of the public interface: a rule's arguments, and functions of PyTorch's.
ALLOWED = {"wanted": "adjoint/autograd/", "kept": ("adjoint/autograd/", "adjoint/optim/"), "fold": "adjoint/nn/functional/"}

#: Phrases, as patterns, with what to write instead.
PHRASES = {
    r"\bas ever\b": "unchanged, as usual",
    r"\bbut for\b": "except",
    r"\bwhole numbers?\b": "integer",
    r"\b(is|are|be|was) told\b": "name the thing",
    r"\bgoe?s? on\b": "resume, continue",
    r"\banew\b": "again, or say what is new",
    r"\bmend(s|ed)?\b": "fix",
    r"\blet(s|ting)? go of\b": "release, free",
    r"\b(is|are) looked\b(?! up)": "is checked",
    r"\bnot to be had\b": "not available",
    r"\bat hand\b": "available",
    r"\bby turns\b": "alternating, interleaved",
    r"\bcan not\b": "cannot",
    r"\bto the bit\b": "bit for bit",
    r"\bwithout a rest\b": "exactly",
    r"\bpair(s|ed)? each with each\b": "broadcast",
    r"\bsooner made again\b": "cheaper to recompute",
}
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile", "docs", "benchmarks", "notebooks", "adjoint"]


def identifiers(path: Path) -> Iterator[tuple[str, int]]:
    """Each name that the file binds: variables, attributes, parameters, functions and classes."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name, node.lineno


def places() -> Iterator[tuple[str, str]]:
    """Each banned name or phrase, and where it is."""
    for path in sorted((ROOT / "adjoint").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for identifier, line in identifiers(path):
            if identifier in NAMES and not name.startswith(ALLOWED.get(identifier, "none")):
                yield identifier, f"{name}:{line}"
    for page in PAGES:
        whole = ROOT / page
        for path in [whole] if whole.is_file() else sorted(p for p in whole.rglob("*") if p.suffix in (".py", ".md", ".ipynb")):
            text = path.read_text(encoding="utf-8")
            for phrase in PHRASES:
                for match in re.finditer(phrase.replace(" ", r"\s+(?:#\s+)?"), text):
                    yield phrase, f"{path.relative_to(ROOT).as_posix()}:{text.count(chr(10), 0, match.start()) + 1}"


def listed() -> list[str]:
    return [f"{place}: {word!r}; write {(NAMES | PHRASES)[word]}" for word, place in places()]


def test_names_and_phrases_are_the_fields() -> None:
    assert not (lines := listed()), "\n".join(lines)


if __name__ == "__main__":
    print(*listed(), sep="\n")
