"""Recurrent layers as primitives: one layer over all steps, in one direction, and backpropagation through time.

Inside, a sample is a column: states are (H, B), and the gates of a step lie below each other in (4 H, B), so that each gate, and
each group of them, is contiguous in memory, and a step is one product with the weight. Backward, a step is one product too;
the gradients of the weights are products over the columns of many steps.

A gate is 1 / (1 + exp(-a)), with the minus sign in the weight: an exponential, an addition and a division. Where the exponential
overflows the gate is 0, as it should be.
"""

from __future__ import annotations

from typing import Any

from ...backends import Array
from ..primitive import primitive

# --- what they share ---------------------------------------------------------------------------------------------------------


def _steps(length: int, reverse: bool) -> range:
    """The steps in the order in which they are taken."""
    return range(length - 1, -1, -1) if reverse else range(length)


def _rows(xp: Any, x: Any, k: int, n: int, count: int = 1) -> Any:
    """Of blocks of ``n`` rows that many from the ``k``-th on."""
    return xp.getitem(x, slice(k * n, (k + count) * n))


def _with_ones(xp: Any, x: Any, h: Any) -> Any:
    """Columns with a one below, which the bias is for: (T, B, I) to (T, I + 1, B)."""
    one = xp.ones_like(xp.matrix_transpose(xp.getitem(h, (slice(None), slice(0, 1)))))
    return xp.concat([xp.matrix_transpose(x), xp.broadcast_to(one, (x.shape[0], *one.shape))], axis=1)


def _side_by_side(xp: Any, weight: Any, bias: Any, *weights: Any) -> Any:
    """What (x, 1, h) is multiplied with, as one matrix."""
    return xp.concat([weight, xp.expand_dims(bias, axis=1), *weights], axis=1)


def _taken_apart(xp: Any, matrix: Any, inputs: int) -> tuple[Any, Any, Any]:
    """The parts that :func:`_side_by_side` joined: the first ``inputs`` columns, the one of the bias, and the others."""
    every = slice(None)
    return (
        xp.getitem(matrix, (every, slice(0, inputs))),
        xp.getitem(matrix, (every, inputs)),
        xp.getitem(matrix, (every, slice(inputs + 1, None))),
    )


class _Slopes:
    """Accumulates what the cotangents of all steps' sums contribute: :attr:`by_matrix`, the sum of their products with the columns
    that the matrix multiplied, and their products with weight_ih, which are the cotangent of x.

    Some steps at a time: the columns of these are joined while they are in the cache still.
    """

    MANY = 256  #: columns are enough for a product to be quick

    def __init__(self, xp: Any, reverse: bool, weight_ih: Any = None) -> None:
        self.xp, self.reverse, self.weight_ih = xp, reverse, weight_ih
        self.by_matrix: Any = None
        self._slopes: list[Any] = []
        self._columns: list[Any] = []
        self._by_column: list[Any] = []

    def take(self, slopes: Any, columns: Any, last: bool) -> None:
        """A step's slopes (G, B) and columns (K, B), a step later, or where ``reverse`` earlier, than the one before."""
        self._slopes.append(slopes)
        self._columns.append(columns)
        if last or len(self._slopes) * slopes.shape[1] >= self.MANY:
            xp, joined = self.xp, self._in_order(self._slopes)
            product = xp.matmul(joined, xp.matrix_transpose(self._in_order(self._columns)))
            self.by_matrix = product if self.by_matrix is None else self.by_matrix + product
            if self.weight_ih is not None:
                self._by_column.append(xp.matmul(xp.matrix_transpose(self.weight_ih), joined))
            self._slopes, self._columns = [], []

    def by_x(self, shape: tuple[int, ...]) -> Any:
        """The cotangent of x, of that shape, (T, B, I); None where there is no ``weight_ih``."""
        if self.weight_ih is None:
            return None
        length, batch, inputs = shape
        return self.xp.permute_dims(self.xp.reshape(self._in_order(self._by_column), (inputs, length, batch)), (1, 2, 0))

    def _in_order(self, parts: list[Any]) -> Any:
        return self.xp.concat(parts if self.reverse else parts[::-1], axis=1)


