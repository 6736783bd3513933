"""Recording a function once, and replaying it as a straight program over arrays.

To read it in order: ``captured`` (what users call), ``recording`` and ``recorder`` (how a call is logged), ``backends.program``
(what the log is), ``passes`` (what is made of it); ``backends.replay`` and ``backends.numpy_replay`` (how it is replayed).
"""

from .captured import Captured, Stats, capture
from .recording import active, effect, fed, watch

__all__ = ["Captured", "Stats", "active", "capture", "effect", "fed", "watch"]
