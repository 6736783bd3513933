"""``Follower``: finds everything of Python that a recorded call may read, and notes it.

The roots are the names that the function's bytecode reads (globals, closure variables, defaults), a bound method's ``self``, a
partial's parts and the arguments. From there on

* an object of a Python class is followed as it is read, attribute by attribute (``attributes``);
* a container is noted as a whole when it is reached: its entries by identity, numbers and strings by value. An iterator or a large
  array, which a replay could not compare, is refused if the bytecode may read it there: by a key that it names, for example;
* a function is noted by its code and defaults, and the names in its bytecode are followed too;
* of a module or a class, those attributes are noted whose names are in the bytecode of a function that was reached; methods of a
  class only if one was read of an object, or if that bytecode may read them of the class itself.

Objects of libraries (NumPy, the standard library) are compared by identity alone.
"""

from __future__ import annotations

import functools
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from types import BuiltinFunctionType, FunctionType, GeneratorType, MappingProxyType, MethodType, ModuleType
from typing import Any

from .. import backends
from ..autograd import Tensor
from ..errors import CaptureError
from .attributes import FOLLOWED, AttributeHooks, is_followed_class
from .bytecode import HEAP, LIBRARIES, MISSING, PACKAGE, is_open, lookup, origin_of, reads_of, top_of, value_of_name
from .guards import PLAIN, Note, bytes_of, cached_results, module_classes
from .lookups import Lookups

#: NumPy arrays up to this size are compared by value.
LARGEST = 1 << 20
#: In containers of more objects than this, attributes of objects are noted where they are read, and the objects by identity.
MANY = 64

_CACHED = type(functools.lru_cache(lambda: None))
_ITERATORS: tuple[Any, ...] = (GeneratorType, type(iter([])), type(iter({})), type(iter(())), zip, map, filter, enumerate, reversed)
_CONTAINERS = (Tensor, list, tuple, deque, dict, MappingProxyType, set, frozenset, threading.local, type, *PLAIN)


