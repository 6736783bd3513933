"""The operators and methods of ``Tensor`` that call functions: PyTorch's names for the functions of tensors.

``Tensor`` stands below the functions, so its class is completed here, when ``adjoint.autograd`` is imported. To type checkers
:class:`Methods` is its base class.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from .. import backends
from ..backends.standard import VERSIONS
from ..lazy import LazyModule
from . import creation, functions as f, gradients, random
from .arguments import NUMBERS, cut_along, destination, reads_numbers, sizes_of
from .graph import differentiable
from .modes import state
from .primitive import Primitive
from .rules import elementwise, shapes
from .tensor import Tensor
from .versions import sync_views, writes

if TYPE_CHECKING:
    from . import interop
else:
    interop = LazyModule(".interop", __package__)

# The class has methods of these names.
Bool: TypeAlias = bool
Int: TypeAlias = int
Float: TypeAlias = float


def in_place(function: Any) -> Any:
    """The method that writes what ``function`` returns for a tensor into that tensor: ``exp_`` from ``exp``."""
    name = f"{function.__name__}_"
    composed = not isinstance(getattr(function, "__wrapped__", None), Primitive)  # _write keeps values for the last operation alone

    def write(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        recorded = composed and state.recording and any(getattr(a, "_requires_grad", False) for a in (self, *args))
        return self._write(function(f.clone(self) if recorded else self, *args, **kwargs), name)

    write.__name__, write.__doc__ = name, f""":func:`{function.__name__}`, in place."""
    return write


class Methods:
    """What ``Tensor`` has beside the methods in its own class."""

    # --- what it is ----------------------------------------------------------------------------------------------------------

    def size(self: Any, dim: Int | None = None) -> Any:
        """The shape, or the length of axis ``dim``."""
        return self.shape if dim is None else self.shape[cut_along("size", self, dim)]

    def stride(self: Any, dim: Int | None = None) -> Any:
        """The distance in memory, in elements, to the next element along each axis, or along axis ``dim``."""
        steps = getattr(self._array, "strides", None)
        steps = self.backend.to_numpy(self._array).strides if steps is None else steps
        strides = tuple(step // self.element_size() for step in steps)
        return strides if dim is None else strides[cut_along("stride", self, dim)]

    @property
    def T(self: Any) -> Tensor:
        """The tensor with its axes in reverse order."""
        return f.permute(self, *reversed(range(self.ndim)))

    @property
    def mT(self: Any) -> Tensor:
        """The tensor with its last two axes exchanged."""
        return f.transpose(self, -2, -1)

    mH = mT

    def __iter__(self: Any) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("iteration over a 0-d tensor")
        return iter(f.unbind(self))

    def __contains__(self: Any, value: Any) -> Bool:
        return bool(f.any(f.eq(self, value)))

    # --- gradients -----------------------------------------------------------------------------------------------------------

    def backward(
        self: Any, gradient: Tensor | None = None, retain_graph: Bool | None = None, create_graph: Bool = False, inputs: Any = None
    ) -> None:
        """Add the gradient of this tensor by each leaf behind it to the leaf's ``grad``.

        Args:
            gradient: the cotangent of this tensor, in its shape; 1 for a single element if None.
            retain_graph: keep what the rules saved, for another backward; as ``create_graph`` if None.
            create_graph: record the gradient's own computation, so that it can be differentiated.
            inputs: the tensors whose ``grad`` to add to; every leaf if None.

        Raises:
            GraphError: there is no graph, no cotangent for several elements, or the graph was freed or changed in place.
        """
        gradients.backward([self], [gradient], retain_graph, create_graph, inputs=inputs)

    # --- NumPy, CuPy and the Array API ---------------------------------------------------------------------------------------

    def __array_namespace__(self: Any, *, api_version: str | None = None) -> Any:
        """The differentiable namespace. Raises ``ValueError`` for an unsupported version of the standard."""
        if api_version not in (None, *VERSIONS):
            raise ValueError(
                f"__array_namespace__: version {api_version!r} of the Array API standard is not supported; use one of "
                f"{', '.join(VERSIONS)}"
            )
        return differentiable

    def __array_ufunc__(self: Any, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        """NumPy's ufuncs on tensors, and so its operators with an array on the left."""
        return interop.ufunc(ufunc, method, inputs, keywords)

    def __array_function__(self: Any, function: Any, types: Any, inputs: Any, keywords: Any) -> Any:
        """NumPy's other functions on tensors."""
        return interop.array_function(function, inputs, keywords)

    def __cupy_override_elementwise_kernel__(self: Any, kernel: Any, *inputs: Any, **keywords: Any) -> Any:
        """CuPy's ufuncs on tensors, and so its operators with an array on the left."""
        return interop.cupy_ufunc(kernel, inputs, keywords)

    # --- copies and moves ----------------------------------------------------------------------------------------------------

    def to(self: Any, *target: Any, device: Any = None, dtype: Any = None, copy: Bool = False) -> Tensor:
        """The tensor on another device, in another dtype, or both; itself where nothing changes and ``copy`` is not asked for.

        ``x.to("cuda")``, ``x.to(ad.float64)``, ``x.to("cpu", ad.float32)``, ``x.to(other)`` for the device and dtype of
        ``other``. The gradient passes through.
        """
        device, dtype = destination(target, device, dtype)
        result = self if dtype is None else f.cast(self, dtype)
        if device is not None and (backend := backends.get(device)) is not self.backend:
            result = shapes.transfer(result, source=result.backend, target=backend)
        return f.clone(result) if copy and result is self else result

    def to_device(self: Any, device: Any, /, *, stream: Any = None) -> Tensor:
        """:meth:`to` another device, under the standard's name; ``stream`` is ignored."""
        return self.to(device=device)

    def cpu(self: Any) -> Tensor:
        """The tensor on the CPU."""
        return self.to(device="cpu")

    def cuda(self: Any, index: Int | None = None) -> Tensor:
        """The tensor on the GPU, number ``index`` if there are several."""
        return self.to(device="cuda" if index is None else f"cuda:{index}")

    def type_as(self: Any, other: Tensor) -> Tensor:
        """The tensor in the dtype of ``other``."""
        return f.cast(self, other.dtype)

    def float(self: Any) -> Tensor:
        """The tensor in float32."""
        return f.cast(self, "float32")

    def double(self: Any) -> Tensor:
        """The tensor in float64."""
        return f.cast(self, "float64")

    def half(self: Any) -> Tensor:
        """The tensor in float16."""
        return f.cast(self, "float16")

    def int(self: Any) -> Tensor:
        """The tensor in int32, fractions cut off."""
        return f.cast(self, "int32")

    def long(self: Any) -> Tensor:
        """The tensor in int64, fractions cut off."""
        return f.cast(self, "int64")

    def short(self: Any) -> Tensor:
        """The tensor in int16, fractions cut off."""
        return f.cast(self, "int16")

    def char(self: Any) -> Tensor:
        """The tensor in int8, fractions cut off."""
        return f.cast(self, "int8")

    def byte(self: Any) -> Tensor:
        """The tensor in uint8, fractions cut off."""
        return f.cast(self, "uint8")

    def type(self: Any, dtype: Any) -> Tensor:
        """The tensor in another dtype."""
        return f.cast(self, dtype)

    def bool(self: Any) -> Tensor:
        """Which elements are not 0."""
        return f.cast(self, "bool")

    def reshape_as(self: Any, other: Tensor) -> Tensor:
        """The tensor in the shape of ``other``."""
        return f.reshape(self, other.shape)

    def new_tensor(self: Any, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: Bool = False) -> Tensor:
        """A tensor with a copy of ``data``, in this tensor's dtype and on its device unless others are given."""
        return creation.tensor(data, dtype=dtype or self.dtype, device=device or self.backend, requires_grad=requires_grad)

    def new_full(
        self: Any, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: Bool = False
    ) -> Tensor:
        """``fill_value`` in the shape ``size``, in this tensor's dtype and on its device unless others are given."""
        return creation.full(
            size, fill_value, dtype=dtype or self.dtype, device=device or self.backend, requires_grad=requires_grad
        )

    def new_zeros(self: Any, *size: Any, dtype: Any = None, device: Any = None, requires_grad: Bool = False) -> Tensor:
        """Zeros, in this tensor's dtype and on its device unless others are given."""
        return self.new_full(sizes_of("new_zeros", size), 0, dtype=dtype, device=device, requires_grad=requires_grad)

    def new_ones(self: Any, *size: Any, dtype: Any = None, device: Any = None, requires_grad: Bool = False) -> Tensor:
        """Ones, in this tensor's dtype and on its device unless others are given."""
        return self.new_full(sizes_of("new_ones", size), 1, dtype=dtype, device=device, requires_grad=requires_grad)

    def new_empty(self: Any, *size: Any, dtype: Any = None, device: Any = None, requires_grad: Bool = False) -> Tensor:
        """Uninitialized memory, in this tensor's dtype and on its device unless others are given."""
        return creation.empty(*size, dtype=dtype or self.dtype, device=device or self.backend, requires_grad=requires_grad)

    def contiguous(self: Any) -> Tensor:
        """The tensor itself if its elements are in row-major order in memory, else a copy in which they are."""
        result: Tensor = shapes.contiguous(self)
        return self if result._array is self._array else result

    # --- indexing and writing in place ---------------------------------------------------------------------------------------

    __getitem__ = f.getitem

    def __setitem__(self: Any, index: Any, value: Any) -> None:
        if type(value) in (list, tuple):
            value = self._stacked(value)
        if writes.recorded and state.recording:
            sync_views("__setitem__", (self, value))
        tracked = self._requires_grad or (isinstance(value, Tensor) and value._requires_grad)
        if tracked and state.recording:
            self._write(f.index_put(self, index, value), "__setitem__")
            return
        array = value._array if isinstance(value, Tensor) else value
        if isinstance(value, Tensor) and value.backend is not self.backend:
            raise f.backends_differ(self, value)
        if not isinstance(value, Tensor) and type(value) not in NUMBERS:
            array = self.backend.asarray(backends.parse(array), self.dtype)
        self._make_writable()
        xp = self.backend.xp
        if hasattr(array, "dtype") and array.dtype != self._array.dtype:
            array = self.backend.asarray(array, self.dtype)
        for journal in state.journals:
            journal.writing(self.backend, self._array)
        try:
            *first, last = f.in_steps(f.plain_index(self, index))
            part = xp.getitem(self._array, first[0]) if first else self._array
            if first and self.backend.owner(part) is not self.backend.owner(self._array):  # in capture, a copy
                array, last = xp.index_put(part, array, last), first[0]
                part = self._array
            xp.setitem(part, array, last)
        except (ValueError, IndexError) as error:
            raise type(error)(f"tensor[{f.shown_index(index)}] = …: {error} (the tensor has shape {self.shape})") from error
        writes.note(self.backend, self._array, "__setitem__")

    def _stacked(self: Any, data: Any) -> Tensor:
        """Nested lists as a tensor of this one's dtype and device, with the graphs of the tensors in them."""
        if isinstance(data, Tensor):
            return data.to(self.dtype)
        if isinstance(data, (list, tuple)) and any(isinstance(part, (Tensor, list, tuple)) for part in data):
            return f.stack([self._stacked(part) for part in data])
        return self.new_tensor(data)

    def t_(self: Any) -> Tensor:
        """:func:`t`, in place: of the shape alone."""
        return self._reshape_in_place("t_", f.t)

    def transpose_(self: Any, dim0: Int, dim1: Int) -> Tensor:
        """:func:`transpose`, in place: of the shape alone."""
        return self._reshape_in_place("transpose_", f.transpose, dim0, dim1)

    def squeeze_(self: Any, dim: Any = None) -> Tensor:
        """:func:`squeeze`, in place: of the shape alone."""
        return self._reshape_in_place("squeeze_", f.squeeze, dim)

    def unsqueeze_(self: Any, dim: Int) -> Tensor:
        """:func:`unsqueeze`, in place: of the shape alone."""
        return self._reshape_in_place("unsqueeze_", f.unsqueeze, dim)

    swapaxes_ = swapdims_ = transpose_

    def add_(self: Any, other: Any, *, alpha: Any = 1) -> Tensor:
        """:func:`add`, in place."""
        return self._write(f.add(self, other, alpha=alpha), "add_")

    def sub_(self: Any, other: Any, *, alpha: Any = 1) -> Tensor:
        """:func:`subtract`, in place."""
        return self._write(f.subtract(self, other, alpha=alpha), "sub_")

    def mul_(self: Any, other: Any) -> Tensor:
        """:func:`multiply`, in place."""
        return self._write(f.multiply(self, other), "mul_")

    def div_(self: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
        """:func:`divide`, in place."""
        return self._write(f.divide(self, other, rounding_mode=rounding_mode), "div_")

    def pow_(self: Any, exponent: Any) -> Tensor:
        """:func:`pow`, in place."""
        return self._write(f.pow(self, exponent), "pow_")

    def clamp_(self: Any, min: Any = None, max: Any = None) -> Tensor:
        """:func:`clamp`, in place."""
        return self._write(f.clamp(self, min, max), "clamp_")

    def masked_fill_(self: Any, mask: Any, value: Any) -> Tensor:
        """:func:`masked_fill`, in place."""
        return self._write(f.masked_fill(self, mask, value), "masked_fill_")

    def copy_(self: Any, source: Any) -> Tensor:
        """The values of ``source``, broadcast and cast, in place."""
        source = source.to(device=self.backend, dtype=self.dtype) if isinstance(source, Tensor) else source
        if not (state.recording and (self.requires_grad or getattr(source, "_requires_grad", False))):
            self[...] = source
            return self
        return self._write(f.index_put(self, ..., source), "copy_")

    @reads_numbers
    def polygamma_(self: Any, n: Int) -> Tensor:
        """:func:`polygamma` of order ``n``, in place."""
        return self._write(f.polygamma(n, self), "polygamma_")

    def fill_(self: Any, value: Any) -> Tensor:
        """``value`` everywhere, in place."""
        return self.copy_(value)

    def zero_(self: Any) -> Tensor:
        """Zero everywhere, in place."""
        return self.copy_(0)

    @reads_numbers
    def normal_(self: Any, mean: Float = 0, std: Float = 1, *, generator: Any = None) -> Tensor:
        """Numbers drawn from the normal distribution of ``mean`` and standard deviation ``std``, in place."""
        drawn = random.normal(mean, std, self.shape, generator=generator, dtype=self.dtype, device=self.backend)
        return self._write(drawn, "normal_")

    @reads_numbers
    def uniform_(self: Any, low: Float = 0, high: Float = 1, *, generator: Any = None) -> Tensor:
        """Numbers drawn evenly from [low, high), in place. Raises ``ValueError`` where ``high`` is below ``low``."""
        if high < low:
            raise ValueError(f"uniform_: draws from [low, high), and {high} is below {low}")
        return self._write(low + (high - low) * random.rand_like(self, generator=generator), "uniform_")

    def bernoulli_(self: Any, p: Any = 0.5, *, generator: Any = None) -> Tensor:
        """1 with probability ``p``, a number or a tensor that broadcasts, else 0, in place. Raises ``ValueError`` on another p."""
        if not (p.backend.truth(f.all((p >= 0) & (p <= 1))._array) if isinstance(p, Tensor) else 0 <= p <= 1):
            raise ValueError(f"bernoulli_: p is a probability from 0 to 1, not {p}")
        return self._write((random.rand(self.shape, generator=generator, device=self.backend) < p).to(self.dtype), "bernoulli_")

    abs_, neg_, sign_, sgn_, reciprocal_ = map(in_place, (f.abs, f.neg, f.sign, f.sgn, f.reciprocal))
    exp_, exp2_, expm1_, log_, log1p_ = map(in_place, (f.exp, f.exp2, f.expm1, f.log, f.log1p))
    log2_, log10_, sqrt_, rsqrt_, square_ = map(in_place, (f.log2, f.log10, f.sqrt, f.rsqrt, f.square))
    sin_, cos_, tan_, asin_, acos_, atan_ = map(in_place, (f.sin, f.cos, f.tan, f.asin, f.acos, f.atan))
    sinh_, cosh_, tanh_, asinh_, acosh_, atanh_ = map(in_place, (f.sinh, f.cosh, f.tanh, f.asinh, f.acosh, f.atanh))
    sigmoid_, relu_, logit_, erf_, erfc_, erfinv_ = map(in_place, (f.sigmoid, f.relu, f.logit, f.erf, f.erfc, f.erfinv))
    floor_, ceil_, round_, trunc_, frac_, sinc_ = map(in_place, (f.floor, f.ceil, f.round, f.trunc, f.frac, f.sinc))
    clamp_min_, clamp_max_, nan_to_num_ = map(in_place, (f.clamp_min, f.clamp_max, f.nan_to_num))
    fmod_, remainder_, floor_divide_ = map(in_place, (f.fmod, f.remainder, f.floor_divide))
    addcdiv_, addcmul_, lerp_, ldexp_, xlogy_ = map(in_place, (f.addcdiv, f.addcmul, f.lerp, f.ldexp, f.xlogy))
    copysign_, hypot_, atan2_, deg2rad_, rad2deg_ = map(in_place, (f.copysign, f.hypot, f.atan2, f.deg2rad, f.rad2deg))
    nextafter_ = in_place(f.nextafter)
    float_power_, absolute_, negative_, clip_ = in_place(f.float_power), abs_, neg_, clamp_
    subtract_, multiply_, divide_, true_divide_ = sub_, mul_, div_, div_

    digamma_, lgamma_, mvlgamma_ = map(in_place, (f.digamma, f.lgamma, f.mvlgamma))
    eq_, ne_, lt_, le_, gt_, ge_ = map(in_place, (f.eq, f.ne, f.lt, f.le, f.gt, f.ge))
    logical_and_, logical_or_, logical_xor_, logical_not_ = map(
        in_place, (f.logical_and, f.logical_or, f.logical_xor, f.logical_not)
    )

    index_add_, index_copy_, index_fill_, index_put_ = map(in_place, (f.index_add, f.index_copy, f.index_fill, f.index_put))
    scatter_, scatter_add_, scatter_reduce_ = map(in_place, (f.scatter, f.scatter_add, f.scatter_reduce))
    masked_scatter_, put_, tril_, triu_ = map(in_place, (f.masked_scatter, f.put, f.tril, f.triu))
    cumsum_, cumprod_, fill_diagonal_ = in_place(f.cumsum), in_place(f.cumprod), in_place(f.fill_diagonal)
    addmm_, addmv_, addr_, addbmm_, baddbmm_ = map(in_place, (f.addmm, f.addmv, f.addr, f.addbmm, f.baddbmm))

    bitwise_and_, bitwise_or_, bitwise_xor_, bitwise_not_ = map(
        in_place, (f.bitwise_and, f.bitwise_or, f.bitwise_xor, f.bitwise_not)
    )
    bitwise_left_shift_, bitwise_right_shift_ = map(in_place, (f.bitwise_left_shift, f.bitwise_right_shift))

    __iadd__, __isub__, __imul__, __itruediv__, __ipow__ = add_, sub_, mul_, div_, pow_
    __ifloordiv__, __imod__, __iand__, __ior__, __ixor__ = floor_divide_, remainder_, bitwise_and_, bitwise_or_, bitwise_xor_
    __ilshift__, __irshift__ = bitwise_left_shift_, bitwise_right_shift_

    # --- operators -----------------------------------------------------------------------------------------------------------

    __hash__ = object.__hash__
    __add__, __sub__, __mul__, __truediv__ = elementwise.add, elementwise.subtract, f.multiply, f.true_divide
    __floordiv__, __mod__, __pow__, __matmul__ = f.floor_divide, f.remainder, f.pow, f.matmul
    __neg__, __abs__, __invert__ = f.negative, f.abs, f.bitwise_not
    __lt__, __le__, __gt__, __ge__ = f.lt, f.le, f.gt, f.ge
    __and__, __or__, __xor__ = f.bitwise_and, f.bitwise_or, f.bitwise_xor
    __lshift__, __rshift__ = f.bitwise_left_shift, f.bitwise_right_shift
    __radd__, __rmul__ = elementwise.add, f.multiply
    __rand__, __ror__, __rxor__ = f.bitwise_and, f.bitwise_or, f.bitwise_xor

    def __pos__(self: Any) -> Tensor:
        return self

    def __rsub__(self: Any, other: Any) -> Tensor:
        return f.subtract(other, self)

    def __rtruediv__(self: Any, other: Any) -> Tensor:
        return f.true_divide(other, self)

    def __rfloordiv__(self: Any, other: Any) -> Tensor:
        return f.floor_divide(other, self)

    def __rmod__(self: Any, other: Any) -> Tensor:
        return f.remainder(other, self)

    def __rpow__(self: Any, other: Any) -> Tensor:
        return f.pow(other, self)

    def __rlshift__(self: Any, other: Any) -> Tensor:
        return f.bitwise_left_shift(other, self)

    def __rrshift__(self: Any, other: Any) -> Tensor:
        return f.bitwise_right_shift(other, self)

    def __rmatmul__(self: Any, other: Any) -> Tensor:
        return f.matmul(other, self)

    def __eq__(self: Any, other: object) -> Any:
        return f.eq(self, other) if _comparable(other) else NotImplemented

    def __ne__(self: Any, other: object) -> Any:
        return f.ne(self, other) if _comparable(other) else NotImplemented

    # --- the functions under PyTorch's names -------------------------------------------------------------------------------

    add, sub, subtract = f.add, f.subtract, f.subtract
    mul, multiply, div, divide, true_divide = f.multiply, f.multiply, f.divide, f.divide, f.true_divide
    floor_divide, remainder, pow, square, sqrt, rsqrt = f.floor_divide, f.remainder, f.pow, f.square, f.sqrt, f.rsqrt
    neg, negative, abs, absolute, reciprocal, sign = f.neg, f.negative, f.abs, f.abs, f.reciprocal, f.sign
    exp, expm1, log, log1p, log2, log10, logaddexp = f.exp, f.expm1, f.log, f.log1p, f.log2, f.log10, f.logaddexp
    sin, cos, tan, asin, acos, atan, atan2 = f.sin, f.cos, f.tan, f.asin, f.acos, f.atan, f.atan2
    sinh, cosh, tanh, asinh, acosh, atanh = f.sinh, f.cosh, f.tanh, f.asinh, f.acosh, f.atanh
    sigmoid, relu, erf, softmax, log_softmax = f.sigmoid, f.relu, f.erf, f.softmax, f.log_softmax
    floor, ceil, round, trunc, clamp, clip = f.floor, f.ceil, f.round, f.trunc, f.clamp, f.clamp
    maximum, minimum, eq, ne, lt, le, gt, ge = f.maximum, f.minimum, f.eq, f.ne, f.lt, f.le, f.gt, f.ge
    arcsin, arccos, arctan, arctan2, arcsinh, arccosh, arctanh = asin, acos, atan, atan2, asinh, acosh, atanh
    not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge
    logical_and, logical_or, logical_xor, logical_not = f.logical_and, f.logical_or, f.logical_xor, f.logical_not
    isnan, isinf, isfinite = f.isnan, f.isinf, f.isfinite
    addcdiv, addcmul, lerp, float_power, ldexp, fmod, frac = f.addcdiv, f.addcmul, f.lerp, f.float_power, f.ldexp, f.fmod, f.frac
    clamp_min, clamp_max, fmax, fmin, nan_to_num = f.clamp_min, f.clamp_max, f.fmax, f.fmin, f.nan_to_num
    copysign, hypot, positive, sgn, deg2rad, rad2deg = f.copysign, f.hypot, f.positive, f.sgn, f.deg2rad, f.rad2deg
    nextafter = f.nextafter
    erfc, erfinv, exp2, logaddexp2, logit, sinc, xlogy = f.erfc, f.erfinv, f.exp2, f.logaddexp2, f.logit, f.sinc, f.xlogy
    digamma, lgamma, mvlgamma = f.digamma, f.lgamma, f.mvlgamma
    isclose, allclose, equal = f.isclose, f.allclose, f.equal
    bitwise_and, bitwise_or, bitwise_xor, bitwise_not = f.bitwise_and, f.bitwise_or, f.bitwise_xor, f.bitwise_not
    bitwise_left_shift, bitwise_right_shift = f.bitwise_left_shift, f.bitwise_right_shift
    sum, mean, var, std, prod, norm, logsumexp, cumsum = f.sum, f.mean, f.var, f.std, f.prod, f.norm, f.logsumexp, f.cumsum
    max, min, amax, amin, argmax, argmin, all, any = f.max, f.min, f.amax, f.amin, f.argmax, f.argmin, f.all, f.any
    reshape, view, flatten, permute, transpose, t = f.reshape, f.view, f.flatten, f.permute, f.transpose, f.t
    squeeze, unsqueeze, expand, broadcast_to, repeat = f.squeeze, f.unsqueeze, f.expand, f.broadcast_to, f.repeat
    movedim, flip, roll, tril, triu = f.movedim, f.flip, f.roll, f.tril, f.triu
    split, chunk, narrow, unbind = f.split, f.chunk, f.narrow, f.unbind
    gather, index_select, take_along_dim, masked_fill = f.gather, f.index_select, f.take_along_dim, f.masked_fill
    matmul, mm, mv, bmm, dot, outer, clone = f.matmul, f.mm, f.mv, f.bmm, f.dot, f.outer, f.clone
    addmm, addmv, addr, addbmm, baddbmm = f.addmm, f.addmv, f.addr, f.addbmm, f.baddbmm
    inner, ger, vdot, matrix_power, cholesky_solve = f.inner, f.outer, f.dot, f.matrix_power, f.cholesky_solve
    inverse, pinverse, det, logdet, slogdet, qr, svd = f.inv, f.pinverse, f.det, f.logdet, f.slogdet, f.qr, f.svd

    sort, argsort, msort, topk, kthvalue, unique = f.sort, f.argsort, f.msort, f.topk, f.kthvalue, f.unique
    unique_consecutive, bincount, heaviside = f.unique_consecutive, f.bincount, f.heaviside
    median, nanmedian, mode, quantile, nanquantile = f.median, f.nanmedian, f.mode, f.quantile, f.nanquantile
    aminmax, nansum, nanmean, count_nonzero, dist = f.aminmax, f.nansum, f.nanmean, f.count_nonzero, f.dist
    cov, corrcoef, diff, sum_to_size = f.cov, f.corrcoef, f.diff, f.sum_to_size
    cummax, cummin, cumprod, logcumsumexp = f.cummax, f.cummin, f.cumprod, f.logcumsumexp
    diag, diag_embed, diagflat, diagonal, diagonal_scatter = f.diag, f.diag_embed, f.diagflat, f.diagonal, f.diagonal_scatter
    trace, cross, kron, adjoint, fliplr, flipud, rot90 = f.trace, f.cross, f.kron, f.adjoint, f.fliplr, f.flipud, f.rot90
    split_with_sizes, tensor_split, hsplit, vsplit, dsplit = f.split_with_sizes, f.tensor_split, f.hsplit, f.vsplit, f.dsplit
    unflatten, unfold, tile, repeat_interleave = f.unflatten, f.unfold, f.tile, f.repeat_interleave
    ravel, expand_as, view_as = f.ravel, f.expand_as, f.view_as
    moveaxis, swapaxes, swapdims = f.movedim, f.transpose, f.transpose
    index_add, index_copy, index_fill, index_put = f.index_add, f.index_copy, f.index_fill, f.index_put
    scatter, scatter_add, scatter_reduce, put, take = f.scatter, f.scatter_add, f.scatter_reduce, f.put, f.take
    masked_select, masked_scatter, nonzero, argwhere = f.masked_select, f.masked_scatter, f.nonzero, f.argwhere
    select, select_scatter, slice_scatter = f.select, f.select_scatter, f.slice_scatter

    @reads_numbers
    def polygamma(self: Any, n: Int) -> Tensor:
        """:func:`polygamma` of order ``n``."""
        return f.polygamma(n, self)

    def where(self: Any, condition: Any, other: Any) -> Tensor:
        """The tensor where ``condition`` holds, else ``other``."""
        return f.where(condition, self, other)


def _comparable(other: object) -> Any:
    return isinstance(other, (Tensor, int, float)) or backends.of_array(other) is not None


_OF_THE_CLASS = {"__module__", "__dict__", "__weakref__", "__doc__"}
for _name, _method in vars(Methods).items():
    if _name not in _OF_THE_CLASS:
        setattr(Tensor, _name, _method.call if isinstance(_method, Primitive) else _method)
