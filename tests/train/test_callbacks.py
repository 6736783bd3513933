"""Callbacks do what they say at their moments, and a training that was stopped goes on to the same bits."""

from __future__ import annotations

import csv
import math
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import adjoint as ad
from adjoint import data, nn, optim, train
from adjoint.errors import FileFormatError
from adjoint.train.callbacks import ProgressBar, ProgressLines, progress, progress_bar


class Scripted(train.Callback):
    """Puts given numbers into the place of what was measured, before the others see them."""

    def __init__(self, **numbers: list[float]) -> None:
        self.numbers = numbers

    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        logs.update({name: values[epoch] for name, values in self.numbers.items()})


def model(dropout: float = 0.0) -> nn.Sequential:
    ad.manual_seed(0)
    found = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(dropout), nn.Linear(4, 1))
    found.compile("adam", "mse", metrics=["mae"])
    return found


RNG = np.random.default_rng(0)
X = RNG.standard_normal((20, 3)).astype(np.float32)
Y = X[:, :1] - X[:, 1:2] ** 2


def bits(m: nn.Module) -> list[bytes]:
    return [t.numpy(force=True).tobytes() for t in m.state_dict().values()]


@given(
    st.lists(st.sampled_from([1.0, 0.9, 0.8, 0.5, 0.2]), min_size=12, max_size=12), st.integers(1, 4), st.sampled_from([0.0, 0.15])
)
@settings(max_examples=25)
def test_early_stopping_stops_where_nothing_has_become_better(losses: list[float], patience: int, min_delta: float) -> None:
    stop = train.EarlyStopping("loss", min_delta=min_delta, patience=patience, restore_best_weights=True)
    m, seen = model(), []
    note = train.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(bits(m)))
    history = m.fit(X, Y, epochs=12, callbacks=[Scripted(loss=losses), note, stop], verbose=0)
    best, best_epoch, wait, expected = math.inf, 0, 0, 12
    for epoch, value in enumerate(losses):
        if value < best - min_delta:
            best, best_epoch, wait = value, epoch, 0
        else:
            wait += 1
            if wait >= patience:
                expected = epoch + 1
                break
    assert len(history.epoch) == expected
    assert bits(m) == seen[best_epoch]
    assert stop.best_epoch == best_epoch


def test_a_metric_that_is_better_when_larger_is_told_by_its_name_or_by_mode() -> None:
    rising = [0.1, 0.2, 0.3, 0.4]
    for monitor, mode, epochs in (("accuracy", "auto", 4), ("mae", "max", 4), ("mae", "auto", 2)):
        m = model()
        m.compile("adam", "mse", metrics=["mae", "accuracy"])
        history = m.fit(X, (Y > 0).astype(np.float32), epochs=4, verbose=0,
                        callbacks=[Scripted(**{monitor: rising}), train.EarlyStopping(monitor, patience=1, mode=mode)])  # fmt: skip
        assert len(history.epoch) == epochs


def test_the_learning_rate_falls_on_a_plateau_and_by_a_schedule() -> None:
    m = model()
    rates: list[float] = []
    note = train.LambdaCallback(on_epoch_end=lambda epoch, logs: rates.append(m.compiled.optimizer.param_groups[0]["lr"]))
    plateau = train.ReduceLROnPlateau("loss", factor=0.5, patience=2, min_lr=3e-4)
    m.fit(X, Y, epochs=7, callbacks=[Scripted(loss=[1.0] * 7), plateau, note], verbose=0)
    np.testing.assert_allclose(rates, [1e-3, 1e-3, 5e-4, 5e-4, 3e-4, 3e-4, 3e-4])
    rates.clear()
    m.fit(X, Y, epochs=3, callbacks=[train.LearningRateScheduler(lambda epoch, lr: 0.1 / (epoch + 1)), note], verbose=0)
    np.testing.assert_allclose(rates, [0.1, 0.05, 0.1 / 3])
    rates.clear()
    step = optim.lr_scheduler.StepLR(m.compiled.optimizer, 1, 0.1)
    m.fit(X, Y, epochs=2, callbacks=[note, train.LearningRateScheduler(step)], verbose=0)
    np.testing.assert_allclose(rates[1], rates[0] * 0.1)


