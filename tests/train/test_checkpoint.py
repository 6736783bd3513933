"""A training that was stopped resumes from its checkpoint bit for bit, and a checkpoint that does not fit is refused."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

import adjoint as ad
from adjoint import data, nn, optim, train
from adjoint.errors import FileFormatError
from train.models import Failing, Interrupting, Scripted, X, Y, bits, model


def test_callbacks_in_another_order_and_plain_objects_go_on(tmp_path: Path) -> None:
    class Plain:
        def on_epoch_end(self, epoch: int, logs: Any) -> None: ...

    def callbacks() -> list[Any]:
        return [
            train.ModelCheckpoint(tmp_path / "run.safetensors", "loss", save_best_only=True),
            Plain(),
            train.EarlyStopping("loss"),
        ]

    m = model()
    m.fit(X, Y, epochs=2, initial_epoch=1, callbacks=callbacks(), verbose=0)
    assert train.resume(tmp_path / "run.safetensors", model(), callbacks()) == 2


def test_callbacks_get_their_own_states_whatever_their_order(tmp_path: Path) -> None:
    m, stop, plateau = model(), train.EarlyStopping("loss", patience=9), train.ReduceLROnPlateau("mae", patience=9)
    scripted = Scripted(loss=[1.0, 2.0], mae=[3.0, 4.0])
    m.fit(X, Y, epochs=2, callbacks=[scripted, stop, plateau, train.ModelCheckpoint(tmp_path / "run.safetensors")], verbose=0)
    stop, plateau = train.EarlyStopping("loss", patience=9), train.ReduceLROnPlateau("mae", patience=9)
    train.resume(tmp_path / "run.safetensors", model(), [plateau, stop])
    assert (stop.best, stop.wait, plateau.best, plateau.wait) == (1.0, 1, 3.0, 1)


def test_ctrl_c_gives_the_history_so_far(tmp_path: Path) -> None:
    m = model()
    checkpoint = train.ModelCheckpoint(tmp_path / "last.safetensors")
    history = m.fit(X, Y, epochs=9, batch_size=5, callbacks=[checkpoint, Interrupting(3, 1)], verbose=0)
    assert history.interrupted
    assert history.epoch == [0, 1, 2]
    other = model()
    assert train.resume(tmp_path / "last.safetensors", other) == 3
    assert other.history.history == history.history


OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda p: optim.SGD(p, lr=0.05, momentum=0.9),
    "adam": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "adamax": lambda p: optim.Adamax(p, lr=0.01),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.1),
}


@pytest.mark.parametrize("capture", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_training_that_was_stopped_goes_on_to_the_same_bits(name: str, capture: bool, tmp_path: Path) -> None:
    def run(epochs: int, stop: tuple[int, int] | None, resumed: bool) -> Any:
        m = model(0.3)
        m.append(nn.BatchNorm1d(1))
        optimizer = OPTIMIZERS[name](m.parameters())
        m.compile(optimizer, "mse", metrics=["mae"])
        callbacks = [
            train.EarlyStopping("val_loss", patience=3, restore_best_weights=False),
            train.ReduceLROnPlateau("val_loss", factor=0.5, patience=1),
            train.LearningRateScheduler(optim.lr_scheduler.ExponentialLR(optimizer, 0.9)),
            train.ModelCheckpoint(tmp_path / "run.safetensors"),
        ]
        start = train.resume(tmp_path / "run.safetensors", m, callbacks) if resumed else 0
        ad.manual_seed(start + 7) if not resumed else None
        history = m.fit(X, Y, epochs=epochs, batch_size=6, validation_split=0.3, initial_epoch=start, capture=capture, verbose=0,
                        callbacks=[*callbacks, *([Interrupting(*stop)] if stop else [])])  # fmt: skip
        return history.history, bits(m), m.compiled.optimizer.param_groups[0]["lr"]

    whole = run(6, None, False)
    run(6, (3, 1), False)
    ad.manual_seed(99)
    assert run(6, None, True) == whole


def loader(kind: str) -> Any:
    """What ``fit`` is given: two arrays, or a loader with a generator of its own in one place or another."""
    x, y = ad.tensor(X), ad.tensor(Y > 0).long().squeeze(-1)
    if kind == "arrays":
        return x, y
    own = ad.Generator().manual_seed(5)
    pairs = data.TensorDataset(x, y)
    if kind == "sampler":
        return (data.DataLoader(pairs, batch_size=6, sampler=data.RandomSampler(pairs, generator=own)),)
    workers = 2 if kind == "workers" else 0
    return (data.DataLoader(pairs, batch_size=6, shuffle=True, generator=own, num_workers=workers),)


class Noisy(nn.Module):
    """Dropout of the input, and sums that a batch adds to."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(3, 2), nn.BatchNorm1d(2)

    def forward(self, x: Any) -> Any:
        return self.norm(self.linear(x + 0.1 * ad.randn_like(x)))


