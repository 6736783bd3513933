"""Recording a function once, and replaying it as a straight program over arrays.

To read it in order: ``captured`` (what users call), ``recording`` and ``recorder`` (how a call is logged), ``program`` (what the log
is), ``passes`` (what is made of it), ``plain`` (how it is replayed; a backend may have a better way of its own).
"""

from .captured import Captured, Stats, capture
from .recording import active, effect, fed, watch

__all__ = ["Captured", "Stats", "active", "capture", "effect", "fed", "watch"]
