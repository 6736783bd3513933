"""``check_gradients``: compares the gradients of ``backward`` with numerical differences, to second order and beyond."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isfinite
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
Element = tuple[int, int]  #: which input, and which of its elements in row-major order


def check_gradients(
    function: Callable[..., Tensor],
    *inputs: Any,
    order: int = 2,
    eps: float = 1e-3,
    rtol: float = 1e-6,
    atol: float = 1e-7,
    elements: int | None = None,
    directions: int = 1,
    seed: int = 0,
) -> None:
    """Raise ``AssertionError`` if a derivative of ``function`` differs from extrapolated central differences.

    The result y is reduced to a scalar F = sum(w * (y + y^3 / 6 s^2)) with fixed random weights w and s = max(1, |y|). F is not
    linear in y, so that a rule that cannot be differentiated by its cotangent fails at second order.
    With the step h = eps * max(1, |x|), the central difference D(h) = (F(x + h) - F(x - h)) / 2h is extrapolated (Richardson,
    1911) to (4 D(h/2) - D(h)) / 3, all in float64. Its error is at most h^4 / 480 times the largest fifth derivative of F within
    h of x, and 3 e / h where F itself is computed with an error e: about 1e-12 each for well-scaled functions, far below the
    tolerances. The analytic value must lie within ``atol + rtol * |value|`` of it, and be finite.

    The derivatives along random directions through all elements of all inputs are compared first, then those of single elements.
    If a direction fails, bisection finds the element at fault. For ``order`` k, the same is done for the derivative of order
    k - 1 along one of these directions, computed with ``create_graph=True``, after its value was compared too.

    A function with a kink or a pole within h of an input cannot be checked there. One that computes in float32 needs wider
    tolerances: its error e is about 1e-7.

    Args:
        function: takes the inputs and returns a floating-point tensor of any shape; the same one at every call.
        inputs: floating-point tensors are differentiated, as float64; everything else is passed unchanged.
        order: the highest order of derivative to check.
        eps: the step, for inputs of size one or less.
        rtol: the relative tolerance.
        atol: the absolute tolerance.
        elements: the number of elements of each input, drawn at random, to check separately; None for all. At 0 only the
            directions are checked, at a cost that does not grow with the inputs.
        directions: the number of random directions to check at each order.
        seed: of the random weights, directions and elements.

    Raises:
        AssertionError: a derivative is wrong; the message names the input, the element and both values.
        TypeError: no input is a floating-point tensor, or the result is none.
        ValueError: ``directions`` is below 1.

    >>> import adjoint as ad
    >>> check_gradients(lambda x: ad.sin(x) * x, ad.tensor([0.5, 1.0]))
    """
    random = Random(seed)
    points = [x.detach().to(float64) if _differentiable(x) else x for x in inputs]
    if not any(_differentiable(x) for x in points):
        raise TypeError("check_gradients: no input is a floating-point tensor; pass at least one to differentiate by")
    if directions < 1:
        raise ValueError(f"check_gradients: directions must be at least 1, not {directions}")
    with no_grad():
        result = function(*points)
    if not _differentiable(result):
        kind = result.dtype if isinstance(result, Tensor) else type(result).__name__
        raise TypeError(f"check_gradients: the function returned {kind}, not a floating-point tensor")
    if not bool(f.all(f.isfinite(result)).item()):
        raise AssertionError("the function's result is not finite, so it has no derivative there")
    weights = _random(result, random)

    size = max([1.0, *map(abs, result.reshape(-1).tolist())])

    def weighted(*points: Any) -> Tensor:
        y = function(*points).to(float64)
        return f.sum((y + y * (y / size) ** 2 / 6.0) * weights)  # bent: the rules' own derivatives by the cotangent matter

    scalar: Scalar = weighted
    for reached in range(1, order + 1):
        check = _Check(scalar, points, reached, eps, rtol, atol)
        gradients = _gradients(scalar, points, create_graph=False)
        for _ in range(directions):
            direction = [_direction(x, random) if _differentiable(x) else None for x in points]
            check.along(direction, gradients)
        if reached < order:
            check.along(direction, _gradients(scalar, points, create_graph=True), " under create_graph=True")
        for i, g in gradients.items():
            n = g.numel()
            slopes = g.reshape(-1).tolist()
            for k in range(n) if elements is None or elements >= n else sorted(random.sample(range(n), elements)):
                check.at((i, k), slopes[k])
        scalar = _directional(scalar, direction)


def _differentiable(x: Any) -> bool:
    return isinstance(x, Tensor) and x.dtype.kind == "float"


def _random(like: Tensor, random: Random) -> Tensor:
    """Numbers from [0.5, 1) with random signs: none so small that an error could hide behind it."""
    drawn = [random.choice((-1, 1)) * (0.5 + random.random() / 2) for _ in range(like.numel())]
    return tensor(drawn, dtype=float64, device=like.backend).reshape(like.shape)


def _direction(x: Tensor, random: Random) -> Tensor:
    """A random direction that moves each element by no more than its size, or by no more than one where that is less."""
    return _random(x, random) * f.clamp_min(f.abs(x), 1.0)


def _gradients(scalar: Scalar, points: list[Any], create_graph: bool) -> dict[int, Tensor]:
    """The gradient by each floating-point input, by its position; zeros where the value does not depend on it."""
    at = [i for i, x in enumerate(points) if _differentiable(x)]
    with enable_grad():
        leaves = {i: points[i] if points[i].requires_grad else points[i].detach().requires_grad_() for i in at}
        value = scalar(*(leaves.get(i, x) for i, x in enumerate(points)))
        gradients: Any = [None] * len(at)
        if value.requires_grad:
            gradients = grad(value, list(leaves.values()), create_graph=create_graph, allow_unused=True)
    return {
        i: zeros(points[i].shape, dtype=float64, device=points[i].backend) if g is None else g
        for i, g in zip(at, gradients, strict=True)
    }


def _directional(scalar: Scalar, direction: list[Tensor | None]) -> Scalar:
    """The derivative of ``scalar`` along ``direction``, itself differentiable."""

    def derivative(*points: Any) -> Tensor:
        first, *rest = (f.sum(g * direction[i]) for i, g in _gradients(scalar, list(points), create_graph=True).items())
        return sum(rest, first)

    return derivative


def _only(some: list[Element], direction: list[Tensor | None]) -> list[Tensor | None]:
    """``direction`` restricted to these elements, 0 for the others."""
    chosen = set(some)

    def masked(i: int, d: Tensor) -> Tensor:
        mask = tensor([float((i, k) in chosen) for k in range(d.numel())], dtype=float64, device=d.backend)
        return d * mask.reshape(d.shape)

    return [None if d is None else masked(i, d) for i, d in enumerate(direction)]


class _Check:
    """Compares derivatives of one order with finite differences of the order below."""

    def __init__(self, scalar: Scalar, points: list[Any], order: int, eps: float, rtol: float, atol: float) -> None:
        self.scalar, self.points, self.order = scalar, points, order
        self.eps, self.rtol, self.atol = eps, rtol, atol

    def along(self, direction: list[Tensor | None], gradients: dict[int, Tensor], how: str = "") -> None:
        """Compare the derivative along ``direction``; on failure, report the element with the largest error."""
        moves = {
            i: (g.reshape(-1).tolist(), d.reshape(-1).tolist()) for i, g in gradients.items() if (d := direction[i]) is not None
        }
        every = [(i, k) for i, (slopes, _) in moves.items() for k in range(len(slopes))]

        def both(some: list[Element]) -> tuple[float, float]:
            """The analytic and the numeric derivative along ``some`` elements of the direction."""
            analytic = sum(moves[i][0][k] * moves[i][1][k] for i, k in some)
            return analytic, self.slope(direction if some is every else _only(some, direction))[0]

        def error(some: list[Element]) -> float:
            analytic, numeric = both(some)
            off = abs(analytic - numeric)
            return off if isfinite(off) else float("inf")

        analytic, numeric = both(every)
        if self.agree(analytic, numeric):
            return
        suspects = every
        while len(suspects) > 1:
            half = len(suspects) // 2
            suspects = max(suspects[half:], suspects[:half], key=error)
        for i, k in suspects:
            self.at((i, k), moves[i][0][k], how)
        raise AssertionError(f"derivative of order {self.order} along a random direction{how}: {self.values(analytic, numeric)}")

    def at(self, element: Element, analytic: float, how: str = "") -> None:
        """Compare the derivative by one element."""
        i, k = element
        x = self.points[i]
        value = x.reshape(-1)[k].item()
        one = zeros((x.numel(),), dtype=float64, device=x.backend)
        one[k] = size = max(1.0, abs(value))
        numeric, difference = self.slope([one.reshape(x.shape) if j == i else None for j in range(len(self.points))])
        if not self.agree(analytic, numeric / size):
            raise AssertionError(
                f"derivative of order {self.order} by input {i}, element {unravel(k, x.shape)} (= {value:.6g}){how}: "
                f"{self.values(analytic, numeric / size)}{''.join(self.hints(numeric, difference))}"
            )

    def slope(self, direction: list[Tensor | None]) -> tuple[float, float]:
        """The derivative along ``direction`` by extrapolated differences, and how far the two steps' differences are apart."""

        def value(step: float) -> float:
            moved = [x if d is None else x + d * step for x, d in zip(self.points, direction, strict=True)]
            with no_grad():
                return float(self.scalar(*moved).item())

        wide, narrow = ((value(h) - value(-h)) / (2 * h) for h in (self.eps, self.eps / 2))
        return (4 * narrow - wide) / 3, abs(wide - narrow)

    def agree(self, analytic: float, numeric: float) -> bool:
        allowed = self.atol + self.rtol * max(abs(analytic), abs(numeric))
        return isfinite(allowed) and abs(analytic - numeric) <= allowed

    def values(self, analytic: float, numeric: float) -> str:
        return f"analytic {analytic:.12g}, numeric {numeric:.12g} (differ by {abs(analytic - numeric):.3g})"

    def hints(self, numeric: float, difference: float) -> Iterator[str]:
        """Possible causes other than a wrong derivative."""
        with no_grad():
            again = {float(self.scalar(*self.points).item()) for _ in range(3)}
        if len(again) > 1:
            yield "; the function returns different results for equal inputs"
        elif difference > 1e-3 * (1.0 + abs(numeric)):
            yield f"; the slopes of two steps differ by {difference:.3g}: is there a kink or pole within {self.eps:g} of the input?"
