"""Layers that walk along a sequence: ``RNN``, ``LSTM`` and ``GRU``, and one step of each as a cell."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..autograd import Tensor
from ..autograd import functions as f
from ..autograd.arguments import reads_numbers
from ..autograd.creation import empty, zeros
from ..autograd.rules import recurrent
from . import functional, init
from .module import Module
from .parameter import Parameter
from .utils.rnn import PackedSequence, cut

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell"]


class _Weights(Module):
    """What layers and cells share: weights that start evenly within ±1/sqrt(hidden_size), and checks."""

    hidden_size: int

    def reset_parameters(self) -> None:
        """Draw the initial values anew."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _check_input(self, input: Any, size: int, shapes: dict[int, str]) -> bool:
        """Whether there is a batch, which the longer of the two ``shapes`` has."""
        name = type(self).__name__
        if not isinstance(input, Tensor):
            raise TypeError(f"{name}: the input is a {type(input).__name__}; it takes tensors, ad.tensor(…) makes one")
        wanted = " or ".join(shapes.values())
        if input.ndim not in shapes or input.shape[-1] != size:
            raise ValueError(f"{name}: the input has shape {input.shape}; it must be {wanted}, with I = {size}")
        return input.ndim == max(shapes)

    def _check_state(self, what: str, state: Tensor, wanted: tuple[int, ...]) -> None:
        if state.shape != wanted:
            raise ValueError(f"{type(self).__name__}: {what} has shape {state.shape}; for this input it must be {wanted}")


# The walks of one layer in one direction: from x (L, N, I) and states (N, …) to the outputs (L, N, …) and the states (1, N, …).


