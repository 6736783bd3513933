"""A pytest plug-in: the fixture ``backend``, which runs a test on every available backend, and the option ``--backend``.

Load it explicitly, in the top-level ``conftest.py``, so that pytest imports nothing elsewhere:

.. code-block:: python

    pytest_plugins = ["adjoint.testing.plugin"]

A test that requests ``backend`` (as an argument, or by ``pytest.mark.usefixtures("backend")``) then runs on NumPy, on the strict
backend if array-api-strict is installed, on CuPy if there is a GPU, and on each backend that another package registers; or only
on those named by ``--backend NAME``, which may be repeated. Its default backend is the one under test, with random seed 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from ..autograd.random import manual_seed
from ..backends import Backend, get, names, use_backend
from ..errors import BackendError

pytest.register_assert_rewrite("adjoint.testing.backend")


@cache
def available() -> list[str]:
    """The backends whose library is installed and has a device."""

    def is_available(name: str) -> bool:
        try:
            return get(name).device_count() > 0
        except BackendError:
            return False

    return [name for name in names() if is_available(name)]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backend", action="append", help="run tests that request a backend on this one only; may be repeated")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", metafunc.config.getoption("--backend") or available(), indirect=True)


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """The backend under test, as the default backend."""
    with use_backend(request.param) as chosen:
        manual_seed(0)
        yield chosen