def test_a_loss_that_is_not_finite_ends_the_training_at_once() -> None:
    m = model()
    m.compile(optim.SGD(m.parameters(), lr=1e30), "mse")
    batches: list[int] = []
    note = train.LambdaCallback(on_train_batch_end=lambda batch, logs: batches.append(batch))
    with np.errstate(all="ignore"):
        history = m.fit(X, Y, epochs=5, batch_size=2, callbacks=[train.TerminateOnNaN(), note], verbose=0)
    assert len(history.epoch) == 1
    assert len(batches) < 10


@pytest.mark.parametrize(
    ("name", "sign"),
    [("val_f1score", -1), ("val_myaccuracy", -1), ("top5acc", -1), ("val_r2_score", -1), ("balanced-accuracy", -1), ("error2", 1),
     ("val_loss", 1), ("place", 1)],
)  # fmt: skip
def test_what_is_better_when_larger_is_told_by_the_words_of_its_name(name: str, sign: int) -> None:
    assert train.callbacks.Monitor("", name, "auto").sign == sign


@pytest.mark.parametrize(
    ("baseline", "losses", "epochs", "kept"),
    [
        (0.1, [1.0, 0.9, 0.8, 0.9, 0.9, 0.9], 4, 2),
        (0.85, [1.0, 0.9, 0.9, 0.8, 0.8, 0.7], 3, 1),
        (None, [1.0, 0.9, 0.9, 0.8, 0.8, 0.7], 6, 5),
    ],
)
def test_a_baseline_decides_when_to_stop_and_not_what_is_best(
    baseline: float | None, losses: list[float], epochs: int, kept: int
) -> None:
    stop = train.EarlyStopping("loss", patience=2, baseline=baseline, restore_best_weights=True)
    m, seen = model(), []
    note = train.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(bits(m)))
    history = m.fit(X, Y, epochs=6, callbacks=[Scripted(loss=losses), note, stop], verbose=0)
    assert (len(history.epoch), stop.best_epoch) == (epochs, kept)
    assert bits(m) == seen[kept]


def test_a_rate_below_the_least_one_is_not_raised() -> None:
    m = model()
    m.compile(optim.Adam(m.parameters(), lr=1e-5), "mse")
    m.fit(X, Y, epochs=3, callbacks=[Scripted(loss=[1.0] * 3), train.ReduceLROnPlateau("loss", patience=1, min_lr=1e-4)], verbose=0)
    assert m.compiled.optimizer.param_groups[0]["lr"] == 1e-5


def test_a_schedule_may_take_the_epoch_alone_and_one_that_needs_a_number_is_refused() -> None:
    m, rates = model(), []
    note = train.LambdaCallback(on_epoch_end=lambda epoch, logs: rates.append(m.compiled.optimizer.param_groups[0]["lr"]))
    m.fit(X, Y, epochs=2, callbacks=[train.LearningRateScheduler(lambda epoch: 0.1 * (epoch + 1)), note], verbose=0)
    m.fit(X, Y, callbacks=[train.LearningRateScheduler(partial(lambda epoch, base: base, base=0.3)), note], verbose=0)
    assert rates == [0.1, 0.2, 0.3]

    class Needy:
        def step(self, metrics: float) -> None: ...

    with pytest.raises(TypeError, match=r"use train\.ReduceLROnPlateau"):
        train.LearningRateScheduler(Needy())


def test_all_that_have_begun_are_told_of_the_end_and_the_first_error_is_raised(tmp_path: Path) -> None:
    def failing(logs: Any) -> None:
        raise KeyError("end")

    log = train.CSVLogger(tmp_path / "log.csv")
    with pytest.raises(ZeroDivisionError) as caught:
        model().fit(X, Y, verbose=1, callbacks=[
            train.LambdaCallback(on_train_end=failing), log, train.LambdaCallback(on_epoch_end=lambda *args: 1 / 0),
        ])  # fmt: skip
    assert any("KeyError('end')" in note for note in caught.value.__notes__)
    assert log._file is None
    with pytest.raises(KeyError):
        model().fit(X, Y, verbose=0, callbacks=[train.LambdaCallback(on_train_end=failing), log])
    assert log._file is None
    with pytest.raises(FileNotFoundError):
        model().fit(X, Y, verbose=1, callbacks=[train.CSVLogger(tmp_path / "none" / "log.csv")])


