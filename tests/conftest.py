"""Settings of hypothesis, and the library's own plug-in: a test that asks for ``backend`` runs once on each that is at hand."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["adjoint.testing.plugin"]

settings.register_profile(
    "adjoint",
    deadline=None,  # timings here are noisy
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the backend is the same for every example
)
settings.load_profile("adjoint")


@pytest.fixture
def forget_what_is_declared() -> Iterator[None]:
    """The primitives that a test declares are that test's alone."""
    import adjoint.nn  # noqa: F401  # with its primitives, so that no test is the first to declare them
    from adjoint.autograd.primitive import differentiable, registry

    known = set(registry)
    yield
    for name in set(registry) - known:
        del registry[name]
        delattr(differentiable, name)