def _gate(xp: Any, negative: Any) -> Any:
    """The sigmoid of what ``negative`` is the negative of."""
    return 1.0 / (1.0 + xp.exp(negative))


# --- without gates -----------------------------------------------------------------------------------------------------------


@primitive(keeps=True)
def rnn(xp: Any, x: Array, h: Array, weight_ih: Array, weight_hh: Array, bias: Array, *, relu: bool, reverse: bool) -> Any:
    """h = tanh(weight_ih x + bias + weight_hh h), or the larger of that sum and 0, step after step: the states after each.

    (T, B, I), (B, H), (H, I), (H, H) and (H,) to (T, H, B). Elman, "Finding Structure in Time" (1990).
    """
    columns, matrix = _with_ones(xp, x, h), _side_by_side(xp, weight_ih, bias, weight_hh)
    saved: list[Any] = [None] * x.shape[0]
    h = xp.matrix_transpose(h)
    for t in _steps(x.shape[0], reverse):
        column = xp.concat([xp.getitem(columns, t), h], axis=0)
        a = xp.matmul(matrix, column)
        h = xp.maximum(a, 0) if relu else xp.tanh(a)
        saved[t] = column, h
    return xp.stack([h for _, h in saved]), tuple(saved)


def _rnn_back(
    xp: Any, g: Any, x: Any, weight_ih: Any, weight_hh: Any, kept: Any, relu: bool, reverse: bool, wanted: tuple[str, ...]
) -> tuple[Any, ...]:
    """Backpropagation through time: the cotangent of a step's sum from that of its state, then that of the previous state, by
    weight_hh^T. Many steps at a time share one product for both weights and the bias.
    """
    back, slopes = xp.matrix_transpose(weight_hh), _Slopes(xp, reverse, weight_ih if "x" in wanted else None)
    order = _steps(len(kept), not reverse)
    a: Any = None
    for t in order:
        column, out = kept[t]
        by_h = xp.getitem(g, t)
        if a is not None:
            by_h = by_h + xp.matmul(back, a)
        a = xp.where(out <= 0, 0.0, by_h) if relu else by_h * (1.0 - out * out)
        slopes.take(a, column, t == order[-1])
    by_ih, by_bias, by_hh = _taken_apart(xp, slopes.by_matrix, x.shape[2])
    return slopes.by_x(x.shape), xp.matrix_transpose(xp.matmul(back, a)) if "h" in wanted else None, by_ih, by_hh, by_bias


rnn.vjp(_rnn_back)

# --- long short-term memory --------------------------------------------------------------------------------------------------


@primitive(keeps=True)
def lstm(
    xp: Any, x: Array, h: Array, c: Array, weight_ih: Array, weight_hh: Array, bias: Array, *, reverse: bool
) -> tuple[Any, Any]:
    """Long short-term memory, step after step: the states h after each, and below them the last cell c.

    c = f c + i g and h = o tanh(c), where i, f and o are the sigmoids and g the hyperbolic tangent of the four blocks i, f, g, o of
    weight_ih x + bias + weight_hh h: (T, B, I), (B, H), (B, H), (4 H, I), (4 H, H) and (4 H,) to (T H + H, B).
    Hochreiter and Schmidhuber, "Long Short-Term Memory" (1997); Gers et al., "Learning to Forget" (2000).
    """
    return _lstm(xp, x, h, c, weight_ih, weight_hh, bias, None, reverse)


@primitive(keeps=True)
def projected_lstm(
    xp: Any, x: Array, h: Array, c: Array, weight_ih: Array, weight_hh: Array, bias: Array, weight_hr: Array, *, reverse: bool
) -> tuple[Any, Any]:
    """:func:`lstm` where h = weight_hr (o tanh(c)), with P rows: (B, P), (4 H, P), (P, H), … to (T P + H, B).

    Sak et al., "Long Short-Term Memory Recurrent Neural Network Architectures for Large Scale Acoustic Modeling" (2014).
    """
    return _lstm(xp, x, h, c, weight_ih, weight_hh, bias, weight_hr, reverse)


