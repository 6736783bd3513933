"""Guards on what a recording read of Python: notes of it, and the generated function that compares them with the present state.

Names that functions read (globals, closure variables) are the exception: where only those have changed, :func:`check_names` raises.
"""

from __future__ import annotations

import gc
import keyword
from collections.abc import Callable, Iterable, Iterator
from operator import is_
from types import FunctionType
from typing import Any, NamedTuple

from .. import backends
from ..autograd import Tensor
from ..codegen import compile_function
from ..errors import CaptureError
from .bytecode import MISSING, lookup, value_of_name

#: Compared by value; everything else by identity.
PLAIN = (bool, int, float, complex, str, bytes, type(None))

#: Methods of classes by which a recording notes what is read.
HOOKED = ("__getattribute__", "__setattr__", "__delattr__")

#: Classes whose objects are followed wherever they are met, with everything below them: modules.
module_classes: list[type] = []

#: Equal values of these are the same.
_EXACT = frozenset({bool, int, str, bytes})


class Note(NamedTuple):
    """One thing that a recording read, which has to be the same at each replay.

    ============= ========================================================================================================
    kind          what was read
    ============= ========================================================================================================
    ``attribute`` ``owner.name``, an object's: it is ``value``
    ``unset``     ``owner.name``: there is no such attribute
    ``class``     ``owner.name``, a class's: it is ``value``, as the class holds it, before a method is bound
    ``type``      the class of ``owner``: it is ``value``
    ``entry``     ``owner[name]``, of a dict: it is ``value``
    ``absent``    ``owner``, a dict, has no key ``name``
    ``items``     all items of ``owner``, a list, a deque or the keys of a dict
    ``entries``   all keys and values of ``owner``, a dict: ``value`` is both
    ``members``   all members of ``owner``, a set
    ``bytes``     all values of ``owner``, an array
    ``names``     the names of all attributes of ``owner``, a class or a function: a new one may hide what was read
    ``cached``    results that ``owner``, an ``lru_cache``, holds: all of ``value``, and others perhaps
    ``parts``     the tensors and modules among the attributes of ``owner``, a module
    ``variable``  the value of ``owner``, a :class:`ContextVar`
    ============= ========================================================================================================

    Until the end of the recording there are two more, of objects that the call itself may have made: ``unbound``, which becomes
    ``absent`` of the object's ``__dict__``, and ``last``, which becomes ``attribute`` with the value at the end.
    """

    kind: str
    owner: Any
    name: str
    value: Any
    path: str  #: how a message calls it
    is_restored: bool = False  #: whether a replay leaves it as the call has left it


# --- comparing -------------------------------------------------------------------------------------------------------------------


def same(now: Any, before: Any) -> bool:
    """Whether a value is the one before: itself, or an equal number, string or tuple of such."""
    if now is before:
        return True
    if type(now) is not type(before):
        return False
    if type(now) in _EXACT:
        return bool(now == before)
    if isinstance(now, PLAIN):
        return repr(now) == repr(before)  # -0.0 differs from 0.0, and NaN is NaN
    return type(now) is tuple and same_items(now, before)


def same_items(now: Any, before: tuple[Any, ...]) -> bool:
    """:func:`same` of each item."""
    if len(now) != len(before):
        return False
    if all(map(is_, now, before)):
        return True
    if _EXACT.issuperset(map(type, before)):
        return tuple(map(type, now)) == tuple(map(type, before)) and tuple(now) == before
    return all(map(same, now, before))


def parts(module: Any) -> list[Any]:
    """The tensors and modules among a module's attributes, which are what the library itself looks for in them."""
    return [part for part in module.__dict__.values() if isinstance(part, (Tensor, *module_classes))]


def identities(items: Iterable[Any]) -> frozenset[Any]:
    return frozenset((type(item), repr(item)) if isinstance(item, PLAIN) else id(item) for item in items)


def cached_results(cached: Any) -> list[Any]:
    """The results that an ``lru_cache`` holds, and perhaps keys."""
    if not cached.cache_info().currsize:
        return []
    own = [id(cached.__wrapped__), id(vars(cached))]
    referents = [part for part in gc.get_referents(cached) if id(part) not in own and not isinstance(part, type)]
    if cached.cache_parameters()["maxsize"] is None:
        return [result for table in referents if type(table) is dict for result in table.values()]
    tables = [part for part in referents if type(part) is dict and type(next(iter(part.values()), 0)).__name__ == "_lru_list_elem"]
    return [part for part in referents if not any(part is table for table in tables)]


