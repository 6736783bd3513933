"""``Tensor``: an array that may require a gradient, and its place in the graph.

This file has what a tensor is, its attributes in the graph, its values as Python and NumPy objects, and the machinery of in-place
writes. Its operators, and the methods that call functions, are in ``methods.py``, which attaches them to the class.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import backends
from ..backends import Array, Backend, DType, dtypes
from ..errors import GraphError
from .modes import state
from .versions import View, writes

if TYPE_CHECKING:
    from .gradients import GradientBuffer
    from .graph import Node
    from .methods import Methods
else:
    Methods = object

_new = object.__new__
Hook = Callable[["Tensor"], "Tensor | None"]


def result(array: Array, backend: Backend, node: Node | None = None) -> Tensor:
    """``Tensor(array, backend, node)`` for the result of an operation: a function, which is a little faster."""
    tensor = _new(Tensor)
    tensor._array, tensor.backend, tensor._node, tensor._requires_grad = array, backend, node, node is not None
    tensor.grad = tensor._grad_buffer = tensor._hooks = tensor._view = tensor._was = None
    return tensor


def leaf(array: Array, backend: Backend, requires_grad: bool = False) -> Tensor:
    """A leaf tensor over ``array``."""
    tensor = Tensor(array, backend)
    if requires_grad:
        tensor.requires_grad = True
    return tensor


class Tensor(Methods):
    """An n-dimensional array on a backend that may require a gradient.

    Create one with :func:`adjoint.tensor` and its like; operations return them too. Operators and methods are PyTorch's.

    Args:
        array: the backend's array.
        backend: the backend of the array. Without one, ``TypeError`` is raised: use :func:`adjoint.tensor`.
        node: the node of the operation that computed the array, or None.

    Attributes:
        backend: the backend of its array.
        grad: the gradient that ``backward()`` has accumulated for a leaf that requires one, or None.
    """

    __slots__ = ("__weakref__", "_array", "_grad_buffer", "_hooks", "_node", "_requires_grad", "_view", "_was", "backend", "grad")
    grad: Tensor | None
    _grad_buffer: GradientBuffer | None
    _hooks: list[Hook] | None
    _view: View | None
    _was: Tensor | None

    def __init__(self, array: Array, backend: Backend | None = None, node: Node | None = None) -> None:
        if backend is None:
            raise TypeError("Tensor: create tensors with ad.tensor(data)")
        self._array = array
        self.backend = backend
        self._node = node
        self._requires_grad = node is not None
        self.grad = self._grad_buffer = self._hooks = self._view = self._was = None

    # --- what it is ----------------------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        shape: tuple[int, ...] = self._array.shape
        return shape

    @property
    def dtype(self) -> DType:
        """The elements' type."""
        return self.backend.dtypes[self._array.dtype]

    @property
    def device(self) -> str:
        """The device of its memory, such as ``"cpu"`` or ``"cuda:0"``."""
        return self.backend.device

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._array.shape)

    def dim(self) -> int:
        """The number of axes."""
        return self.ndim

    def numel(self) -> int:
        """The number of elements."""
        return int(self._array.size)

    nelement = numel

    def element_size(self) -> int:
        """Bytes per element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.numel() * self.element_size()

    def is_floating_point(self) -> bool:
        """Whether the elements are floating-point numbers."""
        return self.dtype.is_floating_point

    def is_contiguous(self) -> bool:
        """Whether the elements are in row-major order in memory, so that :meth:`contiguous` returns the tensor itself."""
        return self.backend.xp.contiguous(self._array) is self._array

    # --- in the graph --------------------------------------------------------------------------------------------------------

    @property
    def is_leaf(self) -> bool:
        """Whether it is no result of a recorded operation."""
        return self.grad_fn is None

    @property
    def grad_fn(self) -> Node | None:
        """The node of the operation that returned it; None for a leaf."""
        if self._view is not None:
            self._view.follow(self)
        return self._node

    @property
    def requires_grad(self) -> bool:
        """Whether operations on it are recorded. Only floating-point tensors can require a gradient."""
        if self._view is not None:
            self._view.follow(self)
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value and self.dtype.kind != "float":
            raise TypeError(f"requires_grad: only floating-point tensors have gradients, not {self.dtype}")
        if not value and self._node is not None:
            raise GraphError("requires_grad: it can be unset on leaf tensors only; use .detach() for a tensor without a graph")
        if self._node is None:
            self._view = None  # from here on a leaf, which follows no base
        self._requires_grad = bool(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set :attr:`requires_grad`, and return the tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def data(self) -> Tensor:
        """The same memory without the graph. Assigning a tensor replaces the values without recording the operation."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        for journal in state.journals:
            journal.moving(self)
        self._array, self.backend = value._array, value.backend
        self._grad_buffer = self._view = None  # it may have another shape, dtype or device

    def detach(self) -> Tensor:
        """A tensor over the same memory, without the graph."""
        detached = result(self._make_writable(), self.backend)
        writes.exempt(self.backend, detached)
        return detached

    def detach_(self) -> Tensor:
        """Remove the tensor from the graph, and return it."""
        self._node, self._requires_grad, self._view = None, False, None
        return self

    def retain_grad(self) -> None:
        """Have ``backward`` fill :attr:`grad` although this tensor is no leaf.

        Raises:
            GraphError: the tensor does not require a gradient.
        """
        if not self._requires_grad:
            raise GraphError("retain_grad: the tensor does not require a gradient")
        if self._node is not None:
            self._node.ensure_metadata().retained_by = weakref.ref(self)

    def _retain(self, g: Any, create_graph: bool) -> None:
        """Add the cotangent ``g`` to :attr:`grad`; copied, since the walk may share it."""
        gradient = g.clone() if create_graph else Tensor(self.backend.xp.asarray(g, copy=True), self.backend)
        self.grad = gradient if self.grad is None else self.grad + gradient

    def register_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook`` with the gradient by this tensor each time one is computed.

        Args:
            hook: takes the gradient, and returns None or a tensor that replaces it.

        Returns:
            A handle whose ``remove()`` unregisters the hook.

        Raises:
            GraphError: the tensor does not require a gradient.
        """
        if not self._requires_grad:
            raise GraphError("register_hook: the tensor does not require a gradient")
        if self._node is not None:
            hooks = self._node.ensure_metadata().hooks
        else:
            hooks = self._hooks = self._hooks or []
        hooks.append(hook)
        return RemovableHandle(hooks, hook)

    # --- values out ----------------------------------------------------------------------------------------------------------

    def item(self) -> Any:
        """The single element as a Python number.

        Raises:
            ValueError: there is not exactly one element.
        """
        if self._array.size != 1:
            raise ValueError(f"item: requires a tensor with one element, not one of shape {self.shape}")
        return self.backend.to_numpy(self._array).item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers; a number for a 0-d tensor."""
        return self.backend.to_numpy(self._array).tolist()

    def numpy(self, *, force: bool = False) -> Any:
        """The elements as a NumPy array that shares the tensor's memory.

        Args:
            force: take any tensor, and copy where memory cannot be shared.

        Raises:
            GraphError: the tensor requires a gradient, unless ``force``.
            TypeError: the tensor is not on the CPU, unless ``force``.
        """
        if not force:
            if self._requires_grad:
                raise GraphError("numpy: the tensor requires a gradient, which NumPy would lose; use .detach().numpy()")
            if self.backend.name != "numpy":
                raise TypeError(f"numpy: the tensor is on '{self.device}' ({self.backend.name}); use .cpu().numpy()")
            self._make_writable()
        return self.backend.to_numpy(self._array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        array = self.numpy()
        if copy is False and (dtype is not None and array.dtype != dtype):
            raise ValueError(f"__array__: converting {self.dtype} to {dtype} requires a copy, and copy=False forbids it")
        return array.astype(dtype) if dtype is not None and array.dtype != dtype else array.copy() if copy else array

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """The memory for another library: see :func:`adjoint.from_dlpack`. Refuses a tensor that requires a gradient."""
        if self._requires_grad:
            raise BufferError("__dlpack__: the tensor requires a gradient, which another library would lose; use .detach()")
        options = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
        return self._make_writable().__dlpack__(**{name: value for name, value in options.items() if value is not None})

    def __dlpack_device__(self) -> tuple[int, int]:
        """The kind of memory and the device's number, as DLPack defines them."""
        kind, index = self._make_writable().__dlpack_device__()
        return int(kind), int(index)

    def __repr__(self) -> str:
        notes = []
        if self.backend.device != "cpu":
            notes.append(f"device='{self.device}'")
        if self.dtype.name not in ("float32", "int64", "bool") or (self._array.size == 0 and self.dtype.name != "float32"):
            notes.append(f"dtype={self.dtype}")
        if self._node is not None:
            notes.append(f"grad_fn={self._node!r}")
        elif self._requires_grad:
            notes.append("requires_grad=True")
        return backends.to_text(self.backend.to_numpy(self._array), notes)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise ValueError(
                f"the truth value of a tensor of shape {self.shape} is ambiguous; use .any(), .all() or compare one element"
            )
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind == "float":
            raise TypeError(f"only integer tensors can be an index, not {self.dtype}")
        return int(self.item())

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    # --- copies --------------------------------------------------------------------------------------------------------------

    def __copy__(self) -> Tensor:
        return self._rebuild(self._array)

    def __deepcopy__(self, memo: dict[Any, Any]) -> Tensor:
        if self._node is not None:
            raise GraphError(
                "deepcopy: only leaf tensors can be copied deeply; use .detach().clone(), or .clone() to keep the graph"
            )
        if id(self) not in memo:
            memo[id(self)] = self._rebuild(self.backend.xp.asarray(self._array, copy=True))
            memo[id(self)].grad = None if self.grad is None else self.grad.__deepcopy__(memo)
        copied: Tensor = memo[id(self)]
        return copied

    def _rebuild(self, array: Array) -> Tensor:
        """A tensor of the same class and place in the graph over ``array``."""
        tensor = type(self).__new__(type(self))
        Tensor.__init__(tensor, array, self.backend, self._node)
        tensor._requires_grad = self._requires_grad
        return tensor

    def __reduce__(self) -> Any:
        if self._node is not None:
            raise GraphError("pickle: only leaf tensors can be pickled; use .detach()")
        return _unpickle, (type(self), self.backend.to_numpy(self._array), self.device, self._requires_grad)

    # --- writing in place ----------------------------------------------------------------------------------------------------

    def _make_writable(self) -> Array:
        """Its array as one that can be written to and shared, which the NumPy scalar of a 0-d result cannot."""
        if not hasattr(self._array, "__setitem__"):
            self._array = self.backend.xp.asarray(self._array, copy=True)
        return self._array

    def _write(self, result: Tensor, operation: str) -> Tensor:
        """Write the values of ``result`` to this tensor's memory, and take its place in the graph."""
        if result.shape != self.shape:
            raise ValueError(f"{operation}: the result has shape {result.shape}, which does not fit in place into {self.shape}")
        if dtypes.CATEGORY[result.dtype.kind] > dtypes.CATEGORY[self.dtype.kind]:
            raise TypeError(f"{operation}: the result is {result.dtype}, which does not fit in place into {self.dtype}")
        recorded = state.recording and (self.requires_grad or result._requires_grad)
        base = self if self._view is None else self._view.base
        if recorded and base._node is None and base._requires_grad:
            whose = "" if base is self else ", through a view of it"
            raise GraphError(
                f"{operation}: a leaf that requires a gradient would be changed in place{whose}; use ad.no_grad(), or a new tensor"
            )
        if result._array.dtype is not self._array.dtype:
            result = result.to(self.dtype)
        self._make_writable()
        if recorded:
            self._keep_values_for(result._node)
        for journal in state.journals:
            journal.writing(self.backend, self._array)
        try:
            self.backend.xp.setitem(self._array, result._array, ...)
        except ValueError as error:
            raise ValueError(f"{operation}: the tensor cannot be written to ({error}); use .clone() first") from None
        if recorded:
            base._move_to(result._node if self._view is None else self._view.written(result))
            if self._view is not None:
                self._view.follow(self)
        writes.note(self.backend, self._array, operation, base if recorded else None)
        return self

    def _keep_values_for(self, node: Node | None) -> None:
        """Replace this tensor's array among those that ``node`` saved by a copy: the node's result is about to overwrite it."""
        if node is not None:
            copy = self.backend.xp.asarray
            node.saved = tuple(copy(a, copy=True) if a is self._array else a for a in node.saved)

    def _move_to(self, node: Node | None) -> None:
        """Become the result of ``node``; its cotangent fills :attr:`grad` if the former node's did."""
        if self._node is not None and self._node.metadata is not None and node is not None:
            node.ensure_metadata().retained_by, self._node.metadata.retained_by = self._node.metadata.retained_by, None
        for journal in state.journals:
            journal.moving(self)
        self._node, self._requires_grad = node, node is not None

    def _reshape_in_place(self, operation: str, change: Callable[..., Tensor], *args: Any) -> Tensor:
        """Become ``change(self, *args)``, a view of this tensor."""
        if self.is_leaf and self._requires_grad and state.recording:
            raise GraphError(
                f"{operation}: a leaf that requires a gradient would be changed in place; use ad.no_grad(), or a new view"
            )
        for journal in state.journals:
            journal.moving(self)
        before = Tensor(self._make_writable(), self.backend, self._node)
        before._view, before._was = self._view, self._was
        if self._view is None:
            self._was = before  # the base of the existing views, and of this one
        after = change(before, *args)
        self._array, self._view = after._array, after._view
        if self._node is not None:
            self._node = after._node
        return self


class RemovableHandle:
    """Unregisters a hook: by :meth:`remove`, or at the end of a ``with`` block."""

    __slots__ = ("_hook", "_hooks")

    def __init__(self, hooks: list[Any], hook: Any) -> None:
        self._hooks, self._hook = hooks, hook

    def remove(self) -> None:
        """Unregister the hook; a second call does nothing."""
        self._hooks[:] = [hook for hook in self._hooks if hook is not self._hook]

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def _unpickle(cls: type[Tensor], array: Any, device: str, requires_grad: bool) -> Tensor:
    backend = backends.get(device)
    tensor = cls.__new__(cls)
    Tensor.__init__(tensor, backend.asarray(array), backend)
    tensor._requires_grad = requires_grad
    return tensor


def is_tensor(obj: Any) -> bool:
    """Whether ``obj`` is a tensor."""
    return isinstance(obj, Tensor)


def is_floating_point(x: Tensor) -> bool:
    """Whether the elements are floating-point numbers, so that they can require a gradient."""
    return x.dtype.is_floating_point


def numel(x: Tensor) -> int:
    """The number of elements of ``x``."""
    return x.numel()
