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
whose cotangents will be used, and return None for others; and if the kernel returns a tuple beside its output, for that as
``kept``. A rule returns the cotangent in the output's broadcast shape and any dtype: ``broadcasting.py`` sums it to the input's
shape and casts it to the input's dtype, once for all rules.

A call takes one of two paths. :meth:`Primitive.call_in_full` handles everything. The fast path is a function generated for each
primitive: straight-line code for tensors of one backend and dtype, which calls the full path in all other cases.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from types import FunctionType, MethodType
from typing import Any, overload

from .. import backends
from ..backends import Array, Backend, dtypes
from ..codegen import compile_function
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


class _Signature:
    """``Primitive.__signature__``, which ``inspect`` and ``help`` ask for: that of a call, without the kernel's ``xp``."""

    def __get__(self, primitive: Primitive | None, owner: type) -> Any:
        if primitive is None:
            raise AttributeError("__signature__")  # the class has its constructor's
        from inspect import Signature, signature

        positional, _ = declared(primitive)
        shown = [p.replace(annotation=p.empty) for p in list(signature(primitive.kernel).parameters.values())[1:]]
        if not primitive.variadic:
            shown = [p.replace(kind=p.POSITIONAL_OR_KEYWORD) if p.name in positional else p for p in shown]
        return Signature(shown)


