"""Primitives: one forward kernel and one derivative rule per input, compiled when they are declared.

.. code-block:: python

    @primitive
    def divide(xp, x, y):
        return xp.divide(x, y)

    divide.vjp(
        x=lambda g, y: g / y,
        y=lambda g, x, y: -g * (x / y) / y,
    )

A kernel takes the namespace, then its inputs by position and its parameters by keyword. A rule's parameter names say what it
needs: ``g`` (the cotangent of the output), ``out``, ``xp``, any input or parameter by name, or an input's shape as
``x_shape``. Only what a rule that will run names is kept alive. A joint rule may also ask for ``wanted``, the names of the inputs
whose cotangents will be used, and return None for others; and where the kernel returns a tuple beside its output, for that as
``kept``. A rule returns the cotangent in the output's broadcast shape
and any dtype; summing it to the input's shape and casting it to the input's dtype is done here, once for all rules.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import FunctionType, MethodType
from typing import Any, overload

from .. import backends
from ..backends import Array, Backend, dtypes
from ..errors import BackendError
from .graph import Node, differentiable, record
from .modes import state
from .plan import Plan, Rule
from .precision import call_wide
from .tensor import Tensor, result
from .versions import View, sync_views, writes

#: Every primitive by name. The test suite walks it.
registry: dict[str, Primitive] = {}

_NUMBERS = frozenset((int, float, bool))
_FAULTS = (ValueError, IndexError, OverflowError)  #: what a kernel raises on inputs that do not go together
_written = writes.recorded
Kernel = Callable[..., Any]


class Primitive:
    """A differentiable operation. Made by :func:`primitive`; called like a function of Tensors.

    Attributes:
        name: the kernel's name, which is also its name in the differentiable namespace.
        inputs: the names of its differentiable inputs, in order.
        parameters: the names of its keyword parameters.
        rules: the derivative rule of each input that has one.
        call: the primitive as a plain function, which is what methods and operators of tensors are.
    """

    def __init__(
        self,
        kernel: Kernel,
        promotes: bool | tuple[str, ...] = True,
        floating: bool = False,
        moves: bool = False,
        views: bool = False,
        differentiable: bool = True,
        keeps: bool = False,
        wide: bool = False,
    ) -> None:
        code = kernel.__code__
        last = code.co_argcount + code.co_kwonlyargcount
        self.kernel, self.name, self.__doc__ = kernel, kernel.__name__, kernel.__doc__
        self.__name__ = self.__qualname__ = self.name
        self.__module__, self.__wrapped__ = kernel.__module__, kernel
        self.inputs: tuple[str, ...] = code.co_varnames[1 : code.co_argcount]
        self.parameters: tuple[str, ...] = code.co_varnames[code.co_argcount : last]
        self.defaults: dict[str, Any] = kernel.__kwdefaults__ or {}
        self.variadic = code.co_varnames[last] if code.co_flags & 0x04 else None
        self.promotes, self.floating, self.moves, self.views = promotes, floating, moves, views
        self.differentiable, self.keeps, self.wide = differentiable, keeps, wide
        self.rules: dict[int, Rule] = {}
        self.joint: Rule | None = None
        self._plans: dict[int, Plan] = {}
        self._straight: list[Plan | None] = [None] * 4  # those of one and of two inputs, where they are found sooner
        self.call = self._call
        if not (self.variadic or moves) and self.inputs:
            plain = not (self.parameters or views or keeps or wide) and len(self.inputs) <= 2
            self.call = {1: _of_one, 2: _of_two}[len(self.inputs)](self) if plain else _of_several(self)
        if self.call.__name__ == "call":
            self.call.__name__, self.call.__qualname__, self.call.__doc__ = self.name, self.name, self.__doc__

    def __repr__(self) -> str:
        return f"<primitive {self.name}({', '.join((*self.inputs, *self.parameters))})>"

    def __get__(self, tensor: Any, owner: Any = None) -> Callable[..., Any]:
        """As a method: ``Tensor.exp = exp``."""
        return self if tensor is None else MethodType(self.call, tensor)

    # --- declaring ---

    def source(self, name: str) -> tuple[str, Any]:
        """Where a rule's argument called ``name`` comes from, as a kind and which one of it."""
        if name in ("g", "out", "xp", "wanted") or (name == "kept" and self.keeps):
            return name, name
        if name in self.inputs:
            return "input", self.inputs.index(name)
        if name in self.parameters:
            return "param", name
        if name == self.variadic:
            return "inputs", None
        if name.endswith("_shape") and name[:-6] in self.inputs:
            return "shape", self.inputs.index(name[:-6])
        if self.variadic and name == f"{self.variadic}_shapes":
            return "shapes", None
        known = ", ".join(("g", "out", "xp", *self.inputs, *self.parameters))
        raise TypeError(f"{self.name}: a derivative rule asks for '{name}'; it may ask for {known}, or an input's shape as x_shape")

    def vjp(self, joint: Kernel | None = None, /, **rules: Kernel) -> Primitive:
        """Declare the derivative by each input named, or one ``joint`` rule that returns those of all inputs as a tuple.

        An input without a rule (an index, a condition) is refused where it requires a gradient.
        """
        self._plans.clear()
        self._straight[:] = [None] * 4
        if joint is not None:
            self.joint = Rule(self, joint)
        for name, rule in rules.items():
            if name not in self.inputs:
                raise TypeError(f"{self.name}: it has no input '{name}', only {', '.join(self.inputs)}")
            self.rules[self.inputs.index(name)] = Rule(self, rule)
        return self

    def plan(self, mask: int) -> Plan:
        """What a call saves in which the inputs of the bits set in ``mask`` need a gradient, and how to pull back through it."""
        made = self._plans.get(mask)
        if made is None:
            at = tuple(i for i in range(mask.bit_length()) if mask >> i & 1)
            made = self._plans[mask] = Plan(self, at)
            if mask < 4:
                self._straight[mask] = made
        return made

    def name_of(self, i: int) -> str:
        """The name of input ``i``."""
        return self.inputs[i] if i < len(self.inputs) else f"input {i}"

    # --- calling ---

    def __call__(self, *inputs: Any, **params: Any) -> Any:
        return self.call(*inputs, **params)

    def _call(self, *inputs: Any, **params: Any) -> Any:
        """The call in full: any number of inputs, tensors or what can be made one, of any dtypes, and parameters."""
        if len(inputs) > len(self.inputs) and self.variadic is None:  # a parameter given by position
            n = len(self.inputs)
            if len(inputs) > n + len(self.parameters):
                raise TypeError(f"{self.name}: {len(inputs)} arguments, and it takes {', '.join((*self.inputs, *self.parameters))}")
            params |= zip(self.parameters, inputs[n:], strict=False)
            inputs = inputs[:n]
        if self.defaults and len(params) < len(self.parameters):
            params = self.defaults | params
        if _written and state.recording:
            sync_views(self.name, inputs)
        backend: Backend | None = None
        dtype: Any = None
        arrays: list[Any] = []
        plain = True  # all inputs are tensors of one dtype
        mask, bit = 0, 1
        for x in inputs:
            if isinstance(x, Tensor):
                array = x._array
                if backend is None:
                    backend, dtype = x.backend, array.dtype
                elif x.backend is not backend:
                    raise self._mixed(inputs)
                elif array.dtype != dtype:
                    plain = False
                if x._requires_grad:
                    mask |= bit
            elif type(x) in _NUMBERS:
                array, plain = x, False
            else:
                return self._call(*(as_input(self.name, x) for x in inputs), **params)
            arrays.append(array)
            bit <<= 1
        if backend is None:
            if not inputs:
                raise TypeError(f"{self.name}: there is no input; it takes {', '.join(self.inputs) or 'tensors'}")
            backend = backends.default()
        if self.views and not hasattr(arrays[0], "__setitem__") and isinstance(inputs[0], Tensor):
            arrays[0] = inputs[0]._make_writable()  # a NumPy scalar, of which there is no view
        if self.promotes and not (plain and (not self.floating or mask or backend.dtypes[dtype].kind == "float")):
            arrays = self._promote(backend, arrays)
        if self.wide and any(hasattr(a, "dtype") and backend.dtypes[a.dtype] is dtypes.float16 for a in arrays):
            return call_wide(self._call, inputs, params)
        xp = backend.xp
        try:
            out = self.kernel(xp, *arrays, **params)
        except _FAULTS as error:
            raise self.explained(error, backend, arrays, params) from error
        if self.keeps:
            out, params["kept"] = out
        if self.moves:
            backend = params["target"]
        if mask and state.recording and self.differentiable:
            made = Tensor(out, backend, self.node(mask, inputs, arrays, params, backend, out))
        else:
            made = Tensor(out, backend)
        if self.views and (out is arrays[0] or backend.is_view(out)):
            self.follow(made, inputs[0], arrays[0], params)
        return made

    def follow(self, made: Any, x: Any, array: Array, params: dict[str, Any]) -> None:
        """Have ``made`` be a view of ``x``, whose array was ``array``, where it shares its memory."""
        out, backend = made._array, made.backend
        if out is not array and backend.owner(out) is not backend.owner(array):
            return
        if state.recording:
            made._view = View(x, self, params)
        else:
            writes.exempt(backend, made)

    def node(self, mask: int, inputs: Any, arrays: Any, params: dict[str, Any], backend: Backend, out: Array) -> Node:
        """The node of a call of ``inputs``, those of the bits set in ``mask`` needing a gradient, that gave ``out``."""
        plan = self.plan(mask)
        edges = tuple([inputs[i]._node or inputs[i] for i in plan.at])
        return record(plan, edges, plan.save(arrays, out, params), backend, out)

    # --- what goes wrong ---

    def explained(self, error: Exception, backend: Backend, arrays: Any, params: dict[str, Any]) -> Exception:
        """The error of a kernel, with the operation and what it was given."""
        shown = [f"{a.shape} {backend.dtypes[a.dtype].name}" if hasattr(a, "dtype") else repr(a) for a in arrays]
        given = "".join(f", {name}={value!r}" for name, value in params.items() if isinstance(value, (int, float, tuple, str)))
        return type(error)(f"{self.name}: {error} (given {' and '.join(shown)}{given})")

    def _promote(self, backend: Backend, arrays: list[Any]) -> list[Any]:
        """The inputs that promote in the dtype PyTorch's rules give: dimensioned over 0-d over Python numbers, by category."""
        if isinstance(self.promotes, tuple):
            chosen = [self.inputs.index(name) for name in self.promotes]
            for i, a in zip(chosen, self._in_common(backend, [arrays[i] for i in chosen]), strict=True):
                arrays[i] = a
            return arrays
        return self._in_common(backend, arrays)

    def _in_common(self, backend: Backend, arrays: list[Any]) -> list[Any]:
        numbers = [dtypes.of_number(a) for a in arrays if type(a) in _NUMBERS]
        dims, zeros = (
            [backend.dtypes[a.dtype] for a in arrays if type(a) not in _NUMBERS and bool(a.shape) is dimensioned]
            for dimensioned in (True, False)
        )
        try:
            common = dtypes.common(dims, zeros, numbers)
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}") from None
        assert common is not None
        if self.floating and common.kind != "float":
            common = dtypes.float32
        xp = backend.xp
        target = getattr(xp, common.name)
        only_numbers = not (dims or zeros)
        promoted = []
        for a in arrays:
            if type(a) in _NUMBERS:
                promoted.append(xp.asarray(a, dtype=target) if only_numbers else _as_kind(a, common.kind))
            else:
                promoted.append(a if a.dtype == target else xp.astype(a, target))
        return promoted

    def _mixed(self, inputs: tuple[Any, ...]) -> BackendError:
        found = dict.fromkeys(f"'{x.device}' ({x.backend.name})" for x in inputs if isinstance(x, Tensor))
        return BackendError(f"{self.name}: its tensors are on different devices, {' and '.join(found)}; move one with .to(device)")


