"""``check_gradients``: what ``backward`` computes against differences of the function itself, to second order and beyond."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from ..autograd import functions as f
from ..autograd.creation import tensor, zeros
from ..autograd.gradients import grad
from ..autograd.modes import enable_grad, no_grad
from ..autograd.tensor import Tensor
from ..backends.dtypes import float64
from .comparison import unravel

Scalar = Callable[..., Tensor]


def check_gradients(
    function: Callable[..., Tensor],
    *inputs: Any,
    order: int = 2,
    eps: float = 1e-3,
    rtol: float = 1e-6,
    atol: float = 1e-7,
    elements: int | None = None,
    seed: int = 0,
) -> None:
    """Raise ``AssertionError`` where a derivative of ``function`` differs from the slope of the function itself.

    The result y is made a number F = sum(w * y) with fixed random weights w. For an element x, with step h = eps * max(1, |x|),
    the central difference D(h) = (F(x + h) - F(x - h)) / 2h is extrapolated (Richardson, 1911) to (4 D(h/2) - D(h)) / 3, all in
    float64. Its error is at most h^4 / 480 times the largest fifth derivative of F within h of x, and 5e-16 / h times the
    size of F from rounding: about 1e-12 each for well-scaled functions, far below the tolerances. The analytic value must
    lie within ``atol + rtol * |value|`` of it. A function with a kink or a pole within h of an input can not be checked there.

    For ``order`` k, the same is done to the derivative of order k - 1 along a fixed random direction, computed with
    ``create_graph=True``.

    Args:
        function: takes the inputs, gives a tensor of any shape. It must give the same result at every call.
        inputs: floating-point tensors are differentiated, as float64; anything else is passed on as it is.
        order: the highest order of derivative to check.
        eps: the step, for inputs of size one or less.
        elements: check this many elements of each input, drawn at random, and one random direction through all of them;
            every element where None.
        seed: for the weights, directions and elements drawn.

    >>> import adjoint as ad
    >>> check_gradients(lambda x: ad.sin(x) * x, ad.tensor([0.5, 1.0]))
    """
    random = Random(seed)
    points = [x.detach().to(float64) if _differentiable(x) else x for x in inputs]
    with no_grad():
        result = function(*points)
    if not isinstance(result, Tensor):
        raise TypeError(f"check_gradients: the function returned {type(result).__name__}, not a tensor")
    weights = _random(result, random)

    def weighted(*points: Any) -> Tensor:
        return f.sum(function(*points).to(float64) * weights)

    scalar: Scalar = weighted
    for reached in range(1, order + 1):
        for difference in _differences(scalar, points, eps, elements, random):
            where, analytic, numeric = difference
            if not abs(analytic - numeric) <= atol + rtol * max(abs(analytic), abs(numeric)):
                raise AssertionError(
                    f"derivative of order {reached} by {where}: analytic {analytic:.12g}, numeric {numeric:.12g} "
                    f"(differ by {abs(analytic - numeric):.3g})"
                )
        scalar = _directional(scalar, [_random(x, random) if _differentiable(x) else None for x in points])


def _differentiable(x: Any) -> bool:
    return isinstance(x, Tensor) and x.dtype.kind == "float"


def _random(like: Tensor, random: Random) -> Tensor:
    """Numbers from [0.5, 1.5) with random signs: none so small that an error could hide behind it."""
    drawn = [random.choice((-1, 1)) * (0.5 + random.random()) for _ in range(like.numel())]
    return tensor(drawn, dtype=float64, device=like.backend).reshape(like.shape)


def _gradients(scalar: Scalar, points: list[Any], create_graph: bool) -> dict[int, Tensor]:
    """The gradient by each floating-point input, by its position; zeros where the value does not depend on it."""
    at = [i for i, x in enumerate(points) if _differentiable(x)]
    with enable_grad():
        leaves = {i: points[i] if points[i].requires_grad else points[i].detach().requires_grad_() for i in at}
        value = scalar(*(leaves.get(i, x) for i, x in enumerate(points)))
        found: Any = [None] * len(at)
        if at and value.requires_grad:
            found = grad(value, list(leaves.values()), create_graph=create_graph, allow_unused=True)
    return {
        i: zeros(points[i].shape, dtype=float64, device=points[i].backend) if g is None else g
        for i, g in zip(at, found, strict=True)
    }


def _directional(scalar: Scalar, directions: list[Tensor | None]) -> Scalar:
    """The derivative of ``scalar`` along ``directions``, itself differentiable."""

    def derivative(*points: Any) -> Tensor:
        total: Any = zeros((), dtype=float64, device=next((x.backend for x in points if _differentiable(x)), None))
        for i, g in _gradients(scalar, list(points), create_graph=True).items():
            total = total + f.sum(g * directions[i])
        return total

    return derivative


def _differences(
    scalar: Scalar, points: list[Any], eps: float, elements: int | None, random: Random
) -> Iterator[tuple[str, float, float]]:
    """What is differentiated by, the analytic and the numeric derivative, one after another."""
    for i, g in _gradients(scalar, points, create_graph=False).items():
        x = points[i]
        values, slopes = x.reshape(-1).tolist(), g.reshape(-1).tolist()
        chosen = range(x.numel())
        if elements is not None and elements < x.numel():
            chosen = sorted(random.sample(chosen, elements))  # type: ignore[assignment]
            direction = _random(x, random)
            analytic = float(f.sum(g.detach() * direction).item())
            h = eps * max(1.0, *map(abs, values))
            yield f"input {i} along a random direction", analytic, _slope(scalar, points, i, direction, h)
        for k in chosen:
            one = [0.0] * x.numel()
            one[k] = 1.0
            direction = tensor(one, dtype=float64, device=x.backend).reshape(x.shape)
            numeric = _slope(scalar, points, i, direction, eps * max(1.0, abs(values[k])))
            yield f"input {i}, element {unravel(k, x.shape)} (= {values[k]:.6g})", slopes[k], numeric


def _slope(scalar: Scalar, points: list[Any], i: int, direction: Tensor, h: float) -> float:
    """The derivative of ``scalar`` along ``direction`` of input ``i``, by differences."""

    def at(step: float) -> float:
        moved = points[i] + direction * step
        with no_grad():
            value = scalar(*points[:i], moved, *points[i + 1 :])
        return float(value.item())

    wide, narrow = ((at(step) - at(-step)) / (2 * step) for step in (h, h / 2))
    return (4 * narrow - wide) / 3