def _lstm(
    xp: Any, x: Any, h: Any, c: Any, weight_ih: Any, weight_hh: Any, bias: Any, weight_hr: Any, reverse: bool
) -> tuple[Any, Any]:
    n = c.shape[1]
    matrix = _side_by_side(xp, weight_ih, bias, weight_hh)
    matrix = xp.concat([-_rows(xp, matrix, 0, n, 2), -_rows(xp, matrix, 3, n), _rows(xp, matrix, 2, n)], axis=0)
    columns, length = _with_ones(xp, x, h), x.shape[0]
    states: list[Any] = [None] * length
    saved: list[Any] = [None] * length
    h, c = xp.matrix_transpose(h), xp.matrix_transpose(c)
    for t in _steps(length, reverse):
        column = xp.concat([xp.getitem(columns, t), h], axis=0)
        a = xp.matmul(matrix, column)
        gates, new = _gate(xp, _rows(xp, a, 0, n, 3)), xp.tanh(_rows(xp, a, 3, n))
        before, c = c, _rows(xp, gates, 1, n) * c + _rows(xp, gates, 0, n) * new
        bent = xp.tanh(c)
        shown = _rows(xp, gates, 2, n) * bent
        states[t] = h = shown if weight_hr is None else xp.matmul(weight_hr, shown)
        saved[t] = column, gates, new, before, bent, shown
    return xp.concat([*states, c], axis=0), tuple(saved)


def _lstm_back(
    xp: Any, g: Any, x: Any, weight_ih: Any, weight_hh: Any, kept: Any, reverse: bool, wanted: tuple[str, ...]
) -> tuple[Any, ...]:
    """Backpropagation through time: the cotangents of a step's four blocks from those of h and c, then that of the previous h, by
    weight_hh^T. Many steps at a time share one product for both weights and the bias.
    """
    return _projected_lstm_back(xp, g, x, weight_ih, weight_hh, None, kept, reverse, wanted)[:-1]


def _projected_lstm_back(
    xp: Any, g: Any, x: Any, weight_ih: Any, weight_hh: Any, weight_hr: Any, kept: Any, reverse: bool, wanted: tuple[str, ...]
) -> tuple[Any, ...]:
    """As for :func:`lstm`, with the cotangent of o tanh(c) from that of h by weight_hr^T."""
    length, p, n = len(kept), weight_hh.shape[1], weight_hh.shape[0] // 4
    back, slopes = xp.matrix_transpose(weight_hh), _Slopes(xp, reverse, weight_ih if "x" in wanted else None)
    projected, order = _Slopes(xp, reverse), _steps(length, not reverse)
    by_c, a = xp.getitem(g, slice(length * p, None)), None
    for t in order:
        column, gates, new, before, bent, shown = kept[t]
        by_h = _rows(xp, g, t, p)
        if a is not None:
            by_h = by_h + xp.matmul(back, a)
        if weight_hr is not None:
            projected.take(by_h, shown, t == order[-1])
            by_h = xp.matmul(xp.matrix_transpose(weight_hr), by_h)
        slope, by_gate = gates * (1.0 - gates), by_h * bent
        by_c = by_c + by_h * _rows(xp, gates, 2, n) - by_gate * shown  # o (1 - bent^2) = o - bent shown
        by_block = (
            by_c * new * _rows(xp, slope, 0, n),
            by_c * before * _rows(xp, slope, 1, n),
            by_c * _rows(xp, gates, 0, n) * (1.0 - new * new),
            by_gate * _rows(xp, slope, 2, n),
        )
        a = xp.concat(by_block, axis=0)
        slopes.take(a, column, t == order[-1])
        by_c = by_c * _rows(xp, gates, 1, n)
    by_ih, by_bias, by_hh = _taken_apart(xp, slopes.by_matrix, x.shape[2])
    by_h = xp.matrix_transpose(xp.matmul(back, a)) if "h" in wanted else None
    return slopes.by_x(x.shape), by_h, xp.matrix_transpose(by_c), by_ih, by_hh, by_bias, projected.by_matrix