def _of_one(self: Primitive) -> Callable[..., Any]:
    """:meth:`Primitive._call` of one input and no parameters, in a straight line where the input is a tensor of fitting dtype."""
    kernel, floating, in_full, differentiable, plans = self.kernel, self.floating, self._call, self.differentiable, self._straight

    def call(x: Any) -> Any:
        try:
            array, backend, recorded = x._array, x.backend, x._requires_grad
        except AttributeError:
            return in_full(x)
        if _written or (floating and not recorded and backend.dtypes[array.dtype].kind != "float"):
            return in_full(x)
        try:
            out = kernel(backend.xp, array)
        except _FAULTS as error:
            raise self.explained(error, backend, (array,), {}) from error
        if recorded and state.recording and differentiable:
            plan = plans[1] or self.plan(1)
            saved = (array,) if plan.whole else plan.save((array,), out, None) if plan.slots else ()
            return result(out, backend, record(plan, (x._node or x,), saved, backend, out))
        return Tensor(out, backend)

    return call


def _of_two(self: Primitive) -> Callable[..., Any]:
    """The same of two inputs, where both are tensors of one fitting dtype, or one of them a Python number."""
    kernel, floating, in_full, differentiable, plans = self.kernel, self.floating, self._call, self.differentiable, self._straight
    takes_numbers = self.promotes is True

    def call(x: Any, y: Any) -> Any:
        of_x, of_y = type(x), type(y)
        try:
            if of_y is float or of_y is int:
                a, b, backend, mask = x._array, float(y), x.backend, 1 if x._requires_grad else 0
                if _written or not takes_numbers or not (mask or backend.dtypes[a.dtype].kind == "float"):
                    return in_full(x, y)
            elif of_x is float or of_x is int:
                a, b, backend, mask = float(x), y._array, y.backend, 2 if y._requires_grad else 0
                if _written or not takes_numbers or not (mask or backend.dtypes[b.dtype].kind == "float"):
                    return in_full(x, y)
            else:
                a, b, backend = x._array, y._array, x.backend
                if x._requires_grad:
                    mask = 3 if y._requires_grad else 1
                else:
                    mask = 2 if y._requires_grad else 0
                if _written or y.backend is not backend or a.dtype is not b.dtype:
                    return in_full(x, y)
                if floating and not mask and backend.dtypes[a.dtype].kind != "float":
                    return in_full(x, y)
        except AttributeError:
            return in_full(x, y)
        try:
            out = kernel(backend.xp, a, b)
        except _FAULTS as error:
            raise self.explained(error, backend, (a, b), {}) from error
        if mask and state.recording and differentiable:
            plan = plans[mask] or self.plan(mask)
            edges = (x._node or x, y._node or y) if mask == 3 else (x._node or x,) if mask == 1 else (y._node or y,)
            saved = (a, b) if plan.whole else plan.save((a, b), out, None) if plan.slots else ()
            return result(out, backend, record(plan, edges, saved, backend, out))
        return Tensor(out, backend)

    return call


