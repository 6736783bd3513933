"""Learning rate schedules: each step of a scheduler sets ``group["lr"]`` of its optimizer's groups."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, inf, pi
from typing import Any

from ..autograd.arguments import number, reads_numbers
from ..capture.recording import side_effect
from .optimizer import Optimizer


class LRScheduler:
    """Base class of schedules. A subclass defines :meth:`get_lr`; ``last_epoch`` counts the steps, from 0.

    Args:
        optimizer: whose groups' ``lr`` is set.
        last_epoch: the epoch to resume from; -1 starts, and takes each group's ``lr`` as its ``initial_lr``.

    Raises:
        TypeError: ``optimizer`` is not an optimizer.
        KeyError: ``last_epoch`` is not -1, and a group has no ``initial_lr``.
    """

    @reads_numbers
    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = _checked(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{type(self).__name__}: param_groups[{i}] has no 'initial_lr' to resume epoch {last_epoch} with; load the "
                    "optimizer's state first, or pass last_epoch=-1"
                )
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch, self._step_count = last_epoch, 0
        self._is_initial = True
        self.step()
        self._is_initial = False

    def get_lr(self) -> list[float]:
        """Each group's learning rate at ``last_epoch``, computed from the one before."""
        raise NotImplementedError

    def get_last_lr(self) -> list[float]:
        """Each group's learning rate after the last step."""
        return self._last_lr

    def step(self) -> None:
        """Advance by one epoch; call it after the optimizer's step."""
        side_effect(self._advance)

    def _advance(self) -> None:
        self._step_count += 1
        self.last_epoch += 1
        for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = number(type(self).__name__, "lr", lr)
        self._last_lr = self._current()

    def _current(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """All attributes except the optimizer."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore a :meth:`state_dict`; the learning rates themselves are in the optimizer's state."""
        self.__dict__.update(state_dict)


def _checked(optimizer: Any) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be an adjoint.optim.Optimizer, not a {type(optimizer).__name__}")
    return optimizer


class StepLR(LRScheduler):
    """Multiplies ``lr`` by ``gamma`` every ``step_size`` epochs.

    Args:
        optimizer: whose groups' ``lr`` is set.
        step_size: the number of epochs, >= 1, else ``ValueError`` is raised.
        gamma: the factor.
        last_epoch: the epoch to resume from; -1 to start.

    >>> import adjoint as ad
    >>> from adjoint.optim import SGD
    >>> optimizer = SGD([ad.zeros(2, requires_grad=True)], lr=1.0)
    >>> scheduler = StepLR(optimizer, step_size=2, gamma=0.5)
    >>> rates = []
    >>> for epoch in range(5):
    ...     optimizer.step()
    ...     rates += scheduler.get_last_lr()
    ...     scheduler.step()
    >>> rates
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    @reads_numbers
    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        if step_size < 1:
            raise ValueError(f"StepLR: step_size must be >= 1 (got {step_size})")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        rates = self._current()
        return rates if self.last_epoch == 0 or self.last_epoch % self.step_size else [lr * self.gamma for lr in rates]


class ExponentialLR(LRScheduler):
    """Multiplies ``lr`` by ``gamma`` every epoch; arguments as for :class:`StepLR`."""

    @reads_numbers
    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return self._current() if self._is_initial else [lr * self.gamma for lr in self._current()]


class CosineAnnealingLR(LRScheduler):
    """Cosine annealing: ``lr = eta_min + (initial_lr - eta_min) (1 + cos(pi t / T_max)) / 2`` at epoch t.

    Computed recursively, as in PyTorch, so that it composes with other changes of ``lr``. Loshchilov and Hutter (2017).

    Args:
        optimizer: whose groups' ``lr`` is set.
        T_max: the number of epochs from the initial rate to ``eta_min``; it then rises again.
        eta_min: the lowest rate.
        last_epoch: the epoch to resume from; -1 to start.
    """

    @reads_numbers
    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        t, T = self.last_epoch, self.T_max
        if self._is_initial:
            return self._current()
        if (t - 1 - T) % (2 * T) == 0:  # the rate is eta_min, from which the recursion below cannot rise
            rise = (1 - cos(pi / T)) / 2
            return [lr + (base - self.eta_min) * rise for lr, base in zip(self._current(), self.base_lrs, strict=True)]
        ratio = (1 + cos(pi * t / T)) / (1 + cos(pi * (t - 1) / T))
        return [ratio * (lr - self.eta_min) + self.eta_min for lr in self._current()]


class LambdaLR(LRScheduler):
    """Sets ``lr`` to the initial rate times ``lr_lambda(epoch)``.

    Args:
        optimizer: whose groups' ``lr`` is set.
        lr_lambda: a function of the epoch, or a list with one per group; ``ValueError`` on a list of another length.
        last_epoch: the epoch to resume from; -1 to start.
    """

    @reads_numbers
    def __init__(
        self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | list[Callable[[int], float]], last_epoch: int = -1
    ) -> None:
        groups = len(_checked(optimizer).param_groups)
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * groups
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"LambdaLR: lr_lambda has {len(self.lr_lambdas)} functions for {groups} parameter groups")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return [base * factor(self.last_epoch) for base, factor in zip(self.base_lrs, self.lr_lambdas, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """All attributes except the optimizer; of the functions only the attributes of callable objects, as nothing is pickled."""
        return super().state_dict() | {"lr_lambdas": [dict(getattr(f, "__dict__", {})) or None for f in self.lr_lambdas]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the result of :meth:`state_dict`; the functions remain this scheduler's own."""
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "lr_lambdas"})
        for function, attributes in zip(self.lr_lambdas, state_dict["lr_lambdas"], strict=True):
            if attributes is not None:
                function.__dict__.update(attributes)


