"""``Module``: the base of layers, losses and models: parameters, buffers, children, state, hooks and printing.

Parameters, buffers and children are the module's attributes; no second list is kept. An attribute's type says what it is (a
:class:`Parameter`, a :class:`Module`); only the names of buffers are stored, since any tensor can be one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ..autograd import Tensor, no_grad
from ..autograd.arguments import destination, reads_numbers
from ..autograd.creation import as_tensor
from ..autograd.modes import state
from ..autograd.tensor import RemovableHandle
from ..backends import as_dtype
from ..capture.recording import watch
from .parameter import Parameter

__all__ = ["Module"]

#: Methods that ``adjoint.train``, which is above this package, sets on :class:`Module`; the first use of one imports it.
METHODS_OF_TRAIN = (
    "compile", "fit", "evaluate", "predict", "predict_classes", "train_step", "test_step", "summary", "get_weights",
    "set_weights", "save", "load",
)  # fmt: skip


class IncompatibleKeys(NamedTuple):
    """The names that :meth:`Module.load_state_dict` found in only one of the module and the state."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not any(self):
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Module:
    """Base class of layers, losses and models: subclass it, assign parameters and children as attributes, and define ``forward``.

    Attributes:
        training: whether the module is in training mode (see :meth:`train`), which dropout and normalization depend on.

    >>> import adjoint as ad
    >>> class Scale(Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = Parameter(ad.tensor(2.0))
    ...
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> Scale()(ad.tensor([1.0, 2.0])).detach()
    tensor([2., 4.])
    """

    if TYPE_CHECKING:
        compile: Any
        compiled: Any
        stop_training: Any
        fit: Any
        evaluate: Any
        predict: Any
        predict_classes: Any
        train_step: Any
        test_step: Any
        summary: Any
        get_weights: Any
        set_weights: Any
        save: Any
        load: Any

    training: bool = True
    _buffers: dict[str, bool] = {}  # from each buffer's name to whether it is persistent; an instance with any has its own
    _pre_hooks: list[Any] | None = None
    _hooks: list[Any] | None = None

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the module's output; call the module itself, which also runs its hooks."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward(self, …)")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._pre_hooks or self._hooks:
            return self._call_with_hooks(args, kwargs)
        return self.forward(*args, **kwargs)

    # --- parts ---------------------------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        current = self.__dict__.get(name)
        if isinstance(current, (Module, Parameter)) and value is not None:
            kind = Parameter if isinstance(current, Parameter) else Module
            if not isinstance(value, kind):
                raise TypeError(
                    f"{type(self).__name__}: '{name}' is a {kind.__name__} and cannot become a {type(value).__name__}; assign a "
                    f"{kind.__name__} or None, del it first, or write a parameter's values with .copy_() under no_grad()"
                )
        elif name in self._buffers and not (value is None or isinstance(value, Tensor)):
            raise TypeError(f"{type(self).__name__}: '{name}' is a buffer: assign a tensor or None, not {type(value).__name__}")
        for journal in state.journals:
            journal.assigning(self, name)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        for journal in state.journals:
            journal.assigning(self, name)
        object.__delattr__(self, name)
        if name in self._buffers:
            del self._buffers[name]

    def _register(self, kind: str, name: str, value: Any) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{kind}: the name must be a string, not {type(name).__name__}")
        if not name or "." in name:
            raise KeyError(f"{kind}: the name must not be empty or contain '.', as {name!r}")
        replaceable = isinstance(self.__dict__.get(name), (Parameter, Module)) or name in self._buffers
        hidden = name in METHODS_OF_TRAIN and name not in vars(self)  # a part may have the name of one
        if hasattr(self, name) and not replaceable and not hidden:
            raise KeyError(f"{kind}: {type(self).__name__} already has an attribute '{name}'")
        object.__setattr__(self, name, value)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Set attribute ``name`` to the parameter ``param``, or to None.

        Raises ``TypeError`` on another kind of value, ``KeyError`` on a name that is taken.
        """
        if not (param is None or isinstance(param, Parameter)):
            raise TypeError(f"register_parameter: '{name}' must be a Parameter or None, not {type(param).__name__}")
        self._register("register_parameter", name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Set an attribute to a tensor that is part of the module's state but not trainable; it moves with the module.

        Args:
            name: the attribute's name.
            tensor: the tensor, or None.
            persistent: whether :meth:`state_dict` includes it.

        Raises ``TypeError`` on another kind of value, ``KeyError`` on a name that is taken.
        """
        if not (tensor is None or isinstance(tensor, Tensor)):
            raise TypeError(f"register_buffer: '{name}' must be a tensor or None, not {type(tensor).__name__}")
        self._register("register_buffer", name, tensor)
        object.__setattr__(self, "_buffers", self._buffers | {name: persistent})

    def add_module(self, name: str, module: Module | None) -> None:
        """Set attribute ``name``, which need not be a Python identifier, to the child ``module``, or to None.

        Raises ``TypeError`` on another kind of value, ``KeyError`` on a name that is taken.
        """
        if not (module is None or isinstance(module, Module)):
            raise TypeError(f"add_module: '{name}' must be a Module or None, not {type(module).__name__}")
        self._register("add_module", name, module)

    register_module = add_module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Each child module once, with its name."""
        seen: set[Module] = set()
        for name, value in self.__dict__.items():
            if isinstance(value, Module) and value not in seen:
                seen.add(value)
                yield name, value

    def children(self) -> Iterator[Module]:
        """Each child module once."""
        return (child for _, child in self.named_children())

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """The module itself and all below it, with names such as ``"encoder.0"``.

        Args:
            memo: modules to skip; visited ones are added.
            prefix: precedes each name.
            remove_duplicate: whether to return shared modules only once.

        Returns an iterator of (name, module).

        >>> from adjoint import nn
        >>> [name for name, _ in nn.Sequential(nn.Linear(1, 2), nn.ReLU()).named_modules()]
        ['', '0', '1']
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, child in self.__dict__.items():
            if isinstance(child, Module):
                yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """The module itself and all below it, shared ones once."""
        return (module for _, module in self.named_modules())

    def _named_tensors(
        self, chosen: Callable[[Module], dict[str, Any]], prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        """The tensors that ``chosen`` returns for each module, with their full names."""
        seen: set[int] = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else iter([(prefix, self)])
        for path, module in modules:
            for name, tensor in chosen(module).items():
                if id(tensor) not in seen:
                    if remove_duplicate:
                        seen.add(id(tensor))
                    yield (f"{path}.{name}" if path else name), tensor

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with names such as ``"0.weight"``.

        Args:
            prefix: precedes each name.
            recurse: whether to include the modules below.
            remove_duplicate: whether to return shared tensors only once.

        Returns an iterator of (name, tensor).
        """
        return self._named_tensors(_parameters_of, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, each once; with ``recurse`` also those of the modules below."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """The buffers with names such as ``"1.running_mean"``.

        Args:
            prefix: precedes each name.
            recurse: whether to include the modules below.
            remove_duplicate: whether to return shared tensors only once.

        Returns an iterator of (name, tensor).
        """
        return self._named_tensors(_buffers_of, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, each once; with ``recurse`` also those of the modules below."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module called ``target``, such as ``"encoder.0"``. Raises ``AttributeError`` if there is none."""
        module: Any = self
        for name in target.split(".") if target else ():
            child = module.__dict__.get(name)
            if not isinstance(child, Module):
                raise AttributeError(f"get_submodule: {type(module).__name__} has no module '{name}' (of '{target}')")
            module = child
        submodule: Module = module
        return submodule

    # --- state ---------------------------------------------------------------------------------------------------------------

    def state_dict(self, *, prefix: str = "", keep_vars: bool = False) -> dict[str, Tensor]:
        """All parameters and persistent buffers by name, sharing their memory; detached unless ``keep_vars``.

        ``prefix`` precedes each name.

        >>> from adjoint import nn
        >>> {name: value.shape for name, value in nn.Linear(2, 3).state_dict().items()}
        {'weight': (3, 2), 'bias': (3,)}
        """
        state = dict(self._named_tensors(_state_of, prefix.removesuffix("."), True, False))
        return state if keep_vars else {name: tensor.detach() for name, tensor in state.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copy tensors or arrays from ``state_dict`` to the parameters and buffers of the same names, converting device and dtype.

        All names and shapes are checked before anything is written. Returns the names that only one side has; with ``strict`` they
        are errors.

        Raises:
            RuntimeError: a shape differs, or ``strict`` and names differ; it lists every mismatch.
            TypeError: ``state_dict`` is not a mapping, or a value not a tensor or array.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: the state must be a dict of tensors by name, not {type(state_dict).__name__}")
        own = self.state_dict(keep_vars=True)
        keys = IncompatibleKeys([n for n in own if n not in state_dict], [n for n in state_dict if n not in own])
        values = {name: as_tensor(state_dict[name], device=tensor.backend) for name, tensor in own.items() if name in state_dict}
        errors = [
            f"'{name}' has shape {value.shape} in the state and {own[name].shape} in the module"
            for name, value in values.items()
            if value.shape != own[name].shape
        ]
        if strict:
            errors = [f"'{n}' is missing" for n in keys.missing_keys] + [f"'{n}' is unknown" for n in keys.unexpected_keys] + errors
        if errors:
            lines = "\n  ".join(errors)
            raise RuntimeError(f"load_state_dict: the state does not fit {type(self).__name__}, nothing was loaded:\n  {lines}")
        with no_grad():
            for name, value in values.items():
                own[name].copy_(value)
        return keys

    def _apply(self, change: Callable[[Tensor], Tensor]) -> Self:
        """Replace every parameter's values, its gradient and every buffer by the result of ``change``."""
        for module in self.modules():
            for parameter in _parameters_of(module).values():
                changed = change(parameter.data)
                if changed._array is not parameter._array:
                    parameter.data = changed
                if parameter.grad is not None:
                    parameter.grad = change(parameter.grad.detach())
            for name, buffer in _buffers_of(module).items():
                object.__setattr__(module, name, change(buffer.detach()))
        return self

    def to(self, *target: Any, device: Any = None, dtype: Any = None) -> Self:
        """Move to a device, convert floating-point parameters and buffers to a dtype, or both: :meth:`Tensor.to` in place.

        Raises ``TypeError`` on a dtype that is not floating-point.
        """
        device, dtype = destination(target, device, dtype)
        if dtype is not None and as_dtype(dtype).kind != "float":
            raise TypeError(f"{type(self).__name__}.to: parameters must be floating-point, not {dtype}")
        return self._apply(lambda x: x.to(device=device, dtype=dtype if x.dtype.kind == "float" else None))

    def float(self) -> Self:
        """Convert floating-point parameters and buffers to float32."""
        return self.to(dtype="float32")

    def double(self) -> Self:
        """Convert floating-point parameters and buffers to float64."""
        return self.to(dtype="float64")

    def half(self) -> Self:
        """Convert floating-point parameters and buffers to float16."""
        return self.to(dtype="float16")

    def cpu(self) -> Self:
        """Move to the CPU."""
        return self.to(device="cpu")

    @reads_numbers
    def cuda(self, device: int | None = None) -> Self:
        """Move to the GPU number ``device``, or to the current one."""
        return self.to(device="cuda" if device is None else f"cuda:{device}")

    def train(self, mode: bool = True) -> Self:
        """Set :attr:`training` to ``mode`` in this module and all below. Raises ``ValueError`` unless it is True or False."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: mode must be True or False, not {mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set :attr:`training` to False: ``train(False)``."""
        return self.train(False)

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call ``fn`` on every module below and on this one, children first."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set every parameter's ``requires_grad``; False freezes the module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set every parameter's ``grad`` to None, or to zeros unless ``set_to_none``."""
        for parameter in self.parameters():
            if set_to_none or parameter.grad is None:
                parameter.grad = None
            else:
                parameter.grad = parameter.grad.detach().zero_()

    # --- hooks ---------------------------------------------------------------------------------------------------------------

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Register a function to call before each ``forward``; the result has a method ``remove``.

        Args:
            hook: ``hook(module, args)``; its result, if not None, replaces the arguments.
            prepend: whether to run it before the hooks registered so far.
            with_kwargs: whether to call ``hook(module, args, kwargs)`` instead, which returns None or both.
        """
        if self._pre_hooks is None:
            self._pre_hooks = []
        return _insert(self._pre_hooks, (hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Register a function to call after each ``forward``; the result has a method ``remove``.

        Args:
            hook: ``hook(module, args, output)``; its result, if not None, replaces the output.
            prepend: whether to run it before the hooks registered so far.
            with_kwargs: whether to call ``hook(module, args, kwargs, output)`` instead.
        """
        if self._hooks is None:
            self._hooks = []
        return _insert(self._hooks, (hook, with_kwargs), prepend)

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook, with_kwargs in list(self._pre_hooks or ()):
            replaced = hook(self, args, kwargs) if with_kwargs else hook(self, args)
            if replaced is not None and with_kwargs:
                args, kwargs = replaced
            elif replaced is not None:
                args = replaced if isinstance(replaced, tuple) else (replaced,)
        output = self.forward(*args, **kwargs)
        for hook, with_kwargs in list(self._hooks or ()):
            replaced = hook(self, args, kwargs, output) if with_kwargs else hook(self, args, output)
            output = output if replaced is None else replaced
        return output

    # --- printing ------------------------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """The text in the brackets of ``repr``; empty unless a subclass overrides it."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        parts = [f"({name}): {_indented(repr(child))}" for name, child in self._printed()]
        return _bracketed(type(self).__name__, extra.split("\n") if extra else [], parts)

    def _printed(self) -> Iterator[tuple[str, Module]]:
        """The children to print, shared ones each time."""
        return ((name, value) for name, value in self.__dict__.items() if isinstance(value, Module))


watch(Module, "training")


def _parameters_of(module: Module) -> dict[str, Parameter]:
    return {name: value for name, value in module.__dict__.items() if isinstance(value, Parameter)}


def _buffers_of(module: Module) -> dict[str, Tensor]:
    return {name: tensor for name in module._buffers if (tensor := module.__dict__[name]) is not None}


def _state_of(module: Module) -> dict[str, Tensor]:
    persistent = {name: tensor for name, tensor in _buffers_of(module).items() if module._buffers[name]}
    return _parameters_of(module) | persistent


def _insert(hooks: list[Any], hook: Any, first: bool) -> RemovableHandle:
    hooks.insert(0 if first else len(hooks), hook)
    return RemovableHandle(hooks, hook)


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def _bracketed(name: str, extra: list[str], parts: list[str]) -> str:
    """``Name(extra)`` on one line, or a line for each part."""
    if not parts and len(extra) <= 1:
        return f"{name}({''.join(extra)})"
    return f"{name}(\n  " + "\n  ".join(extra + parts) + "\n)"


class _MethodOfTrain:
    """A method that importing ``adjoint.train`` replaces on :class:`Module`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Module | None, owner: type[Module]) -> Any:
        import_module("adjoint.train")
        return vars(Module)[self.name].__get__(instance, owner)


for _name in METHODS_OF_TRAIN:
    setattr(Module, _name, _MethodOfTrain(_name))
