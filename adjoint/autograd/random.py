"""Random tensors, and the generators they are drawn from: same seed, same backend, same bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .. import backends
from ..backends import Backend, as_dtype, dtypes
from .arguments import plain, reads_numbers, result_type, size_given, sizes_of
from .creation import arange, keep_graph
from .functions import broadcast_shapes, searchsorted, where
from .tensor import Tensor, leaf

__all__ = [
    "Generator", "bernoulli", "default_generator", "manual_seed", "multinomial", "normal", "rand", "rand_like", "randint",
    "randn", "randn_like", "randperm",
]  # fmt: skip


class Generator:
    """A stream of random numbers on one device.

    >>> g = Generator().manual_seed(7)
    >>> state = g.get_state()
    >>> a = randn(3, generator=g)
    >>> g.set_state(state)
    >>> bool((randn(3, generator=g) == a).all())
    True
    """

    def __init__(self, device: Any = None) -> None:
        self.backend = backends.default() if device is None else backends.get(device)
        self.manual_seed(0)

    @reads_numbers
    def manual_seed(self, seed: int) -> Generator:
        """Restart the stream from ``seed``, an integer >= 0. Raises ``ValueError`` on a negative one."""
        if seed < 0:
            raise ValueError(f"manual_seed: seed must be >= 0 (got {seed!r})")
        self.stream, self._seed = self.backend.random(seed), seed
        return self

    def initial_seed(self) -> int:
        """The seed the stream started from."""
        return self._seed

    def get_state(self) -> dict[str, Any]:
        """The stream's position, of JSON's types only."""
        return {"seed": self._seed, "stream": self.stream.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Resume from ``state``, a position returned by :meth:`get_state` on the same backend."""
        self.stream.set_state(state["stream"])
        self._seed = state["seed"]


class _Defaults:
    """The default generators, and the seed of new ones."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.generators: dict[Backend, Generator] = {}


_defaults: ContextVar[_Defaults] = ContextVar("default generators", default=_Defaults(0))  # noqa: B039 (one for all threads)


@reads_numbers
def manual_seed(seed: int) -> None:
    """Seed the default generator of every backend with ``seed``, an integer >= 0."""
    Generator("cpu").manual_seed(seed)  # a wrong seed is refused before anything has changed
    defaults = _defaults.get()
    defaults.seed = seed
    for generator in defaults.generators.values():
        generator.manual_seed(seed)


def get_states() -> dict[Backend, dict[str, Any]]:
    """The positions of the default generators, for :func:`set_states`."""
    return {backend: generator.get_state() for backend, generator in _defaults.get().generators.items()}


def set_states(states: dict[Backend, dict[str, Any]]) -> None:
    """Put the default generators back to where they were; one created since starts again."""
    defaults = _defaults.get()
    for backend, generator in defaults.generators.items():
        if backend in states:
            generator.set_state(states[backend])
        else:
            generator.manual_seed(defaults.seed)


@contextmanager
def fork_rng() -> Iterator[None]:
    """Give this thread its own copies of the default generators; the originals do not advance."""
    states, forked = get_states(), _Defaults(_defaults.get().seed)
    forked.generators = {backend: Generator(backend) for backend in states}
    token = _defaults.set(forked)
    try:
        set_states(states)
        yield
    finally:
        _defaults.reset(token)


def default_generator(device: Any = None) -> Generator:
    """The default generator of a backend; seeded by :func:`manual_seed`, with 0 before any call."""
    backend = backends.default() if device is None else backends.get(device)
    defaults = _defaults.get()
    if backend not in defaults.generators:
        defaults.generators[backend] = Generator(backend).manual_seed(defaults.seed)
    return defaults.generators[backend]


def _stream(generator: Generator | None, device: Any) -> tuple[Any, Backend]:
    if generator is None:
        generator = default_generator(device)
    elif device is not None and backends.get(device) is not generator.backend:
        target = backends.get(device).device
        raise ValueError(f"random: the generator is on '{generator.backend.device}' and the tensor is to be on '{target}'")
    return generator.stream, generator.backend


def _float(backend: Backend, dtype: Any, name: str) -> Any:
    dtype = dtypes.float32 if dtype is None else as_dtype(dtype)
    if dtype.kind != "float":
        raise TypeError(f"{name}: draws floating-point numbers, not {dtype}")
    return getattr(backend.xp, dtype.name)


def rand(
    *sizes: Any,
    size: Any = None,
    shape: Any = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers drawn evenly from [0, 1)."""
    if size is not None or shape is not None:
        sizes = size_given("rand", sizes, size, shape)
    stream, backend = _stream(generator, device)
    return leaf(stream.uniform(sizes_of("rand", sizes), _float(backend, dtype, "rand")), backend, requires_grad)


