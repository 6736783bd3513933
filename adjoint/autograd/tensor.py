"""``Tensor``: an array that may require a gradient, and the node of the graph that made it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeAlias

from .. import backends
from ..backends import Array, Backend, DType
from ..backends.standard import VERSIONS
from ..errors import GraphError
from . import functions as f
from . import graph
from .arguments import NUMBERS, cut_along, reads_numbers, sizes_of
from .graph import Node
from .modes import state
from .primitive import Primitive
from .rules import elementwise, shapes, transfer

if TYPE_CHECKING:
    from .gradients import GradientBuffer
    from .views import View

_new = object.__new__
Hook = Callable[["Tensor"], "Tensor | None"]
# The class has methods of these names.
Bool: TypeAlias = bool
Int: TypeAlias = int
Float: TypeAlias = float


def in_place(function: Any) -> Any:
    """The method that writes what ``function`` makes of a tensor into it: ``exp_`` from ``exp``."""
    name = f"{function.__name__}_"

    def write(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        several = state.recording and not isinstance(function, Primitive)  # only of the last step can _write keep the values
        recorded = several and any(getattr(a, "_requires_grad", False) for a in (self, *args))
        return self._write(function(f.clone(self) if recorded else self, *args, **kwargs), name)

    write.__name__, write.__doc__ = name, f""":func:`{function.__name__}`, in place."""
    return write


class _Late:
    """A module of this package that imports this one, found when an attribute of it is first asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(import_module(self._name, __package__), attribute)
        setattr(self, attribute, found)
        return found


_gradients: Any = _Late(".gradients")


def result(array: Array, backend: Backend, node: Node) -> Tensor:
    """The tensor that a recorded operation made. A function, since it takes half the time that ``Tensor.__init__`` would."""
    made = _new(Tensor)
    made._array, made.backend, made._node, made._requires_grad = array, backend, node, True
    made.grad = made._grad_buffer = made._hooks = made._view = made._was = None
    return made