def _walk_rnn(
    x: Tensor, states: tuple[Tensor, ...], weights: list[Tensor], bias: list[Tensor], relu: bool, reverse: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    out = f.transpose(recurrent.rnn(x, *states, *weights, bias[0] + bias[1], relu=relu, reverse=reverse), 1, 2)
    return out, (_last(out, reverse),)


def _walk_gru(
    x: Tensor, states: tuple[Tensor, ...], weights: list[Tensor], bias: list[Tensor], relu: bool, reverse: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    out = f.transpose(recurrent.gru(x, *states, *weights, *bias, reverse=reverse), 1, 2)
    return out, (_last(out, reverse),)


def _walk_lstm(
    x: Tensor, states: tuple[Tensor, ...], weights: list[Tensor], bias: list[Tensor], relu: bool, reverse: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    (length, batch, _), (p, n) = x.shape, (state.shape[1] for state in states)
    if len(weights) == 2:
        found = recurrent.lstm(x, *states, *weights, bias[0] + bias[1], reverse=reverse)
        every = f.transpose(f.reshape(found, length + 1, n, batch), 1, 2)
        out, cell = every[:length], every[length:]
    else:
        found = recurrent.projected_lstm(x, *states, *weights[:2], bias[0] + bias[1], weights[2], reverse=reverse)
        out = f.transpose(f.reshape(found[: length * p], length, p, batch), 1, 2)
        cell = f.transpose(f.reshape(found[length * p :], 1, n, batch), 1, 2)
    return out, (_last(out, reverse), cell)


def _last(out: Tensor, reverse: bool) -> Tensor:
    """The states after the last step taken."""
    return out[:1] if reverse else out[out.shape[0] - 1 :]


class _Recurrent(_Weights):
    """Layers of one kind, one after another, each in one direction or both."""

    _blocks = 1  #: how many blocks of hidden_size rows a weight has
    _states = 1  #: how many states go from step to step
    _walk: Callable[..., tuple[Tensor, tuple[Tensor, ...]]]
    _relu = False
    weight_ih_l0: Parameter

    @reads_numbers
    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if hidden_size < 1 or num_layers < 1 or input_size < 0:
            raise ValueError(
                f"{name}: hidden_size and num_layers are 1 or more and input_size 0 or more, not {hidden_size}, {num_layers} and "
                f"{input_size}"
            )
        if not 0 <= dropout <= 1:
            raise ValueError(f"{name}: dropout is a probability from 0 to 1, not {dropout}")
        if dropout and num_layers == 1:
            raise ValueError(
                f"{name}: dropout is between layers, and num_layers is 1; leave it out, or use nn.Dropout on the output"
            )
        if not 0 <= proj_size < hidden_size:
            raise ValueError(f"{name}: proj_size is below hidden_size={hidden_size}, and 0 for none, not {proj_size}")
        self.input_size, self.hidden_size, self.num_layers, self.bias = input_size, hidden_size, num_layers, bias
        self.batch_first, self.dropout, self.bidirectional, self.proj_size = batch_first, dropout, bidirectional, proj_size
        out, rows = proj_size or hidden_size, self._blocks * hidden_size
        for layer in range(num_layers):
            columns = input_size if layer == 0 else out * (2 if bidirectional else 1)
            shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, columns), "weight_hh": (rows, out)}
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)} if bias else {}
            shapes |= {"weight_hr": (proj_size, hidden_size)} if proj_size else {}
            for suffix in self._suffixes(layer):
                for part, shape in shapes.items():
                    setattr(self, part + suffix, Parameter(empty(*shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def _suffixes(self, layer: int) -> list[str]:
        """What the names of a layer's parameters end with, for each of its directions."""
        return [f"_l{layer}", f"_l{layer}_reverse"][: 1 + self.bidirectional]

    def flatten_parameters(self) -> None:
        """Nothing: it is there for code that calls it on PyTorch's layers."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [list(self._of(suffix).values()) for layer in range(self.num_layers) for suffix in self._suffixes(layer)]

    def _of(self, suffix: str) -> dict[str, Parameter]:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
        return {name: getattr(self, name + suffix) for name in names if name + suffix in self.__dict__}

    def _run(self, input: Any, given: tuple[Tensor, ...] | None) -> tuple[Any, tuple[Tensor, ...]]:
        """The last layer's states after each step, and each state of all layers and directions after the last."""
        if isinstance(input, PackedSequence):
            return self._run_packed(input, given)
        order = "(N, L, I)" if self.batch_first else "(L, N, I)"
        batched = self._check_input(input, self.input_size, {3: order, 2: "(L, I)"})
        x = f.unsqueeze(input, 1) if not batched else f.transpose(input, 0, 1) if self.batch_first else input
        length, batch = x.shape[:2]
        if not length:
            raise ValueError(
                f"{type(self).__name__}: the input has shape {input.shape}, without any step; it must have one at least"
            )
        x, after = self._through(x, self._initial(x, batch, batched, given), self._one)
        if not batched:
            return f.squeeze(x, 1), tuple(f.squeeze(state, 1) for state in after)
        return f.transpose(x, 0, 1) if self.batch_first else x, after

    def _run_packed(self, input: PackedSequence, given: tuple[Tensor, ...] | None) -> tuple[PackedSequence, tuple[Tensor, ...]]:
        self._check_input(input.data, self.input_size, {2: "packed of (…, I)"})
        stretches, (_, sizes, to_sorted, from_sorted) = input.stretches(), input
        states = self._initial(input.data, stretches[0][1], True, given)
        if given is not None and to_sorted is not None:
            states = tuple(f.index_select(state, 1, to_sorted) for state in states)

        def one(x: Tensor, states: tuple[Tensor, ...], suffix: str) -> tuple[Tensor, tuple[Tensor, ...]]:
            return self._one_packed(x, states, suffix, stretches)

        x, after = self._through(input.data, states, one)
        if from_sorted is not None:
            after = tuple(f.index_select(state, 1, from_sorted) for state in after)
        return PackedSequence(x, sizes, to_sorted, from_sorted), after

    def _through(self, x: Tensor, states: tuple[Tensor, ...], one: Callable[..., Any]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """All layers and directions, each a call of ``one``."""
        after: list[tuple[Tensor, ...]] = []
        with x.backend.suppress_warnings():  # a gate's exponential may overflow, and then the gate is 0
            for layer in range(self.num_layers):
                if layer:
                    x = functional.dropout(x, self.dropout, self.training)
                found = []
                for suffix in self._suffixes(layer):
                    out, last = one(x, tuple(state if state.ndim == 2 else state[len(after)] for state in states), suffix)
                    found.append(out)
                    after.append(last)
                x = found[0] if len(found) == 1 else f.concat(found, -1)
        return x, tuple(state[0] if len(state) == 1 else f.concat(state) for state in zip(*after, strict=True))

    def _one(self, x: Tensor, states: tuple[Tensor, ...], suffix: str) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One layer in one direction."""
        of = self._of(suffix)
        weights = [of[name] for name in ("weight_ih", "weight_hh", "weight_hr") if name in of]
        bias = [of["bias_ih"], of["bias_hh"]] if self.bias else [_no_bias(of["weight_ih"])] * 2
        return type(self)._walk(x, states, weights, bias, self._relu, suffix.endswith("_reverse"))

    def _one_packed(
        self, x: Tensor, states: tuple[Tensor, ...], suffix: str, stretches: list[tuple[int, int]]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The same of packed data: a call for each stretch of steps that as many sequences have.

        Forward, sequences end from one stretch to the next, and their states are the last; backward, others begin.
        """
        backward = suffix.endswith("_reverse")
        parts, ended = list(cut(x, stretches)), []
        outs: list[Tensor] = []
        current = states
        for part in parts[::-1] if backward else parts:
            n, before = part.shape[1], outs[-1].shape[1] if outs else part.shape[1]
            if not backward:
                ended.append(tuple(state[n:] for state in current))
                current = tuple(state[:n] for state in current)
            elif not outs:
                current = tuple(state[:n] for state in states)
            else:
                current = tuple(f.concat([state, first[before:n]]) for state, first in zip(current, states, strict=True))
            out, after = self._one(part, current, suffix)
            outs.append(out)
            current = tuple(f.squeeze(state, 0) for state in after)
        last = (f.unsqueeze(f.concat(each), 0) for each in zip(current, *ended[::-1], strict=True))
        rows = (f.reshape(out, out.shape[0] * out.shape[1], out.shape[2]) for out in (outs[::-1] if backward else outs))
        return f.concat(list(rows)), tuple(last)

    def _initial(self, x: Tensor, batch: int, batched: bool, given: tuple[Tensor, ...] | None) -> tuple[Tensor, ...]:
        """The states before the first step, each (layers and directions, N, columns), checked; or zeros (N, columns) for all."""
        count = self.num_layers * (1 + self.bidirectional)
        columns = (self.proj_size or self.hidden_size, self.hidden_size)[: self._states]
        if given is None:
            none = {n: zeros(batch, n, dtype=self.weight_ih_l0.dtype, device=x.backend) for n in set(columns)}
            return tuple(none[n] for n in columns)
        for what, state, n in zip(("h_0", "c_0"), given, columns, strict=False):
            self._check_state(what, state, (count, batch, n) if batched else (count, n))
        return given if batched else tuple(f.unsqueeze(state, 1) for state in given)

    def extra_repr(self) -> str:
        told = [f"{self.input_size}, {self.hidden_size}"]
        told += [f"proj_size={self.proj_size}"] if self.proj_size else []
        told += [f"num_layers={self.num_layers}"] if self.num_layers != 1 else []
        told += [f"bias={self.bias}"] if not self.bias else []
        told += [f"batch_first={self.batch_first}"] if self.batch_first else []
        told += [f"dropout={self.dropout}"] if self.dropout else []
        told += [f"bidirectional={self.bidirectional}"] if self.bidirectional else []
        return ", ".join(told)


def _no_bias(weight: Tensor) -> Tensor:
    return zeros(weight.shape[0], dtype=weight.dtype, device=weight.backend)


class RNN(_Recurrent):
    """h = tanh(weight_ih x + bias_ih + weight_hh h + bias_hh), step after step. Elman, "Finding Structure in Time" (1990).

    Args:
        input_size: the input's number of columns I.
        hidden_size: the state's number of columns H.
        num_layers: how many layers, each after the first on the states of the one before.
        nonlinearity: "tanh" or "relu".
        bias: whether there are ``bias_ih`` and ``bias_hh``.
        batch_first: the input and the output are (N, L, …), not (L, N, …). The states are not concerned.
        dropout: the probability with which an element is dropped between two layers in training.
        bidirectional: each layer also walks from the last step to the first, with weights of its own, ending in ``_reverse``; what
            comes of both is side by side.

    Called with (L, N, I), or (L, I) without a batch, and the states (layers and directions, N, H) before the first step, 0 where
    not given, it returns the last layer's states (L, N, H), or 2 H columns of both directions, and all layers' after the last step.
    A packed sequence (:mod:`adjoint.nn.utils.rnn`) gives a packed one.
    Parameters start evenly within ±1/sqrt(H), as in PyTorch. Raises ``ValueError`` where a shape or an argument does not fit.

    >>> RNN(4, 8, 2, batch_first=True)
    RNN(4, 8, num_layers=2, batch_first=True)
    """

    _walk = staticmethod(_walk_rnn)

    @reads_numbers
    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device=device, dtype=dtype)
        self.nonlinearity = _nonlinearity("RNN", nonlinearity)
        self._relu = nonlinearity == "relu"

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        out, (h,) = self._run(input, None if hx is None else (hx,))
        return out, h


def _nonlinearity(name: str, given: str) -> str:
    if given not in ("tanh", "relu"):
        raise ValueError(f"{name}: nonlinearity is 'tanh' or 'relu', not {given!r}")
    return given


class GRU(_Recurrent):
    """Gated recurrent units: h = (1 - z) n + z h, step after step, with r, z and n in the weights' rows one below the other,

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr), z = sigmoid(W_iz x + b_iz + W_hz h + b_hz),
    n = tanh(W_in x + b_in + r (W_hn h + b_hn)). Cho et al. (2014), with r where PyTorch has it.

    Arguments, but for ``nonlinearity``, shapes and initial values are those of :class:`RNN`.

    >>> GRU(4, 8, bidirectional=True)
    GRU(4, 8, bidirectional=True)
    """

    _blocks = 3
    _walk = staticmethod(_walk_gru)

    @reads_numbers
    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device=device, dtype=dtype)

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        out, (h,) = self._run(input, None if hx is None else (hx,))
        return out, h


class LSTM(_Recurrent):
    """Long short-term memory: c = f c + i g and h = o tanh(c), step after step, with i, f, g and o in the weights' rows,

    sigmoids (g: the hyperbolic tangent) of W_i x + b_i + W_h h + b_h. Hochreiter and Schmidhuber (1997), Gers et al. (2000).

    Arguments, but for ``nonlinearity``, shapes and initial values are those of :class:`RNN`. With ``proj_size`` P above 0 the
    states h are weight_hr (o tanh(c)), of P columns; Sak et al. (2014). The states before and after are a pair (h, c).

    >>> LSTM(4, 8, proj_size=3)
    LSTM(4, 8, proj_size=3)
    """

    _blocks, _states = 4, 2
    _walk = staticmethod(_walk_lstm)

    def forward(self, input: Any, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Any, tuple[Tensor, Tensor]]:
        out, (h, c) = self._run(input, _pair("LSTM", hx))
        return out, (h, c)


def _pair(name: str, hx: Any) -> Any:
    if hx is not None and (not isinstance(hx, (tuple, list)) or len(hx) != 2):
        raise TypeError(f"{name}: the states are a pair (h_0, c_0), not {type(hx).__name__}")
    return hx


class _Cell(_Weights):
    """One step of one layer."""

    _blocks = 1
    _states = 1
    _walk: Callable[..., tuple[Tensor, tuple[Tensor, ...]]]
    _relu = False

    @reads_numbers
    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = self._blocks * hidden_size
        self.weight_ih = Parameter(empty(rows, input_size, device=device, dtype=dtype))
        self.weight_hh = Parameter(empty(rows, hidden_size, device=device, dtype=dtype))
        self.bias_ih = Parameter(empty(rows, device=device, dtype=dtype)) if bias else None
        self.bias_hh = Parameter(empty(rows, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def _step(self, input: Tensor, given: tuple[Tensor, ...] | None) -> tuple[Tensor, ...]:
        batched = self._check_input(input, self.input_size, {2: "(N, I)", 1: "(I,)"})
        x = input if batched else f.unsqueeze(input, 0)
        shape = (x.shape[0], self.hidden_size)
        if given is None:
            states = (zeros(shape, dtype=self.weight_ih.dtype, device=x.backend),) * self._states
        else:
            for what, state in zip(("the state h", "the cell c"), given, strict=False):
                self._check_state(what, state, shape if batched else shape[1:])
            states = given if batched else tuple(f.unsqueeze(state, 0) for state in given)
        bias = [_no_bias(self.weight_ih)] * 2 if self.bias_ih is None else [self.bias_ih, self.bias_hh]
        with input.backend.suppress_warnings():
            _, after = type(self)._walk(f.unsqueeze(x, 0), states, [self.weight_ih, self.weight_hh], bias, self._relu, False)
        after = tuple(f.squeeze(state, 0) for state in after)
        return after if batched else tuple(f.squeeze(state, 0) for state in after)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}{'' if self.bias else f', bias={self.bias}'}"


class RNNCell(_Cell):
    """One step of :class:`RNN`: (N, I) and (N, H), or (I,) and (H,), to the state after it; the state is 0 where not given.

    >>> RNNCell(4, 8, nonlinearity="relu")
    RNNCell(4, 8, nonlinearity=relu)
    """

    _walk = staticmethod(_walk_rnn)

    @reads_numbers
    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = _nonlinearity("RNNCell", nonlinearity)
        self._relu = nonlinearity == "relu"

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        (h,) = self._step(input, None if hx is None else (hx,))
        return h

    def extra_repr(self) -> str:
        return super().extra_repr() + (f", nonlinearity={self.nonlinearity}" if self._relu else "")


class GRUCell(_Cell):
    """One step of :class:`GRU`: (N, I) and (N, H), or (I,) and (H,), to the state after it; the state is 0 where not given.

    >>> GRUCell(4, 8)
    GRUCell(4, 8)
    """

    _blocks = 3
    _walk = staticmethod(_walk_gru)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        (h,) = self._step(input, None if hx is None else (hx,))
        return h


class LSTMCell(_Cell):
    """One step of :class:`LSTM`: (N, I) and a pair (h, c) of (N, H), or (I,) and (H,), to the pair after it; 0 where not given.

    >>> LSTMCell(4, 8)
    LSTMCell(4, 8)
    """

    _blocks, _states = 4, 2
    _walk = staticmethod(_walk_lstm)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        h, c = self._step(input, _pair("LSTMCell", hx))
        return h, c
