"""Learning rate schedules, step by step beside PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint.optim import SGD, lr_scheduler

torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")


class Warmup:
    """A factor that is an object, so that schedulers save its attributes."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __call__(self, epoch: int) -> float:
        return min(1.0, (epoch + 1) / self.length)


def optimizers() -> tuple[Any, Any]:
    def groups(zeros: Callable[..., Any]) -> Any:
        return [{"params": [zeros(2, requires_grad=True)], "lr": 0.5}, {"params": [zeros(3, requires_grad=True)]}]

    return SGD(groups(ad.zeros), lr=0.1), torch.optim.SGD(groups(torch.zeros), lr=0.1)


SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("StepLR", {"step_size": 3, "gamma": 0.5}),
    ("StepLR", {"step_size": 1}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("CosineAnnealingLR", {"T_max": 5}),
    ("CosineAnnealingLR", {"T_max": 1, "eta_min": 0.01}),
    ("CosineAnnealingLR", {"T_max": 7, "eta_min": 0.2}),
    ("LambdaLR", {"lr_lambda": lambda epoch: 0.95**epoch}),
    ("LambdaLR", {"lr_lambda": [Warmup(4), lambda epoch: 1 / (1 + epoch)]}),
]
METRICS = st.lists(st.floats(-2, 2, allow_subnormal=False), min_size=5, max_size=40)


@pytest.mark.parametrize(("name", "arguments"), SCHEDULES)
def test_the_rates_are_torchs_at_every_step(name: str, arguments: dict[str, Any]) -> None:
    ours, theirs = optimizers()
    scheduler, oracle = getattr(lr_scheduler, name)(ours, **arguments), getattr(torch.optim.lr_scheduler, name)(theirs, **arguments)
    for epoch in range(25):
        assert scheduler.get_last_lr() == [group["lr"] for group in ours.param_groups] == oracle.get_last_lr()
        assert scheduler.last_epoch == epoch
        if epoch == 12:  # a rate set by hand is led on from
            ours.param_groups[0]["lr"] = theirs.param_groups[0]["lr"] = 0.3
        ours.step(), theirs.step()
        scheduler.step(), oracle.step()


@pytest.mark.parametrize("source", ["ours", "torch"])
@pytest.mark.parametrize(("name", "arguments"), SCHEDULES)
def test_a_schedule_goes_on_from_its_own_and_from_torchs_state(name: str, arguments: dict[str, Any], source: str) -> None:
    ours, theirs = optimizers()
    scheduler, oracle = getattr(lr_scheduler, name)(ours, **arguments), getattr(torch.optim.lr_scheduler, name)(theirs, **arguments)
    for _ in range(4):
        theirs.step()
        scheduler.step(), oracle.step()
    fresh, _ = optimizers()
    resumed = getattr(lr_scheduler, name)(fresh, **arguments)
    fresh.load_state_dict((ours if source == "ours" else theirs).state_dict())
    resumed.load_state_dict((scheduler if source == "ours" else oracle).state_dict())
    for _ in range(10):
        theirs.step()
        resumed.step(), oracle.step()
        assert resumed.get_last_lr() == oracle.get_last_lr()


@pytest.mark.parametrize(("name", "arguments"), SCHEDULES)
def test_a_schedule_starts_at_a_given_epoch_as_torchs_does(name: str, arguments: dict[str, Any]) -> None:
    ours, theirs = optimizers()
    with pytest.raises(KeyError, match="initial_lr"):
        getattr(lr_scheduler, name)(ours, **arguments, last_epoch=3)
    for group, other in zip(ours.param_groups, theirs.param_groups, strict=True):
        group["initial_lr"] = other["initial_lr"] = group["lr"]
    scheduler = getattr(lr_scheduler, name)(ours, **arguments, last_epoch=3)
    oracle = getattr(torch.optim.lr_scheduler, name)(theirs, **arguments, last_epoch=3)
    for _ in range(8):
        assert scheduler.get_last_lr() == oracle.get_last_lr()
        theirs.step()
        scheduler.step(), oracle.step()


@settings(max_examples=40)
@given(
    METRICS,
    st.fixed_dictionaries(
        {
            "mode": st.sampled_from(["min", "max"]), "threshold_mode": st.sampled_from(["rel", "abs"]),
            "factor": st.floats(0.1, 0.9), "patience": st.integers(0, 3), "threshold": st.floats(0, 0.5),
            "cooldown": st.integers(0, 3),
            "min_lr": st.sampled_from([0, 0.02, [0.3, 0.01]]), "eps": st.sampled_from([1e-8, 0.03]),
        }
    ),
)  # fmt: skip
def test_a_plateau_lowers_the_rate_when_torchs_does(metrics: list[float], arguments: dict[str, Any]) -> None:
    ours, theirs = optimizers()
    scheduler, oracle = (
        lr_scheduler.ReduceLROnPlateau(ours, **arguments),
        torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **arguments),
    )
    for i, metric in enumerate(metrics):
        if i == len(metrics) // 2:
            fresh = lr_scheduler.ReduceLROnPlateau(ours, **arguments)
            fresh.load_state_dict(scheduler.state_dict())
            scheduler = fresh
        scheduler.step(ad.tensor(metric, dtype=ad.float64)), oracle.step(metric)
        assert scheduler.get_last_lr() == oracle.get_last_lr()
        assert scheduler.num_bad_epochs == oracle.num_bad_epochs


def test_a_group_added_since_is_scheduled_by_a_plateau_with_the_common_bound() -> None:
    ours, _ = optimizers()
    scheduler = lr_scheduler.ReduceLROnPlateau(ours, patience=0)
    ours.add_param_group({"params": [ad.zeros(1, requires_grad=True)], "lr": 0.2})
    for _ in range(2):
        scheduler.step(1.0)
    assert scheduler.get_last_lr() == pytest.approx([0.05, 0.01, 0.02])


@pytest.mark.parametrize(
    ("make", "error", "word"),
    [
        (lambda o: lr_scheduler.StepLR("adam", 3), TypeError, "must be an adjoint.optim.Optimizer"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=1.0), ValueError, "factor"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, mode="best"), ValueError, "mode"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, threshold_mode="up"), ValueError, "threshold_mode"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, min_lr=[0.1]), ValueError, "min_lr"),
        (lambda o: lr_scheduler.LambdaLR(o, [lambda epoch: 1.0]), ValueError, "1 functions"),
    ],
)
def test_a_schedule_refuses_what_it_can_not_use(make: Callable[[Any], Any], error: type[Exception], word: str) -> None:
    with pytest.raises(error, match=word):
        make(optimizers()[0])