class Tensor:
    """An n-dimensional array on a backend, from which a gradient can be asked for.

    Made by :func:`adjoint.tensor` and its like, or as the result of an operation. Its operators and methods are PyTorch's.

    Attributes:
        backend: the backend whose array it holds.
        grad: what ``backward()`` has accumulated for a leaf that requires a gradient, or None.
    """

    __slots__ = ("__weakref__", "_array", "_grad_buffer", "_hooks", "_node", "_requires_grad", "_view", "_was", "backend", "grad")
    grad: Tensor | None
    _grad_buffer: GradientBuffer | None
    _hooks: list[Hook] | None
    _view: View | None
    _was: Tensor | None

    def __init__(self, array: Array, backend: Backend, node: Node | None = None) -> None:
        self._array = array
        self.backend = backend
        self._node = node
        self._requires_grad = node is not None
        self.grad = self._grad_buffer = self._hooks = self._view = self._was = None

    # --- what it is ----------------------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[Int, ...]:
        """The length of each axis."""
        shape: tuple[Int, ...] = self._array.shape
        return shape

    @property
    def dtype(self) -> DType:
        """The elements' type."""
        return self.backend.dtypes[self._array.dtype]

    @property
    def device(self) -> str:
        """Where the elements live: ``"cpu"``, ``"cuda:0"``, …"""
        return self.backend.device

    @property
    def ndim(self) -> Int:
        """How many axes it has."""
        return len(self._array.shape)

    def dim(self) -> Int:
        """How many axes it has."""
        return self.ndim

    def size(self, dim: Int | None = None) -> Any:
        """The shape, or the length of axis ``dim``."""
        return self.shape if dim is None else self.shape[cut_along("size", self, dim)]

    def numel(self) -> Int:
        """How many elements it has."""
        return int(self._array.size)

    nelement = numel

    def element_size(self) -> Int:
        """Bytes an element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> Int:
        """Bytes of all elements."""
        return self.numel() * self.element_size()

    def is_floating_point(self) -> Bool:
        """Whether the elements are floating-point numbers."""
        return self.dtype.is_floating_point

    def stride(self, dim: Int | None = None) -> Any:
        """How many elements in memory the next one along each axis, or along ``dim``, is away."""
        steps = getattr(self._array, "strides", None)
        steps = self.backend.to_numpy(self._array).strides if steps is None else steps
        strides = tuple(step // self.element_size() for step in steps)
        return strides if dim is None else strides[cut_along("stride", self, dim)]

    def is_contiguous(self) -> Bool:
        """Whether the elements lie in order in memory, row after row, so that :meth:`contiguous` gives the tensor itself."""
        return self.backend.xp.contiguous(self._array) is self._array

    @property
    def is_leaf(self) -> Bool:
        """Whether no recorded operation made it."""
        return self.grad_fn is None

    @property
    def grad_fn(self) -> Node | None:
        """The node that made it, or None for a leaf."""
        if self._view is not None:
            self._view.follow(self)
        return self._node

    @property
    def requires_grad(self) -> Bool:
        """Whether operations on it are recorded, so that a gradient by it can be had."""
        if self._view is not None:
            self._view.follow(self)
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: Bool) -> None:
        if value and self.dtype.kind != "float":
            raise TypeError(f"requires_grad: only floating-point tensors have gradients, not {self.dtype}")
        if not value and self._node is not None:
            raise GraphError("requires_grad: it can be unset on leaf tensors only; use .detach() for a tensor without a graph")
        if self._node is None:
            self._view = None  # a leaf of its own, whatever is written to its base
        self._requires_grad = bool(value)

    def requires_grad_(self, requires_grad: Bool = True) -> Tensor:
        """Set :attr:`requires_grad`, and return the tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def data(self) -> Tensor:
        """The same memory without the graph. Assign a tensor to replace the values, the graph none the wiser."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        for journal in state.journals:
            journal.moving(self)
        self._array, self.backend = value._array, value.backend
        self._grad_buffer = self._view = None  # it may be of another shape, dtype or device

    @property
    def T(self) -> Tensor:
        """All axes in reverse order."""
        return f.permute(self, *reversed(range(self.ndim)))

    @property
    def mT(self) -> Tensor:
        """The last two axes exchanged."""
        return f.transpose(self, -2, -1)

    mH = mT

    # --- gradients -----------------------------------------------------------------------------------------------------------

    def backward(
        self, gradient: Tensor | None = None, retain_graph: Bool | None = None, create_graph: Bool = False, inputs: Any = None
    ) -> None:
        """Add to ``grad`` of every leaf behind this tensor the gradient of this tensor by it.

        Args:
            gradient: the cotangent of this tensor, in its shape; 1 where it has a single element.
            retain_graph: keep what the rules saved, for another backward; True where ``create_graph`` is.
            create_graph: record the gradient's own computation, so that it can be differentiated.
            inputs: the tensors whose ``grad`` to add to; every leaf behind where None.

        Raises:
            GraphError: no graph, no cotangent for more than one element, a graph freed or changed in place since.
        """
        _gradients.backward([self], [gradient], retain_graph, create_graph, inputs=inputs)

    def detach(self) -> Tensor:
        """The same memory without the graph."""
        made = Tensor(self._make_writable(), self.backend)
        graph.writes.set_apart(self.backend, made)
        return made

    def detach_(self) -> Tensor:
        """Leave the graph."""
        self._node, self._requires_grad, self._view = None, False, None
        return self

    def retain_grad(self) -> None:
        """Have ``backward`` fill :attr:`grad` of this tensor too, though it is not a leaf. Raises where it needs no gradient."""
        if not self._requires_grad:
            raise GraphError("retain_grad: the tensor does not require a gradient")
        if self._node is not None:
            self._node.set_aside().retained_by = weakref.ref(self)

    def _retain(self, g: Any, create_graph: Bool) -> None:
        """Add the cotangent ``g`` to :attr:`grad`; the walk may share it, so it is copied."""
        found = g if create_graph else Tensor(self.backend.xp.asarray(g, copy=True), self.backend)
        self.grad = found if self.grad is None else self.grad + found

    def register_hook(self, hook: Hook) -> HookHandle:
        """Call ``hook`` with the gradient by this tensor whenever one is computed; what it returns, if not None, replaces it.

        Returns a handle whose ``remove()`` takes the hook off again.
        """
        if not self._requires_grad:
            raise GraphError("register_hook: the tensor does not require a gradient")
        if self._node is not None:
            hooks = self._node.set_aside().hooks
        else:
            hooks = self._hooks = self._hooks or []
        hooks.append(hook)
        return HookHandle(hooks, hook)

    # --- values out ----------------------------------------------------------------------------------------------------------

    def item(self) -> Any:
        """The single element as a Python number. Raises ``ValueError`` where there are more."""
        if self._array.size != 1:
            raise ValueError(f"item: a tensor of shape {self.shape} has {self.numel()} elements, not one")
        return self.backend.to_numpy(self._array).item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self.backend.to_numpy(self._array).tolist()

    def numpy(self, *, force: Bool = False) -> Any:
        """The elements as a NumPy array that shares memory with the tensor; with ``force``, of any tensor, copied as need be."""
        if not force:
            if self._requires_grad:
                raise GraphError("numpy: the tensor requires a gradient, which NumPy would lose; use .detach().numpy()")
            if self.backend.name != "numpy":
                raise TypeError(f"numpy: the tensor is on '{self.device}' ({self.backend.name}); use .cpu().numpy()")
            self._make_writable()
        return self.backend.to_numpy(self._array)

    def __array__(self, dtype: Any = None, copy: Bool | None = None) -> Any:
        array = self.numpy()
        if copy is False and (dtype is not None and array.dtype != dtype):
            raise ValueError(f"__array__: {self.dtype} can not be given as {dtype} without a copy, and copy=False forbids one")
        return array.astype(dtype) if dtype is not None and array.dtype != dtype else array.copy() if copy else array

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The differentiable namespace. Raises ``ValueError`` on a version of the standard that it does not have."""
        if api_version not in (None, *VERSIONS):
            raise ValueError(
                f"__array_namespace__: there is no version {api_version!r} of the Array API standard here; ask for one of "
                f"{', '.join(VERSIONS)}"
            )
        return graph.differentiable

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        """NumPy's ufuncs, and so its operators with an array on the left, on tensors."""
        from . import interop

        return interop.ufunc(ufunc, method, inputs, keywords)

    def __array_function__(self, function: Any, types: Any, inputs: Any, keywords: Any) -> Any:
        """NumPy's other functions on tensors."""
        from . import interop

        return interop.array_function(function, inputs, keywords)

    def __cupy_override_elementwise_kernel__(self, kernel: Any, *inputs: Any, **keywords: Any) -> Any:
        """CuPy's ufuncs, and so its operators with an array on the left, on tensors."""
        from . import interop

        return interop.cupy_ufunc(kernel, inputs, keywords)

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[Int, Int] | None = None,
        dl_device: tuple[Int, Int] | None = None,
        copy: Bool | None = None,
    ) -> Any:
        """The memory for another library: see :func:`adjoint.from_dlpack`. Refuses a tensor that requires a gradient."""
        if self._requires_grad:
            raise BufferError("__dlpack__: the tensor requires a gradient, which another library would lose; use .detach()")
        asked = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
        return self._make_writable().__dlpack__(**{name: value for name, value in asked.items() if value is not None})

    def __dlpack_device__(self) -> tuple[Int, Int]:
        """The kind of memory and the device's number, as DLPack has them."""
        kind, index = self._make_writable().__dlpack_device__()
        return int(kind), int(index)

    def __repr__(self) -> str:
        facts = []
        if self.backend.device != "cpu":
            facts.append(f"device='{self.device}'")
        if self.dtype.name not in ("float32", "int64", "bool") or (self._array.size == 0 and self.dtype.name != "float32"):
            facts.append(f"dtype={self.dtype}")
        if self._node is not None:
            facts.append(f"grad_fn={self._node!r}")
        elif self._requires_grad:
            facts.append("requires_grad=True")
        return backends.to_text(self.backend.to_numpy(self._array), facts)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def _one(self) -> Any:
        if self._array.size != 1:
            raise ValueError(f"a tensor of shape {self.shape} is neither true nor false; use .any(), .all() or compare one element")
        return self.item()

    def __bool__(self) -> Bool:
        return bool(self._one())

    def __float__(self) -> Float:
        return float(self.item())

    def __int__(self) -> Int:
        return int(self.item())

    def __index__(self) -> Int:
        if self.dtype.kind == "float":
            raise TypeError(f"only integer tensors can be an index, not {self.dtype}")
        return int(self.item())

    def __len__(self) -> Int:
        if not self.shape:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("iteration over a 0-d tensor")
        return iter(f.unbind(self))

    def __contains__(self, value: Any) -> Bool:
        return bool(f.any(f.eq(self, value)))

    __hash__ = object.__hash__

    # --- copies and moves ----------------------------------------------------------------------------------------------------

    def to(self, *target: Any, device: Any = None, dtype: Any = None, copy: Bool = False) -> Tensor:
        """The tensor on another device, in another dtype, or both; itself where nothing changes and ``copy`` is not asked for.

        ``x.to("cuda")``, ``x.to(ad.float64)``, ``x.to("cpu", ad.float32)``, ``x.to(other)`` for the device and dtype of
        ``other``. The gradient passes through.
        """
        device, dtype = destination(target, device, dtype)
        result = self if dtype is None else f.cast(self, dtype)
        if device is not None and (backend := backends.get(device)) is not self.backend:
            result = transfer.move(result, backend)
        return f.clone(result) if copy and result is self else result

    def to_device(self, device: Any, /, *, stream: Any = None) -> Tensor:
        """:meth:`to` another device, under the standard's name."""
        return self.to(device=device)

    def cpu(self) -> Tensor:
        """The tensor on the CPU."""
        return self.to(device="cpu")

    def cuda(self, index: Int | None = None) -> Tensor:
        """The tensor on the GPU."""
        return self.to(device="cuda" if index is None else f"cuda:{index}")

    def type_as(self, other: Tensor) -> Tensor:
        """The tensor in the dtype of ``other``."""
        return f.cast(self, other.dtype)

    def float(self) -> Tensor:
        """The tensor in float32."""
        return f.cast(self, "float32")

    def double(self) -> Tensor:
        """The tensor in float64."""
        return f.cast(self, "float64")

    def half(self) -> Tensor:
        """The tensor in float16."""
        return f.cast(self, "float16")

    def int(self) -> Tensor:
        """The tensor in int32, fractions cut off."""
        return f.cast(self, "int32")

    def long(self) -> Tensor:
        """The tensor in int64, fractions cut off."""
        return f.cast(self, "int64")

    def short(self) -> Tensor:
        """The tensor in int16, fractions cut off."""
        return f.cast(self, "int16")

    def char(self) -> Tensor:
        """The tensor in int8, fractions cut off."""
        return f.cast(self, "int8")

    def byte(self) -> Tensor:
        """The tensor in uint8, fractions cut off."""
        return f.cast(self, "uint8")

    def type(self, dtype: Any) -> Tensor:
        """The tensor in another dtype."""
        return f.cast(self, dtype)

    def bool(self) -> Tensor:
        """Which elements are not 0."""
        return f.cast(self, "bool")

    def reshape_as(self, other: Tensor) -> Tensor:
        """The tensor in the shape of ``other``."""
        return f.reshape(self, other.shape)

    def new_tensor(self, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: Bool = False) -> Tensor:
        """A tensor with a copy of ``data``, in this one's dtype and on its device unless others are given."""
        from .creation import tensor

        return tensor(data, dtype=dtype or self.dtype, device=device or self.backend, requires_grad=requires_grad)

    def new_full(self, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: Bool = False) -> Tensor:
        """``fill_value`` in the shape ``size``, in this one's dtype and on its device unless others are given."""
        from .creation import full

        return full(size, fill_value, dtype=dtype or self.dtype, device=device or self.backend, requires_grad=requires_grad)

    def new_zeros(self, *size: Any, dtype: Any = None, device: Any = None, requires_grad: Bool = False) -> Tensor:
        """Zeros, in this one's dtype and on its device unless others are given."""
        return self.new_full(sizes_of("new_zeros", size), 0, dtype=dtype, device=device, requires_grad=requires_grad)

    def new_ones(self, *size: Any, dtype: Any = None, device: Any = None, requires_grad: Bool = False) -> Tensor:
        """Ones, in this one's dtype and on its device unless others are given."""
        return self.new_full(sizes_of("new_ones", size), 1, dtype=dtype, device=device, requires_grad=requires_grad)

    def new_empty(self, *size: Any, dtype: Any = None, device: Any = None, requires_grad: Bool = False) -> Tensor:
        """Memory whose values are whatever was there, in this one's dtype and on its device unless others are given."""
        from .creation import empty

        return empty(*size, dtype=dtype or self.dtype, device=device or self.backend, requires_grad=requires_grad)

    def contiguous(self) -> Tensor:
        """The tensor itself where its elements lie in order, row after row; else a copy in which they do."""
        made: Tensor = shapes.contiguous(self)
        return self if made._array is self._array else made

    def __copy__(self) -> Tensor:
        result: Tensor = self._rebuild(self._array)
        return result

    def __deepcopy__(self, memo: dict[Any, Any]) -> Tensor:
        if self._node is not None:
            raise GraphError(
                "deepcopy: only leaf tensors can be copied deeply; use .detach().clone(), or .clone() to keep the graph"
            )
        if id(self) not in memo:
            memo[id(self)] = self._rebuild(self.backend.xp.asarray(self._array, copy=True))
            memo[id(self)].grad = None if self.grad is None else self.grad.__deepcopy__(memo)
        result: Tensor = memo[id(self)]
        return result

    def _rebuild(self, array: Array) -> Any:
        made = type(self).__new__(type(self))
        Tensor.__init__(made, array, self.backend, self._node)
        made._requires_grad = self._requires_grad
        return made

    def __reduce__(self) -> Any:
        if self._node is not None:
            raise GraphError("pickle: only leaf tensors can be pickled; use .detach()")
        return _unpickle, (type(self), self.backend.to_numpy(self._array), self.device, self._requires_grad)

    # --- indexing and writing in place ---------------------------------------------------------------------------------------

    __getitem__ = f.getitem

    def __setitem__(self, index: Any, value: Any) -> None:
        if type(value) in (list, tuple):
            value = self._stacked(value)
        if graph.writes.recorded and state.recording:
            graph.bring_up_to_date("__setitem__", (self, value))
        tracked = self._requires_grad or (isinstance(value, Tensor) and value._requires_grad)
        if tracked and state.recording:
            self._write(f.index_put(self, index, value), "__setitem__")
            return
        array = value._array if isinstance(value, Tensor) else value
        if isinstance(value, Tensor) and value.backend is not self.backend:
            raise f.backends_differ(self, value)
        if not isinstance(value, Tensor) and type(value) not in NUMBERS:
            array = self.backend.asarray(backends.parse(array), self.dtype)
        self._make_writable()
        xp = self.backend.xp
        if hasattr(array, "dtype") and array.dtype != self._array.dtype:
            array = self.backend.asarray(array, self.dtype)
        for journal in state.journals:
            journal.writing(self.backend, self._array)
        try:
            *first, last = f.in_steps(f.plain_index(self, index))
            part = xp.getitem(self._array, first[0]) if first else self._array
            if first and self.backend.owner(part) is not self.backend.owner(self._array):  # in capture, a copy
                array, last = xp.index_put(part, array, last), first[0]
                part = self._array
            xp.setitem(part, array, last)
        except (ValueError, IndexError) as error:
            raise type(error)(f"tensor[{f.shown_index(index)}] = …: {error} (the tensor has shape {self.shape})") from error
        graph.writes.note(self.backend, self._array, "__setitem__")

    def _stacked(self, data: Any) -> Tensor:
        """Nested lists as a tensor of this one's dtype and device, with the graphs of the tensors in them."""
        if isinstance(data, Tensor):
            return data.to(self.dtype)
        if isinstance(data, (list, tuple)) and any(isinstance(part, (Tensor, list, tuple)) for part in data):
            return f.stack([self._stacked(part) for part in data])
        return self.new_tensor(data)

    def _make_writable(self) -> Array:
        """The array, which a 0-d result may hold as a NumPy scalar, as one that can be written to and shared."""
        if not hasattr(self._array, "__setitem__"):
            self._array = self.backend.xp.asarray(self._array, copy=True)
        return self._array

    def _write(self, result: Tensor, operation: str) -> Tensor:
        """Take the values of ``result``, and its place in the graph, in this tensor's own memory."""
        if result.shape != self.shape:
            raise ValueError(f"{operation}: the result has shape {result.shape}, which does not fit in place into {self.shape}")
        if backends.dtypes.CATEGORY[result.dtype.kind] > backends.dtypes.CATEGORY[self.dtype.kind]:
            raise TypeError(f"{operation}: the result is {result.dtype}, which does not fit in place into {self.dtype}")
        recorded = state.recording and (self.requires_grad or result._requires_grad)
        base = self if self._view is None else self._view.base
        if recorded and base._node is None and base._requires_grad:
            whose = "" if base is self else ", through a view of it"
            raise GraphError(
                f"{operation}: a leaf that requires a gradient would be changed in place{whose}; use ad.no_grad(), or a new tensor"
            )
        result = f.cast(result, self.dtype)
        self._make_writable()
        if recorded:
            self._keep_values_for(result._node)
        for journal in state.journals:
            journal.writing(self.backend, self._array)
        try:
            self.backend.xp.setitem(self._array, result._array, ...)
        except ValueError as error:
            raise ValueError(f"{operation}: the tensor can not be written to ({error}); use .clone() first") from None
        if recorded:
            base._move_to(result._node if self._view is None else self._view.written(result))
            if self._view is not None:
                self._view.follow(self)
        graph.writes.note(self.backend, self._array, operation, base if recorded else None)
        return self

    def _move_to(self, node: Node | None) -> None:
        """Be what ``node`` made from now on; its cotangent fills :attr:`grad` where the former node's did."""
        if self._node is not None and self._node.aside is not None and node is not None:
            node.set_aside().retained_by, self._node.aside.retained_by = self._node.aside.retained_by, None
        for journal in state.journals:
            journal.moving(self)
        self._node, self._requires_grad = node, node is not None

    def _reshaped(self, operation: str, change: Any, *args: Any) -> Tensor:
        """Become the view of itself that ``change`` makes, where the memory stays."""
        if self.is_leaf and self._requires_grad and state.recording:
            raise GraphError(
                f"{operation}: a leaf that requires a gradient would be changed in place; use ad.no_grad(), or a new view"
            )
        for journal in state.journals:
            journal.moving(self)
        before = Tensor(self._make_writable(), self.backend, self._node)
        before._view, before._was = self._view, self._was
        if self._view is None:
            self._was = before  # the base of the views there are, and of this one
        after = change(before, *args)
        self._array, self._view = after._array, after._view
        if self._node is not None:
            self._node = after._node
        return self

    def t_(self) -> Tensor:
        """:func:`t`, in place: of the shape alone."""
        return self._reshaped("t_", f.t)

    def transpose_(self, dim0: Int, dim1: Int) -> Tensor:
        """:func:`transpose`, in place: of the shape alone."""
        return self._reshaped("transpose_", f.transpose, dim0, dim1)

    def squeeze_(self, dim: Any = None) -> Tensor:
        """:func:`squeeze`, in place: of the shape alone."""
        return self._reshaped("squeeze_", f.squeeze, dim)

    def unsqueeze_(self, dim: Int) -> Tensor:
        """:func:`unsqueeze`, in place: of the shape alone."""
        return self._reshaped("unsqueeze_", f.unsqueeze, dim)

    swapaxes_ = swapdims_ = transpose_

    def _keep_values_for(self, node: Node | None) -> None:
        """Have ``node``, whose result is about to replace this tensor's values, keep a copy where it saved them."""
        if node is not None:
            copy = self.backend.xp.asarray
            node.saved = tuple(copy(a, copy=True) if a is self._array else a for a in node.saved)

    def add_(self, other: Any, *, alpha: Any = 1) -> Tensor:
        """:func:`add`, in place."""
        return self._write(f.add(self, other, alpha=alpha), "add_")

    def sub_(self, other: Any, *, alpha: Any = 1) -> Tensor:
        """:func:`subtract`, in place."""
        return self._write(f.subtract(self, other, alpha=alpha), "sub_")

    def mul_(self, other: Any) -> Tensor:
        """:func:`multiply`, in place."""
        return self._write(f.multiply(self, other), "mul_")

    def div_(self, other: Any, *, rounding_mode: str | None = None) -> Tensor:
        """:func:`divide`, in place."""
        return self._write(f.divide(self, other, rounding_mode=rounding_mode), "div_")

    def pow_(self, exponent: Any) -> Tensor:
        """:func:`pow`, in place."""
        return self._write(f.pow(self, exponent), "pow_")

    def clamp_(self, min: Any = None, max: Any = None) -> Tensor:
        """:func:`clamp`, in place."""
        return self._write(f.clamp(self, min, max), "clamp_")

    def masked_fill_(self, mask: Any, value: Any) -> Tensor:
        """:func:`masked_fill`, in place."""
        return self._write(f.masked_fill(self, mask, value), "masked_fill_")

    def copy_(self, source: Any) -> Tensor:
        """The values of ``source``, broadcast and cast, in place."""
        source = source.to(device=self.backend, dtype=self.dtype) if isinstance(source, Tensor) else source
        if not (state.recording and (self.requires_grad or getattr(source, "_requires_grad", False))):
            self[...] = source
            return self
        return self._write(f.index_put(self, ..., source), "copy_")

    @reads_numbers
    def polygamma_(self, n: Int) -> Tensor:
        """:func:`polygamma` of order ``n``, in place."""
        return self._write(f.polygamma(n, self), "polygamma_")

    def fill_(self, value: Any) -> Tensor:
        """``value`` everywhere, in place."""
        return self.copy_(value)

    def zero_(self) -> Tensor:
        """Zero everywhere, in place."""
        return self.copy_(0)

    @reads_numbers
    def normal_(self, mean: Float = 0, std: Float = 1, *, generator: Any = None) -> Tensor:
        """Numbers drawn from the normal distribution of ``mean`` and standard deviation ``std``, in place."""
        from .random import normal

        drawn = normal(mean, std, self.shape, generator=generator, dtype=self.dtype, device=self.backend)
        return self._write(drawn, "normal_")

    @reads_numbers
    def uniform_(self, low: Float = 0, high: Float = 1, *, generator: Any = None) -> Tensor:
        """Numbers drawn evenly from [low, high), in place. Raises ``ValueError`` where ``high`` is below ``low``."""
        from .random import rand_like

        if high < low:
            raise ValueError(f"uniform_: draws from [low, high), and {high} is below {low}")
        return self._write(low + (high - low) * rand_like(self, generator=generator), "uniform_")

    def bernoulli_(self, p: Any = 0.5, *, generator: Any = None) -> Tensor:
        """1 with probability ``p``, a number or a tensor that broadcasts, else 0, in place. Raises ``ValueError`` on another p."""
        from .random import rand

        if not (p.backend.truth(f.all((p >= 0) & (p <= 1))._array) if isinstance(p, Tensor) else 0 <= p <= 1):
            raise ValueError(f"bernoulli_: p is a probability from 0 to 1, not {p}")
        return self._write((rand(self.shape, generator=generator, device=self.backend) < p).to(self.dtype), "bernoulli_")

    abs_, neg_, sign_, sgn_, reciprocal_ = map(in_place, (f.abs, f.neg, f.sign, f.sgn, f.reciprocal))
    exp_, exp2_, expm1_, log_, log1p_ = map(in_place, (f.exp, f.exp2, f.expm1, f.log, f.log1p))
    log2_, log10_, sqrt_, rsqrt_, square_ = map(in_place, (f.log2, f.log10, f.sqrt, f.rsqrt, f.square))
    sin_, cos_, tan_, asin_, acos_, atan_ = map(in_place, (f.sin, f.cos, f.tan, f.asin, f.acos, f.atan))
    sinh_, cosh_, tanh_, asinh_, acosh_, atanh_ = map(in_place, (f.sinh, f.cosh, f.tanh, f.asinh, f.acosh, f.atanh))
    sigmoid_, relu_, logit_, erf_, erfc_, erfinv_ = map(in_place, (f.sigmoid, f.relu, f.logit, f.erf, f.erfc, f.erfinv))
    floor_, ceil_, round_, trunc_, frac_, sinc_ = map(in_place, (f.floor, f.ceil, f.round, f.trunc, f.frac, f.sinc))
    clamp_min_, clamp_max_, nan_to_num_ = map(in_place, (f.clamp_min, f.clamp_max, f.nan_to_num))
    fmod_, remainder_, floor_divide_ = map(in_place, (f.fmod, f.remainder, f.floor_divide))
    addcdiv_, addcmul_, lerp_, ldexp_, xlogy_ = map(in_place, (f.addcdiv, f.addcmul, f.lerp, f.ldexp, f.xlogy))
    copysign_, hypot_, atan2_, deg2rad_, rad2deg_ = map(in_place, (f.copysign, f.hypot, f.atan2, f.deg2rad, f.rad2deg))
    nextafter_ = in_place(f.nextafter)
    float_power_, absolute_, negative_, clip_ = in_place(f.float_power), abs_, neg_, clamp_
    subtract_, multiply_, divide_, true_divide_ = sub_, mul_, div_, div_

    digamma_, lgamma_, mvlgamma_ = map(in_place, (f.digamma, f.lgamma, f.mvlgamma))
    eq_, ne_, lt_, le_, gt_, ge_ = map(in_place, (f.eq, f.ne, f.lt, f.le, f.gt, f.ge))
    logical_and_, logical_or_, logical_xor_, logical_not_ = map(
        in_place, (f.logical_and, f.logical_or, f.logical_xor, f.logical_not)
    )

    index_add_, index_copy_, index_fill_, index_put_ = map(in_place, (f.index_add, f.index_copy, f.index_fill, f.index_put))
    scatter_, scatter_add_, scatter_reduce_ = map(in_place, (f.scatter, f.scatter_add, f.scatter_reduce))
    masked_scatter_, put_, tril_, triu_ = map(in_place, (f.masked_scatter, f.put, f.tril, f.triu))
    cumsum_, cumprod_, fill_diagonal_ = in_place(f.cumsum), in_place(f.cumprod), in_place(f.fill_diagonal)
    addmm_, addmv_, addr_, addbmm_, baddbmm_ = map(in_place, (f.addmm, f.addmv, f.addr, f.addbmm, f.baddbmm))

    bitwise_and_, bitwise_or_, bitwise_xor_, bitwise_not_ = map(
        in_place, (f.bitwise_and, f.bitwise_or, f.bitwise_xor, f.bitwise_not)
    )
    bitwise_left_shift_, bitwise_right_shift_ = map(in_place, (f.bitwise_left_shift, f.bitwise_right_shift))

    __iadd__, __isub__, __imul__, __itruediv__, __ipow__ = add_, sub_, mul_, div_, pow_
    __ifloordiv__, __imod__, __iand__, __ior__, __ixor__ = floor_divide_, remainder_, bitwise_and_, bitwise_or_, bitwise_xor_
    __ilshift__, __irshift__ = bitwise_left_shift_, bitwise_right_shift_

    # --- operators -----------------------------------------------------------------------------------------------------------

    __add__, __sub__, __mul__, __truediv__ = elementwise.add, elementwise.subtract, f.multiply, f.true_divide
    __floordiv__, __mod__, __pow__, __matmul__ = f.floor_divide, f.remainder, f.pow, f.matmul
    __neg__, __abs__, __invert__ = f.negative, f.abs, f.bitwise_not
    __lt__, __le__, __gt__, __ge__ = f.lt, f.le, f.gt, f.ge
    __and__, __or__, __xor__ = f.bitwise_and, f.bitwise_or, f.bitwise_xor
    __lshift__, __rshift__ = f.bitwise_left_shift, f.bitwise_right_shift
    __radd__, __rmul__ = elementwise.add, f.multiply
    __rand__, __ror__, __rxor__ = f.bitwise_and, f.bitwise_or, f.bitwise_xor

    def __pos__(self) -> Tensor:
        return self

    def __rsub__(self, other: Any) -> Tensor:
        return f.subtract(other, self)

    def __rtruediv__(self, other: Any) -> Tensor:
        return f.true_divide(other, self)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return f.floor_divide(other, self)

    def __rmod__(self, other: Any) -> Tensor:
        return f.remainder(other, self)

    def __rpow__(self, other: Any) -> Tensor:
        return f.pow(other, self)

    def __rlshift__(self, other: Any) -> Tensor:
        return f.bitwise_left_shift(other, self)

    def __rrshift__(self, other: Any) -> Tensor:
        return f.bitwise_right_shift(other, self)

    def __rmatmul__(self, other: Any) -> Tensor:
        return f.matmul(other, self)

    def __eq__(self, other: object) -> Any:
        return f.eq(self, other) if _comparable(other) else NotImplemented

    def __ne__(self, other: object) -> Any:
        return f.ne(self, other) if _comparable(other) else NotImplemented

    # --- methods: the functions under PyTorch's names ------------------------------------------------------------------------

    add, sub, subtract = f.add, f.subtract, f.subtract
    mul, multiply, div, divide, true_divide = f.multiply, f.multiply, f.divide, f.divide, f.true_divide
    floor_divide, remainder, pow, square, sqrt, rsqrt = f.floor_divide, f.remainder, f.pow, f.square, f.sqrt, f.rsqrt
    neg, negative, abs, absolute, reciprocal, sign = f.neg, f.negative, f.abs, f.abs, f.reciprocal, f.sign
    exp, expm1, log, log1p, log2, log10, logaddexp = f.exp, f.expm1, f.log, f.log1p, f.log2, f.log10, f.logaddexp
    sin, cos, tan, asin, acos, atan, atan2 = f.sin, f.cos, f.tan, f.asin, f.acos, f.atan, f.atan2
    sinh, cosh, tanh, asinh, acosh, atanh = f.sinh, f.cosh, f.tanh, f.asinh, f.acosh, f.atanh
    sigmoid, relu, erf, softmax, log_softmax = f.sigmoid, f.relu, f.erf, f.softmax, f.log_softmax
    floor, ceil, round, trunc, clamp, clip = f.floor, f.ceil, f.round, f.trunc, f.clamp, f.clamp
    maximum, minimum, eq, ne, lt, le, gt, ge = f.maximum, f.minimum, f.eq, f.ne, f.lt, f.le, f.gt, f.ge
    arcsin, arccos, arctan, arctan2, arcsinh, arccosh, arctanh = asin, acos, atan, atan2, asinh, acosh, atanh
    not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge
    logical_and, logical_or, logical_xor, logical_not = f.logical_and, f.logical_or, f.logical_xor, f.logical_not
    isnan, isinf, isfinite = f.isnan, f.isinf, f.isfinite
    addcdiv, addcmul, lerp, float_power, ldexp, fmod, frac = f.addcdiv, f.addcmul, f.lerp, f.float_power, f.ldexp, f.fmod, f.frac
    clamp_min, clamp_max, fmax, fmin, nan_to_num = f.clamp_min, f.clamp_max, f.fmax, f.fmin, f.nan_to_num
    copysign, hypot, positive, sgn, deg2rad, rad2deg = f.copysign, f.hypot, f.positive, f.sgn, f.deg2rad, f.rad2deg
    nextafter = f.nextafter
    erfc, erfinv, exp2, logaddexp2, logit, sinc, xlogy = f.erfc, f.erfinv, f.exp2, f.logaddexp2, f.logit, f.sinc, f.xlogy
    digamma, lgamma, mvlgamma = f.digamma, f.lgamma, f.mvlgamma
    isclose, allclose, equal = f.isclose, f.allclose, f.equal
    bitwise_and, bitwise_or, bitwise_xor, bitwise_not = f.bitwise_and, f.bitwise_or, f.bitwise_xor, f.bitwise_not
    bitwise_left_shift, bitwise_right_shift = f.bitwise_left_shift, f.bitwise_right_shift
    sum, mean, var, std, prod, norm, logsumexp, cumsum = f.sum, f.mean, f.var, f.std, f.prod, f.norm, f.logsumexp, f.cumsum
    max, min, amax, amin, argmax, argmin, all, any = f.max, f.min, f.amax, f.amin, f.argmax, f.argmin, f.all, f.any
    reshape, view, flatten, permute, transpose, t = f.reshape, f.view, f.flatten, f.permute, f.transpose, f.t
    squeeze, unsqueeze, expand, broadcast_to, repeat = f.squeeze, f.unsqueeze, f.expand, f.broadcast_to, f.repeat
    movedim, flip, roll, tril, triu = f.movedim, f.flip, f.roll, f.tril, f.triu
    split, chunk, narrow, unbind = f.split, f.chunk, f.narrow, f.unbind
    gather, index_select, take_along_dim, masked_fill = f.gather, f.index_select, f.take_along_dim, f.masked_fill
    matmul, mm, mv, bmm, dot, outer, clone = f.matmul, f.mm, f.mv, f.bmm, f.dot, f.outer, f.clone
    addmm, addmv, addr, addbmm, baddbmm = f.addmm, f.addmv, f.addr, f.addbmm, f.baddbmm
    inner, ger, vdot, matrix_power, cholesky_solve = f.inner, f.outer, f.dot, f.matrix_power, f.cholesky_solve
    inverse, pinverse, det, logdet, slogdet, qr, svd = f.inv, f.pinverse, f.det, f.logdet, f.slogdet, f.qr, f.svd

    sort, argsort, msort, topk, kthvalue, unique = f.sort, f.argsort, f.msort, f.topk, f.kthvalue, f.unique
    unique_consecutive, bincount, heaviside = f.unique_consecutive, f.bincount, f.heaviside
    median, nanmedian, mode, quantile, nanquantile = f.median, f.nanmedian, f.mode, f.quantile, f.nanquantile
    aminmax, nansum, nanmean, count_nonzero, dist = f.aminmax, f.nansum, f.nanmean, f.count_nonzero, f.dist
    cov, corrcoef, diff, sum_to_size = f.cov, f.corrcoef, f.diff, f.sum_to_size
    cummax, cummin, cumprod, logcumsumexp = f.cummax, f.cummin, f.cumprod, f.logcumsumexp
    diag, diag_embed, diagflat, diagonal, diagonal_scatter = f.diag, f.diag_embed, f.diagflat, f.diagonal, f.diagonal_scatter
    trace, cross, kron, adjoint, fliplr, flipud, rot90 = f.trace, f.cross, f.kron, f.adjoint, f.fliplr, f.flipud, f.rot90
    split_with_sizes, tensor_split, hsplit, vsplit, dsplit = f.split_with_sizes, f.tensor_split, f.hsplit, f.vsplit, f.dsplit
    unflatten, unfold, tile, repeat_interleave = f.unflatten, f.unfold, f.tile, f.repeat_interleave
    ravel, expand_as, view_as = f.ravel, f.expand_as, f.view_as
    moveaxis, swapaxes, swapdims = f.movedim, f.transpose, f.transpose
    index_add, index_copy, index_fill, index_put = f.index_add, f.index_copy, f.index_fill, f.index_put
    scatter, scatter_add, scatter_reduce, put, take = f.scatter, f.scatter_add, f.scatter_reduce, f.put, f.take
    masked_select, masked_scatter, nonzero, argwhere = f.masked_select, f.masked_scatter, f.nonzero, f.argwhere
    select, select_scatter, slice_scatter = f.select, f.select_scatter, f.slice_scatter

    @reads_numbers
    def polygamma(self, n: Int) -> Tensor:
        """:func:`polygamma` of order ``n``."""
        return f.polygamma(n, self)

    def where(self, condition: Any, other: Any) -> Tensor:
        """The tensor where ``condition`` holds, else ``other``."""
        return f.where(condition, self, other)


