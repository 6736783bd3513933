"""What the project's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import adjoint.nn  # noqa: F401  # with its primitives, so that no page is the first to declare them
from adjoint.autograd.primitive import differentiable, registry


@pytest.fixture(autouse=True)
def _forget_what_is_declared() -> Iterator[None]:
    """The primitives that a page declares are that page's alone."""
    known = set(registry)
    yield
    for name in set(registry) - known:
        del registry[name]
        delattr(differentiable, name)
