"""Programs with tensors that are made inside of the captured function: positions, targets, masks, tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import nn, optim
from adjoint.backends import Backend
from adjoint.nn import functional as F

from .steps import Training, alike, arrays, outcome, training_step


class GPT(nn.Module):
    """A small one: the positions are ``arange``'s, and the causal mask is made at each call."""

    def __init__(self, vocabulary: int = 7, length: int = 5, width: int = 8) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.block = nn.TransformerEncoderLayer(width, 2, 16, dropout=0.0, batch_first=True, norm_first=True)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        n = x.shape[1]
        later = ad.arange(n)[None, :] > ad.arange(n)[:, None]
        return self.head(self.block(self.tokens(x) + self.positions(ad.arange(n)), src_mask=later))


def gpt() -> Training:
    model = GPT()
    optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9)

    step = training_step(model, optimizer, lambda logits, y: F.cross_entropy(logits.flatten(0, 1), y.flatten()))

    def batch(i: int) -> Any:
        text = np.random.default_rng(i).integers(0, 7, (2, 6))
        return ad.tensor(text[:, :-1]), ad.tensor(text[:, 1:])

    return Training(step, batch, lambda: [*model.parameters(), *model.buffers()], optimizer)


def test_a_gpt_is_trained_as_without_capture(backend: Backend) -> None:
    results = [outcome(gpt, 5, captured) for captured in (False, True)]
    assert alike(*(result for result, _ in results), backend)
    assert results[1][1].stats.replays >= 3


w = [[0.1 * i - 0.05 * i * j for j in range(4)] for i in range(6)]
PROGRAMS: dict[str, Callable[[ad.Tensor], Any]] = {
    "embedding": lambda x: F.embedding(ad.arange(6), x),
    "embedding of a table and rows made inside": lambda x: x * F.embedding(ad.tensor([5, 0, 0, 1, 2, 3]), ad.tensor(w)),
    "cross_entropy": lambda x: F.cross_entropy(x, ad.arange(6) % 4),
    "nll_loss": lambda x: F.nll_loss(x.log_softmax(-1), ad.tensor([0, 3, 1, 1, 2, 0])),
    "cross_entropy of constants": lambda x: x.sum() + F.cross_entropy(ad.tensor(w), ad.zeros(6, dtype=ad.int64)),
    "binary_cross_entropy": lambda x: F.binary_cross_entropy(x.sigmoid(), ad.ones(6, 4)),
    "binary_cross_entropy of constants": lambda x: x + F.binary_cross_entropy(ad.full((3,), 0.25), ad.ones(3)),
    "gaussian_nll_loss": lambda x: F.gaussian_nll_loss(x, ad.zeros(6, 4), ad.ones(6, 4)),
    "one_hot": lambda x: F.one_hot(ad.arange(6) % 4, 4) * x,
    "gather": lambda x: x.gather(1, ad.arange(12).reshape(6, 2) % 4),
    "gather of constants": lambda x: x * ad.tensor(w).gather(1, ad.zeros(6, 4, dtype=ad.int64)),
    "index_select": lambda x: x.index_select(0, ad.arange(3) * 2),
    "index_add": lambda x: ad.zeros(3, 4).index_add(0, ad.arange(6) % 3, x),
    "take": lambda x: x.take(ad.arange(5) * 3),
    "take_along_dim": lambda x: ad.take_along_dim(x, ad.arange(4)[None, :].flip(1), 1),
    "scatter": lambda x: ad.zeros(6, 4).scatter(1, ad.arange(24).reshape(6, 4) % 4, x),
    "scatter_add": lambda x: ad.zeros(6, 4).scatter_add(1, ad.zeros(6, 4, dtype=ad.int64), x),
    "rows by index": lambda x: x[ad.arange(6).flip(0), ad.arange(6) % 4],
    "written by index": lambda x: x.clone().index_put((ad.arange(3),), ad.ones(3, 4)),
    "a mask of lengths": lambda x: ad.where(ad.arange(4) < x.shape[0] - 3, x, 0.0),
    "masked_fill": lambda x: x.masked_fill(ad.eye(6, 4) > 0, -1.0).softmax(-1),
    "attention with a causal mask": lambda x: F.scaled_dot_product_attention(x, x, ad.tensor(w), ad.ones(6, 6).tril() > 0),
    "unpooled": lambda x: F.max_unpool1d(x.T[:, :3], ad.tensor([[0, 3, 5]] * 4), 2, 2),
    "searchsorted": lambda x: x + ad.searchsorted(ad.arange(4.0), ad.tensor([0.5, 2.0, 9.0, -1.0])),
    "power of constants": lambda x: x * ad.full((), 1.7) ** ad.full((), 0.3),
    "norm": lambda x: x / ad.linalg.norm(ad.tensor(w), ord=2),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_with_constants_is_replayed_with_the_same_bits(name: str, backend: Backend) -> None:
    function = PROGRAMS[name]

    def with_gradient(x: ad.Tensor) -> Any:
        x = x.detach().requires_grad_()
        out = function(x)
        (g,) = ad.autograd.grad((out * out).sum(), [x], create_graph=True)
        second = ad.autograd.grad((g * g).sum(), [x], allow_unused=True)[0] if g.requires_grad else None
        return [out, g] if second is None else [out, g, second]

    captured, both = ad.capture(lambda x: [function(x)]), ad.capture(with_gradient)
    drawn = [ad.randn(6, 4) for _ in range(4)]
    for x in drawn:
        with ad.no_grad():
            assert alike(arrays(captured(x)), arrays([function(x)]), backend)
        assert alike(arrays(both(x)), arrays(with_gradient(x)), backend)
    assert captured.stats[:2] == both.stats[:2] == (1, 3)


def test_a_check_of_a_constant_is_dropped_and_one_of_an_external_tensor_asked_again(backend: Backend) -> None:
    captured = ad.capture(lambda x: F.embedding(ad.arange(6), x))
    captured(ad.randn(6, 4))
    assert captured.program.guards == []
    asked = ad.ones((), dtype=ad.bool)  # which no operation reads

    def function(x: ad.Tensor) -> ad.Tensor:
        return x * 2 if backend.truth(asked._array) else x

    captured = ad.capture(function)
    for answer in (True, True, False, False):
        asked.fill_(answer)
        assert captured(ad.ones(1)).item() == 1 + answer
    assert captured.stats[:2] == (2, 2)
