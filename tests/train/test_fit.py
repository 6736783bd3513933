"""``fit`` is the loop that one would write oneself, whatever it is given, and refuses what does not fit before it learns."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
import weakref
from collections import OrderedDict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from capture.steps import alike, arrays
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint import data, nn, optim, train
from adjoint.backends import Backend
from adjoint.train import metrics, registry, trainer


def network(inputs: int = 3, outputs: int = 2, seed: int = 0) -> nn.Sequential:
    ad.manual_seed(seed)
    return nn.Sequential(nn.Linear(inputs, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, outputs))


def samples(n: int = 23, inputs: int = 3, classes: int = 2) -> tuple[Any, Any]:
    rng = np.random.default_rng(n)
    return rng.standard_normal((n, inputs)).astype(np.float32), rng.integers(0, classes, n)


def bits(model: nn.Module) -> list[bytes]:
    return [t.numpy(force=True).tobytes() for t in model.state_dict().values()]


@settings(max_examples=10)
@given(st.integers(1, 30), st.integers(1, 12), st.booleans(), st.booleans())
def test_fit_has_the_bits_of_the_loop_it_stands_for(n: int, batch_size: int, shuffle: bool, capture: bool) -> None:
    x, y = samples(n)
    model = network()
    model.compile(optim.Adam(model.parameters(), lr=0.01), nn.CrossEntropyLoss())
    ad.manual_seed(5)
    history = model.fit(x, y, epochs=3, batch_size=batch_size, shuffle=shuffle, capture=capture, verbose=0)

    other = network()
    optimizer, loss_fn = optim.Adam(other.parameters(), lr=0.01), nn.CrossEntropyLoss()
    ad.manual_seed(5)
    loader = data.DataLoader(data.TensorDataset(ad.tensor(x), ad.tensor(y)), batch_size=batch_size, shuffle=shuffle)
    means = []
    for _ in range(3):
        total = 0.0
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = loss_fn(other(inputs), targets)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(inputs)
        means.append(total / n)
    assert bits(model) == bits(other)
    assert history.history["loss"] == means
    assert history.epoch == [0, 1, 2]


def trained(capture: bool, values: bool = False, optimizer: str = "adam") -> tuple[dict[str, list[float]], list[Any]]:
    """History and weights of a training on 50 samples in batches of 16, the last of which has 2, with a rate that falls."""
    ad.manual_seed(3)
    x, held = ad.randn(50, 4), ad.randn(20, 4)
    target = (lambda x: x[:, :1] ** 2) if values else (lambda x: (x[:, 0] > 0).long() + (x[:, 1] > 0).long())
    model = train.mlp(4, [8, 8], 1 if values else 3, "relu" if values else "tanh")
    rule = registry.OPTIMIZERS[optimizer][0](model.parameters(), lr=0.02, weight_decay=0.02)
    model.compile(rule, "mse" if values else "cross_entropy", "mae" if values else "accuracy")
    history = model.fit(
        x, target(x), epochs=6, batch_size=16, validation_data=(held, target(held)), capture=capture, verbose=0,
        callbacks=[train.LearningRateScheduler(optim.lr_scheduler.CosineAnnealingLR(rule, T_max=6))],
    )  # fmt: skip
    return history.history, arrays(model.state_dict().values())


@pytest.mark.parametrize("values", [False, True], ids=["classes", "values"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_a_captured_training_has_the_same_history_and_weights(backend: Backend, optimizer: str, values: bool) -> None:
    history, weights = trained(False, values, optimizer)
    assert alike(trained(True, values, optimizer), (history, weights), backend)
    assert history["loss"][-1] < history["loss"][0]


def test_each_batch_size_is_recorded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    captured = []

    def kept(function: Any) -> Any:
        captured.append(ad.capture(function))
        return captured[-1]

    monkeypatch.setattr(trainer, "captured", kept)
    trained(True)
    step, measure = (function.stats for function in captured)
    assert (step.programs, measure.programs) == (2, 2)
    assert step.replays >= 6 * 4 - 4
    assert measure.replays >= 6 * 2 - 4


def in_polars(pl: Any, x: Any, y: Any) -> tuple[Any, Any]:
    return pl.DataFrame(x, schema=list("abc")), pl.Series(y)


class Pairs(data.Dataset):
    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y = ad.tensor(x), ad.tensor(y)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> Any:
        return self.x[index], self.y[index]


GIVEN: dict[str, Any] = {
    "arrays": lambda x, y: (x, y),
    "doubles and whole numbers of another size": lambda x, y: (x.astype(np.float64), y.astype(np.int32)),
    "lists": lambda x, y: (x.tolist(), y.tolist()),
    "tensors": lambda x, y: (ad.tensor(x), ad.tensor(y)),
    "pandas": lambda x, y: (pd.DataFrame(x, columns=list("abc")), pd.Series(y)),
    "polars": lambda x, y: in_polars(pytest.importorskip("polars"), x, y),
    "a dataset": lambda x, y: (Pairs(x, y),),
    "a loader": lambda x, y: (data.DataLoader(Pairs(x, y), batch_size=7),),
}


@pytest.mark.parametrize("kind", GIVEN)
def test_whatever_the_samples_come_in_is_trained_on_alike(kind: str) -> None:
    results = []
    for given_as in ("arrays", kind):
        model = network()
        model.compile("adam", "cross_entropy")
        ad.manual_seed(3)
        model.fit(*GIVEN[given_as](*samples()), epochs=2, batch_size=7, shuffle=False, verbose=0)
        results.append(bits(model))
    assert results[0] == results[1]


def test_validation_split_holds_out_the_last_rows_before_shuffling() -> None:
    class Noting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(ad.zeros(1))
            self.seen: Any = ([], [])

        def forward(self, x: Any) -> Any:
            self.seen[0 if self.training else 1].extend(x[:, 0].tolist())
            return x * self.weight

    model = Noting()
    model.compile("sgd", "mse")
    x = ad.arange(20).float().unsqueeze(1)
    model.fit(x, x, epochs=1, batch_size=4, validation_split=0.25, verbose=0)
    assert sorted(model.seen[0]) == list(range(15))
    assert model.seen[0] != sorted(model.seen[0])
    assert model.seen[1][-5:] == list(range(15, 20))


@given(st.lists(st.floats(0, 3), min_size=10, max_size=10))
def test_weights_multiply_the_losses_of_samples(weights: list[float]) -> None:
    x, y = samples(10)
    model = network().eval()
    model.compile(optim.SGD(model.parameters(), lr=0.0), "cross_entropy")
    each = ad.nn.functional.cross_entropy(model(ad.tensor(x)), ad.tensor(y), reduction="none").detach().numpy()
    loss = model.evaluate(x, y, sample_weight=weights, batch_size=10)["loss"]
    np.testing.assert_allclose(loss, float((each * weights).mean()), rtol=1e-5, atol=1e-6)


def test_class_weight_is_a_weight_by_class() -> None:
    x, y = samples(20)
    results = []
    for options in ({"class_weight": {0: 2.0, 1: 0.5}}, {"sample_weight": np.where(y == 0, 2.0, 0.5)}):
        model = network()
        model.compile("adam", nn.CrossEntropyLoss())
        ad.manual_seed(1)
        model.fit(x, y, epochs=2, verbose=0, **options)
        results.append(bits(model))
    assert results[0] == results[1]


def test_a_column_of_outputs_takes_a_vector_of_targets() -> None:
    x, _ = samples(12)
    model = nn.Sequential(nn.Linear(3, 1))
    model.compile("sgd", "mse")
    y = x.sum(axis=1)
    one, other = model.evaluate(x, y), model.evaluate(x, y[:, None])
    assert one == other
    np.testing.assert_allclose(one["loss"], float(((model.predict(x).numpy()[:, 0] - y) ** 2).mean()), rtol=1e-5)


def test_a_train_step_of_ones_own_is_taken() -> None:
    class Own(nn.Sequential):
        def train_step(self, x: Any, y: Any) -> Any:
            optimizer = self.compiled.optimizer
            optimizer.zero_grad()
            output = self(x)
            loss = (output - y).abs().mean()
            loss.backward()
            optimizer.step()
            return loss.detach(), output.detach()

    ad.manual_seed(0)
    model = Own(nn.Linear(3, 1))
    model.compile("sgd", "mse", metrics=["mae"])
    x, _ = samples(16)
    history = model.fit(x, x[:, :1], epochs=1, batch_size=16, verbose=0)
    np.testing.assert_allclose(history.history["loss"], history.history["mae"], rtol=1e-6)


def test_penalties_are_part_of_the_loss() -> None:
    layer = train.penalized(nn.Linear(3, 1), l1=0.1, l2=0.01)
    model = nn.Sequential(layer)
    model.compile("sgd", "mse")
    x, _ = samples(8)
    plain = float(((model.predict(x).numpy() - x[:, :1]) ** 2).mean())
    w = layer.weight.numpy(force=True)
    np.testing.assert_allclose(model.evaluate(x, x[:, :1])["loss"], plain + 0.1 * abs(w).sum() + 0.01 * (w**2).sum(), rtol=1e-5)
    before, error = w.copy(), model.predict(x).numpy() - x[:, :1]
    of_the_error = 2 * (error * x).mean(axis=0, keepdims=True)
    model.fit(x, x[:, :1], epochs=1, batch_size=8, verbose=0)
    gradient = (before - layer.weight.numpy(force=True)) / 0.01
    np.testing.assert_allclose(gradient, of_the_error + 0.1 * np.sign(before) + 0.02 * before, rtol=1e-3, atol=1e-4)


def test_several_inputs_come_as_a_tuple() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, a: Any, b: Any) -> Any:
            return self.layer(a) + self.layer(b)

    model = Sum()
    model.compile("adam", "cross_entropy", metrics=["accuracy"])
    (a, y), (b, _) = samples(14), samples(14)
    history = model.fit((a, b), y, epochs=2, validation_split=0.3, capture=True, verbose=0)
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert model.predict((a, b)).shape == (14, 2)


def test_predictions_are_of_the_model_as_it_is_used_and_leave_it_as_it_was() -> None:
    model = network().train()
    x, _ = samples(11)
    first = model.predict(x, batch_size=3)
    assert first.tolist() == model.predict(x, batch_size=3, capture=True).tolist()
    assert model.training
    assert not first.requires_grad
    assert model.predict_classes(x).tolist() == first.argmax(dim=1).tolist()


def test_classes_of_a_single_output_are_told_by_a_half_or_for_logits_by_zero() -> None:
    model = nn.Sequential(nn.Linear(1, 1))
    with ad.no_grad():
        model[0].weight.fill_(1.0)
        model[0].bias.fill_(0.0)
    x = ad.tensor([[-1.0], [0.25], [0.75]])
    assert model.predict_classes(x).tolist() == [0, 0, 1]
    for loss, classes in (("binary_cross_entropy_with_logits", [0, 1, 1]), ("hinge", [0, 1, 1]), ("mse", [0, 0, 1])):
        model.compile("sgd", loss)
        assert model.predict_classes(x).tolist() == classes


def test_weights_go_out_and_come_back(tmp_path: Any) -> None:
    model, other = network(), network(seed=1)
    other.set_weights(model.get_weights())
    assert bits(other) == bits(model)
    third = network(seed=2)
    model.save(tmp_path / "model.safetensors")
    third.load(tmp_path / "model.safetensors")
    assert bits(third) == bits(model)
    with pytest.raises(ValueError, match="set_weights: 1 arrays for 4 weights"):
        other.set_weights(model.get_weights()[:1])
    with pytest.raises(ValueError, match=r"0[.]weight has the shape"):
        other.set_weights(model.get_weights()[::-1])


RNG = np.random.default_rng(1)


class Stream(data.IterableDataset):
    """Samples as they come."""

    def __iter__(self) -> Any:
        yield from zip(*map(ad.tensor, samples(24)), strict=True)


def test_a_stream_is_trained_on_batch_after_batch() -> None:
    model = network()
    model.compile("adam", "cross_entropy", metrics=["accuracy"])
    seen: list[int] = []
    note = train.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs["size"]))
    for stream in (Stream(), data.DataLoader(Stream(), batch_size=9)):
        history = model.fit(stream, batch_size=9, epochs=2, validation_data=Stream(), callbacks=note, verbose=0)
        assert len(history.epoch) == 2
    assert seen == [9, 9, 6] * 4


def test_frozen_parts_are_afterwards_as_they_were() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2).eval())
    model.compile("adam", "cross_entropy")
    for call in (lambda: model.predict(X), lambda: model.evaluate(X, Y), lambda: model.fit(X, Y, verbose=0), model.summary):
        call()
        assert [part.training for part in model] == [True, False]


def test_a_function_meets_targets_in_the_outputs_form() -> None:
    x = ad.randn(20, 1)
    for target in (x[:, 0], x):
        model = nn.Sequential(nn.Linear(1, 1))
        model.compile("sgd", lambda o, t: ((o - t) ** 2).mean(), metrics=["mse", lambda o, t: ((o - t) ** 2).mean()])
        logs = model.evaluate(x, target)
        assert len({round(value, 5) for value in logs.values()}) == 1
        model.compile("sgd", lambda o, t: ((o.squeeze(-1) - t.squeeze(-1)) ** 2).mean())
        assert model.evaluate(x, target)["loss"] == pytest.approx(logs["loss"])


def test_labels_that_do_not_exclude_each_other_are_decided_by_themselves() -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    model.compile("adam", "binary_cross_entropy_with_logits", metrics=["binary_accuracy"])
    target = (X[:, :2] > 0).astype("float32")
    assert model.predict_classes(X).tolist() == (model.predict(X) > 0).long().tolist()
    assert "binary_accuracy" in model.fit(X, target, verbose=0).history
    model.compile("adam", "binary_cross_entropy_with_logits", metrics=["accuracy"])
    target = np.concatenate([[[1.0, 0.0], [0.0, 1.0]], target[2:]])  # nothing is wrong with the first two
    before = bits(model)
    with pytest.raises(ValueError, match=r"accuracy: the targets .* are not one-hot.*binary_accuracy"):
        model.fit(X, target, verbose=0)
    assert bits(model) == before


def test_padding_of_zeros_is_among_one_hot_targets() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Softmax(dim=-1))
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    x, y = RNG.normal(size=(6, 5, 3)), np.eye(4)[RNG.integers(0, 4, (6, 5))]
    y[:, 3:] = 0.0
    assert model.fit(x, y, verbose=0).history["loss"][0] < model.evaluate(x, np.where(y.sum(-1, keepdims=True), y, 0.25))["loss"]


def test_a_trained_model_holds_no_data_and_may_have_a_part_named_position() -> None:
    class Placed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.position = nn.Linear(3, 2)

        def forward(self, x: Any) -> Any:
            return self.position(x)

    model = Placed()
    model.compile("adam", "cross_entropy")
    loader = data.DataLoader(data.TensorDataset(ad.tensor(X), ad.tensor(Y)))
    model.fit(loader, verbose=0)
    held = weakref.ref(loader)
    del loader
    gc.collect()
    assert held() is None
    plain = nn.Sequential(nn.Linear(3, 2))
    plain.compile("adam", "cross_entropy")
    plain.fit(np.zeros((50_000, 3), np.float32), np.zeros(50_000, int), batch_size=50_000, verbose=0)
    assert len(pickle.dumps(plain)) < 50_000


@pytest.mark.parametrize(
    ("loss", "targets", "message"),
    [
        ("binary_crossentropy", [1, 2], "from 1 to 2, and a binary loss takes 0 and 1"),
        (nn.BCEWithLogitsLoss(), [[-1.0], [1.0]], "from -1 to 1, and a binary loss"),
        ("hinge", [1, 2], "a hinge takes -1 and 1"),
        ("categorical_crossentropy", [[3.0, 4.0], [1.0, 0.0]], "which add up to 1"),
    ],
)
def test_targets_that_the_loss_does_not_take_are_refused(loss: Any, targets: Any, message: str) -> None:
    y = np.array(targets)
    model = nn.Sequential(nn.Linear(3, y.shape[1] if y.ndim > 1 else 1), nn.Sigmoid())
    model.compile("adam", loss)
    with pytest.raises(ValueError, match=message):
        model.fit(X[:2], y, verbose=0)


def test_labels_that_are_ignored_count_neither_in_the_loss_nor_in_the_accuracy() -> None:
    y = np.where(np.arange(12) < 4, -100, Y)
    softmax = nn.Sequential(nn.Linear(3, 2), nn.Softmax(dim=-1))
    softmax.compile("adam", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="class numbers from -100 to 1"):
        softmax.fit(X, y, verbose=0)
    for loss, metric in (("cross_entropy", "accuracy"), (nn.CrossEntropyLoss(), metrics.Accuracy())):
        model = network()
        model.compile("adam", loss, metrics=[metric])
        some = model.evaluate(X[4:], Y[4:])["accuracy"]
        assert model.evaluate(X, y)["accuracy"] == pytest.approx(some)
        assert model.fit(X, y, verbose=0).history["loss"][0] > 0


def test_a_hinge_and_its_accuracy_decide_alike() -> None:
    model = nn.Sequential(nn.Linear(3, 1))
    for loss in ("hinge", "squared_hinge", "binary_cross_entropy_with_logits"):
        model.compile("adam", loss, metrics=["accuracy"])
        assert model.evaluate(X, Y)["accuracy"] == pytest.approx((model.predict_classes(X).numpy() == Y).mean())


def test_the_log_loss_of_log_probabilities_is_the_loss() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.LogSoftmax(dim=-1))
    model.compile("adam", nn.NLLLoss(), metrics=["log_loss"])
    logs = model.evaluate(X, Y)
    assert logs["log_loss"] == pytest.approx(logs["loss"], 1e-5)


@pytest.mark.parametrize("loss", [nn.MSELoss(reduction="sum"), nn.CrossEntropyLoss(weight=ad.tensor([1.0, 9.0]))])
def test_weights_do_not_go_with_a_loss_that_weighs_otherwise(loss: Any) -> None:
    model = network()
    model.compile("adam", loss)
    with pytest.raises(ValueError, match="weights of samples do not go with a loss that has"):
        model.fit(X, ad.zeros(12, 2) if isinstance(loss, nn.MSELoss) else Y, sample_weight=np.ones(12), verbose=0)


def test_a_function_that_gives_a_number_for_each_sample_goes_with_weights() -> None:
    x, w = ad.tensor(X), np.arange(12.0)
    found = []
    for loss in ("mse", lambda o, t: ((o - t) ** 2).mean(dim=1), nn.MSELoss(reduction="none")):
        model = network()
        model.compile("sgd", loss)
        found.append(model.evaluate(x, x[:, :2], sample_weight=w)["loss"])
    assert found[0] == pytest.approx(found[1]) == pytest.approx(found[2])


def test_numbers_of_numpy_are_numbers() -> None:
    model = network()
    model.compile("adam", "cross_entropy")
    numbers = {"epochs": np.int64(3), "batch_size": np.int32(5), "initial_epoch": np.int8(1)}
    for given_as in (numbers, {name: ad.tensor(int(number)) for name, number in numbers.items()}):
        history = model.fit(X, Y, **given_as, validation_split=np.float32(0.25), verbose=0)
        assert history.epoch == [1, 2]
        assert history.params["epochs"] == 3
    assert model.evaluate(X, Y, batch_size=np.int64(5)) == model.evaluate(X, Y, batch_size=5)
    assert model.predict(X, batch_size=np.int64(5)).shape == (12, 2)


def test_weights_of_classes_and_samples_multiply_where_inputs_are_whole() -> None:
    class Words(nn.Sequential):
        pass

    model = Words(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(8, 2))
    x, y = np.arange(16).reshape(8, 2) % 5, np.arange(8) % 2
    model.compile("sgd", "cross_entropy")
    whole = model.evaluate(x, y, sample_weight=np.where(y == 0, 1.5, 0.5))["loss"]
    history = model.fit(x, y, sample_weight=np.full(8, 0.5), class_weight={np.float32(0.0): 3.0}, verbose=0).history
    assert history["loss"][0] == pytest.approx(whole)


def test_a_data_frame_of_several_kinds_of_numbers_is_numbers() -> None:
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1] > 0, "c": pd.array(range(12), "Int64")})
    plain = frame.to_numpy("float32")
    model = network()
    assert model.predict(frame).tolist() == model.predict(plain).tolist()
    model.compile("adam", "cross_entropy")
    assert model.evaluate(plain, pd.Series(Y, dtype=object)) == model.evaluate(plain, Y)


def test_several_inputs_come_from_a_dataset_too() -> None:
    class Two(data.Dataset):
        def __len__(self) -> int:
            return 12

        def __getitem__(self, index: int) -> Any:
            return (X[index], X[index]), Y[index]

    class Both(nn.Linear):
        def forward(self, a: Any, b: Any) -> Any:
            return super().forward(a + b)

    model = Both(3, 2)
    model.compile("adam", "cross_entropy")
    assert model.fit(Two(), verbose=0).history["loss"]
    assert model.predict(Two()).shape == (12, 2)


def test_a_step_that_gives_something_else_and_a_part_with_a_taken_name_are_refused() -> None:
    class Silent(nn.Linear):
        def train_step(self, x: Any, y: Any, sample_weight: Any = None) -> None: ...

    model = Silent(3, 2)
    model.compile("adam", "cross_entropy")
    with pytest.raises(TypeError, match="returns the loss and the model's output"):
        model.fit(X, Y, verbose=0)
    named = nn.Sequential(OrderedDict(history=nn.Linear(3, 2)))
    with pytest.raises(ValueError, match="a part named 'history'"):
        named.compile("adam", "cross_entropy")
    model.penalty = 0.01  # a name that is free
    assert train.penalty(model) == 0.0


def test_what_a_callback_freezes_is_recorded_anew() -> None:
    model = network()
    model.compile(optim.SGD(model.parameters(), lr=0.1), "cross_entropy")
    before: list[Any] = []

    def freeze(epoch: int, logs: Any) -> None:
        model[0].requires_grad_(epoch == 0)
        before.append(model[0].weight.tolist())

    model.fit(X, Y, epochs=3, capture=True, callbacks=train.LambdaCallback(on_epoch_begin=freeze), verbose=0)
    assert before[0] != before[1] == before[2] == model[0].weight.tolist()


def test_an_override_calls_the_inherited_method_once() -> None:
    code = """
