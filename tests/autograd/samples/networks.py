"""Samples of matrix products, activations and losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special
from hypothesis import strategies as st

from adjoint.autograd.rules import losses
from adjoint.testing.strategies import broadcastable_shapes, floats_away_from, shapes

from .drawing import ANY, BOOLS, OFF_ZERO, POSITIVE, SMALL, Sample, an_axis, array, on_backend, sample


@sample("matmul")
def _(draw: Any) -> Sample:
    n, k, m = draw(st.tuples(*[st.integers(0, 3)] * 3))
    a, b = draw(broadcastable_shapes(2, 2, 0, 2))
    x, y = array(draw, (*a, n, k)), array(draw, (*b, k, m))
    return Sample([x, y], {}, x @ y)


@sample("linear")
def _(draw: Any) -> Sample:
    lead, n, m = draw(shapes(max_dims=2, max_side=3)), draw(st.integers(0, 3)), draw(st.integers(0, 3))
    x, weight, bias = array(draw, (*lead, n)), array(draw, (m, n)), array(draw, (m,))
    return Sample([x, weight, bias], {}, x @ weight.T + bias)


@sample("softmax")
def _(draw: Any) -> Sample:
    x = array(draw, draw(shapes(min_dims=1, max_dims=3, min_side=1, max_side=3)))
    axis = an_axis(draw, x.ndim)
    return Sample([x], {"axis": axis}, scipy.special.softmax(x, axis))


@sample("log_softmax")
def _(draw: Any) -> Sample:
    x = array(draw, draw(shapes(min_dims=1, max_dims=3, min_side=1, max_side=3)))
    axis = an_axis(draw, x.ndim)
    return Sample([x], {"axis": axis}, scipy.special.log_softmax(x, axis))


@sample("attention_weights")
def _(draw: Any) -> Sample:
    a, b, c = draw(broadcastable_shapes(3, 1, 0, 2))
    queries, keys, columns = draw(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 3)))
    query, key = array(draw, (*a, queries, columns)), array(draw, (*b, keys, columns))
    mask = array(draw, (*c, draw(st.sampled_from([1, queries])), draw(st.sampled_from([1, keys]))))
    causal = draw(BOOLS)
    scores = 0.5 * query @ np.swapaxes(key, -1, -2)
    scores = scores + mask + (np.where(np.tri(queries, keys, dtype=bool), 0.0, -np.inf) if causal else 0.0)
    return Sample([query, key, mask], {"scale": 0.5, "causal": causal}, scipy.special.softmax(scores, -1))


def activation(name: str, elements: Any, reference: Any, **params: Any) -> None:
    @sample(name)
    def build(draw: Any) -> Sample:
        x = array(draw, draw(SMALL), elements)
        return Sample([x], params, reference(x))


activation("leaky_relu", OFF_ZERO, lambda x: np.where(x > 0, x, 0.1 * x), negative_slope=0.1)
activation("elu", OFF_ZERO, lambda x: np.where(x > 0, x, 1.5 * np.expm1(x)), alpha=1.5)
activation("softplus", floats_away_from([2.0]), lambda x: np.where(x > 2, x, np.log1p(np.exp(2 * x)) / 2), beta=2.0, threshold=4.0)
activation("normal_cdf", ANY, scipy.special.ndtr)
activation("normal_cdf_tanh", ANY, lambda x: (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2)


@sample(losses.cross_entropy.name)
def _(draw: Any) -> Sample:
    n, classes, total = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(BOOLS)
    x = array(draw, (n, classes))
    scale = array(draw, (n,), st.sampled_from([0.0, 0.5, 1.0]))  # it has no rule
    rows, labels = np.arange(n), array(draw, (n,), st.integers(0, classes - 1), np.int64)
    losses = -scale * scipy.special.log_softmax(x, 1)[rows, labels]
    params = {"index": on_backend((rows, labels)), "total": total}
    return Sample([x, scale], params, losses.sum() if total else losses)


@sample(losses.squared_error.name)
def _(draw: Any) -> Sample:
    a, b = draw(broadcastable_shapes(2, 2, 0, 3))
    x, y = array(draw, a), array(draw, b)
    return Sample([x, y], {"scale": 0.5}, 0.5 * np.sum((x - y) ** 2))


@sample(losses.binary_cross_entropy.name)
def _(draw: Any) -> Sample:
    a, b = draw(broadcastable_shapes(2, 2, 0, 3))
    x, y = array(draw, a, st.floats(0.1, 0.9)), array(draw, b, st.floats(0, 1))
    return Sample([x, y], {}, -scipy.special.xlogy(y, x) - scipy.special.xlog1py(1 - y, -x))


@sample(losses.binary_cross_entropy_with_logits.name)
def _(draw: Any) -> Sample:
    a, b, c = draw(broadcastable_shapes(3, 2, 0, 3))
    x, y, positive = array(draw, a), array(draw, b, st.floats(0, 1)), array(draw, c, POSITIVE)
    value = positive * y * np.logaddexp(0, -x) + (1 - y) * np.logaddexp(0, x)
    return Sample([x, y, positive], {}, value)
