"""``LambdaCallback``: a callback made of functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import nearest
from .base import MOMENTS, Callback

__all__ = ["LambdaCallback"]


class LambdaCallback(Callback):
    """Call functions at the moments they are named after: ``LambdaCallback(on_epoch_end=lambda epoch, logs: …)``.

    Raises ``ValueError`` on an unknown moment; :class:`Callback` has them all.
    """

    def __init__(self, **moments: Callable[..., Any]) -> None:
        for moment, function in moments.items():
            if moment not in MOMENTS:
                raise ValueError(
                    f"LambdaCallback: unknown moment {moment!r}{nearest(moment, MOMENTS)}; use one of {', '.join(MOMENTS)}"
                )
            setattr(self, moment, function)
