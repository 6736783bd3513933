"""``Optimizer``: parameter groups, the step and the state that all optimizers share; subclasses state the update rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from inspect import getattr_static
from typing import Any, TypeAlias
from weakref import WeakSet, proxy

from ..autograd import Tensor, enable_grad
from ..autograd.creation import tensor
from ..autograd.primitive import as_input
from ..autograd.versions import writes
from ..backends import Array
from ..capture.captured import Captured
from ..capture.recording import active, dynamic_scalars, hyperparameter_readers, side_effect, unrecorded
from ..errors import CaptureError
from .parameter_buffer import ParameterBuffer
from .state import check_state, python_numbers, read_state

__all__ = ["Optimizer"]

Group: TypeAlias = dict[str, Any]
Params: TypeAlias = Iterable[Tensor] | Iterable[Group] | Iterable[tuple[str, Tensor]]


_optimizers: WeakSet[Optimizer] = WeakSet()


def _hyperparameters() -> dict[Any, Any]:
    """The numbers in all groups of all optimizers. In a captured function, only learning rate schedulers may change them."""
    return {
        (id(optimizer), i): [(name, value) for name, value in group.items() if type(value) in (int, float, bool, tuple)]
        for optimizer in list(_optimizers)
        for i, group in enumerate(optimizer.param_groups)
    }


hyperparameter_readers.append(_hyperparameters)


class Optimizer:
    """Base class of all optimizers. A subclass states its update rule:

    * ``state_names``: the state quantities of each parameter, under PyTorch's names;
    * :meth:`kept`: those of them that a group's hyperparameters require;
    * :meth:`check`: raises ``ValueError`` if a hyperparameter is out of range;
    * :meth:`numbers`: the scalars that the formula takes;
    * :meth:`update`: the formula.

    The constructor moves parameters and gradients into one buffer each; ``p`` and ``p.grad`` become views of them, so arrays that
    shared a parameter's memory no longer do. ``backward`` after ``zero_grad`` overwrites the gradients' memory unless the previous
    ``p.grad`` is still referenced; ``.clone()`` a slice of it to keep that.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of parameter groups: ``"params"`` and their own hyperparameters.
        defaults: hyperparameters of the groups that do not set them.

    Attributes:
        param_groups: one dict per group: ``"params"`` and the hyperparameters, which each step reads.

    Raises:
        TypeError: ``params`` is a single tensor or a set, or contains something other than tensors.
        ValueError: there are no parameters, one appears twice, or one is not a leaf.
    """

    state_names: tuple[str, ...] = ()
    counts_steps = True  #: whether the formula depends on the step count
    state_from_the_start = False  #: whether there is state before the first step

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(f"{type(self).__name__}: params is a single tensor; it must be an iterable of tensors or dicts: [p]")
        if hasattr(params, "parameters"):
            raise TypeError(f"{type(self).__name__}: params is a {type(params).__name__}; give its .parameters()")
        self.defaults = defaults
        self.param_groups: list[Group] = []
        _optimizers.add(self)
        self._buffers: list[list[ParameterBuffer]] = []  # by group
        self._captured: dict[Any, tuple[Any, Captured | None]] = {}  # by run of parameters: the gradients and the recording
        groups: list[Any] = list(self._ordered(params))
        if not groups:
            raise ValueError(f"{type(self).__name__}: the parameter list is empty")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    # --- the rule, in subclasses ---------------------------------------------------------------------------------------------

    def check(self, group: Group) -> None:
        """Raise ``ValueError`` if a hyperparameter of the group is out of range."""

    def kept(self, group: Group) -> tuple[str, ...]:
        """The ``state_names`` that the rule uses with the group's hyperparameters."""
        return self.state_names

    def initial(self, group: Group) -> float:
        """The initial value of each element of the state, given the parameter ``group``."""
        return 0.0

    def numbers(self, group: Group, step: int) -> dict[str, Any]:
        """The numbers and switches of ``group`` that :meth:`update` takes at step ``step``, counted from 1, by name."""
        raise NotImplementedError

    @staticmethod
    def update(*xp_p_g: Any, **state_and_numbers: Any) -> tuple[Array, dict[str, Array]]:
        """The formula: ``update(xp, p, g, **state, **numbers)`` returns the new parameter and the new state by name.

        It is elementwise, uses operators and functions of ``xp`` only, and receives vectors of any length.
        """
        raise NotImplementedError

    def _require(self, group: Group, name: str, holds: bool, allowed: str) -> None:
        if not holds:
            raise ValueError(f"{type(self).__name__}: {name} must be {allowed}, not {group[name]!r}")

    def _require_not_negative(self, group: Group, *names: str) -> None:
        for name in names:
            self._require(group, name, hasattr(group[name], "__float__") and group[name] >= 0, "a number of at least 0")

    # --- parameter groups ----------------------------------------------------------------------------------------------------

    def _ordered(self, params: Any) -> Any:
        if isinstance(params, (set, frozenset)):
            raise TypeError(f"{type(self).__name__}: parameters in a set have no order to save their state by; use a list")
        return params

    def add_param_group(self, param_group: Group) -> None:
        """Also optimize the tensors in ``param_group["params"]``; the dict's other entries are their hyperparameters.

        Raises the constructor's errors, ``TypeError`` if it is not a dict, and ``ValueError`` if a parameter is in another group.
        """
        name = type(self).__name__
        if not isinstance(param_group, dict):
            raise TypeError(f"{name}: a parameter group is a dict with the key 'params', not a {type(param_group).__name__}")
        params_entry = param_group["params"]
        items = [params_entry] if isinstance(params_entry, Tensor) else list(self._ordered(params_entry))
        params = [item[1] if isinstance(item, tuple) else item for item in items]
        names = [item[0] for item in items if isinstance(item, tuple)]
        named = bool(names)
        if named and len(names) != len(params):
            raise ValueError(f"{name}: some parameters are given with names and some without; name all or none")
        if any(("param_names" in group) != named for group in self.param_groups):
            raise ValueError(f"{name}: either all parameter groups name their parameters or none does")
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"{name}: one of the parameters is a {type(p).__name__}; it can only optimize tensors")
            if not p.is_leaf:
                raise ValueError(f"{name}: can't optimize a non-leaf tensor ({p.grad_fn!r} made it); give it the leaf itself")
        if len(set(map(id, params))) != len(params):
            raise ValueError(f"{name}: a parameter appears twice in one parameter group")
        if not {id(p) for group in self.param_groups for p in group["params"]}.isdisjoint(map(id, params)):
            raise ValueError(f"{name}: some parameters appear in more than one parameter group")
        param_group["params"] = params
        if named:
            param_group["param_names"] = names
        for key, value in self.defaults.items():
            param_group.setdefault(key, value)
        param_group.update(python_numbers(name, param_group))
        self.check(param_group)
        self.param_groups.append(param_group)
        self._buffers.append(self._allocate(param_group))

    def _allocate(self, group: Group) -> list[ParameterBuffer]:
        """One :class:`ParameterBuffer` for each dtype and device among the group's parameters."""
        by_kind: dict[Any, list[Tensor]] = {}
        for p in group["params"]:
            by_kind.setdefault((p.backend, p.dtype), []).append(p)
        buffers = [ParameterBuffer(params) for params in by_kind.values()]
        for buffer in buffers if self.state_from_the_start else ():
            self._states(group, buffer)
        return buffers

    def _states(self, group: Group, buffer: ParameterBuffer) -> dict[str, Tensor]:
        return {name: buffer.state(name, self.initial(group)) for name in self.kept(group)}

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set every parameter's ``grad`` to None, or to zeros unless ``set_to_none``."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad.detach_().zero_()

    # --- the step ------------------------------------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient. Those that have none keep their state and step count too.

        Args:
            closure: recomputes the loss and its gradients; its result is returned.

        Raises:
            ValueError, BackendError: a gradient has another shape, dtype or device than its parameter.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        work = [self._runs(i) for i in range(len(self.param_groups))]  # validates all before it changes any
        for index, runs_by_buffer in enumerate(work):
            for buffer, runs in runs_by_buffer:
                for first, last in runs:
                    self._captured_update(index, buffer, first, last)
        return loss

    def _captured_update(self, index: int, buffer: ParameterBuffer, first: int, last: int) -> None:
        """:meth:`_update`, recorded at the first step and then replayed; run eagerly if the formula cannot be recorded."""
        key = (id(buffer), first, last)
        gradients, captured = self._captured.get(key, (None, None))
        if gradients is not buffer.gradients:  # a recording holds for one gradient buffer
            weak_self: Any = proxy(self)  # self holds the dict of recordings
            captured = Captured(partial(type(self)._update, weak_self, index, buffer, first, last), self._title, buffer.backend)
            self._captured[key] = buffer.gradients, captured
        references, recordings = buffer.gradient_references(), captured.recordings if captured else 0
        try:
            if captured is None or not isinstance(getattr_static(self, "update"), staticmethod):
                raise CaptureError("the formula reads the optimizer")
            captured()
            recorded = captured.recordings > recordings
        except CaptureError:
            if active() is not None:
                raise
            self._captured[key] = buffer.gradients, None
            self._update(index, buffer, first, last)
            start, stop = buffer.bounds[first][0], buffer.bounds[last - 1][1]
            writes.note(buffer.backend, buffer.values._array[start:stop], self._title)
            return
        if recorded:
            buffer.exclude_references(buffer.gradient_references() - references)  # those of the recording

    def _update(self, index: int, buffer: ParameterBuffer, first: int, last: int) -> None:
        """Apply the rule to parameters [first, last)."""
        group = self.param_groups[index]
        # self may be a proxy, whose bound methods would hold a strong reference
        numbers = dynamic_scalars(partial(self.__class__._numbers, self, index, buffer, first, last))
        state_names, _ = numbers.pop("kept"), numbers.pop("one_step")
        states = {name: buffer.state(name, self.initial(group)) for name in state_names}
        buffer.update(self.update, first, last, states, numbers)
        if states:
            side_effect(partial(buffer.count_step, first, last, self.counts_steps), hyperparameters=False)

    @property
    def _title(self) -> str:
        """The name of the operation in errors about writes to parameters."""
        return f"{type(self).__name__}.step"

    def _numbers(self, index: int, buffer: ParameterBuffer, first: int, last: int) -> dict[str, Any]:
        """:meth:`numbers` at the next step of parameters [first, last); also the states kept, and whether all parameters have the
        same step count, without which a recording of one update for all of them does not hold.
        """
        group, steps = self.param_groups[index], buffer.steps[first:last]
        numbers = self.numbers(group, steps[0] + 1)
        numbers = {key: x if type(x) is bool else float(x) for key, x in numbers.items()}
        return numbers | {"kept": self.kept(group), "one_step": steps.count(steps[0]) == len(steps)}

    def _runs(self, index: int) -> list[tuple[ParameterBuffer, list[tuple[int, int]]]]:
        """The runs of parameters to update in a group, by buffer; allocates new buffers if parameters have moved."""
        work = []
        for buffer in self._buffers[index]:
            # a recording refuses to read the values of parameters on another backend
            moved = active() is not None and any(p.backend is not buffer.backend for p in buffer.params)
            runs = None if moved else buffer.runs()
            if runs is None:
                self._reallocate(index)
                return self._runs(index)
            if runs:
                work.append((buffer, runs))
        return work

    def _reallocate(self, index: int) -> None:
        """Allocate new buffers by the current dtypes and devices of a group's parameters, and move the state to them."""
        with unrecorded():  # the memory outlives a recording, which is repeated at the next call
            states = {id(p): self._state_of(buffer, i) for buffer in self._buffers[index] for i, p in enumerate(buffer.params)}
            outdated = {id(buffer) for buffer in self._buffers[index]}
            self._captured = {key: entry for key, entry in self._captured.items() if key[0] not in outdated}
            group = self.param_groups[index]
            self._buffers[index] = self._allocate(group)
            self._put_states(index, {id(p): read_state(p, states[id(p)]) for p in group["params"]})

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Tensor | None, Tensor]]) -> None:
        """:meth:`step` with gradients passed as pairs, ``zip(gradients, variables)``, as in TensorFlow.

        Pairs whose gradient is None are skipped. No variable's ``grad`` is read or changed.

        Raises:
            ValueError: every gradient is None, a variable appears twice, or one does not belong to this optimizer.
        """
        pairs = list(grads_and_vars)
        if pairs and all(g is None for g, _ in pairs):
            raise ValueError("apply_gradients: every gradient is None; check that the loss depends on the variables")
        params = {id(p): p for group in self.param_groups for p in group["params"]}
        gradients: dict[int, Tensor] = {}
        for g, variable in pairs:
            if id(variable) not in params:
                raise ValueError("apply_gradients: a variable does not belong to this optimizer; add it with add_param_group")
            if id(variable) in gradients:
                raise ValueError("apply_gradients: a variable appears twice; sum its gradients first")
            if g is not None:
                gradients[id(variable)] = as_input("apply_gradients", g)
        own_gradients = [(p, p.grad) for p in params.values()]
        try:
            for key, p in params.items():
                p.grad = gradients.get(key)
            self.step()
        finally:
            for p, grad in own_gradients:
                p.grad = grad

    # --- state ---------------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> dict[Tensor, dict[str, Tensor]]:
        """Each parameter's state under PyTorch's names: views of the optimizer's buffers, and a copy of the step count."""
        pairs = (
            (p, self._state_of(buffer, i)) for buffers in self._buffers for buffer in buffers for i, p in enumerate(buffer.params)
        )
        return {p: state for p, state in pairs if state}

    def _state_of(self, buffer: ParameterBuffer, i: int) -> dict[str, Tensor]:
        if not (buffer.steps[i] or self.state_from_the_start):
            return {}
        step = {"step": tensor(float(buffer.steps[i]), device=buffer.backend)} if self.counts_steps else {}
        return step | {name: buffer.view(values, i) for name, values in buffer.states.items()}

    def _put_states(self, index: int, states: dict[int, tuple[int, dict[str, Tensor]]]) -> None:
        group = self.param_groups[index]
        for buffer in self._buffers[index]:
            for i, p in enumerate(buffer.params):
                buffer.steps[i], tensors = states[id(p)]
                for name, value in tensors.items():
                    buffer.view(buffer.state(name, self.initial(group)), i)._array[...] = value._array

    def state_dict(self) -> dict[str, Any]:
        """``{"state": {index: {name: tensor}}, "param_groups": [hyperparameters and "params", a list of indices]}``.

        Indices number the parameters of all groups in order, as in PyTorch. The tensors are views of the optimizer's buffers, which
        later steps overwrite; ``copy.deepcopy`` the dict to keep it.
        """
        index = {id(p): i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        groups = [
            {**python_numbers("state_dict", group), "params": [index[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        return {"state": {index[id(p)]: state for p, state in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Copy the state, and replace the groups' hyperparameters, from a :meth:`state_dict` (this library's or PyTorch's).

        Raises ``ValueError`` on groups, shapes or state names that do not match; the optimizer is then unchanged.
        """
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ValueError(
                f"load_state_dict: the state has {len(saved)} parameter groups and this optimizer {len(self.param_groups)}; "
                "load it into an optimizer with the same groups"
            )
        read: list[dict[int, tuple[int, dict[str, Tensor]]]] = []
        for i, (group, other) in enumerate(zip(self.param_groups, saved, strict=True)):
            here, there = len(group["params"]), len(other["params"])
            if here != there:
                raise ValueError(f"load_state_dict: parameter group {i} was saved with {there} parameters and has {here} here")
            read.append({})
            for p, key in zip(group["params"], other["params"], strict=True):
                state = state_dict["state"].get(key, {})
                required = {"step", *self.kept(group | other)} if state and self.counts_steps else set()
                check_state(type(self).__name__, key, p.shape, state, {"step", *self.state_names}, required)
                read[i][id(p)] = read_state(p, state)
        for i, (group, other) in enumerate(zip(self.param_groups, saved, strict=True)):
            group.update({**other, "params": group["params"]})
            for buffer in self._buffers[i]:  # in place, since recordings refer to this memory
                for values in buffer.states.values():
                    values._array[...] = self.initial(group)
            self._put_states(i, read[i])

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: the state by parameter instead of the buffers."""
        return {**self.__dict__, "_buffers": None, "_captured": {}, "state": self.state}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        self.__dict__.update({key: value for key, value in saved.items() if key != "state"})
        self._buffers = [self._allocate(group) for group in self.param_groups]
        for i, group in enumerate(self.param_groups):
            self._put_states(i, {id(p): read_state(p, saved["state"].get(p, {})) for p in group["params"]})

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines += [f"Parameter Group {i}", *(f"    {key}: {group[key]}" for key in sorted(group) if key != "params")]
        return "\n".join([*lines, ")"])


def objective(p: Array, g: Array, weight_decay: float, maximize: bool) -> Array:
    """The gradient of the minimized objective: ``g`` (``-g`` to maximize) plus that of weight decay, ``weight_decay/2 * p**2``."""
    g = -g if maximize else g
    return g + weight_decay * p if weight_decay else g
