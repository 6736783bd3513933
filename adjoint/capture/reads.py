"""What a function reads by name, as its bytecode tells, and whose code and objects are followed."""

from __future__ import annotations

import functools
import sys
import sysconfig
from dis import get_instructions
from typing import Any, NamedTuple

#: Packages whose functions and objects do not change by themselves, beside the standard library.
LIBRARIES = frozenset(
    "numpy scipy cupy cupyx array_api_strict array_api_compat pandas sklearn matplotlib torch jax jaxlib tensorflow".split()
)
#: Modules of the standard library whose objects hold what a user puts there.
OPEN = ("argparse", "collections")

PACKAGE = __name__.partition(".")[0]
_STANDARD = sysconfig.get_path("stdlib")
HEAP, IMMUTABLE = 1 << 9, 1 << 8  # flags of a type: made by a class statement; closed to new attributes
MISSING: Any = object()


class Reads(NamedTuple):
    """The names in a function's bytecode, that of functions defined in it included."""

    globals: tuple[str, ...]
    cells: frozenset[str]
    chains: frozenset[tuple[str, ...]]  #: a global or free variable, and the attributes that are read one from another
    words: frozenset[str]  #: all names, those of attributes among them
    texts: frozenset[str]  #: all strings, which may be names or keys
    imports: frozenset[str]
    stores: frozenset[str]  #: globals and free variables that are assigned or deleted
    fetched: frozenset[str]  #: those strings that stand elsewhere than as the key of an entry that is assigned
    any_key: bool  #: whether an entry may be read by a key that is no constant


@functools.lru_cache(4096)
def reads_of(code: Any) -> Reads:
    names: dict[str, None] = {}
    cells: set[str] = set()
    chains: set[tuple[str, ...]] = set()
    imports: set[str] = set()
    stores: set[str] = set()
    words, texts = set(code.co_names), set()
    any_key, before = False, ""
    fetched: set[str] = set()
    text: str | None = None  # which was loaded just now
    chain: list[str] | None = None
    for step in get_instructions(code):
        if step.opname == "EXTENDED_ARG":
            continue
        if step.opname == "BINARY_SUBSCR" or (step.opname == "BINARY_OP" and step.argrepr == "[]"):
            any_key |= before not in ("LOAD_CONST", "LOAD_SMALL_INT", "BUILD_SLICE", "BUILD_TUPLE")
        any_key |= step.opname in ("DICT_MERGE", "DICT_UPDATE")
        if text is not None and step.opname != "STORE_SUBSCR":
            fetched.add(text)
        text = step.argval if step.opname == "LOAD_CONST" and isinstance(step.argval, str) else None
        if step.opname not in ("COPY", "DUP_TOP_TWO"):  # of an augmented assignment
            before = step.opname
        if chain is not None and step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            chain.append(step.argval)
            continue
        if chain is not None:
            chains.add(tuple(chain))
            chain = None
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            names[step.argval] = None
            chain = [step.argval]
        elif step.opname in ("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"):
            cells.add(step.argval)
            chain = [step.argval]
        elif step.opname == "IMPORT_NAME":
            imports.add(step.argval)
        elif step.opname in ("STORE_GLOBAL", "STORE_DEREF", "DELETE_GLOBAL", "DELETE_DEREF"):
            stores.add(step.argval)
    for constant in code.co_consts:
        if isinstance(constant, str):
            texts.add(constant)
        elif isinstance(constant, tuple):
            texts.update(part for part in constant if isinstance(part, str))
            fetched.update(texts.intersection(constant))
        elif hasattr(constant, "co_code"):
            inner = reads_of(constant)
            names |= dict.fromkeys(inner.globals)
            cells |= inner.cells
            chains |= inner.chains
            words |= inner.words
            texts |= inner.texts
            imports |= inner.imports
            stores |= inner.stores
            fetched |= inner.fetched
            any_key |= inner.any_key
    some = frozenset(words), frozenset(texts), frozenset(imports), frozenset(stores)
    return Reads(tuple(names), frozenset(cells), frozenset(chains), *some, frozenset(fetched), any_key)


def named(space: Any, name: str, missing: Any = None) -> Any:
    """What a name stands for in a module's globals, or in a closure's cell; ``missing`` where it stands for nothing."""
    if isinstance(space, dict):
        return space.get(name, missing)
    try:
        return space.cell_contents
    except ValueError:  # nothing was assigned yet
        return missing


@functools.lru_cache(4096)
def origin_of(top: str) -> str:
    """Where a package is from: "library" (this one, the standard library, :data:`LIBRARIES`), "installed", or "user"."""
    file = getattr(sys.modules.get(top), "__file__", None)
    if top == "builtins":  # what exec() defines without a __name__; what is built in is no Python class
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
    """Whether the objects of a class may change in ways that nothing here knows of."""
    module = kind.__module__
    return bool(kind.__flags__ & HEAP) and (not is_library(module) or module in OPEN)


def found(kind: type, name: str) -> tuple[type | None, Any]:
    """The class that an attribute of ``kind`` comes from, and what stands there."""
    for owner in kind.__mro__:
        if name in owner.__dict__:
            return owner, owner.__dict__[name]
    return None, MISSING
