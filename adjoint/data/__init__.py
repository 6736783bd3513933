"""Datasets, samplers and the loader that batches them; tables from CSV files and their encoding; named data sets; splitting."""

from ..nn.functional import one_hot as one_hot
from .collate import *
from .dataset import *
from .datasets import *
from .encoder import *
from .idx import *
from .loader import *
from .sampler import *
from .table import *
from .transforms import *