def randn(
    *sizes: Any,
    size: Any = None,
    shape: Any = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers drawn from the normal distribution of mean 0 and variance 1."""
    if size is not None or shape is not None:
        sizes = size_given("randn", sizes, size, shape)
    stream, backend = _stream(generator, device)
    return leaf(stream.normal(sizes_of("randn", sizes), _float(backend, dtype, "randn")), backend, requires_grad)


@reads_numbers
def randint(
    low: int,
    high: int | tuple[int, ...],
    size: tuple[int, ...] | None = None,
    *,
    generator: Generator | None = None,
    device: Any = None,
) -> Tensor:
    """int64 numbers, uniform on [``low``, ``high``), of shape ``size``; ``randint(high, size)`` starts from 0.

    Raises ``ValueError`` if the range is empty.
    """
    if size is None:
        low, high, size = 0, low, high  # type: ignore[assignment]
    if not isinstance(high, int) or low >= high:
        raise ValueError(f"randint: draws from [low, high), and [{low}, {high}) is empty")
    stream, backend = _stream(generator, device)
    return leaf(stream.integers(low, high, sizes_of("randint", (size,))), backend)


@reads_numbers
def randperm(n: int, *, generator: Generator | None = None, device: Any = None) -> Tensor:
    """A random permutation of the integers from 0 to ``n - 1``, int64."""
    stream, backend = _stream(generator, device)
    return leaf(stream.permutation(n), backend)


def rand_like(x: Tensor, *, generator: Generator | None = None) -> Tensor:
    """:func:`rand` in the shape, dtype and on the device of ``x``."""
    return rand(x.shape, generator=generator, dtype=x.dtype, device=x.backend)


def randn_like(x: Tensor, *, generator: Generator | None = None) -> Tensor:
    """:func:`randn` in the shape, dtype and on the device of ``x``."""
    return randn(x.shape, generator=generator, dtype=x.dtype, device=x.backend)


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers drawn from the normal distribution of ``mean`` and standard deviation ``std``: numbers, or tensors that broadcast.

    Of two numbers ``size`` says the shape; tensors bring shape, dtype and device.

    Raises ``ValueError`` where ``std`` is negative, ``TypeError`` where the shape is given twice or not at all, and ``GraphError``
    where ``mean`` or ``std`` requires a gradient, which none would reach.
    """
    if size is not None:
        mean, std = plain("normal", "mean", mean), plain("normal", "std", std)
    tensors = [part for part in (mean, std) if isinstance(part, Tensor)]
    if bool(tensors) is (size is not None):
        raise TypeError("normal: the shape is that of mean and std where one is a tensor, else size; give one of them")
    if std.backend.truth((std < 0).any()._array) if isinstance(std, Tensor) else std < 0:
        raise ValueError(f"normal: std is a standard deviation, from 0, not {'negative' if isinstance(std, Tensor) else std}")
    for part in tensors:
        keep_graph("normal", part, "mean or std is a tensor that", "mean + std * ad.randn(…)")
    if tensors:
        size = broadcast_shapes(*(part.shape for part in tensors))
        dtype, device = result_type(*tensors), tensors[0].backend
    drawn = randn(size, generator=generator, dtype=dtype, device=device)
    return (mean + std * drawn).requires_grad_(requires_grad)


@reads_numbers
def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None) -> Tensor:
    """``num_samples`` indices drawn from each row of weights, which need not add up to 1: (C,) or (N, C), int64.

    Without ``replacement`` no index is drawn twice: those of the smallest E / weight, E exponential, in order. Efraimidis and
    Spirakis, "Weighted random sampling with a reservoir" (2006).

    Raises ``TypeError`` where the weights are not floating-point, and ``ValueError`` on another shape, on weights that are
    negative, not finite or all 0, and where fewer than ``num_samples`` weights are above 0 without ``replacement``.
    """
    if input.dtype.kind != "float":
        raise TypeError(f"multinomial: takes floating-point weights, not {input.dtype}; convert with .float() first")
    if input.ndim not in (1, 2) or input.numel() == 0:
        raise ValueError(f"multinomial: the weights are (C,) or (N, C), and some, not of shape {input.shape}")
    if num_samples < 1:
        raise ValueError(f"multinomial: num_samples is at least 1, not {num_samples}")
    weights = input.detach().to(dtypes.float64).reshape(-1, input.shape[-1])
    backend = input.backend
    if not backend.truth(((weights >= 0) & weights.isfinite()).all()._array):
        raise ValueError("multinomial: the weights are finite numbers from 0")
    fewest = (weights > 0).sum(-1).min()
    if not backend.truth((fewest >= (1 if replacement else num_samples))._array):
        positive = backend.scalar_for_message(fewest._array)
        raise ValueError(f"multinomial: only {positive} weights of a row are above 0, to draw {num_samples} from")
    rows, n = weights.shape
    if replacement:
        # Row r is searched in [r, r + 1); a draw that rounds up to r + 1 counts as the last index with a positive weight.
        drawn = rand(rows, num_samples, generator=generator, dtype=dtypes.float64, device=input.backend)
        last = where(weights > 0, arange(n, device=input.backend), 0).amax(-1, keepdim=True)
        total = weights.cumsum(-1)
        row = arange(rows, device=input.backend).reshape(rows, 1)
        chosen = searchsorted((total / total[:, -1:] + row).reshape(-1), drawn + row, right=True) - n * row
        chosen = chosen.minimum(last)
    else:
        drawn = rand(rows, n, generator=generator, dtype=dtypes.float64, device=input.backend)
        waits = where(weights > 0, -(-drawn).log1p() / where(weights > 0, weights, 1.0), float("inf"))
        chosen = waits.argsort(-1)[:, :num_samples]
    return chosen.reshape(*input.shape[:-1], num_samples)


def bernoulli(x: Tensor, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability each element of ``x`` states, else 0, in its dtype."""
    return (rand_like(x, generator=generator) < x).to(x.dtype)
