"""The names that a function's bytecode reads, and which modules' functions and objects a recording follows."""

from __future__ import annotations

import functools
import sys
import sysconfig
from dis import get_instructions
from typing import Any

#: Packages whose functions and objects do not change by themselves; the standard library's do not either.
LIBRARIES = frozenset(
    "numpy scipy cupy cupyx array_api_strict array_api_compat pandas sklearn matplotlib torch jax jaxlib tensorflow".split()
)
#: Modules of the standard library whose objects hold users' values.
OPEN = ("argparse", "collections")

PACKAGE = __name__.partition(".")[0]
_STANDARD = sysconfig.get_path("stdlib")
HEAP, IMMUTABLE = 1 << 9, 1 << 8  # flags of a type: made by a class statement; closed to new attributes
MISSING: Any = object()


class Reads:
    """The names in a function's bytecode, including that of functions defined in it."""

    def __init__(self) -> None:
        self.globals: dict[str, None] = {}
        self.cells: set[str] = set()
        self.chains: set[tuple[str, ...]] = set()  #: ``a.b.c``: a global or free variable, then attributes, each of the one before
        self.words: set[str] = set()  #: all names, including those of attributes
        self.strings: set[str] = set()  #: all string constants, which may be names or keys
        self.imports: set[str] = set()
        self.stores: set[str] = set()  #: globals and free variables that are assigned or deleted
        self.loaded: set[str] = set()  #: strings, without those that are only keys of entries that are assigned
        self.any_key = False  #: whether an entry may be read by a key that is not constant

    def add(self, inner: Reads) -> None:
        """Add those of a function defined in this one."""
        for name, value in vars(inner).items():
            if name != "any_key":
                getattr(self, name).update(value)
        self.any_key |= inner.any_key


@functools.lru_cache(4096)
def reads_of(code: Any) -> Reads:
    """The names in a code object."""
    reads = Reads()
    reads.words.update(code.co_names)
    previous = ""
    string: str | None = None  # loaded by the step before
    chain: list[str] | None = None
    for step in get_instructions(code):
        if step.opname == "EXTENDED_ARG":
            continue
        if step.opname == "BINARY_SUBSCR" or (step.opname == "BINARY_OP" and step.argrepr == "[]"):
            reads.any_key |= previous not in ("LOAD_CONST", "LOAD_SMALL_INT", "BUILD_SLICE", "BUILD_TUPLE")
        reads.any_key |= step.opname in ("DICT_MERGE", "DICT_UPDATE")
        if string is not None and step.opname != "STORE_SUBSCR":
            reads.loaded.add(string)
        string = step.argval if step.opname == "LOAD_CONST" and isinstance(step.argval, str) else None
        if step.opname not in ("COPY", "DUP_TOP_TWO"):  # of an augmented assignment
            previous = step.opname
        if chain is not None and step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            chain.append(step.argval)
            continue
        if chain is not None:
            reads.chains.add(tuple(chain))
            chain = None
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            reads.globals[step.argval] = None
            chain = [step.argval]
        elif step.opname in ("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"):
            reads.cells.add(step.argval)
            chain = [step.argval]
        elif step.opname == "IMPORT_NAME":
            reads.imports.add(step.argval)
        elif step.opname in ("STORE_GLOBAL", "STORE_DEREF", "DELETE_GLOBAL", "DELETE_DEREF"):
            reads.stores.add(step.argval)
    for constant in code.co_consts:
        if isinstance(constant, str):
            reads.strings.add(constant)
        elif isinstance(constant, tuple):
            reads.strings.update(part for part in constant if isinstance(part, str))
            reads.loaded.update(reads.strings.intersection(constant))
        elif hasattr(constant, "co_code"):
            reads.add(reads_of(constant))
    return reads


def value_of_name(space: Any, name: str, missing: Any = None) -> Any:
    """The value of a name in a module's globals, or in a closure's cell; ``missing`` where it has none."""
    if isinstance(space, dict):
        return space.get(name, missing)
    try:
        return space.cell_contents
    except ValueError:  # an empty cell
        return missing


@functools.lru_cache(4096)
def origin_of(top: str) -> str:
    """A package's origin: "library" (this one, the standard library, :data:`LIBRARIES`), "installed", or "user"."""
    file = getattr(sys.modules.get(top), "__file__", None)
    if top == "builtins":  # of code that exec() ran without a __name__, since a built-in class is not a Python class
        return "user"
    if top == PACKAGE or top in LIBRARIES or (file is None and top in sys.builtin_module_names):
        return "library"
    if file is None:
        return "user"
    if "site-packages" in file or "dist-packages" in file:
        return "installed"
    return "library" if file.startswith(_STANDARD) else "user"


def top_of(module: Any) -> str:
    return str(module).partition(".")[0]


def is_library(module: Any) -> bool:
    """Whether a module, by its name, is this package's, the standard library's or of :data:`LIBRARIES`."""
    return origin_of(top_of(module)) == "library"


def is_open(kind: type) -> bool:
    """Whether the objects of a class may change at any time: a user's."""
    module = kind.__module__
    return bool(kind.__flags__ & HEAP) and (not is_library(module) or module in OPEN)


def lookup(kind: type, name: str) -> tuple[type | None, Any]:
    """The class in the MRO of ``kind`` that has the attribute, and its value there; (None, MISSING) if none has."""
    for owner in kind.__mro__:
        if name in owner.__dict__:
            return owner, owner.__dict__[name]
    return None, MISSING
