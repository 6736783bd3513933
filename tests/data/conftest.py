"""The folder of real data files that some tests read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> str:
    """The folder, which ``ADJOINT_DATA`` names then; skips where it is not here."""
    folder = os.environ.get("ADJOINT_DATA") or str(Path(__file__).parents[3] / "shared" / "data")
    if not os.path.isdir(folder):
        pytest.skip("the data files are not here: set ADJOINT_DATA to a folder that has them")
    monkeypatch.setenv("ADJOINT_DATA", folder)
    return folder