def test_a_table_has_each_epoch_once_where_a_training_goes_on_from_earlier(tmp_path: Path) -> None:
    path, m = tmp_path / "log.csv", model()
    m.fit(X, Y, epochs=4, callbacks=[train.CSVLogger(path)], verbose=0)
    m.fit(X, Y, epochs=6, initial_epoch=2, callbacks=[train.CSVLogger(path, append=True)], verbose=0)
    assert [row["epoch"] for row in csv.DictReader(path.read_text().splitlines())] == list("012345")


def test_a_table_with_other_columns_is_not_gone_on_with(tmp_path: Path) -> None:
    m, path = model(), tmp_path / "log.csv"
    m.fit(X, Y, callbacks=[train.CSVLogger(path)], verbose=0)
    before = bits(m)
    with pytest.raises(ValueError, match="none for val_loss, val_mae"):
        m.fit(X, Y, validation_split=0.5, callbacks=[train.CSVLogger(path, append=True)], verbose=0)
    assert bits(m) == before


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


def test_moments_come_in_order() -> None:
    heard: list[str] = []
    moments = train.callbacks.MOMENTS
    callback = train.LambdaCallback(**{moment: lambda *args, moment=moment: heard.append(moment[3:]) for moment in moments})
    model().fit(X, Y, epochs=2, batch_size=10, validation_split=0.5, callbacks=[callback], verbose=0)
    epoch = ["epoch_begin", "train_batch_begin", "train_batch_end", "test_begin", "test_end", "epoch_end"]
    assert heard == ["train_begin", *epoch, *epoch, "train_end"]


