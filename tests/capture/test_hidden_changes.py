"""What a replay would silently do otherwise than the function: it is done alike, or refused with the mend."""

from __future__ import annotations

import copy
import os
import pickle
import threading
from typing import Any

import pytest
from hypothesis import given, strategies as st

import adjoint as ad
from adjoint import nn, optim
from adjoint.errors import CaptureError
from adjoint.nn import functional as F

from .steps import training_step


def test_two_optimizers_that_take_turns_at_a_parameter_are_refused() -> None:
    w = nn.Parameter(ad.ones(2))
    one, other = optim.SGD([w], lr=0.1), optim.SGD([w, nn.Parameter(ad.ones(1))], lr=0.01)

    def step(x: Any) -> Any:
        one.zero_grad()
        loss = ((w * x) ** 2).sum()
        loss.backward()
        one.step()
        other.step()
        return loss

    with pytest.raises(CaptureError, match="two optimizers take turns at a parameter of shape"):
        ad.capture(step)(ad.ones(2))


@given(st.integers(0, 100), st.integers(1, 3))
def test_a_checkpoint_draws_the_same_numbers_again_in_a_replay(seed: int, layers: int) -> None:
    w = ad.ones(3, requires_grad=True)

    def step(x: Any) -> Any:
        w.grad = None
        y = x
        for _ in range(layers):
            y = ad.checkpoint(lambda v: F.dropout(v * w, 0.5) + ad.rand(3), y)
        F.dropout(y, 0.3).sum().backward()
        return y.detach(), w.grad.clone()

    captured = ad.capture(step)
    for _ in range(3):
        x = ad.randn(4, 3)
        found = []
        for function in (step, captured):
            ad.manual_seed(seed)
            found.append([part.tolist() for part in function(x)] + [ad.rand(2).tolist()])
        assert found[0] == found[1]


def test_a_write_to_numbers_is_not_seen_when_they_are_drawn_again() -> None:
    generator = ad.Generator()

    def function() -> Any:
        state = generator.get_state()
        x = ad.rand(3, generator=generator)
        x.mul_(2.0)
        generator.set_state(state)
        return x, ad.rand(3, generator=generator)

    captured = ad.capture(function)
    for _ in range(3):
        doubled, again = captured()
        assert doubled.tolist() == (again * 2.0).tolist()
    assert captured.stats.replays == 2


def test_a_generator_that_is_put_elsewhere_in_the_call_is_refused() -> None:
    generator = ad.Generator().manual_seed(1)
    other, before = ad.Generator().manual_seed(2), generator.get_state()

    def elsewhere() -> Any:
        generator.set_state(before)
        return ad.rand(2, generator=generator)

    def of_another_one() -> Any:
        ad.rand(2, generator=other)
        generator.set_state(other.get_state())
        return ad.rand(2, generator=generator)

    def left_behind() -> Any:
        here = generator.get_state()
        x = ad.rand(2, generator=generator)
        generator.set_state(here)
        return x

    for function in (elsewhere, of_another_one):
        with pytest.raises(CaptureError, match="given another state"):
            ad.capture(function)()
    with pytest.raises(CaptureError, match="restored inside the function but not advanced again"):
        ad.capture(left_behind)()


def training() -> tuple[Any, Any]:
    w = nn.Parameter(ad.ones(2))
    return w, optim.SGD([w], lr=0.1)


@pytest.mark.parametrize("after", [False, True])
def test_a_learning_rate_that_the_call_sets_by_hand_is_refused_and_a_schedulers_is_not(after: bool) -> None:
    w, optimizer = training()
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    def step(x: Any, by_hand: bool) -> Any:
        if by_hand and not after:
            optimizer.param_groups[0]["lr"] *= 0.5
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()
        schedule.step()
        if by_hand and after:
            optimizer.param_groups[0]["lr"] = 0.3
        return w.detach()

    captured = ad.capture(step)
    for _ in range(3):
        captured(ad.ones(2), False)
    assert optimizer.param_groups[0]["lr"] == 0.1 * 0.5**3
    with pytest.raises(CaptureError, match=r"by hand.*change them before the call, or by a scheduler"):
        captured(ad.ones(2), True)


def test_a_hook_on_a_parameter_that_comes_or_goes_is_another_recording() -> None:
    w, optimizer = training()
    factor = [10.0]

    step = ad.capture(training_step(lambda x: w * x, optimizer, lambda y: y.sum()))

    def stepped() -> float:
        before = w.detach().clone()
        step(ad.ones(2))
        return round((before - w).max().item(), 4)

    assert [stepped() for _ in range(3)] == [0.1] * 3
    handle = w.register_hook(lambda g: g * factor[0])
    assert [stepped() for _ in range(3)] == [1.0] * 3
    factor[0] = 20.0
    assert [stepped() for _ in range(3)] == [2.0] * 3, "what a hook reads is guarded too"
    handle.remove()
    replays = step.stats.replays
    assert [stepped() for _ in range(3)] == [0.1] * 3
    assert step.stats.replays == replays + 3, "the first recording has come back"


def test_an_optimizer_that_was_replaced_is_another_recording() -> None:
    class Trainer:
        def __init__(self) -> None:
            self.w, self.optimizer = training()
            self.step = ad.capture(self._step)

        def _step(self, x: Any) -> Any:
            self.optimizer.zero_grad()
            loss = (self.w * x).sum()
            loss.backward()
            self.optimizer.step()
            return loss

    trainer = Trainer()
    for _ in range(2):
        for i in range(3):
            assert abs(trainer.step(ad.ones(2)).item() - (2.0 - 0.2 * i)) < 1e-6
        trainer.w, trainer.optimizer = training()
    assert trainer.step.stats.programs == 2


def doubled(x: Any) -> Any:
    return x * 2


def test_a_copy_has_recorded_nothing_yet() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    model.fast = ad.capture(model[0])
    x = ad.ones(1, 2)
    model.fast(x)
    other = copy.deepcopy(model)
    with ad.no_grad():
        other[0].weight.fill_(0.0)
        other[0].bias.fill_(1.0)
    assert other.fast(x).tolist() == [[1.0, 1.0]]
    assert model.fast(x).tolist() == model[0](x).tolist()
    captured = ad.capture(doubled)
    captured(x)
    again = pickle.loads(pickle.dumps(captured))
    assert again(x).tolist() == [[2.0, 2.0]]
    assert again.stats[:2] == (1, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_forked_while_a_replay_is_under_way_can_replay() -> None:
    captured = ad.capture(doubled)
    captured(ad.ones(2))
    (replay,) = captured.all()
    with replay.lock:
        child = os.fork()
        if not child:
            done = threading.Event()
            threading.Thread(target=lambda: (captured(ad.ones(2)), done.set()), daemon=True).start()
            os._exit(0 if done.wait(10) else 1)
        assert os.waitpid(child, 0)[1] == 0
