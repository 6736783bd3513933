"""``torch.nn.functional``: layers, activations and losses as functions, in files named as the layers'.

PyTorch's deprecated arguments (``size_average``, ``reduce``) are not offered; parameters that follow them are keyword-only.
"""

from .activation import *
from .attention import *
from .convolution import *
from .cross_entropy import *
from .distance import *
from .dropout import *
from .embedding import *
from .linear import *
from .loss import *
from .normalization import *
from .one_hot import *
from .padding import *
from .pooling import *
from .upsampling import *
