"""The models under PyTorch's names; ``lib`` is ``adjoint`` or ``torch``."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from tasks import Task

ACTIVATIONS = {"relu": "ReLU", "tanh": "Tanh"}


def mlp(lib: Any, task: Task) -> Any:
    """Linear layers of the task's sizes with its activation between them."""
    nn = lib.nn
    layers: list[Any] = []
    for n, m in pairwise(task.sizes):
        layers += [nn.Linear(n, m), getattr(nn, ACTIVATIONS[task.activation])()]
    return nn.Sequential(*layers[:-1])


def cnn(lib: Any, task: Task) -> Any:
    """The network of PyTorch's MNIST example, (N, 1, 28, 28) to (N, 10), without its dropout. Sizes: channels, channels, hidden."""
    nn = lib.nn
    first, second, hidden = task.sizes
    return nn.Sequential(
        nn.Conv2d(1, first, 3), nn.ReLU(), nn.Conv2d(first, second, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(144 * second, hidden), nn.ReLU(), nn.Linear(hidden, 10),
    )  # fmt: skip


def gpt(lib: Any, task: Task) -> Any:
    """A character-level decoder, (N, L) to (N, L, vocabulary): pre-norm blocks, trainable positions, GELU; no dropout.

    Sizes: layers, heads, width, vocabulary. Radford et al. (2019).
    """
    nn, functional = lib.nn, lib.nn.functional
    layers, heads, width, vocabulary = task.sizes

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def forward(self, x: Any) -> Any:
            n, length, _ = x.shape
            qkv = self.qkv(self.norm1(x)).reshape(n, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
            mixed = functional.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], is_causal=True)
            x = x + self.out(mixed.transpose(1, 2).reshape(n, length, width))
            return x + self.mlp(self.norm2(x))

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.characters, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(task.context, width)
            self.blocks = nn.Sequential(*(Block() for _ in range(layers)))
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

        def forward(self, tokens: Any) -> Any:
            return self.head(self.norm(self.blocks(self.characters(tokens) + self.positions.weight)))

    return GPT()


def lstm(lib: Any, task: Task) -> Any:
    """An LSTM layer and a linear head on all its steps, (N, L, in) to (N, L, out); sizes: in, units, out."""
    nn = lib.nn
    inputs, units, outputs = task.sizes

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(inputs, units, batch_first=True), nn.Linear(units, outputs)

        def forward(self, x: Any) -> Any:
            return self.head(self.lstm(x)[0])

    return Recurrent()


MODELS = {"mlp": mlp, "cnn": cnn, "gpt": gpt, "lstm": lstm}
