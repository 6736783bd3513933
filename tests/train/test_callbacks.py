"""Callbacks do what they say at their moments."""

from __future__ import annotations

import csv
import math
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from adjoint import optim, train
from adjoint.errors import FileFormatError
from adjoint.train.callbacks import ProgressBar, ProgressLines, progress, progress_bar
from train.models import Failing, Scripted, X, Y, bits, model


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


def test_ctrl_c_at_the_begin_or_the_end_ends_cleanly() -> None:
    told: list[str] = []
    before, after = (train.LambdaCallback(on_train_end=lambda logs, name=name: told.append(name)) for name in ("before", "after"))
    assert model().fit(X, Y, callbacks=[before, Failing(KeyboardInterrupt), after], verbose=0).interrupted
    assert told == ["before"]

    def stop(logs: Any) -> None:
        raise KeyboardInterrupt

    assert model().fit(X, Y, callbacks=[train.LambdaCallback(on_train_end=stop), after], verbose=0).interrupted
    assert told == ["before", "after"]


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
