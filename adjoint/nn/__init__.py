"""Neural networks: modules, layers, activations, losses, their functions and initial values, under PyTorch's names.

Parameters that mean the same in all of them: ``device`` and ``dtype`` of a layer's parameters and buffers; ``inplace``, write the
result into the input; ``reduction`` of a loss: ``"mean"`` (default), ``"sum"``, or ``"none"`` for a loss per element.

>>> import adjoint as ad
>>> from adjoint import nn
>>> nn.Sequential(nn.Linear(4, 50), nn.ReLU(), nn.Linear(50, 3))
Sequential(
  (0): Linear(in_features=4, out_features=50, bias=True)
  (1): ReLU()
  (2): Linear(in_features=50, out_features=3, bias=True)
)
"""

from . import functional as functional, init as init, utils as utils
from .activation import *
from .attention import *
from .containers import *
from .convolution import *
from .distance import *
from .dropout import *
from .embedding import *
from .linear import *
from .loss import *
from .module import *
from .normalization import *
from .padding import *
from .parameter import *
from .pooling import *
from .recurrent import *
from .recurrent_cells import *
from .upsampling import *
