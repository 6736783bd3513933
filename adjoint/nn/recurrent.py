"""Recurrent layers over sequences, ``RNN``, ``LSTM`` and ``GRU``; single steps are in ``recurrent_cells``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..autograd import Tensor, functions as f
from ..autograd.arguments import reads_numbers
from ..autograd.creation import empty, zeros
from ..autograd.rules import recurrent
from . import functional, init
from .module import Module
from .parameter import Parameter
from .utils.rnn import PackedSequence, cut

__all__ = ["GRU", "LSTM", "RNN"]


class RecurrentBase(Module):
    """Initial values, uniform within ±1/sqrt(hidden_size), and checks that layers and cells share."""

    hidden_size: int

    def reset_parameters(self) -> None:
        """Draw the initial values again."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _check_input(self, input: Any, size: int, shapes: dict[int, str]) -> bool:
        """Whether the input has a batch, as the longer of ``shapes`` has; raises if it has none of these shapes."""
        name = type(self).__name__
        if not isinstance(input, Tensor):
            raise TypeError(f"{name}: the input is a {type(input).__name__}; it takes tensors, ad.tensor(…) makes one")
        if input.ndim not in shapes or input.shape[-1] != size:
            raise ValueError(
                f"{name}: the input has shape {input.shape}; it must be {' or '.join(shapes.values())}, with I = {size}"
            )
        return input.ndim == max(shapes)

    def _check_state(self, what: str, state: Tensor, shape: tuple[int, ...]) -> None:
        if state.shape != shape:
            raise ValueError(f"{type(self).__name__}: {what} has shape {state.shape}; for this input it must be {shape}")


# One layer in one direction: from x (L, N, I) and states (N, …) to the outputs (L, N, …) and the last states (1, N, …).


