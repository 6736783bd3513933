"""``torch.linalg``: factors, inverses, systems of equations, determinants, powers and norms; offered as ``ad.linalg``.

All work on the matrices in the last two axes. Those that factor or invert take float32 and float64, and raise
:class:`~adjoint.errors.LinAlgError` where a matrix has no such factors or inverse.
"""

from .decompositions import *
from .norms import *
from .products import matmul as matmul, multi_dot as multi_dot
from .systems import *
