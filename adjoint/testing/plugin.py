"""A pytest plug-in: the fixture ``backend``, which runs a test on every backend at hand, and the option ``--backend``.

It is opted in to, so that starting pytest imports nothing where it is not used. In the topmost ``conftest.py``:

.. code-block:: python

    pytest_plugins = ["adjoint.testing.plugin"]

A test that asks for ``backend`` (as an argument, or by ``pytest.mark.usefixtures("backend")``) then runs once on NumPy, on the
strict backend where array-api-strict is installed, on CuPy where there is a GPU, and on each that another package registers;
or on those alone that ``--backend NAME`` names, once or more often. While it runs, new tensors are made on that backend, and
random numbers start from seed 0.
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
def at_hand() -> list[str]:
    """The backends whose library is installed and finds a device."""

    def found(name: str) -> bool:
        try:
            return get(name).device_count() > 0
        except BackendError:
            return False

    return [name for name in names() if found(name)]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backend", action="append", help="run tests that ask for a backend on this one alone; may be repeated")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", metafunc.config.getoption("--backend") or at_hand(), indirect=True)


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """The backend that the test runs on, made the default."""
    with use_backend(request.param) as chosen:
        manual_seed(0)
        yield chosen
