"""Callbacks beside their rules, stated as Keras' documentation states them, on any sequence of measured values."""

from __future__ import annotations

import inspect
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

import adjoint as ad
from adjoint import nn, optim, train

X = np.random.default_rng(0).standard_normal((6, 2)).astype(np.float32)
Y = X[:, :1] - X[:, 1:]

#: Losses on a grid of quarters, so that differences by exactly ``min_delta`` occur and are exact; NaN is never an improvement.
LOSSES = st.lists(st.sampled_from([1.0, 0.75, 0.5, 0.25, 0.0, 1.25, math.nan]), min_size=1, max_size=14)
DELTAS = st.sampled_from([0.0, 0.25, 0.5])


class Scripted(train.Callback):
    """Replaces the measured loss by given ones before other callbacks see it."""

    def __init__(self, losses: list[float]) -> None:
        self.losses = losses

    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        logs["loss"] = self.losses[epoch]


def fitted(losses: list[float], *callbacks: Any, lr: float = 1.0, initial_epoch: int = 0) -> Any:
    """The history, the model, and its weights and learning rate after each epoch."""
    ad.manual_seed(0)
    model = nn.Linear(2, 1)
    model.compile(optim.SGD(model.parameters(), lr=lr), "mse")
    rates, weights = [], []

    def note(epoch: int, logs: Any) -> None:
        rates.append(model.compiled.optimizer.param_groups[0]["lr"])
        weights.append(model.weight.numpy(force=True).copy())

    observer = train.LambdaCallback(on_epoch_end=note)
    history = model.fit(X, Y, epochs=len(losses), initial_epoch=initial_epoch, verbose=0,
                        callbacks=[Scripted(losses), *callbacks, observer])  # fmt: skip
    return history, model, weights, rates


def improves(value: float, best: float | None, delta: float, sign: int) -> bool:
    """Whether ``value`` is better than ``best`` by more than ``delta``: smaller for sign 1, larger for sign -1."""
    return not math.isnan(value) and (best is None or sign * (best - value) > delta)


@settings(max_examples=60)
@given(
    LOSSES, st.integers(0, 4), DELTAS, st.integers(0, 5), st.sampled_from([None, 0.5, 1.0]), st.booleans(),
    st.sampled_from([1, -1]), st.integers(0, 3),
)  # fmt: skip
@example([math.nan, 0.5, 1.0, 1.0], 1, 0.0, 0, None, True, 1, 0)  # no training ends after epoch 0
@example([math.nan, math.nan], 1, 0.0, 0, None, True, 1, 0)  # and where nothing is best, the first weights are
def test_early_stopping_follows_kerass_rule(
    values: list[float], patience: int, delta: float, first: int, baseline: Any, restore: bool, sign: int, initial: int
) -> None:
    initial = min(initial, len(values) - 1)
    stop = train.EarlyStopping(
        "loss", delta, patience, "min" if sign == 1 else "max", baseline, restore_best_weights=restore, start_from_epoch=first
    )
    history, model, weights, _ = fitted(values, stop, lr=0.01, initial_epoch=initial)

    best, wait, last, kept, stopped = None, 0, len(values) - 1, None, False
    for epoch in range(initial, len(values)):
        if epoch < first:
            continue
        better = improves(values[epoch], best, delta, sign)
        kept = epoch if kept is None or better else kept
        wait += 1
        if better:
            best = values[epoch]
            if improves(best, baseline, delta, sign):
                wait = 0
        elif wait >= patience and epoch > 0:
            last, stopped = epoch, True
            break
    assert history.epoch == list(range(initial, last + 1))
    assert (stop.best, stop.stopped_epoch) == (best, last if stopped else 0)
    restored = kept if restore and kept is not None else last
    np.testing.assert_array_equal(model.weight.numpy(force=True), weights[restored - initial])


@settings(max_examples=60)
@given(
    LOSSES, st.integers(1, 3), DELTAS, st.integers(0, 3), st.sampled_from([0.0, 0.1, 0.3, 2.0]), st.sampled_from([0.5, 0.1]),
    st.sampled_from([1, -1]),
)  # fmt: skip
def test_the_rate_falls_on_a_plateau_by_kerass_rule(
    values: list[float], patience: int, delta: float, cooldown: int, least: float, factor: float, sign: int
) -> None:
    plateau = train.ReduceLROnPlateau("loss", factor, patience, "min" if sign == 1 else "max", delta, cooldown, least)
    _, _, _, rates = fitted(values, plateau)

    expected, rate, best, wait, cooling = [], 1.0, None, 0, 0
    for value in values:
        if cooling > 0:
            cooling, wait = cooling - 1, 0
        if improves(value, best, delta, sign):
            best, wait = value, 0
        elif cooling == 0:
            wait += 1
            if wait >= patience:
                rate = max(rate * factor, least) if rate > least else rate
                wait, cooling = 0, cooldown
        expected.append(rate)
    assert rates == expected


