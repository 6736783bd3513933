"""The engine: primitives and their derivative rules, the graph they leave behind, ``Tensor`` and the ways to ask for gradients.

To read it in the order in which things happen: ``primitive`` (an operation and its rules), ``rules/`` (the table of them),
``plan`` (what a call saves), ``graph`` (what is recorded, and the walk back), ``views``, ``tensor`` (what users hold),
``gradients``, then ``transforms``, ``tape``, ``function`` and ``checkpoint``.
"""

from typing import TYPE_CHECKING

from ..lazy import attach
from .tensor import Tensor  # first: it brings in the engine's modules in their order
from . import namespace
from .checkpoint import checkpoint
from .gradients import backward, grad
from .graph import Node
from .modes import detect_anomaly, enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .primitive import Primitive, primitive, registry

__all__ = [
    "Function", "GradientTape", "Node", "Primitive", "Tensor", "backward", "checkpoint", "detect_anomaly", "enable_grad", "grad",
    "is_grad_enabled", "namespace", "no_grad", "primitive", "registry", "set_grad_enabled", "value_and_grad",
]  # fmt: skip

if TYPE_CHECKING:
    from .function import Function
    from .tape import GradientTape
    from .transforms import value_and_grad
else:
    __getattr__, __dir__ = attach(globals(), {"Function": ".function", "GradientTape": ".tape", "value_and_grad": ".transforms"})
