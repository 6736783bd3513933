"""``Optimizer``: what all update rules share. A subclass states its rule's formula; the rest is here and in ``flat``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from inspect import getattr_static
from typing import Any, TypeAlias
from weakref import WeakSet, proxy

from ..autograd import Tensor, enable_grad
from ..autograd.arguments import plain
from ..autograd.creation import tensor
from ..autograd.graph import writes
from ..autograd.primitive import as_input
from ..backends import Array
from ..capture.captured import Captured
from ..capture.recording import active, aside, effect, fed, steady
from ..errors import CaptureError
from .flat import Flat

Group: TypeAlias = dict[str, Any]
Params: TypeAlias = Iterable[Tensor] | Iterable[Group] | Iterable[tuple[str, Tensor]]


_all: WeakSet[Optimizer] = WeakSet()


def _hyperparameters() -> dict[Any, Any]:
    """The numbers in all groups of all optimizers, which a captured function may change by schedulers alone."""
    found = {}
    for optimizer in list(_all):
        for i, group in enumerate(optimizer.param_groups):
            found[id(optimizer), i] = [(name, value) for name, value in group.items() if type(value) in (int, float, bool, tuple)]
    return found


steady.append(_hyperparameters)


class Optimizer:
    """Base of all optimizers. A subclass states

    * ``state_names``, the quantities it keeps for each parameter, under PyTorch's names;
    * :meth:`kept`, those of them that a group's hyperparameters call for;
    * :meth:`check`, which raises ``ValueError`` on a hyperparameter out of range;
    * :meth:`numbers`, what the formula takes besides arrays;
    * :meth:`update`, the formula itself.

    Parameters and gradients move into one buffer each when the optimizer is made, and ``p`` and ``p.grad`` are views of
    them: arrays that shared a parameter's memory before no longer do. ``zero_grad`` followed by ``backward`` fills the same
    memory again, unless the earlier ``p.grad`` is still held; a slice of it that is to be kept needs ``.clone()``.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts that give ``"params"`` and hyperparameters of their own.
        defaults: hyperparameters of the groups that do not set them.

    Attributes:
        param_groups: a dict for each group: ``"params"`` and the hyperparameters, read anew at each step.

    Raises:
        TypeError: ``params`` is a single tensor or a set, or holds something that is not a tensor.
        ValueError: no parameters, one twice, or one that is the result of an operation.
    """

    state_names: tuple[str, ...] = ()
    counts_steps = True  #: whether the formula depends on how many steps were taken
    state_from_the_start = False  #: whether there is state before the first step

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(f"{type(self).__name__}: params is a single tensor; it must be an iterable of tensors or dicts: [p]")
        if hasattr(params, "parameters"):
            raise TypeError(f"{type(self).__name__}: params is a {type(params).__name__}; give its .parameters()")
        self.defaults = defaults
        self.param_groups: list[Group] = []
        _all.add(self)
        self._flats: list[list[Flat]] = []
        self._captured: dict[Any, tuple[Any, Captured | None]] = {}  # for each run of parameters, and the gradients it was for
        groups: list[Any] = list(self._ordered(params))
        if not groups:
            raise ValueError(f"{type(self).__name__}: the parameter list is empty")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    # --- the rule, in subclasses ---------------------------------------------------------------------------------------------

    def check(self, group: Group) -> None:
        """Raise ``ValueError`` where a hyperparameter of the group is out of range."""

    def kept(self, group: Group) -> tuple[str, ...]:
        """Those of ``state_names`` that the rule keeps under the group's hyperparameters."""
        return self.state_names

    def initial(self, group: Group) -> float:
        """What the state is filled with before the first step."""
        return 0.0

    def numbers(self, group: Group, step: int) -> dict[str, Any]:
        """The numbers and switches that :meth:`update` takes at step ``step`` (from 1), by name."""
        raise NotImplementedError

    @staticmethod
    def update(*xp_p_g: Any, **state_and_numbers: Any) -> tuple[Array, dict[str, Array]]:
        """The formula: from ``xp``, parameter, gradient, and state and numbers by name, the new parameter and the new state.

        It is elementwise, written with operators and functions of ``xp``, and sees arrays of any length.
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
        """Optimize the tensors in ``param_group["params"]`` too; what else the dict holds are their hyperparameters.

        Raises as the constructor does, and ``ValueError`` where a parameter is in another group already.
        """
        name = type(self).__name__
        if not isinstance(param_group, dict):
            raise TypeError(f"{name}: a parameter group is a dict with the key 'params', not a {type(param_group).__name__}")
        given = param_group["params"]
        items = [given] if isinstance(given, Tensor) else list(self._ordered(given))
        params = [item[1] if isinstance(item, tuple) else item for item in items]
        names = [item[0] for item in items if isinstance(item, tuple)]
        named = bool(names)
        if named and len(names) != len(params):
            raise ValueError(f"{name}: some parameters are given with names and some without")
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
        param_group.update(_numbers_of(name, param_group))
        self.check(param_group)
        self.param_groups.append(param_group)
        self._flats.append(self._lay_out(param_group))

    def _lay_out(self, group: Group) -> list[Flat]:
        """One :class:`Flat` for each dtype and device among the group's parameters."""
        alike: dict[Any, list[Tensor]] = {}
        for p in group["params"]:
            alike.setdefault((p.backend, p.dtype), []).append(p)
        flats = [Flat(same) for same in alike.values()]
        for flat in flats if self.state_from_the_start else ():
            self._states(group, flat)
        return flats

    def _states(self, group: Group, flat: Flat) -> dict[str, Tensor]:
        return {name: flat.state(name, self.initial(group)) for name in self.kept(group)}

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop every parameter's gradient, or fill it with zeros."""
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
            closure: computes the loss and its gradients anew; its result is returned.

        Raises:
            ValueError, BackendError: a gradient has another shape, dtype or device than its parameter.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        work = [self._runs(i) for i in range(len(self.param_groups))]  # all are checked before any is changed
        for index, found in enumerate(work):
            for flat, runs in found:
                for first, last in runs:
                    self._captured_update(index, flat, first, last)
        return loss

    def _captured_update(self, index: int, flat: Flat, first: int, last: int) -> None:
        """:meth:`_update`, recorded at the first step and replayed after that; as it is where its formula can not be recorded."""
        key = (id(flat), first, last)
        gradients, captured = self._captured.get(key, (None, None))
        if gradients is not flat.gradients:  # a recording is of these
            this: Any = proxy(self)  # not a reference to what holds the dict
            captured = Captured(partial(type(self)._update, this, index, flat, first, last), self._title, flat.backend)
            self._captured[key] = flat.gradients, captured
        before, known = flat.held(), captured.recordings if captured else 0
        try:
            if captured is None or not isinstance(getattr_static(self, "update"), staticmethod):
                raise CaptureError("the formula reads the optimizer")
            captured()
            recordings = captured.recordings
        except CaptureError:
            if active() is not None:
                raise
            self._captured[key] = flat.gradients, None
            self._update(index, flat, first, last)
            self._note(flat, first, last)
            return
        if recordings > known:
            flat.allow(flat.held() - before)  # what a recording refers to for good, less what one that it replaced did

    def _update(self, index: int, flat: Flat, first: int, last: int) -> None:
        """Apply the rule to the parameters from ``first`` up to ``last``."""
        group = self.param_groups[index]
        numbers = fed(
            partial(self.__class__._numbers, self, index, flat, first, last)
        )  # a method of a proxy would hold what it stands for
        kept, _ = numbers.pop("kept"), numbers.pop("one_step")
        states = {name: flat.state(name, self.initial(group)) for name in kept}
        flat.update(self.update, first, last, states, numbers)
        if states:
            effect(partial(flat.count, first, last, self.counts_steps), hyperparameters=False)

    def _note(self, flat: Flat, first: int, last: int) -> None:
        writes.note(flat.backend, flat.values._array[flat.bounds[first][0] : flat.bounds[last - 1][1]], self._title)

    @property
    def _title(self) -> str:
        """What is said to have written to the parameters."""
        return f"{type(self).__name__}.step"

    def _numbers(self, index: int, flat: Flat, first: int, last: int) -> dict[str, Any]:
        """:meth:`numbers` at the next step of the parameters from ``first`` up to ``last``, which states are kept, and whether
        the parameters have the same step count: where they have not, a recording of one update for all does not hold.
        """
        group, steps = self.param_groups[index], flat.steps[first:last]
        numbers = self.numbers(group, steps[0] + 1)
        numbers = {key: x if type(x) is bool else float(x) for key, x in numbers.items()}
        return numbers | {"kept": self.kept(group), "one_step": steps.count(steps[0]) == len(steps)}

    def _runs(self, index: int) -> list[tuple[Flat, list[tuple[int, int]]]]:
        """What there is to update in a group, after a new layout where parameters have moved."""
        found = []
        for flat in self._flats[index]:
            moved = active() is not None and any(p.backend is not flat.backend for p in flat.params)  # which are not to be read
            runs = None if moved else flat.runs()
            if runs is None:
                self._lay_out_again(index)
                return self._runs(index)
            if runs:
                found.append((flat, runs))
        return found

    def _lay_out_again(self, index: int) -> None:
        """New buffers by the dtypes and devices that a group's parameters have now; their state goes along."""
        with aside():  # the memory stays: a captured function is recorded with it at the next call
            states = {id(p): self._state_of(flat, i) for flat in self._flats[index] for i, p in enumerate(flat.params)}
            gone = {id(flat) for flat in self._flats[index]}
            self._captured = {key: held for key, held in self._captured.items() if key[0] not in gone}
            group = self.param_groups[index]
            self._flats[index] = self._lay_out(group)
            self._put_states(index, {id(p): _read(p, states[id(p)]) for p in group["params"]})

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Tensor | None, Tensor]]) -> None:
        """Update variables by gradients given in pairs, ``zip(gradients, variables)``: TensorFlow's way to :meth:`step`.

        A pair whose gradient is None is passed over. No variable's ``grad`` is read or changed.

        Raises:
            ValueError: no gradient at all, a variable twice, or one that this optimizer was not given.
        """
        pairs = list(grads_and_vars)
        if pairs and all(g is None for g, _ in pairs):
            raise ValueError("apply_gradients: there is no gradient for any variable; does the loss depend on them?")
        params = {id(p): p for group in self.param_groups for p in group["params"]}
        gradients: dict[int, Tensor] = {}
        for g, variable in pairs:
            if id(variable) not in params:
                raise ValueError("apply_gradients: this optimizer was not given one of the variables; use add_param_group for it")
            if id(variable) in gradients:
                raise ValueError("apply_gradients: one of the variables is there twice; add its gradients up")
            if g is not None:
                gradients[id(variable)] = as_input("apply_gradients", g)
        held = [(p, p.grad) for p in params.values()]
        try:
            for key, p in params.items():
                p.grad = gradients.get(key)
            self.step()
        finally:
            for p, grad in held:
                p.grad = grad

    # --- state ---------------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> dict[Tensor, dict[str, Tensor]]:
        """Each parameter's state by PyTorch's names: tensors over the optimizer's own memory, and a copy of the step count."""
        pairs = ((p, self._state_of(flat, i)) for flats in self._flats for flat in flats for i, p in enumerate(flat.params))
        return {p: state for p, state in pairs if state}

    def _state_of(self, flat: Flat, i: int) -> dict[str, Tensor]:
        if not (flat.steps[i] or self.state_from_the_start):
            return {}
        found = {"step": tensor(float(flat.steps[i]), device=flat.backend)} if self.counts_steps else {}
        return found | {name: flat.view(buffer, i) for name, buffer in flat.states.items()}

    def _put_states(self, index: int, states: dict[int, tuple[int, dict[str, Tensor]]]) -> None:
        group = self.param_groups[index]
        for flat in self._flats[index]:
            for i, p in enumerate(flat.params):
                flat.steps[i], tensors = states[id(p)]
                for name, value in tensors.items():
                    flat.view(flat.state(name, self.initial(group)), i)._array[...] = value._array

    def _check_state(self, group: Group, i: int, shape: tuple[int, ...], state: dict[str, Any]) -> None:
        """Raise ``ValueError`` where ``state`` is not one that this rule keeps for a parameter of ``shape``."""
        needed = {"step", *self.kept(group)} if state and self.counts_steps else set()
        if unknown := state.keys() - {"step", *self.state_names}:
            raise ValueError(f"load_state_dict: parameter {i} has {_listed(unknown)} in its state, {type(self).__name__} has not")
        if missing := needed - state.keys():
            raise ValueError(f"load_state_dict: {type(self).__name__} needs {_listed(missing)} in the state of parameter {i}")
        for name, value in state.items():
            if name != "step" and value is not None and tuple(value.shape) != shape:
                raise ValueError(f"load_state_dict: {name} of parameter {i} has shape {tuple(value.shape)}, the parameter {shape}")

    def state_dict(self) -> dict[str, Any]:
        """``{"state": {index: {name: tensor}}, "param_groups": [hyperparameters and "params", a list of indices]}``.

        The index of a parameter is its place in all groups, one after the other: PyTorch's layout. The tensors are the
        optimizer's own memory, which goes on changing: deepcopy what is to stay.
        """
        index = {id(p): i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        groups = [
            {**_numbers_of("state_dict", group), "params": [index[id(p)] for p in group["params"]]} for group in self.param_groups
        ]
        return {"state": {index[id(p)]: state for p, state in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` (or PyTorch's) gave: state is copied, hyperparameters replace the groups' own.

        Raises ``ValueError`` where groups, shapes or names of the state do not fit; the optimizer is left as it was.
        """
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ValueError(
                f"load_state_dict: {len(saved)} parameter groups were saved, and there are {len(self.param_groups)} here"
            )
        read: list[dict[int, tuple[int, dict[str, Tensor]]]] = []
        for i, (group, other) in enumerate(zip(self.param_groups, saved, strict=True)):
            here, there = len(group["params"]), len(other["params"])
            if here != there:
                raise ValueError(f"load_state_dict: parameter group {i} was saved with {there} parameters and has {here} here")
            read.append({})
            for p, key in zip(group["params"], other["params"], strict=True):
                state = state_dict["state"].get(key, {})
                self._check_state(group | other, key, p.shape, state)
                read[i][id(p)] = _read(p, state)
        for i, (group, other) in enumerate(zip(self.param_groups, saved, strict=True)):
            group.update({**other, "params": group["params"]})
            for flat in self._flats[i]:  # in the same memory, where captured functions find it
                for buffer in flat.states.values():
                    buffer._array[...] = self.initial(group)
            self._put_states(i, read[i])

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles hold: the state by parameter, not the buffers that views of it are in."""
        return {**self.__dict__, "_flats": None, "_captured": {}, "state": self.state}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        self.__dict__.update({key: value for key, value in saved.items() if key != "state"})
        self._flats = [self._lay_out(group) for group in self.param_groups]
        for i, group in enumerate(self.param_groups):
            self._put_states(i, {id(p): _read(p, saved["state"].get(p, {})) for p in group["params"]})

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines += [f"Parameter Group {i}", *(f"    {key}: {group[key]}" for key in sorted(group) if key != "params")]
        return "\n".join([*lines, ")"])


def _numbers_of(name: str, group: Group) -> Group:
    """A group's numbers as Python's, which files hold."""
    return {key: plain(name, key, value) for key, value in group.items() if key != "params"}


def _read(p: Tensor, state: dict[str, Any]) -> tuple[int, dict[str, Tensor]]:
    """How many steps a state has seen, and copies of its tensors in the dtype and on the device of its parameter."""
    tensors = {
        name: tensor(value, dtype=p.dtype, device=p.backend)
        for name, value in state.items()
        if name != "step" and value is not None
    }
    return (int(float(state["step"])) if "step" in state else int(bool(tensors))), tensors


def _listed(names: set[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))


def objective(p: Array, g: Array, weight_decay: float, maximize: bool) -> Array:
    """The gradient of what is minimized: ``g``, or ``-g`` to maximize, and that of the penalty ``weight_decay/2 * p**2``."""
    g = -g if maximize else g
    return g + weight_decay * p if weight_decay else g