import adjoint as ad
from adjoint import nn
class Net(nn.Sequential):
    def predict(self, x, **options):
        return super().predict(x, **options) * 2
net = Net(nn.Linear(1, 1))
print([net.predict(ad.ones(1, 1)).item() / (2 * net(ad.ones(1, 1)).item()) for _ in range(2)])
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[1.0, 1.0]\n"


X, Y = samples(12)
BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "lengths": (lambda m: m.fit(X, Y[:-1]), ValueError, "x has 12 samples and y 11"),
    "no samples": (lambda m: m.fit(X[:0], Y[:0]), ValueError, "no samples"),
    "labels too large": (lambda m: m.fit(X, Y + 1), ValueError, "class numbers from 1 to 2, and the model has 2 outputs, 0 to 1"),
    "labels negative": (lambda m: m.fit(X, Y - 1), ValueError, "from -1 to 0"),
    "labels that are floats": (lambda m: m.fit(X, Y * 0.5), TypeError, "class numbers, which are integers"),
    "validation labels": (lambda m: m.fit(X, Y, validation_data=(X, Y + 5)), ValueError, "the validation's y has class numbers"),
    "NaN in a column": (
        lambda m: m.fit(pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, float("nan")], "c": [0.0, 0.0]}), Y[:2]),
        ValueError, "x has NaN in row 1, column 'b'",
    ),
    "infinity": (lambda m: m.fit(np.where(X[3, 1] == X, np.inf, X), Y), ValueError, "infinity in row 3, column 1"),
    "NaN in y": (lambda m: m.fit(X, pd.Series([float("nan")] * 12, name="price")), ValueError, "y has NaN in row 0 of 'price'"),
    "text": (
        lambda m: m.fit(pd.DataFrame({"a": ["x"] * 12, "b": 1.0, "c": pd.Timestamp("2020-01-01")}), Y),
        TypeError, "x has no numbers in 'a', 'c'; encode text and dates",
    ),
    "a missing whole number": (
        lambda m: m.fit(pd.DataFrame({"a": pd.array([1] * 11 + [None], "Int64"), "b": 1.0, "c": 1.0}), Y),
        ValueError, "x has NaN in row 11, column 'a'",
    ),
    "several inputs in a list": (lambda m: m.fit([X, X[:, :2]], Y), TypeError, "several inputs are given as a tuple"),
    "negative weights": (lambda m: m.fit(X, Y, sample_weight=-np.ones(12)), ValueError, "sample_weight has -1; weights"),
    "class weights in a list": (lambda m: m.fit(X, Y, class_weight=[1, 2]), TypeError, "class_weight is a dict"),
    "class weights that are no numbers": (lambda m: m.fit(X, Y, class_weight={0: np.nan}), ValueError, "class_weight must be"),
    "a dataset with NaN": (
        lambda m: m.fit(data.TensorDataset(ad.tensor(np.where(X[3, 1] == X, np.nan, X)), ad.tensor(Y))),
        ValueError, "x has NaN in row 3, column 1",
    ),
    "a dataset without y": (lambda m: m.fit(data.TensorDataset(ad.tensor(X))), ValueError, "y is missing"),
    "a validation of other columns": (
        lambda m: m.fit(X, Y, validation_data=data.TensorDataset(ad.tensor(X[:, :2]), ad.tensor(Y))), ValueError, "3|2",
    ),
    "a validation without a batch": (lambda m: m.fit(X, Y, validation_data=(X[:0], Y[:0])), ValueError, "no samples"),
    "y beside a dataset": (lambda m: m.evaluate(data.DataLoader(Pairs(X, Y)), Y), ValueError, "evaluate: y comes with the samples"),
    "evaluate without y": (lambda m: m.evaluate(X), ValueError, "evaluate: y is missing"),
    "empty validation": (lambda m: m.fit(X, Y, validation_split=0.99), ValueError, "of 12 samples leaves one part empty"),
    "split": (lambda m: m.fit(X, Y, validation_split=1.5), ValueError, "validation_split must be >= 0 and < 1"),
    "epochs": (lambda m: m.fit(X, Y, epochs=0), ValueError, "epochs must be a positive integer, not 0"),
    "no y": (lambda m: m.fit(X), ValueError, "y is missing"),
    "a generator": (lambda m: m.fit(x for x in X), ValueError, r"x is a generator; wrap it in a data\.IterableDataset, or pass y"),
    "labels in strings": (lambda m: m.fit(X, ["a", "b"] * 6), TypeError, "y contains strings; encode labels as integers"),
    "strings of NumPy's": (lambda m: m.fit(X, np.array(["a", 1] * 6, object)), TypeError, "y contains strings"),
    "epochs of a half": (lambda m: m.fit(X, Y, epochs=2.5), TypeError, "fit: epochs must be an integer, not 2.5"),
    "monitor": (
        lambda m: m.fit(X, Y, callbacks=[train.EarlyStopping("val_los")], validation_split=0.5),
        ValueError, r"no 'val_los' to monitor \(did you mean 'val_loss'",
    ),
    "monitor without validation": (
        lambda m: m.fit(X, Y, callbacks=[train.ReduceLROnPlateau("val_accuracy")]), ValueError, "there is no validation",
    ),
    "no callback": (lambda m: m.fit(X, Y, callbacks=[train.TerminateOnNaN]), TypeError, "is not a callback"),
    "verbose": (lambda m: m.fit(X, Y, verbose=7), ValueError, "verbose is 0"),
    "features": (lambda m: m.fit(X[:, :2], Y), ValueError, "3|2"),
    "weights": (lambda m: m.fit(X, Y, sample_weight=[[1.0]] * 12), ValueError, "sample_weight has the shape"),
    "a dataset and y": (lambda m: m.fit(Pairs(X, Y), Y), ValueError, "y comes with the samples"),
    "validation of another kind": (lambda m: m.fit(X, Y, validation_data=X), TypeError, "validation_data is"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_is_refused_before_anything_is_learned(case: str) -> None:
    call, error, message = BAD[case]
    model = network()
    model.compile("adam", "cross_entropy", metrics=["accuracy"])
    before, state = bits(model), ad.default_generator().get_state() if hasattr(ad, "default_generator") else None
    with pytest.raises(error, match=message):
        call(model)
    assert bits(model) == before
    assert model.training
    assert state is None or ad.default_generator().get_state() == state


def agreement(output: Any, target: Any) -> Any:
    return (output.argmax(dim=1) == target).float()


def test_a_metric_object_has_what_was_measured_last_and_a_callback_may_measure_inside_an_epoch() -> None:
    model, accuracy = network(), metrics.Accuracy()
    model.compile("adam", "cross_entropy", metrics=accuracy)
    assert model.evaluate(X, Y)["accuracy"] == accuracy.result()

    class Measuring(train.Callback):
        def on_train_batch_end(self, batch: int, logs: Any) -> None:
            self.model.evaluate(X[:3], Y[:3])

    found = []
    for callbacks in ((), Measuring()):
        model = network(seed=5)
        model.compile("sgd", "cross_entropy", metrics=accuracy)
        found.append(model.fit(X, Y, batch_size=4, shuffle=False, callbacks=callbacks, verbose=0).history)
    assert found[0] == found[1]


def test_one_metric_needs_no_list_whatever_kind_it_is_of() -> None:
    model, found = network(), []
    for metric in ("accuracy", metrics.Accuracy(), agreement):
        model.compile("adam", "cross_entropy", metrics=metric)
        found.append(list(model.evaluate(X, Y).items())[1])
    assert [name for name, _ in found] == ["accuracy", "accuracy", "agreement"]
    assert found[0][1] == found[1][1] == found[2][1]


def test_two_numbers_of_one_name_are_refused() -> None:
    def loss(output: Any, target: Any) -> Any:
        return agreement(output, target)

    for several, name in ((["accuracy", metrics.Accuracy()], "accuracy"), ([agreement, agreement], "agreement"), (loss, "loss")):
        with pytest.raises(ValueError, match=f"are named '{name}'"):
            network().compile("adam", "cross_entropy", metrics=several)
    network().compile("adam", "cross_entropy", metrics=["acc", "accuracy"])


def test_a_metric_that_does_not_fit_is_refused_before_anything_is_learned() -> None:
    model = network()
    model.compile("adam", "cross_entropy", metrics=["accuracy", "mae"])
    before = bits(model)
    with pytest.raises(ValueError, match="mae: the output has the shape"):
        model.fit(X, Y, verbose=0)
    assert bits(model) == before


def test_a_metric_does_not_count_the_samples_of_the_rehearsal_nor_of_an_earlier_fit() -> None:
    seen = metrics.Precision()
    for classes in (3, 2):
        model = network(outputs=classes)
        model.compile("adam", "cross_entropy", metrics=seen)
        model.fit(X, Y, epochs=1, batch_size=12, shuffle=False, verbose=0)
        assert int(seen.counts.sum(dim=1)[2]) == len(X)  # type: ignore[union-attr]


def test_words_that_are_not_known_come_with_the_nearest_ones() -> None:
    model = network()
    for arguments, message in (
        (("adm", "mse"), "unknown optimizer 'adm'.*did you mean 'adam'"),
        (("adam", "categorical_crossentropi"), "unknown loss.*did you mean 'categorical_crossentropy'"),
        (("adam", "mse", ["acuracy"]), "unknown metric 'acuracy'.*did you mean 'accuracy'"),
    ):
        with pytest.raises(ValueError, match=message):
            model.compile(*arguments)
    with pytest.raises(RuntimeError, match=r"fit: .*call model.compile"):
        network().fit(X, Y)
    with pytest.raises(ValueError, match="a loss is needed"):
        model.compile("adam")
    with pytest.raises(TypeError, match="optimizer is a name"):
        model.compile(3, "mse")
    with pytest.raises(ValueError, match="none of the model's parameters"):
        model.compile(optim.SGD(network().parameters(), lr=0.1), "mse")


def test_the_summary_tells_layers_shapes_and_parameters(capsys: Any) -> None:
    network().summary()
    shown = capsys.readouterr().out
    for words in ("Linear", "Dropout", "(N, 8)", "(N, 2)", "32", "18", "50"):
        assert words in shown
    nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 3)).summary((1, 8, 8))
    assert "(N, 2, 6, 6)" in capsys.readouterr().out
