"""``Module``: a function with parameters; it knows its parts, its state and how to print itself.

A module's parameters, buffers and children are its attributes, and nothing else: there is no second list to keep in step. What
an attribute is, its value tells (a :class:`Parameter`, a :class:`Module`); only the names of buffers are noted, since any
tensor can be one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ..autograd import Tensor, no_grad
from ..autograd.arguments import destination, reads_numbers
from ..autograd.creation import as_tensor
from ..autograd.modes import state
from ..backends import as_dtype
from ..capture.recording import watch
from .parameter import Parameter

__all__ = ["Module"]

#: Methods that a package above this one gives to all modules, which is imported when one of them is first asked for.
ADDED = {
    "adjoint.train": (
        "compile", "fit", "evaluate", "predict", "predict_classes", "train_step", "test_step", "summary", "get_weights",
        "set_weights", "save", "load",
    ),
}  # fmt: skip


class IncompatibleKeys(NamedTuple):
    """What :meth:`Module.load_state_dict` found on one side only."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not any(self):
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class RemovableHandle:
    """Removes a hook: by :meth:`remove`, or at the end of a ``with`` block."""

    def __init__(self, hooks: list[Any], hook: Any) -> None:
        self._hooks, self._hook = hooks, hook

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        self._hooks[:] = [hook for hook in self._hooks if hook is not self._hook]

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