def scan_rnn(
    x: Tensor, states: tuple[Tensor, ...], weights: list[Tensor], bias: list[Tensor], relu: bool, reverse: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    out = f.transpose(recurrent.rnn(x, *states, *weights, bias[0] + bias[1], relu=relu, reverse=reverse), 1, 2)
    return out, (_last(out, reverse),)


def scan_gru(
    x: Tensor, states: tuple[Tensor, ...], weights: list[Tensor], bias: list[Tensor], relu: bool, reverse: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    out = f.transpose(recurrent.gru(x, *states, *weights, *bias, reverse=reverse), 1, 2)
    return out, (_last(out, reverse),)


def scan_lstm(
    x: Tensor, states: tuple[Tensor, ...], weights: list[Tensor], bias: list[Tensor], relu: bool, reverse: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    (length, batch, _), (p, n) = x.shape, (state.shape[1] for state in states)
    if len(weights) == 2:
        result = recurrent.lstm(x, *states, *weights, bias[0] + bias[1], reverse=reverse)
        steps = f.transpose(f.reshape(result, length + 1, n, batch), 1, 2)
        out, cell = steps[:length], steps[length:]
    else:
        result = recurrent.projected_lstm(x, *states, *weights[:2], bias[0] + bias[1], weights[2], reverse=reverse)
        out = f.transpose(f.reshape(result[: length * p], length, p, batch), 1, 2)
        cell = f.transpose(f.reshape(result[length * p :], 1, n, batch), 1, 2)
    return out, (_last(out, reverse), cell)


def _last(out: Tensor, reverse: bool) -> Tensor:
    """The state after the last step, (1, N, …)."""
    return out[:1] if reverse else out[out.shape[0] - 1 :]


class _Recurrent(RecurrentBase):
    """``num_layers`` layers of one kind, in one direction or both."""

    _blocks = 1  #: the number of gates: blocks of hidden_size rows in a weight
    _states = 1  #: the number of states passed from step to step
    _scan: Callable[..., tuple[Tensor, tuple[Tensor, ...]]]
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
                f"{name}: hidden_size={hidden_size} and num_layers={num_layers} must be at least 1, and input_size={input_size} at "
                "least 0"
            )
        if not 0 <= dropout <= 1:
            raise ValueError(f"{name}: dropout must be a probability from 0 to 1, not {dropout}")
        if dropout and num_layers == 1:
            raise ValueError(f"{name}: dropout applies between layers, and num_layers is 1; apply nn.Dropout to the output instead")
        if not 0 <= proj_size < hidden_size:
            raise ValueError(f"{name}: proj_size must be below hidden_size={hidden_size}, and 0 for none, not {proj_size}")
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
        """The suffixes of a layer's parameters, one for each direction."""
        return [f"_l{layer}", f"_l{layer}_reverse"][: 1 + self.bidirectional]

    def flatten_parameters(self) -> None:
        """Does nothing; for code that calls it on PyTorch's layers."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [list(self._of(suffix).values()) for layer in range(self.num_layers) for suffix in self._suffixes(layer)]

    def _of(self, suffix: str) -> dict[str, Parameter]:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
        return {name: getattr(self, name + suffix) for name in names if name + suffix in self.__dict__}

    def _run(self, input: Any, initial: tuple[Tensor, ...] | None) -> tuple[Any, tuple[Tensor, ...]]:
        """The last layer's output at each step, and each state of all layers and directions after the last step."""
        if isinstance(input, PackedSequence):
            return self._run_packed(input, initial)
        order = "(N, L, I)" if self.batch_first else "(L, N, I)"
        batched = self._check_input(input, self.input_size, {3: order, 2: "(L, I)"})
        x = f.unsqueeze(input, 1) if not batched else f.transpose(input, 0, 1) if self.batch_first else input
        length, batch = x.shape[:2]
        if not length:
            raise ValueError(f"{type(self).__name__}: the input has shape {input.shape}; it must have at least one step")
        x, after = self._through(x, self._initial(x, batch, batched, initial), self._one)
        if not batched:
            return f.squeeze(x, 1), tuple(f.squeeze(state, 1) for state in after)
        return f.transpose(x, 0, 1) if self.batch_first else x, after

    def _run_packed(self, input: PackedSequence, initial: tuple[Tensor, ...] | None) -> tuple[PackedSequence, tuple[Tensor, ...]]:
        self._check_input(input.data, self.input_size, {2: "packed of (…, I)"})
        stretches, (_, sizes, to_sorted, from_sorted) = input.stretches(), input
        states = self._initial(input.data, stretches[0][1], True, initial)
        if initial is not None and to_sorted is not None:
            states = tuple(f.index_select(state, 1, to_sorted) for state in states)

        def one(x: Tensor, states: tuple[Tensor, ...], suffix: str) -> tuple[Tensor, tuple[Tensor, ...]]:
            return self._one_packed(x, states, suffix, stretches)

        x, after = self._through(input.data, states, one)
        if from_sorted is not None:
            after = tuple(f.index_select(state, 1, from_sorted) for state in after)
        return PackedSequence(x, sizes, to_sorted, from_sorted), after

    def _through(self, x: Tensor, states: tuple[Tensor, ...], one: Callable[..., Any]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Apply all layers and directions, each by a call of ``one``."""
        after: list[tuple[Tensor, ...]] = []
        with x.backend.suppress_warnings():  # a gate's exponential may overflow, and then the gate is 0
            for layer in range(self.num_layers):
                if layer:
                    x = functional.dropout(x, self.dropout, self.training)
                outs = []
                for suffix in self._suffixes(layer):
                    out, last = one(x, tuple(state if state.ndim == 2 else state[len(after)] for state in states), suffix)
                    outs.append(out)
                    after.append(last)
                x = outs[0] if len(outs) == 1 else f.concat(outs, -1)
        return x, tuple(state[0] if len(state) == 1 else f.concat(state) for state in zip(*after, strict=True))

    def _one(self, x: Tensor, states: tuple[Tensor, ...], suffix: str) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One layer in one direction."""
        of = self._of(suffix)
        weights = [of[name] for name in ("weight_ih", "weight_hh", "weight_hr") if name in of]
        bias = [of["bias_ih"], of["bias_hh"]] if self.bias else [no_bias(of["weight_ih"])] * 2
        return type(self)._scan(x, states, weights, bias, self._relu, suffix.endswith("_reverse"))

    def _one_packed(
        self, x: Tensor, states: tuple[Tensor, ...], suffix: str, stretches: list[tuple[int, int]]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One layer in one direction on packed data: one call for each run of steps with equally many sequences.

        Forward, sequences end from one run to the next, and those states are their last; backward, sequences start.
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

    def _initial(self, x: Tensor, batch: int, batched: bool, states: tuple[Tensor, ...] | None) -> tuple[Tensor, ...]:
        """The initial states (layers and directions, N, columns), validated; or zeros (N, columns) for all layers."""
        count = self.num_layers * (1 + self.bidirectional)
        columns = (self.proj_size or self.hidden_size, self.hidden_size)[: self._states]
        if states is None:
            by_size = {n: zeros(batch, n, dtype=self.weight_ih_l0.dtype, device=x.backend) for n in set(columns)}
            return tuple(by_size[n] for n in columns)
        for what, state, n in zip(("h_0", "c_0"), states, columns, strict=False):
            self._check_state(what, state, (count, batch, n) if batched else (count, n))
        return states if batched else tuple(f.unsqueeze(state, 1) for state in states)

    def extra_repr(self) -> str:
        parts = [f"{self.input_size}, {self.hidden_size}"]
        parts += [f"proj_size={self.proj_size}"] if self.proj_size else []
        parts += [f"num_layers={self.num_layers}"] if self.num_layers != 1 else []
        parts += [f"bias={self.bias}"] if not self.bias else []
        parts += [f"batch_first={self.batch_first}"] if self.batch_first else []
        parts += [f"dropout={self.dropout}"] if self.dropout else []
        parts += [f"bidirectional={self.bidirectional}"] if self.bidirectional else []
        return ", ".join(parts)


def no_bias(weight: Tensor) -> Tensor:
    """Zeros in the place of a bias."""
    return zeros(weight.shape[0], dtype=weight.dtype, device=weight.backend)


class RNN(_Recurrent):
    """h' = tanh(weight_ih x + bias_ih + weight_hh h + bias_hh) at each step. Elman, "Finding Structure in Time" (1990).

    Args:
        input_size: the number of input features I.
        hidden_size: the number of features of the state H.
        num_layers: the number of layers; each after the first takes the states of the one before.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        bias: whether there are ``bias_ih`` and ``bias_hh``.
        batch_first: whether input and output are (N, L, …) instead of (L, N, …); the states are not affected.
        dropout: the probability of dropping an element between two layers in training.
        bidirectional: whether each layer also runs backward over the steps, with weights of its own, ending in ``_reverse``.

    Called with an input (L, N, I) or (L, I) and initial states (layers times directions, N, H), 0 if None, it returns the
    last layer's states (L, N, directions times H), and all layers' states after the last step. A packed sequence
    (:mod:`adjoint.nn.utils.rnn`) gives a packed one. Parameters start uniform within ±1/sqrt(H), as in PyTorch.

    Raises ``ValueError`` if a shape or an argument does not match.

    >>> RNN(4, 8, 2, batch_first=True)
    RNN(4, 8, num_layers=2, batch_first=True)
    """

    _scan = staticmethod(scan_rnn)

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
        self.nonlinearity = check_nonlinearity("RNN", nonlinearity)
        self._relu = nonlinearity == "relu"

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        out, (h,) = self._run(input, None if hx is None else (hx,))
        return out, h


def check_nonlinearity(name: str, nonlinearity: str) -> str:
    """``nonlinearity``. Raises ``ValueError`` unless it is ``"tanh"`` or ``"relu"``."""
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"{name}: nonlinearity must be 'tanh' or 'relu', not {nonlinearity!r}")
    return nonlinearity


class GRU(_Recurrent):
    """Gated recurrent units. Cho et al. (2014), with the reset gate r as in PyTorch. At each step::

        r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)
        z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
        n = tanh(W_in x + b_in + r (W_hn h + b_hn))
        h' = (1 - z) n + z h

    ``weight_ih`` stacks W_ir, W_iz and W_in, (3 H, I), and likewise the others. Arguments (without ``nonlinearity``), shapes and
    initial values are those of :class:`RNN`.

    >>> GRU(4, 8, bidirectional=True)
    GRU(4, 8, bidirectional=True)
    """

    _blocks = 3
    _scan = staticmethod(scan_gru)

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
    """Long short-term memory. Hochreiter and Schmidhuber (1997), Gers et al. (2000). At each step::

        i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)
        f = sigmoid(W_if x + b_if + W_hf h + b_hf)
        g = tanh(W_ig x + b_ig + W_hg h + b_hg)
        o = sigmoid(W_io x + b_io + W_ho h + b_ho)
        c' = f c + i g
        h' = o tanh(c')

    ``weight_ih`` stacks W_ii, W_if, W_ig and W_io, (4 H, I), and likewise the others. The states are a pair (h, c). Shapes, initial
    values and errors are those of :class:`RNN`.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional: as in :class:`RNN`.
        proj_size: P; if above 0, h' = weight_hr (o tanh(c')) has P features. Sak et al. (2014).

    >>> LSTM(4, 8, proj_size=3)
    LSTM(4, 8, proj_size=3)
    """

    _blocks, _states = 4, 2
    _scan = staticmethod(scan_lstm)

    def forward(self, input: Any, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Any, tuple[Tensor, Tensor]]:
        out, (h, c) = self._run(input, check_pair("LSTM", hx))
        return out, (h, c)


def check_pair(name: str, hx: Any) -> Any:
    """``hx``. Raises ``TypeError`` unless it is a pair of states or None."""
    if hx is not None and (not isinstance(hx, (tuple, list)) or len(hx) != 2):
        raise TypeError(f"{name}: the states must be a pair (h_0, c_0), not {type(hx).__name__}")
    return hx
