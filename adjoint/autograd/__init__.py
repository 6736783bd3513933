"""The engine: tensors, the graph that operations on them record, primitives with their derivative rules, and gradients.

Each module imports only what stands before it: ``modes``, ``versions`` (in-place writes and views), ``tensor``, ``graph`` (nodes,
and the walk back), ``plan`` (what a call saves), ``primitive`` (an operation and its rules), ``rules/`` (the table of derivatives),
``arguments``, ``creation``, ``functions/``, ``gradients``, ``transforms``, ``tape``, ``function``, ``checkpoint``, and ``methods``,
which completes ``Tensor``. Start with ``primitive`` and ``rules/``.
"""

from typing import TYPE_CHECKING

from ..lazy import attach as _attach
from . import methods, namespace  # noqa: F401 (methods completes Tensor)
from .checkpoint import checkpoint
from .gradients import backward, grad
from .graph import Node
from .modes import detect_anomaly, enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .primitive import Primitive, primitive, registry
from .tensor import Tensor

__all__ = [
    "Function", "GradientTape", "Node", "Primitive", "Tensor", "backward", "checkpoint", "detect_anomaly", "enable_grad", "grad",
    "is_grad_enabled", "namespace", "no_grad", "primitive", "registry", "set_grad_enabled", "value_and_grad",
]  # fmt: skip

if TYPE_CHECKING:
    from .function import Function
    from .tape import GradientTape
    from .transforms import value_and_grad
else:
    __getattr__, __dir__ = _attach(globals(), {"Function": ".function", "GradientTape": ".tape", "value_and_grad": ".transforms"})
