"""Notes of what was read, and the Python function that compares them all with what there is now."""

from __future__ import annotations

import gc
import keyword
from collections.abc import Callable, Iterable, Iterator
from operator import is_
from types import FunctionType
from typing import Any, NamedTuple

from .. import backends
from ..autograd import Tensor
from ..errors import CaptureError
from .reads import MISSING, found

#: Compared by value; everything else by identity.
PLAIN = (bool, int, float, complex, str, bytes, type(None))

#: Methods of classes by which a recording notes what is read.
HOOKED = ("__getattribute__", "__setattr__", "__delattr__")

#: Classes whose objects are followed wherever they are met, with all below them: modules.
whole: list[type] = []


#: Those of which equal ones are the same.
_EXACT = frozenset({bool, int, str, bytes})


def same(now: Any, before: Any) -> bool:
    """Whether a value is what it was: itself, or an equal number, string or tuple of such."""
    if now is before:
        return True
    if type(now) is not type(before):
        return False
    if type(now) in _EXACT:
        return bool(now == before)
    if isinstance(now, PLAIN):
        return repr(now) == repr(before)  # which tells -0.0 from 0.0, and NaN is NaN
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
    """The tensors and modules among a module's attributes, which is what the library itself looks for in them."""
    return [part for part in module.__dict__.values() if isinstance(part, (Tensor, *whole))]


def identities(items: Iterable[Any]) -> frozenset[Any]:
    return frozenset((type(item), repr(item)) if isinstance(item, PLAIN) else id(item) for item in items)


def results_of(cached: Any) -> list[Any]:
    """What an ``lru_cache`` holds: keys may be among it."""
    if not cached.cache_info().currsize:
        return []
    own = [id(cached.__wrapped__), id(vars(cached))]
    held = [part for part in gc.get_referents(cached) if id(part) not in own and not isinstance(part, type)]
    if cached.cache_parameters()["maxsize"] is None:
        return [result for table in held if type(table) is dict for result in table.values()]
    links = [part for part in held if type(part) is dict and type(next(iter(part.values()), 0)).__name__ == "_lru_list_elem"]
    return [part for part in held if not any(part is table for table in links)]


def names_of(attributes: Any) -> frozenset[str]:
    """The names of a class's attributes, but for those that are set while something is recorded."""
    return frozenset(attributes).difference(HOOKED)


def bytes_of(array: Any) -> bytearray:
    """A copy of an array's values, which compares with the array itself where that lies in one piece."""
    backend: Any = backends.of_array(array)
    return bytearray(type(backend).to_numpy(backend, array).tobytes())  # the class's, which is not replaced while recording


def same_bytes(array: Any, before: bytearray) -> bool:
    """Whether an array has these values still; compared where they lie, if that is in one piece."""
    try:
        return before == memoryview(array).cast("B")
    except (TypeError, ValueError):  # not in one piece, or of a type that no buffer has
        return before == bytes_of(array)


class Note(NamedTuple):
    """That ``name`` of ``owner`` was ``value``, in one of these ways (``kind``).

    * attribute: as ``owner.name``; unset: there was no such attribute; absent: ``owner``, a dict, had no such key;
    * entry: as ``owner[name]``; type: as its class; class: as ``owner.name`` of a class, before any method is bound;
    * items, entries, members, bytes: as all contents of ``owner``, a list, dict, set or array;
    * names: as the names of all attributes of a class or a function, since another one may be found before what was, or instead of
      nothing;
    * cached: as the results that an ``lru_cache`` holds, others aside;
    * parts: as the tensors and modules in a module; variable: as the value of a :class:`ContextVar`.
    """

    kind: str
    owner: Any
    name: str
    value: Any
    path: str
    redone: bool = False  #: whether a replay leaves it as the call has left it


_TOOLS = {
    "same": same, "same_items": same_items, "parts": parts, "identities": identities, "same_bytes": same_bytes,
    "names_of": names_of, "results_of": results_of, "MISSING": MISSING, "is_": is_,
}  # fmt: skip


