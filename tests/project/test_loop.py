"""The training loop behind the command line: captured or not, it computes the same."""

from __future__ import annotations

import pytest

import adjoint as ad
from adjoint.backends import Backend
from adjoint.train import loop


def trained(capture: bool, values: bool, **options: object) -> tuple[list[loop.Epoch], list[list[float]]]:
    """History and weights of a training on 50 rows in batches of 16, the last of which has 2."""
    ad.manual_seed(3)
    x, held = ad.randn(50, 4), ad.randn(20, 4)
    target = (lambda x: x[:, :1] ** 2) if values else (lambda x: (x[:, 0] > 0).long() + (x[:, 1] > 0).long())
    model = loop.mlp(4, [8, 8], 1 if values else 3, "relu" if values else "tanh")
    settings = {"optimizer": "adam", "lr": 0.02, "penalty": 1.0, "epochs": 6, "batch_size": 16} | options
    parts = loop.Split(x, target(x)), loop.Split(held, target(held))
    history = loop.fit(model, *parts, capture=capture, **settings)  # type: ignore[arg-type]
    return history, [p.flatten().tolist() for p in model.state_dict().values()]


@pytest.mark.parametrize("values", [False, True], ids=["classes", "values"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_a_captured_training_has_the_same_history_and_weights_to_the_bit(backend: Backend, optimizer: str, values: bool) -> None:
    history, weights = trained(False, values, optimizer=optimizer)
    again, same_weights = trained(True, values, optimizer=optimizer)
    assert again == history
    assert same_weights == weights
    assert history[-1].loss < history[0].loss


def test_a_captured_training_that_diverges_says_so() -> None:
    with pytest.raises(RuntimeError, match=r"the training diverged in epoch 1: .* smaller learning rate"):
        trained(True, True, optimizer="sgd", lr=1e30)


def test_each_batch_size_is_recorded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    captured = []

    def kept(function: object) -> object:
        captured.append(ad.capture(function))  # type: ignore[arg-type]
        return captured[-1]

    monkeypatch.setattr(loop, "captured", kept)
    trained(True, False)
    step, evaluate = (function.stats for function in captured)
    assert (step.programs, evaluate.programs) == (2, 1)
    assert step.replays >= 6 * 4 - 4
    assert evaluate.replays >= 6 - 2