@pytest.mark.parametrize(
    "make",
    [
        lambda: train.EarlyStopping(patience=-1),
        lambda: train.EarlyStopping(mode="maximum"),
        lambda: train.ReduceLROnPlateau(min_delta=-0.25),
        lambda: train.ReduceLROnPlateau(min_delta=math.nan),
        lambda: train.ReduceLROnPlateau(factor=0.0),
        lambda: train.ReduceLROnPlateau(factor=1.0),
        lambda: train.ReduceLROnPlateau(mode="up"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(ValueError):
        make()


@pytest.mark.parametrize("at", [0, 1, 3])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_ends_the_training_after_its_batch(value: float, at: int) -> None:
    model, added, batches = nn.Linear(2, 1), ad.zeros(()), []
    model.compile(optim.SGD(model.parameters(), lr=0.0), lambda output, target: ((output - target) ** 2).mean() + added)

    def begin(batch: int, logs: Any) -> None:
        batches.append(batch)
        added.fill_(value if batch == at else 0.0)

    begun = train.LambdaCallback(on_train_batch_begin=begin)
    history = model.fit(X, Y, epochs=3, batch_size=1, callbacks=[begun, train.TerminateOnNaN()], verbose=0)
    assert batches == list(range(at + 1))
    assert history.epoch == [0]


def test_finite_losses_of_any_size_end_no_training() -> None:
    model, batches = nn.Linear(2, 1), []
    model.compile(optim.SGD(model.parameters(), lr=0.0), lambda output, target: ((output - target) ** 2).mean() * 0.0 + 3e38)
    count = train.LambdaCallback(on_train_batch_end=lambda batch, logs: batches.append(batch))
    model.fit(X, Y, epochs=2, batch_size=2, callbacks=[train.TerminateOnNaN(), count], verbose=0)
    assert batches == [0, 1, 2] * 2


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(1, 4), st.booleans())
def test_a_resumed_history_has_every_epoch_once_in_order(done: int, more: int, again: bool) -> None:
    def model() -> nn.Module:
        ad.manual_seed(0)
        made = nn.Linear(2, 1)
        made.compile("sgd", "mse")
        return made

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.safetensors")
        whole = model().fit(X, Y, epochs=done + more, verbose=0)
        first = model()
        first.fit(X, Y, epochs=done, callbacks=train.ModelCheckpoint(path), verbose=0)
        resumed = model()
        start = train.resume(path, resumed)
        assert start == done
        history = resumed.fit(X, Y, epochs=done + more, initial_epoch=start, verbose=0)
        if again:  # from an earlier epoch: what was measured after it is replaced
            start = train.resume(path, resumed)
            history = resumed.fit(X, Y, epochs=done + more, initial_epoch=start - 1, verbose=0)
    assert history.epoch == whole.epoch == list(range(done + more))
    assert {len(values) for values in history.history.values()} == {done + more}
    if not again:
        assert history.history == whole.history


def test_defaults_are_kerass() -> None:
    def defaults(callback: Any) -> dict[str, Any]:
        return {name: p.default for name, p in inspect.signature(callback).parameters.items()}

    common = {"monitor": "val_loss", "mode": "auto"}
    assert defaults(train.EarlyStopping) == common | {
        "min_delta": 0, "patience": 0, "baseline": None, "restore_best_weights": False, "start_from_epoch": 0,
    }  # fmt: skip
    assert defaults(train.ReduceLROnPlateau) == common | {
        "factor": 0.1, "patience": 10, "min_delta": 1e-4, "cooldown": 0, "min_lr": 0.0,
    }  # fmt: skip
    stop = train.EarlyStopping()
    assert (stop.best, stop.best_epoch, stop.stopped_epoch, stop.wait) == (None, 0, 0, 0)


@pytest.mark.parametrize("first", [1, 2])
def test_a_table_that_begins_with_the_resumed_epoch_has_it_once(first: int, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    for _ in range(2):
        model = nn.Linear(2, 1)
        model.compile("sgd", "mse")
        model.fit(X, Y, epochs=first + 2, initial_epoch=first, callbacks=train.CSVLogger(path, append=True), verbose=0)
    assert [line.partition(",")[0] for line in path.read_text().splitlines()] == ["epoch", str(first), str(first + 1)]
