"""``Guards``: everything of Python that a call reads while it is recorded, compared before each replay.

The roots are the names that the function's bytecode reads (globals, closures, defaults), a bound method's ``self``, a partial's
parts and the arguments. From there on

* an object of a Python class is followed as it is read: while a call is recorded, ``__getattribute__`` of each such class notes
  the first value of each attribute, unless the call has written it before;
* a container is guarded as a whole when it is reached: its entries by identity, numbers and strings by value; what a replay could
  not follow, an iterator or a large array, is refused where the bytecode may read it there: at a key that it names, say;
* a function is guarded by its code and defaults, and the names in its bytecode are followed too;
* of a module or a class, those attributes are guarded whose names appear in the bytecode of a function that was reached; methods
  of a class only where an object's was fetched, or where that bytecode may read them of the class itself.

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
from functools import partial
from operator import setitem
from types import (
    BuiltinFunctionType,
    FunctionType,
    GeneratorType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any

from .. import backends
from ..autograd import Tensor
from ..backends import DType
from ..errors import CaptureError
from .conditions import (
    HOOKED,
    PLAIN,
    Note,
    Text,
    bytes_of,
    names_of,
    parts,
    refuse,
    refuse_numbers,
    results_of,
    same,
    same_items,
    unchanged,
    whole,
)
from .reads import (
    HEAP,
    IMMUTABLE,
    LIBRARIES,
    MISSING,
    PACKAGE,
    Reads,
    found,
    is_library,
    is_open,
    named,
    origin_of,
    reads_of,
    top_of,
)

#: Parts of this package whose objects are followed where a user's function reads them.
OURS = ("adjoint.optim", "adjoint.data", "adjoint.train")
#: Modules of those whose functions change an object in an :func:`~.recording.side_effect` alone: what else they read is guarded.
STEADY = ("adjoint.optim.lr_scheduler",)

#: NumPy arrays up to this size are compared by value.
LARGEST = 1 << 20
#: Containers of more objects than this are compared by the identities of those; their attributes are noted where they are read.
MANY = 64

_CACHED = type(functools.lru_cache(lambda: None))
_ITERATORS: tuple[Any, ...] = (GeneratorType, type(iter([])), type(iter({})), type(iter(())), zip, map, filter, enumerate, reversed)
#: Special methods that no operation on an object that exists calls by itself.
_EXPLICIT = frozenset({"__init__", "__new__", "__post_init__", "__repr__", "__init_subclass__", "__class_getitem__", "__del__"})
_CONTAINERS = (Tensor, list, tuple, deque, dict, MappingProxyType, set, frozenset, threading.local, type, *PLAIN)
#: Methods of a dict that read entries which no text names.
_TO_ENTRIES = frozenset(
    {"items", "values", "get", "pop", "popitem", "setdefault", "dict", "copy", "deepcopy", "vars", "__dict__", "getattr", "asdict"}
)
#: What a class keeps functions as.
_METHODS = (FunctionType, classmethod, staticmethod, property, functools.cached_property)
#: Names by which a function gets the class of an object.
_TO_CLASSES = frozenset({"type", "__class__", "__mro__", "mro", "__self_class__", "__thisclass__"})
#: By these, a function may ask for an attribute that there is not.
_ASKING = frozenset({"getattr", "hasattr"})


class Guards:
    """What one call reads, noted while it is recorded.

    Args:
        here: whether what happens now belongs to the call.
        patch: sets an attribute of a class until the end of the recording.
        is_new: whether a value is a tensor that the call itself made.

    Attributes:
        names: names that functions read: the globals or the cell, the name, and its value.
        effect, rates_changed: whether an effect is under way that each replay calls, and whether one has changed hyperparameters.
        notes: what was read beside names.
        hold: tells whether all that was read is as it was; None where nothing but names has changed.
    """

    hold: Callable[..., bool | None]
    notes: list[Note]

    def __init__(self, here: Callable[[], bool], patch: Callable[[Any, str, Any], None], is_new: Callable[[Any], bool]) -> None:
        self._here, self._patch, self._is_new = here, patch, is_new
        self.names: list[tuple[Any, str, Any]] = []
        self._notes: dict[tuple[str, int, str], Note] = {}
        self._reached: dict[int, Any] = {}
        self._seen: set[tuple[int, type, str]] = set()  # objects' attributes that were read or written already
        self._weak: dict[int, tuple[Any, list[Note]]] = {}  # what was read of objects that the call may have made
        self._written: list[tuple[Any, str]] = []  # attributes that were written before they were read
        self._stores: list[tuple[Any, str, Any]] = []  # the same of names, which functions assign and do not read
        self._again: list[Callable[[], Any]] = []
        self._classes: dict[type, bool] = {}  # by whether only a user's functions are looked at when they read
        self._spaces: list[Any] = []  # modules and classes, with what is read of them by its name
        self._words: set[str] = set()
        self._texts: set[str] = set()
        self._fetched: set[str] = set()  # texts and names that are more than keys of entries that are assigned
        self._asked: set[str] = set()  # what may have been asked for by getattr and its like
        self._supers: set[str] = set()  # names that may be read by super()
        self._as_values: set[int] = set()  # classes that functions hold as values, of which they may read methods
        self._any_class = False  # whether they may hold any
        self._arrays: list[Any] = []
        self._caches: list[tuple[Any, str]] = []
        self._hooks: dict[int, Any] = {}
        self._over = False
        self._by_effects: set[tuple[int, str]] = set()
        self.effect = self.rates_changed = False
        self._late = ""
        self._own: set[str] = set()
        self._queue: deque[tuple[Any, str, str | None]] = deque()
        self._key: str | None = None  # that of the entry of a dict by which what is followed was reached
        self._by_keys: dict[int, set[str]] = {}  # what was reached by such keys alone
        self._refusals: list[tuple[str | None, str]] = []  # what is not to be read, with its key
        self._any_key = False  # whether functions read keys that they do not name

    # --- reaching ------------------------------------------------------------------------------------------------------------

    def start(self, function: Any, arguments: Any) -> None:
        """Follow the captured function and the objects among its arguments."""
        for kind in whole:
            self._hook(kind, False)
        for kind in Tensor.__subclasses__():  # which users may give attributes
            self._hook(kind, True)
        inner = function
        while type(inner) in (functools.partial, MethodType):
            inner = inner.func if type(inner) is functools.partial else inner.__func__
        own = inner if hasattr(inner, "__globals__") else type(inner)
        self._own = {top_of(own.__module__)} - {PACKAGE, *LIBRARIES}
        self.reach(function, "the captured function")
        self._argument(arguments)

    def _argument(self, part: Any) -> None:
        if isinstance(part, (tuple, list)):
            for inner in part:
                self._argument(inner)
        elif isinstance(part, dict):
            for inner in part.values():
                self._argument(inner)
        elif backends.of_array(part) is None:
            self.reach(part, f"an argument ({type(part).__name__})")

    def _follows(self, module: Any) -> bool:
        """Whether the code of a module is looked through: a user's, or of the captured function's own package."""
        top = top_of(module)
        return origin_of(top) == "user" or top in self._own

    def reach(self, value: Any, path: str, key: str | None = None) -> None:
        """Follow a value that was read: guard what it holds, or have it noted as it is read."""
        self._queue.append((value, path, self._key if key is None else key))
        if len(self._queue) == 1:  # and is not followed already
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
        keys = self._by_keys.get(id(value))
        if id(value) in self._reached and (keys is None or self._key in keys):
            return
        self._reached[id(value)] = value
        if self._key is None:
            self._by_keys.pop(id(value), None)
        else:
            self._by_keys.setdefault(id(value), set()).add(self._key)
        if kind is FunctionType:
            self._function(value, path)
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
                self._read_classes()
            self.reach(value.__func__, path)
        elif kind is property:
            for part in (value.fget, value.fset):
                self.reach(part, path)
        elif kind is functools.cached_property:
            self.reach(value.func, path)
        elif kind is _CACHED:
            self.reach(value.__wrapped__, path)
            self._caches.append((value, path))
            for result in results_of(value):
                self.reach(result, path)
        elif isinstance(value, type):
            self._class(value, by_value=True)
        elif kind is ModuleType:
            if self._follows(value.__name__):
                self._space(value)
        elif kind is weakref.ref:
            self.reach(value(), path)
        elif kind in weakref.ProxyTypes:
            if value.__class__.__module__.startswith(OURS) or self._is_ours(value.__class__):
                self._formula(value.__class__)
            else:
                self.reach(value.__repr__.__self__, path)  # what it stands for
        elif kind is ContextVar:
            found = value.get(MISSING)
            self._note("variable", value, "", found, path)
            self.reach(found, path)
        elif kind in _ITERATORS or kind.__module__ == "itertools":
            self._not_read(
                f"capture: the function reads an iterator ({path}, a {kind.__name__}), which a replay would not advance; call "
                "next() outside of the captured function and pass what it gives as an argument"
            )
        else:
            self._object(value, kind, path)

    def _not_read(self, message: str) -> None:
        """Refuse what was reached, unless it is in a dict and nothing reads it there."""
        if self._key is None:
            raise CaptureError(message)
        self._refusals.append((self._key, message))

    def _parts(self, pairs: Iterable[tuple[Any, Any]], many: bool, path: str) -> None:
        """Follow what a container holds; of many objects with attributes, those whose attributes are read."""
        by_attributes: dict[type, bool] = {}
        for at, part in pairs:
            kind = type(part)
            if kind in PLAIN:
                continue
            if many and kind not in by_attributes:
                by_attributes[kind] = self._is_by_attributes(part, kind)
                if by_attributes[kind]:
                    self._hook(kind, False)
            if many and by_attributes[kind]:
                self._reached[id(part)] = part
            else:
                self.reach(part, f"{path}[{at!r}]", at if type(at) is str else None)

    def _is_by_attributes(self, value: Any, kind: type) -> bool:
        """Whether all that a replay has to know of an object is noted when its attributes are read."""
        if not is_open(kind) or issubclass(kind, _CONTAINERS) or issubclass(kind, tuple(whole)) or self._is_ours(kind):
            return False
        return backends.of_array(value) is None

    def _object(self, value: Any, kind: type, path: str) -> None:
        """Follow a container, an array, or any other object."""
        if issubclass(kind, (list, tuple, deque)):
            if not issubclass(kind, tuple):
                self._note("items", value, "", tuple(value), path)
            self._parts(enumerate(value), len(value) > MANY, path)
        elif issubclass(kind, (dict, MappingProxyType)):
            self._note("entries", value, "", (tuple(value), tuple(value.values())), path)
            self._parts(list(value.items()), len(value) > MANY, path)
        elif issubclass(kind, (set, frozenset)):
            if issubclass(kind, set):
                self._note("members", value, "", tuple(value), path)
            for part in value:
                self.reach(part, path)
        elif backends.of_array(value) is not None:
            self._array(value, path)
            return
        if self._is_ours(kind):
            self._hook(kind, True)
            self._ours(value, kind, path)
        elif is_open(kind) or issubclass(kind, tuple(whole)):
            self._note("type", value, "", kind, path)
            self._hook(kind, False)
        elif issubclass(kind, threading.local):
            for name, part in list(vars(value).items()):  # this thread's
                self._note("attribute", value, name, part, f"{path}.{name}")
                self.reach(part, f"{path}.{name}")
        elif not kind.__flags__ & HEAP and type(getattr(value, "__dict__", None)) is dict:  # a SimpleNamespace
            self.reach(value.__dict__, path)
        elif "__wrapped__" in getattr(value, "__dict__", ()):  # a captured function, a primitive
            self.reach(value.__wrapped__, path)
            for rule in (*getattr(value, "rules", {}).values(), getattr(value, "joint", None)):
                self.reach(getattr(rule, "function", None), path)

    @staticmethod
    def _is_ours(kind: type) -> bool:
        """Whether a class is derived from one of this package whose objects change in ways that a replay knows of."""
        return not issubclass(kind, tuple(whole)) and any(base.__module__.startswith(OURS) for base in kind.__mro__)

    def _ours(self, value: Any, kind: type, path: str) -> None:
        """Follow the functions and objects of users that an object of this package holds."""
        for name, part in vars(value).items():
            if type(part) in (FunctionType, MethodType, functools.partial) or is_open(type(part)):
                self.reach(part, f"{path}.{name}")
        self._formula(kind)
        for groups in [part for name, part in vars(value).items() if name == "param_groups"]:  # an optimizer's
            self._note("items", groups, "", tuple(groups), f"{path}.param_groups")
            self._reached |= {id(part): part for part in (groups, *groups)}  # numbers in them are read anew by each replay

    def _formula(self, kind: type) -> None:
        """Follow the formula of an optimizer's class, which this package calls."""
        owner, _ = found(kind, "update")
        if owner is not None and is_open(owner):
            self._attribute_of(owner, "update")

    def _array(self, array: Any, path: str) -> None:
        """Guard the values of an array in the computer's own memory, which Python may read one by one."""
        backend: Any = backends.of_array(array)
        if backend.name == "numpy":
            small = array.nbytes <= LARGEST and array.dtype.kind != "O"
            self._arrays.append((array, bytes_of(array) if small else None, path, self._key))

    def _function(self, function: FunctionType, path: str) -> None:
        if not self._follows(function.__globals__.get("__name__")):  # a decorator, it may be
            for cell in function.__closure__ or ():
                part = named(cell, "")
                if isinstance(part, (FunctionType, MethodType, functools.partial)):
                    self.reach(part, path)
            return
        self._note("attribute", function, "__code__", function.__code__, path)
        self._note("attribute", function, "__defaults__", function.__defaults__, path)
        self._note("attribute", function, "__kwdefaults__", function.__kwdefaults__, path)
        for held in (function.__defaults__, function.__kwdefaults__, function.__dict__):
            if held:
                self.reach(held, f"{function.__qualname__} (its defaults or attributes)")
        code = function.__code__
        reads = reads_of(code)
        self._read_words(reads)
        spaces: list[tuple[Any, str]] = [
            (cell, name) for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True) if name in reads.cells
        ]
        spaces += [(function.__globals__, name) for name in reads.globals if name in function.__globals__]
        stores: list[tuple[Any, str]] = [
            (cell, name) for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True)
        ]
        stores += [(function.__globals__, name) for name in reads.stores if name not in code.co_freevars]
        loaded = {(id(space), name) for space, name in spaces}
        for space, name in stores:
            if name in reads.stores and (id(space), name) not in loaded:
                self._stores.append((space, name, named(space, name, MISSING)))
        for name in reads.globals:
            if name not in function.__globals__:  # built in, or nothing
                self._note("absent", function.__globals__, name, None, f"'{name}'")
        values: dict[str, Any] = {}
        for space, name in spaces:
            values[name] = value = named(space, name)
            if not any(space is other and name == text for other, text, _ in self.names):
                self.names.append((space, name, value))
        for name, value in values.items():
            self.reach(value, f"'{name}'")
        for first, *rest in reads.chains:
            value = values.get(first)
            for name in rest:
                if type(value) is FunctionType and not vars(value):
                    self._names(value)
                if type(value) is not ModuleType:
                    break
                if name not in vars(value):
                    if self._follows(value.__name__):
                        self._note("absent", vars(value), name, None, f"{value.__name__}.{name}")
                    break
                value = self._attribute_of(value, name)
        for name in reads.imports:
            if name in sys.modules:
                self.reach(sys.modules[name], name)

    def _attribute_of(self, space: Any, name: str) -> Any:
        """Guard and follow an attribute of a module or a class."""
        if isinstance(space, dict):
            value, path = space[name], f"param_groups[{name!r}]"
            if self.rates_changed and isinstance(value, (int, float)):
                self._late = path  # one that is set by hand is refused as such
            self._note("entry", space, name, value, path)
        else:
            value, path = vars(space)[name], f"{space.__name__}.{name}"
            self._note("class" if isinstance(space, type) else "attribute", space, name, value, path)
        self.reach(value, path)
        return value

    def _class(self, kind: type, by_value: bool = False) -> None:
        """Guard of a user's class what functions read of it by name, and its special methods."""
        for owner in kind.__mro__:
            if not is_open(owner):
                continue
            if by_value and id(owner) not in self._as_values:
                self._as_values.add(id(owner))
                self._look_up(owner, self._words, self._texts)
            self._space(owner)
            for name, part in list(vars(owner).items()):
                special = name.startswith("__") and name.endswith("__") and isinstance(part, (FunctionType, classmethod))
                called = special or (by_value and self._is_function(owner) and isinstance(part, staticmethod))
                if called and name not in HOOKED and (by_value or name not in _EXPLICIT):
                    self._attribute_of(owner, name)
        if is_open(type(kind)):
            of_classes: type = type(kind)
            self._as_values |= {id(owner) for owner in of_classes.__mro__}  # their methods' self is a class
            self._class(of_classes)
        if by_value and is_open(kind):
            self._hook(kind, self._is_ours(kind))

    @staticmethod
    def _is_function(kind: type) -> bool:
        """Whether it is an operation of a user's, whose forward and backward this package calls."""
        return any(base.__module__ == f"{PACKAGE}.autograd.function" for base in kind.__mro__)

    def _space(self, space: Any) -> None:
        """Guard of a module, a class or an optimizer's group what functions read of it by its name."""
        if not any(space is other for other in self._spaces):
            self._spaces.append(space)
            if isinstance(space, type):
                self._names(space)
            self._look_up(space, self._words, self._texts)

    def _names(self, owner: Any) -> None:
        """Guard that a class or a function has no other attributes."""
        self._note("names", owner, "", names_of(vars(owner)), f"the attributes of {owner.__name__}")

    def _settle_asked(self) -> None:
        """Guard that functions and modules have no attributes that were asked for and not there."""
        if not self._asked:
            return
        for value in list(self._reached.values()):
            if type(value) is FunctionType and not vars(value) and self._follows(value.__globals__.get("__name__")):
                self._names(value)
        for space in self._spaces:
            if type(space) is ModuleType:
                for name in self._asked.difference(vars(space)):
                    self._note("absent", vars(space), name, None, f"{space.__name__}.{name}")

    def _read_words(self, reads: Reads) -> None:
        words, texts = reads.words - self._words, reads.texts - self._texts
        self._words |= words
        self._texts |= texts
        if not reads.words.isdisjoint(_ASKING):
            self._asked |= reads.texts
        if "super" in reads.words:
            self._supers |= reads.words
            words = reads.words
        for space in list(self._spaces):
            self._look_up(space, words, texts)
        self._fetched |= reads.fetched | reads.words
        self._any_key |= reads.any_key or not reads.words.isdisjoint(_TO_ENTRIES)
        if not reads.words.isdisjoint(_TO_CLASSES):
            self._read_classes()

    def _read_classes(self) -> None:
        """From now on, functions may read the methods of any class."""
        if not self._any_class:
            self._any_class = True
            for space in list(self._spaces):
                self._look_up(space, self._words, self._texts)

    def _look_up(self, space: Any, words: Iterable[str], texts: Iterable[str]) -> None:
        attributes = space if isinstance(space, dict) else vars(space)
        for name in texts if attributes is space else {*words, *texts}:
            if name in attributes and not name.startswith("__") and self._is_read(space, name, attributes[name]):
                self._attribute_of(space, name)

    def _is_read(self, space: Any, name: str, value: Any) -> bool:
        """Whether an attribute may be read of a class itself, or of a module; what an object's methods are is told by the hooks."""
        if not isinstance(value, _METHODS) or not isinstance(space, type) or name in self._supers:
            return True
        return self._any_class or id(space) in self._as_values or self._is_ours(space)

    # --- reading attributes --------------------------------------------------------------------------------------------------

    def _hook(self, kind: type, users_only: bool) -> None:
        """Note what is read of objects of a class from now on."""
        if self._over or kind in self._classes or kind.__flags__ & IMMUTABLE or not kind.__flags__ & HEAP:
            return
        self._classes[kind] = users_only
        self._class(kind)
        for name, hook in zip(HOOKED, (self._getting, self._setting, self._deleting), strict=True):
            method = found(kind, name)[1]
            if id(method) not in self._hooks:  # a base's hook does
                hooked = hook(method)
                self._hooks[id(hooked)] = hooked
                self._patch(kind, name, hooked)

    def _getting(self, original: Any) -> Any:
        def __getattribute__(instance: Any, name: str) -> Any:
            if self._here() and (id(instance), type(instance), name) not in self._seen:
                self._read(instance, name)
            return original(instance, name)

        return __getattribute__

    def _setting(self, original: Any) -> Any:
        def __setattr__(instance: Any, name: str, value: Any) -> None:
            if self._here():
                self._wrote(instance, name)
            elif self.effect:
                self._by_effects.add((id(instance), name))
            original(instance, name, value)

        return __setattr__

    def _deleting(self, original: Any) -> Any:
        def __delattr__(instance: Any, name: str) -> None:
            if self._here():
                self._wrote(instance, name)
            original(instance, name)

        return __delattr__

    def _wrote(self, instance: Any, name: str) -> None:
        key = id(instance), type(instance), name
        if key not in self._seen:
            self._seen.add(key)
            if self._is_known(instance, name):
                return
            if id(instance) in self._reached:
                self._written.append((instance, name))
            else:
                self._about(instance, Note("last", instance, name, None, f"{type(instance).__name__}.{name}"))

    def _read(self, instance: Any, name: str) -> None:
        """Note the first reading of an attribute, just before it."""
        kind = type(instance)
        reader = str(sys._getframe(2).f_globals.get("__name__"))
        if self._users_only(kind) and is_library(reader) and reader not in STEADY:
            return
        if (id(instance), name) in self._by_effects:
            self._refuse_changed(f"{kind.__name__}.{name}")
        self._seen.add((id(instance), kind, name))
        if self._is_known(instance, name):
            return
        if name in ("__dict__", "__getstate__"):  # the latter for a copy
            self._whole(instance, reader.startswith(f"{PACKAGE}."))
            return
        if name.startswith("__"):
            return
        owner, raw = found(kind, name)
        if id(raw) in self._hooks:  # what is watched by itself
            return
        path = f"{kind.__name__}.{name}"
        if hasattr(type(raw), "__set__") or hasattr(type(raw), "__delete__"):
            if type(raw) is MemberDescriptorType:
                try:
                    value = raw.__get__(instance)
                except AttributeError:
                    return
                self._attribute(instance, name, value, path)
            elif type(raw) is not GetSetDescriptorType:
                self._about(instance, Note("type", instance, "", kind, path))
                self._note("class", kind, name, raw, path)
                self.reach(raw, path)
            return
        try:
            held = object.__getattribute__(instance, "__dict__")
        except AttributeError:  # nothing but slots
            held = {}
        if name in held:
            self._attribute(instance, name, held[name], path)
        elif owner is None:
            self._about(instance, Note("unset", instance, name, None, path))
        elif isinstance(raw, PLAIN):
            self._attribute(instance, name, raw, path)
        else:
            self._about(instance, Note("absent", held, name, None, path))
            self._about(instance, Note("type", instance, "", kind, path))
            self._note("class", kind, name, raw, path)
            self.reach(raw, path)

    def _is_known(self, instance: Any, name: str) -> bool:
        """Whether the attribute is a tensor's own, or of a tensor that the call itself made."""
        if not isinstance(instance, Tensor):
            return False
        owner, _ = found(type(instance), name)
        return (owner is not None and top_of(owner.__module__) == PACKAGE) or self._is_new(instance)

    def required(self, tensor: Tensor) -> None:
        """Note that it was read whether a tensor requires a gradient."""
        key = id(tensor), type(tensor), "()"  # the attribute itself is seen by the hook of a tensor's class
        if key not in self._seen:
            self._seen.add(key)
            path = f"{type(tensor).__name__}.requires_grad"
            self._about(tensor, Note("attribute", tensor, "_requires_grad", tensor._requires_grad, path))

    def _refuse_changed(self, path: str) -> None:
        raise CaptureError(
            f"capture: the function reads {path} after a scheduler's step in the same call, and a replay would not read it anew; "
            "read it outside of the captured function, or have the step there"
        )

    def _users_only(self, kind: type) -> bool:
        for base in kind.__mro__:
            if base in self._classes:
                return self._classes[base]
        return False

    def _attribute(self, instance: Any, name: str, value: Any, path: str) -> None:
        if not self._is_new(value):
            self._about(instance, Note("attribute", instance, name, value, path))
            for group in value if name == "param_groups" and self._users_only(type(instance)) else ():
                self._space(group)
            if id(instance) in self._reached:
                self.reach(value, path)
            elif is_open(type(value)):
                self._hook(type(value), self._is_ours(type(value)))

    def _about(self, instance: Any, note: Note) -> None:
        """Keep a note about an object; one that nothing led to may have been made by the call, and is not kept alive."""
        key = id(instance)
        if key in self._reached:
            self._notes.setdefault((note.kind, id(note.owner), note.name), note)
            return
        if key not in self._weak:
            try:
                self._weak[key] = weakref.ref(instance, lambda _: self._weak.pop(key, None)), []
            except TypeError:
                return
        if note.kind == "absent":
            note = note._replace(kind="unbound", owner=None)
        elif note.owner is instance:
            note = note._replace(owner=None)
        self._weak[key][1].append(note)

    def _whole(self, instance: Any, by_us: bool) -> None:
        """Note all attributes at once, as ``vars`` gives them; of a module, where this package reads them, its parts."""
        kind = type(instance)
        path = f"{kind.__name__}.__dict__"
        for name in [name for base in kind.__mro__ for name, part in vars(base).items() if type(part) is MemberDescriptorType]:
            if (id(instance), kind, name) not in self._seen:
                self._read(instance, name)
        held = getattr(instance, "__dict__", None)
        if by_us and isinstance(instance, tuple(whole)):
            self._about(instance, Note("parts", instance, "", tuple(parts(instance)), path))
        elif held is not None and id(instance) in self._reached:
            self.reach(held, path)

    def _note(self, kind: str, owner: Any, name: str, value: Any, path: str, redone: bool = False) -> None:
        self._notes.setdefault((kind, id(owner), name), Note(kind, owner, name, value, path, redone))

    # --- the end -------------------------------------------------------------------------------------------------------------

    def skip(self, descriptor: Any) -> None:
        """Note nothing of attributes that ``descriptor`` stands for, which is watched by itself."""
        self._hooks[id(descriptor)] = descriptor

    def watched(self, instance: Any, name: str, value: Any) -> None:
        """Guard an attribute that a replay leaves as the call has left it."""
        self._note("attribute", instance, name, value, f"{type(instance).__name__}.{name}", redone=True)

    def finish(self, is_live: Callable[[Any], bool], tensors: Iterable[tuple[Any, Any, bool]]) -> set[str]:
        """Take no more notes, and make :attr:`hold`. Returns what the call itself has changed of what it read.

        Args:
            is_live: whether a replay reads an array's memory anew, which is enough where an array is too large to compare.
            tensors: those that the call used, with the array of each, and whether a gradient was required.

        Raises :class:`CaptureError` where that is a number, which each call would change again.
        """
        self._over = True
        if self._late:
            self._refuse_changed(self._late)
        for reference, notes in list(self._weak.values()):
            instance = reference()
            for note in notes if instance is not None else ():
                owner = instance if note.owner is None else note.owner
                if note.kind == "unbound":
                    note, owner = note._replace(kind="absent"), instance.__dict__
                elif note.kind == "last":  # made by the call, and kept: a cache holds it, it may be
                    note = note._replace(kind="attribute", value=getattr(instance, note.name, MISSING))
                self._notes.setdefault((note.kind, id(owner), note.name), note._replace(owner=owner))
                if note.kind == "attribute":
                    self.reach(note.value, note.path)
        self._weak.clear()
        self._settle_written()
        for note in [note for note in self._notes.values() if note.kind == "entries" and isinstance(note.owner, dict)]:
            self._settle_entries(note)
        self._settle_asked()
        for cached, path in self._caches:
            results = results_of(cached)  # with those of this call
            self._note("cached", cached, "", tuple(results), path)
            for result in results:
                self.reach(result, path)
        for array, before, path, key in self._arrays:
            if before is not None:  # though it is an operand, its values may be read as numbers too
                self._note("bytes", array, "", before, path)
                continue
            if is_live(array):
                continue
            objects = array.dtype.kind == "O"
            told = f"a NumPy array of objects ({path})" if objects else f"a large NumPy array ({path}, {array.nbytes / 1e6:.1f} MB)"
            other = "a list" if objects else "a tensor"
            message = f"capture: the function reads values of {told}, which a replay would not compare; "
            self._refusals.append((key, f"{message}make it {other} outside of the function"))
        for key, message in self._refusals:
            if key is None or self._any_key or key in self._words or key in self._texts:
                raise CaptureError(message)
        text = Text()
        self.notes = notes = [note for note in self._notes.values() if not note.redone]
        self.hold = text.function([text.of(note) for note in notes], [*self._redone(text), *unchanged(text, tensors)], self.names)
        broken = set()
        for note in notes if not self.hold(True) else ():
            if not text.function([text.of(note)], [], [])():
                refuse_numbers(note)
                broken.add(note.path)
        for space, name, before in self.names:
            now = named(space, name)
            if not same(now, before):
                refuse(f"'{name}'", before, now)
                broken.add(f"'{name}'")
        return broken

    def _settle_written(self) -> None:
        """Find what a replay can assign again of what the call assigned and had not read; guard what it was given else."""
        for instance, name in self._written:
            value = getattr(instance, name, MISSING)
            if self._is_lasting(value):
                self._again.append(partial(setattr, instance, name, value))
            elif value is MISSING:
                self._note("unset", instance, name, None, f"{type(instance).__name__}.{name}")
            else:
                self._kept("attribute", instance, name, value, f"{type(instance).__name__}.{name}")
        read = {(id(space), name) for space, name, _ in self.names}
        for space, name, before in self._stores:
            value = named(space, name, MISSING)
            if (id(space), name) in read:
                continue
            of_globals = isinstance(space, dict)
            if not same(value, before) and self._is_lasting(value):
                store = partial(setitem, space, name, value) if of_globals else partial(setattr, space, "cell_contents", value)
                self._again.append(store)
            elif value is MISSING and of_globals:
                self._note("absent", space, name, None, f"'{name}'")
            else:  # it may have been assigned what it was before
                self._kept(*("entry", space, name) if of_globals else ("attribute", space, "cell_contents"), value, f"'{name}'")

    def _settle_entries(self, note: Note) -> None:
        """Where the call assigned to entries that nothing reads, guard the others one by one, and have these assigned again."""
        entries, (keys, values) = note.owner, note.value
        if self._any_key or not same_items(entries, keys) or not all(type(key) is str for key in keys):
            return
        changed = {key: entries[key] for key, before in zip(keys, values, strict=True) if not same(entries[key], before)}
        for key, value in changed.items():
            if key in self._fetched or isinstance(value, Tensor) or not self._is_lasting(value):
                return
        if changed:
            del self._notes["entries", id(entries), ""]
            self._note("items", entries, "", keys, note.path)
            for key, before in zip(keys, values, strict=True):
                if key in changed:
                    self._again.append(partial(setitem, entries, key, changed[key]))
                else:
                    self._note("entry", entries, key, before, f"{note.path}[{key!r}]")

    def _kept(self, kind: str, owner: Any, name: str, value: Any, path: str) -> None:
        self._note(kind, owner, name, value, path)
        self.reach(value, path)

    def _is_lasting(self, value: Any) -> bool:
        """Whether a value is the same at each call: a plain one, or an object that was there before."""
        if type(value) is tuple:
            return all(map(self._is_lasting, value))
        return isinstance(value, (*PLAIN, Tensor, DType)) or id(value) in self._reached

    def assigned(self) -> list[Callable[[], Any]]:
        """What a replay is to call, so that what the call assigned and had not read is assigned again."""
        return self._again

    def _redone(self, text: Text) -> list[str]:
        return [text.of(note) for note in self._notes.values() if note.redone]

    def close(self) -> None:
        """Let go of everything, the recording among it."""
        never: Any = _never  # which another thread, still in one of the hooks, may ask yet
        vars(self).clear()
        self._here, self._seen, self.effect = never, set(), False


def _never() -> bool:
    return False
