"""Reverse-mode differentiation for NumPy and CuPy arrays, with PyTorch's names.

>>> import adjoint as ad
>>> x = ad.tensor([1.0, 2.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4.])
"""

from math import e as e, inf as inf, nan as nan, pi as pi
from typing import TYPE_CHECKING

# First, so that NumPy is imported from few imports deep: where its calls cross the end of a chunk of CPython's stack, that chunk is
# mapped and unmapped each time, and from within ``autograd`` they do so 1,700 times, which takes some 20 ms.
from . import backends as backends

# isort: split
from . import autograd as autograd, errors as errors
from .autograd import (
    Tensor as Tensor,
    checkpoint as checkpoint,
    detect_anomaly as detect_anomaly,
    enable_grad as enable_grad,
    is_grad_enabled as is_grad_enabled,
    no_grad as no_grad,
    primitive as primitive,
    set_grad_enabled as set_grad_enabled,
)
from .autograd.arguments import promote_types as promote_types, result_type as result_type
from .autograd.creation import *
from .autograd.functions import linalg as linalg, special as special
from .autograd.functions.activations import *
from .autograd.functions.diagonals import *
from .autograd.functions.elementwise import *
from .autograd.functions.indexing import *
from .autograd.functions.joining import *
from .autograd.functions.linalg.products import *
from .autograd.functions.reductions import *
from .autograd.functions.scans import *
from .autograd.functions.scattering import *
from .autograd.functions.shapes import *
from .autograd.functions.sorting import *
from .autograd.functions.statistics import *
from .autograd.functions.toplevel import *
from .autograd.random import *
from .autograd.tensor import is_floating_point as is_floating_point, is_tensor as is_tensor, numel as numel
from .backends import use_backend as use_backend
from .backends.dtypes import *
from .capture import capture as capture
from .lazy import attach as _attach

if TYPE_CHECKING:
    from .autograd.drawing import graph as graph
    from .autograd.tape import GradientTape as GradientTape
    from .autograd.transforms import (
        grad as grad,
        hessian as hessian,
        hvp as hvp,
        jacobian as jacobian,
        jvp as jvp,
        value_and_grad as value_and_grad,
        vjp as vjp,
    )
    from .files import load as load, save as save

cat, concatenate, clip, div, mul, sub = concat, concat, clamp, divide, multiply, subtract
moveaxis, row_stack, swapaxes, swapdims = movedim, vstack, transpose, transpose
ger, inverse, vdot = outer, linalg.inv, dot
half, double, long = float16, float64, int64
newaxis = None
float, int, short, bool = float32, int32, int16, bool_  # last, as they hide Python's own

__version__ = "0.1.0"

if TYPE_CHECKING:
    from . import data as data, nn as nn, optim as optim, testing as testing, train as train
else:
    __getattr__, __dir__ = _attach(
        globals(),
        dict.fromkeys("grad hessian hvp jacobian jvp value_and_grad vjp".split(), ".autograd.transforms")
        | {"GradientTape": ".autograd.tape", "graph": ".autograd.drawing", "load": ".files", "save": ".files"}
        | {package: f".{package}" for package in ("data", "nn", "optim", "testing", "train")},
    )