class Primitive:
    """A differentiable operation. :func:`primitive` creates it, with the same arguments; called like a function of Tensors.

    Attributes:
        name: the kernel's name, which is also its name in the differentiable namespace.
        inputs: the names of its differentiable inputs, in order.
        parameters: the names of its keyword parameters.
        rules: the derivative rule of each input that has one.
        call: the primitive as a plain function, which is what methods and operators of tensors are.
    """

    __signature__ = _Signature()

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
        self.call = fast_path(self) if self.inputs and not self.variadic else self.call_in_full

    def __repr__(self) -> str:
        return f"<primitive {self.name}({', '.join((*self.inputs, *self.parameters))})>"

    def __get__(self, tensor: Any, owner: Any = None) -> Callable[..., Any]:
        """As a method: ``Tensor.exp = exp``."""
        return self if tensor is None else MethodType(self.call, tensor)

    # --- declaring ---

    def source(self, name: str) -> tuple[str, Any]:
        """The source of a rule's argument ``name``: a kind, and which one of it. Raises ``TypeError`` on an unknown name."""
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
        names = ", ".join(("g", "out", "xp", *self.inputs, *self.parameters))
        raise TypeError(f"{self.name}: a derivative rule asks for '{name}'; it may ask for {names}, or an input's shape as x_shape")

    def vjp(self, joint: Kernel | None = None, /, **rules: Kernel) -> Primitive:
        """Declare a derivative rule per input, or one ``joint`` rule that returns the cotangents of all inputs as a tuple.

        An input without a rule (an index, a condition) is rejected if it requires a gradient. Raises ``TypeError`` on rules for
        other names, or with unknown arguments.
        """
        self._plans.clear()
        if joint is not None:
            self.joint = Rule(self, joint)
        for name, rule in rules.items():
            if name not in self.inputs:
                raise TypeError(f"{self.name}: it has no input '{name}', only {', '.join(self.inputs)}")
            self.rules[self.inputs.index(name)] = Rule(self, rule)
        return self

    def plan(self, mask: int) -> Plan:
        """The plan of a call in which the inputs whose bits are set in ``mask`` require a gradient."""
        plan = self._plans.get(mask)
        if plan is None:
            plan = self._plans[mask] = Plan(self, tuple(i for i in range(mask.bit_length()) if mask >> i & 1))
        return plan

    def name_of(self, i: int) -> str:
        """The name of input ``i``."""
        return self.inputs[i] if i < len(self.inputs) else f"input {i}"

    # --- calling ---

    def __call__(self, *inputs: Any, **params: Any) -> Any:
        return self.call(*inputs, **params)

    def call_in_full(self, *inputs: Any, **params: Any) -> Any:
        """The full path: tensors, or what can become one, of any dtypes, and all parameters by keyword.

        Raises:
            TypeError: there is no input, or one that no tensor can hold.
            BackendError: tensors are on different devices.
        """
        if len(params) < len(self.parameters):
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
                return self.call_in_full(*(as_input(self.name, x) for x in inputs), **params)
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
            return call_wide(self.call_in_full, inputs, params)
        xp = backend.xp
        try:
            out = self.kernel(xp, *arrays, **params)
        except _FAULTS as error:
            raise self._explained(error, backend, arrays, params) from error
        if self.keeps:
            out, params["kept"] = out
        if self.moves:
            backend = params["target"]
        if mask and state.recording and self.differentiable:
            result = Tensor(out, backend, self.node(mask, inputs, arrays, params, backend, out))
        else:
            result = Tensor(out, backend)
        if self.views and (out is arrays[0] or backend.is_view(out)):
            self._follow(result, inputs[0], arrays[0], params)
        return result

    def _follow(self, result: Any, x: Any, array: Array, params: dict[str, Any]) -> None:
        """Make the result a view of ``x``, whose array was ``array``, if it shares the memory."""
        out, backend = result._array, result.backend
        if out is not array and backend.owner(out) is not backend.owner(array):
            return
        if state.recording:
            result._view = View(x, self, params)
        else:
            writes.exempt(backend, result)

    def node(self, mask: int, inputs: Any, arrays: Any, params: dict[str, Any], backend: Backend, out: Array) -> Node:
        """The node of a call.

        Args:
            mask: a bit for each input that requires a gradient.
            inputs: the tensors and numbers.
            arrays: their arrays.
            params: the parameters.
            backend: of the output.
            out: the output's array.
        """
        plan = self.plan(mask)
        edges = tuple([inputs[i]._node or inputs[i] for i in plan.at])
        return record(plan, edges, plan.save(arrays, out, params), backend, out)

    # --- what goes wrong ---

    def _explained(self, error: Exception, backend: Backend, arrays: Any, params: dict[str, Any]) -> Exception:
        """The error of a kernel, with the operation and its arguments."""
        shown = [f"{a.shape} {backend.dtypes[a.dtype].name}" if hasattr(a, "dtype") else repr(a) for a in arrays]
        settings = "".join(f", {name}={value!r}" for name, value in params.items() if isinstance(value, (int, float, tuple, str)))
        return type(error)(f"{self.name}: {error} (given {' and '.join(shown)}{settings})")

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
        devices = dict.fromkeys(f"'{x.device}' ({x.backend.name})" for x in inputs if isinstance(x, Tensor))
        return BackendError(
            f"{self.name}: its tensors are on different devices, {' and '.join(devices)}; move one with .to(device)"
        )


# --- the fast path -----------------------------------------------------------------------------------------------------------


def fast_path(primitive: Primitive) -> Callable[..., Any]:
    """The call of a primitive with a fixed number of inputs, as a plain function of the inputs and parameters.

    Its source is generated and compiled at its first call, since most programs call few primitives.
    """
    namespace: dict[str, Any] = {
        "_full": primitive.call_in_full, "_kernel": primitive.kernel, "_primitive": primitive, "_plans": primitive._plans,
        "_FAULTS": _FAULTS, "_written": _written, "_state": state, "_result": result, "_record": record,
        "_float16": dtypes.float16, "_type": type, "_float": float, "_int": int, "__name__": __name__,
    }  # fmt: skip

    def compiled() -> Callable[..., Any]:
        function = compile_function(fast_path_source(primitive), "call", dict(namespace), f"call of {primitive.name}")
        call.__code__ = function.__code__.replace(co_name=primitive.name, co_qualname=primitive.name)
        return call

    namespace["_compiled"] = compiled
    call = FunctionType(_first_call.__code__, namespace, primitive.name)
    call.__qualname__ = primitive.name
    call.__module__, call.__doc__, call.__wrapped__ = primitive.__module__, primitive.__doc__, primitive  # type: ignore[attr-defined]
    positional, by_keyword = declared(primitive)
    call.__defaults__ = tuple([primitive.defaults[name] for name in positional if name in primitive.defaults])
    call.__kwdefaults__ = {name: primitive.defaults[name] for name in by_keyword if name in primitive.defaults}
    return call


