"""Settings of hypothesis, and the library's own plug-in: a test that asks for ``backend`` runs once on each that is at hand."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["adjoint.testing.plugin"]

settings.register_profile(
    "adjoint",
    deadline=None,  # timings here are noisy
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the backend is the same for every example
)
settings.load_profile("adjoint")