@settings(max_examples=25)
@given(
    st.sampled_from(["arrays", "sampler", "generator", "workers"]), st.integers(0, 2), st.integers(0, 3), st.booleans(), st.data()
)
def test_a_training_goes_on_from_the_midst_of_an_epoch_to_the_same_bits(
    kind: str, epoch: int, batch: int, capture: bool, drawn: st.DataObject
) -> None:
    assume(epoch or batch)
    chosen = drawn.draw(
        st.lists(st.sampled_from(["accuracy", "auc", "f1_score", "log_loss", "precision"]), unique=True, max_size=2)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.safetensors")

        def run(stop: tuple[int, int] | None, resumed: bool) -> Any:
            ad.manual_seed(11)
            m = Noisy()
            m.compile(optim.Adam(m.parameters(), lr=0.02), "cross_entropy", chosen)
            callbacks = [
                train.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
                train.EarlyStopping("loss", patience=9, restore_best_weights=True),
                train.ModelCheckpoint(path, save_freq=1),
            ]
            start = 0
            if resumed:
                ad.manual_seed(99)
                start = train.resume(path, m, callbacks)
                assert start == (epoch if batch else epoch - 1)  # where all batches were done the epoch is not over yet
                ad.rand(3)  # what is drawn in between does not matter
            stops = [Interrupting(*stop)] if stop else []
            sizes = {"batch_size": 6} if kind == "arrays" else {}
            history = m.fit(*loader(kind), **sizes, epochs=3, initial_epoch=start, capture=capture, verbose=0,
                            callbacks=[*callbacks, *stops])  # fmt: skip
            return history.history, bits(m), m.compiled.optimizer.param_groups[0]["lr"], ad.rand(2).tolist()

        whole = run(None, False)
        run((epoch, batch), False)  # the checkpoint is that of the batch before
        assert run(None, True) == whole


def test_a_loader_of_another_kind_is_refused_when_a_training_goes_on(tmp_path: Path) -> None:
    m = Noisy()
    m.compile("adam", "cross_entropy")
    stop = Interrupting(1, 2)
    m.fit(
        *loader("generator"),
        epochs=2,
        callbacks=[train.ModelCheckpoint(tmp_path / "run.safetensors", save_freq=1), stop],
        verbose=0,
    )
    start = train.resume(tmp_path / "run.safetensors", m)
    before = bits(m)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"of a loader with 1 generators, and this one has 0"):
            m.fit(*loader("arrays"), batch_size=6, epochs=3, initial_epoch=start, verbose=0)
        with pytest.raises(ValueError, match=r"of a loader with 4 batches, and this one has 2"):
            m.fit(*loader("arrays"), batch_size=10, epochs=3, initial_epoch=start, verbose=0)
    assert bits(m) == before
    train.save_checkpoint(tmp_path / "again.safetensors", m)
    assert train.resume(tmp_path / "again.safetensors", m) == start == 1


class SavingAtTheTest(train.Callback):
    """A checkpoint between a pass and the end of its epoch."""

    def __init__(self, path: Path) -> None:
        self.path, self.count = path, 0

    def on_test_end(self, logs: Any) -> None:
        self.count += 1
        if self.count == 2:
            train.save_checkpoint(self.path, self.model)


def test_a_training_goes_on_from_a_validation_and_after_an_error_at_its_begin(tmp_path: Path) -> None:
    def run(*callbacks: Any, resumed: bool = False) -> Any:
        ad.manual_seed(11)
        m = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.2))
        m.compile("adam", "cross_entropy", ["accuracy", "auc"])
        start = train.resume(tmp_path / "run.safetensors", m) if resumed else 0
        options = {"batch_size": 6, "epochs": 4, "initial_epoch": start, "validation_split": 0.3, "verbose": 0}
        if resumed:
            with pytest.raises(OSError):
                m.fit(*loader("arrays"), **options, callbacks=Failing())
        return m.fit(*loader("arrays"), **options, callbacks=callbacks).history, bits(m)

    whole = run(SavingAtTheTest(tmp_path / "run.safetensors"))
    assert run(resumed=True) == whole


def test_metrics_of_ones_own_may_hold_arrays(tmp_path: Path) -> None:
    class Counted(train.metrics.Metric):
        name = "counted"

        def reset(self) -> None:
            self.counts = np.zeros(2)

        def update(self, output: Any, target: Any, weight: Any = None) -> None:
            self.counts[0] += len(output)

        def result(self) -> float:
            return float(self.counts[0])

    m = model()
    m.compile("adam", "mse", Counted())
    checkpoint = train.ModelCheckpoint(tmp_path / "run.safetensors", save_freq=np.int64(1))
    m.fit(X, Y, batch_size=5, callbacks=[Interrupting(0, 2), checkpoint], verbose=0)
    start = train.resume(tmp_path / "run.safetensors", m)
    assert m.fit(X, Y, batch_size=5, initial_epoch=start, verbose=0).history["counted"] == [20.0]


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    m, path = model(), tmp_path / "run.safetensors"
    stop = train.EarlyStopping("loss", patience=3)
    m.fit(X, Y, epochs=2, callbacks=[stop, train.ModelCheckpoint(path)], verbose=0)
    other = nn.Sequential(nn.Linear(3, 9))
    other.compile("adam", "mse")
    before = bits(other)
    with pytest.raises((ValueError, RuntimeError, KeyError)):
        train.resume(path, other, [train.EarlyStopping("loss"), train.ModelCheckpoint(path)])
    assert bits(other) == before
    with pytest.raises(ValueError, match=r"has the states of \['EarlyStopping'\]"):
        train.resume(path, model())
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(FileFormatError):
        train.resume(path, model(), [stop])
