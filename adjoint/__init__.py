"""Reverse-mode differentiation for NumPy and CuPy arrays, with PyTorch's names.

>>> import adjoint as ad
>>> x = ad.tensor([1.0, 2.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4.])
"""

from typing import TYPE_CHECKING

from . import autograd, backends, errors, nn
from .autograd import (
    GradientTape,
    Tensor,
    detect_anomaly,
    enable_grad,
    is_grad_enabled,
    no_grad,
    primitive,
    set_grad_enabled,
    value_and_grad,
)  # fmt: skip
from .autograd.creation import (
    arange,
    as_tensor,
    empty,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)  # fmt: skip
from .autograd.functions import (
    abs,
    absolute,
    acos,
    acosh,
    add,
    all,
    amax,
    amin,
    any,
    argmax,
    argmin,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    bmm,
    broadcast_to,
    ceil,
    chunk,
    clamp,
    clone,
    concat,
    cos,
    cosh,
    cumsum,
    divide,
    dot,
    eq,
    erf,
    exp,
    expand,
    expm1,
    flatten,
    flip,
    floor,
    floor_divide,
    gather,
    ge,
    gt,
    index_put,
    index_select,
    isfinite,
    isinf,
    isnan,
    le,
    log,
    log1p,
    log2,
    log10,
    log_softmax,
    logaddexp,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    logsumexp,
    lt,
    masked_fill,
    matmul,
    max,
    maximum,
    mean,
    min,
    minimum,
    mm,
    movedim,
    multiply,
    mv,
    narrow,
    ne,
    neg,
    negative,
    norm,
    outer,
    permute,
    pow,
    prod,
    reciprocal,
    relu,
    remainder,
    repeat,
    reshape,
    roll,
    round,
    rsqrt,
    sigmoid,
    sign,
    sin,
    sinh,
    softmax,
    split,
    sqrt,
    square,
    squeeze,
    stack,
    std,
    subtract,
    sum,
    t,
    take_along_dim,
    tan,
    tanh,
    transpose,
    tril,
    triu,
    trunc,
    unbind,
    unsqueeze,
    var,
    where,
)  # fmt: skip
from .autograd.random import (
    Generator,
    bernoulli,
    default_generator,
    manual_seed,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
)  # fmt: skip
from .autograd.transforms import grad
from .backends import use_backend
from .backends.dtypes import bool_, float16, float32, float64, int8, int16, int32, int64, uint8
from .files import load, save

cat, clip, div, mul, sub, true_divide = concat, clamp, divide, multiply, subtract, divide
half, double, long = float16, float64, int64

__version__ = "0.1.0"

if TYPE_CHECKING:
    from . import data, optim, testing, train
else:

    def __getattr__(name):
        """``ad.data`` and its like are imported when first asked for, so that a program without them starts sooner."""
        if name in ("data", "optim", "testing", "train"):
            from importlib import import_module

            return import_module(f".{name}", __name__)
        raise AttributeError(f"module 'adjoint' has no attribute '{name}'")