for _name, _method in list(vars(Tensor).items()):
    if isinstance(_method, Primitive) and isinstance(_method.call, FunctionType):
        setattr(Tensor, _name, _method.call)  # a method as any other, which takes no time to bind


def destination(words: tuple[Any, ...], device: Any, dtype: Any) -> tuple[Any, Any]:
    """The device and dtype that the arguments of ``to`` mean, in any order; None where one is left as it is."""
    for word in words:
        if isinstance(word, Tensor):
            device, dtype = word.backend, word.dtype
        elif hasattr(word, "xp") or (isinstance(word, str) and word not in backends.dtypes.BY_NAME):
            device = word
        else:
            dtype = word
    return device, dtype


class HookHandle:
    """What :meth:`Tensor.register_hook` returns."""

    __slots__ = ("_hook", "_hooks")

    def __init__(self, hooks: list[Hook], hook: Hook) -> None:
        self._hooks, self._hook = hooks, hook

    def remove(self) -> None:
        """Take the hook off; nothing happens the second time."""
        self._hooks[:] = [hook for hook in self._hooks if hook is not self._hook]


def _comparable(other: object) -> Any:
    return isinstance(other, (Tensor, int, float)) or backends.of_array(other) is not None


def _unpickle(cls: type[Tensor], array: Any, device: str, requires_grad: bool) -> Tensor:
    backend = backends.get(device)
    made = cls.__new__(cls)
    Tensor.__init__(made, backend.asarray(array), backend)
    made._requires_grad = requires_grad
    return made


def leaf(array: Array, backend: Backend, requires_grad: Any = False) -> Tensor:
    """A tensor over ``array`` that no operation made."""
    made = Tensor(array, backend)
    if requires_grad:
        made.requires_grad = True
    return made


def is_tensor(obj: Any) -> bool:
    """Whether ``obj`` is a tensor."""
    return isinstance(obj, Tensor)


def is_floating_point(x: Tensor) -> bool:
    """Whether the elements are floating-point numbers, so that they can require a gradient."""
    return x.dtype.is_floating_point


def numel(x: Tensor) -> int:
    """The number of elements of ``x``."""
    return x.numel()
