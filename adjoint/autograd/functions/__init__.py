"""PyTorch's functions of tensors, in terms of the primitives, a file a family. ``Tensor`` has most of them as methods.

Parameters that mean the same in all of them: ``dim``, or NumPy's ``axis``: the axis or axes, counted from the end where negative;
``keepdim``, or NumPy's ``keepdims``: reduced axes stay, with length one; ``dtype``: convert to this dtype before computing. Each
file lists its public names in ``__all__``.
"""

from . import linalg, special
from .activations import *
from .diagonals import *
from .diagonals import fill_diagonal
from .elementwise import *
from .elementwise import cast
from .indexing import *
from .indexing import backends_differ, getitem, in_steps, plain_index, shown_index
from .joining import *
from .linalg.products import *
from .linalg.systems import inv
from .reductions import *
from .reductions import ValuesIndices
from .scans import *
from .scattering import *
from .scattering import put
from .shapes import *
from .sorting import *
from .statistics import *
from .toplevel import *