class Module:
    """The base of all layers, losses and models: subclass it, set parts as attributes and define ``forward``.

    Attributes:
        training: whether it is being trained (see :meth:`train`); Dropout and its like behave otherwise when it is not.

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
        """What the module computes; call the module itself, which runs its hooks too."""
        raise NotImplementedError(f"{type(self).__name__}: a module defines forward(self, …), and this one does not")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._pre_hooks or self._hooks:
            return self._call_with_hooks(args, kwargs)
        return self.forward(*args, **kwargs)

    # --- parts ---------------------------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        held = self.__dict__.get(name)
        if isinstance(held, (Module, Parameter)) and value is not None:
            kind = Parameter if isinstance(held, Parameter) else Module
            if not isinstance(value, kind):
                raise TypeError(
                    f"{type(self).__name__}: '{name}' is a {kind.__name__} and can not become a {type(value).__name__}; assign a "
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
            raise TypeError(f"{kind}: a name is a string, not {type(name).__name__}")
        if not name or "." in name:
            raise KeyError(f"{kind}: a name can not be empty or have a '.' in it, as {name!r}")
        held = self.__dict__.get(name)
        if self._is_known(name) and not isinstance(held, (Parameter, Module)) and name not in self._buffers:
            raise KeyError(f"{kind}: {type(self).__name__} has an attribute '{name}' already")
        object.__setattr__(self, name, value)

    def _is_known(self, name: str) -> bool:
        """Whether it is an attribute already, but for the words of others that a part may well be called by."""
        return hasattr(self, name) and (name in vars(self) or not any(name in names for names in ADDED.values()))

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Set the attribute ``name`` to a parameter, or to None where the module does without it."""
        if not (param is None or isinstance(param, Parameter)):
            raise TypeError(f"register_parameter: '{name}' must be a Parameter or None, not {type(param).__name__}")
        self._register("register_parameter", name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Set the attribute ``name`` to a tensor that is part of the state but not learned.

        It moves with the module, and is in :meth:`state_dict` where it is ``persistent``.
        """
        if not (tensor is None or isinstance(tensor, Tensor)):
            raise TypeError(f"register_buffer: '{name}' must be a tensor or None, not {type(tensor).__name__}")
        self._register("register_buffer", name, tensor)
        object.__setattr__(self, "_buffers", self._buffers | {name: persistent})

    def add_module(self, name: str, module: Module | None) -> None:
        """Set the attribute ``name`` to a child module, by a name that need not be a Python identifier."""
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
        """The module itself and all below it, with their names such as ``"encoder.0"``; shared ones once.

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
        """The tensors that ``chosen`` gives of each module, with their full names."""
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
        """Each parameter once, with its name such as ``"0.weight"``; with ``recurse`` those of all modules below too."""
        return self._named_tensors(_parameters_of, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Each parameter once, as an optimizer takes them."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Each buffer once, with its name."""
        return self._named_tensors(_buffers_of, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Each buffer once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module called ``target``, such as ``"encoder.0"``. Raises ``AttributeError`` where there is none."""
        module: Any = self
        for name in target.split(".") if target else ():
            child = module.__dict__.get(name)
            if not isinstance(child, Module):
                raise AttributeError(f"get_submodule: {type(module).__name__} has no module '{name}' (of '{target}')")
            module = child
        found: Module = module
        return found

    # --- state ---------------------------------------------------------------------------------------------------------------

    def state_dict(self, *, prefix: str = "", keep_vars: bool = False) -> dict[str, Tensor]:
        """All parameters and persistent buffers by name, sharing their memory; detached unless ``keep_vars``.

        >>> from adjoint import nn
        >>> {name: value.shape for name, value in nn.Linear(2, 3).state_dict().items()}
        {'weight': (3, 2), 'bias': (3,)}
        """
        state = dict(self._named_tensors(_state_of, prefix.removesuffix("."), True, False))
        return state if keep_vars else {name: tensor.detach() for name, tensor in state.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copy values into parameters and buffers of the same names, converting device and dtype.

        Values are tensors or arrays. Names on one side only are returned; where ``strict`` they are an error instead. All
        names and shapes are checked before anything is written, so a load that fails changes nothing.

        Raises:
            RuntimeError: a shape differs, or ``strict`` and names differ; it lists every mismatch.
            TypeError: ``state_dict`` is no mapping, or a value no tensor or array.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: takes a dict of tensors by name, not {type(state_dict).__name__}")
        own = self.state_dict(keep_vars=True)
        found = IncompatibleKeys([n for n in own if n not in state_dict], [n for n in state_dict if n not in own])
        values = {name: as_tensor(state_dict[name], device=held.backend) for name, held in own.items() if name in state_dict}
        wrong = [
            f"'{name}' has shape {value.shape} in the state and {own[name].shape} in the module"
            for name, value in values.items()
            if value.shape != own[name].shape
        ]
        if strict:
            wrong = [f"'{n}' is missing" for n in found.missing_keys] + [f"'{n}' is unknown" for n in found.unexpected_keys] + wrong
        if wrong:
            lines = "\n  ".join(wrong)
            raise RuntimeError(f"load_state_dict: the state does not fit {type(self).__name__}, nothing was loaded:\n  {lines}")
        with no_grad():
            for name, value in values.items():
                own[name].copy_(value)
        return found

    def _apply(self, change: Callable[[Tensor], Tensor]) -> Self:
        """Replace every parameter's values, its gradient and every buffer by what ``change`` makes of them."""
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
        """Move to a device, convert floating-point parameters and buffers to a dtype, or both; as :meth:`Tensor.to`, in place."""
        device, dtype = destination(target, device, dtype)
        if dtype is not None and as_dtype(dtype).kind != "float":
            raise TypeError(f"{type(self).__name__}.to: parameters are floating-point numbers, they can not become {dtype}")
        return self._apply(lambda x: x.to(device=device, dtype=dtype if x.dtype.kind == "float" else None))

    def float(self) -> Self:
        """To float32."""
        return self.to(dtype="float32")

    def double(self) -> Self:
        """To float64."""
        return self.to(dtype="float64")

    def half(self) -> Self:
        """To float16."""
        return self.to(dtype="float16")

    def cpu(self) -> Self:
        """To the CPU."""
        return self.to(device="cpu")

    @reads_numbers
    def cuda(self, device: int | None = None) -> Self:
        """To the GPU."""
        return self.to(device="cuda" if device is None else f"cuda:{device}")

    def train(self, mode: bool = True) -> Self:
        """Set :attr:`training` here and in all modules below."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: mode is True or False, not {mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """``train(False)``."""
        return self.train(False)

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call ``fn`` on every module below and on this one, children first."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Learn the parameters, or freeze them."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set them to zero."""
        for parameter in self.parameters():
            if set_to_none or parameter.grad is None:
                parameter.grad = None
            else:
                parameter.grad = parameter.grad.detach().zero_()

    # --- hooks ---------------------------------------------------------------------------------------------------------------

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before each ``forward``; what it returns, if not None, replaces the arguments.

        ``with_kwargs``: ``hook(module, args, kwargs)``, which returns None or the pair of both. ``prepend``: before other hooks.
        """
        if self._pre_hooks is None:
            self._pre_hooks = []
        return _insert(self._pre_hooks, (hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after each ``forward``; what it returns, if not None, replaces the output.

        ``with_kwargs``: ``hook(module, args, kwargs, output)``. ``prepend``: before the other hooks.
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
        """What stands in the brackets when the module is printed; empty unless a subclass says more."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        parts = [f"({name}): {_indented(repr(child))}" for name, child in self._printed()]
        return _bracketed(type(self).__name__, extra.split("\n") if extra else [], parts)

    def _printed(self) -> Iterator[tuple[str, Module]]:
        """The children as they are printed, shared ones as often as they are named."""
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


class _Added:
    """Stands for a method of :data:`ADDED` until the package that it comes from is imported, which puts it here."""

    def __init__(self, package: str, name: str) -> None:
        self.package, self.name = package, name

    def __get__(self, instance: Module | None, owner: type[Module]) -> Any:
        import_module(self.package)
        return vars(Module)[self.name].__get__(instance, owner)


for _package, _names in ADDED.items():
    for _name in _names:
        setattr(Module, _name, _Added(_package, _name))
