"""Our own backends pass the tests that we hand to those who write one."""

from __future__ import annotations

import pytest

from adjoint.backends import Backend
from adjoint.testing.backend import BackendConformance


class TestConformance(BackendConformance):
    @pytest.fixture(autouse=True)
    def _on(self, backend: Backend) -> None:
        self.device = backend.device