class Text:
    """The source of guards: expressions over symbols, and what those stand for."""

    def __init__(self) -> None:
        self.space: dict[str, Any] = dict(_TOOLS)
        self._symbols: dict[int, str] = {}

    def symbol(self, value: Any) -> str:
        """A name for an object."""
        if value is None or value is True or value is False:
            return repr(value)
        name = self._symbols.setdefault(id(value), f"x{len(self._symbols)}")
        self.space[name] = value
        return name

    def is_(self, read: str, value: Any) -> str:
        """That what ``read`` reads is this value."""
        symbol = self.symbol(value)
        if isinstance(value, (*PLAIN, tuple)) and value is not None and type(value) is not bool:
            return f"({read} is {symbol} or same({read}, {symbol}))"
        return f"{read} is {symbol}"

    def of(self, note: Note) -> str:
        """The expression that tells whether what was noted is so still."""
        kind, owner, name, value = note[:4]
        held = self.symbol(owner)
        if kind == "attribute":
            return self.is_(_attribute(held, name), value)
        if kind == "class":
            bound = not isinstance(value, (FunctionType, property, *PLAIN)) and hasattr(type(value), "__get__")
            source = found(owner, name)[0]
            if bound and source is not None:
                return f"{self.symbol(source)}.__dict__[{name!r}] is {self.symbol(value)}"
            return self.is_(_attribute(held, name), value)
        if kind == "type":
            return f"type({held}) is {self.symbol(value)}"
        if kind == "entry":
            return self.is_(f"{held}[{name!r}]", value)
        if kind == "absent":
            return f"{name!r} not in {held}"
        if kind == "unset":
            test = f"not hasattr({self.symbol(type(owner))}, {name!r})"
            return f"{test} and {name!r} not in {self.symbol(owner.__dict__)}" if hasattr(owner, "__dict__") else test
        if kind == "variable":
            return self.is_(f"{held}.get(MISSING)", value)
        if kind == "cached":
            self.symbol(value)
            return f"{self.symbol(identities(value))} <= identities(results_of({held}))"
        if kind == "members":
            self.symbol(value)  # kept, so that their identities stay theirs
            return f"identities({held}) == {self.symbol(identities(value))}"
        if kind == "entries":
            keys, values = value
            return f"{self.items(held, keys)} and {self.items(f'{held}.values()', values)}"
        if kind == "names":
            attributes = vars(owner)  # a new one is the last
            read = self.symbol(attributes)
            if not attributes and not value:
                return f"not {read}"
            quick = f"len({read}) == {len(attributes)} and next(reversed({read}), '') == {next(reversed(attributes), '')!r}"
            test = f"names_of({read}) == {self.symbol(value)}"
            return f"({quick} or {test})" if names_of(attributes) == value else test
        if kind == "parts":
            everything = tuple(owner.__dict__.values())  # so long as these are the same, so are the parts
            if not same_items(parts(owner), value):
                return f"same_items(parts({held}), {self.symbol(value)})"
            return f"({self.items(f'{held}.__dict__.values()', everything)} or same_items(parts({held}), {self.symbol(value)}))"
        if kind == "items":
            return self.items(held, value)
        return f"same_bytes({held}, {self.symbol(value)})"

    def items(self, read: str, value: tuple[Any, ...]) -> str:
        """That what ``read`` reads has these items."""
        symbol = self.symbol(value)
        return f"(len({read}) == {len(value)} and all(map(is_, {read}, {symbol})) or same_items({read}, {symbol}))"

    def function(self, own: list[str], others: list[str], names: list[tuple[Any, str, Any]]) -> Callable[..., bool | None]:
        """The function that tells whether all tests hold, or ``own`` alone; None where nothing but names has changed."""
        reads = []
        for space, name, value in names:
            held = self.symbol(space)
            reads.append(self.is_(f"{held}[{name!r}]" if isinstance(space, dict) else f"{held}.cell_contents", value))
        lines = ["def hold(own_alone=False):", "    try:", *_each(own, "False"), "        if own_alone: return True"]
        lines += [*_each(others, "False"), "    except Exception: return False"]
        lines += ["    try:", *_each(reads, "None"), "        return True", "    except Exception: return None"]
        exec(compile("\n".join(lines), "<guards>", "exec"), self.space)
        made: Callable[..., bool | None] = self.space.pop("hold")  # or it would hold itself
        return made


def _each(tests: list[str], otherwise: str) -> list[str]:
    return [f"        if not ({' and '.join(tests[at : at + 8])}): return {otherwise}" for at in range(0, len(tests), 8)]


def _attribute(held: str, name: str) -> str:
    plain = name.isidentifier() and not keyword.iskeyword(name)
    return f"{held}.{name}" if plain else f"getattr({held}, {name!r})"


def unchanged(text: Text, tensors: Iterable[tuple[Any, Any, bool]]) -> Iterator[str]:
    for tensor, array, needed in tensors:
        held, hooks = text.symbol(tensor), tuple(tensor._hooks or ())
        yield f"{held}._array is {text.symbol(array)}"
        yield f"{held}._requires_grad is {needed}"
        yield f"tuple({held}._hooks or ()) == {text.symbol(hooks)}" if hooks else f"not {held}._hooks"


def refuse(path: str, before: Any, now: Any) -> None:
    """Raise :class:`CaptureError` where a number has become another one."""
    numbers = all(isinstance(x, (int, float, complex)) and not isinstance(x, bool) for x in (before, now))
    if numbers and not same(now, before):
        raise CaptureError(
            f"capture: the call itself changes a number that it reads, {path} (from {before!r} to {now!r}), which a replay "
            "would not do again; hold it in a 0-d tensor and change that in place (add_), or change it outside of the function"
        )


def changed_paths(notes: Iterable[Note]) -> list[str]:
    """Where what was noted is not so any more."""
    paths: dict[str, None] = {}
    for note in notes:
        text = Text()
        if text.function([text.of(note)], [], [])():
            continue
        if note.kind == "entries" and same_items(note.owner, note.value[0]):
            pairs = zip(*note.value, note.owner.values(), strict=True)
            paths |= dict.fromkeys(f"{note.path}[{key!r}]" for key, before, now in pairs if not same(now, before))
        else:
            paths[note.path] = None
    return list(paths)


def refuse_numbers(note: Note) -> None:
    if note.kind in ("attribute", "class"):
        refuse(note.path, note.value, getattr(note.owner, note.name, None))
    elif note.kind == "entry":
        refuse(note.path, note.value, note.owner.get(note.name))
    elif note.kind == "entries":
        for key, before in zip(*note.value, strict=True):
            refuse(f"{note.path}[{key!r}]", before, note.owner.get(key))
    elif note.kind == "items" and len(note.owner) == len(note.value):
        for at, before in enumerate(note.value):
            refuse(f"{note.path}[{at}]", before, note.owner[at])