class Follower:
    """Everything that one call may read, noted while it is recorded.

    Args:
        is_recording: whether what happens now belongs to the call.
        is_new: whether a value is a tensor that the call itself made.
        patch: sets an attribute of a class until the end of the recording.

    Attributes:
        attributes: the hooks on attributes of objects.
        lookups: attributes of modules and classes that functions may read by name.
        notes: what was read, by kind, owner and name.
        names: the names that functions read: the globals or the cell, the name, and its value.
        stores: the same of names that functions assign.
        reached: every object that was followed, by identity.
        arrays: NumPy arrays: with a copy of the values of small ones, the path, and the key they were reached by.
        caches: each ``lru_cache`` with its path.
        refusals: errors to raise if functions read what they are about, each with the only key it can be read by.
    """

    def __init__(self, is_recording: Callable[[], bool], is_new: Callable[[Any], bool], patch: Callable[..., None]) -> None:
        self.attributes = AttributeHooks(self, is_recording, is_new, patch)
        self.lookups = Lookups(self)
        self.notes: dict[tuple[str, int, str], Note] = {}
        self.names: list[tuple[Any, str, Any]] = []
        self.stores: list[tuple[Any, str, Any]] = []
        self.reached: dict[int, Any] = {}
        self.arrays: list[tuple[Any, bytearray | None, str, str | None]] = []
        self.caches: list[tuple[Any, str]] = []
        self.refusals: list[tuple[str | None, str]] = []
        self._own_packages: set[str] = set()
        self._queue: deque[tuple[Any, str, str | None]] = deque()
        self._key: str | None = None  # the key of a dict's entry by which the present value was reached
        self._keys: dict[int, set[str]] = {}  # of objects that were reached by such keys alone

    def start(self, function: Any, arguments: Any) -> None:
        """Follow the captured function and the objects among its arguments."""
        for kind in module_classes:
            self.attributes.hook(kind, False)
        for kind in Tensor.__subclasses__():  # to which users may give attributes
            self.attributes.hook(kind, True)
        inner = function
        while type(inner) in (functools.partial, MethodType):
            inner = inner.func if type(inner) is functools.partial else inner.__func__
        own = inner if hasattr(inner, "__globals__") else type(inner)
        self._own_packages = {top_of(own.__module__)} - {PACKAGE, *LIBRARIES}
        self.reach(function, "the captured function")
        self._follow_argument(arguments)

    def _follow_argument(self, part: Any) -> None:
        if isinstance(part, (tuple, list)):
            for inner in part:
                self._follow_argument(inner)
        elif isinstance(part, dict):
            for inner in part.values():
                self._follow_argument(inner)
        elif backends.of_array(part) is None:
            self.reach(part, f"an argument ({type(part).__name__})")

    def note(self, kind: str, owner: Any, name: str, value: Any, path: str, is_restored: bool = False) -> None:
        """Note what was read, unless that was read before."""
        self.notes.setdefault((kind, id(owner), name), Note(kind, owner, name, value, path, is_restored))

    def follows(self, module: Any) -> bool:
        """Whether the code of a module is followed: a user's, or that of the captured function's own package."""
        top = top_of(module)
        return origin_of(top) == "user" or top in self._own_packages

    def reach(self, value: Any, path: str, key: str | None = None) -> None:
        """Follow a value that was read: note what it holds, or have that noted as it is read."""
        self._queue.append((value, path, self._key if key is None else key))
        if len(self._queue) == 1:  # otherwise the call that is under way follows it
            try:
                while self._queue:
                    value, path, self._key = self._queue[0]
                    self._follow(value, path)
                    self._queue.popleft()
            finally:
                self._queue.clear()
                self._key = None

    def _follow(self, value: Any, path: str) -> None:
        kind = type(value)
        if kind in PLAIN or issubclass(kind, (Tensor, *PLAIN)):
            return
        keys = self._keys.get(id(value))
        if id(value) in self.reached and (keys is None or self._key in keys):
            return
        self.reached[id(value)] = value
        if self._key is None:
            self._keys.pop(id(value), None)
        else:
            self._keys.setdefault(id(value), set()).add(self._key)
        if kind is FunctionType:
            self._follow_function(value, path)
        elif kind is MethodType:
            self.reach(value.__self__, path)
            self.reach(value.__func__, path)
        elif kind is BuiltinFunctionType:
            if value.__self__ is not None and not isinstance(value.__self__, ModuleType):
                self.reach(value.__self__, path)
        elif kind is functools.partial:
            for part in (value.func, value.args, value.keywords):
                self.reach(part, path)
        elif kind in (classmethod, staticmethod):
            if kind is classmethod:
                self.lookups.read_any_class()
            self.reach(value.__func__, path)
        elif kind is property:
            for part in (value.fget, value.fset):
                self.reach(part, path)
        elif kind is functools.cached_property:
            self.reach(value.func, path)
        elif kind is _CACHED:
            self.reach(value.__wrapped__, path)
            self.caches.append((value, path))
            for result in cached_results(value):
                self.reach(result, path)
        elif isinstance(value, type):
            self.lookups.follow_class(value, as_value=True)
        elif kind is ModuleType:
            if self.follows(value.__name__):
                self.lookups.follow_space(value)
        elif kind is weakref.ref:
            self.reach(value(), path)
        elif kind in weakref.ProxyTypes:
            if value.__class__.__module__.startswith(FOLLOWED) or is_followed_class(value.__class__):
                self._follow_formula(value.__class__)
            else:
                self.reach(value.__repr__.__self__, path)  # the object behind it
        elif kind is ContextVar:
            content = value.get(MISSING)
            self.note("variable", value, "", content, path)
            self.reach(content, path)
        elif kind in _ITERATORS or kind.__module__ == "itertools":
            self._refuse(
                f"capture: the function reads an iterator ({path}, a {kind.__name__}), which a replay would not advance; call "
                "next() outside of the captured function and pass the result as an argument"
            )
        else:
            self._follow_object(value, kind, path)

    def _refuse(self, message: str) -> None:
        """Raise, unless the value was reached by a key of a dict: then only if functions may read that key."""
        if self._key is None:
            raise CaptureError(message)
        self.refusals.append((self._key, message))

    # --- objects -------------------------------------------------------------------------------------------------------------

    def _follow_object(self, value: Any, kind: type, path: str) -> None:
        """Follow a container, an array, or any other object."""
        if issubclass(kind, (list, tuple, deque)):
            if not issubclass(kind, tuple):
                self.note("items", value, "", tuple(value), path)
            self._follow_parts(enumerate(value), len(value) > MANY, path)
        elif issubclass(kind, (dict, MappingProxyType)):
            self.note("entries", value, "", (tuple(value), tuple(value.values())), path)
            self._follow_parts(list(value.items()), len(value) > MANY, path)
        elif issubclass(kind, (set, frozenset)):
            if issubclass(kind, set):
                self.note("members", value, "", tuple(value), path)
            for part in value:
                self.reach(part, path)
        elif backends.of_array(value) is not None:
            self._follow_array(value, path)
            return
        if is_followed_class(kind):
            self.attributes.hook(kind, True)
            self._follow_own(value, kind, path)
        elif is_open(kind) or issubclass(kind, tuple(module_classes)):
            self.note("type", value, "", kind, path)
            self.attributes.hook(kind, False)
        elif issubclass(kind, threading.local):
            for name, part in list(vars(value).items()):  # this thread's
                self.note("attribute", value, name, part, f"{path}.{name}")
                self.reach(part, f"{path}.{name}")
        elif not kind.__flags__ & HEAP and type(getattr(value, "__dict__", None)) is dict:  # a SimpleNamespace
            self.reach(value.__dict__, path)
        elif "__wrapped__" in getattr(value, "__dict__", ()):  # a captured function, a primitive
            self.reach(value.__wrapped__, path)
            for rule in (*getattr(value, "rules", {}).values(), getattr(value, "joint", None)):
                self.reach(getattr(rule, "function", None), path)

    def _follow_parts(self, pairs: Iterable[tuple[Any, Any]], are_many: bool, path: str) -> None:
        """Follow what a container holds; of many objects with attributes only those whose attributes are read."""
        by_attributes: dict[type, bool] = {}
        for at, part in pairs:
            kind = type(part)
            if kind in PLAIN:
                continue
            if are_many and kind not in by_attributes:
                by_attributes[kind] = self._is_noted_by_attributes(part, kind)
                if by_attributes[kind]:
                    self.attributes.hook(kind, False)
            if are_many and by_attributes[kind]:
                self.reached[id(part)] = part
            else:
                self.reach(part, f"{path}[{at!r}]", at if type(at) is str else None)

    @staticmethod
    def _is_noted_by_attributes(value: Any, kind: type) -> bool:
        """Whether everything that a replay has to know of an object is noted when its attributes are read."""
        if not is_open(kind) or issubclass(kind, (*_CONTAINERS, *module_classes)) or is_followed_class(kind):
            return False
        return backends.of_array(value) is None

    def _follow_own(self, value: Any, kind: type, path: str) -> None:
        """Follow the functions and objects of users that an object of this package holds."""
        for name, part in vars(value).items():
            if type(part) in (FunctionType, MethodType, functools.partial) or is_open(type(part)):
                self.reach(part, f"{path}.{name}")
        self._follow_formula(kind)
        groups = vars(value).get("param_groups")  # an optimizer's
        if groups is not None:
            self.note("items", groups, "", tuple(groups), f"{path}.param_groups")
            self.reached |= {id(part): part for part in (groups, *groups)}  # each replay reads the numbers in them again

    def _follow_formula(self, kind: type) -> None:
        """Follow the formula of an optimizer's class, which this package calls."""
        owner, _ = lookup(kind, "update")
        if owner is not None and is_open(owner):
            self.lookups.read_by_name(owner, "update")

    def _follow_array(self, array: Any, path: str) -> None:
        """Note the values of an array in main memory, which Python may read one by one."""
        backend: Any = backends.of_array(array)
        if backend.name == "numpy":
            is_small = array.nbytes <= LARGEST and array.dtype.kind != "O"
            self.arrays.append((array, bytes_of(array) if is_small else None, path, self._key))

    # --- functions -----------------------------------------------------------------------------------------------------------

    def _follow_function(self, function: FunctionType, path: str) -> None:
        if not self.follows(function.__globals__.get("__name__")):  # a library's decorator, perhaps
            for cell in function.__closure__ or ():
                part = value_of_name(cell, "")
                if isinstance(part, (FunctionType, MethodType, functools.partial)):
                    self.reach(part, path)
            return
        for name in ("__code__", "__defaults__", "__kwdefaults__"):
            self.note("attribute", function, name, getattr(function, name), path)
        for values_of_function in (function.__defaults__, function.__kwdefaults__, function.__dict__):
            if values_of_function:
                self.reach(values_of_function, f"{function.__qualname__} (its defaults or attributes)")
        reads = reads_of(function.__code__)
        self.lookups.add_words(reads)
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        read: list[tuple[Any, str]] = [(cell, name) for name, cell in cells.items() if name in reads.cells]
        for name in reads.globals:
            if name in function.__globals__:
                read.append((function.__globals__, name))
            else:  # built in, or missing
                self.note("absent", function.__globals__, name, None, f"'{name}'")
        for name in reads.stores:
            space = cells.get(name, function.__globals__)
            if not any(space is other and name == text for other, text in read):
                self.stores.append((space, name, value_of_name(space, name, MISSING)))
        values: dict[str, Any] = {}
        for space, name in read:
            values[name] = value = value_of_name(space, name)
            if not any(space is other and name == text for other, text, _ in self.names):
                self.names.append((space, name, value))
        for name, value in values.items():
            self.reach(value, f"'{name}'")
        for first, *rest in reads.chains:
            self._follow_chain(values.get(first), rest)
        for name in reads.imports:
            if name in sys.modules:
                self.reach(sys.modules[name], name)

    def _follow_chain(self, value: Any, names: list[str]) -> None:
        """Follow ``value.a.b.c`` as long as that reads attributes of modules."""
        for name in names:
            if type(value) is FunctionType and not vars(value):
                self.lookups.note_names(value)
            if type(value) is not ModuleType:
                return
            if name not in vars(value):
                if self.follows(value.__name__):
                    self.note("absent", vars(value), name, None, f"{value.__name__}.{name}")
                return
            value = self.lookups.read_by_name(value, name)