def test_numbers_are_written_to_a_table_and_a_later_training_goes_on_in_it(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    m = model()
    first = m.fit(X, Y, epochs=2, callbacks=[train.CSVLogger(path)], verbose=0)
    m.fit(X, Y, epochs=1, callbacks=[train.CSVLogger(path, append=True)], verbose=0)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1", "0"]
    assert [float(row["loss"]) for row in rows[:2]] == first.history["loss"]
    m.fit(X, Y, epochs=1, callbacks=[train.CSVLogger(path)], verbose=0)
    assert len(list(csv.DictReader(path.read_text().splitlines()))) == 1


@pytest.mark.filterwarnings("default")
def test_tensorboard_has_training_and_validation(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    model().fit(X, Y, epochs=2, validation_split=0.2, callbacks=[train.TensorBoard(tmp_path)], verbose=0)
    assert {path.parent.name for path in tmp_path.rglob("events*")} == {"train", "validation"}


def test_what_a_callback_raises_says_where_it_comes_from_and_the_others_end_well(tmp_path: Path) -> None:
    log = train.CSVLogger(tmp_path / "log.csv")
    with pytest.raises(ZeroDivisionError) as caught:
        model().fit(X, Y, callbacks=[log, train.LambdaCallback(on_epoch_end=lambda *args: 1 / 0)], verbose=0)
    assert caught.value.__notes__ == ["raised by the callback LambdaCallback in on_epoch_end"]
    assert log._file is None
    with pytest.raises(ValueError, match=r"unknown moment 'on_epoch_ends'.*did you mean 'on_epoch_end'"):
        train.LambdaCallback(on_epoch_ends=print)


class Interrupting(train.Callback):
    """Ctrl-C at a batch of an epoch."""

    def __init__(self, epoch: int, batch: int) -> None:
        self.at, self.now = (epoch, batch), 0

    def on_epoch_begin(self, epoch: int, logs: Any) -> None:
        self.now = epoch

    def on_train_batch_end(self, batch: int, logs: Any) -> None:
        if (self.now, batch) == self.at:
            raise KeyboardInterrupt


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


class Failing(train.Callback):
    """Raises at the begin, once."""

    def __init__(self, error: type[BaseException] = OSError) -> None:
        self.errors = [error]

    def on_train_begin(self, logs: Any) -> None:
        if self.errors:
            raise self.errors.pop()()


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


def test_ctrl_c_at_the_begin_or_the_end_ends_cleanly() -> None:
    told: list[str] = []
    before, after = (train.LambdaCallback(on_train_end=lambda logs, name=name: told.append(name)) for name in ("before", "after"))
    assert model().fit(X, Y, callbacks=[before, Failing(KeyboardInterrupt), after], verbose=0).interrupted
    assert told == ["before"]

    def stop(logs: Any) -> None:
        raise KeyboardInterrupt

    assert model().fit(X, Y, callbacks=[train.LambdaCallback(on_train_end=stop), after], verbose=0).interrupted
    assert told == ["before", "after"]


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


def test_a_checkpoint_after_batches_has_their_numbers_in_its_name(tmp_path: Path) -> None:
    path = tmp_path / "{epoch}-{batch}.safetensors"
    model().fit(X, Y, batch_size=10, epochs=2, callbacks=[train.ModelCheckpoint(path, save_freq=2)], verbose=0)
    per = -(-len(X) // 10)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        f"{n // per + 1}-{n % per + 1}.safetensors" for n in range(1, 2 * per, 2)
    )
    for wrong in (0, True, "batch"):
        with pytest.raises(ValueError, match="save_freq is 'epoch' or a number of batches"):
            train.ModelCheckpoint(path, save_freq=wrong)
    with pytest.raises(ValueError, match="known after an epoch"):
        train.ModelCheckpoint(path, save_freq=2, save_best_only=True)


def test_the_best_alone_is_kept_under_a_name_with_its_numbers(tmp_path: Path) -> None:
    m = model()
    path = tmp_path / "sub" / "{epoch:02d}-{loss:.2f}.safetensors"
    best = train.ModelCheckpoint(path, monitor="loss", save_best_only=True, save_weights_only=True)
    m.fit(X, Y, epochs=4, callbacks=[Scripted(loss=[3.0, 4.0, 2.0, 2.5]), best], verbose=0)
    assert sorted(p.name for p in (tmp_path / "sub").iterdir()) == ["01-3.00.safetensors", "03-2.00.safetensors"]
    with pytest.raises(FileFormatError, match=r"no checkpoint; read it by model.load"):
        train.resume(tmp_path / "sub" / "03-2.00.safetensors", m)
    with pytest.raises(ValueError, match="filepath asks for 'accuracy'"):
        m.fit(X, Y, callbacks=[train.ModelCheckpoint(str(tmp_path / "{accuracy}.safetensors"))], verbose=0)


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


def test_a_history_shows_its_last_epoch_and_plots_all() -> None:
    history = model().fit(X, Y, epochs=3, validation_split=0.2, verbose=0)
    assert repr(history).startswith("Last of 3 epochs")
    assert "val_mae" in repr(history)
    for smooth in (False, True):
        figure = history.plot(smooth=smooth)
        assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "mae"]
        lines = [line for axes in figure.axes for line in axes.lines]
        assert len(lines) == (8 if smooth else 4)
    assert train.history.smoothed([1.0, 1.0, 1.0]) == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="no epoch has ended"):
        train.History().plot()


def test_a_plot_of_a_history_is_a_picture_to_a_notebook_without_pyplot() -> None:
    pytest.importorskip("matplotlib", reason="pictures are drawn by the extra 'plot'")
    history = model().fit(X, Y, epochs=2, verbose=0)
    assert history.plot()._repr_png_().startswith(b"\x89PNG")


def test_a_notebook_has_a_bar_where_it_can_be_shown_and_lines_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    for there in (True, False):
        monkeypatch.setattr(progress_bar, "find_spec", lambda name, there=there: there or name != "ipywidgets" or None)
        assert isinstance(progress("auto"), ProgressBar if there else ProgressLines)


@pytest.mark.parametrize(("verbose", "shown"), [(0, 0), (2, 5), ("auto", 5)])
def test_lines_are_shown_where_there_is_no_terminal(verbose: Any, shown: int, capsys: Any) -> None:
    model().fit(X, Y, epochs=5, verbose=verbose)
    assert capsys.readouterr().out.count("epoch ") == shown


def test_a_bar_ends_with_the_numbers_of_the_last_epoch(capsys: Any) -> None:
    history = model().fit(X, Y, epochs=2, batch_size=4, verbose=1)
    assert f"loss: {history.history['loss'][-1]:.4g}" in capsys.readouterr().out.replace("\n", " ")
