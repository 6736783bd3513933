"""Whatever a captured function reads of Python may change between calls: the next call has the eager function's value.

An object graph, a function that reads parts of it in some form of Python, and changes of it are drawn at random. Attributes that
were not read may change without another recording.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import gc
import itertools
import operator
import sys
import threading
import types
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint import nn, optim
from adjoint.backends import Backend
from adjoint.errors import CaptureError
from adjoint.nn import functional as F

from .steps import training_step

pytestmark = pytest.mark.usefixtures("backend")

sys.modules["a_users_module"] = types.ModuleType("a_users_module")  # where data classes look for it

# --- objects, functions and changes at random ------------------------------------------------------------------------------------

WORLD = """
import collections, contextvars, copy, dataclasses, enum, functools, operator, threading, types, typing, weakref

class Leaf:
    leaf_class = 2.0
    def __init__(self): self.leaf, self.leaf_aside = 2.0, 0.0
    def get(self): return self.leaf

class Slotted:
    __slots__ = ("slot", "slot_aside")
    def __init__(self): self.slot, self.slot_aside = 2.0, 0.0

@dataclasses.dataclass
class Config:
    rate: float = 2.0
    rate_aside: float = 0.0

@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    frozen: float = 2.0

class Names(dict):
    __getattr__ = dict.__getitem__

class Mode(enum.Enum):
    FAST = 2.0

class Pair(typing.NamedTuple):
    first: float = 2.0

class Sequence_:
    def __init__(self): self.items = [2.0]
    def __getitem__(self, i): return self.items[i]
    def __len__(self): return len(self.items)
    def __iter__(self): return iter(self.items)
    def __call__(self): return self.items[0]
    def __bool__(self): return self.items[0] > 1.0
    def __add__(self, other): return self.items[0] + other
    def __enter__(self): return self.items[0]
    def __exit__(self, *_): pass

class Reading:
    def __init__(self): self.reading = 2.0
    def __getattribute__(self, name): return super().__getattribute__(name)

class Meta(type):
    meta = 2.0
class OfMeta(metaclass=Meta):
    pass

class Doubling:
    def __init__(self): self.factor = 2.0
    def __get__(self, instance, owner=None): return self.factor

class Wrapped:
    def __init__(self, inner): self.inner = inner
    def __getattr__(self, name): return getattr(self.inner, name)

class Base:
    base_class = 2.0
    def of_base(self): return self.base_attribute

class Under:
    over = 2.0
    def f(self): return 2.0
    @classmethod
    def of(cls): return cls.over
    @staticmethod
    def static(): return 2.0
    def __call__(self): return 2.0
    def __len__(self): return 1

class Middle(Under): pass
class Upper(Middle):
    def f(self): return super().f()

def plain(): return 2.0
def of_missing():
    try: return not_there
    except NameError: return 2.0

class Trainer(Base):
    own_class = 2.0
    shadowed = 2.0
    def __init__(self):
        self.attribute = self.attribute_aside = self.base_attribute = self.private = self.by_text = self.in_vars = 2.0
        self.leaf, self.slotted, self.config, self.frozen = Leaf(), Slotted(), Config(), Frozen()
        self.leaves = [Leaf(), Leaf()]
        self.table = {"entry": 2.0, "leaf": Leaf(), "function": lambda: 2.0}
        self.list, self.tuple, self.set = [2.0, 1.0], (2.0, Leaf()), {2.0}
        self.deque, self.namespace, self.names = collections.deque([2.0]), types.SimpleNamespace(a=2.0), Names(a=2.0)
        self.reference, self.partial = weakref.ref(self.leaf), functools.partial(lambda k, leaf: k * leaf.leaf, 0.5, self.leaves[0])
        self.wrapped, self.bound = Wrapped(Leaf()), self.leaves[1].get
        self.by_getter = self.in_cache = 2.0
        self.sequence, self.reading, self.mode, self.pair = Sequence_(), Reading(), Mode.FAST, Pair()
        self.nested, self.default = {"a": [{"b": (Leaf(), [2.0])}]}, collections.defaultdict(float, a=2.0)
        self.user, self.view = collections.UserDict(a=2.0), types.MappingProxyType(global_table)
        self.keywords, self.proxy = {"a": 2.0}, weakref.proxy(self.leaves[0])
        self.tensor, self.learned, self.parameter = tensor(2.0), [tensor(1.0), tensor(1.0)], Parameter(tensor(1.0))
        self.parameter.scale, self.upper = 2.0, Upper()
    def method(self): return 2.0
    def own_method(self): return 2.0
    def of_super(self): return super().base_class
    @property
    def doubled(self): return self.private * 2
    @functools.cached_property
    def in_a_cache(self): return self.in_cache
    described = Doubling()
    @classmethod
    def of_class(cls): return cls.own_class
    @staticmethod
    def static(): return global_leaf.leaf

def helper(a=2.0, *, b=2.0): return a * b
def of_code(): return 2.0
def matched(config):
    match config:
        case Config(rate=rate): return rate
def imported():
    from a_users_module import module
    return module.in_module
helper.attribute = 2.0

@functools.lru_cache
def cached(): return Config()

@functools.cache
def cached_dict(): return {"a": 2.0}

@functools.lru_cache(4)
def cached_list(n): return [2.0] * n

global_leaf, global_table, global_number = Leaf(), {"entry": 2.0}, 2.0
module = types.ModuleType("module")
module.in_module, module.leaf_in_module = 2.0, Leaf()
local = threading.local()
local.a = 2.0
variable = contextvars.ContextVar("variable", default=2.0)

def made(closure_number=2.0):
    closure_leaf = Leaf()
    def inner(): return closure_leaf.leaf
    inner.leaf = closure_leaf
    return inner