class ReduceLROnPlateau(LRScheduler):
    """Multiplies ``lr`` by ``factor`` when a metric has not improved for more than ``patience`` epochs.

    Args:
        optimizer: whose groups' ``lr`` is set.
        mode: ``"min"`` if a smaller metric is better, ``"max"`` if a larger one is.
        factor: the factor, below 1.
        patience: the number of epochs without improvement to tolerate.
        threshold: the least improvement that counts.
        threshold_mode: ``"rel"``, relative to the best value; ``"abs"``, absolute.
        cooldown: the number of epochs after a reduction in which none counts as bad.
        min_lr: the lowest learning rate, or a list with one per group.
        eps: the least change of the learning rate to make.

    Raises ``ValueError`` if ``factor``, a mode or the length of ``min_lr`` is out of range.
    """

    @reads_numbers
    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1:
            raise ValueError(f"ReduceLROnPlateau: factor must be below 1, not {factor}")
        if mode not in ("min", "max"):
            raise ValueError(f"ReduceLROnPlateau: mode must be 'min' or 'max', not {mode!r}")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"ReduceLROnPlateau: threshold_mode must be 'rel' or 'abs', not {threshold_mode!r}")
        self.optimizer = _checked(optimizer)
        groups = len(optimizer.param_groups)
        self.min_lrs = list(min_lr) if isinstance(min_lr, (list, tuple)) else [min_lr] * groups
        if len(self.min_lrs) != groups:
            raise ValueError(f"ReduceLROnPlateau: min_lr has {len(self.min_lrs)} values for {groups} parameter groups")
        self.mode, self.factor, self.patience = mode, factor, patience
        self.threshold, self.threshold_mode, self.cooldown, self.eps = threshold, threshold_mode, cooldown, eps
        self.best = inf if mode == "min" else -inf
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0
        self._last_lr = self._current()

    def step(self, metrics: Any) -> None:  # type: ignore[override]
        """Advance by one epoch, which ended with the metric ``metrics``, a number or a tensor of one element."""
        current = float(metrics)
        self.last_epoch += 1
        if self._is_better(current):
            self.best, self.num_bad_epochs = current, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = self._current()

    def _is_better(self, metric: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        bound = self.best * (1 + sign * self.threshold) if self.threshold_mode == "rel" else self.best + sign * self.threshold
        return sign * metric > sign * bound

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        if len(set(self.min_lrs)) == 1:
            self.min_lrs = self.min_lrs[:1] * len(groups)  # groups may have been added since
        if len(self.min_lrs) != len(groups):
            raise RuntimeError(
                f"ReduceLROnPlateau: there are {len(groups)} groups now; extend min_lrs, which has {len(self.min_lrs)}"
            )
        for group, least in zip(groups, self.min_lrs, strict=True):
            lr = max(group["lr"] * self.factor, least)
            if group["lr"] - lr > self.eps:
                group["lr"] = lr