lstm.vjp(_lstm_back)
projected_lstm.vjp(_projected_lstm_back)

# --- gated recurrent unit ----------------------------------------------------------------------------------------------------


@primitive(keeps=True)
def gru(
    xp: Any, x: Array, h: Array, weight_ih: Array, weight_hh: Array, bias_ih: Array, bias_hh: Array, *, reverse: bool
) -> tuple[Any, Any]:
    """Gated recurrent units, step after step: the states after each.

    h = (1 - z) n + z h and n = tanh(a_n + r b_n), where r and z are the sigmoids of a_r + b_r and a_z + b_z, the blocks r, z, n of
    a = weight_ih x + bias_ih and b = weight_hh h + bias_hh: (T, B, I), (B, H), (3 H, I), (3 H, H), (3 H,) and (3 H,) to (T, H, B).
    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder" (2014).
    """
    n = h.shape[1]
    columns, length = _with_ones(xp, x, h), x.shape[0]
    saved: list[Any] = [None] * length
    matrix = _side_by_side(xp, weight_ih, bias_ih)
    sums = xp.matmul(xp.concat([-_rows(xp, matrix, 0, n, 2), _rows(xp, matrix, 2, n)], axis=0), columns)
    matrix = _side_by_side(xp, weight_hh, bias_hh)
    matrix = xp.concat([-_rows(xp, matrix, 0, n, 2), _rows(xp, matrix, 2, n)], axis=0)
    h, one = xp.matrix_transpose(h), xp.getitem(columns, (slice(0, 1), -1))
    for t in _steps(length, reverse):
        column = xp.concat([h, one], axis=0)
        a, b = xp.getitem(sums, t), xp.matmul(matrix, column)
        gates = _gate(xp, _rows(xp, a, 0, n, 2) + _rows(xp, b, 0, n, 2))
        inner = _rows(xp, b, 2, n)
        new = xp.tanh(_rows(xp, a, 2, n) + _rows(xp, gates, 0, n) * inner)
        change = h - new
        h = new + _rows(xp, gates, 1, n) * change
        saved[t] = column, gates, inner, new, change, h
    return xp.stack([step[5] for step in saved]), (columns, *saved)


def _gru_back(
    xp: Any, g: Any, x: Any, weight_ih: Any, weight_hh: Any, kept: Any, reverse: bool, wanted: tuple[str, ...]
) -> tuple[Any, ...]:
    """Backpropagation through time: the cotangents of a step's blocks from that of its state, equal for a and b except n; then that
    of the previous state, by weight_hh^T and by z. Many steps at a time share one product for each weight and its bias.
    """
    (columns, *steps), n = kept, weight_hh.shape[1]
    back, order = xp.matrix_transpose(weight_hh), _steps(len(steps), not reverse)
    of_a, of_b = _Slopes(xp, reverse, weight_ih if "x" in wanted else None), _Slopes(xp, reverse)
    by_h: Any = None
    for t in order:
        column, gates, inner, new, change, _ = steps[t]
        r, z = _rows(xp, gates, 0, n), _rows(xp, gates, 1, n)
        by_h = xp.getitem(g, t) if by_h is None else xp.getitem(g, t) + by_h
        slope, straight = gates * (1.0 - gates), by_h * z
        by_new = (by_h - straight) * (1.0 - new * new)
        by_r, by_z = by_new * inner * _rows(xp, slope, 0, n), by_h * change * _rows(xp, slope, 1, n)
        of_a.take(xp.concat([by_r, by_z, by_new], axis=0), xp.getitem(columns, t), t == order[-1])
        b = xp.concat([by_r, by_z, by_new * r], axis=0)
        of_b.take(b, column, t == order[-1])
        by_h = straight + xp.matmul(back, b)
    by_ih, by_bias_ih, _ = _taken_apart(xp, of_a.by_matrix, x.shape[2])
    by_hh, by_bias_hh, _ = _taken_apart(xp, of_b.by_matrix, n)
    return of_a.by_x(x.shape), xp.matrix_transpose(by_h), by_ih, by_hh, by_bias_ih, by_bias_hh


gru.vjp(_gru_back)