def _of_several(self: Primitive) -> Callable[..., Any]:
    """The same of any number of inputs, those after the first tensors or numbers, and with parameters: as generated source.

    It is generated when it is first called, since most programs call few primitives: until then the function only asks for it.
    """
    found: dict[str, Any] = {
        "_in_full": self._call, "_kernel": self.kernel, "_primitive": self, "_faults": _FAULTS, "_written": _written,
        "_state": state, "_defaults": self.defaults, "_plans": self._plans, "_result": result, "_record": record,
        "_half": dtypes.float16,
    }  # fmt: skip

    def compiled() -> Callable[..., Any]:
        exec(_source_of_several(self), source_names := dict(found))
        call.__code__ = source_names["call"].__code__
        return call

    found["_compiled"] = compiled
    call = FunctionType(_first_call.__code__, found, "call")
    return call


def _first_call(*args: Any, **kwargs: Any) -> Any:
    return _compiled()(*args, **kwargs)  # type: ignore[name-defined]  # noqa: F821


def _source_of_several(self: Primitive) -> str:
    """The source of that call. Its own names begin with an underscore, as no input's does."""
    names, places = self.inputs, range(len(self.inputs))
    promoted = places if self.promotes is True else [names.index(name) for name in self.promotes or ()]
    with_params = bool(self.parameters or self.keeps)
    given = ", ".join([*names, *(["*_more", "**_params"] if with_params else [])])
    in_full, first = f"return _in_full({given})", names[0]
    lines = [f"def call({given}):"]
    if with_params:
        lines.append(f"    if _more: {in_full}")
    lines += ["    try:", f"        _a0, _backend, _mask = {first}._array, {first}.backend, 1 if {first}._requires_grad else 0"]
    for i, name in enumerate(names[1:], 1):
        lines += [
            f"        if type({name}) is float or type({name}) is int: _a{i} = {f'float({name})' if i in promoted else name}",
            "        else:",
            f"            _a{i} = {name}._array",
            f"            if {name}.backend is not _backend: {in_full}",
            f"            if {name}._requires_grad: _mask |= {1 << i}",
        ]
        if i in promoted and i != promoted[0]:
            lines.append(f"            if _a{i}.dtype is not _a{promoted[0]}.dtype: {in_full}")
    lines.append(f"    except AttributeError: {in_full}")
    single = " or not hasattr(_a0, '__setitem__')" if self.views else ""  # a NumPy scalar, of which there is no view
    lines.append(f"    if _written{single}: {in_full}")
    if self.promotes and (self.floating or len(names) > 1):
        lines.append(f"    if not _mask and _backend.dtypes[_a{promoted[0]}.dtype].kind != 'float': {in_full}")
    if self.wide:
        lines.append(f"    if _backend.dtypes[_a{(*promoted, 0)[0]}.dtype] is _half: {in_full}")
    if self.parameters and self.defaults:
        lines.append(f"    if len(_params) < {len(self.parameters)}: _params = _defaults | _params")
    arrays, params = ", ".join(f"_a{i}" for i in places), "_params" if with_params else "{}"
    lines += [
        f"    try: _out = _kernel(_backend.xp, {arrays}{', **_params' if self.parameters else ''})",
        f"    except _faults as _error: raise _primitive.explained(_error, _backend, ({arrays},), {params}) from _error",
    ]
    if self.keeps:
        lines.append("    _out, _params['kept'] = _out")
    if self.differentiable:
        lines += [
            "    if _mask and _state.recording:",
            "        _plan = _plans.get(_mask) or _primitive.plan(_mask)",
            f"        _saved = _plan.save(({arrays},), _out, {params}) if _plan.slots else ()",
            f"        _edges = _plan.edges({', '.join(names)})",
            "        _made = _result(_out, _backend, _record(_plan, _edges, _saved, _backend, _out))",
            "    else: _made = _result(_out, _backend)",
        ]
    else:
        lines.append("    _made = _result(_out, _backend)")
    if self.views:
        lines.append(f"    if _out is _a0 or _backend.is_view(_out): _primitive.follow(_made, {first}, _a0, {params})")
    lines.append("    return _made")
    return "\n".join(lines)


