"""A model's decision is drawn as it is, with the samples on it."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

import adjoint as ad
from adjoint import nn, train
from adjoint.errors import MissingExtra

pytest.importorskip("matplotlib", reason="pictures are in the extra 'plot'")


def moons() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.uniform(-1, 1, (30, 2)).astype(np.float32), np.arange(30) % 2


def line_of(figure: Any) -> np.ndarray[Any, Any]:
    """The points of the black line."""
    return np.concatenate([path.vertices for path in figure.axes[0].collections[1].get_paths()])


def test_the_line_is_where_the_output_crosses_the_threshold() -> None:
    x, y = moons()
    figure = train.plot_decision(lambda at: at[:, :1] * 2.0 + 0.25, x, y)
    assert line_of(figure)[:, 0] == pytest.approx(0.125, abs=1e-4)
    figure = train.plot_decision(lambda at: at[:, 0] * 2.0 + 0.25, x, y, threshold=0.0)
    assert line_of(figure)[:, 0] == pytest.approx(-0.125, abs=1e-4)


def test_the_threshold_of_a_compiled_model_is_that_of_its_classes() -> None:
    x, y = moons()
    model = nn.Linear(2, 1)
    model.set_weights([np.array([[1.0, 0.0]], np.float32), np.array([0.25], np.float32)])
    model.compile("sgd", "binary_cross_entropy_with_logits")
    assert line_of(train.plot_decision(model, x, y))[:, 0] == pytest.approx(-0.25, abs=1e-4)
    model.compile("sgd", "mse")
    assert line_of(train.plot_decision(model, x, y))[:, 0] == pytest.approx(0.25, abs=1e-4)


def test_samples_are_drawn_where_they_are_with_room_around_them() -> None:
    x, y = moons()
    for given in (x, ad.tensor(x), pd.DataFrame(x, columns=["a", "b"]), x.tolist()):
        for target in (y, y[:, None], np.eye(2)[y], pd.Series(y)):
            figure = train.plot_decision(nn.Linear(2, 1), given, target, points=9, labels=("a", "b"))
            drawn = figure.axes[0].collections[-1]
            np.testing.assert_allclose(np.asarray(drawn.get_offsets()), x, rtol=1e-6)
            np.testing.assert_array_equal(np.asarray(drawn.get_array()), y)
    low, high = figure.axes[0].get_xlim()
    assert low < x[:, 0].min()
    assert x[:, 0].max() < high
    assert figure.axes[0].get_xlabel() == "a"


def test_a_model_of_several_outputs_is_drawn_by_the_largest_and_left_as_it_was() -> None:
    x, y = moons()
    model = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    before = [w.tobytes() for w in model.get_weights()]
    figure = train.plot_decision(model, x, y)
    assert model.training
    assert [w.tobytes() for w in model.get_weights()] == before
    assert all(p.grad is None for p in model.parameters())
    written = io.BytesIO()
    figure.savefig(written, format="png")
    assert written.getvalue().startswith(b"\x89PNG")


def test_a_constant_output_and_a_single_sample_are_drawn_too() -> None:
    figure = train.plot_decision(lambda at: at[:, 0] * 0.0 + 1.0, [[1.0, 2.0]], [1])
    assert len(figure.axes[0].collections) == 2
    figure.savefig(io.BytesIO())


def test_other_shapes_are_refused() -> None:
    x, y = moons()
    with pytest.raises(ValueError, match=r"x has the shape \(30, 1\); the samples have two numbers each"):
        train.plot_decision(nn.Linear(1, 1), x[:, :1], y)
    with pytest.raises(ValueError, match=r"y has the shape \(29,\), and there are 30 samples"):
        train.plot_decision(nn.Linear(2, 1), x, y[:29])
    with pytest.raises(ValueError, match=r"the model gave the shape \(\) for 14400 samples"):
        train.plot_decision(lambda at: at.sum(), x, y)


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"pip install 'adjoint\[plot\]'"):
        train.plot_decision(nn.Linear(2, 1), *moons())
