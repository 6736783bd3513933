"""Metrics by Keras' names: values about all samples since a reset, the same whatever the batches; :class:`Metric` is their base."""

from .base import *
from .by_name import *
from .classification import *
from .regression import *
