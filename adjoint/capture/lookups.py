"""Attributes of modules and classes that functions may read, by the names in their bytecode.

These lookups and the hooks on attributes of objects (``attributes``) are both needed. Reading ``Config.rate`` of a class or a
module, or a method by ``super()``, calls no hook that could be set: ``type`` and ``module`` are closed. And bytecode does not tell
what an object's ``getattr(self, name)`` reads, which of many objects are read at all, or what was assigned before it was read.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from .attributes import is_followed_class
from .bytecode import PACKAGE, Reads, is_open
from .guards import HOOKED, names_of

if TYPE_CHECKING:
    from .following import Follower

#: Special methods that no operation on an existing object calls by itself.
_EXPLICIT = frozenset({"__init__", "__new__", "__post_init__", "__repr__", "__init_subclass__", "__class_getitem__", "__del__"})
#: Names in code that may read entries of a dict by keys which it does not name.
_READS_ANY_KEY = frozenset(
    {"items", "values", "get", "pop", "popitem", "setdefault", "dict", "copy", "deepcopy", "vars", "__dict__", "getattr", "asdict"}
)
#: Types of the functions in a class's namespace.
_METHODS = (FunctionType, classmethod, staticmethod, property, functools.cached_property)
#: Names by which a function gets the class of an object.
_READS_CLASSES = frozenset({"type", "__class__", "__mro__", "mro", "__self_class__", "__thisclass__"})
#: Names by which a function may ask for an attribute that does not exist.
_ASKS = frozenset({"getattr", "hasattr"})


def _is_function_class(kind: type) -> bool:
    """Whether it is a user's :class:`~adjoint.autograd.Function`, whose forward and backward this package calls."""
    return any(base.__module__ == f"{PACKAGE}.autograd.function" for base in kind.__mro__)


class Lookups:
    """What functions may read by name of all modules, classes and optimizers' groups that were reached.

    Args:
        follower: takes the notes, and follows the values.

    Attributes:
        words, strings, loaded, any_key: see :class:`~.bytecode.Reads`; of all functions together.
        read_after_scheduler: the path of a hyperparameter that is read after a scheduler's step in the call.
    """

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self.words: set[str] = set()
        self.strings: set[str] = set()
        self.loaded: set[str] = set()
        self.any_key = False
        self.read_after_scheduler = ""
        self._spaces: list[Any] = []  # the modules, classes and groups
        self._asked: set[str] = set()  # names that getattr and its like may have been given
        self._read_by_super: set[str] = set()
        self._class_values: set[int] = set()  # classes that functions hold as values, so that they may read methods of them
        self._any_class = False  # whether functions may hold any class

    def read_by_name(self, space: Any, name: str) -> Any:
        """Note and follow an attribute of a module or a class, or an entry of an optimizer's group."""
        if isinstance(space, dict):
            value, path = space[name], f"param_groups[{name!r}]"
            if self._follower.attributes.rates_changed and isinstance(value, (int, float)):
                self.read_after_scheduler = path  # not refused here: one that is set by hand has its own message
            self._follower.note("entry", space, name, value, path)
        else:
            value, path = vars(space)[name], f"{space.__name__}.{name}"
            self._follower.note("class" if isinstance(space, type) else "attribute", space, name, value, path)
        self._follower.reach(value, path)
        return value

    def follow_class(self, kind: type, as_value: bool = False) -> None:
        """Note what functions read of a user's class by name, and its special methods.

        Args:
            as_value: whether a function holds the class itself, rather than an object of it.
        """
        for owner in kind.__mro__:
            if not is_open(owner):
                continue
            if as_value and id(owner) not in self._class_values:
                self._class_values.add(id(owner))
                self._look_up(owner, self.words, self.strings)
            self.follow_space(owner)
            for name, part in list(vars(owner).items()):
                is_special = name.startswith("__") and name.endswith("__") and isinstance(part, (FunctionType, classmethod))
                is_called = is_special or (as_value and _is_function_class(owner) and isinstance(part, staticmethod))
                if is_called and name not in HOOKED and (as_value or name not in _EXPLICIT):
                    self.read_by_name(owner, name)
        metaclass: type = type(kind)
        if is_open(metaclass):
            self._class_values |= {id(owner) for owner in metaclass.__mro__}  # self is a class in their methods
            self.follow_class(metaclass)
        if as_value and is_open(kind):
            self._follower.attributes.hook(kind, is_followed_class(kind))

    def follow_space(self, space: Any) -> None:
        """Note what functions read by name of a module, a class or an optimizer's group."""
        if not any(space is other for other in self._spaces):
            self._spaces.append(space)
            if isinstance(space, type):
                self.note_names(space)
            self._look_up(space, self.words, self.strings)

    def note_names(self, owner: Any) -> None:
        """Note the names of all attributes of a class or a function."""
        self._follower.note("names", owner, "", names_of(vars(owner)), f"the attributes of {owner.__name__}")

    def add_words(self, reads: Reads) -> None:
        """Note what a function with these names in its bytecode may read of all modules and classes."""
        words, strings = reads.words - self.words, reads.strings - self.strings
        self.words |= words
        self.strings |= strings
        if not reads.words.isdisjoint(_ASKS):
            self._asked |= reads.strings
        if "super" in reads.words:
            self._read_by_super |= reads.words
            words = reads.words
        for space in list(self._spaces):
            self._look_up(space, words, strings)
        self.loaded |= reads.loaded | reads.words
        self.any_key |= reads.any_key or not reads.words.isdisjoint(_READS_ANY_KEY)
        if not reads.words.isdisjoint(_READS_CLASSES):
            self.read_any_class()

    def read_any_class(self) -> None:
        """From now on, functions may read the methods of any class."""
        if not self._any_class:
            self._any_class = True
            for space in list(self._spaces):
                self._look_up(space, self.words, self.strings)

    def _look_up(self, space: Any, words: Iterable[str], strings: Iterable[str]) -> None:
        """Note the attributes of a module or a class, or the entries of a group, that have one of these names."""
        attributes = space if isinstance(space, dict) else vars(space)
        for name in strings if attributes is space else {*words, *strings}:
            if name in attributes and not name.startswith("__") and self._may_read(space, name, attributes[name]):
                self.read_by_name(space, name)

    def _may_read(self, space: Any, name: str, value: Any) -> bool:
        """Whether functions may read an attribute of the module or the class itself; the hooks note methods read of objects."""
        if not isinstance(value, _METHODS) or not isinstance(space, type) or name in self._read_by_super:
            return True
        return self._any_class or id(space) in self._class_values or is_followed_class(space)

    def note_missing(self) -> None:
        """Note that functions and modules do not have the attributes that were asked for in vain."""
        if not self._asked:
            return
        for value in list(self._follower.reached.values()):
            if type(value) is FunctionType and not vars(value) and self._follower.follows(value.__globals__.get("__name__")):
                self.note_names(value)
        for space in self._spaces:
            if type(space) is ModuleType:
                for name in self._asked.difference(vars(space)):
                    self._follower.note("absent", vars(space), name, None, f"{space.__name__}.{name}")