def names_of(attributes: Any) -> frozenset[str]:
    """The names of a class's attributes, without those that a recording sets."""
    return frozenset(attributes).difference(HOOKED)


def bytes_of(array: Any) -> bytearray:
    """A copy of an array's values, which compares with the array itself where that is contiguous."""
    backend: Any = backends.of_array(array)
    return bytearray(type(backend).to_numpy(backend, array).tobytes())  # the class's method, which no recording replaces


def same_bytes(array: Any, before: bytearray) -> bool:
    """Whether an array still has these values, compared in place where it is contiguous."""
    try:
        return before == memoryview(array).cast("B")
    except (TypeError, ValueError):  # not contiguous, or of a dtype that no buffer has
        return before == bytes_of(array)


# --- the generated function ------------------------------------------------------------------------------------------------------

_TOOLS = {
    "same": same, "same_items": same_items, "parts": parts, "identities": identities, "same_bytes": same_bytes,
    "names_of": names_of, "cached_results": cached_results, "MISSING": MISSING, "is_": is_,
}  # fmt: skip


class GuardSource:
    """The source of a guard function: tests as Python expressions, and the objects that their symbols stand for."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = dict(_TOOLS)
        self._symbols: dict[int, str] = {}

    def symbol(self, value: Any) -> str:
        """A name for an object."""
        if value is None or value is True or value is False:
            return repr(value)
        name = self._symbols.setdefault(id(value), f"x{len(self._symbols)}")
        self.namespace[name] = value
        return name

    def is_same(self, read: str, value: Any) -> str:
        """The test that the expression ``read`` has this value."""
        symbol = self.symbol(value)
        if isinstance(value, (*PLAIN, tuple)) and value is not None and type(value) is not bool:
            return f"({read} is {symbol} or same({read}, {symbol}))"
        return f"{read} is {symbol}"

    def has_items(self, read: str, value: tuple[Any, ...]) -> str:
        """The test that the expression ``read`` has these items."""
        symbol = self.symbol(value)
        return f"(len({read}) == {len(value)} and all(map(is_, {read}, {symbol})) or same_items({read}, {symbol}))"

    def test(self, note: Note) -> str:
        """The test that a note still holds."""
        kind, owner, name, value = note[:4]
        symbol = self.symbol(owner)
        if kind == "attribute":
            return self.is_same(_attribute(symbol, name), value)
        if kind == "class":
            is_bound = not isinstance(value, (FunctionType, property, *PLAIN)) and hasattr(type(value), "__get__")
            source = lookup(owner, name)[0]
            if is_bound and source is not None:
                return f"{self.symbol(source)}.__dict__[{name!r}] is {self.symbol(value)}"
            return self.is_same(_attribute(symbol, name), value)
        if kind == "type":
            return f"type({symbol}) is {self.symbol(value)}"
        if kind == "entry":
            return self.is_same(f"{symbol}[{name!r}]", value)
        if kind == "absent":
            return f"{name!r} not in {symbol}"
        if kind == "unset":
            test = f"not hasattr({self.symbol(type(owner))}, {name!r})"
            return f"{test} and {name!r} not in {self.symbol(owner.__dict__)}" if hasattr(owner, "__dict__") else test
        if kind == "variable":
            return self.is_same(f"{symbol}.get(MISSING)", value)
        if kind == "cached":
            self.symbol(value)  # kept alive, so that no other object gets their identities
            return f"{self.symbol(identities(value))} <= identities(cached_results({symbol}))"
        if kind == "members":
            self.symbol(value)
            return f"identities({symbol}) == {self.symbol(identities(value))}"
        if kind == "entries":
            keys, values = value
            return f"{self.has_items(symbol, keys)} and {self.has_items(f'{symbol}.values()', values)}"
        if kind == "names":
            attributes = vars(owner)
            read = self.symbol(attributes)
            if not attributes and not value:
                return f"not {read}"
            test = f"names_of({read}) == {self.symbol(value)}"
            last = next(reversed(attributes), "")  # a new attribute is the last
            quick = f"len({read}) == {len(attributes)} and next(reversed({read}), '') == {last!r}"
            return f"({quick} or {test})" if names_of(attributes) == value else test
        if kind == "parts":
            test = f"same_items(parts({symbol}), {self.symbol(value)})"
            if not same_items(parts(owner), value):
                return test
            everything = tuple(owner.__dict__.values())  # as long as these are the same, so are the parts
            return f"({self.has_items(f'{symbol}.__dict__.values()', everything)} or {test})"
        if kind == "items":
            return self.has_items(symbol, value)
        return f"same_bytes({symbol}, {self.symbol(value)})"

    def tensor_tests(self, tensors: Iterable[tuple[Any, Any, bool]]) -> Iterator[str]:
        """The tests that tensors have the same arrays and hooks, and still require a gradient or do not."""
        for tensor, array, requires_grad in tensors:
            symbol, hooks = self.symbol(tensor), tuple(tensor._hooks or ())
            yield f"{symbol}._array is {self.symbol(array)}"
            yield f"{symbol}._requires_grad is {requires_grad}"
            yield f"tuple({symbol}._hooks or ()) == {self.symbol(hooks)}" if hooks else f"not {symbol}._hooks"

    def compile(self, own: list[str], others: list[str], names: list[tuple[Any, str, Any]]) -> Callable[..., bool | None]:
        """The function that returns whether all tests hold, or ``own`` alone; None where only ``names`` have changed."""
        reads = []
        for space, name, value in names:
            symbol = self.symbol(space)
            reads.append(self.is_same(f"{symbol}[{name!r}]" if isinstance(space, dict) else f"{symbol}.cell_contents", value))
        lines = ["def hold(own_alone=False):", "    try:", *_each(own, "False"), "        if own_alone: return True"]
        lines += [*_each(others, "False"), "    except Exception: return False"]
        lines += ["    try:", *_each(reads, "None"), "        return True", "    except Exception: return None"]
        return compile_function("\n".join(lines), "hold", self.namespace, "guards of a recording")


def _each(tests: list[str], otherwise: str) -> list[str]:
    return [f"        if not ({' and '.join(tests[at : at + 8])}): return {otherwise}" for at in range(0, len(tests), 8)]


def _attribute(symbol: str, name: str) -> str:
    is_plain = name.isidentifier() and not keyword.iskeyword(name)
    return f"{symbol}.{name}" if is_plain else f"getattr({symbol}, {name!r})"


# --- what has changed ------------------------------------------------------------------------------------------------------------


def holds(note: Note) -> bool:
    source = GuardSource()
    return bool(source.compile([source.test(note)], [], [])())


def changed_paths(notes: Iterable[Note]) -> list[str]:
    """The paths of the notes that do not hold any more."""
    paths: dict[str, None] = {}
    for note in notes:
        if holds(note):
            continue
        if note.kind == "entries" and same_items(note.owner, note.value[0]):
            pairs = zip(*note.value, note.owner.values(), strict=True)
            paths |= dict.fromkeys(f"{note.path}[{key!r}]" for key, before, now in pairs if not same(now, before))
        else:
            paths[note.path] = None
    return list(paths)


def check_names(names: list[tuple[Any, str, Any]]) -> None:
    """Raise :class:`CaptureError` where a global or closure variable was rebound after recording."""
    for space, name, value in names:
        now = value_of_name(space, name)
        if not same(now, value):
            plain = isinstance(value, PLAIN) and isinstance(now, PLAIN)
            change = f"from {value!r} to {now!r}" if plain else f"to another {type(now).__name__}"
            raise CaptureError(
                f"capture: '{name}', which the function reads, was rebound {change} after it was recorded; pass it as an argument "
                "(a number that changes as a 0-d tensor), or call reset()"
            )


def refuse_changed_number(path: str, before: Any, now: Any) -> None:
    """Raise :class:`CaptureError` where a number has become another one."""
    are_numbers = all(isinstance(x, (int, float, complex)) and not isinstance(x, bool) for x in (before, now))
    if are_numbers and not same(now, before):
        raise CaptureError(
            f"capture: the call itself changes a number that it reads, {path} (from {before!r} to {now!r}), which a replay "
            "would not do again; hold it in a 0-d tensor and change that in place (add_), or change it outside of the function"
        )


def refuse_changed_numbers(note: Note) -> None:
    """:func:`refuse_changed_number` of all that a note, which does not hold any more, is about."""
    if note.kind in ("attribute", "class"):
        refuse_changed_number(note.path, note.value, getattr(note.owner, note.name, None))
    elif note.kind == "entry":
        refuse_changed_number(note.path, note.value, note.owner.get(note.name))
    elif note.kind == "entries":
        for key, before in zip(*note.value, strict=True):
            refuse_changed_number(f"{note.path}[{key!r}]", before, note.owner.get(key))
    elif note.kind == "items" and len(note.owner) == len(note.value):
        for at, before in enumerate(note.value):
            refuse_changed_number(f"{note.path}[{at}]", before, note.owner[at])
