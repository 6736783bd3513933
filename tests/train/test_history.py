"""A history shows its last epoch and plots all of them."""

from __future__ import annotations

import pytest

from adjoint import train
from train.models import X, Y, model


def test_a_history_shows_its_last_epoch_and_plots_all() -> None:
    history = model().fit(X, Y, epochs=3, validation_split=0.2, verbose=0)
    assert repr(history).startswith("Last of 3 epochs")
    assert "val_mae" in repr(history)
    for smooth in (False, True):
        figure = history.plot(smooth=smooth)
        assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "mae"]
        lines = [line for axes in figure.axes for line in axes.lines]
        assert len(lines) == (8 if smooth else 4)
    assert train.history.smoothed([1.0, 1.0, 1.0]) == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="no epoch has ended"):
        train.History().plot()


def test_a_plot_of_a_history_is_a_picture_to_a_notebook_without_pyplot() -> None:
    pytest.importorskip("matplotlib", reason="pictures are drawn by the extra 'plot'")
    history = model().fit(X, Y, epochs=2, verbose=0)
    assert history.plot()._repr_png_().startswith(b"\x89PNG")
