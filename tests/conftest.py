"""Every test that asks for the fixture ``backend`` runs once on each backend named by ``--backend`` (NumPy and strict)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

import adjoint as ad

settings.register_profile(
    "adjoint",
    deadline=None,  # timings here are noisy
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the backend is the same for every example
)
settings.load_profile("adjoint")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backend", action="append", help="run backend tests on this one; may be repeated")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", metafunc.config.getoption("--backend") or ["numpy", "strict"], indirect=True)


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Iterator[ad.backends.Backend]:
    with ad.use_backend(request.param) as chosen:
        ad.manual_seed(0)
        yield chosen
