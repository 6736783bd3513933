"""Tools for tests: gradients checked by finite differences, comparison of tensors, and hypothesis strategies for tensors.

``check_gradients`` and ``assert_close`` need nothing beyond the library; :mod:`adjoint.testing.strategies` needs hypothesis
(``pip install 'adjoint[testing]'``) and is imported by name.
"""

from .comparison import assert_close
from .gradients import check_gradients

__all__ = ["assert_close", "check_gradients"]