inner = made()
"""


def changed_code(w: Any, v: float) -> None:
    w["of_code"].__code__ = eval(f"lambda: {v!r}".replace("nan", "1e999 - 1e999")).__code__


def attribute(path: str) -> Callable[[Any, Any], None]:
    """The change that assigns to an attribute or an entry."""

    def change(world: Any, value: Any) -> None:
        exec(f"{path} = value", world, {"value": value})

    return change


def called(path: str) -> Callable[[Any, Any], None]:
    """The change that replaces a function."""
    return lambda world, value: exec(f"{path} = lambda *_: value", world | {"value": value})


#: How a function reads a number, and how that is changed.
READS: dict[str, tuple[str, Callable[[Any, Any], None]]] = {
    "attribute": ("t.attribute", attribute("t.attribute")),
    "attribute by an alias": ("(lambda s: s.attribute)(t)", attribute("t.attribute")),
    "attribute by a text": ("getattr(t, 'by_' + 'text')", attribute("t.by_text")),
    "attribute in vars": ("vars(t)['in_vars']", attribute("t.in_vars")),
    "attribute with a default": ("getattr(t, 'missing', 2.0)", attribute("t.missing")),
    "attribute of a base's method": ("t.of_base()", attribute("t.base_attribute")),
    "attribute of an attribute": ("t.leaf.leaf", attribute("t.leaf.leaf")),
    "attributes in a loop": ("sum(leaf.leaf for leaf in t.leaves)", attribute("t.leaves[1].leaf")),
    "another object in a list": ("sum(leaf.leaf for leaf in t.leaves)", lambda w, v: w["t"].leaves.append(w["Leaf"]())),
    "another object": ("t.leaf.leaf", lambda w, v: setattr(w["t"], "leaf", w["Leaf"]())),
    "slot": ("t.slotted.slot", attribute("t.slotted.slot")),
    "data class": ("t.config.rate", attribute("t.config.rate")),
    "frozen data class": ("t.frozen.frozen", lambda w, v: object.__setattr__(w["t"].frozen, "frozen", v)),
    "data class as a dict": ("dataclasses.asdict(t.config)['rate']", attribute("t.config.rate")),
    "class by an instance": ("t.own_class", attribute("Trainer.own_class")),
    "class, hidden by an instance": ("t.own_class", attribute("t.own_class")),
    "class of a base": ("t.base_class", attribute("Base.base_class")),
    "class of a base, hidden": ("t.base_class", attribute("Trainer.base_class")),
    "class by its name": ("Leaf.leaf_class", attribute("Leaf.leaf_class")),
    "class by super": ("t.of_super()", attribute("Base.base_class")),
    "class by a class method": ("t.of_class()", attribute("Trainer.own_class")),
    "class by type": ("type(t).own_class", attribute("Trainer.own_class")),
    "method of a class": ("t.method()", called("Trainer.method")),
    "method of an instance": ("t.own_method()", called("t.own_method")),
    "static method": ("t.static()", attribute("global_leaf.leaf")),
    "property": ("t.doubled", attribute("t.private")),
    "property's function": ("t.doubled", lambda w, v: setattr(w["Trainer"], "doubled", property(lambda self: v))),
    "bound method": ("t.bound()", attribute("t.leaves[1].leaf")),
    "getattr": ("t.wrapped.leaf", attribute("t.wrapped.inner.leaf")),
    "entry": ("t.table['entry']", attribute("t.table['entry']")),
    "object in an entry": ("t.table['leaf'].leaf", attribute("t.table['leaf'].leaf")),
    "function in an entry": ("t.table['function']()", called("t.table['function']")),
    "values": ("sum(v for v in t.names.values())", attribute("t.names['a']")),
    "names": ("t.names.a", attribute("t.names['a']")),
    "item": ("t.list[0]", attribute("t.list[0]")),
    "length": ("len(t.list)", lambda w, v: w["t"].list.append(v)),
    "tuple": ("t.tuple[0]", lambda w, v: setattr(w["t"], "tuple", (v, None))),
    "object in a tuple": ("t.tuple[1].leaf if t.tuple[1] else 1.0", lambda w, v: setattr(w["t"].tuple[1] or w["t"], "leaf", v)),
    "set": ("sum(t.set)", lambda w, v: w["t"].set.add(v)),
    "deque": ("t.deque[0]", attribute("t.deque[0]")),
    "namespace": ("t.namespace.a", attribute("t.namespace.a")),
    "reference": ("t.reference().leaf", attribute("t.leaf.leaf")),
    "partial": ("t.partial()", attribute("t.leaves[0].leaf")),
    "defaults": ("helper()", lambda w, v: setattr(w["helper"], "__defaults__", (v,))),
    "defaults by keyword": ("helper()", attribute("helper.__kwdefaults__['b']")),
    "function's attribute": ("helper.attribute", attribute("helper.attribute")),
    "function's code": ("of_code()", changed_code),
    "thread's own": ("local.a", attribute("local.a")),
    "cached": ("cached().rate", lambda w, v: setattr(w["cached"](), "rate", v)),
    "cached dict": ("cached_dict()['a']", lambda w, v: w["cached_dict"]().update(a=v)),
    "cached list": ("cached_list(2)[1]", lambda w, v: w["cached_list"](2).__setitem__(1, v)),
    "cached list, cleared": (
        "cached_list(3)[0]",
        lambda w, v: (w["cached_list"].cache_clear(), w["cached_list"](3).append(v)),
    ),
    "global object": ("global_leaf.leaf", attribute("global_leaf.leaf")),
    "global dict": ("global_table['entry']", attribute("global_table['entry']")),
    "global number": ("global_number", lambda w, v: w.update(global_number=v)),
    "module": ("module.in_module", attribute("module.in_module")),
    "object in a module": ("module.leaf_in_module.leaf", attribute("module.leaf_in_module.leaf")),
    "closure": ("inner()", attribute("inner.leaf.leaf")),
    "variable of a context": ("variable.get()", lambda w, v: w["variable"].set(v)),
    "attribute by a getter": ("operator.attrgetter('by_getter')(t)", attribute("t.by_getter")),
    "attribute in the dict": ("t.__dict__['attribute']", attribute("t.attribute")),
    "class of an instance": ("t.__class__.own_class", attribute("Trainer.own_class")),
    "special: item": ("t.sequence[0]", attribute("t.sequence.items[0]")),
    "special: length": ("len(t.sequence)", lambda w, v: w["t"].sequence.items.append(v)),
    "special: iteration": ("sum(t.sequence)", lambda w, v: w["t"].sequence.items.append(v)),
    "special: call": ("t.sequence()", attribute("t.sequence.items[0]")),
    "special: truth": ("(1.0 if t.sequence else 3.0)", attribute("t.sequence.items[0]")),
    "special: addition": ("t.sequence + 1.0", attribute("t.sequence.items[0]")),
    "special: a replaced call": ("t.sequence()", called("Sequence_.__call__")),
    "special: a replaced item": ("t.sequence[0]", called("Sequence_.__getitem__")),
    "special: a replaced truth": (
        "(1.0 if t.sequence else 3.0)",
        lambda w, v: setattr(w["Sequence_"], "__bool__", lambda s: v > 1),
    ),
    "getattribute": ("t.reading.reading", attribute("t.reading.reading")),
    "enumeration": ("t.mode.value", lambda w, v: setattr(w["t"], "mode", w["enum"].Enum("M", {"A": v}).A)),
    "named tuple": ("t.pair.first", lambda w, v: setattr(w["t"], "pair", w["Pair"](v))),
    "matched": ("matched(t.config)", attribute("t.config.rate")),
    "copied": ("copy.copy(t.config).rate", attribute("t.config.rate")),
    "copied, of slots": ("copy.copy(t.slotted).slot", attribute("t.slotted.slot")),
    "replaced": ("dataclasses.replace(t.config).rate", attribute("t.config.rate")),
    "compared": ("(1.0 if t.config == Config() else 3.0)", attribute("t.config.rate")),
    "nested object": ("t.nested['a'][0]['b'][0].leaf", attribute("t.nested['a'][0]['b'][0].leaf")),
    "nested item": ("t.nested['a'][0]['b'][1][0]", attribute("t.nested['a'][0]['b'][1][0]")),
    "default dict": ("t.default['a']", attribute("t.default['a']")),
    "user's dict": ("t.user['a']", attribute("t.user['a']")),
    "view of a dict": ("t.view['entry']", attribute("global_table['entry']")),
    "keywords": ("(lambda a: a)(**t.keywords)", attribute("t.keywords['a']")),
    "proxy": ("t.proxy.leaf", attribute("t.leaves[0].leaf")),
    "cached property": ("t.in_a_cache", attribute("t.in_a_cache")),
    "descriptor": ("t.described", lambda w, v: setattr(vars(w["Trainer"])["described"], "factor", v)),
    "imported": ("imported()", attribute("module.in_module")),
    "metaclass": ("OfMeta.meta", attribute("Meta.meta")),
    "class that was changed": (
        "t.own_class",
        lambda w, v: setattr(w["t"], "__class__", type("U", (type(w["t"]),), {"own_class": v})),
    ),
    "class by type, changed": (
        "type(t).own_class",
        lambda w, v: setattr(w["t"], "__class__", type("U", (type(w["t"]),), {"own_class": v})),
    ),
    "tensor": ("t.tensor", lambda w, v: setattr(w["t"], "tensor", ad.tensor(float(v)))),
    "attribute of a base, hidden by one between": ("Upper.over", attribute("Middle.over")),
    "the same, by a class method": ("Upper.of()", attribute("Middle.over")),
    "the same, by type": ("type(t.upper).over", attribute("Middle.over")),
    "the same, by super": ("t.upper.f()", called("Middle.f")),
    "static method of a base, hidden": ("Upper.static()", lambda w, v: setattr(w["Middle"], "static", staticmethod(lambda: v))),
    "special: an added call": ("t.upper()", called("Middle.__call__")),
    "special: an added truth": ("(1.0 if t.upper else 3.0)", lambda w, v: setattr(w["Upper"], "__bool__", lambda s: v > 1)),
    "class with a default": ("getattr(Upper, 'missing', 2.0)", attribute("Middle.missing")),
    "class that is asked": ("(Upper.missing_too if hasattr(Upper, 'missing_too') else 2.0)", attribute("Upper.missing_too")),
    "object with a default, of its class": ("getattr(t.upper, 'not_set', 2.0)", attribute("Middle.not_set")),
    "object with a default, by getattr": (
        "getattr(t.upper, 'not_set_either', 2.0)",
        lambda w, v: setattr(w["Middle"], "__getattr__", lambda s, name: v),
    ),
    "module with a default": ("getattr(module, 'missing', 2.0)", attribute("module.missing")),
    "module that is asked": ("(module.gone if hasattr(module, 'gone') else 2.0)", attribute("module.gone")),
    "function with a default": ("getattr(plain, 'missing', 2.0)", attribute("plain.missing")),
    "global that is missing": ("of_missing()", lambda w, v: w.setdefault("not_there", v)),
    "built-in function, hidden": ("abs(-2.0)", lambda w, v: w.setdefault("abs", lambda _: v)),
    "tensor that requires a gradient": (
        "(3.0 if t.learned[0].requires_grad else 2.0)",
        lambda w, v: w["t"].learned[0].requires_grad_(v > 1),
    ),
    "tensors that require gradients": (
        "sum(3.0 for part in t.learned if part.requires_grad)",
        lambda w, v: w["t"].learned[1].requires_grad_(v > 1),
    ),
    "parameter that requires a gradient": (
        "(3.0 if t.parameter.requires_grad else 2.0)",
        lambda w, v: w["t"].parameter.requires_grad_(v > 1),
    ),
    "parameter's attribute": ("t.parameter.scale", attribute("t.parameter.scale")),
    "parameter's attribute with a default": ("getattr(t.parameter, 'missing', 2.0)", attribute("t.parameter.missing")),
    "tensor's shape": ("t.learned[0].numel()", lambda w, v: setattr(w["t"].learned[0], "data", ad.ones(int(v > 1) + 1))),
    "tensor written to": ("t.tensor", lambda w, v: w["t"].tensor.fill_(float(v)) if isinstance(w["t"].tensor, ad.Tensor) else None),
}

#: Changes of what is next to what is read.
ASIDE: dict[str, Callable[[Any, Any], None]] = {
    path: attribute(path)
    for path in ("t.attribute_aside", "t.leaf.leaf_aside", "t.slotted.slot_aside", "t.config.rate_aside", "t.not_there_before")
}

#: Those that read all of an object.
WHOLE = {"attribute in vars", "attribute in the dict", "data class as a dict", "copied", "copied, of slots", "replaced", "compared"}

VALUES = st.sampled_from([0.5, 2.0, 3.0, -0.0, 0.0, 2, 3, True, float("nan")])


def world_of(reads: list[str], form: str) -> tuple[Any, Any]:
    """A fresh world, and the function in it that reads so."""
    world: Any = {"__name__": "a_users_module", "tensor": ad.tensor, "Parameter": nn.Parameter}
    lines = "".join(f"    x = x * 0.5 + ({READS[name][0]})\n" for name in reads)
    head = {
        "method": "class Stepping(Trainer):\n  def step(self, x):\n    t = self\n",
        "argument": "def step(t, x):\n",
        "closure": "def of(t):\n  def step(x):\n",
        "global": "def step(x):\n",
    }[form]
    exec(
        compile(f"{WORLD}\n{head}{lines}    return x\n" + ("  return step\n" if form == "closure" else ""), "<world>", "exec"),
        world,
    )
    sys.modules["a_users_module"].__dict__.update(module=world["module"])
    world["t"] = t = world["Stepping" if form == "method" else "Trainer"]()
    if form == "argument":
        return world, functools.partial(world["step"], t)
    return world, {"method": lambda: t.step, "closure": lambda: world["of"](t), "global": lambda: world["step"]}[form]()


@settings(max_examples=250)
@given(
    st.lists(st.sampled_from(list(READS)), min_size=1, max_size=3, unique=True),
    st.sampled_from(["method", "argument", "closure", "global"]),
    st.data(),
)
def test_a_captured_call_is_never_stale(reads: list[str], form: str, data: st.DataObject) -> None:
    world, function = world_of(reads, form)
    captured, x = ad.capture(function), ad.tensor([1.0, -2.0])
    captured(x), captured(x)
    number = world["global_number"]
    changes = data.draw(st.lists(st.tuples(st.sampled_from([*reads, *READS, *ASIDE]), VALUES), min_size=1, max_size=4))
    for name, value in changes:
        recordings = captured.recordings
        (READS[name][1] if name in READS else ASIDE[name])(world, value)
        expected = repr(function(x).tolist())
        for _ in range(2):
            if name == "global number" and name in reads and repr(world["global_number"]) != repr(number):
                with pytest.raises(CaptureError, match="'global_number', which the function reads"):
                    captured(x)
                captured.reset()
                number = world["global_number"]
            assert repr(captured(x).tolist()) == expected, name
        if name in ASIDE and not WHOLE & set(reads):
            assert captured.recordings == recordings, f"{name} was not read"
    assert captured.stats.programs


@pytest.mark.parametrize("name", READS)
def test_each_change_of_what_was_read(name: str, backend: Backend) -> None:
    world, function = world_of([name], "method")
    captured, x = ad.capture(function), ad.tensor([1.0, -2.0])
    for value in (3.0, 0.5, 7.0):
        captured(x), captured(x)
        READS[name][1](world, value)
        expected = function(x).tolist()
        if name == "global number":
            with pytest.raises(CaptureError):
                captured(x)
            captured.reset()
        for _ in range(2):
            assert captured(x).tolist() == expected
    before = captured.stats.replays
    captured(x)
    assert captured.stats.replays == before + 1


@pytest.mark.parametrize(("before", "after"), [(2.0, 2), (1, True), (0.0, -0.0), ((1, 2), (1.0, 2.0)), ([1], [1.0])])
def test_equal_numbers_of_another_kind_are_others_and_new_ones_of_the_same_are_not(before: Any, after: Any) -> None:
    holder = types.SimpleNamespace(value=before)
    captured = ad.capture(lambda x: ad.tensor(holder.value) * x)
    for value, programs in [(before, 1), (copy.deepcopy(before), 1), (after, 2), (before, 2)]:
        if not isinstance(value, list) or programs == 2:  # another list is another object
            holder.value = value
        for _ in range(2):
            found, wanted = captured(ad.tensor(1)), ad.tensor(holder.value) * ad.tensor(1)
            assert repr(found) == repr(wanted)
        assert captured.stats.programs == programs


# --- what the call itself changes ------------------------------------------------------------------------------------------------


class Counting:
    total = 0

    def __init__(self) -> None:
        self.n, self.entries, self.list, self.inner = 0, {"n": 0}, [0], types.SimpleNamespace(n=0)

    def used(self, x: Any) -> Any:
        self.n += 1
        return x * self.n

    def counted(self, x: Any) -> Any:
        self.n += 1
        return x

    def entry(self, x: Any) -> Any:
        self.entries["n"] += 1
        return x * self.entries["n"]

    def item(self, x: Any) -> Any:
        self.list[0] += 1
        return x

    def namespace(self, x: Any) -> Any:
        self.inner.n += 1
        return x

    def of_class(self, x: Any) -> Any:
        type(self).total += 1
        return x * self.total


number = 0


def of_globals(x: Any) -> Any:
    global number
    number += 1
    return x * number


def of_closure() -> Any:
    n = 0

    def function(x: Any) -> Any:
        nonlocal n
        n += 1
        return x * n

    return function


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Counting().used, r"Counting\.n \(from 0 to 1\)"),
        (lambda: Counting().counted, r"Counting\.n \(from 0 to 1\)"),
        (lambda: Counting().entry, r"Counting\.entries\['n'\] \(from 0 to 1\)"),
        (lambda: Counting().item, r"Counting\.list\[0\] \(from 0 to 1\)"),
        (lambda: Counting().namespace, r"Counting\.inner\['n'\] \(from 0 to 1\)"),
        (lambda: Counting().of_class, r"Counting\.total \(from \d to \d\)"),
        (lambda: of_globals, r"'number' \(from \d to \d\)"),
        (lambda: of_closure(), r"'n' \(from 0 to 1\)"),
    ],
)
def test_a_number_that_the_call_reads_and_changes_is_refused(make: Callable[[], Any], named: str) -> None:
    with pytest.raises(CaptureError, match=rf"changes a number that it reads, {named}.*hold it in a 0-d tensor"):
        ad.capture(make())(ad.ones(2))


def test_a_number_in_a_tensor_counts_on() -> None:
    class Counts:
        def __init__(self) -> None:
            self.n = ad.tensor(0.0)

        def step(self, x: Any) -> Any:
            self.n.add_(1.0)
            return x * self.n

    step = ad.capture(Counts().step)
    assert [step(ad.ones(1)).item() for _ in range(4)] == [1.0, 2.0, 3.0, 4.0]
    assert step.stats[:2] == (1, 3)


def test_what_is_filled_once_is_recorded_when_it_is_filled() -> None:
    class Lazy:
        def __init__(self) -> None:
            self.scale: Any = None
            self.known: dict[int, float] = {}

        def step(self, x: Any) -> Any:
            if self.scale is None:
                self.scale = types.SimpleNamespace(value=2.0)
            if len(x) not in self.known:
                self.known[len(x)] = len(x) / 2
            return x * self.scale.value * self.known[len(x)]

    lazy = Lazy()
    step = ad.capture(lazy.step)
    for _ in range(3):
        for n in (2, 4, 2, 4, 2, 4):
            assert step(ad.ones(n)).tolist() == [float(n)] * n
        lazy.scale = None
        assert lazy.step(ad.ones(2)).tolist() == [2.0] * 2
        lazy.scale = None
        step(ad.ones(2))
        assert lazy.scale is not None, "a call that fills it is not replayed"
    assert step.stats.replays >= 6


def test_what_each_call_changes_is_refused_by_its_name() -> None:
    class Keeps:
        def __init__(self) -> None:
            self.lengths: list[int] = []

        def step(self, x: Any) -> Any:
            self.lengths.append(len(x))
            return x * 2

    step = ad.capture(Keeps().step)
    assert step(ad.ones(2)).tolist() == [2.0, 2.0]
    with pytest.raises(CaptureError, match=r"each call changes what it reads itself, Keeps\.lengths.*; change it outside"):
        step(ad.ones(2))


def test_an_iterator_is_refused_by_its_name() -> None:
    numbers = iter([1.0, 2.0, 3.0])
    with pytest.raises(CaptureError, match=r"reads an iterator \('numbers', a list_iterator\).*call next\(\) outside"):
        ad.capture(lambda x: x * next(numbers))(ad.ones(2))


def test_what_is_only_assigned_is_assigned_by_a_replay_too() -> None:
    class Phases:
        def step(self, x: Any) -> Any:
            self.phase, self.last = "training", self.step
            return x

    phases = Phases()
    step = ad.capture(phases.step)
    for _ in range(3):
        phases.phase = "evaluation"
        step(ad.ones(1))
        assert phases.phase == "training"


class Named:
    """An object with methods whose names the step mentions, and that it does not call."""

    def log(self) -> None:
        global number
        number += 1

    def report(self, value: Any) -> None:
        global number
        number += 1

    def step(self, x: Any, verbose: bool = False) -> Any:
        y = ad.log(x)
        if verbose:
            self.report(y)
        return y


def test_the_names_in_a_method_that_is_not_called_are_not_read() -> None:
    named = Named()
    step = ad.capture(named.step)
    for _ in range(4):
        step(ad.ones(2))
        named.log(), named.report(0.0)
    assert step.stats[:2] == (1, 3)
    with pytest.raises(CaptureError, match="'number'"):
        step(ad.ones(2), True)  # the method is called, and counts


#: What a call may assign, of what it is given, and how that is found afterwards.
WRITES: dict[str, tuple[str, str]] = {
    "attribute": ("t.phase = p", "t.phase"),
    "attribute of an attribute": ("t.leaf.leaf = p", "t.leaf.leaf"),
    "slot": ("t.slotted.slot = p", "t.slotted.slot"),
    "tuple": ("t.pair = (p, (p, None))", "t.pair"),
    "shape": ("t.shape = (p, tuple(x.shape))", "t.shape"),
    "dtype": ("t.dtype = x.dtype if p else None", "t.dtype"),
    "object that was there": ("t.chosen = t.leaves[p > 1]", "t.leaves.index(t.chosen)"),
    "tensor that was there": ("t.current = t.learned[p > 1]", "[t.current is part for part in t.learned]"),
    "new dict": ("t.info = {'p': p}", "t.info"),
    "new object": ("t.other = Config(p)", "t.other.rate"),
    "deleted": ("t.now = 1.0\n    if p > 1: del t.now", "getattr(t, 'now', 'nothing')"),
    "global": ("set_global(p)", "set_number"),
    "global that was not there": ("set_missing(p)", "globals().get('set_too')"),
    "global, a dict": ("set_global({'p': p})", "set_number"),
    "free variable": ("set_free(p)", "set_free.__closure__[0].cell_contents"),
    "free variable, from within": ("set_within(p)", "set_within.__closure__[0].cell_contents"),
}

SETTERS = """
set_number = 0.0
def set_global(p):
    global set_number
    set_number = p