def _as_kind(number: bool | int | float, kind: str) -> bool | int | float:
    return float(number) if kind == "float" else int(number) if kind in ("int", "uint") else number


def as_input(name: str, x: Any) -> Any:
    """``x`` as a primitive's input: Tensors and Python numbers as they are, a backend's arrays wrapped, NumPy scalars unwrapped."""
    if isinstance(x, Tensor) or type(x) in _NUMBERS:
        return x
    if getattr(x, "shape", None) == () and hasattr(x, "item") and not hasattr(x, "__setitem__"):
        return x.item()
    backend = backends.of_array(x)
    if backend is None:
        raise TypeError(
            f"{name}: an input is a {type(x).__module__}.{type(x).__name__}; it takes tensors, arrays and numbers "
            "(ad.tensor(…) makes one)"
        )
    if x.dtype not in backend.dtypes:
        raise TypeError(f"{name}: an input has dtype {x.dtype}, which tensors can not hold")
    return Tensor(x, backend)


@overload
def primitive(kernel: Kernel, /) -> Primitive: ...
@overload
def primitive(
    *,
    promotes: bool | tuple[str, ...] = True,
    floating: bool = False,
    moves: bool = False,
    views: bool = False,
    differentiable: bool = True,
    keeps: bool = False,
    wide: bool = False,
) -> Callable[[Kernel], Primitive]: ...
def primitive(kernel: Kernel | None = None, /, **options: Any) -> Any:
    """Declare a primitive from its kernel. Used as ``@primitive``, or with options as ``@primitive(floating=True)``.

    Options:
        promotes: bring all inputs to one dtype first, by PyTorch's rules (default True); or the names of those to bring.
        floating: that dtype is float32 where it would be an integer or bool.
        views: the output may share the first input's memory.
        differentiable: where False (a comparison, an index), the output never requires a gradient.
        keeps: the kernel returns a pair: the output, and a tuple of arrays (or tuples of these) that its rule names as ``kept``, to
            be spared computing them again. Where the derivative is itself recorded, they are computed again on tensors.
        wide: float16 is computed in float32, the derivative too, and the result rounded to float16: for what adds up, counts or
            normalizes, since float16's own range and precision are soon used up.
        moves: the output is on the backend that the parameter ``target`` names, not on the inputs'.

    Declared again, as by running a notebook's cell twice, it takes its own former place. Raises ``ValueError`` where another
    primitive has the name, ``TypeError`` where a parameter can be given by position.
    """
    if kernel is None:
        return lambda kernel: primitive(kernel, **options)
    known = registry.get(kernel.__name__)
    if known is not None and (known.__module__, known.kernel.__qualname__) != (kernel.__module__, kernel.__qualname__):
        raise ValueError(f"there is already a primitive '{kernel.__name__}'; give this one another name")
    if kernel.__defaults__:
        raise TypeError(
            f"{kernel.__name__}: parameters of a primitive are given by keyword, so they stand behind a star: (xp, x, *, k=2)"
        )
    registry[kernel.__name__] = made = Primitive(kernel, **options)
    setattr(differentiable, made.name, made)
    return made


def on(xp: Any, operation: Primitive) -> Callable[..., Any]:
    """The operation for a kernel or rule to call: the primitive itself on Tensors, its kernel on arrays."""
    return getattr(xp, operation.name, partial(operation.kernel, xp))


@primitive(promotes=False)
def astype(xp: Any, x: Array, *, dtype: Any) -> Array:
    """``x`` converted to ``dtype``."""
    return xp.astype(x, dtype)


astype.vjp(x=lambda g: g)
