"""Samples of the primitives behind recurrent layers, computed a sample and a step at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy.special import expit

from adjoint.autograd.rules import recurrent

from .drawing import BOOLS, Sample, array, sample

WEIGHTS = st.floats(-1, 1, width=32)


def sizes(draw: Any) -> tuple[int, ...]:
    """The numbers of steps, samples, inputs and hidden units."""
    return draw(st.integers(1, 3)), draw(st.integers(0, 2)), draw(st.integers(0, 2)), draw(st.integers(1, 2))


def walked(step: Any, x: Any, states: Any, reverse: bool) -> Any:
    """The first of the states after each step, a column a sample, in the steps' order; and the last of all of them."""
    order = range(len(x))[::-1] if reverse else range(len(x))
    found = {}
    for t in order:
        states = step(x[t], *states)
        found[t] = states[0].T
    return np.stack([found[t] for t in range(len(x))]), states


@sample(recurrent.rnn.name)
def _(draw: Any) -> Sample:
    t, b, i, h = sizes(draw)
    relu, reverse = draw(BOOLS), draw(BOOLS)
    x, state = array(draw, (t, b, i), WEIGHTS), array(draw, (b, h), WEIGHTS)
    w, u, bias = array(draw, (h, i), WEIGHTS), array(draw, (h, h), WEIGHTS), array(draw, (h,), WEIGHTS)
    if relu:  # every sum is positive, or the first unit's negative whatever comes: away from the kink
        x, state, w, u, bias = abs(x), abs(state), abs(w), abs(u), 0.1 + abs(bias)
        bias[0] -= 10.0 * draw(BOOLS)
        u[0], w[0] = u[0] / 10, w[0] / 10

    def step(x: Any, h: Any) -> Any:
        a = x @ w.T + bias + h @ u.T
        return (np.maximum(a, 0) if relu else np.tanh(a),)

    return Sample([x, state, w, u, bias], {"relu": relu, "reverse": reverse}, walked(step, x, (state,), reverse)[0])


def drawn_lstm(draw: Any, projected: bool) -> Sample:
    t, b, i, h = sizes(draw)
    p, reverse = draw(st.integers(1, 2)) if projected else h, draw(BOOLS)
    x, state, cell = array(draw, (t, b, i)), array(draw, (b, p), WEIGHTS), array(draw, (b, h), WEIGHTS)
    w, u, bias = array(draw, (4 * h, i), WEIGHTS), array(draw, (4 * h, p), WEIGHTS), array(draw, (4 * h,), WEIGHTS)
    onto = array(draw, (p, h), WEIGHTS) if projected else np.eye(h)

    def step(x: Any, state: Any, cell: Any) -> Any:
        i, f, g, o = np.split(x @ w.T + bias + state @ u.T, 4, axis=1)
        cell = expit(f) * cell + expit(i) * np.tanh(g)
        return (expit(o) * np.tanh(cell)) @ onto.T, cell

    states, (_, cell_after) = walked(step, x, (state, cell), reverse)
    value = np.concatenate([states.reshape(t * p, b), cell_after.T])
    return Sample([x, state, cell, w, u, bias, *([onto] if projected else [])], {"reverse": reverse}, value)


@sample(recurrent.lstm.name)
def _(draw: Any) -> Sample:
    return drawn_lstm(draw, False)


@sample(recurrent.projected_lstm.name)
def _(draw: Any) -> Sample:
    return drawn_lstm(draw, True)


@sample(recurrent.gru.name)
def _(draw: Any) -> Sample:
    t, b, i, h = sizes(draw)
    reverse = draw(BOOLS)
    x, state = array(draw, (t, b, i)), array(draw, (b, h), WEIGHTS)
    w, u = array(draw, (3 * h, i), WEIGHTS), array(draw, (3 * h, h), WEIGHTS)
    p, q = array(draw, (3 * h,), WEIGHTS), array(draw, (3 * h,), WEIGHTS)

    def step(x: Any, state: Any) -> Any:
        (a_r, a_z, a_n), (b_r, b_z, b_n) = np.split(x @ w.T + p, 3, axis=1), np.split(state @ u.T + q, 3, axis=1)
        z, new = expit(a_z + b_z), np.tanh(a_n + expit(a_r + b_r) * b_n)
        return ((1 - z) * new + z * state,)

    return Sample([x, state, w, u, p, q], {"reverse": reverse}, walked(step, x, (state,), reverse)[0])
