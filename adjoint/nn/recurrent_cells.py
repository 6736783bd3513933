"""Recurrent cells, single steps of the layers in ``recurrent``: ``RNNCell``, ``LSTMCell`` and ``GRUCell``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd import Tensor, functions as f
from ..autograd.arguments import reads_numbers
from ..autograd.creation import empty, zeros
from .parameter import Parameter
from .recurrent import RecurrentBase, check_nonlinearity, check_pair, no_bias, scan_gru, scan_lstm, scan_rnn

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]


class _Cell(RecurrentBase):
    """One step of one layer in one direction."""

    _blocks = 1
    _states = 1
    _scan: Callable[..., tuple[Tensor, tuple[Tensor, ...]]]
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

    def _step(self, input: Tensor, states: tuple[Tensor, ...] | None) -> tuple[Tensor, ...]:
        batched = self._check_input(input, self.input_size, {2: "(N, I)", 1: "(I,)"})
        x = input if batched else f.unsqueeze(input, 0)
        shape = (x.shape[0], self.hidden_size)
        if states is None:
            states = (zeros(shape, dtype=self.weight_ih.dtype, device=x.backend),) * self._states
        else:
            for what, state in zip(("the state h", "the cell c"), states, strict=False):
                self._check_state(what, state, shape if batched else shape[1:])
            states = states if batched else tuple(f.unsqueeze(state, 0) for state in states)
        bias = [no_bias(self.weight_ih)] * 2 if self.bias_ih is None else [self.bias_ih, self.bias_hh]
        with input.backend.suppress_warnings():
            _, after = type(self)._scan(f.unsqueeze(x, 0), states, [self.weight_ih, self.weight_hh], bias, self._relu, False)
        after = tuple(f.squeeze(state, 0) for state in after)
        return after if batched else tuple(f.squeeze(state, 0) for state in after)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}{'' if self.bias else f', bias={self.bias}'}"


class RNNCell(_Cell):
    """One step of :class:`~adjoint.nn.RNN`: x (N, I) and h (N, H), or (I,) and (H,), to h'; h is 0 if None.

    Args:
        input_size: the number of input features I.
        hidden_size: the number of features of the state H.
        bias: whether there are ``bias_ih`` and ``bias_hh``.
        nonlinearity: ``"tanh"`` or ``"relu"``.

    Attributes:
        weight_ih, weight_hh: (H, I) and (H, H), initially uniform within ±1/sqrt(H).
        bias_ih, bias_hh: (H,), likewise; or None.

    >>> RNNCell(4, 8, nonlinearity="relu")
    RNNCell(4, 8, nonlinearity=relu)
    """

    _scan = staticmethod(scan_rnn)

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
        self.nonlinearity = check_nonlinearity("RNNCell", nonlinearity)
        self._relu = nonlinearity == "relu"

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        (h,) = self._step(input, None if hx is None else (hx,))
        return h

    def extra_repr(self) -> str:
        return super().extra_repr() + (f", nonlinearity={self.nonlinearity}" if self._relu else "")


class GRUCell(_Cell):
    """One step of :class:`~adjoint.nn.GRU`: x (N, I) and h (N, H), or (I,) and (H,), to h'; h is 0 if None.

    Arguments and attributes (of 3 H rows) are :class:`RNNCell`'s.

    >>> GRUCell(4, 8)
    GRUCell(4, 8)
    """

    _blocks = 3
    _scan = staticmethod(scan_gru)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        (h,) = self._step(input, None if hx is None else (hx,))
        return h


class LSTMCell(_Cell):
    """One step of :class:`~adjoint.nn.LSTM`: x (N, I) and a pair (h, c) of (N, H), or (I,) and (H,), to (h', c'); 0 if None.

    Arguments and attributes (of 4 H rows) are :class:`RNNCell`'s.

    >>> LSTMCell(4, 8)
    LSTMCell(4, 8)
    """

    _blocks, _states = 4, 2
    _scan = staticmethod(scan_lstm)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        h, c = self._step(input, check_pair("LSTMCell", hx))
        return h, c