def _first_call(*args: Any, **kwargs: Any) -> Any:
    return _compiled()(*args, **kwargs)  # type: ignore[name-defined]  # noqa: F821


def declared(primitive: Primitive) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The parameters by position, and from the first without a default after one with a default on, those by keyword only."""
    names = primitive.parameters
    optional = [name in primitive.defaults for name in names]
    end = next((i for i, (before, here) in enumerate(pairwise(optional), 1) if before and not here), len(names))
    return names[:end], names[end:]


def fast_path_source(primitive: Primitive) -> str:
    """The source of :func:`fast_path`. Its own names begin with an underscore, which no input's or parameter's does."""
    inputs, parameters = primitive.inputs, primitive.parameters
    positional, by_keyword = declared(primitive)
    signature = [
        *inputs,
        *(name + "=None" * (name in primitive.defaults) for name in positional),
        *(["*"] if by_keyword else []),
        *(name + "=None" * (name in primitive.defaults) for name in by_keyword),
    ]
    keywords = [f"{name}={name}" for name in parameters]
    in_full = f"return _full({', '.join([*inputs, *keywords])})"
    arrays = "".join(f"_a{i}, " for i in range(len(inputs)))
    params = "{" + ", ".join(f"{name!r}: {name}" for name in parameters) + "}"
    lines = [f"def call({', '.join(signature)}):", f"    if _written: {in_full}", "    try:"]
    if len(inputs) == 2 and primitive.promotes is True:
        lines += [
            f"        _of_first = _type({inputs[0]})",
            "        if _of_first is _float or _of_first is _int:",
            f"            _a0 = _float({inputs[0]})",
            *_unpacking(primitive, 1, "            ", in_full),
            "        else:",
            *_unpacking(primitive, 0, "            ", in_full),
        ]
    else:
        lines += _unpacking(primitive, 0, "        ", in_full)
    lines += [
        f"    except AttributeError: {in_full}",
        f"    try: _out = _kernel({', '.join(['_backend.xp, ' + arrays.rstrip(', '), *keywords])})",
        f"    except _FAULTS as _error: raise _primitive._explained(_error, _backend, ({arrays}), {params}) from _error",
    ]
    if primitive.keeps or primitive.views:
        lines.append(f"    _params = {params}")
        params = "_params"
    if primitive.keeps:
        lines.append("    _out, _params['kept'] = _out")
    if primitive.moves:
        lines.append("    _backend = target")
    if primitive.differentiable:
        edges = f"_plan.edges({', '.join(inputs)})"
        if len(inputs) <= 2:
            first, last = (f"{name}._node or {name}" for name in (inputs[0], inputs[-1]))
            edges = f"({first}, {last}) if _mask == 3 else ({first},) if _mask == 1 else ({last},)" if inputs[1:] else f"({first},)"
        lines += [
            "    _node = None",
            "    if _mask and _state.recording:",
            "        try: _plan = _plans[_mask]",
            "        except KeyError: _plan = _primitive.plan(_mask)",
            f"        _saved = ({arrays}) if _plan.whole else _plan.save(({arrays}), _out, {params}) if _plan.slots else ()",
            f"        _node = _record(_plan, {edges}, _saved, _backend, _out)",
        ]
    tensor = f"_result(_out, _backend{', _node' if primitive.differentiable else ''})"
    if primitive.views:
        lines.append(f"    _tensor = {tensor}")
        lines.append(f"    if _out is _a0 or _backend.is_view(_out): _primitive._follow(_tensor, {inputs[0]}, _a0, {params})")
        tensor = "_tensor"
    return "\n".join([*lines, f"    return {tensor}", ""])


def _unpacking(primitive: Primitive, lead: int, indent: str, in_full: str) -> list[str]:
    """Lines that set the arrays, the backend and the mask, where input ``lead`` is the first tensor; else call the full path."""
    inputs = primitive.inputs
    name = inputs[lead]
    lines = [f"_a{lead}, _backend, _mask = {name}._array, {name}.backend, {1 << lead} if {name}._requires_grad else 0"]
    promoted = range(len(inputs)) if primitive.promotes is True else [inputs.index(name) for name in primitive.promotes or ()]
    typed = lead if lead in promoted else next(iter(promoted), 0)  # the input whose dtype all that promote must have
    not_floating = f"_backend.dtypes[_a{typed}.dtype].kind != 'float'"
    for i, name in enumerate(inputs[lead + 1 :], lead + 1):
        tensor = [f"_a{i} = {name}._array", f"if {name}.backend is not _backend: {in_full}"]
        if i in promoted and i != typed:
            tensor.append(f"if _a{i}.dtype is not _a{typed}.dtype: {in_full}")
        tensor.append(f"if {name}._requires_grad: _mask += {1 << i}")
        if i == typed:
            lines += tensor
            continue
        number = [f"_a{i} = _float({name})", f"if {not_floating}: {in_full}"] if i in promoted else [f"_a{i} = {name}"]
        lines += [f"_of_{i} = _type({name})", f"if _of_{i} is _float or _of_{i} is _int:"]
        lines += ["    " + line for line in number] + ["else:"] + ["    " + line for line in tensor]
    if lead:  # the inputs before it are numbers
        lines.append(f"if {not_floating}: {in_full}")
    elif primitive.floating:
        lines.append(f"if not _mask and {not_floating}: {in_full}")
    if primitive.views:  # of a NumPy scalar there is no view
        lines.append(f"if not hasattr(_a0, '__setitem__'): {in_full}")
    if primitive.wide:
        lines.append(f"if _backend.dtypes[_a{typed}.dtype] is _float16: {in_full}")
    return [indent + line for line in lines]


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
        raise TypeError(f"{name}: an input has dtype {x.dtype}, which tensors cannot hold")
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

    Args:
        kernel: the forward, ``kernel(xp, *inputs, **parameters)``.
        promotes: bring all inputs to one dtype first, by PyTorch's rules (default True); or the names of those to bring.
        floating: that dtype is float32 instead of an integer or bool.
        views: the output may share the first input's memory.
        differentiable: if False (a comparison, an index), the output never requires a gradient.
        keeps: the kernel returns its output and a tuple of intermediate results, which its rule reads as ``kept``. They are
            recomputed on tensors if the derivative is itself recorded.
        wide: compute float16 in float32, including the derivative: for operations that sum, count or normalize.
        moves: the output is on the backend of the parameter ``target``, not on the inputs'.

    Declaring it again, as by running a notebook's cell twice, replaces it. Raises ``ValueError`` if another primitive has the name,
    ``TypeError`` if a parameter can be given by position.
    """
    if kernel is None:
        return lambda kernel: primitive(kernel, **options)
    former = registry.get(kernel.__name__)
    if former is not None and (former.__module__, former.kernel.__qualname__) != (kernel.__module__, kernel.__qualname__):
        raise ValueError(f"there is already a primitive '{kernel.__name__}'; give this one another name")
    if kernel.__defaults__:
        raise TypeError(
            f"{kernel.__name__}: parameters of a primitive are given by keyword, so they stand behind a star: (xp, x, *, k=2)"
        )
    registry[kernel.__name__] = declared = Primitive(kernel, **options)
    setattr(differentiable, declared.name, declared)
    return declared


def on(xp: Any, operation: Primitive) -> Callable[..., Any]:
    """The operation for a kernel or rule to call: the primitive itself on Tensors, its kernel on arrays."""
    return getattr(xp, operation.name, partial(operation.kernel, xp))


@primitive(promotes=False)
def astype(xp: Any, x: Array, *, dtype: Any) -> Array:
    """``x`` converted to ``dtype``."""
    return xp.astype(x, dtype)


astype.vjp(x=lambda g: g)