def set_missing(p):
    global set_too
    set_too = p
def of_free():
    free = 0.0
    def set_free(p):
        nonlocal free
        free = p
    def set_within(p):
        def inner():
            nonlocal free
            free = (p, p)
        inner()
    return set_free, set_within
set_free, set_within = of_free()
"""


@pytest.mark.filterwarnings("ignore:capture. 4 calls:RuntimeWarning")  # as something else is assigned before every call
@settings(max_examples=100)
@given(
    st.lists(st.sampled_from(list(WRITES)), min_size=1, max_size=3, unique=True),
    st.lists(st.tuples(st.sampled_from([1.0, 2.0]), st.booleans()), min_size=2, max_size=8),
)
def test_what_is_assigned_is_as_after_the_eager_call(writes: list[str], calls: list[tuple[float, bool]]) -> None:
    def after(captured: bool) -> list[str]:
        world, _ = world_of([], "global")
        body = "".join(f"    {WRITES[name][0]}\n" for name in writes)
        exec(f"{SETTERS}\ndef step(x, p):\n{body}    return x * p\n", world)
        step = ad.capture(world["step"]) if captured else world["step"]
        told = []
        for p, between in calls:
            if between:  # what was assigned is something else before the next call
                world["step"](ad.ones(2), 3.0)
            step(ad.ones(2), p)
            told += [repr(eval(WRITES[name][1], world)) for name in writes]
        return told

    assert after(True) == after(False)


@pytest.mark.parametrize("name", WRITES)
def test_each_way_to_assign_is_replayed(name: str) -> None:
    told: list[list[str]] = []
    for wrap in (ad.capture, lambda function: function):
        world, _ = world_of([], "global")
        exec(f"{SETTERS}\ndef step(x, p):\n    {WRITES[name][0]}\n    return x * p\n", world)
        step = wrap(world["step"])
        told.append([])
        for p in (1.0, 1.0, 1.0, 2.0, 2.0, 1.0, 2.0):
            step(ad.ones(2), p)
            told[-1].append(repr(eval(WRITES[name][1], world)))
        assert step is world["step"] or step.stats.replays
    assert told[0] == told[1]


def test_a_step_that_is_recorded_at_every_call_warns_once_and_names_what_changes() -> None:
    class Trains:
        def __init__(self) -> None:
            self.state = {"factor": 1.0, "epoch": 0}
            self.history: list[float] = []

        def step(self, x: Any) -> Any:
            return x * self.state["factor"] if self.history is not None else x

    trains = Trains()
    step = ad.capture(trains.step)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(4):
            step(ad.ones(2)), step(ad.ones(2))
            trains.state["epoch"] += 1
        for _ in range(3):
            trains.state["epoch"] += 1
            step(ad.ones(2))
    trains.state["epoch"] += 1
    trains.history.append(1.0)
    with pytest.warns(
        RuntimeWarning, match=r"4 calls of .*step.* in turn .*: Trains\.history, Trains\.state\['epoch'\]; pass it as an"
    ):
        step(ad.ones(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(5):
            trains.state["epoch"] += 1
            step(ad.ones(2))


def test_an_entry_that_is_only_assigned_is_assigned_by_a_replay_too() -> None:
    metrics = {"n": 0, "factor": 2.0}

    def function(x: Any) -> Any:
        metrics["n"] = x.shape[0]
        return x * metrics["factor"]

    step = ad.capture(function)
    for n in (8, 8, 8, 3, 8, 8, 3, 3):
        step(ad.ones(n))
        assert metrics["n"] == n
    assert step.stats.replays >= 4
    before = step.stats.replays
    metrics["n"] = 5
    step(ad.ones(8))
    assert metrics["n"] == 8
    assert step.stats.replays == before + 1
    metrics["factor"] = 3.0
    assert step(ad.ones(8))[0].item() == 3.0


@pytest.mark.parametrize(
    "read", [lambda m: m["n"], lambda m: sum(m.values()), lambda m: sum(m[k] for k in m), lambda m: m.get("n")]
)
def test_an_entry_that_may_be_read_before_it_is_assigned_is_guarded(read: Callable[[Any], Any]) -> None:
    entries = {"n": 0}

    def function(x: Any) -> Any:
        y = x * read(entries)
        entries["n"] = len(x)
        return y

    with pytest.raises(CaptureError, match=r"'entries'\['n'\] \(from 0 to 2\)"):
        ad.capture(function)(ad.ones(2))


@pytest.mark.parametrize(
    "unread",
    [lambda: iter([1, 2]), lambda: (i for i in [1]), itertools.count, lambda: np.zeros(1 << 18), lambda: np.array(["a", None])],
)
def test_what_no_key_leads_to_is_not_read(unread: Callable[[], Any]) -> None:
    state = {"factor": 2.0, "aside": unread(), "inner": {"aside": [unread()]}}
    step = ad.capture(lambda x: x * state["factor"] * len(state))
    for factor in (2.0, 2.0, 3.0):
        state["factor"] = factor
        assert step(ad.ones(1)).tolist() == [factor * 3]
    assert step.stats[:2] == (2, 1)


class Doing:
    def one(self, value: Any) -> float:
        return float(next(value)) if hasattr(value, "__next__") else float(value[0])


@pytest.mark.parametrize("unread", [lambda: iter([1, 2]), lambda: np.ones(1 << 18)])
@pytest.mark.parametrize(
    "read",
    [
        lambda state, one: one(state["aside"]),
        lambda state, one: next(one(part) for part in state.values()),
        lambda state, one: one({**state}["aside"]),
        lambda state, one: next(one(state[key]) for key in state),
        lambda state, one: one(operator.itemgetter("aside")(state)),
        lambda state, one: (lambda aside: one(aside))(**state),
        lambda state, one: one(types.SimpleNamespace(**state).aside),
    ],
)
def test_what_a_key_leads_to_is_refused_as_what_a_name_leads_to(read: Callable[..., Any], unread: Callable[[], Any]) -> None:
    state = {"aside": unread()}
    with pytest.raises(CaptureError, match=r"reads (an iterator|values of a large NumPy array) \('state'\['aside'\]"):
        ad.capture(lambda x: x * read(state, Doing().one))(ad.ones(1))


def test_many_objects_are_compared_by_identity_and_followed_where_they_are_read() -> None:
    leaves = [types.new_class("Leaf", (), {})() for _ in range(3)] + [Counting() for _ in range(2000)]
    step = ad.capture(lambda x: x * len(leaves) * leaves[-1].n * leaves[5].inner.n)
    for change in (lambda: None, lambda: setattr(leaves[-1], "n", 3), lambda: setattr(leaves[5].inner, "n", 3), leaves.pop):
        change()
        expected = [len(leaves) * leaves[-1].n * leaves[5].inner.n] * 2
        assert [step(ad.ones(1)).item() for _ in range(2)] == expected
    assert step.stats[:2] == (4, 4)
    leaves[7].n = 8
    step(ad.ones(1))
    assert step.stats[:2] == (4, 5)


# --- NumPy's arrays --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "read",
    [
        lambda a, x: x * float(a[1]),
        lambda a, x: x * ad.tensor(a[[1, 2]]),
        lambda a, x: x * ad.tensor(a[1:]),
        lambda a, x: x * ad.as_tensor(a)[1:],
        lambda a, x: x * ad.tensor(a.tolist()[1:]),
    ],
)
def test_values_of_an_array_that_is_written_to(read: Callable[..., Any], backend: Backend) -> None:
    array = np.ones(3, np.float32)
    step = ad.capture(lambda x: read(array, x))
    for k in range(3):
        for _ in range(2):
            array[1:] = k
            assert step(ad.ones(2)).tolist() == [k, k]


def test_an_array_that_is_an_operand_is_read_by_each_replay() -> None:
    with ad.use_backend("numpy"):
        array = np.ones(1 << 18)
        step = ad.capture(lambda x: (x * array[:2], x * ad.as_tensor(array)[1:3]))
        for k in range(4):
            array[:] = k
            assert [part.tolist() for part in step(ad.ones(2))] == [[k, k]] * 2
        assert step.stats[:2] == (1, 3)


@pytest.mark.parametrize(
    "read",
    [
        lambda a, x: x * a * float(a.max()),
        lambda a, x: x * a[:2] * float(a[1]),
        lambda a, x: x * ad.as_tensor(a) * float(a[1]),
        lambda a, x: x * ad.as_tensor(a[:1]) * a[1].item(),
    ],
)
def test_an_array_that_is_an_operand_and_read_as_a_number(read: Callable[..., Any]) -> None:
    with ad.use_backend("numpy"):
        array = np.ones(2, np.float32)
        shared = ad.as_tensor(array)
        step = ad.capture(lambda x: read(array, x))
        changes: list[Callable[[float], Any]] = [lambda k: array.fill(k), lambda k: shared.fill_(k)]
        for k, change in enumerate(changes * 2):
            change(float(k))
            for _ in range(2):
                assert step(ad.ones(2)).tolist() == read(array, ad.ones(2)).tolist()
        assert step.stats.replays == 4


def test_an_array_that_the_call_itself_changes_is_refused() -> None:
    for use in (lambda x, a: x * ad.tensor(a), lambda x, a: x * ad.as_tensor(a), lambda x, a: x * float(a[0])):
        array = np.zeros(1, np.float32)

        def step(x: Any, array: Any = array, use: Any = use) -> Any:
            array[0] += 1
            return use(x, array)

        with ad.use_backend("numpy"):
            captured = ad.capture(step)
            assert captured(ad.ones(1)).item() == 1.0
            with pytest.raises(CaptureError, match=r"each call changes what it reads itself, .*array"):
                captured(ad.ones(1))


def test_a_large_array_is_read_as_a_tensor_or_not_at_all() -> None:
    array = np.ones(1 << 18)
    with pytest.raises(CaptureError, match=r"values of a large NumPy array \('array', 2\.1 MB\).*make it a tensor"):
        ad.capture(lambda x: x * float(array[1]))(ad.ones(2))


# --- models and trainers ---------------------------------------------------------------------------------------------------------


def test_a_model_that_was_converted_or_moved_is_another_recording(backend: Backend) -> None:
    def trained(captured: bool) -> tuple[Any, Any]:
        ad.manual_seed(1)
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
        optimizer = optim.Adam(model.parameters(), lr=0.1)
        step = training_step(model, optimizer)
        function = ad.capture(step) if captured else step
        losses, other = [], "strict" if backend.name == "numpy" else "numpy"
        for change in (
            {},
            {"dtype": ad.float64},
            {"dtype": ad.float32},
            {"device": backend},
            {"device": other},
            {"device": backend},
        ):
            model.to(**change)
            for _ in range(4):
                weight = model[0].weight
                x = ad.arange(15.0, dtype=weight.dtype, device=weight.backend).reshape(5, 3).sin()
                losses.append(function(x, ad.tensor([0, 1, 1, 0, 1], device=weight.backend)).item())
        if captured:
            assert function.stats.replays >= 10
        return losses, [p.tolist() for p in model.parameters()]

    assert trained(True) == trained(False)


def test_a_model_that_predicts_in_other_digits() -> None:
    model = nn.Linear(2, 2)
    predict = ad.capture(lambda: model(ad.ones(1, 2, dtype=model.weight.dtype)))
    for change in (model.double, model.float, model.double, lambda: model.to(ad.backends.default()), model.float):
        predict()
        change()
        for _ in range(2):
            assert predict().dtype is model.weight.dtype
            assert predict().tolist() == model(ad.ones(1, 2, dtype=model.weight.dtype)).tolist()


def test_a_frozen_layer_that_is_learned_again() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    decay = ad.capture(lambda: sum(p.square().sum() for p in model.parameters() if p.requires_grad))
    for layer, learned in [(0, False), (0, True), (1, False), (0, False), (1, True)]:
        model[layer].requires_grad_(learned)
        for _ in range(2):
            if any(p.requires_grad for p in model.parameters()):
                assert decay().item() == decay.function().item()
    assert decay.stats.replays >= 4


def test_values_that_are_loaded_need_no_recording() -> None:
    model, other = nn.Linear(2, 2), nn.Linear(2, 2)
    predict = ad.capture(model)
    predict(ad.ones(2))
    for _ in range(3):
        model.load_state_dict(other.state_dict())
        assert predict(ad.ones(2)).tolist() == other(ad.ones(2)).tolist()
    assert predict.stats[:2] == (1, 3)


def test_weights_that_are_swapped_with_their_average_take_turns() -> None:
    model = nn.Linear(2, 2)
    average = [p.detach().clone() * 0.5 for p in model.parameters()]
    predict = ad.capture(model)
    for _ in range(4):
        assert predict(ad.ones(2)).tolist() == model(ad.ones(2)).tolist()
        for i, p in enumerate(model.parameters()):
            p.data, average[i] = average[i], p.data
    assert predict.stats[:2] == (2, 2)


@dataclasses.dataclass
class Config:
    rate: float = 0.1
    clip: float = 1.0
    smoothing: float = 0.0
    loss: str = "cross entropy"
    decay: float = 0.9


LOSSES: dict[str, Callable[..., Any]] = {
    "cross entropy": lambda out, y, config: F.cross_entropy(out, y, label_smoothing=config.smoothing),
    "squares": lambda out, y, config: (out - F.one_hot(y, 3)).square().mean(),
}


class Training:
    """A trainer as people write them."""

    def __init__(self) -> None:
        self.config, self.losses = Config(), dict(LOSSES)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 3))
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.set_up(optim.Adam)

    def set_up(self, kind: Any) -> None:
        self.optimizer = kind(self.model.parameters(), lr=self.config.rate)
        self.schedule = optim.lr_scheduler.ExponentialLR(self.optimizer, 0.9)

    def loss_of(self, x: Any, y: Any) -> Any:
        return self.losses[self.config.loss](self.model(x), y, self.config)

    def step(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        loss = self.loss_of(x, y)
        loss.backward()
        for group in self.optimizer.param_groups:
            optim.clip_grad_norm_(group["params"], self.config.clip)
        self.optimizer.step()
        self.schedule.step()
        with ad.no_grad():
            for a, p in zip(self.average.parameters(), self.model.parameters(), strict=True):
                a.mul_(self.config.decay).add_(p * (1 - self.config.decay))
        return loss


def replaced_model(t: Training) -> None:
    t.model = copy.deepcopy(t.model)
    t.set_up(optim.SGD)


#: What happens to a trainer between steps, and how many recordings more that is.
EVENTS: list[tuple[Callable[[Training], Any], int]] = [
    (lambda t: None, 1),
    (lambda t: setattr(t.config, "clip", 0.01), 1),
    (lambda t: setattr(t.config, "rate", 7.0), 0),
    (lambda t: setattr(t.config, "loss", "squares"), 1),
    (lambda t: t.losses.update(squares=lambda out, y, config: out.square().mean()), 1),
    (lambda t: setattr(t.config, "loss", "cross entropy"), 1),
    (lambda t: t.set_up(optim.SGD), 1),
    (lambda t: t.model.load_state_dict(t.average.state_dict()), 0),
    (lambda t: t.model.eval(), 1),
    (lambda t: t.model.train(), 0),
    (lambda t: t.model[0].requires_grad_(False), 1),
    (lambda t: t.model[0].register_forward_hook(lambda module, args, out: out * 2), 1),
    (lambda t: (t.model.double(), t.average.double()), 1),
    (replaced_model, 1),
    (lambda t: t.optimizer.add_param_group({"params": [nn.Parameter(ad.ones(1))]}), 1),
    (lambda t: setattr(t, "loss_of", lambda x, y: t.model(x).square().sum()), 1),
    (lambda t: setattr(type(t.model[1]), "forward", lambda module, x: x.sigmoid()), 1),
]


def test_a_trainer_and_all_that_happens_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def trained(captured: bool) -> Any:
        with monkeypatch.context() as patches:
            patches.setattr(nn.Tanh, "forward", nn.Tanh.forward)  # put back at the end
            ad.manual_seed(3)
            t, rng, losses = Training(), np.random.default_rng(0), []
            step = ad.capture(t.step) if captured else t.step
            for k, (event, more) in enumerate(EVENTS):
                before = step.recordings if captured else 0
                event(t)
                for _ in range(4):
                    x = ad.tensor(rng.normal(size=(5, 4)), dtype=t.model[0].weight.dtype)
                    losses.append(step(x, ad.tensor(rng.integers(0, 3, 5))).item())
                assert not captured or step.recordings == before + more, f"event {k}"
            return losses, [p.tolist() for p in (*t.model.parameters(), *t.average.parameters())]

    assert trained(True) == trained(False)


def test_the_parts_of_a_module_and_the_groups_of_an_optimizer() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    total = ad.capture(lambda: sum(p.detach().sum() for p in model.parameters()))
    rate = ad.capture(lambda x: x * optimizer.param_groups[0]["lr"])
    listed = ad.capture(lambda x: x * len(optimizer.param_groups[0]["params"]))
    changes: list[Callable[[], Any]] = [
        lambda: None,
        lambda: model.append(nn.Linear(1, 1)),
        lambda: setattr(model[0], "bias", None),
        lambda: optimizer.param_groups[0].update(lr=0.25),
        lambda: setattr(model, "epoch", 3),
    ]
    for change in changes:
        change()
        for _ in range(2):
            assert total().item() == sum(p.detach().sum() for p in model.parameters()).item()
            assert rate(ad.ones(1)).item() == optimizer.param_groups[0]["lr"]
            assert listed(ad.ones(1)).item() == 2
    assert (total.stats.programs, rate.stats.programs, listed.stats.programs) == (3, 2, 1)


def test_what_a_scheduler_changes_is_read_before_its_step_or_not_at_all() -> None:
    w = ad.ones(2, requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    reads: list[Callable[[], float]] = [
        lambda: schedule.get_last_lr()[0],
        lambda: schedule.last_epoch,
        lambda: optimizer.param_groups[0]["lr"],
    ]
    for read in reads:
        step = ad.capture(lambda x, read=read: x * read())
        for _ in range(3):
            schedule.step()
            assert step(ad.ones(1)).item() == step(ad.ones(1)).item() == read()
        with pytest.raises(CaptureError, match=r"after a scheduler's step in the same call.*read it outside"):
            ad.capture(lambda x, read=read: (schedule.step(), x * read())[1])(ad.ones(1))


def test_an_optimizers_formula_and_an_operations_derivative() -> None:
    scale = {"update": 1.0, "backward": 1.0}

    class Plain(optim.Optimizer):
        counts_steps = False

        def numbers(self, group: Any, step: int) -> dict[str, Any]:
            return {"lr": group["lr"]}

        @staticmethod
        def update(xp: Any, p: Any, g: Any, lr: float) -> Any:
            return p - lr * scale["update"] * g, {}

    class Scaled(ad.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 1.0

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * scale["backward"]

    for wrap in (ad.capture, lambda function: function):
        w = ad.zeros(2, requires_grad=True)
        optimizer = Plain([w], {"lr": 1.0})

        def step(w: Any = w, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            Scaled.apply(w).sum().backward()
            optimizer.step()
            return w.detach()

        run = wrap(step)
        scale.update(update=1.0, backward=1.0)
        for key, value, after in [("update", 1.0, -2.0), ("update", 2.0, -6.0), ("backward", 3.0, -18.0), ("update", 1.0, -24.0)]:
            scale[key] = value
            for _ in range(2):
                run()
            assert w.tolist() == [after, after], key


# --- nothing is left behind ------------------------------------------------------------------------------------------------------


def test_classes_are_as_they_were_after_a_recording_and_after_an_error() -> None:
    world, function = world_of([name for name in READS if not name.startswith("copied")], "method")  # copying leaves something
    classes = [part for part in world.values() if isinstance(part, type)]
    before = [dict(vars(kind)) for kind in classes]
    ad.capture(function)(ad.ones(2))
    assert [dict(vars(kind)) for kind in classes] == before
    leaf = world["Leaf"]

    def interrupted(x: Any) -> Any:
        assert "__getattribute__" in vars(leaf), "what is read is noted"
        _ = world["t"].leaf.leaf
        raise KeyboardInterrupt

    world["t"].interrupted = interrupted
    with pytest.raises(KeyboardInterrupt):
        ad.capture(lambda x: (world["t"].leaf, world["t"].interrupted(x)))(ad.ones(2))
    assert [dict(vars(kind)) for kind in classes] == before


def test_another_threads_reading_is_not_noted() -> None:
    world, _ = world_of(["attribute"], "method")
    t, inside, outside = world["t"], threading.Event(), threading.Event()

    def elsewhere() -> None:
        inside.wait(10)
        t.base_attribute += 1
        outside.set()

    def function(x: Any) -> Any:
        y = x * t.attribute
        inside.set()
        assert outside.wait(10)
        return y

    thread = threading.Thread(target=elsewhere)
    thread.start()
    captured = ad.capture(function)
    captured(ad.ones(2))
    thread.join()
    t.base_attribute = 9.0
    captured(ad.ones(2))
    assert captured.stats[:2] == (1, 1)


def test_a_trainer_is_let_go_of_with_its_captured_step() -> None:
    t = Training()
    step, x, y = ad.capture(t.step), ad.ones(5, 4), ad.tensor([0, 1, 2, 0, 1])
    kept = [weakref.ref(part) for part in (t, t.model, t.optimizer, t.config, *t.model.parameters())]
    gc.disable()
    try:
        for _ in range(3):
            step(x, y)
        del t, step
        assert [reference() for reference in kept] == [None] * len(kept)
    finally:
        gc.enable()


def test_what_a_call_makes_is_not_kept_alive() -> None:
    alive: Any = weakref.WeakSet()

    @dataclasses.dataclass(eq=False)
    class Output:
        value: Any
        scale: float = 2.0

    @dataclasses.dataclass(frozen=True, eq=False)
    class FrozenOutput:
        parts: list[Any]

    def function(x: Any) -> Any:
        out = Output(x * 2)
        frozen = FrozenOutput([out.value * out.scale])
        alive.update((out, frozen))
        return frozen.parts[0] + out.value

    captured = ad.capture(function)
    gc.disable()
    try:
        assert captured(ad.ones(1)).item() == 6.0
        assert not alive
    finally:
        gc.enable()
    assert captured(ad.ones(1)).item() == 6.0
    assert captured.stats[:2] == (1, 1)
